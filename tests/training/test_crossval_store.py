"""What a cross-validation hands to the store of folds, and takes from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from sortal.core import registry
from sortal.training.candidate import Candidate
from sortal.training.crossval import CrossValidation, crossval, crossval_by_work
from sortal.training.develop import Scorer
from sortal.training.fold import FoldData, Folds, fit_fold
from sortal.training.fold import FoldJob as Job
from tests.training.conftest import development

DEV, TASK = development(2)
PARTS = tuple((np.setdiff1d(np.arange(400), valid), valid) for valid in np.split(np.arange(400), 4))
DATA = FoldData(DEV, Folds(PARTS, 4))
TREE = Candidate("tree", registry.load("sortal.models", "tree"))


@dataclass
class Store:
    """Keeps what it is given, and gives out ``entry``."""

    entry: Any = None
    saves: list[Any] = field(default_factory=list)
    loads: list[Any] = field(default_factory=list)

    def load(self, candidate: Candidate, data: FoldData) -> Any:
        self.loads.append((candidate, data))
        return self.entry

    def save(self, *arguments: Any) -> None:
        self.saves.append(arguments)


def validation(store: Store | None) -> CrossValidation:
    return CrossValidation(DATA, Scorer(TASK), store=store)  # type: ignore[arg-type]


@pytest.mark.parametrize("by", [crossval, crossval_by_work])
def test_what_was_fitted_is_kept_and_what_was_kept_is_not_fitted_again(by: Any) -> None:
    store = Store()
    result = by(TREE, validation(store), math.inf) if by is crossval_by_work else by(TREE, validation(store))
    assert [candidate for candidate, _ in store.loads] == [TREE]
    assert store.loads[0][1].folds is DATA.folds
    ((candidate, rows, results),) = store.saves
    assert (candidate, rows) == (TREE, None)
    assert [part.predictions.rows.tolist() for part in results] == [DEV.table.rows[v].tolist() for _, v in PARTS]
    assert [part.fit_rows.saw.tolist() for part in results] == [DEV.table.rows[t].tolist() for t, _ in PARTS]

    def never(request: Any, settings: Any) -> Any:
        pytest.fail("fitted once more")

    again = Store(entry=(70, results))
    same = replace(TREE, family=replace(TREE.family, fit=never))
    stored_result = by(same, validation(again), math.inf) if by is crossval_by_work else by(same, validation(again))
    assert again.saves == []
    assert stored_result.fold_scores["log_loss"].tolist() == result.fold_scores["log_loss"].tolist()
    assert np.array_equal(stored_result.predictions.probability, result.predictions.probability)
    assert stored_result.pipeline is results[0].pipeline
    bare = by(TREE, validation(None), math.inf) if by is crossval_by_work else by(TREE, validation(None))
    assert np.array_equal(bare.predictions.probability, result.predictions.probability)


def test_a_result_tells_of_its_folds_what_they_tell() -> None:
    result: Any = crossval(TREE, validation(None))
    results = [fit_fold(DATA, Job(TREE, k)) for k in range(4)]
    assert result.predictions.rows.tolist() == DEV.table.rows.tolist()
    assert result.fold.tolist() == np.repeat(np.arange(4), 100).tolist()
    assert result.train_share == 0.75
    assert (result.rows, result.repeats, len(result.efforts)) == (None, (), 4)
    scores = [validation(None).score(part.predictions) for part in results]
    for name, values in result.fold_scores.items():
        assert values.tolist() == pytest.approx([part[name] for part in scores])
    assert [fit.saw.tolist() for fit in result.fits] == [DEV.table.rows[train].tolist() for train, _ in PARTS]
    assert result.pipeline.saw.tolist() == DEV.table.rows[PARTS[0][0]].tolist()
    assert result.packed > 100
