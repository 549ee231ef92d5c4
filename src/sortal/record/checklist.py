"""The checklist of a run: every item is judged from what the run counted, and shows its evidence.

The first eleven items are the discipline of a classification project, the others its common traps. An item
that does not hold says what to do. Nothing here is true by assertion: what a check of the audit would have to show, and could
not look for, is said to be so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sortal.core.predictions import Part
from sortal.report.notation import (
    costs,
    count,
    counted,
    interval,
    level,
    listing,
    metric,
    number,
    percent,
    plain,
    times,
    tiny,
)
from sortal.report.record import Artifact, Finding, Item, Parity, RunRecord, Status

SHARE_TOLERANCE = 0.005
"""A class share of a stratified part may differ by this much (or by two rows): rare classes, and duplicates
that must stay together, cannot be parted exactly."""
LARGE_HOLDOUT = 10_000
"""From this many rows on, one holdout is as good as folds."""
LINEAR_FAMILIES = ("logistic", "svm")
SHARED = ("A002", "A003", "A004", "A203", "A204", "A205", "A206")
"""Checks of the audit by which rows, groups or time could be on both sides of a split."""
OUTCOME = ("A101", "A102", "A103", "A104", "A105")
"""Those of columns that say what is known only after the outcome."""
PREPARED, ALIKE = ("A001", "A106"), ("A207",)
"""Those of rows or columns that a fit must not have seen, and of parts that should be alike."""


@dataclass(frozen=True)
class Saved:
    """What was read back from the model file.

    ``operations``: the ops of its program in the order in which they run. ``classes``: in its order.
    ``features``: how many columns it expects, ``profiled``: how many of them carry a profile of the
    training data. ``metrics``: the names of those in it.
    """

    version: str
    operations: tuple[str, ...]
    classes: tuple[str, ...]
    features: int
    profiled: int
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """What the run counted while it ran, beyond run.json.

    ``fits``: how often anything was fitted. ``foreign_rows``: rows that a fit saw and must not have seen:
    sealed ones, held-out ones, those that its fold is evaluated on. ``out_of_fold_rows``: rows with an
    out-of-fold prediction; ``sealed_rows_scored``: sealed ones among the rows that candidates were
    compared on. ``decision_part``, ``decision_rows``, ``sealed_rows_decided``: the rows that the decision
    rule was chosen on, and the sealed ones among them. ``refit_rows``: rows of the final fit; ``refit``: whether
    it is one of its own, and ``worth_refit``, whether that would see many more rows than a fold.
    ``imbalance``: what was compared against imbalance, the chosen way first. ``ledger_intact``: whether
    the ledger's hash chain was verified. ``saved``: None where no model was saved.
    """

    fits: int
    foreign_rows: int
    out_of_fold_rows: int
    sealed_rows_scored: int
    decision_part: Part
    decision_rows: int
    sealed_rows_decided: int
    refit_rows: int
    refit: bool
    worth_refit: bool
    imbalance: tuple[str, ...]
    ledger_intact: bool
    saved: Saved | None


SAID = 2
"""So many of the test's shortfalls are told in the checklist; the screen and the report begin with all of them."""
UNSEEN: Final = "not looked for"
Verdict = tuple[bool | Literal["not looked for"] | None, str]
"""Whether an item holds (None: it does not apply; or nobody looked), and the evidence."""
STATUS: Final[dict[bool | str | None, Status]] = {
    True: "holds",
    False: "fails",
    None: "not applicable",
    UNSEEN: "not looked for",
}


def checklist(record: RunRecord, facts: Facts) -> tuple[Item, ...]:
    """All items, judged from a record (its own ``checklist`` is not read) and from what the run counted.

    >>> [name for name, _ in ITEMS][3]
    'baselines beaten'
    """
    verdicts = [(name, *judge(record, facts)) for name, judge in ITEMS]
    return tuple(Item(name, STATUS[holds], evidence) for name, holds, evidence in verdicts)


def _objective(record: RunRecord, facts: Facts) -> Verdict:
    task, decision = record.task, record.decision
    other = {row.metric for row in record.leaderboard} - {task.metric}
    if other:
        return (
            False,
            f"candidates were compared by {listing(sorted(other))}, the task says {metric(task.metric)}",
        )
    if task.cost is not None:
        figure = f"expected cost {interval(decision.expected_cost)} per row out of fold"
        return decision.kind != "argmax", f"{costs(task)}; selected by {metric(task.metric)}; {figure}"
    told = {
        "f1": f"F{level(task.beta)} of {plain(decision.positive)} is maximised",
        "promise": "a threshold that keeps a promise",
        "capacity": "the best rows that the capacity allows",
    }
    if decision.kind in told:
        return True, f"no costs, but {told[decision.kind]}; selected by {metric(task.metric)}"
    if task.imbalanced:
        return (
            False,
            "no costs were given, so missing a rare class costs no more than a false alarm: say --cost",
        )
    return (
        True,
        f"every error counts the same, between classes of similar size; selected by {metric(task.metric)}",
    )


