"""From what a run found to its record: every figure of ``run.json`` is taken from its source here, and nowhere else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

import sortal
from sortal.artifact.model import Model
from sortal.core import registry
from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.core.recipe import Recipe
from sortal.core.schema import Column, Schema
from sortal.core.task import Task
from sortal.data.audit import Audit, Finding, Skipped
from sortal.data.ledger import Seal
from sortal.data.problem import Problem
from sortal.data.split import Parts
from sortal.decide.calibrate import Calibration, entries, recalibration_gain
from sortal.decide.policy import Decision
from sortal.decide.sets import describe as describe_sets
from sortal.decide.sets import notes
from sortal.decide.threshold import alternatives, decide
from sortal.evaluate.intervals import Rates, interval, rates_interval
from sortal.evaluate.metrics import Metric, confusion, metrics_for, per_class, rejected
from sortal.report import record
from sortal.report.checklist import Facts, Saved
from sortal.report.notation import count, level, number, percent, spread
from sortal.report.notation import metric as title
from sortal.report.record import Estimate, RunRecord
from sortal.report.rule import rule as words
from sortal.report.trial import Promises, trial
from sortal.training.balancing import balancing
from sortal.training.candidate import Witness
from sortal.training.crossval import Scored
from sortal.training.imbalance import TOLD
from sortal.training.select import gap, unflattered
from sortal.training.trained import Trained

CLOCKED = ("fit_seconds", "row_microseconds")


@dataclass(frozen=True)
class Results:
    """What a run found, in the words of the rooms that found it. ``dev``: the problem on its development rows.

    ``data`` and ``split`` were described while all rows were at hand; here the sealed ones are not. ``promised``: the figures of
    the rows that the decision was made on, as the model file had them before the test was opened.
    """

    dev: Problem
    data: record.Data
    split: record.Split
    seal: Seal | None
    audited: Audit
    trained: Trained
    promised: Mapping[str, Estimate]
    test: Predictions | None


def describe_data(problem: Problem) -> record.Data:
    """What was read."""
    return record.Data(
        problem.name, len(problem.table), len(problem.table.schema.columns), problem.digest, problem.notes
    )


def describe_columns(schema: Schema, recipe: Recipe) -> tuple[Column, ...]:
    """The columns; privately without the texts that mean yes and no, which only the model has to know."""
    return tuple(replace(c, levels=()) for c in schema.columns) if recipe.private else schema.columns


def describe_split(problem: Problem, parts: Parts, recipe: Recipe) -> record.Split:
    """How the rows were parted; the folds are not known yet."""
    k = len(problem.task.classes)
    named = {"train": parts.dev, "valid": parts.valid, "test": parts.test}
    shares = {
        name: tuple((np.bincount(problem.codes[rows], minlength=k) / len(rows)).tolist())
        for name, rows in named.items()
        if len(rows)
    }
    return record.Split(
        method=parts.method,
        train=len(parts.dev),
        valid=len(parts.valid),
        test=len(parts.test),
        column=recipe.time or recipe.group,
        forward=recipe.time is not None,
        prevalence=shares,
        notes=parts.notes,
    )


def assemble(results: Results, recipe: Recipe, timing: record.Timing) -> RunRecord:
    """The record without its checklist, which is judged on the record."""
    trained, task = results.trained, results.dev.task
    finalized, folds = trained.finalized, trained.developed.folds
    shown = results.test or finalized.evidence
    decided = finalized.decision.decide(shown)
    scored = trained.developed.explored.scored
    sets = _sets(trained, results.test)
    test, judged = (None, None) if results.test is None else _tested(results, results.test, sets, recipe.seed)
    return RunRecord(
        sortal_version=sortal.__version__,
        seed=recipe.seed,
        data=results.data,
        columns=describe_columns(results.dev.table.schema, recipe),
        task=task,
        audit=describe_findings(results.audited.findings),
        audit_skipped=describe_skipped(results.audited.skipped),
        split=replace(results.split, folds=folds.per_repeat, repeats=folds.repeats),
        baselines=tuple(_baseline(s, trained) for s in scored if s.candidate.baseline),
        leaderboard=leaderboard(trained, task),
        selection=_selection(trained, task),
        imbalance=_imbalance(trained),
        calibration=_calibration(finalized.calibration, shown, recipe.seed, entries(recipe.budget) // 2),
        decision=_decision(trained, task, recipe.seed),
        sets=sets,
        test=test,
        trial=judged,
        confusion=record.Confusion(
            shown.part, task.classes, tuple(map(tuple, confusion(task, shown.truth, decided).tolist()))
        ),
        per_class=_per_class(task, shown, decided),
        importance=_importance(trained),
        timing=timing,
        ledger=describe_ledger(results.seal),
    )


def _tested(
    results: Results, test: Predictions, sets: record.Sets | None, seed: int
) -> tuple[dict[str, Estimate], record.Trial]:
    """The figures of the test, and how they bear out what was promised."""
    task, rule = results.dev.task, results.trained.finalized.decision
    found = figures(task, test, rule, seed)
    decided = rule.apply(test.probability, test.amounts)
    promises = Promises(results.trained.finalized.evidence, results.promised, rule.certificate)
    return found, trial(task, test, decided, found, promises, sets)


def _per_class(task: Task, shown: Predictions, decided: NDArray[np.int64]) -> tuple[record.ClassFigures, ...]:
    return tuple(
        record.ClassFigures(
            label=c.label,
            support=c.support,
            precision=Estimate.of(c.precision),
            recall=Estimate.of(c.recall),
            f1=c.f1,
            rejected=None if task.reject_cost is None else Estimate.of(c.rejected),
        )
        for c in per_class(task, shown.truth, decided, shown.clusters)
    )


def describe_skipped(skipped: Sequence[Skipped]) -> tuple[record.Unchecked, ...]:
    """What the audit did not look for, and why."""
    return tuple(record.Unchecked(skip.code, skip.title, skip.reason, skip.blind) for skip in skipped)


def describe_findings(findings: Sequence[Finding]) -> tuple[record.Finding, ...]:
    """What the audit found."""
    return tuple(
        record.Finding(f.code, f.severity, f.column, f.message, f.evidence, f.fix, f.suspects) for f in findings
    )


def figures(task: Task, predictions: Predictions, decision: Decision, seed: int) -> dict[str, Estimate]:
    """Every metric of these rows with its interval, headline figures first."""
    decided = decision.decide(predictions)
    metrics = {m.name: m for m in metrics_for(task) if _asked(m.name, task)}
    order = dict.fromkeys(name for name in (*task.headline, *metrics) if name in metrics)
    return {name: Estimate.of(interval(metrics[name], task, predictions, decided, seed=seed)) for name in order}


def _asked(name: str, task: Task) -> bool:
    """Costs without costs and F-beta without a beta say nothing that another metric does not."""
    return (task.cost is not None or name != "expected_cost") and (task.beta != 1 or name != "fbeta")


def leaderboard(trained: Trained, task: Task) -> tuple[record.Row, ...]:
    """The candidates, best first."""
    explored, choice = trained.developed.explored, trained.developed.choice
    sign = -1.0 if choice.metric.higher_is_better else 1.0
    ranked = sorted(explored.scored, key=lambda s: sign * float(np.mean(s.fold_scores[choice.metric.name])))
    return tuple(_row(s, trained, task) for s in ranked)


def _row(scored: Scored, trained: Trained, task: Task) -> record.Row:
    choice, folds = trained.developed.choice, trained.developed.folds
    scores = scored.fold_scores[choice.metric.name]
    around = Estimate.of(_spread(scored, trained, task))
    return record.Row(
        name=scored.candidate.name,
        family=scored.candidate.family.name,
        metric=choice.metric.name,
        mean=around.value,
        std=_std(scores),
        low=around.low,
        high=around.high,
        fit_seconds=scored.fit_seconds * len(folds.parts),
        row_microseconds=1e6 * scored.single_row_seconds,
        selected=scored is choice.chosen,
        baseline=scored.candidate.baseline,
        metrics={n: record.Spread(float(np.mean(s)), _std(s)) for n, s in scored.fold_scores.items()},
        note="; ".join(_notes(scored, trained)),
    )


def _notes(scored: Scored, trained: Trained) -> Iterator[str]:
    """What is special about a candidate."""
    if scored in trained.developed.choice.tied:
        yield "tie with the best"
    if scored.rows is not None:
        yield f"on a sample of {count(scored.rows)} rows"


def _spread(scored: Scored, trained: Trained, task: Task) -> Interval:
    """The mean over folds, and around it what other rows could have made of it.

    By all rows that were predicted out of fold, not by the spread between folds: those are stratified, each has the same shares of the
    classes, and what fresh rows vary by most would be left out.
    """
    metric, told = trained.developed.choice.metric, scored.predictions
    by_rows = interval(metric, task, told, decide(task, told).decide(told))
    mean = float(np.mean(scored.fold_scores[metric.name]))
    moved = mean - by_rows.value
    return metric.within(Interval(mean, by_rows.low + moved, by_rows.high + moved))


def _std(scores: np.ndarray) -> float | None:
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else None


def _baseline(scored: Scored, trained: Trained) -> record.Baseline:
    choice = trained.developed.choice
    name, groups = choice.metric.name, trained.dev.units_of(scored.predictions)
    margin = None if scored is choice.chosen else Estimate.of(gap(scored, choice.chosen, choice.metric, groups))
    return record.Baseline(
        scored.candidate.name,
        scored.candidate.family.name,
        name,
        float(np.mean(scored.fold_scores[name])),
        margin,
    )


def _selection(trained: Trained, task: Task) -> record.Selection:
    choice = trained.developed.choice
    chosen, best = choice.chosen.candidate.name, choice.best.candidate.name
    if choice.chosen is choice.best:
        explanation = f"{chosen} is best on {title(choice.metric.name)}"
    else:
        behind = gap(choice.chosen, choice.best, choice.metric, trained.dev.units_of(choice.chosen.predictions))
        explanation = (
            f"{chosen} cannot be told apart from {best} "
            f"({title(choice.metric.name)} {number(behind.value, 4)} behind, within one standard error) and is {choice.reason}"
        )
    return record.Selection(
        chosen=chosen,
        metric=choice.metric.name,
        uncorrected=Estimate.of(_spread(choice.chosen, trained, task)),
        corrected=Estimate.of(choice.metric.within(unflattered(_spread(choice.chosen, trained, task), choice.bias))),
        corrected_estimate=choice.corrected,
        bias=choice.bias,
        runner_up=choice.runner_up.candidate.name if choice.runner_up else None,
        p_value=choice.p_value,
        tied=tuple(s.candidate.name for s in choice.tied),
        explanation=explanation,
    )


def _imbalance(trained: Trained) -> record.Imbalance | None:
    choice = trained.developed.choice
    units = trained.dev.units_of(choice.chosen.predictions)
    found = balancing(trained.developed.explored.scored, choice.metric, units)
    if found is None:
        return None
    return record.Imbalance(
        candidate=found.winner.candidate,
        way=TOLD[found.winner.way],
        rival=found.rival.candidate,
        rival_way=TOLD[found.rival.way],
        metric=choice.metric.name,
        gain=Estimate.of(found.behind),
    )


def _sets(trained: Trained, test: Predictions | None) -> record.Sets | None:
    """How prediction sets do on the test; on the rows that they were fitted on where it was not opened."""
    sets = trained.finalized.sets
    if sets is None:
        return None
    shown = test or trained.finalized.evidence
    found = describe_sets(sets, shown.probability, shown.truth, shown.classes)
    every = np.ones(len(shown), dtype=np.bool_)
    of = {c.label: shown.truth == code for code, c in enumerate(found.per_class)}
    return record.Sets(
        method=sets.method,
        asked=sets.coverage,
        rows=sum(sets.rows),
        part=shown.part,
        coverage=_share(every, found.hit, shown),
        mean_size=found.mean_size,
        singles=_share(every, found.single, shown),
        per_class=tuple(
            record.ClassCoverage(c.label, _share(of[c.label], of[c.label] & found.hit, shown), c.neglected)
            for c in found.per_class
            if c.rows
        ),
        notes=(*notes(sets, shown.classes), *_thinned(trained.finalized.evidence)),
    )


def _share(rows: NDArray[np.bool_], hits: NDArray[np.bool_], shown: Predictions) -> Estimate:
    """The share of ``hits`` among some rows, both (n,) masks."""
    return Estimate.of(rates_interval(Rates([(rows, hits)]), shown.clusters))


def _thinned(evidence: Predictions) -> Iterator[str]:
    if evidence.groups is not None:
        yield "one row of each group fitted them, as rows of a group vary together"


def _importance(trained: Trained) -> record.Importance:
    """The model's own weights, summed over the prepared columns that come from one column of the table."""
    pipeline = trained.finalized.pipeline
    total: dict[str, float] = defaultdict(float)
    for source, weight in zip(pipeline.design.sources, pipeline.fitted.importance.tolist(), strict=True):
        total[source] += weight
    whole = sum(total.values()) or 1.0
    ranked = sorted(total.items(), key=lambda item: -item[1])
    return record.Importance(
        "share of the model's splits' gain, or of its coefficients' size",
        tuple(record.ColumnWeight(name, weight / whole) for name, weight in ranked),
    )


