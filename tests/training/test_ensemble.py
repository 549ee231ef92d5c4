"""One or more pipelines as one model: what it says, what it is made of, and how it is finalized."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.predictions import Predictions
from sortal.engine import compile
from sortal.evaluate.metrics import per_row_log_loss
from sortal.training.candidate import Candidate, fit, prepare_rows
from sortal.training.crossval import CrossValidation, crossval
from sortal.training.cv_result import CVResult
from sortal.training.deadline import Deadline
from sortal.training.develop import Scorer, fold
from sortal.training.ensemble import Ensemble, EnsembleResult, select
from sortal.training.finalize import Limits, finalize
from sortal.training.fold import FoldData
from sortal.training.greedy import cross_fitted, greedy_weights, mean, parts_of
from sortal.training.reserve import TimeReserve
from sortal.training.select import choose
from tests.training.conftest import development

NONE = np.empty(0, dtype=np.int64)
ROWS = 400
LOG_LOSS = registry.load("sortal.metrics", "log_loss")
WEIGHTS = (0.3, 0.7)
DEV, TASK = development(3)
SETTINGS = {"logistic": {}, "xgboost": {"rounds": 20}}


@pytest.fixture(scope="module")
def pipelines():
    fits = []
    for count, (name, settings) in zip((400, 300), SETTINGS.items(), strict=True):
        family = registry.load("sortal.models", name)
        matrix = prepare_rows(DEV, np.arange(count), family.view)
        fits.append(fit(Candidate(name, family), matrix, DEV, settings, purpose="ship"))
    return tuple(fits)


@pytest.fixture(scope="module")
def result():
    cv = CrossValidation(FoldData(DEV, fold(DEV)), Scorer(TASK))
    families = {name: registry.load("sortal.models", name) for name in ("logistic", "tree")}
    members = tuple(crossval(Candidate(*item), cv) for item in families.items())
    return EnsembleResult(members, WEIGHTS, mean([m.predictions for m in members], WEIGHTS), members[0].fold_scores)


def columns(table):
    return table.columns([column.name for column in table.schema.features])


def test_an_ensemble_of_one_is_its_member(pipelines):
    for member in pipelines:
        alone = Ensemble((member,))
        assert alone.program().op == "chain"
        assert [step.op for step in alone.program().steps] == [step.op for step in member.program().steps]
        prepared = member.preprocessor.transform(DEV.table)
        assert np.array_equal(alone.predict_proba(DEV.table), member.predict_proba(prepared))
        assert alone.precision == member.candidate.family.precision
        assert alone.rows == member.rows


def test_several_members_are_averaged_with_their_weights(pipelines):
    ensemble = Ensemble(pipelines, WEIGHTS)
    singles = [Ensemble((member,)) for member in pipelines]
    expected = np.average([single.predict_proba(DEV.table) for single in singles], axis=0, weights=WEIGHTS)
    np.testing.assert_allclose(ensemble.predict_proba(DEV.table), expected, rtol=0, atol=1e-15)
    program = compile(ensemble.program())
    assert np.abs(program(columns(DEV.table)) - expected).max() < 1e-6
    assert ensemble.precision == "float32"
    assert ensemble.rows == 300
    shares = [single.importance for single in singles]
    assert sum(ensemble.importance.values()) == pytest.approx(1)
    for source, share in ensemble.importance.items():
        assert share == pytest.approx(sum(w * s[source] for w, s in zip(WEIGHTS, shares, strict=True)))


def test_a_column_made_of_two_counts_for_each_by_half(pipelines):
    member = pipelines[0]
    preprocessor = replace(member.preprocessor, sources=(("a",), ("a", "b"), ("b", "c")))
    fitted = replace(member.fitted, importance=np.array([1.0, 4.0, 5.0]))
    alone = Ensemble((replace(member, preprocessor=preprocessor, fitted=fitted),))
    assert alone.importance == pytest.approx({"a": 0.3, "b": 0.45, "c": 0.25})


@pytest.mark.parametrize("weights", [(1.0,), (0.5, 0.4), (1.5, -0.5), (0.2, 0.3, 0.5)])
def test_weights_that_do_not_go_with_the_members_are_refused(pipelines, weights):
    with pytest.raises(ValueError, match="ensemble"):
        Ensemble(pipelines, weights)


def test_members_that_were_judged_on_other_folds_are_refused(result):
    first, second = result.results
    with pytest.raises(ValueError, match="logistic and tree were not judged on the same folds"):
        replace(result, results=(first, replace(second, fold=second.fold[::-1])))


def test_what_an_ensemble_costs_is_what_its_members_cost(result):
    first, second = result.results
    assert result.complexity == first.complexity + second.complexity
    assert result.complexity.much_less(first.complexity) is False
    for name in ("fit_seconds", "row_seconds", "single_row_seconds", "refit_seconds"):
        assert getattr(result, name) == pytest.approx(getattr(first, name) + getattr(second, name))


@pytest.mark.parametrize("valid", [NONE, np.arange(0, 400, 5)])
def test_two_members_are_refitted_calibrated_and_exported_as_one(result, valid):
    train = np.setdiff1d(np.arange(400), valid)
    finalized = finalize(result, DEV, TASK, train, valid)
    assert finalized.refit
    assert [member.rows for member in finalized.ensemble.members] == [400, 400]
    assert finalized.program.steps[0].op == "average"
    program = compile(finalized.ensemble.program())
    assert np.abs(program(columns(DEV.table)) - finalized.ensemble.predict_proba(DEV.table)).max() < 1e-12
    assert len(finalized.fits) == (4 if len(valid) else 2)
    if len(valid):
        assert finalized.evidence.rows.tolist() == DEV.table.rows[valid].tolist()
    else:
        assert len(finalized.evidence) == 400


def test_all_members_are_refitted_or_none(result):
    slow = replace(result, results=tuple(replace(r, refit_seconds=2.0) for r in result.results))
    everything = np.arange(400)
    assert finalize(slow, DEV, TASK, everything, NONE, Limits(seconds=lambda: 5.0)).refit
    finalized = finalize(slow, DEV, TASK, everything, NONE, Limits(seconds=lambda: 3.0))
    assert not finalized.refit
    assert [m is r.pipeline for m, r in zip(finalized.ensemble.members, slow.results, strict=True)] == [True, True]
    assert finalized.ensemble.weights == WEIGHTS
    assert finalized.fits == ()
    oversized = finalize(slow, DEV, TASK, everything, NONE, Limits(size=1))
    assert (oversized.refit, oversized.no_refit) == (False, "size")
    assert finalize(slow, DEV, TASK, everything, NONE, Limits(size=10**6)).refit


def rivals(seed, folds=5, repeats=3):
    """Cross-validation of two rivals that see half of the truth each, and of one that sees nothing."""
    rng = np.random.default_rng(seed)
    halves = rng.normal(size=(2, ROWS))
    truth = (halves.sum(axis=0) + rng.logistic(size=ROWS) / 2 > 0).astype(np.int64)
    logits = {"left": halves[0], "right": halves[1], "nothing": np.zeros(ROWS)}
    results = []
    for name, logit in logits.items():
        parts = []
        for repeat in range(repeats):
            p = 1 / (1 + np.exp(-logit - 0.1 * np.random.default_rng(repeat).normal(size=ROWS)))
            predictions = Predictions(("a", "b"), np.arange(ROWS), truth, np.column_stack([1 - p, p]), "out-of-fold")
            parts.append((predictions, np.arange(ROWS) * (repeat + 1) % folds))
        candidate = Candidate(name, registry.load("sortal.models", "logistic"))
        scores = [loss(p.take(fold == f))["log_loss"] for p, fold in parts for f in range(folds)]
        results.append(
            CVResult(
                candidate, *parts[0], 0.8, {"log_loss": np.array(scores)}, ({},), 1.0, 1.0, 1.0, repeats=(*parts[1:],)
            )
        )
    return results


def loss(predictions):
    return {"log_loss": float(per_row_log_loss(predictions).mean())}


def test_rivals_that_know_different_things_are_put_together_and_judged_like_them():
    results = rivals(0)
    ensemble = select(results, loss, seed=0)
    assert [member.name for member in ensemble.results] == ["left", "right"]
    assert ensemble.weights == pytest.approx((0.5, 0.5), abs=0.15)
    best = min(results, key=lambda s: s.fold_scores["log_loss"].mean())
    assert ensemble.fold_scores["log_loss"].shape == best.fold_scores["log_loss"].shape == (15,)
    assert ensemble.fold_scores["log_loss"].mean() < best.fold_scores["log_loss"].mean() - 0.02
    choice = choose([*results, ensemble], LOG_LOSS, lambda p: loss(p)["log_loss"], seed=0)
    assert choice.winner is ensemble
    by_fold = [loss(ensemble.predictions.take(ensemble.fold == f))["log_loss"] for f in range(5)]
    assert ensemble.fold_scores["log_loss"][:5] == pytest.approx(by_fold)


def test_nothing_is_put_together_where_one_is_as_good_as_all():
    left, _, nothing = rivals(1)
    assert select([left], loss, seed=0) is None
    assert select([left, replace(left, candidate=Candidate("copy", left.candidate.family))], loss, seed=0) is None
    sure = np.where(np.eye(2)[left.predictions.truth] == 1, 0.99, 0.01)
    assert select([replace(left, predictions=replace(left.predictions, probability=sure)), nothing], loss, 0) is None


@pytest.mark.parametrize("folds", [5, 1])
def test_what_weights_gain_by_chance_is_no_gain(folds):
    """Equals that differ by noise alone: on the rows that chose the weights a mean of some looks better than it is."""
    flattered, honest, true = [], [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        logits = rng.normal(size=(12, 2 * ROWS))
        truth = rng.integers(2, size=2 * ROWS)
        p = 1 / (1 + np.exp(-logits))
        predictions = [
            Predictions(("a", "b"), np.arange(2 * ROWS), truth, np.column_stack([1 - q, q]), "out-of-fold") for q in p
        ]
        train, test = (
            [t.take(np.arange(ROWS)) for t in predictions],
            [t.take(np.arange(ROWS, 2 * ROWS)) for t in predictions],
        )
        fold = np.arange(ROWS) % folds
        results = [
            CVResult(Candidate(str(i), registry.load("sortal.models", "logistic")), t, fold, 0.8, {}, ({},), 1, 1, 1)
            for i, t in enumerate(train)
        ]
        ensemble = select(results, loss, seed=0)
        weights = {r.name: w for r, w in zip(ensemble.results, ensemble.weights, strict=True)}
        w = [weights.get(str(i), 0.0) for i in range(12)]
        flattered.append(loss(mean(train, w))["log_loss"])
        honest.append(ensemble.fold_scores["log_loss"].mean())
        true.append(loss(mean(test, w))["log_loss"])
    assert np.mean(flattered) < np.mean(true) - 0.015
    assert np.mean(honest) == pytest.approx(np.mean(true), abs=0.008)


def test_groups_choose_no_weights_for_themselves():
    results = [replace(r, fold=np.zeros(ROWS, dtype=np.int64), repeats=()) for r in rivals(2)]
    units = np.arange(ROWS) // 4
    part = parts_of(results[0].predictions.truth, 0, units)
    assert len(np.unique(part)) == 5
    assert all(len(np.unique(part[units == unit])) == 1 for unit in range(ROWS // 4))
    ensemble = select(results[:2], loss, seed=0, units=units)
    assert np.array_equal(
        ensemble.predictions.probability,
        cross_fitted([r.predictions for r in results[:2]], part, greedy_weights).probability,
    )


def test_time_is_kept_for_the_refits_of_all_members():
    results = [replace(r, refit_seconds=s) for r, s in zip(rivals(0), (3.0, 4.0, 50.0), strict=True)]
    reserve = TimeReserve(Deadline(time.monotonic(), 60.0), 0.0, closing_rows=0)
    assert reserve.budget_left(results) == pytest.approx(60 - 3 - 4, abs=1.5)
    assert reserve.budget_left(results, [results[1]]) == pytest.approx(60 - 4, abs=1.5)