def _split(record: RunRecord, facts: Facts) -> Verdict:
    split, predicted = record.split, facts.out_of_fold_rows
    dev = split.train + split.valid
    parts = f"{split.how}: {count(dev)} rows to develop on, {count(split.test)} sealed"
    if split.test == 0:
        return False, f"{parts}: there is no test"
    if split.folds < 2:
        return predicted >= LARGE_HOLDOUT, f"{parts}; compared on one holdout of {counted(predicted, 'row')}"
    covered = f"{count(predicted)} of {count(split.train)} rows out of fold"
    if split.forward:
        # Each fold is newer than what it is predicted from, and the oldest rows have nothing older.
        return predicted > 0, f"{parts}; {split.folds} folds forward in time: {covered}"
    return predicted == split.train, f"{parts}; {split.folds} folds x {split.repeats}: {covered}"


def _pipeline(record: RunRecord, facts: Facts) -> Verdict:
    if facts.saved is None:
        return False, "no model was saved"
    parity = _parity(record.artifact)
    if parity is None:
        return False, "the saved model was not compared with the trained one"
    steps = " > ".join(facts.saved.operations)
    holds = "table" in facts.saved.operations and parity.label_flips == 0
    return (
        holds,
        f"{steps} on {counted(facts.saved.features, 'raw column')} in one file; {_agreement(parity)}",
    )


def _baselines(record: RunRecord, facts: Facts) -> Verdict:
    chosen = record.chosen
    families = {baseline.family for baseline in record.baselines}
    missing = [
        thing
        for thing, there in (
            ("majority class", "majority" in families),
            ("linear model", not families.isdisjoint(LINEAR_FAMILIES)),
        )
        if not there
    ]
    if missing or chosen is None:
        return False, f"not compared with a {' and a '.join(missing) or 'baseline: nothing was chosen'}"
    if chosen.baseline:
        return False, f"the chosen {plain(chosen.name)} is a baseline itself: nothing was clearly better"
    beaten = [b for b in record.baselines if b.margin is not None and b.margin.low is not None and b.margin.low > 0]
    others = [b for b in record.baselines if b not in beaten]
    parts = [
        f"{words} {'; '.join(f'{plain(b.name)} by {interval(b.margin, extra=1)}' for b in those)}"
        for words, those in (("not clearly better than", others), ("better than", beaten))
        if those
    ]
    return not others, f"{metric(record.task.metric)} {'; '.join(parts)}"


def _imbalance(record: RunRecord, facts: Facts) -> Verdict:
    task = record.task
    smallest = f"the smallest class has {percent(min(task.prevalence))}"
    if not task.imbalanced:
        return None, f"{smallest}: classes are of similar size"
    if not facts.imbalance:
        return False, f"{smallest}; no strategy was compared"
    chosen, *others = facts.imbalance
    ways = f"{chosen}, compared with {listing(others)}" if others else chosen
    if (rare := record.imbalance) is not None:
        clearly = "better" if rare.gain.low is not None and rare.gain.low > 0 else "not clearly better"
        better = f"{plain(rare.candidate)} {clearly} than {plain(rare.rival)} by {interval(rare.gain, extra=1)}"
        ways = f"{ways} ({better} {metric(rare.metric)})"
    rule = {
        "cost": "by cost",
        "f1": "at the best F1",
        "promise": "at the threshold that was tested",
        "capacity": "within the capacity",
        "argmax": "for the most probable class",
    }[record.decision.kind]
    return bool(others) or record.decision.kind != "argmax", f"{smallest}; {ways}; decided {rule}"


def _selection(record: RunRecord, facts: Facts) -> Verdict:
    n = len(record.leaderboard)
    evidence = (
        f"{counted(n, 'candidate')} compared on {counted(facts.out_of_fold_rows, 'out-of-fold row')}, "
        f"{count(facts.sealed_rows_scored)} of them sealed"
    )
    return n > 0 and facts.out_of_fold_rows > 0 and facts.sealed_rows_scored == 0, evidence


def _threshold(record: RunRecord, facts: Facts) -> Verdict:
    decision = record.decision
    if decision.kind == "argmax":
        return None, "no threshold: the most probable class is taken"
    rule = decision.rule
    rows, sealed = counted(facts.decision_rows, facts.decision_part + " row"), facts.sealed_rows_decided
    holds = facts.decision_part != "test" and facts.decision_rows > 0 and sealed == 0
    return holds, f"{rule}, judged on {rows}, {count(sealed)} of them sealed"


