"""From what a run found to its record: every figure of ``run.json`` is taken from its source here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from sortal.artifact.card import Card, Data, Item, LedgerHead
from sortal.artifact.model import Model, Parity
from sortal.checks.audit import Audit
from sortal.core import registry
from sortal.core.arrays import Codes
from sortal.core.costs import incurred
from sortal.core.interval import Estimate, Interval
from sortal.core.predictions import Predictions
from sortal.core.sheets import RowOptions, SearchOptions
from sortal.core.slicing import with_strongest
from sortal.core.task import Task
from sortal.core.writing import level
from sortal.data.ledger import Seal
from sortal.data.problem import Problem
from sortal.decide.certificate import Certificate, about
from sortal.decide.policy import Decision
from sortal.decide.recalibration import recalibration_gain
from sortal.decide.set_figures import describe as describe_sets
from sortal.decide.sets import notes
from sortal.decide.threshold import alternatives, cost_threshold
from sortal.decide.threshold_interval import by_threshold_of_others, decide_apart, threshold_interval
from sortal.engine.program import Program
from sortal.engine.run import reads
from sortal.evaluate.decisions import confusion, rejected
from sortal.evaluate.figures import ClassScore, figures, per_class, share
from sortal.evaluate.intervals import strata_of
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import Metric
from sortal.evaluate.slices import COLUMNS, Slices
from sortal.evaluate.verification import COVERAGE, Level, Promises, Verification, verify
from sortal.record import parts
from sortal.record.describe import describe_columns, describe_ledger
from sortal.record.examples import describe_examples, item_columns
from sortal.record.expected_score import classes_reaching, metric_reaching, with_its_own_calibration
from sortal.record.facts import Facts, SavedModel
from sortal.record.prevalence import costs_at_shares
from sortal.record.rule import rule as words
from sortal.record.run import Outcome
from sortal.record.sealed_scores import OpenedTest
from sortal.record.search import baselines, imbalance, leaderboard, selection
from sortal.record.slices import describe_slices
from sortal.record.wording import count, count_of, number
from sortal.training.fit_log import FitLog
from sortal.training.imbalance import WORDS
from sortal.training.nested import Nested
from sortal.training.permutation import NOTHING_PERMUTED, Permuted
from sortal.training.trained import Trained
from sortal.version import __version__

CLOCKED = ("fit_seconds", "program_microseconds", "front", "file")
DETAILS = (
    *("columns", "split", "nested", "baselines", "selection", "calibration", "decision"),
    *("per_class", "confusion", "audit", "importance", "permutation"),
)
"""What the card of a model holds of the record for machines."""


@dataclass(frozen=True)
class Results:
    """What a run found, in the words of the rooms that found it. ``unsealed``: the problem on its development rows.

    ``data`` and ``split`` were described while all rows were at hand; here the sealed ones are not. ``promised``: the
    figures of the rows that the decision was made on, as the model file had them before the test was opened.
    ``nested``: what stands in for the test. ``permuted``: what each column adds.
    """

    unsealed: Problem
    data: Data
    split: parts.Split
    seal: Seal | None
    audited: Audit
    trained: Trained
    promised: Mapping[str, Estimate]
    test: OpenedTest | None
    nested: Nested | None = None
    permuted: Permuted = NOTHING_PERMUTED


def assemble(results: Results, rows: RowOptions, search: SearchOptions) -> Outcome:
    """The record, but for what is known only when the model is filed."""
    trained, task, opened = results.trained, results.unsealed.task, results.test
    finalized, folds = trained.finalized, trained.developed.folds
    apart = decide_apart(task, finalized.unseen, finalized.decision, search.seed)
    predictions, decided = _predictions(results, apart)
    sets = _sets(trained, finalized.evidence if opened is None else opened.predictions)
    removable = recalibration_gain(predictions, seed=search.seed)
    choice = selection(trained, task)
    test, verification = (None, None) if opened is None else _tested(results, opened, sets, search.seed)
    return Outcome(
        sortal_version=__version__,
        seed=search.seed,
        data=results.data,
        columns=describe_columns(results.unsealed.table.schema, rows),
        task=task,
        audit=results.audited.findings,
        audit_skipped=results.audited.skipped,
        split=replace(results.split, folds=folds.per_repeat, repeats=folds.repeats),
        baselines=baselines(trained, task, opened),
        leaderboard=leaderboard(trained, task, choice.corrected),
        selection=choice,
        imbalance=imbalance(trained),
        calibration=replace(finalized.calibration.result, removable=Estimate.of(removable)),
        decision=_decision(results, apart, search.seed),
        sets=sets,
        test=test,
        verification=verification,
        nested=_nested(results, apart, search.seed),
        confusion=parts.Confusion(
            predictions.part, task.classes, tuple(map(tuple, confusion(task, predictions.truth, decided).tolist()))
        ),
        per_class=_per_class(results, predictions, decided, apart),
        slices=_slices(results, predictions, decided, rows, search.seed),
        importance=_importance(trained),
        permutation=_permutation(results.permuted),
        examples=_examples(results, apart, rows),
        ledger=describe_ledger(results.seal),
    )


def _predictions(results: Results, apart: Codes) -> tuple[Predictions, Codes]:
    """What single classes and the confusion are shown of, and what was decided: the test, or what stands in for it.

    ``apart``: what is decided of the evidence, by thresholds and calibrators that the rows had no say in.
    """
    finalized = results.trained.finalized
    if results.test is not None:
        return results.test.predictions, finalized.decision.decide(results.test.predictions)
    if results.nested is not None:
        return results.nested.predictions, results.nested.decided
    return finalized.unseen, apart


def _slices(results: Results, predictions: Predictions, decided: Codes, rows: RowOptions, seed: int) -> Slices | None:
    """Of what single classes are shown of, by the columns that the model leans on most and by those asked for."""
    unsealed, opened = results.unsealed, results.test
    schema, weights = unsealed.table.schema, results.trained.finalized.ensemble.importance
    ranked = [*sorted(weights, key=lambda name: -weights[name]), *schema.names]
    by = with_strongest([schema[name] for name in rows.slice], schema, list(dict.fromkeys(ranked)), COLUMNS)
    # Development rows are in the order of their ids.
    raw = unsealed.raw[np.searchsorted(unsealed.table.rows, predictions.rows)] if opened is None else opened.raw
    return describe_slices(unsealed.task, predictions, decided, raw, by, rows.slice, rows.disclosure, seed)


def _nested(results: Results, apart: Codes, seed: int) -> parts.Nested | None:
    """The procedure's own figures, with intervals that reach as far as the model that ships may differ: it learned from
    more rows, and need not be of the kind that the outer folds chose. ``apart``: as of ``_predictions``.
    """
    nested, trained, task = results.nested, results.trained, results.unsealed.task
    if nested is None:
        return None
    measured = figures(task, nested.predictions, nested.decided, seed)
    of_chosen = figures(task, trained.finalized.unseen, apart, seed)
    estimates = {
        name: metric_reaching(figure, name, trained, task, of_chosen[name].value) for name, figure in measured.items()
    }
    if "ece" in estimates:
        estimates["ece"] = with_its_own_calibration(estimates["ece"], nested.predictions)
    return parts.Nested(nested.folds, nested.planned, len(nested.predictions), estimates)


def _per_class(results: Results, predictions: Predictions, decided: Codes, apart: Codes) -> tuple[ClassScore, ...]:
    """Of what is shown; out of fold and nested, it was measured on models of fewer rows than the one that ships."""
    trained, task = results.trained, results.unsealed.task
    scores = per_class(task, predictions.truth, decided, predictions.clusters, strata_of(predictions))
    if predictions.part not in ("out-of-fold", "nested"):
        return scores
    unseen = trained.finalized.unseen
    others = () if predictions is unseen else per_class(task, unseen.truth, apart)
    return classes_reaching(scores, trained, task, others)


def _tested(
    results: Results, opened: OpenedTest, sets: parts.Sets | None, seed: int
) -> tuple[dict[str, Estimate], Verification]:
    """The figures of the test, and how they bear out what was promised."""
    task, rule, test = results.unsealed.task, results.trained.finalized.decision, opened.predictions
    decided = rule.decide(test)
    measured = figures(task, test, decided, seed)
    levels = tuple(_levels(rule.certificate, sets, measured))
    promises = Promises(results.trained.finalized.evidence, results.promised, levels)
    return measured, verify(task, test, decided, measured, promises, opened.times, seed)


def _levels(
    certificate: Certificate | None, sets: parts.Sets | None, measured: Mapping[str, Estimate]
) -> Iterator[Level]:
    """What was asked for, beside what the test has of it."""
    for bound in certificate.bounds if certificate is not None else ():
        if bound.measure in measured:
            refused = certificate is None or not certificate.holds
            yield Level(bound.measure, bound.asked, measured[bound.measure], bound.measure == "fpr", refused)
    if sets is not None:
        yield Level(COVERAGE, sets.asked, sets.coverage)


def _sets(trained: Trained, predictions: Predictions) -> parts.Sets | None:
    """How prediction sets do on the test; on the rows that they were fitted on where it was not opened."""
    sets = trained.finalized.sets
    if sets is None:
        return None
    described = describe_sets(
        sets, predictions.probability, predictions.truth, predictions.classes, predictions.clusters
    )
    every = np.ones(len(predictions), dtype=np.bool_)
    of = {c.label: predictions.truth == code for code, c in enumerate(described.per_class)}
    return parts.Sets(
        method=sets.method,
        asked=sets.coverage,
        rows=sum(sets.rows),
        part=predictions.part,
        coverage=share(every, described.hit, predictions.clusters),
        mean_size=described.mean_size,
        singles=share(every, described.single, predictions.clusters),
        per_class=tuple(
            parts.ClassCoverage(
                c.label, share(of[c.label], of[c.label] & described.hit, predictions.clusters), c.neglected
            )
            for c in described.per_class
            if c.rows
        ),
        notes=(*notes(sets, predictions.classes), *_thinned(trained.finalized.evidence)),
    )


def _thinned(evidence: Predictions) -> Iterator[str]:
    if evidence.groups is not None:
        yield "one row of each group fitted them, as rows of a group vary together"


def _importance(trained: Trained) -> parts.Importance:
    """The columns of the table, the most important first."""
    ranked = sorted(trained.finalized.ensemble.importance.items(), key=lambda item: -item[1])
    return parts.Importance(
        "share of the model's splits' gain, or of its coefficients' size",
        tuple(parts.ColumnWeight(name, weight) for name, weight in ranked),
    )


def _examples(results: Results, apart: Codes, rows: RowOptions) -> parts.Examples | None:
    """Never of the test: who looks at its rows has seen them. ``apart``: as of ``_predictions``."""
    table, unseen = results.unsealed.table, results.trained.finalized.unseen
    if rows.private or not item_columns(table.schema):
        return None
    return describe_examples(unseen, apart, table.copies[np.searchsorted(table.rows, unseen.rows)])


def _permutation(permuted: Permuted) -> parts.Importance | None:
    """What the columns add, the most first; None where there was no time to measure it."""
    if not permuted.importance:
        return None
    return parts.Importance(
        f"log-loss lost where the column is shuffled, on {count_of(permuted.rows, 'row')} out of fold",
        tuple(parts.ColumnWeight(name, loss.value, loss.low, loss.high) for name, loss in permuted.importance.items()),
    )


def _decision(results: Results, decided: Codes, seed: int) -> parts.Decision:
    """``decided``: (n,) what is decided of the evidence, by thresholds and calibrators that the row had no say in."""
    finalized, task = results.trained.finalized, results.unsealed.task
    evidence, rule = finalized.unseen, finalized.decision
    cost: Metric = registry.load("sortal.metrics", "expected_cost")
    measure, compared = "expected_cost", {}
    if task.goal == "f1":
        measure, compared = "f1" if task.beta == 1 else "fbeta", _f_compared(task, evidence, decided)
    else:
        compared = {a.name: a.expected_cost for a in alternatives(task, evidence, rule)}
        if "tuned" in compared:
            compared["tuned"] = _tuned_cost(task, evidence, seed)
    right: Metric = registry.load("sortal.metrics", "accuracy")
    costs, out_of_fold = Estimate.of(interval(cost, task, evidence, decided, seed=seed)), evidence.part == "out-of-fold"
    threshold = threshold_interval(task, finalized.evidence, rule, seed)
    return parts.Decision(
        kind=task.goal,
        positive=task.positive,
        rule=words(rule),
        threshold=rule.threshold,
        threshold_interval=None if threshold is None else Estimate.of(threshold),
        expected_cost=metric_reaching(costs, "expected_cost", results.trained, task) if out_of_fold else costs,
        measure=measure,
        comparison=compared,
        certificate=rule.certificate,
        rejected=None if task.reject_cost is None else Estimate.of(rejected(task, decided, evidence.clusters)),
        decided_accuracy=None
        if task.reject_cost is None
        else Estimate.of(interval(right, task, evidence, decided, seed=seed)),
        at_shares=tuple(costs_at_shares(task, evidence, rule)),
        explanation=_why(task, rule, results.data.rows) + _elsewhere(threshold),
    )


def _why(task: Task, rule: Decision, table_rows: int) -> str:
    if (certificate := rule.certificate) is not None:
        outlook = certificate.outlook
        if outlook is None or outlook.rows is None or certificate.grouped:
            return certificate.explanation
        whole = about(table_rows * outlook.rows / certificate.rows)
        return f"{certificate.explanation} That is a table of about {count(whole)} rows."
    if task.goal == "f1":
        return (
            f"the largest F{level(task.beta)} on rows the model never saw; figures are of thresholds that their rows "
            "had no say in"
        )
    if task.goal == "capacity":
        return "as many as the capacity allows" + (", and none that costs more than it spares" if task.cost else "")
    return "follows from the costs" if task.cost else "no costs given: every error costs one"


def _elsewhere(threshold: Interval | None) -> str:
    """How sure a threshold is that the rows chose."""
    if threshold is None:
        return ""
    return (
        f"; other rows might have put the threshold anywhere from {number(threshold.low)} to {number(threshold.high)}"
    )


def _f_compared(task: Task, evidence: Predictions, codes: Codes) -> dict[str, float | None]:
    f1: Metric = registry.load("sortal.metrics", "f1" if task.beta == 1 else "fbeta")
    half = Decision("threshold", task.classes, task.positive, 0.5).apply(evidence.probability)
    always = np.full(len(evidence), task.positive_code)
    decided = {"chosen": codes, "at .5": half, f"always {task.positive}": always}
    return {n: f1.score(task, evidence, d) for n, d in decided.items()}


def _tuned_cost(task: Task, evidence: Predictions, seed: int) -> float:
    """What the threshold of least cost on these rows costs a row of others."""
    decided = by_threshold_of_others(task, evidence, lambda others: cost_threshold(task, others), seed)
    return float(incurred(task.costs(evidence.row_costs), evidence.truth, decided).mean())


def facts(results: Results, file: str, model: Model, parity: Parity, log: FitLog, sealed: NDArray[np.int64]) -> Facts:
    """What the checklist is judged on beyond the parts."""
    trained, finalized = results.trained, results.trained.finalized
    ensemble = trained.developed.choice.winner
    scored = trained.developed.explored.results
    ways = dict.fromkeys(member.candidate.balance for member in ensemble.results)
    balances = {s.candidate.balance for s in scored} - {*ways}
    others = [words for way, words in WORDS.items() if way in balances]
    return Facts(
        fits=log.fits,
        out_of_fold_rows=len(ensemble.predictions),
        sealed_rows_scored=int(np.isin(ensemble.predictions.rows, sealed).sum()),
        decision_part=finalized.evidence.part,
        decision_rows=len(finalized.evidence),
        sealed_rows_decided=int(np.isin(finalized.evidence.rows, sealed).sum()),
        refit_rows=finalized.ensemble.rows,
        no_refit=finalized.no_refit,
        imbalance=(" and ".join(WORDS[way] for way in ways), *others),
        ledger_intact=results.seal is None or len(results.seal.entries) > 0,
        saved=SavedModel(
            file=file,
            version=model.version,
            parity=parity,
            operations=tuple(_operations(model.program)),
            classes=model.task.classes,
            features=len(model.schema.features),
            profiled=len(model.profile),
            metrics=tuple(name for part in model.metrics.values() for name in part),
        ),
    )


def _operations(program: Program) -> Iterator[str]:
    """The ops of a program; before an average of members that read columns, those of each member."""
    for step in program.steps:
        if step.op == "average" and any(reads(step)):
            for member in step.steps:
                yield from _operations(member)
        yield step.op


def model_card(outcome: Outcome, checklist: tuple[Item, ...]) -> Card:
    """What the model file tells of the run that made it: the record without clocks, so that equal runs give equal
    bytes.
    """
    record, ledger, weights = msgspec.to_builtins(outcome, enc_hook=float), outcome.ledger, outcome.importance
    rows = [{k: v for k, v in row.items() if k not in CLOCKED} for row in record["leaderboard"]]
    return Card(
        seed=outcome.seed,
        data=outcome.data,
        chosen=outcome.selection.chosen,
        checklist=checklist,
        ledger=LedgerHead(ledger.opens, ledger.head, ledger.sealed),
        by_importance=() if weights is None else tuple(column.column for column in weights.columns),
        details={**{name: record[name] for name in DETAILS}, "leaderboard": rows},
    )
