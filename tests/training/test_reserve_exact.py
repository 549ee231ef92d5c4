"""What is left for a search, by hand: ten seconds until closing, and members that take what is told."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from sortal.training import reserve as module
from sortal.training.crossval import REFIT
from sortal.training.reserve import READING, TimeReserve, WorkReserve


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was tried is put together; half of the rows of a fold take a second for each member that is refitted."""
    monkeypatch.setattr(module, "members", lambda results: [r for r in results if r.name != "idle"])
    monkeypatch.setattr(module, "seconds_of_halving", lambda results: sum(1.0 for r in results if r.refit_seconds))


def result(name: str, refit: float = 0.0, shipping: float = 0.0, baseline: bool = False, **more: Any) -> Any:
    plain: dict[str, Any] = {"row_seconds": 0.01, "seen_row_seconds": 0.001, "work": 2.0, "efforts": ({},) * 5}
    one = SimpleNamespace(
        name=name,
        candidate=SimpleNamespace(name=name, baseline=baseline),
        refit_seconds=refit,
        shipping_seconds=shipping,
        **(plain | more),
    )
    one.results, one.fold = (one,), SimpleNamespace(max=lambda: 4)
    return one


def reserve(seconds: float = 10.0, rows: int = 0, seen_rows: int = 0, again: float = 0.0, **more: Any) -> TimeReserve:
    busy: Any = SimpleNamespace(now=lambda: 2.0)
    deadline: Any = SimpleNamespace(rest=seconds, budget=100.0, importing=0.0)
    return TimeReserve(deadline, 0.0, rows, busyness=busy, seen_rows=seen_rows, again=again, **more)


def test_closing_takes_longer_on_a_busy_machine_and_work_that_is_done_again_has_its_part() -> None:
    deadline: Any = SimpleNamespace(rest=40.0, budget=100.0, importing=4.0)
    busy: Any = SimpleNamespace(now=lambda: 2.0)
    assert TimeReserve(deadline, 5.0, 0, busyness=busy).until_closing() == 30.0
    again = TimeReserve(deadline, 5.0, 0, busyness=busy, again=3.0, repeated=2.0)
    assert again.until_closing() == 4.0 + (26.0 - 6.0) / 4.0


def test_shipping_reads_fresh_rows_and_those_that_were_seen() -> None:
    one = result("tree", shipping=2.0)
    assert reserve(rows=300, seen_rows=100).shipping(one) == pytest.approx(2.0 + 200 * 0.01 + 100 * 0.001)
    assert reserve(rows=300, seen_rows=100).for_refit([one, one]) == pytest.approx(10.0 - 2 * 4.1)
    assert reserve(rows=300, seen_rows=100, again=1.0).for_refit([one]) == pytest.approx(5.0 - 2.05)
    assert reserve().until_shipping([]) == math.inf
    assert reserve().until_shipping([one, result("idle", shipping=9.0)]) == 8.0


@pytest.mark.parametrize(
    ("refit", "seconds_left"),
    [
        (0.0, 10.0),
        (6.0, 3.0),  # the refit, and half of the rows of a fold
        (9.0, 0.0),
        (9.5, 0.5),  # there is no time for that any more
        (10.0, 0.0),
        (10.5, 10.0),  # the refit is not made, and nothing follows it
    ],
)
def test_what_does_not_fit_is_not_kept_time_for(refit: float, seconds_left: float) -> None:
    one = result("tree", refit)
    assert reserve().budget_left([one]) == pytest.approx(seconds_left)
    assert reserve().budget_left([one], [one]) == pytest.approx(10.0 - refit if refit <= 10 else 10.0)
    assert reserve().budget_left([]) == 10.0
    assert reserve().left_for_more([one]) == pytest.approx(seconds_left - refit)


