"""The parts of the choice, against scoring every split by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sortal.stats.sampling import Influence, Mean, Rates
from sortal.training import select as module
from sortal.training.select import selection_bias

N = 24


def rates(seed: int, pairs: int, f1: bool = False) -> Rates:
    rng = np.random.default_rng(seed)
    trials = [rng.random(N) < 0.7 for _ in range(pairs)]
    return Rates([(trial, trial & (rng.random(N) < 0.6)) for trial in trials], f1)


def score_of(described: Any, rows: np.ndarray) -> float:
    """The score of some rows, by its definition."""
    match described:
        case Mean(values=values):
            return float(values[rows].mean())
        case Influence(effect=effect):
            return float(len(effect) * effect[rows].sum() / rows.sum())
        case Rates(pairs=pairs, f1=f1):
            shares = [hits[rows].sum() / attempts[rows].sum() for attempts, hits in pairs]
            return float(np.mean([2 * s / (1 + s) if f1 else s for s in shares]))
    raise AssertionError(described)


def means(count: int) -> list[Mean]:
    return [Mean(np.random.default_rng(seed).normal(size=N)) for seed in range(count)]


def rankings(count: int) -> list[Influence]:
    return [Influence(m.values - m.values.mean(), np.ones(N), ()) for m in means(count)]


DESCRIBED = [
    means(3),
    rankings(3),
    [rates(seed, 1) for seed in range(3)],
    [rates(seed, 3) for seed in range(3)],
    [rates(seed, 1, f1=True) for seed in range(3)],
    [rates(seed, 2, f1=True) for seed in range(3)],
    [Rates([(np.ones(N, bool), rates(seed, 1).pairs[0][1])]) for seed in range(3)],  # all have the same trials
]


@pytest.mark.parametrize("described", DESCRIBED, ids=range(len(DESCRIBED)))
def test_a_split_moves_scores_as_scoring_its_rows_would(described: list[Any]) -> None:
    masks = np.array([np.arange(N) % 4 == 1, np.arange(N) < 7, np.arange(N) % 3 > 0], dtype=float)
    inside, outside = module._deviations(described)(masks)
    every = np.ones(N, dtype=bool)
    for row, mask in enumerate(masks > 0):
        for column, item in enumerate(described):
            whole = score_of(item, every)
            assert inside[row, column] == pytest.approx(score_of(item, ~mask) - whole)
            assert outside[row, column] == pytest.approx(score_of(item, mask) - whole)


def test_a_share_of_no_trials_is_not_known() -> None:
    trials = np.arange(N) < 3
    described = [Rates([(trials, trials)]), Rates([(trials, trials & (np.arange(N) < 1))])]
    inside, outside = module._deviations(described)(np.array([np.arange(N) < 3, np.arange(N) > 5], dtype=float))
    assert np.isnan(inside[0]).all()
    assert np.isnan(outside[1]).all()
    assert np.isfinite(inside[1]).all()
    assert np.isfinite(outside[0]).all()


@pytest.mark.parametrize("groups", [None, np.arange(N) // 3])
@pytest.mark.parametrize("at_once", [1, 3, 10**6])
def test_every_row_is_left_out_once_in_four_splits(
    groups: np.ndarray | None, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CELLS_AT_ONCE", at_once * 4 * N)
    blocks = list(module._left_out(N, groups, 40, seed=2))
    masks = np.concatenate(blocks)
    assert max(map(len, blocks)) == min(4 * at_once, 40)
    assert masks.shape == (40, N)
    for four in masks.reshape(10, 4, N):
        assert four.sum(axis=0).tolist() == [1.0] * N
        assert four.sum(axis=1).tolist() == [N / 4] * 4
    if groups is not None:
        assert (masks.reshape(40, -1, 3) == masks.reshape(40, -1, 3)[:, :, :1]).all()
    assert len(np.unique(masks.reshape(10, -1), axis=0)) == 10
    assert not np.array_equal(masks, np.concatenate(list(module._left_out(N, groups, 40, seed=3))))


def test_there_are_no_splits_of_fewer_than_four_units() -> None:
    assert list(module._left_out(3, None, 40, 0)) == []
    assert list(module._left_out(N, np.arange(N) % 3, 40, 0)) == []
    assert len(np.concatenate(list(module._left_out(4, None, 40, 0)))) == 40
    assert len(np.concatenate(list(module._left_out(N, np.arange(N) % 4, 40, 0)))) == 40


@pytest.mark.parametrize("higher", [False, True])
@pytest.mark.parametrize("described", [DESCRIBED[0], DESCRIBED[3]], ids=["means", "shares"])
def test_the_bias_is_what_the_pick_of_three_quarters_loses_on_the_fourth(described: list[Any], higher: bool) -> None:
    """By scoring each split; losses stand apart from the scores, as those of folds do."""
    sign = -1.0 if higher else 1.0
    every = np.ones(N, dtype=bool)
    losses = np.array([sign * score_of(item, every) + 0.01 * k for k, item in enumerate(described)])

    def pick(values: np.ndarray) -> int:
        return int(np.argmin(values))

    regrets = []
    for mask in np.concatenate(list(module._left_out(N, None, module.SPLITS, 9))) > 0:
        inside, outside = (
            losses + sign * np.array([score_of(item, rows) - score_of(item, every) for item in described])
            for rows in (~mask, mask)
        )
        regrets.append(outside[pick(inside)] - outside[pick(losses)])
    bias = selection_bias(described, losses, pick, 9, higher_is_better=higher)
    assert bias == pytest.approx(np.mean(regrets))
    assert abs(bias) > 1e-4


def test_what_cannot_be_told_of_a_split_is_never_picked_and_counts_for_nothing() -> None:
    """The first candidate has no score without the rows of its only trials."""
    few = np.arange(N) < 2
    described = [Rates([(few, few)]), Rates([(np.ones(N, bool), np.arange(N) % 3 > 0)])]
    first_losses: list[float] = []

    def pick(values: np.ndarray) -> int:
        assert not np.isnan(values).any()
        first_losses.append(float(values[0]))
        return int(np.argmin(values))

    bias = selection_bias(described, np.array([-1.0, -0.6]), pick, 0, higher_is_better=True)
    assert np.isfinite(bias)
    assert np.isinf(first_losses).any()
    assert module._mean_of_finite([1.0, np.nan, np.inf, 3.0, -np.inf]) == 2.0
    assert module._mean_of_finite([np.nan]) == module._mean_of_finite([]) == 0.0


def test_how_many_rows_and_shares_a_description_is_of() -> None:
    assert [module._rows(items[0]) for items in DESCRIBED[:3]] == [N] * 3
    assert [module._shares(items[0]) for items in DESCRIBED[:6]] == [1, 1, 1, 3, 1, 2]


@pytest.mark.parametrize("groups", [None, np.arange(N) // 2])
def test_a_metric_that_says_nothing_of_itself_is_scored_on_each_split(groups: np.ndarray | None) -> None:
    """In splits of which it cannot be told for any candidate it says nothing; others after them count."""
    stand_ins = [_Values(item.values) for item in means(3)]

    def loss(rows: Any) -> float:
        return float("nan") if 5 in rows.places and 6 in rows.places else float(rows.values.mean())

    def pick(values: np.ndarray) -> int:
        assert not np.isnan(values).any()
        return int(np.argmin(values))

    losses = np.array([0.3, 0.1, 0.2])
    results: list[Any] = [_Result(item) for item in stand_ins]
    whole = np.array([float(item.values.mean()) for item in stand_ins])
    bias = module._rescored(results, losses, pick, _whole_or(loss), 4, groups)
    regrets, undefined = [], 0
    for mask in np.concatenate(list(module._left_out(N, groups, module.FEWER_SPLITS, 4))) > 0:
        inside = [loss(item.take(~mask)) for item in stand_ins]
        if np.isnan(inside).all():
            undefined += 1
            continue
        outside = losses - whole + np.array([loss(item.take(mask)) for item in stand_ins])
        winner = pick(losses - whole + np.array(inside))
        regrets.append(outside[winner] - outside[pick(losses)] if winner != pick(losses) else 0.0)
    assert min(undefined, len(regrets)) > 5
    finite = np.array(regrets)[np.isfinite(regrets)]
    assert bias == pytest.approx(finite.mean())
    assert abs(bias) > 1e-4


class _Values:
    """Values of rows, instead of predictions."""

    def __init__(self, values: np.ndarray, places: list[int] | None = None) -> None:
        self.values, self.places = values, list(range(len(values))) if places is None else places

    def take(self, rows: np.ndarray) -> _Values:
        return _Values(self.values[rows], np.array(self.places)[rows].tolist())

    def __len__(self) -> int:
        return len(self.values)


class _Result:
    def __init__(self, predictions: _Values) -> None:
        self.predictions = predictions


def _whole_or(loss: Any) -> Any:
    """Of all rows the score is known."""
    return lambda rows: float(rows.values.mean()) if len(rows) == N else loss(rows)
