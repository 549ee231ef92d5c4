"""Does deciding by expected cost cost more than a tuned threshold? The same models on both sides: only the decision
differs.

Two classes: sortal calibrates out-of-fold predictions where that helps and takes the threshold that follows from the
costs; its rival is scikit-learn's TunedThresholdClassifierCV, which takes the threshold that was cheapest out of fold.
Both see the same five folds and the same refit. More classes: the argmin of expected cost against the most probable
class.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import make_scorer
from sklearn.model_selection import StratifiedShuffleSplit, TunedThresholdClassifierCV

from bench._outcome import Goal, Options, Outcome
from bench._recalled import FOLDS, Arm, Index, Models, Recalled
from bench._tables import EXAMPLE, no_table, table_files
from sortal.core import registry
from sortal.core.cost_notation import parse_cost
from sortal.core.costs import incurred
from sortal.core.errors import SortalError
from sortal.core.interval import Interval
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.core.task import Task
from sortal.data.problem import frame_problem
from sortal.decide.policy import Decision
from sortal.decide.threshold import cost_threshold, decide
from sortal.evaluate.compare import corrected_t
from sortal.evaluate.intervals import folds_interval
from sortal.models.family import FitRequest, Resources, Rows, Settings
from sortal.record.wording import DASH
from sortal.training.candidate import Candidate, Development, prepare_rows

BINARY = ("fp=1,fn=5", "fp=1,fn=20", "fp=5,fn=1")
"""Costs of the errors about the rarer class."""
DRAWN = "drawn"
"""Costs of more than two classes: a matrix drawn anew, with benefits, for each split."""
LEARNERS: dict[str, Settings] = {"logistic": {}, "lightgbm": {"rounds": 100, "learning_rate": 0.1}}
REPETITIONS, FAST_REPETITIONS = 5, 3
ROWS, FAST_ROWS, TEST_SHARE = 6_000, 900, 1 / 3
FEW, FEWEST = 500, 10
"""Rows of the small training part, and the least number of any class in a training part."""
SORTAL, RAW, LIKELIEST, BEST = "sortal", "uncalibrated", "most probable", "best on test"
TUNED = {"tuned": 100, "tuned, 1,000": 1_000}
"""The rival's default of 100 thresholds, and a finer grid."""
WEIGHTED = "cost-weighted"
WAYS = (SORTAL, RAW, *TUNED, LIKELIEST, WEIGHTED, BEST)
EXAMPLE_TARGETS = ("Churn", "Partner", "Dependents", "PaperlessBilling", "Contract", "PaymentMethod")
TOLERANCE, FAST_TOLERANCE = 1, 2
"""Standard errors by which a mean over tables may be above its rival's; there are few tables in a fast run."""


@dataclass(frozen=True)
class Cell:
    """What each way to decide costs a row of one test: above the right decisions, as a share of what the cheapest
    constant one does.
    """

    table: str
    costs: str
    learner: str
    rows: int
    few: bool
    split: int
    relative_costs: dict[str, float]


def run(options: Options) -> Outcome:
    notes: list[str] = []
    if options.fast:
        cases = example_cases()
    elif options.data is not None:
        cases = folder_cases(options.data, notes)
    else:
        sys.exit("which tables? give --data FOLDER, or --fast")
    reps = options.reps if options.reps > 1 else FAST_REPETITIONS if options.fast else REPETITIONS
    cells: list[Cell] = []
    for table in cases:
        cells += measure(table, learners(), reps, notes)
        print(f"{table[0]}: done", file=sys.stderr)
    if not cells:
        no_table("to decide on")
    return outcome(cells, notes, FAST_TOLERANCE if options.fast else TOLERANCE)


Case = tuple[str, Development, Task]


def example_cases() -> Iterator[Case]:
    """Columns of the example as targets of their own."""
    churn = pl.read_csv(EXAMPLE, infer_schema=False).sample(FAST_ROWS, seed=0)
    for target in EXAMPLE_TARGETS:
        result = case(f"example, {target}", churn, target)
        assert not isinstance(result, str)
        yield result


def folder_cases(folder: Path, notes: list[str]) -> Iterator[Case]:
    """The tables of a folder, by name."""
    for file in table_files(folder):
        result = file.unusable or case(file.name, file.frame(), file.target)
        if isinstance(result, str):
            notes.append(f"left out: {file.name}: {result}")
        else:
            yield result


