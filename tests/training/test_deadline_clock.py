"""The deadline by clocks that are told."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from sortal.training import deadline as module
from sortal.training.deadline import SKLEARN_SECONDS, Busyness, Deadline


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``monotonic``, ``process_time`` and ``perf_counter``, which stand still until they are moved."""
    now = SimpleNamespace(wall=100.0, cpu=7.0, fine=0.0)
    stand_in = SimpleNamespace(monotonic=lambda: now.wall, process_time=lambda: now.cpu, perf_counter=lambda: now.fine)
    monkeypatch.setattr(module, "time", stand_in)
    return now


def test_what_is_spent_and_left_and_how_busy_the_machine_was(clock: Any) -> None:
    deadline = Deadline(90.0, 30.0, worked=3.0)
    assert (deadline.spent, deadline.rest, deadline.busyness) == (10.0, 20.0, 10.0 / 4.0)
    clock.wall = 121.0
    assert (deadline.spent, deadline.rest) == (31.0, -1.0)
    clock.cpu = 80.0
    assert deadline.busyness == 1.0  # several threads compute more than the time that passes
    clock.cpu = 3.0
    assert deadline.busyness == pytest.approx(31.0 / 1e-3)


@pytest.mark.parametrize(("started", "worked"), [(100.0, 7.0), (95.0, 2.0), (93.0, 0.0), (50.0, 0.0)])
def test_what_was_computed_before_the_start_does_not_count(clock: Any, started: float, worked: float) -> None:
    deadline = Deadline.since(started, 60.0)
    assert (deadline.started, deadline.budget, deadline.worked) == (started, 60.0, worked)


def test_an_import_takes_as_much_longer_as_all_else(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sklearn.base", raising=False)
    assert Deadline(90.0, 30.0, worked=3.0).importing == pytest.approx(2.5 * SKLEARN_SECONDS)
    monkeypatch.setitem(sys.modules, "sklearn.base", sys)
    assert Deadline(90.0, 30.0, worked=3.0).importing == 0.0


def test_work_is_looked_at_three_times_and_then_now_and_then(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    takes = iter([2.0, 4.0, 3.0, 9.0, 9.0, 12.0, 1.0, 1.0, 1.0])
    monkeypatch.setattr(Busyness, "_look", lambda self: next(takes))
    busy = Busyness()
    assert busy.now() == 1.0
    clock.wall += Busyness.EVERY
    assert busy.now() == 1.0  # it is not long enough ago
    for mean in ((4 + 3 + 9) / 3, (3 + 9 + 9) / 3, 10.0):
        clock.wall += Busyness.EVERY + 0.01
        assert busy.now() == pytest.approx(mean / 3.0)
        assert busy.now() == pytest.approx(mean / 3.0)
    for _ in range(3):
        clock.wall += 1.0
        last = busy.now()
    assert last == 1.0  # never below


def test_a_look_is_the_time_of_some_work(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([5.0, 5.25])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(times))
    assert Busyness._look(SimpleNamespace(WORK=10)) == 0.25  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["python", "a (b) c", ") 1 2"])
def test_the_start_of_this_process_is_read_behind_its_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Field 22 is 3,000 hundredths of a second since boot; the machine is up for 50, the other clock says 1,000."""
    line = f"77 ({name}) S " + " ".join(str(field) for field in range(4, 22)) + " 3000 23 24\n"
    monkeypatch.setattr(module.Path, "exists", lambda self: True)
    monkeypatch.setattr(module.Path, "read_text", lambda self: line)
    stand_in = SimpleNamespace(monotonic=lambda: 1_000.0, clock_gettime=lambda clock: 50.0, CLOCK_BOOTTIME=7)
    monkeypatch.setattr(module, "time", stand_in)
    monkeypatch.setattr(module.os, "sysconf", lambda name: 100)
    assert module.process_start() == 1_000.0 - 20.0
    monkeypatch.setattr(module.Path, "exists", lambda self: False)
    assert module.process_start() == 1_000.0