def _calibration(found: Calibration, shown: Predictions, seed: int, entries: int) -> record.Calibration:
    by = spread(abs(found.gain), found.standard_error, 4)
    if found.method != "none":
        explanation = f"lowers the cross-fitted log-loss by {by}"
        if len(found.weights) > 1:
            explanation += ": " + ", ".join(f"{name} {percent(w)}" for name, w in found.weights)
    elif found.candidate != "none":
        explanation = f"{found.candidate} would {'gain' if found.gain > 0 else 'lose'} {by}"
    else:
        explanation = "nothing lowers the cross-fitted log-loss"
    return record.Calibration(
        method=found.method,
        log_loss_before=found.log_loss_before,
        log_loss_after=found.log_loss_after,
        explanation=explanation,
        weights=dict(found.weights),
        removable=Estimate.of(recalibration_gain(shown, seed=seed, most=entries)),
    )


def _decision(trained: Trained, task: Task, seed: int) -> record.Decision:
    finalized = trained.finalized
    evidence, rule = finalized.evidence, finalized.decision
    decided = rule.decide(evidence)
    cost: Metric = registry.load("sortal.metrics", "expected_cost")
    measure, compared = "expected_cost", {}
    if task.goal == "f1":
        measure, compared = "f1" if task.beta == 1 else "fbeta", _f_compared(task, evidence, rule)
    else:
        compared = {a.name: a.expected_cost for a in alternatives(task, evidence, rule)}
    right: Metric = registry.load("sortal.metrics", "accuracy")
    return record.Decision(
        kind=task.goal,
        positive=task.positive,
        rule=words(rule),
        threshold=rule.threshold,
        expected_cost=Estimate.of(interval(cost, task, evidence, decided, seed=seed)),
        measure=measure,
        comparison=compared,
        certificate=rule.certificate,
        rejected=None if task.reject_cost is None else Estimate.of(rejected(task, decided, evidence.clusters)),
        decided_accuracy=None
        if task.reject_cost is None
        else Estimate.of(interval(right, task, evidence, decided, seed=seed)),
        explanation=_why(task, rule),
    )