def case(name: str, frame: pl.DataFrame, target: str) -> Case | str:
    """Some thousand rows of a table, of classes that have enough of them; or why it cannot be used."""
    frame = frame.drop_nulls(target)
    frame = frame.sample(min(len(frame), ROWS), shuffle=True, seed=0)
    counts = frame[target].value_counts()
    common = counts.filter(pl.col("count") * (1 - TEST_SHARE) >= FEWEST)[target]
    if len(common) < 2:
        return f"fewer than two classes with {FEWEST} rows to train on"
    try:
        problem = frame_problem(frame.filter(pl.col(target).is_in(common.implode())), GoalOptions(target), RowOptions())
    except SortalError as error:
        return str(error)
    dev = Development(problem.table, problem.codes, problem.task.classes, seed=0, resources=Resources(threads=1))
    return name, dev, problem.task


def learners() -> tuple[Candidate, ...]:
    return tuple(Candidate(name, registry.load("sortal.models", name), settings) for name, settings in LEARNERS.items())


def measure(case: Case, learners: Sequence[Candidate], reps: int, notes: list[str]) -> Iterator[Cell]:
    """All costs, learners and sizes of ``reps`` splits of a table."""
    name, dev, task = case
    splits = StratifiedShuffleSplit(reps, test_size=TEST_SHARE, random_state=0).split(dev.codes, dev.codes)
    for i, (train, test) in enumerate(splits):
        for few, rows in ((False, train), *((True, r) for r in small(train, dev.codes[train]))):
            for learner in learners:
                arm = Arm(Models(dev, learner), rows, test)
                for costs, priced in priced_tasks(task, i):
                    try:
                        decided = dict(decisions(arm, priced))
                    except NothingToTune as why:
                        notes.append(f"left out: {name}, {learner.name}, {len(rows)} rows, split {i}, {costs}: {why}")
                        continue
                    yield Cell(name, costs, learner.name, len(rows), few, i, relative_costs(priced, arm.truth, decided))


def small(train: Index, codes: Index) -> Iterator[Index]:
    """Few of the training rows, where there are many and each class keeps enough."""
    if len(train) < 2 * FEW:
        return
    few, _ = next(StratifiedShuffleSplit(1, train_size=FEW, random_state=0).split(codes, codes))
    if np.unique(codes[few], return_counts=True)[1].min() >= FEWEST and len(np.unique(codes[few])) == codes.max() + 1:
        yield train[np.sort(few)]


def priced_tasks(task: Task, split: int) -> Iterator[tuple[str, Task]]:
    if task.positive is None:
        yield DRAWN, replace(task, goal="cost", cost=random_costs(len(task.classes), split))
        return
    for costs in BINARY:
        yield costs, replace(task, goal="cost", cost=parse_cost(costs, task.classes, task.positive))


def random_costs(k: int, seed: int) -> tuple[tuple[float, ...], ...]:
    """Log-normal costs of errors, so that some are many times those of others; a benefit of up to 1 for being right."""
    rng = np.random.default_rng([k, seed])
    matrix = rng.lognormal(sigma=1.5, size=(k, k))
    matrix[np.diag_indices(k)] = -rng.random(k)
    return tuple(map(tuple, matrix.tolist()))


def decisions(arm: Arm, task: Task) -> Iterator[tuple[str, Index]]:
    """What each way decides on the test, as class codes. Raises NothingToTune where the rival gives up."""
    evidence, calibrated = arm.calibrated
    yield SORTAL, decide(task, evidence).apply(calibrated.probability)
    yield RAW, decide(task, arm.out_of_fold[0]).apply(arm.tested.probability)
    yield LIKELIEST, Decision("argmax", task.classes).apply(arm.tested.probability)
    if task.positive is None:
        yield WEIGHTED, cost_weighted(arm, task)
        return
    for name, thresholds in TUNED.items():
        yield name, tuned(arm, task, thresholds)
    best = Decision("threshold", task.classes, task.positive, cost_threshold(task, arm.tested))
    yield BEST, best.apply(arm.tested.probability)


class NothingToTune(Exception):  # noqa: N818 - an answer, not an error
    """The rival takes no model whose predictions within a fold are all the same."""