def test_baselines_are_refitted_and_scored_beside_what_ships_but_for_its_members() -> None:
    tree, linear, boosted = (
        result("tree", 1.0, baseline=True),
        result("linear", 2.0, baseline=True),
        result("boosted", 4.0),
    )
    every = [tree, linear, boosted]
    scoring = 100 * (0.01 + READING)
    alone = reserve(rows=100, seen_rows=100, comparing=True)
    ship_seconds = 100 * 0.001  # of each that ships
    assert alone.budget_left(every, [boosted]) == pytest.approx(10 - ship_seconds - 2 * scoring - (4 + 1 + 2))
    assert alone.budget_left(every, [boosted, tree]) == pytest.approx(10 - 2 * ship_seconds - 2 * scoring - (4 + 1 + 2))
    # What ships alone is compared with the other one.
    assert alone.budget_left(every, [tree]) == pytest.approx(10 - ship_seconds - scoring - (1 + 2))
    assert reserve(rows=100, seen_rows=100).budget_left(every, [boosted]) == pytest.approx(10 - ship_seconds - 4)
    assert alone.for_test([tree, linear]) == pytest.approx(2 * scoring)
    assert alone.for_test([]) == 0.0


@pytest.mark.parametrize(
    ("refit", "seconds", "halving_seconds"), [(6.0, 10.0, 4.0), (10.0, 10.0, 0.0), (10.5, 10.0, 0.0), (2.0, -1.0, -1.0)]
)
def test_half_of_the_rows_are_fitted_where_the_refit_is(refit: float, seconds: float, halving_seconds: float) -> None:
    one = result("tree", refit)
    assert reserve(seconds).for_halving([one], one) == pytest.approx(halving_seconds)
    assert reserve(seconds).folds_to_halve([one], one) is None


@pytest.mark.parametrize(
    ("seconds", "shippings", "shares"),
    [
        (6.0, (4.0, 6.0), {}),  # a twenty-fifth of a hundred is added: ten seconds, just enough
        (6.0, (4.0, 7.0), {"0": 0.4, "1": 0.7}),
        (-50.0, (0.0005, 0.001), {"0": 0.5, "1": 1.0}),  # of a thousandth of a second, where none is left
    ],
)
def test_what_comes_too_late(seconds: float, shippings: tuple[float, ...], shares: dict[str, float]) -> None:
    results = [result(f"{k}", shipping=shipping) for k, shipping in enumerate(shippings)]
    assert reserve(seconds).endings(results) == pytest.approx(shares)


def work(units: float, **more: Any) -> WorkReserve:
    deadline: Any = SimpleNamespace(rest=-1.0, budget=0.0, importing=9.0)
    return WorkReserve(deadline, 0.0, 0, busyness=SimpleNamespace(now=lambda: 1.0), units=units, **more)  # type: ignore[arg-type]


def test_work_is_counted_and_no_clock_asked() -> None:
    tree, idle = result("tree", 1.0), result("idle", 0.0)
    assert (work(50.0).importing, work(50.0).budget_left([])) == (0.0, 50.0)
    assert work(50.0).budget_left([tree, idle], [tree]) == pytest.approx(50 - 2 * 5 * 2 - REFIT * 2)
    assert work(50.0).budget_left([tree, idle]) == pytest.approx(50 - 2 * 5 * 2 - REFIT * 2 - 2)
    assert work(50.0).left_for_more([tree]) == work(50.0).budget_left([tree])
    assert work(50.0).budget_left([idle], [idle]) == pytest.approx(50 - 10)  # it is not refitted
    assert work(50.0).for_halving([tree], tree) == math.inf
    assert work(50.0).endings([tree]) == {}
    assert work(50.0).at_once(None, None) == 1  # type: ignore[arg-type]
    refit_work = 10 + REFIT * 2
    for more, folds in ((0.0, 0), (2.0, 1), (3.9, 1), (4.0, 2), (10.0, 5), (90.0, 5), (-7.0, 0)):
        assert work(refit_work + more).folds_to_halve([tree], tree) == folds
