"""What a model may take: which candidates keep within it, and what that leaves of the ensemble."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

import sortal
from sortal.artifact import store
from sortal.core import registry
from sortal.core.recipe import Recipe
from sortal.engine.program import Program
from sortal.training import finalize
from sortal.training.bounds import Bounds
from sortal.training.candidate import Candidate, fit, prepare_rows
from sortal.training.ensemble import select
from sortal.training.footprint import footprint, packed_bytes
from tests.training.conftest import development
from tests.training.test_ensemble import loss, rivals

pytestmark = pytest.mark.usefixtures("all_hurried")

FAST, SLOW, SLOWEST = 1e-4, 4e-4, 3e-3


@pytest.fixture
def results():
    seconds = (FAST, SLOW, SLOWEST)
    return [replace(r, single_row_seconds=s, packed=int(1e9 * s)) for r, s in zip(rivals(0), seconds, strict=True)]


def test_what_takes_too_long_or_too_much_is_not_chosen(results):
    left, right, nothing = results
    assert Bounds().fitting(results) == results
    assert Bounds(latency=1e-3).fitting(results) == [left, right]
    assert Bounds(size=200_000).fitting(results) == [left]
    assert Bounds(latency=1e-3, size=200_000).fitting(results) == [left]
    assert Bounds(latency=1e-5).fitting(results) == [left]
    assert Bounds(latency=1e-3).objection(right) == ""
    assert Bounds(latency=1e-3).objection(nothing) == "takes 3.0 times --max-latency"
    both = Bounds(latency=1e-3, size=200_000).objection(nothing)
    assert both == "takes 3.0 times --max-latency and takes 15.0 times --max-size"


def test_what_an_earlier_run_measured_decides_again(results):
    slow_then = Bounds(latency=1e-3, latency_shares={"left": 1.5, "right": 0.2, "nothing": 0.2})
    assert slow_then.fitting(results) == results[1:]
    assert slow_then.shares(results).tolist() == [[1.5], [0.2], [0.2]]


def test_an_ensemble_keeps_within_what_its_members_take_together(results):
    left, right, _ = results
    assert len(select([left, right], loss, 0, bounds=Bounds(latency=6e-4)).results) == 2
    assert select([left, right], loss, 0, bounds=Bounds(latency=45e-5)) is None


def test_reading_a_row_is_part_of_what_it_takes():
    dev, _ = development(2)
    bounds = Bounds.of(Recipe.of("y", max_latency="1s", max_size="1MB").search, dev)
    assert 0.9 < bounds.latency < 1 - 5e-6
    assert bounds.size == 1_000_000 - 10_000 - 3 * 400


@pytest.mark.parametrize(("name", "settings"), [("extra_trees", {"trees": 40}), ("logistic", {})])
def test_the_size_is_about_that_of_the_file(tmp_path, name, settings):
    dev, _ = development(2, rows=4000)
    family = registry.load("sortal.models", name)
    pipeline = fit(Candidate(name, family), prepare_rows(dev, np.arange(4000), family.view), dev, settings)
    takes = footprint(pipeline, dev, np.arange(400))
    assert 0 < takes.row_seconds < takes.single_row_seconds
    members = {}
    store._pack(pipeline.program(), members, iter(range(10_000)), {})
    store.archive.write(tmp_path / "m.zip", members, "1")
    file = (tmp_path / "m.zip").stat().st_size
    assert takes.packed == pytest.approx(file, rel=0.15, abs=3_000)


def test_pieces_of_a_large_array_tell_how_it_packs():
    rng = np.random.default_rng(0)
    noise, zeros = rng.normal(size=400_000), np.zeros(400_000)
    both = packed_bytes(Program("x", arrays={"a": np.concatenate([noise, zeros])}))
    alone = packed_bytes(Program("x", arrays={"a": noise}))
    assert both == pytest.approx(alone, rel=0.1)


def test_a_network_beside_the_file_is_no_part_of_its_size():
    graph = Program("onnx", {"columns": 4}, {"graph": np.frombuffer(np.random.default_rng(0).bytes(10_000), np.uint8)})
    last = Program("linear", arrays={"coef": np.ones((1, 4))})
    reading = Program("once", {"column": "t"}, steps=(Program("tokens").then(graph),)).then(last)
    assert packed_bytes(reading) > 10_000 > 1_000 > packed_bytes(reading, networks=False)
    own = graph.then(last)  # one that is trained here is always in the file
    assert packed_bytes(own, networks=False) == packed_bytes(own)


def test_a_run_within_bounds_says_so_and_repeats(churn: pl.DataFrame, tmp_path) -> None:
    options = {"models": ["kernel_svm"], "budget": 600, "max_size": "25kB"}
    run = sortal.train(churn.head(300), target="Churn", out=tmp_path / "run", **options)
    rows = {row.name: row for row in run.record.leaderboard}
    assert "times --max-size" in rows["kernel_svm"].note
    assert rows["kernel_svm"].bytes > 25_000
    assert "kernel_svm do not" in run.record.selection.explanation
    assert run.record.artifact.bytes <= 25_000
    assert run.record.artifact.exceeds == ()
    sortal.train(churn.head(300), recipe=tmp_path / "run" / "recipe.toml", out=tmp_path / "again")
    assert (tmp_path / "again" / "model.sortal").read_bytes() == (tmp_path / "run" / "model.sortal").read_bytes()


def test_a_refit_that_outgrew_its_bound_is_not_blamed_on_the_clock(
    churn: pl.DataFrame, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finalize, "packed_bytes", lambda program, networks: 10**9)
    options = {"models": ["logistic"], "budget": 600, "max_size": "10MB"}
    run = sortal.train(churn.head(200), target="Churn", out=tmp_path / "run", **options)
    again = sortal.train(churn.head(200), recipe=tmp_path / "run" / "recipe.toml", out=tmp_path / "again")
    for record in (run.record, again.record):
        [item] = [item for item in record.checklist if item.item == "refit and calibration"]
        assert item.status == "fails"
        assert "the model of the first fold" in item.evidence
        assert "a refit is larger than --max-size allows" in item.evidence
    assert (tmp_path / "again" / "model.sortal").read_bytes() == (tmp_path / "run" / "model.sortal").read_bytes()


def test_what_nothing_keeps_within_is_told(churn: pl.DataFrame, tmp_path) -> None:
    run = sortal.train(
        churn.head(300), target="Churn", models=["logistic"], budget=600, max_latency="1us", out=tmp_path / "run"
    )
    assert "nothing keeps within the bounds" in run.record.selection.explanation
    assert "more than the 1.0 µs of --max-latency" in run.record.artifact.exceeds[0]
    plan = Recipe.read(tmp_path / "run" / "recipe.toml").search.plan
    assert all(planned.latency > 1 for planned in plan)


@pytest.mark.parametrize(
    ("bounds", "changes", "objection"),
    [
        (Bounds(size=500), {"packed": 500}, ""),
        (Bounds(size=500), {"packed": 501}, "takes 1.0 times --max-size"),
        (Bounds(latency=0.25), {"single_row_seconds": 0.25}, ""),
        (Bounds(latency=0.25), {"single_row_seconds": 0.5}, "takes 2.0 times --max-latency"),
        (Bounds(latency=0.25, latency_shares={"a": 1.0}), {"single_row_seconds": 9.0}, ""),
        (Bounds(latency=0.25, latency_shares={"a": 1.5}), {"single_row_seconds": 0.0}, "takes 1.5 times --max-latency"),
        (Bounds(endings={"a": 1.0}), {}, ""),
        (Bounds(endings={"a": 1.01}), {}, "came too late to be shipped in time"),
        (
            Bounds(0.25, 500, {}, {"a": 2.0}),
            {"packed": 1_500, "single_row_seconds": 0.75},
            "takes 3.0 times --max-latency and takes 3.0 times --max-size and came too late to be shipped in time",
        ),
    ],
)
def test_what_takes_just_all_that_it_may_is_within(bounds: Bounds, changes: dict, objection: str) -> None:
    def result(name: str, **more: float) -> SimpleNamespace:
        return SimpleNamespace(name=name, **({"packed": 1, "single_row_seconds": 0.001} | more))

    own, other = result("a", **changes), result("b")
    assert bounds.objection(own) == objection
    assert bounds.fitting([own, other]) == ([other] if objection else [own, other])
    assert bounds.fitting([own]) == [own]  # what is nearest to it, where none is within
