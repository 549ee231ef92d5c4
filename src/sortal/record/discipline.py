"""The first half of the checklist: the discipline of a classification project. Each function judges one item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

from sortal.record.facts import Facts, Verdict, agreement
from sortal.record.parts import BaselineKind
from sortal.record.run import Outcome
from sortal.record.wording import (
    beside,
    costs,
    count,
    count_of,
    interval,
    level,
    listing,
    metric,
    number,
    percent,
    plain,
)
from sortal.training.finalize import NoRefit

NO_REFIT: Final[Mapping[NoRefit, str]] = {
    "time": "no time was left for a refit",
    "size": "a refit is larger than --max-size allows",
    "rows": "a refit would see hardly more",
}
LARGE_HOLDOUT = 10_000
"""From this many rows on, one holdout is as good as folds."""


def objective(outcome: Outcome, facts: Facts) -> Verdict:
    task, decision = outcome.task, outcome.decision
    other = {row.metric for row in outcome.leaderboard} - {task.metric}
    if other:
        return (
            False,
            f"candidates were compared by {listing(sorted(other))}, the task says {metric(task.metric)}",
        )
    if task.cost is not None:
        figure = f"expected cost {interval(decision.expected_cost)} per row out of fold"
        return decision.kind != "argmax", f"{costs(task)}; selected by {metric(task.metric)}; {figure}"
    goals = {
        "f1": f"F{level(task.beta)} of {plain(decision.positive)} is maximised",
        "promise": "a threshold that keeps a promise",
        "capacity": "the best rows that the capacity allows",
    }
    if decision.kind in goals:
        return True, f"no costs, but {goals[decision.kind]}; selected by {metric(task.metric)}"
    if task.imbalanced:
        return (
            False,
            "no costs were given, so missing a rare class costs no more than a false alarm: say --cost",
        )
    return (
        True,
        f"every error counts the same, between classes of similar size; selected by {metric(task.metric)}",
    )


def split(outcome: Outcome, facts: Facts) -> Verdict:
    split, predicted = outcome.split, facts.out_of_fold_rows
    unsealed = split.train + split.valid
    parts = f"{split.how}: {count(unsealed)} rows to develop on, {count(split.test)} sealed"
    if outcome.nested is not None:
        nested = outcome.nested
        text = f"{count(nested.rows)} of {count(unsealed)} rows predicted by a model that was made without them"
        return nested.folds == nested.planned, f"{split.how}, {nested.folds} of them run: {text}"
    if split.test == 0:
        return False, f"{parts}: there is no test"
    if split.folds < 2:
        return predicted >= LARGE_HOLDOUT, f"{parts}; compared on one holdout of {count_of(predicted, 'row')}"
    text = f"{count(predicted)} of {count(split.train)} rows out of fold"
    if split.forward:
        # Each fold is newer than what it is predicted from, and the oldest rows have nothing older.
        return predicted > 0, f"{parts}; {split.folds} folds forward in time: {text}"
    return predicted == split.train, f"{parts}; {split.folds} folds x {split.repeats}: {text}"


def pipeline(outcome: Outcome, facts: Facts) -> Verdict:
    if facts.saved is None:
        return False, "no model was saved"
    parity = facts.saved.parity
    steps = " > ".join(facts.saved.operations)
    holds = "table" in facts.saved.operations and parity.label_flips == 0
    return (
        holds,
        f"{steps} on {count_of(facts.saved.features, 'raw column')} in one file; {agreement(parity)}",
    )


def baselines(outcome: Outcome, facts: Facts) -> Verdict:
    row = outcome.chosen
    kinds = {baseline.kind for baseline in outcome.baselines}
    missing = [kind for kind in get_args(BaselineKind) if kind not in kinds]
    if missing or row is None:
        return False, f"not compared with a {' and a '.join(missing) or 'baseline: nothing was chosen'}"
    if row.baseline:
        return False, f"the chosen {plain(row.name)} is a baseline itself: nothing was clearly better"
    beaten = [b for b in outcome.baselines if b.beaten]
    others = [b for b in outcome.baselines if not b.beaten]
    parts = [
        f"{words} {'; '.join(f'{plain(b.name)} by {beside(b)}' for b in those)}"
        for words, those in (("not clearly better than", others), ("better than", beaten))
        if those
    ]
    return not others, f"{metric(outcome.task.metric)} {'; '.join(parts)}"


def imbalance(outcome: Outcome, facts: Facts) -> Verdict:
    task = outcome.task
    smallest = f"the smallest class has {percent(min(task.prevalence))}"
    if not task.imbalanced:
        return None, f"{smallest}: classes are of similar size"
    if not facts.imbalance:
        return False, f"{smallest}; no strategy was compared"
    way, *others = facts.imbalance
    ways = f"{way}, compared with {listing(others)}" if others else way
    if (rare := outcome.imbalance) is not None:
        clearly = "better" if rare.gain.low is not None and rare.gain.low > 0 else "not clearly better"
        better = f"{plain(rare.candidate)} {clearly} than {plain(rare.rival)} by {interval(rare.gain, extra=1)}"
        ways = f"{ways} ({better} {metric(rare.metric)})"
    rule = {
        "cost": "by cost",
        "f1": "at the best F1",
        "promise": "at the threshold that was tested",
        "capacity": "within the capacity",
        "argmax": "for the most probable class",
    }[outcome.decision.kind]
    return bool(others) or outcome.decision.kind != "argmax", f"{smallest}; {ways}; decided {rule}"


def selection(outcome: Outcome, facts: Facts) -> Verdict:
    n = len(outcome.leaderboard)
    evidence = (
        f"{count_of(n, 'candidate')} compared on {count_of(facts.out_of_fold_rows, 'out-of-fold row')}, "
        f"{count(facts.sealed_rows_scored)} of them sealed"
    )
    return n > 0 and facts.out_of_fold_rows > 0 and facts.sealed_rows_scored == 0, evidence


def threshold(outcome: Outcome, facts: Facts) -> Verdict:
    decision = outcome.decision
    if decision.kind == "argmax":
        return None, "no threshold: the most probable class is taken"
    rule = decision.rule
    rows, sealed = count_of(facts.decision_rows, facts.decision_part + " row"), facts.sealed_rows_decided
    holds = facts.decision_part != "test" and facts.decision_rows > 0 and sealed == 0
    return holds, f"{rule}, judged on {rows}, {count(sealed)} of them sealed"


def promise(outcome: Outcome, facts: Facts) -> Verdict:
    certificate = outcome.decision.certificate
    if certificate is None:
        return None, "nothing was promised"
    return certificate.holds, certificate.explanation


def refit(outcome: Outcome, facts: Facts) -> Verdict:
    calibration, unsealed = outcome.calibration, outcome.split.train + outcome.split.valid
    before, after = calibration.log_loss_before, calibration.log_loss_after
    promises = outcome.task.promises
    if facts.no_refit is None:
        refit = f"refit on {count(facts.refit_rows)} of {count(unsealed)} rows"
    else:
        why = NO_REFIT[facts.no_refit]
        refit = f"the model of the first fold, trained on {count(facts.refit_rows)} of {count(unsealed)} rows: {why}"
    if promises and facts.no_refit is None:
        refit = f"the tested model itself, trained on {count_of(facts.refit_rows, 'row')}"
    if before is None:
        return False, f"{refit}; calibration was not examined"
    change = f"log-loss {number(before, 4)}" + ("" if after is None else f" → {number(after, 4)}")
    helped = calibration.method == "none" or (after is not None and after <= before)
    whole = promises or facts.no_refit == "rows" or (facts.no_refit is None and facts.refit_rows == unsealed)
    return whole and helped, f"{refit}; calibration {calibration.method}, {change}"


def saved(outcome: Outcome, facts: Facts) -> Verdict:
    saved = facts.saved
    if saved is None:
        return False, "no model was saved"
    steps, metrics = count_of(len(saved.operations), "step"), count_of(len(saved.metrics), "metric")
    inside = f"{steps}, {metrics}, version {saved.version or 'unknown'}"
    holds = bool(saved.operations and saved.metrics) and saved.version == outcome.sortal_version
    return holds, f"read back from {saved.file}: {inside}"


def monitoring(outcome: Outcome, facts: Facts) -> Verdict:
    if facts.saved is None:
        return False, "no model was saved"
    saved = facts.saved
    columns = f"{saved.profiled} of {count_of(saved.features, 'column')}"
    return 0 < saved.features == saved.profiled, f"schema and training profile of {columns} in the model file"
