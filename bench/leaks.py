"""Leaks put into every table of a folder: does the audit find them, and is it silent where there are none?

Leaky columns (copies of the target, noisy and coarse ones, values that are there after the outcome only) are counted
where they matter: an independent model, boosted trees over three folds, gains .05 of ROC-AUC or more by the column.
What was done wrong to rows and parts is to be found always. Real tables have leaks of their own; those that their
publishers or the notes on the data name are left out before anything is seeded, and are a figure of their own.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench._outcome import Goal, Options, Outcome
from bench._seeds import COLUMNS, FAULTS, LEAK, PREPARED, Fault, LeakyColumn, well_parted, with_column
from bench._tables import EXAMPLE, no_table
from bench.trip import folder_cases
from sortal.checks.audit import Finding
from sortal.checks.audit import run as run_checks
from sortal.checks.context import AuditContext
from sortal.checks.run_counts import LEAKED, RunCounts, run_findings
from sortal.core import registry
from sortal.core.errors import InputError
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.core.table import Table
from sortal.data.problem import Problem, frame_problem

MATTERS = 0.05
FOUND, ALARMS = 0.8, 0.05
MOST_ROWS, SEEDED_ROWS = 20_000, 6_000
FAST_ROWS, FAST_STEP = 800, 2
GUESSES = ("A101", "A102", "A103", "A104")
FACTS = {
    "A201": "copies of rows are counted",
    "A202": "so are copies with different labels",
    "A301": "the column has one value",
    "A302": "the column has one value almost everywhere",
    "A303": "the values name rows",
    "A304": "the rows of the class are counted",
}
"""Checks whose findings are what they say and cannot be false."""
RIGHT = "done right"
KNOWN: dict[str, tuple[tuple[str, ...], str]] = {
    "amazon_alexa_reviews": (("rating",), "feedback is rating > 2"),
    "bank_marketing_full": (("duration",), "length of the call whose result is the target"),
    "compas_two_years": (
        (
            *("is_recid", "is_violent_recid", "violent_recid", "event", "start", "end"),
            *("r_case_number", "r_charge_degree", "r_days_from_arrest", "r_offense_date", "r_charge_desc", "r_jail_in"),
            *("r_jail_out", "vr_case_number", "vr_charge_degree", "vr_offense_date", "vr_charge_desc"),
        ),
        "describe the second offence, which is the target",
    ),
    "horse_colic": (("lesion_1", "lesion_2", "lesion_3", "outcome"), "describe the lesion found, and what came of it"),
    "occupancy": (("Light", "Date"), "lamps are on where somebody is; neighbouring minutes are nearly the same row"),
    "parkinsons": (("subject",), "rows of a person have one class; it is to be named as the group"),
    "seattle_pets": (("primary_breed", "secondary_breed"), "a breed belongs to one species"),
    "swedish_motorcycle_claims": (("ClaimAmount",), "above 0 exactly where there is a claim"),
    "titanic3": (("boat", "body"), "lifeboat of survivors, number of the body of victims"),
    "verbal_aggression": (("resp",), "the answer that the target is made of"),
}
"""Leaks of the tables themselves, and why, by table; from the notes on the data. Other tables have none."""
HEADLINES = {
    "compas_two_years": ("is_recid", "event", "end", "r_charge_degree", "vr_charge_degree"),
    "horse_colic": ("lesion_1",),
    "occupancy": ("Light",),
}
"""Where not every known column is strong by itself: those that must be found."""


@dataclass(frozen=True)
class Trial:
    """One leak in one table. ``lift``: what it adds to an independent model, None for faults. ``severity`` of the worst
    finding.
    """

    table: str
    kind: str
    strength: str
    lift: float | None
    severity: str
    codes: tuple[str, ...]

    @property
    def counts(self) -> bool:
        return self.lift is None or self.lift >= MATTERS

    @property
    def is_found(self) -> bool:
        return self.severity in ("severe", "warning")


@dataclass(frozen=True)
class Silence:
    """A table without known leaks: what was found all the same, in ``columns`` times ``checks`` places."""

    table: str
    columns: int
    checks: int
    findings: tuple[Finding, ...]


def run(options: Options) -> Outcome:
    trials, silences, known_trials, notes = [], [], [], []
    for name, case in cases(options):
        if isinstance(case, str):
            notes.append(f"left out: {name}: {case}")
            continue
        known_trials += known_leaks(name, case)
        clean = without(case, KNOWN.get(name, ((), ""))[0])
        silences.append(silence(name, clean))
        for seed in range(options.reps):
            columns = COLUMNS[::FAST_STEP] if options.fast else COLUMNS
            trials += trials_of(name, sampled(replace(clean, seed=seed), SEEDED_ROWS), columns)
        print(name, file=sys.stderr)
    if not silences:
        no_table("to try")
    return outcome(trials, silences, known_trials, notes)


def cases(options: Options) -> Iterator[tuple[str, AuditContext | str]]:
    """The tables by name, or why one is left out."""
    if options.fast or options.data is None:
        churn = pl.read_csv(EXAMPLE, infer_schema=False).sample(FAST_ROWS, seed=0)
        yield from (
            (f"example_{t.lower()}", unparted(frame_problem(churn, GoalOptions(t), RowOptions())))
            for t in ("Churn", "Contract")
        )
        return
    for file in folder_cases(options.data):
        name = file.file.stem.removeprefix("tabular_")
        yield name, file.unusable or framed(str(file.file), file.target)


def unparted(problem: Problem) -> AuditContext:
    return AuditContext(problem.table, problem.codes, problem.task.classes, 0, problem.raw)


def framed(file: str, target: str) -> AuditContext | str:
    try:
        case = unparted(frame_problem([file], GoalOptions(target), RowOptions()))
    except InputError as error:
        return str(error)
    return sampled(case, MOST_ROWS)


def sampled(case: AuditContext, most: int) -> AuditContext:
    """So many rows at random, in their order."""
    if len(case) <= most:
        return case
    rows = np.sort(np.random.default_rng(case.seed).permutation(len(case))[:most])
    return replace(case, table=case.table.take(rows), codes=case.codes[rows], raw=case.raw[rows])


def without(case: AuditContext, names: Sequence[str]) -> AuditContext:
    schema = case.table.schema
    for name in names:
        if name in schema:
            schema = schema.with_role(name, "ignore")
    return replace(case, table=Table(schema, case.table.frame, case.table.rows))


def checked() -> set[str]:
    """The codes of all checks: those of the data are registered, that of a run is counted."""
    return {*registry.names("sortal.checks"), LEAKED}


def audited(case: AuditContext, codes: Sequence[str]) -> tuple[Finding, ...]:
    names = [name for name in registry.names("sortal.checks") if name in codes]
    return run_checks((registry.load("sortal.checks", name) for name in names), case).findings


def about(findings: Sequence[Finding], column: str) -> list[Finding]:
    """Findings about a column, the most severe first."""
    return [f for f in findings if column == f.column or column in list(f.evidence.get("columns", []) or [])]  # type: ignore[arg-type]


def known_leaks(name: str, case: AuditContext) -> list[Trial]:
    columns = [c for c in HEADLINES.get(name, KNOWN.get(name, ((), ""))[0]) if c in case.table.schema]
    if not columns:
        return []
    findings = audited(case, GUESSES)
    return [judged(name, "known", column, None, about(findings, column)) for column in columns]


def judged(table: str, kind: str, strength: str, lift: float | None, findings: Sequence[Finding]) -> Trial:
    return Trial(
        table, kind, strength, lift, findings[0].severity if findings else "", tuple(sorted({f.code for f in findings}))
    )


def silence(name: str, case: AuditContext) -> Silence:
    """All registered checks on the table as it is, with parts dealt well."""
    parted, names = well_parted(case), registry.names("sortal.checks")
    result = run_checks((registry.load("sortal.checks", n) for n in names), parted)
    findings = tuple(f for f in result.findings if f.code not in FACTS)
    return Silence(name, len(case.table.schema.features), len(names) - len(result.skipped), findings)


def trials_of(name: str, case: AuditContext, columns: Sequence[LeakyColumn]) -> Iterator[Trial]:
    """Every leak in this table, one at a time. Leaky columns that do not matter are not audited."""
    rng = np.random.default_rng([case.seed, zlib.crc32(name.encode())])
    base = matrix(case.table)
    without_leak = tree_auc(base, case.codes)
    for leak in columns:
        yield from column_trial(name, case, leak, rng, (base, without_leak))
    for fault in (f for f in FAULTS if f.code in checked()):
        yield from fault_trials(name, case, fault, rng)


def column_trial(
    name: str,
    case: AuditContext,
    leak: LeakyColumn,
    rng: np.random.Generator,
    baseline: tuple[pl.DataFrame, float],
) -> Iterator[Trial]:
    base, without_leak = baseline
    values = leak.make(case.codes, len(case.classes), rng)
    if values is None:
        return
    seeded = with_column(case, values)
    lift = tree_auc(base.with_columns(matrix(seeded.table)[LEAK]), case.codes) - without_leak
    findings = about(audited(seeded, GUESSES), LEAK) if lift >= MATTERS else []
    yield judged(name, leak.kind, leak.strength, lift, findings)


def fault_trials(name: str, case: AuditContext, fault: Fault, rng: np.random.Generator) -> Iterator[Trial]:
    """The fault at every share; by share 0 its check is to be silent."""
    for share in (0.0, *fault.shares):
        if (faulty := fault.make(case, share, rng)) is not None:
            findings = run_findings(faulty) if isinstance(faulty, RunCounts) else audited(faulty, [fault.code])
            own_findings = [f for f in findings if f.code == fault.code]
            how = fault.way or f"{share:.0%} of the rows"
            yield judged(name, fault.kind, how if share else RIGHT, None, own_findings)


def matrix(table: Table) -> pl.DataFrame:
    """The features as numbers, texts by the order of their values."""
    features = [table.frame[column.name] for column in table.schema.features]
    numbers = [f.rank("dense") if f.dtype == pl.String else f.to_physical() for f in features]
    return pl.DataFrame([f.cast(pl.Float64) for f in numbers])


def tree_auc(X: pl.DataFrame, codes: NDArray[np.int64]) -> float:
    """ROC-AUC of boosted trees, each class against the rest by its size, over three folds."""
    from lightgbm import LGBMClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    sizes = np.bincount(codes)
    mask = sizes[codes] >= 3
    y, values = np.unique(codes[mask], return_inverse=True)[1], X.to_numpy()[mask]
    probability = np.zeros((len(y), int(y.max()) + 1))
    for train, test in StratifiedKFold(3, shuffle=True, random_state=0).split(values, y):
        model = LGBMClassifier(
            n_estimators=40, num_leaves=15, min_child_samples=10, n_jobs=1, verbose=-1, random_state=0
        )
        model.fit(values[train], y[train])
        probability[test] = model.predict_proba(values[test])
    score = probability[:, 1] if probability.shape[1] == 2 else probability
    return float(roc_auc_score(y, score, multi_class="ovr", average="weighted"))


def outcome(trials: list[Trial], silences: list[Silence], known_trials: list[Trial], notes: list[str]) -> Outcome:
    guessed = [t for t in trials if t.lift is not None]
    kinds = list(dict.fromkeys(t.kind for t in guessed))
    faults = [t for t in trials if t.lift is None]
    not_run = sorted({f.code for f in FAULTS} - checked())
    goals = [found_goal(kind, [t for t in guessed if t.kind == kind]) for kind in kinds]
    goals.append(found_goal("all leaky columns", guessed))
    fault_kinds = dict.fromkeys(t.kind for t in faults)
    goals += [fault_goal(kind, [t for t in faults if t.kind == kind]) for kind in fault_kinds]
    if known_trials:
        goals.append(
            all_of(
                "leaks that the tables are known for are found",
                known_trials,
                [t for t in known_trials if t.is_found],
            )
        )
    goals.append(alarm_goal(silences))
    notes = [
        f"counted: leaks that add {MATTERS} or more of ROC-AUC to an independent model; found: a warning or worse "
        "names the column",
        f"true whatever they say, and no alarms: {'; '.join(f'{code}: {why}' for code, why in FACTS.items())}",
        *(f"not run: {f.kind}: the check {f.code} is not registered" for f in FAULTS if f.code in not_run),
        *(
            f"missed: {t.table}: {t.kind}, {t.strength} (lift {t.lift:.3f})"
            for t in guessed
            if t.counts and not t.codes
        ),
        *(f"known: {t.table}: {t.strength}: {t.severity or 'not found'} {' '.join(t.codes)}" for t in known_trials),
        *(f"alarm: {s.table}: {f.severity} {f.message}" for s in silences for f in s.findings if f.severity != "note"),
        *notes,
    ]
    columns = ["leak", "strength", "seeded", f"lift >= {MATTERS}", "median lift", "found", "with notes", "by"]
    pairs = {(t.kind, t.strength) for t in trials}
    order = [key for key in dict.fromkeys((x.kind, x.strength) for x in (*COLUMNS, *faults)) if key in pairs]
    rows = [row(kind, strength, trials) for kind, strength in order]
    title = f"leaks seeded into {len(silences)} tables"
    return Outcome(
        title, columns, rows, goals, notes, [figures(t) for t in [*trials, *known_trials]] + [*map(alarms, silences)]
    )


def row(kind: str, strength: str, trials: list[Trial]) -> list[str]:
    group = [t for t in trials if (t.kind, t.strength) == (kind, strength)]
    relevant = [t for t in group if t.counts]
    lifts = [t.lift for t in relevant if t.lift is not None]
    codes = sorted({code for t in relevant for code in t.codes})
    return [
        *(kind, strength, str(len(group)), str(len(relevant)), f"{np.median(lifts):.3f}" if lifts else "–"),
        *(share([t.is_found for t in relevant]), share([bool(t.codes) for t in relevant]), " ".join(codes)),
    ]


def share(flags: Sequence[bool]) -> str:
    return f"{100 * np.mean(flags):.0f} %" if flags else "–"


def found_goal(kind: str, trials: list[Trial]) -> Goal:
    relevant = [t for t in trials if t.counts]
    hits, noted = (
        [t for t in relevant if condition(t)] for condition in (lambda t: t.is_found, lambda t: bool(t.codes))
    )
    figure = f"{len(hits)} of {len(relevant)} ({share([t.is_found for t in relevant])}; {len(noted)} with notes)"
    return Goal(f"{kind}: found in {FOUND:.0%}", figure, len(hits) >= FOUND * len(relevant))


def fault_goal(kind: str, trials: list[Trial]) -> Goal:
    """What is counted is found wherever it was done, and nothing found where it was not; fingerprints as often as
    guesses.
    """
    if kind == PREPARED:
        faulty, undone = ([t for t in trials if (t.strength == RIGHT) == r] for r in (False, True))
        hits, loud = ([t for t in group if t.is_found] for group in (faulty, undone))
        before = f"; {len(loud)} before it was done ({', '.join(t.table for t in loud)})" if loud else ""
        figure = f"{len(hits)} of {len(faulty)} ({share([t.is_found for t in faulty])}){before}"
        return Goal(f"{kind}: found in {FOUND:.0%}", figure, len(hits) >= FOUND * len(faulty))
    right = [t for t in trials if t.is_found != (t.strength == RIGHT)]
    return all_of(f"{kind}: always found, and silent where done right", trials, right)


def all_of(goal: str, trials: list[Trial], right: list[Trial]) -> Goal:
    wrong = [f"{t.table} {t.strength}" for t in trials if t not in right]
    return Goal(goal, f"{len(right)} of {len(trials)}" + (f" (not {', '.join(wrong)})" if wrong else ""), not wrong)


def alarm_goal(silences: list[Silence]) -> Goal:
    places = sum(s.columns * s.checks for s in silences)
    loud, notes = ([sum((f.severity == "note") == n for f in s.findings) for s in silences] for n in (False, True))
    figure = (
        f"{sum(loud)} alarms ({100 * sum(loud) / places:.2g} %), {sum(notes)} notes more "
        f"({100 * sum(loud + notes) / places:.2g} %)"
    )
    goal = f"false alarms in {ALARMS:.0%} of columns times checks or fewer ({places:,} places)"
    return Goal(goal, figure, sum(loud) <= ALARMS * places)


def figures(trial: Trial) -> dict[str, Any]:
    return {
        "table": trial.table,
        "kind": trial.kind,
        "strength": trial.strength,
        "lift": trial.lift,
        "severity": trial.severity,
        "codes": list(trial.codes),
    }


def alarms(silence: Silence) -> dict[str, Any]:
    findings = [
        {"code": f.code, "severity": f.severity, "column": f.column, "message": f.message} for f in silence.findings
    ]
    return {"table": silence.table, "columns": silence.columns, "checks": silence.checks, "findings": findings}
