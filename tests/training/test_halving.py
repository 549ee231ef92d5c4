from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.interrupt import TimeUp
from sortal.training.candidate import Candidate
from sortal.training.crossval import CrossValidation, crossval
from sortal.training.develop import Scorer, fold
from sortal.training.fold import FoldData
from sortal.training.halving import halve, share_of_halving
from tests.training.conftest import development

DEV, TASK = development(3)
LOG_LOSS = registry.load("sortal.metrics", "log_loss")


@pytest.fixture(scope="module")
def cv() -> CrossValidation:
    return CrossValidation(FoldData(DEV, fold(DEV)), Scorer(TASK))


@pytest.fixture(scope="module")
def scored(cv):
    return crossval(Candidate("logistic", registry.load("sortal.models", "logistic")), cv)


def test_a_score_moves_towards_its_limit_as_one_over_n() -> None:
    """Loss .3 + 8 / n: at 400 rows .32, at 800 .31, at 1,000 .308, at 2,000 .304."""
    change = 0.32 - 0.31
    assert share_of_halving(800, 1000) * change == pytest.approx(0.31 - 0.308)
    assert share_of_halving(800, 2000) * change == pytest.approx(0.31 - 0.304)
    assert share_of_halving(800, 800) == 0.0


def test_every_fold_learns_from_half_of_its_rows_and_is_judged_on_the_same(cv, scored) -> None:
    found = halve(scored, cv, LOG_LOSS, math.inf)
    assert found is not None
    assert len(found.fits) == cv.data.folds.per_repeat
    for fit, (train, valid) in zip(found.fits, cv.data.folds.parts, strict=False):
        assert set(fit.saw) <= set(DEV.table.rows[train])
        assert len(fit.saw) == pytest.approx(len(train) / 2, abs=2)
        assert set(fit.evaluated) == set(DEV.table.rows[valid])
    again = halve(scored, cv, LOG_LOSS, math.inf)
    np.testing.assert_array_equal(again.predictions.probability, found.predictions.probability)
    assert list(found.predictions.rows) == list(scored.predictions.rows)
    first = scored.fold == 0
    assert found.fold_scores["log_loss"][0] == pytest.approx(
        LOG_LOSS.score(TASK, found.predictions.take(first), DEV.codes[first])
    )


def test_it_is_left_out_where_it_tells_nothing_or_takes_too_long(cv, scored) -> None:
    assert halve(replace(scored, refit_seconds=0.0), cv, LOG_LOSS, math.inf) is None
    assert halve(replace(scored, rows=30_000), cv, LOG_LOSS, math.inf) is None
    assert halve(replace(scored, fit_seconds=10.0), cv, LOG_LOSS, 60.0) is None

    def stuck(request, settings):
        raise TimeUp

    slow = replace(scored, candidate=Candidate("slow", replace(scored.candidate.family, fit=stuck)))
    assert halve(slow, cv, LOG_LOSS, 60.0) is None