def _promise(record: RunRecord, facts: Facts) -> Verdict:
    certificate = record.decision.certificate
    if certificate is None:
        return None, "nothing was promised"
    return certificate.holds, certificate.explanation


def _refit(record: RunRecord, facts: Facts) -> Verdict:
    calibration, dev = record.calibration, record.split.train + record.split.valid
    before, after = calibration.log_loss_before, calibration.log_loss_after
    certified = record.task.promises
    if facts.refit:
        refit = f"refit on {count(facts.refit_rows)} of {count(dev)} rows"
    else:
        why = "no time was left for a refit" if facts.worth_refit else "a refit would see hardly more"
        refit = f"the model of the first fold, trained on {count(facts.refit_rows)} of {count(dev)} rows: {why}"
    if certified and facts.refit:
        refit = f"the tested model itself, trained on {counted(facts.refit_rows, 'row')}"
    if before is None:
        return False, f"{refit}; calibration was not examined"
    change = f"log-loss {number(before, 4)}" + ("" if after is None else f" → {number(after, 4)}")
    helped = calibration.method == "none" or (after is not None and after <= before)
    whole = certified or (facts.refit and facts.refit_rows == dev) or not facts.worth_refit
    return whole and helped, f"{refit}; calibration {calibration.method}, {change}"


def _saved(record: RunRecord, facts: Facts) -> Verdict:
    artifact, saved = record.artifact, facts.saved
    if artifact is None or saved is None:
        return False, "no model was saved"
    steps, metrics = counted(len(saved.operations), "step"), counted(len(saved.metrics), "metric")
    inside = f"{steps}, {metrics}, version {saved.version or 'unknown'}"
    holds = bool(saved.operations and saved.metrics) and saved.version == record.sortal_version
    return holds, f"read back from {artifact.file}: {inside}"


def _monitoring(record: RunRecord, facts: Facts) -> Verdict:
    if facts.saved is None:
        return False, "no model was saved"
    saved = facts.saved
    columns = f"{saved.profiled} of {counted(saved.features, 'column')}"
    return 0 < saved.features == saved.profiled, f"schema and training profile of {columns} in the model file"


def _train_only(record: RunRecord, facts: Facts) -> Verdict:
    # How many fits there were depends on what the clock let begin; the evidence goes into the model file, which does not.
    if facts.fits == 0:
        return False, "no fit was watched"
    seen = f"all fits together saw {counted(facts.foreign_rows, 'row')} that they should not have seen"
    if facts.foreign_rows > 0:
        return False, seen
    holds, why = _audited(record, PREPARED, "columns prepared on all rows before the split")
    return holds, f"{seen}; {why}"


def _stratified(record: RunRecord, facts: Facts) -> Verdict:
    split = record.split
    if split.column is not None:
        return None, f"the test is parted: {split.how}"
    if split.test == 0 or len(split.prevalence) < 2:
        return False, "class shares of the parts are not known"
    shares = list(split.prevalence.values())
    gap = max(max(share) - min(share) for share in zip(*shares, strict=True))
    holds = gap <= max(SHARE_TOLERANCE, 2 / min(n for n in (split.train, split.valid, split.test) if n))
    shown = f"class shares of {listing(list(split.prevalence))} differ by {'less than 0.1 %' if gap < 0.001 else f'at most {percent(gap)}'}"
    if not holds or not (told := _found(record, ALIKE)):
        return holds, shown
    return False, f"{shown}; {told}"


def _accuracy(record: RunRecord, facts: Facts) -> Verdict:
    task = record.task
    if not task.imbalanced:
        return None, f"the smallest class has {percent(min(task.prevalence))}"
    first = task.headline[0] if task.headline else task.metric
    trivial = f"always saying the largest class is right in {percent(max(task.prevalence))}"
    return "accuracy" not in (
        task.metric,
        first,
    ), f"{trivial}; headline {metric(first)}, selected by {metric(task.metric)}"


def _label_order(record: RunRecord, facts: Facts) -> Verdict:
    if facts.saved is None:
        return False, "no model was saved"
    parity, classes = _parity(record.artifact), record.task.classes
    order = listing([plain(c) for c in facts.saved.classes], most=4)
    tables = (facts.saved.classes, record.confusion.classes if record.confusion else classes)
    holds = all(found == classes for found in tables) and parity is not None and parity.label_flips == 0
    return (
        holds,
        f"in the model file: {order}; {_agreement(parity) if parity else 'labels were not compared'}",
    )


def _test_once(record: RunRecord, facts: Facts) -> Verdict:
    ledger = record.ledger
    chain = f"hash chain {'verified' if facts.ledger_intact else 'BROKEN'}"
    if ledger.opens == 0:
        return (None if facts.ledger_intact else False), f"not opened yet; {chain}"
    return (
        ledger.opens == 1 and ledger.blind and facts.ledger_intact,
        f"opened {times(ledger.opens)}; {chain}",
    )


