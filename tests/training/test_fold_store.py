"""What is kept of folds comes back as it was, and nothing is used that is of something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.errors import OptionError
from sortal.models.family import FitRequest
from sortal.training.candidate import Candidate
from sortal.training.develop import fold
from sortal.training.fold import FoldData, FoldJob, FoldResult, fit_fold
from sortal.training.fold_store import FoldStore

TREE = Candidate("tree", registry.load("sortal.models", "tree"))


@pytest.fixture
def data(two) -> FoldData:
    dev, _ = two
    return FoldData(dev, fold(dev).first(3))


def fitted(data: FoldData, rows: int | None = None) -> list[FoldResult]:
    return [fit_fold(data, FoldJob(TREE, i, rows)) for i in range(3)]


def filled_store(data: FoldData, folder: Path, rows: int | None = None) -> tuple[FoldStore, list[FoldResult]]:
    store, results = FoldStore.new(folder, "key"), fitted(data, rows)
    store.save(TREE, rows, results)
    return store, results


@pytest.mark.parametrize("rows", [None, 150])
def test_what_was_kept_comes_back(data: FoldData, tmp_path: Path, rows: int | None) -> None:
    store, results = filled_store(data, tmp_path / "folds", rows)
    assert store.folds() == 3
    again, fold_results = store.load(TREE, data)
    assert again == rows
    for before, after in zip(results, fold_results, strict=True):
        assert np.array_equal(before.predictions.probability, after.predictions.probability)
        assert np.array_equal(before.predictions.rows, after.predictions.rows)
        assert np.array_equal(before.predictions.truth, after.predictions.truth)
        assert after.predictions.part == "out-of-fold"
        assert np.array_equal(before.fit_rows.saw, after.fit_rows.saw)
        assert np.array_equal(before.fit_rows.evaluated, after.fit_rows.evaluated)
        assert before.effort == after.effort
    assert [result.seconds for result in fold_results[1:]] == [result.seconds for result in results[1:]]
    assert [result.pipeline is None for result in fold_results] == [False, True, True]
    store.remove()
    assert list(tmp_path.iterdir()) == []


def test_only_the_first_fold_is_fitted_again(data: FoldData, tmp_path: Path) -> None:
    store, _ = filled_store(data, tmp_path / "folds")
    requests: list[FitRequest] = []

    def counting_fit(request, settings):
        requests.append(request)
        return TREE.family.fit(request, settings)

    fresh = FoldData(data.dev, data.folds)
    assert store.load(replace(TREE, family=replace(TREE.family, fit=counting_fit)), fresh) is not None
    assert len(requests) == 1


def test_nothing_of_another_candidate_other_folds_or_another_library_is_used(data: FoldData, tmp_path: Path) -> None:
    store, _ = filled_store(data, tmp_path / "folds")
    for other in (
        replace(TREE, name="another"),
        replace(TREE, settings={"max_depth": 2}),
        replace(TREE, balance="weights"),
        replace(TREE, family=replace(TREE.family, name="another")),
    ):
        assert store.load(other, data) is None
    assert store.load(TREE, replace(data, folds=data.folds.first(2))) is None

    def otherwise(request, settings):
        return TREE.family.fit(replace(request, seed=request.seed + 1), {"max_depth": 1})

    changed = replace(TREE, family=replace(TREE.family, fit=otherwise))
    assert store.load(changed, FoldData(data.dev, data.folds)) is None


def test_an_earlier_run_is_picked_up_where_it_is_the_same(data: FoldData, tmp_path: Path) -> None:
    filled_store(data, tmp_path / "earlier")
    (tmp_path / "earlier" / "half.partial").touch()
    same = FoldStore.new(tmp_path / "same", "key", tmp_path / "earlier")
    assert same.load(TREE, data) is not None
    assert not (same.folder / "half.partial").exists()
    empty = FoldStore.new(tmp_path / "empty", "key")
    assert (empty.folds(), empty.load(TREE, data)) == (None, None)
    for name, key, earlier in (("a", "other", "earlier"), ("b", "key", "nowhere")):
        with pytest.raises(OptionError, match="of other data or other options"):
            FoldStore.new(tmp_path / name, key, tmp_path / earlier)


def test_what_each_fold_took_comes_back_with_its_fold(data: FoldData, tmp_path: Path) -> None:
    store = FoldStore.new(tmp_path / "folds", "key")
    results = [replace(result, seconds=3.0 + k, useful_share=0.5 / (k + 1)) for k, result in enumerate(fitted(data))]
    store.save(replace(TREE, name="other"), None, results[::-1])
    store.save(TREE, 350, results)
    rows, fold_results = store.load(TREE, data) or (None, [])
    assert rows == 350
    assert [(result.seconds, result.useful_share) for result in fold_results[1:]] == [(4.0, 0.25), (5.0, 0.5 / 3)]
    assert [result.pace for result in fold_results[1:]] == [{}, {}]
    assert sorted(path.suffix for path in store.folder.iterdir()) == [".json", ".npz", ".npz"]
