"""From what a run found to its record: every figure of ``run.json`` is taken from its source here, and nowhere else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
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
from sortal.core.task import Task
from sortal.data.audit import Finding
from sortal.data.ledger import Seal
from sortal.data.problem import Problem
from sortal.data.split import Parts
from sortal.decide.policy import Decision
from sortal.decide.threshold import alternatives, decide
from sortal.evaluate.intervals import folds_interval, interval
from sortal.evaluate.metrics import Metric, confusion, metrics_for, per_class
from sortal.report import record
from sortal.report.checklist import Facts, Saved
from sortal.report.notation import metric as title
from sortal.report.notation import number
from sortal.report.record import Estimate, RunRecord
from sortal.training.candidate import Witness
from sortal.training.crossval import Scored
from sortal.training.select import Choice, gap
from sortal.training.trained import Trained

CLOCKED = ("fit_seconds", "row_microseconds")


@dataclass(frozen=True)
class Results:
    """What a run found, in the words of the rooms that found it. ``dev``: the problem on its development rows.

    ``data`` and ``split`` were described while all rows were at hand; here the sealed ones are not.
    """

    dev: Problem
    data: record.Data
    split: record.Split
    seal: Seal | None
    findings: Sequence[Finding]
    trained: Trained
    test: Predictions | None
    test_groups: NDArray[np.int64] | None


def describe_data(problem: Problem) -> record.Data:
    """What was read."""
    return record.Data(
        problem.name, len(problem.table), len(problem.table.schema.columns), problem.digest, problem.notes
    )


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
        prevalence=shares,
        notes=parts.notes,
    )


def assemble(results: Results, recipe: Recipe, timing: record.Timing) -> RunRecord:
    """The record without its checklist, which is judged on the record."""
    trained, task = results.trained, results.dev.task
    choice, finalized, folds = trained.developed.choice, trained.finalized, trained.developed.folds
    shown = results.test or finalized.evidence
    decided = finalized.decision.apply(shown.probability)
    scored = trained.developed.explored.scored
    return RunRecord(
        sortal_version=sortal.__version__,
        seed=recipe.seed,
        data=results.data,
        columns=results.dev.table.schema.columns,
        task=task,
        audit=describe_findings(results.findings),
        split=replace(results.split, folds=folds.per_repeat, repeats=folds.repeats),
        baselines=tuple(_baseline(s, choice) for s in scored if s.candidate.baseline),
        leaderboard=leaderboard(trained, task),
        selection=_selection(choice),
        calibration=_calibration(trained),
        decision=_decision(trained, task, recipe.seed),
        test=None
        if results.test is None
        else figures(task, results.test, finalized.decision, recipe.seed, results.test_groups),
        confusion=record.Confusion(
            shown.part, task.classes, tuple(map(tuple, confusion(task, shown.truth, decided).tolist()))
        ),
        per_class=tuple(
            record.ClassFigures(c.label, c.support, Estimate.of(c.precision), Estimate.of(c.recall), c.f1)
            for c in per_class(task, shown.truth, decided)
        ),
        importance=_importance(trained),
        timing=timing,
        ledger=describe_ledger(results.seal),
    )


def describe_findings(findings: Sequence[Finding]) -> tuple[record.Finding, ...]:
    """What the audit found."""
    return tuple(record.Finding(f.code, f.severity, f.column, f.message, f.evidence, f.fix) for f in findings)


def figures(
    task: Task, predictions: Predictions, decision: Decision, seed: int, groups: NDArray[np.int64] | None = None
) -> dict[str, Estimate]:
    """Every metric of these rows with its interval, headline figures first; ``groups`` of rows vary together."""
    decided = decision.apply(predictions.probability)
    metrics = {m.name: m for m in metrics_for(task) if task.cost is not None or m.name != "expected_cost"}
    order = dict.fromkeys(name for name in (*task.headline, *metrics) if name in metrics)
    return {
        name: Estimate.of(interval(metrics[name], task, predictions, decided, groups=groups, seed=seed))
        for name in order
    }


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
        note="tie with the best" if scored in choice.tied else "",
    )


def _spread(scored: Scored, trained: Trained, task: Task) -> Interval:
    """Around the mean over folds; of a single holdout, around its score by rows."""
    choice, folds = trained.developed.choice, trained.developed.folds
    scores = scored.fold_scores[choice.metric.name]
    if len(scores) > 1:
        sizes = [(len(train), len(valid)) for train, valid in folds.parts]
        return folds_interval(scores.tolist(), [t for t, _ in sizes], [v for _, v in sizes])
    decided = decide(task, scored.predictions).apply(scored.predictions.probability)
    return interval(choice.metric, task, scored.predictions, decided)


def _std(scores: np.ndarray) -> float | None:
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else None


def _baseline(scored: Scored, choice: Choice) -> record.Baseline:
    name = choice.metric.name
    margin = None if scored is choice.chosen else Estimate.of(gap(scored, choice.chosen, choice.metric))
    return record.Baseline(
        scored.candidate.name,
        scored.candidate.family.name,
        name,
        float(np.mean(scored.fold_scores[name])),
        margin,
    )


def _selection(choice: Choice) -> record.Selection:
    chosen, best = choice.chosen.candidate.name, choice.best.candidate.name
    if choice.chosen is choice.best:
        explanation = f"{chosen} is best on {title(choice.metric.name)}"
    else:
        behind = gap(choice.chosen, choice.best, choice.metric)
        explanation = (
            f"{chosen} cannot be told apart from {best} "
            f"({title(choice.metric.name)} {number(behind.value, 4)} behind, within one standard error) and is simpler"
        )
    return record.Selection(
        chosen=chosen,
        metric=choice.metric.name,
        corrected_estimate=choice.corrected,
        bias=choice.bias,
        runner_up=choice.runner_up.candidate.name if choice.runner_up else None,
        p_value=choice.p_value,
        tied=tuple(s.candidate.name for s in choice.tied),
        explanation=explanation,
    )


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


def _calibration(trained: Trained) -> record.Calibration:
    found = trained.finalized.calibration
    gain = f"{number(found.gain, 4)} +- {number(found.standard_error, 4)}"
    if found.method != "none":
        explanation = f"lowers the cross-fitted log-loss by {gain}"
    elif found.candidate != "none":
        explanation = f"{found.candidate} would gain {gain}"
    else:
        explanation = "nothing lowers the cross-fitted log-loss"
    return record.Calibration(found.method, found.log_loss_before, found.log_loss_after, explanation)


def _decision(trained: Trained, task: Task, seed: int) -> record.Decision:
    finalized = trained.finalized
    evidence, rule = finalized.evidence, finalized.decision
    cost: Metric = registry.load("sortal.metrics", "expected_cost")
    spent = interval(cost, task, evidence, rule.apply(evidence.probability), seed=seed)
    if task.goal == "f1":
        measure, compared, why = "f1", _f1_compared(task, evidence, rule), "the largest F1 on rows the model never saw"
    else:
        measure, why = (
            "expected_cost",
            "follows from the costs" if task.cost else "no costs given: every error costs one",
        )
        compared = {a.name: a.expected_cost for a in alternatives(task, evidence, rule)}
    return record.Decision(
        kind=task.goal,
        positive=task.positive,
        threshold=rule.threshold,
        expected_cost=Estimate.of(spent),
        measure=measure,
        comparison=compared,
        explanation=why,
    )


def _f1_compared(task: Task, evidence: Predictions, rule: Decision) -> dict[str, float | None]:
    f1: Metric = registry.load("sortal.metrics", "f1")
    rules = {"chosen": rule, "at 0.5": Decision("argmax", task.classes, task.positive)}
    decided = {name: r.apply(evidence.probability) for name, r in rules.items()}
    decided[f"always {task.positive}"] = np.full(len(evidence), task.positive_code)
    return {n: f1.score(task, evidence.truth, evidence.probability, d) for n, d in decided.items()}


def facts(results: Results, model: Model, witness: Witness, sealed: NDArray[np.int64]) -> Facts:
    """What the checklist is judged on beyond the record."""
    trained, finalized = results.trained, results.trained.finalized
    chosen = trained.developed.choice.chosen
    scored = trained.developed.explored.scored
    weighted = sorted({s.candidate.weighted for s in scored})
    ways = {False: "no weights", True: "class weights, corrected"}
    others = [ways[w] for w in weighted if w != chosen.candidate.weighted]
    return Facts(
        fits=witness.fits,
        foreign_rows=witness.foreign,
        out_of_fold_rows=len(chosen.predictions),
        sealed_rows_scored=int(np.isin(chosen.predictions.rows, sealed).sum()),
        decision_part=finalized.evidence.part,
        decision_rows=len(finalized.evidence),
        sealed_rows_decided=int(np.isin(finalized.evidence.rows, sealed).sum()),
        refit_rows=finalized.refit_rows,
        imbalance=(ways[chosen.candidate.weighted], *others),
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
    return {k: told[k] for k in (*kept, "audit", "importance", "checklist")} | {"leaderboard": rows}


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
    """``oof.parquet``: row ids of the source, the true class, and a probability a class."""
    labels = np.array(predictions.classes)
    columns = {f"p {name}": predictions.probability[:, k] for k, name in enumerate(predictions.classes)}
    return pl.DataFrame({"row": predictions.rows, "truth": labels[predictions.truth], **columns})


def describe_ledger(seal: Seal | None) -> record.Ledger:
    """The looks at the sealed rows."""
    if seal is None:
        return record.Ledger(opens=0, blind=True)
    looks = tuple(record.Opening(e.time, e.reason, e.rows, e.hash) for e in seal.entries if e.event == "opened")
    return record.Ledger(seal.opens, seal.blind, seal.head, looks)
