from __future__ import annotations

from collections import Counter

from bench import swap
from bench._load import Load
from bench.swap import Swaps

HASHES = ["a" * 64, "b" * 64]


def goals_of(
    n_bad: int = 0, n_other: int = 0, failures: tuple[str, ...] = (), rest: int = 0, n_done: int = 4
) -> list[tuple[str, bool]]:
    load = Load(latencies=[0.001] * 10, failed=n_bad, seconds=1.0)
    load.statuses[200] = 10
    models = Counter({HASHES[0]: 6, HASHES[1]: 4, "none: 500": n_other})
    swaps = Swaps({"back": [0.1] * n_done}, list(failures))
    return [(goal.figure, goal.holds) for goal in swap.outcome(load, models, swaps, HASHES, rest, 4, 500.0).goals]


def test_all_goals_hold_where_nothing_failed() -> None:
    assert [holds for _, holds in goals_of()] == [True] * 4


def test_each_goal_falls_by_its_own_fault() -> None:
    assert [holds for _, holds in goals_of(n_bad=1)] == [False, True, True, True]
    assert [holds for _, holds in goals_of(n_other=1)] == [True, False, True, True]
    assert [holds for _, holds in goals_of(rest=1)] == [True, True, True, False]
    assert goals_of(n_done=3, failures=("back: 409",))[2] == ("3 were (back: 409)", False)