def _why(task: Task, rule: Decision) -> str:
    if rule.certificate is not None:
        return rule.certificate.explanation
    if task.goal == "f1":
        return f"the largest F{level(task.beta)} on rows the model never saw"
    if task.goal == "capacity":
        return "as many as the capacity allows" + (", and none that costs more than it spares" if task.cost else "")
    return "follows from the costs" if task.cost else "no costs given: every error costs one"


def _f_compared(task: Task, evidence: Predictions, rule: Decision) -> dict[str, float | None]:
    f1: Metric = registry.load("sortal.metrics", "f1" if task.beta == 1 else "fbeta")
    rules = {"chosen": rule, "at .5": Decision("threshold", task.classes, task.positive, 0.5)}
    decided = {name: r.apply(evidence.probability) for name, r in rules.items()}
    decided[f"always {task.positive}"] = np.full(len(evidence), task.positive_code)
    return {n: f1.score(task, evidence, d) for n, d in decided.items()}


def facts(results: Results, model: Model, witness: Witness, sealed: NDArray[np.int64]) -> Facts:
    """What the checklist is judged on beyond the record."""
    trained, finalized = results.trained, results.trained.finalized
    chosen = trained.developed.choice.chosen
    scored = trained.developed.explored.scored
    tried = {s.candidate.balance for s in scored} - {chosen.candidate.balance}
    others = [told for way, told in TOLD.items() if way in tried]
    return Facts(
        fits=witness.fits,
        foreign_rows=witness.foreign,
        out_of_fold_rows=len(chosen.predictions),
        sealed_rows_scored=int(np.isin(chosen.predictions.rows, sealed).sum()),
        decision_part=finalized.evidence.part,
        decision_rows=len(finalized.evidence),
        sealed_rows_decided=int(np.isin(finalized.evidence.rows, sealed).sum()),
        refit_rows=finalized.refit_rows,
        refit=finalized.refit,
        worth_refit=finalized.worth_refit,
        imbalance=(TOLD[chosen.candidate.balance], *others),
        ledger_intact=results.seal is None or len(results.seal.entries) > 0,
        saved=Saved(
            version=model.version,
            operations=tuple(step.op for step in model.program.steps),
            classes=model.task.classes,
            features=len(model.schema.features),
            profiled=len(model.profile),
            metrics=tuple(name for part in model.metrics.values() for name in part),
        ),
    )


