from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from bench import sets
from bench._outcome import Goal, Options


def made_up(seed: int = 0, n: int = 900) -> sets.Scored:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([2.0, 1.0, 0.3], size=n)
    truth = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, 2)
    return sets.Scored("made up", p, truth.astype(np.int64))


@pytest.fixture(scope="module")
def cells() -> list[sets.Cell]:
    table = made_up()
    return [*sets.ours(table, 1000, 40), *sets.peer_cells(table, 1000, 3, ("lac", "aps"))]


def goals(cells: list[sets.Cell]) -> dict[str, Goal]:
    coverage_goals = [sets.coverage_goal(cells, "all"), sets.coverage_goal(cells, "by class"), sets.class_goal(cells)]
    return dict(
        zip(("all", "by class", "classes", "lac", "aps"), [*coverage_goals, *sets.size_goals(cells)], strict=True)
    )


def test_sets_that_do_what_they_promise_hold_every_goal(cells: list[sets.Cell]) -> None:
    assert [name for name, goal in goals(cells).items() if not goal.holds] == []


@pytest.mark.parametrize("kind", ["all", "by class"])
def test_sets_that_cover_too_little_fall_short(cells: list[sets.Cell], kind: str) -> None:
    worse_cells = [
        replace(c, coverage=c.coverage - 0.1, classes=c.classes - 0.2) if c.kind == kind else c for c in cells
    ]
    short = {name for name, goal in goals(worse_cells).items() if not goal.holds}
    assert short == ({"all"} if kind == "all" else {"by class", "classes"})


def test_larger_sets_than_the_peer_fall_short(cells: list[sets.Cell]) -> None:
    large = [replace(c, size=c.size * 3) if c.kind == "all" else c for c in cells]
    assert {name for name, goal in goals(large).items() if not goal.holds} == {"lac", "aps"}


def test_some_may_be_short_by_chance_but_not_many_and_none_far() -> None:
    rng = np.random.default_rng(0)
    exact = {str(i): rng.normal(size=50) for i in range(60)}
    assert sets.short_by_chance("exact", exact).holds
    assert not sets.short_by_chance("all a bit low", {k: x - 0.25 for k, x in exact.items()}).holds
    assert not sets.short_by_chance("one far off", {**exact, "0": exact["0"] - 1}).holds


@pytest.mark.parametrize("trials", [4, 62, 463])
def test_what_chance_allows_is_binomial(trials: int) -> None:
    assert sets.by_chance(trials, 0.02275) == binom(trials, 0.02275).ppf(0.99)


def test_rows_are_dealt_anew_and_never_fitted_and_held_against() -> None:
    table = made_up()
    parts = list(sets.deals(table, 100, 3))
    assert all(len(fit) == 100 and not set(fit) & set(fresh) for fit, fresh in parts)
    assert len({tuple(fit) for fit, _ in parts}) == 3
    assert len(next(iter(sets.deals(table, 5000, 1)))[0]) == 450


def test_coverage_is_counted_within_classes_that_have_rows() -> None:
    members = np.array([[True, False, False], [True, True, False], [False, True, False]])
    result = sets.judged(members, np.array([0, 1, 0]))
    np.testing.assert_allclose(result, [2 / 3, 4 / 3, 0.5, 1.0, np.nan])


def test_tables_that_cannot_be_scored_are_left_out_with_a_reason(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=200)
    frame = pl.DataFrame({"x": x, "constant": 1.0, "y": np.where(x > 0, "a", "b")})
    frame.write_parquet(tmp_path / "good.parquet", metadata={"target": "y"})
    frame.drop("x").write_parquet(tmp_path / "flat.parquet", metadata={"target": "y"})
    frame.write_parquet(tmp_path / "no_target.parquet")
    tables, notes = sets.scored_tables(Options(data=tmp_path))
    assert [table.name for table in tables] == ["good"]
    assert [note.split(":")[1] for note in notes] == [" flat"]
    assert (tables[0].probability.argmax(axis=1) == tables[0].truth).mean() > 0.9


def test_columns_are_numbers_or_ordered_texts_that_vary() -> None:
    frame = pl.DataFrame(
        {"n": [3.0, 1.0, float("inf"), None], "t": ["b", "a", None, "b"], "c": [1, 1, 1, 2], "b": [True, False] * 2}
    )
    values = sets.columns(frame, 3)
    np.testing.assert_allclose(values, [[3, 2, 1], [1, 1, 0], [np.nan, np.nan, 1], [np.nan, 2, 0]])


def test_the_outcome_has_a_row_a_table_and_figures_for_json(cells: list[sets.Cell]) -> None:
    result = sets.outcome([made_up()], cells, 40, ["a note"])
    assert [row[0] for row in result.rows] == ["made up"]
    assert len(result.rows[0]) == len(result.columns)
    assert len(result.figures) == len(cells) == 12
    assert result.holds