def tuned(arm: Arm, task: Task, thresholds: int) -> Index:
    """By scikit-learn: the threshold with the least mean cost over five folds, and a refit on all training rows."""
    code, codes = task.positive_code, arm.models.dev.codes
    scorer = make_scorer(mean_cost(task), greater_is_better=False)
    model = TunedThresholdClassifierCV(Recalled(arm.models, code), scoring=scorer, thresholds=thresholds, cv=FOLDS)
    try:
        model.fit(arm.train[:, None], (codes[arm.train] == code).astype(np.int64))
    except ValueError as error:
        if "constant predictions" in str(error):
            raise NothingToTune(str(error)) from error
        raise
    return np.where(model.predict(arm.test[:, None]) == 1, code, 1 - code)


def mean_cost(task: Task) -> Callable[[Index, Index], float]:
    """For scikit-learn: of true and decided, 1 (positive) or 0."""
    order = [1 - task.positive_code, task.positive_code]
    costs = task.costs()[np.ix_(order, order)]
    return lambda truth, decided: float(incurred(costs, truth, decided).mean())


def cost_weighted(arm: Arm, task: Task) -> Index:
    """The most probable class by a model whose rows weigh as much as errors about their class cost on average."""
    dev, candidate, costs = arm.models.dev, arm.models.candidate, task.costs()
    weight = (costs - np.diag(costs)[:, None]).sum(axis=1)
    prepared = prepare_rows(dev, arm.train, candidate.family.view)
    rows = Rows(prepared.X, prepared.y, (weight / weight.mean())[prepared.y])
    request = FitRequest(
        rows, len(dev.classes), seed=dev.seed, categorical=prepared.preprocessor.categorical, resources=dev.resources
    )
    model = candidate.family.fit(request, candidate.settings)
    return np.asarray(model.predict_proba(prepared.preprocessor.transform(dev.table.take(arm.test))).argmax(axis=1))


def relative_costs(task: Task, truth: Index, decided: dict[str, Index]) -> dict[str, float]:
    """Mean cost a row above that of the right decisions, divided by that of the cheapest constant decision."""
    costs = task.costs()
    perfect = incurred(costs, truth, costs.argmin(axis=1)[truth]).mean()
    constant = costs[truth].mean(axis=0).min() - perfect
    return {way: float((incurred(costs, truth, d).mean() - perfect) / constant) for way, d in decided.items()}


@dataclass(frozen=True)
class Comparison:
    """sortal beside its rival, as means of ``tables``. ``relative_costs``: by way. ``difference``: sortal less
    the rival.

    ``error``: the standard error of the difference. Of one table, splits vary and overlap (Nadeau & Bengio 2003); of
    more, tables do.
    """

    tables: tuple[str, ...]
    costs: str
    rival: str
    relative_costs: dict[str, float]
    difference: Interval
    error: float = float("nan")

    @property
    def verdict(self) -> str:
        return "won" if self.difference.high < 0 else "lost" if self.difference.low > 0 else "tied"


def rival_of(cells: Sequence[Cell], costs: str) -> str:
    """What sortal has to beat: the setting of scikit-learn's that costs less on these very tests, or the most probable
    class.
    """
    if costs == DRAWN:
        return LIKELIEST
    means = over_tables(cells, costs, SORTAL).relative_costs
    return min(TUNED, key=means.__getitem__)


def on_table(cells: Sequence[Cell], costs: str, rival: str) -> Comparison:
    """Cells of one table, averaged over learners and sizes, paired by split."""
    mine = [c for c in cells if c.costs == costs]
    splits = [[c for c in mine if c.split == split] for split in sorted({c.split for c in mine})]
    a, b = (
        [float(np.mean([c.relative_costs[way] for c in of_split])) for of_split in splits] for way in (SORTAL, rival)
    )
    means = {
        way: float(np.mean([c.relative_costs[way] for c in mine])) for way in WAYS if way in mine[0].relative_costs
    }
    return Comparison((mine[0].table,), costs, rival, means, corrected_t(a, b, 1 - TEST_SHARE)[0])


def each_table(cells: Sequence[Cell], costs: str, rival: str) -> list[Comparison]:
    tables = dict.fromkeys(c.table for c in cells if c.costs == costs)
    return [on_table([c for c in cells if c.table == table], costs, rival) for table in tables]


