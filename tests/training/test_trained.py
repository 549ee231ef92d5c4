"""What a training says of itself, and what of its recipe reaches it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from sortal.core.recipe import Recipe
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.models.family import Resources
from sortal.training import trained as module
from sortal.training.baselines import ShippedBaseline
from sortal.training.fit_log import FitRows
from sortal.training.trained import EFFORT_THREADS, Trained, development


def result(name: str, baseline: bool = True) -> Any:
    return SimpleNamespace(candidate=SimpleNamespace(name=name, baseline=baseline), name=name)


def of(*baselines: ShippedBaseline, winner: str = "boosted", results: tuple[Any, ...] = ()) -> Trained:
    explored = SimpleNamespace(results=results)
    developed: Any = SimpleNamespace(
        explored=explored, choice=SimpleNamespace(winner=result(winner)), fits=(FitRows(np.array([1])),)
    )
    finalized: Any = SimpleNamespace(fits=(FitRows(np.array([2])),))
    return Trained(None, developed, finalized, baselines)  # type: ignore[arg-type]


def baseline(name: str, new: bool) -> ShippedBaseline:
    pipeline: Any = SimpleNamespace(saw=np.array([len(name)]))
    return ShippedBaseline(name, pipeline, new)


def test_baselines_that_nobody_compared_are_those_that_were_neither_shipped_nor_chosen() -> None:
    results = (result("majority"), result("tree"), result("logistic"), result("boosted", baseline=False))
    assert of(baseline("tree", True), results=results).uncompared == ("majority", "logistic")
    assert of(winner="logistic", results=results).uncompared == ("majority", "tree")
    assert of(*(baseline(s.name, True) for s in results), results=results).uncompared == ()


def test_a_baseline_that_was_fitted_for_the_test_is_a_fit_and_another_is_none() -> None:
    fits = of(baseline("tree", True), baseline("logistic", False), baseline("majority", True)).fits
    assert [fit.saw.tolist() for fit in fits] == [[1], [2], [4], [8]]


def test_members_that_ship_are_not_fitted_once_more() -> None:
    a, b, c = result("a"), result("b"), result("c")
    finalized: Any = SimpleNamespace(ensemble=SimpleNamespace(members=("fit of a", "fit of b")))
    winner: Any = SimpleNamespace(results=(a, b))
    assert module._of_members([b, c], winner, finalized) == [ShippedBaseline("b", "fit of b", new=False)]  # type: ignore[arg-type]
    assert module._of_members([c], winner, finalized) == []


def test_what_is_compared_are_the_baselines_beside_the_chosen_one_that_an_earlier_run_had_time_for() -> None:
    results = [result("majority"), result("tree"), result("logistic"), result("boosted", baseline=False)]
    developed: Any = SimpleNamespace(
        choice=SimpleNamespace(winner=results[1]), explored=SimpleNamespace(results=results)
    )
    search = Recipe.of("y").search
    assert module._to_compare(developed, search) == [results[0], results[2]]
    assert module._to_compare(developed, replace(search, uncompared=("majority",))) == [results[2]]


@pytest.mark.parametrize(
    ("options", "threads", "device"),
    [
        ({}, None, "auto"),
        ({"device": "cpu"}, None, "cpu"),
        ({"effort": 1}, EFFORT_THREADS, "cpu"),
        ({"effort": 1, "device": "cpu"}, EFFORT_THREADS, "cpu"),
    ],
)
def test_of_a_run_without_a_clock_the_machine_has_no_say(
    options: dict[str, Any], threads: int | None, device: str
) -> None:
    resources = module._resources(Recipe.of("y", **options).search)
    assert (resources.threads, resources.device) == (threads or Resources.here().threads, device)


def test_a_graphics_processor_that_was_asked_for_is_there_or_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bool] = []
    monkeypatch.setattr(module, "require_graphics_processor", lambda: calls.append(True))
    for options, device in (({"device": "cuda"}, "cuda"), ({"device": "cuda", "effort": 1}, "cuda")):
        assert module._resources(Recipe.of("y", **options).search).device == device
    assert calls == [True, True]
    module._resources(Recipe.of("y").search)
    assert len(calls) == 2


def rows(groups: list[str] | None, values: list[float]) -> Table:
    frame = pl.DataFrame(
        {"x": values, "z": np.arange(len(values)) // 2 * 1.5} | ({} if groups is None else {"who": groups})
    )
    columns = [Column("x", "number", "feature"), Column("z", "number", "feature")]
    columns += [] if groups is None else [Column("who", "category", "group")]
    return Table(Schema(tuple(columns)), frame, np.arange(len(values)))


def test_rows_that_belong_together_are_groups_records_or_both() -> None:
    ungrouped = rows(None, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert module._units(ungrouped) is None
    groups = rows(["b", "b", "a", "a", "c", "c"], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    units = module._units(groups)
    assert units is not None
    assert [np.flatnonzero(units == units[k]).tolist() for k in (0, 2, 4)] == [[0, 1], [2, 3], [4, 5]]


def test_the_options_of_a_recipe_are_those_of_the_rows_to_develop_on() -> None:
    table = rows(["b", "b", "a", "a", "c", "c"], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    recipe = Recipe.of("y", seed=7, smallest_count=3, select=2, embed_backbone=False)
    task: Any = SimpleNamespace(classes=("n", "p"), cost_columns=("cell",))
    codes = np.array([0, 1, 0, 1, 0, 1])
    dev = development(table, codes, task, recipe)
    assert (dev.seed, dev.smallest_count, dev.select, dev.networks) == (7, 3, 2, False)
    assert (dev.classes, dev.cost_columns) == (("n", "p"), ("cell",))
    assert dev.table is table
    assert dev.codes is codes
    assert dev.units is not None
