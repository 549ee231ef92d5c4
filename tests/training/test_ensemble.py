"""One or more pipelines as one model: what it says, what it is made of, and how it is finalized."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.engine import compile
from sortal.training.candidate import Candidate, fit, prepare_rows
from sortal.training.complexity import Complexity
from sortal.training.crossval import CrossValidation, crossval
from sortal.training.develop import Scorer, fold
from sortal.training.ensemble import Ensemble, EnsembleResult
from sortal.training.finalize import Limits, finalize
from sortal.training.fold import FoldData
from tests.training.conftest import development

NONE = np.empty(0, dtype=np.int64)
WEIGHTS = (0.3, 0.7)
DEV, TASK = development(3)
SETTINGS = {"logistic": {}, "xgboost": {"rounds": 20}}


@pytest.fixture(scope="module")
def pipelines():
    found = []
    for count, (name, settings) in zip((400, 300), SETTINGS.items(), strict=True):
        family = registry.load("sortal.models", name)
        matrix = prepare_rows(DEV, np.arange(count), family.view)
        found.append(fit(Candidate(name, family), matrix, DEV, settings, purpose="ship"))
    return tuple(found)


@pytest.fixture(scope="module")
def result():
    cv = CrossValidation(FoldData(DEV, fold(DEV)), Scorer(TASK))
    families = {name: registry.load("sortal.models", name) for name in ("logistic", "tree")}
    return EnsembleResult(tuple(crossval(Candidate(*each), cv) for each in families.items()), WEIGHTS)


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
    apart = [Ensemble((member,)) for member in pipelines]
    expected = np.average([each.predict_proba(DEV.table) for each in apart], axis=0, weights=WEIGHTS)
    np.testing.assert_allclose(ensemble.predict_proba(DEV.table), expected, rtol=0, atol=1e-15)
    program = compile(ensemble.program())
    assert np.abs(program(columns(DEV.table)) - expected).max() < 1e-6
    assert ensemble.precision == "float32"
    assert ensemble.rows == 300
    families = [member.candidate.family.complexity for member in pipelines]
    assert ensemble.complexity == Complexity(sum(families), 20.0)
    shares = [each.importance for each in apart]
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
        EnsembleResult((first, replace(second, fold=second.fold[::-1])), WEIGHTS)


@pytest.mark.parametrize("valid", [NONE, np.arange(0, 400, 5)])
def test_two_members_are_refitted_calibrated_and_exported_as_one(result, valid):
    train = np.setdiff1d(np.arange(400), valid)
    found = finalize(result, DEV, TASK, train, valid)
    assert found.refit
    assert [member.rows for member in found.ensemble.members] == [400, 400]
    assert found.program.steps[0].op == "average"
    program = compile(found.ensemble.program())
    assert np.abs(program(columns(DEV.table)) - found.ensemble.predict_proba(DEV.table)).max() < 1e-12
    assert len(found.fits) == (4 if len(valid) else 2)
    if len(valid):
        assert found.evidence.rows.tolist() == DEV.table.rows[valid].tolist()
    else:
        mean = np.average([r.predictions.probability for r in result.results], axis=0, weights=WEIGHTS)
        np.testing.assert_allclose(result.predictions.probability, mean, rtol=0, atol=1e-15)
        assert len(found.evidence) == 400


def test_all_members_are_refitted_or_none(result):
    slow = replace(result, results=tuple(replace(r, refit_seconds=2.0) for r in result.results))
    everything = np.arange(400)
    assert finalize(slow, DEV, TASK, everything, NONE, Limits(seconds=lambda: 5.0)).refit
    spared = finalize(slow, DEV, TASK, everything, NONE, Limits(seconds=lambda: 3.0))
    assert not spared.refit
    assert [m is r.pipeline for m, r in zip(spared.ensemble.members, slow.results, strict=True)] == [True, True]
    assert spared.ensemble.weights == WEIGHTS
    assert spared.fits == ()