def over_tables(cells: Sequence[Cell], costs: str, rival: str) -> Comparison:
    """Means over tables, which are the units: their differences vary from one to the next."""
    by_table = each_table(cells, costs, rival)
    gaps = np.array([t.difference.value for t in by_table])
    around = folds_interval(gaps.tolist(), 1, 0)  # Student's t: tables have no rows in common
    means = {way: float(np.mean([t.relative_costs[way] for t in by_table])) for way in by_table[0].relative_costs}
    error = float(gaps.std(ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else float("nan")
    return Comparison(tuple(t for c in by_table for t in c.tables), costs, rival, means, around, error)


def outcome(cells: Sequence[Cell], notes: Sequence[str], tolerance: int = TOLERANCE) -> Outcome:
    kinds = [costs for costs in (*BINARY, DRAWN) if any(c.costs == costs for c in cells)]
    rivals = {costs: rival_of(cells, costs) for costs in kinds}
    tables = [table for costs in kinds for table in each_table(cells, costs, rivals[costs])]
    parts: dict[str, Callable[[Cell], bool]] = {
        "all": lambda c: True,
        **{name: lambda c, name=name: c.learner == name for name in LEARNERS},  # type: ignore[misc]
        f"{FEW} rows": lambda c: c.few,
        "all rows": lambda c: not c.few,
    }
    means: list[tuple[str, Comparison]] = []
    for costs in kinds:
        for name, belongs in parts.items():
            part = [c for c in cells if belongs(c) and c.costs == costs]
            if part:
                means.append((name, over_tables(part, costs, rivals[costs])))
    goals = [goal(m, [t for t in tables if t.costs == m.costs], tolerance) for name, m in means if name == "all"]
    return Outcome(
        title="cost of decisions on fresh rows, above the right ones, as a share of what the cheapest constant "
        "decision costs",
        columns=["table", "costs", *WAYS, "sortal less its rival", "95 %", ""],
        rows=[
            *([t.tables[0], *texts(t), t.verdict] for t in sorted(tables, key=lambda t: t.tables)),
            *([f"mean of {len(m.tables)} tables: {name}", *texts(m), ""] for name, m in means),
        ],
        goals=goals,
        notes=[
            f"every figure is a mean over splits ({1 - TEST_SHARE:.0%} train), over {' and '.join(LEARNERS)}, and over "
            f"all training rows and {FEW} of them where there are many; at most {ROWS:,} rows a table",
            "all ways but the cost-weighted training share their models: five folds and a refit",
            f"{', '.join(TUNED)}: TunedThresholdClassifierCV with 100 thresholds (its default) and 1,000; the rival is "
            "whichever costs less in the mean; 'best on test' is a bound that no one can know",
            "95 %: of one table over its splits, corrected for their overlap (Nadeau & Bengio); of means, over tables",
            *notes,
        ],
        figures=[figures("table", t) for t in tables] + [figures(name, m) for name, m in means],
    )


def goal(whole: Comparison, tables: Sequence[Comparison], tolerance: int) -> Goal:
    """The mean difference over tables is at most ``tolerance`` standard errors, which are known from two tables on."""
    count = {verdict: sum(t.verdict == verdict for t in tables) for verdict in ("won", "lost", "tied")}
    gap, about = whole.difference, "drawn costs of 3+ classes" if whole.costs == DRAWN else whole.costs
    figure = (
        f"{gap.value:+.4f} [{gap.low:+.4f} {gap.high:+.4f}], standard error {whole.error:.4f}: "
        f"{whole.relative_costs[SORTAL]:.4f} against {whole.relative_costs[whole.rival]:.4f}; of {len(tables)} tables "
        + ", ".join(f"{n} {verdict}" for verdict, n in count.items())
    )
    errors = f"{tolerance} standard error{'s' if tolerance > 1 else ''}"
    most = 0.0 if np.isnan(whole.error) else tolerance * whole.error
    return Goal(f"{about}: not above '{whole.rival}' by more than {errors} over tables", figure, gap.value <= most)


def texts(comparison: Comparison) -> list[str]:
    ways = (f"{comparison.relative_costs[way]:.4f}" if way in comparison.relative_costs else DASH for way in WAYS)
    gap = comparison.difference
    return [comparison.costs, *ways, f"{gap.value:+.4f}", f"[{gap.low:+.4f} {gap.high:+.4f}]"]


def figures(of: str, comparison: Comparison) -> dict[str, Any]:
    difference = comparison.difference if np.isfinite(comparison.difference.low) else None
    return {
        "of": of,
        "tables": list(comparison.tables),
        "costs": comparison.costs,
        "rival": comparison.rival,
        "paid": comparison.relative_costs,
        "difference": comparison.difference.value,
        "low": difference and difference.low,
        "high": difference and difference.high,
        "standard_error": comparison.error if np.isfinite(comparison.error) else None,
    }