def _as_promised(record: RunRecord, facts: Facts) -> Verdict:
    trial = record.trial
    if trial is None:
        return None, "the test was not opened"
    if trial.warnings:
        more = f"; and {len(trial.warnings) - SAID} more" if len(trial.warnings) > SAID else ""
        return False, "; ".join(trial.warnings[:SAID]) + more
    kept = [k for k in trial.promises if k.standing != "unknown"]
    if not kept:
        return UNSEEN, "no figure of the test has an interval, or none was promised"
    names = listing([metric(k.metric) for k in kept], most=6)
    beside = f"; the rule costs no more than {' or '.join(r.name for r in trial.rivals)}" if trial.rivals else ""
    doubts = f"; {'; '.join(doubts)}" if (doubts := [n for n in trial.notes if n.endswith("chance")]) else ""
    return True, f"{names} as promised, on {counted(trial.rows, 'row')}{beside}{doubts}"


def _apart(record: RunRecord, facts: Facts) -> Verdict:
    return _audited(record, SHARED, "rows, groups or time on both sides of the split")


def _no_future(record: RunRecord, facts: Facts) -> Verdict:
    holds, why = _audited(record, OUTCOME, "columns that tell the outcome")
    if holds is True:
        used = sum(column.role == "feature" for column in record.columns)
        return True, f"{why} among {counted(used, 'feature')}"
    return holds, f"{why}: if it is known only afterwards, --ignore it" if holds is False else why


def _sound(record: RunRecord, facts: Facts) -> Verdict:
    told = {*SHARED, *OUTCOME, *PREPARED, *ALIKE}
    severe = [f for f in record.audit if f.severity == "severe" and f.code not in told]
    if severe:
        return False, "; ".join(f"{f.code} {plain(f.message)}" for f in severe)
    others = [f for f in record.audit if f.code not in told]
    codes = f" ({_codes(others)})" if others else ""
    return True, f"{counted(len(others), 'other finding')}{codes}, none of them severe"


def _audited(record: RunRecord, codes: tuple[str, ...], what: str) -> Verdict:
    """What these checks of the audit say: a warning is no proof of the opposite, and a check that could not look proves nothing."""
    if told := _found(record, codes):
        return False, told
    blind = [skip for skip in record.audit_skipped if skip.code in codes and skip.blind]
    if blind:
        reasons = dict.fromkeys(skip.reason for skip in blind)
        return UNSEEN, f"{listing([skip.code for skip in blind])} did not look for {what} ({', '.join(reasons)})"
    notes = [f for f in record.audit if f.code in codes]
    return True, f"no {what}" + (f" but {counted(len(notes), 'note')} ({_codes(notes)})" if notes else "")


def _found(record: RunRecord, codes: tuple[str, ...]) -> str:
    """The severe findings and warnings of these checks, empty where there are none."""
    found = [f for f in record.audit if f.code in codes and f.severity != "note"]
    if any(f.column is None for f in found):
        return "; ".join(f"{f.code} {plain(f.message)}" for f in found)
    return listing(
        [f"{f.code} {listing([plain(name) for name in f.columns or (f.column,)], most=4)}" for f in found], most=6
    )


def _codes(findings: Sequence[Finding]) -> str:
    return ", ".join(dict.fromkeys(f.code for f in findings))


def _parity(artifact: Artifact | None) -> Parity | None:
    return artifact.parity if artifact else None


def _agreement(parity: Parity) -> str:
    difference = f"probabilities differ by at most {tiny(parity.max_difference)}"
    return f"on {counted(parity.rows, 'row')} {difference}, {counted(parity.label_flips, 'label')} changed"


ITEMS: tuple[tuple[str, Callable[[RunRecord, Facts], Verdict]], ...] = (
    ("objective and metric tied to cost", _objective),
    ("stratified split and proper cross-validation", _split),
    ("one pipeline with its preprocessing", _pipeline),
    ("baselines beaten", _baselines),
    ("imbalance strategy decided", _imbalance),
    ("hyperparameters by cross-validation, not on the test", _selection),
    ("threshold tuned off the test", _threshold),
    ("what was promised is certified", _promise),
    ("the test is as promised", _as_promised),
    ("refit and calibration", _refit),
    ("model, preprocessing, metrics and version saved", _saved),
    ("monitoring ready", _monitoring),
    ("everything fitted on training rows only", _train_only),
    ("parts are stratified", _stratified),
    ("no accuracy on skewed classes", _accuracy),
    ("label order kept", _label_order),
    ("test opened once", _test_once),
    ("parts share no rows, groups or time", _apart),
    ("no column known only after the outcome", _no_future),
    ("nothing else severe in the audit", _sound),
)