def model_card(run: RunRecord) -> dict[str, Any]:
    """What the model file tells of the run that made it: the record without clocks, so that equal runs give equal bytes."""
    told = msgspec.to_builtins(run, enc_hook=float)
    kept = (
        "seed",
        "data",
        "columns",
        "split",
        "baselines",
        "selection",
        "calibration",
        "decision",
        "per_class",
        "confusion",
    )
    rows = [{k: v for k, v in row.items() if k not in CLOCKED} for row in told["leaderboard"]]
    ledger = {k: told["ledger"][k] for k in ("opens", "head", "sealed")}
    return {k: told[k] for k in (*kept, "audit", "importance", "checklist")} | {"leaderboard": rows, "ledger": ledger}


def leaderboard_table(run: RunRecord) -> pl.DataFrame:
    """``leaderboard.csv``."""
    return pl.DataFrame(
        [
            {k: v for k, v in asdict(row).items() if k != "metrics"}
            | {f"{name} mean": spread.mean for name, spread in row.metrics.items()}
            for row in run.leaderboard
        ]
    )


def predictions_table(predictions: Predictions) -> pl.DataFrame:
    """``oof.parquet``: rows of the source, counted from 1 as in messages, the true class, and a probability a class."""
    labels = np.array(predictions.classes)
    columns = {f"p {name}": predictions.probability[:, k] for k, name in enumerate(predictions.classes)}
    return pl.DataFrame({"row": predictions.rows + 1, "truth": labels[predictions.truth], **columns})


def describe_ledger(seal: Seal | None) -> record.Ledger:
    """The looks at the sealed rows."""
    if seal is None:
        return record.Ledger(opens=0, blind=True)
    first, *later = seal.entries
    looks = tuple(record.Opening(e.time, e.reason, e.rows, e.hash) for e in later)
    return record.Ledger(seal.opens, seal.blind, seal.head, first.sha256, looks)
