"""Whether something is refitted, on which rows, and what is said where it is not."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sortal.core.interrupt import TimeUp
from sortal.core.predictions import Predictions
from sortal.training import finalize as module
from sortal.training.finalize import Limits, refit_member

ROWS = np.arange(100)


def member(rows: int = 80, sample_rows: int | None = None) -> Any:
    """A candidate whose fit of the first fold saw so many rows."""
    return SimpleNamespace(pipeline=SimpleNamespace(rows=rows, saw=ROWS[:rows]), rows=sample_rows, refit_seconds=1.0)


def winner(*members: Any, seconds: float = 1.0) -> Any:
    return SimpleNamespace(results=members, weights=(1 / len(members),) * len(members), refit_seconds=seconds)


@pytest.fixture
def refits(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was refitted, on how many rows; a refit of 300 bytes."""
    calls: list[Any] = []

    def refitted(best, dev, rows, limits):
        calls.append((best, len(rows), limits))
        if limits.entries == 13:
            raise TimeUp
        return SimpleNamespace(program=lambda: "program", members=("new",))

    monkeypatch.setattr(module, "_refitted", refitted)
    monkeypatch.setattr(module, "packed_bytes", lambda program, networks: 300 if networks else 100)
    monkeypatch.setattr(module, "first_fits", lambda result: None if result.weights == (0.0,) else "first")
    return calls


@pytest.mark.parametrize(
    ("limits", "seconds", "expected"),
    [
        (Limits(), 1.0, None),
        (Limits(lambda: 10.0), 12.0, None),  # it may take a fifth longer than is left
        (Limits(lambda: 10.0), 12.1, "time"),
        (Limits(lambda: 0.0), 0.0, None),
        (Limits(refit=False), 0.0, "time"),
        (Limits(entries=13), 1.0, "time"),  # the refit is interrupted
        (Limits(size=300), 1.0, None),
        (Limits(size=299), 1.0, "size"),
    ],
)
def test_why_nothing_is_refitted(limits: Limits, seconds: float, expected: str | None, refits: list[Any]) -> None:
    best, dev = winner(member(), seconds=seconds), SimpleNamespace(networks=True)
    ensemble, reason = module._refit(best, dev, ROWS, limits)  # type: ignore[arg-type]
    assert reason == expected
    assert (ensemble == "first") == (expected is not None)
    assert [(result is best, rows, its_limits is limits) for result, rows, its_limits in refits] == (
        [] if seconds == 12.1 or not limits.refit else [(True, 100, True)]
    )


def test_networks_beside_the_file_are_no_part_of_its_size(refits: list[Any]) -> None:
    for networks, reason in ((True, "size"), (False, None)):
        dev: Any = SimpleNamespace(networks=networks)
        assert module._refit(winner(member()), dev, ROWS, Limits(size=200))[1] == reason


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([member(86)], None),  # 100 rows are more than 1.15 times as many
        ([member(87)], "rows"),
        ([member(95), member(80)], None),  # of one of two
        ([member(95), member(95)], "rows"),
        ([member(40, sample_rows=40)], "rows"),  # it was given a sample, of which a refit would see no more
        ([member(40, sample_rows=50)], None),
    ],
)
def test_a_refit_sees_more_rows_or_it_is_none(members: list[Any], reason: str | None, refits: list[Any]) -> None:
    dev: Any = SimpleNamespace(networks=True)
    assert module._refit(winner(*members), dev, ROWS, Limits())[1] == reason


def test_where_no_fit_was_kept_there_is_a_refit_whatever_it_takes(refits: list[Any]) -> None:
    best = winner(member())
    best.weights = (0.0,)
    dev: Any = SimpleNamespace(networks=True)
    ensemble, reason = module._refit(best, dev, ROWS, Limits(lambda: 0.0, refit=False, size=1))
    assert (ensemble.members, reason) == (("new",), None)
    assert refits[0][2].seconds() == float("inf")


def test_a_member_is_refitted_on_its_sample_and_told_its_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(module, "sample", lambda dev, rows, most: rows if most is None else rows[:most])
    monkeypatch.setattr(module, "prepare_rows", lambda dev, rows, view: (len(rows), view))

    def fit(candidate, matrix, dev, effort, *, purpose):
        calls.append((candidate.name, matrix, effort, purpose))
        return "refit"

    monkeypatch.setattr(module, "fit", fit)
    candidate = SimpleNamespace(name="tree", family=SimpleNamespace(view="plain"))
    result: Any = SimpleNamespace(candidate=candidate, effort={"rounds": 9}, rows=60, pipeline=member(40).pipeline)
    assert refit_member(result, None, ROWS, Limits()) == "refit"  # type: ignore[arg-type]
    assert calls == [("tree", (60, "plain"), {"rounds": 9}, "ship")]
    result.pipeline = member(55).pipeline  # 60 rows are hardly more
    assert refit_member(result, None, ROWS, Limits()) is result.pipeline  # type: ignore[arg-type]
    result.pipeline = None
    assert refit_member(result, None, ROWS, Limits()) == "refit"  # type: ignore[arg-type]


def test_what_fits_saw_is_told_of_refits_and_of_what_is_evaluated_anew() -> None:
    old, new = member(80), member(80)
    ensemble: Any = SimpleNamespace(members=(old.pipeline, SimpleNamespace(saw=ROWS)))
    best = winner(old, new)
    valid_rows = Predictions(("a", "b"), np.array([7, 8]), np.array([0, 1]), np.full((2, 2), 0.5), "valid")
    assert module._new_fits(best, None) == ()
    (only,) = module._new_fits(best, ensemble)
    assert (len(only.saw), only.evaluated.tolist()) == (100, [])
    both = module._new_fits(best, ensemble, valid_rows)
    assert [(len(fit.saw), fit.evaluated.tolist()) for fit in both] == [(80, [7, 8]), (100, [7, 8])]


def test_limits_are_none_unless_they_are_named() -> None:
    limits = Limits()
    assert (limits.seconds(), limits.refit, limits.size) == (float("inf"), True, None)
    assert replace(limits, size=5).size == 5


def test_a_refit_is_ended_when_its_seconds_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds are those of before its preparation."""
    calls: list[Any] = []
    seconds_left = iter([7.0, 1.0])
    until = module.interrupted_after
    monkeypatch.setattr(module, "sample", lambda dev, rows, most: rows)
    monkeypatch.setattr(module, "prepare_rows", lambda dev, rows, view: calls.append("prepared"))
    monkeypatch.setattr(module, "interrupted_after", lambda seconds: (calls.append(seconds), until(math.inf))[1])
    monkeypatch.setattr(module, "fit", lambda *a, **k: calls.append("fitted"))
    candidate = SimpleNamespace(name="tree", family=SimpleNamespace(view="plain"))
    result: Any = SimpleNamespace(candidate=candidate, effort={}, rows=None, pipeline=None)
    refit_member(result, None, ROWS, Limits(lambda: next(seconds_left)))  # type: ignore[arg-type]
    assert calls == ["prepared", 7.0, "fitted"]


def test_members_are_refitted_in_their_order_and_keep_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(module, "refit_member", lambda *a: calls.append(a) or f"refit of {a[0]}")
    best: Any = SimpleNamespace(results=("b", "a", "c"), weights=(0.5, 0.2, 0.3))
    limits, dev = Limits(), object()
    ensemble = module._refitted(best, dev, ROWS, limits)  # type: ignore[arg-type]
    assert ensemble.members == ("refit of b", "refit of a", "refit of c")
    assert ensemble.weights == (0.5, 0.2, 0.3)
    assert calls == [(name, dev, ROWS, limits) for name in "bac"]
