"""The search for a model in the record: leaderboard, baselines, the choice, and what came of treating rare classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sortal.core.arrays import Codes
from sortal.core.interval import Estimate, Interval
from sortal.core.plain import quoted
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.core.writing import number
from sortal.decide.threshold import decide
from sortal.evaluate.compare import difference, row_values
from sortal.evaluate.metrics import Metric, label_of
from sortal.record.expected_score import Gap, as_shipped, gap, reaching, score_out_of_fold
from sortal.record.parts import Baseline, Imbalance, Row, Selection, Spread
from sortal.record.sealed_scores import OpenedTest
from sortal.record.wording import count, listing
from sortal.training.balancing import balancing
from sortal.training.comparison import margin, paired_difference
from sortal.training.cv_result import CVResult, Result
from sortal.training.develop import Scorer
from sortal.training.ensemble import ENSEMBLE, EnsembleResult, says_the_same
from sortal.training.front import on_front
from sortal.training.imbalance import WORDS
from sortal.training.trained import Trained


def leaderboard(trained: Trained, task: Task, corrected: Estimate | None) -> tuple[Row, ...]:
    """The candidates, best first. ``corrected``: what the chosen one scores as it ships."""
    results, choice = trained.developed.results, trained.developed.choice
    sign = -1.0 if choice.metric.higher_is_better else 1.0
    ranked = sorted(results, key=lambda s: sign * float(np.mean(s.fold_scores[choice.metric.name])))
    best = on_front(trained)
    refit_gap, unlearned = gap(trained, task, choice.metric), trained.unlearned

    def row(scored: Result) -> Row:
        own = corrected if scored is choice.winner else None
        score = own or _score(scored, refit_gap, choice.metric, task, unlearned)
        return replace(_row(scored, trained, score), front=any(scored is member for member in best))

    return tuple(row(scored) for scored in ranked)


def _score(scored: Result, refit_gap: Gap, metric: Metric, task: Task, unlearned: Codes) -> Estimate:
    """Of a candidate that was not chosen, so that nothing flatters it.

    ``refit_gap``: the gap of the chosen one, which alone was fitted on half of the rows; another is taken to vary as
    much.
    """
    measured = score_out_of_fold(scored, metric, task, scored.predictions, unlearned)
    return Estimate.of(metric.within(reaching(measured, Gap() if says_the_same(scored) else refit_gap)))


def _row(scored: Result, trained: Trained, score: Estimate) -> Row:
    choice, folds = trained.developed.choice, trained.developed.folds
    scores = scored.fold_scores[choice.metric.name]
    members, alone = scored.results, len(scored.results) == 1
    return Row(
        name=scored.name,
        family=members[0].candidate.family.name if alone else ENSEMBLE,
        metric=choice.metric.name,
        mean=_mean(scores),
        std=_std(scores),
        score=score,
        fit_seconds=scored.fit_seconds * len(folds.parts),
        program_microseconds=1e6 * scored.single_row_seconds,
        bytes=scored.packed,
        selected=scored is choice.winner,
        baseline=alone and members[0].candidate.baseline,
        weights={} if alone else {m.name: w for m, w in zip(members, scored.weights, strict=True)},
        metrics={n: Spread(float(np.mean(s)), _std(s)) for n, s in scored.fold_scores.items()},
        note="; ".join(_notes(scored, trained)),
    )


def composition(ensemble: Result) -> str:
    """Its members and their weights, the largest first: "3: .50 lightgbm, .30 extra_trees, .20 logistic"."""
    members = sorted(zip(ensemble.weights, ensemble.results, strict=True), key=lambda member: -member[0])
    return f"{len(members)}: {', '.join(f'{number(weight, 2)} {result.name}' for weight, result in members)}"


def _notes(scored: Result, trained: Trained) -> Iterator[str]:
    """What is special about a candidate."""
    if len(scored.results) > 1:
        yield f"of {composition(scored)}"
    if scored in trained.developed.choice.tied:
        yield "tie with the best"
    elif objection := trained.developed.bounds.objection(scored.results[0]):
        yield objection
    if len(scored.results) == 1 and scored.results[0].candidate.is_random:
        settings = ", ".join(f"{name} {value}" for name, value in scored.results[0].candidate.settings.items())
        yield f"drawn: {settings}"
    if rows := [r.rows for r in scored.results if r.rows is not None]:
        yield f"on a sample of {count(min(rows))} rows"


def _mean(scores: np.ndarray) -> float | None:
    mean = float(np.mean(scores))
    return mean if np.isfinite(mean) else None


def _std(scores: np.ndarray) -> float | None:
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else None


def baselines(trained: Trained, task: Task, test: OpenedTest | None) -> tuple[Baseline, ...]:
    """Each beside the chosen model, out of fold, and on the test where that was opened."""
    choice = trained.developed.choice
    name, calibrated, refit_gap = choice.metric.name, _calibrated(trained, task), gap(trained, task, choice.metric)

    def beside(scored: CVResult) -> tuple[Estimate, Estimate | None]:
        before = _margin(scored, calibrated, refit_gap, trained)
        theirs = None if test is None else test.baselines.get(scored.candidate.name)
        on_test = None if test is None or theirs is None else _on_test(theirs, test.predictions, choice.metric, task)
        return Estimate.of(before), on_test

    def baseline(scored: CVResult) -> Baseline:
        before, on_test = (None, None) if scored is choice.winner else beside(scored)
        family = scored.candidate.family
        mean = float(np.mean(scored.fold_scores[name]))
        return Baseline(scored.candidate.name, family.name, name, mean, before, family.baseline, on_test)

    return tuple(baseline(s) for s in trained.developed.explored.results if s.candidate.baseline)


def _margin(baseline: CVResult, calibrated: EnsembleResult, refit_gap: Gap, trained: Trained) -> Interval:
    """By how much the model that ships is better out of fold: calibrated, and with what a refit brings.

    The low end holds whatever was chosen; the figure itself is without the flattery of the choice.
    """
    choice, results = trained.developed.choice, trained.developed.results
    metric, sign = choice.metric, 1.0 if choice.metric.higher_is_better else -1.0
    measured = margin(baseline, calibrated, results, metric, trained.dev.units_of(baseline.predictions))
    refit = None if refit_gap.refit is None else sign * refit_gap.refit
    whole = as_shipped(measured, replace(refit_gap, refit=refit))
    value = whole.value - sign * choice.bias
    return Interval(value, min(whole.low, value), max(whole.high, value))


def _calibrated(trained: Trained, task: Task) -> EnsembleResult:
    """The chosen model as it ships, calibrated: its rows, and its scores of the folds moved by as much."""
    choice, predictions = trained.developed.choice, trained.finalized.out_of_fold
    name, gain = choice.metric.name, _calibration_gain(trained, task) or 0.0
    scores = {**choice.winner.fold_scores, name: choice.winner.fold_scores[name] + gain}
    return EnsembleResult(choice.winner.results, choice.winner.weights, predictions, scores)


def _on_test(worse: Predictions, better: Predictions, metric: Metric, task: Task) -> Estimate | None:
    """By how much one model is better than another on the same rows; None where the metric is no mean over rows, not
    even to the first order.
    """
    score = Scorer(task)
    pair = (better, worse) if metric.higher_is_better else (worse, better)
    a, b = (row_values(score.of(metric, p), score.sampling(metric, p)) for p in pair)
    return None if a is None or b is None else Estimate.of(difference(a, b, groups=better.groups))


def selection(trained: Trained, task: Task) -> Selection:
    """Which candidate was taken, why, and what it is worth without the flattery of having been picked."""
    choice = trained.developed.choice
    name, best = choice.winner.name, choice.best.name
    if choice.winner is choice.best:
        explanation = f"{name} is best on {label_of(choice.metric.name)}"
    else:
        behind = paired_difference(
            choice.winner, choice.best, choice.metric, trained.dev.units_of(choice.winner.predictions)
        )
        explanation = (
            f"{name} cannot be told apart from {best} "
            f"({label_of(choice.metric.name)} {number(behind.value, 4)} behind, within one standard error) and is "
            f"{choice.reason}"
        )
    explanation += _within_bounds(trained)
    refit_gap = gap(trained, task, choice.metric)
    predictions, unlearned = trained.finalized.out_of_fold, trained.unlearned
    explanation += _unlearned(predictions, task, unlearned)
    calibrated = score_out_of_fold(choice.winner, choice.metric, task, predictions, unlearned)
    corrected = choice.metric.within(as_shipped(calibrated, refit_gap, -choice.bias))
    return Selection(
        chosen=name,
        metric=choice.metric.name,
        corrected=Estimate.of(corrected),
        bias=choice.bias,
        refit_gain=refit_gap.refit,
        calibration_gain=_calibration_gain(trained, task),
        refit_spread=refit_gap.spread,
        runner_up=choice.runner_up.name if choice.runner_up else None,
        p_value=choice.p_value,
        tied=tuple(s.name for s in choice.tied),
        explanation=explanation,
    )


def _unlearned(predictions: Predictions, task: Task, rows: Codes) -> str:
    """Which classes these rows (ids) are of, which no model had learned that was judged on them; nothing of none."""
    codes = np.unique(predictions.truth[np.isin(predictions.rows, rows)])
    if not len(codes):
        return ""
    names = listing([quoted(task.classes[code]) for code in codes.tolist()])
    return (
        f"; out of fold nobody had learned {names}, all of whose rows are in one part: the interval reaches to what "
        "would be if they were known"
    )


def _within_bounds(trained: Trained) -> str:
    """What bounds had to do with the choice; nothing where all candidates keep within them."""
    bounds, ensemble = trained.developed.bounds, trained.developed.choice.winner
    what = "the time" if bounds.latency is None and bounds.size is None else "the bounds"
    if all(bounds.objection(member) for member in ensemble.results):
        return f"; nothing keeps within {what}, and it is nearest to that"
    outside = [result.name for result in trained.developed.explored.results if bounds.objection(result)]
    return f" of what keeps within {what} ({listing(outside, most=4)} do not)" if outside else ""


def _calibration_gain(trained: Trained, task: Task) -> float | None:
    """By how much calibration changes the metric, out of fold; None where nothing is calibrated."""
    if trained.finalized.calibration.program is None:
        return None
    metric, raw = trained.developed.choice.metric, trained.developed.choice.winner.predictions
    before, after = (metric.score(task, p, decide(task, p).decide(p)) for p in (raw, trained.finalized.out_of_fold))
    return after - before


def imbalance(trained: Trained) -> Imbalance | None:
    """What came of treating rare classes; None where nothing can be compared."""
    choice = trained.developed.choice
    units = trained.dev.units_of(choice.winner.predictions)
    compared = balancing(trained.developed.explored.results, choice.metric, units)
    if compared is None:
        return None
    return Imbalance(
        candidate=compared.winner.candidate,
        way=WORDS[compared.winner.strategy],
        rival=compared.rival.candidate,
        rival_way=WORDS[compared.rival.strategy],
        metric=choice.metric.name,
        gain=Estimate.of(compared.behind),
    )
