from __future__ import annotations

import subprocess
import sys
import time

import pytest

from sortal.training.deadline import SKLEARN_SECONDS, Busyness, Deadline, process_start


@pytest.mark.clock
def test_what_is_spent_and_what_is_left_make_the_budget() -> None:
    deadline = Deadline(started=time.monotonic() - 2.0, budget=5.0)
    assert 2.0 <= deadline.spent < 2.5
    assert deadline.rest == pytest.approx(5.0 - deadline.spent, abs=0.05)


def test_a_deadline_that_has_passed_has_less_than_nothing_left() -> None:
    assert Deadline(started=time.monotonic() - 2.0, budget=1.0).rest < 0


@pytest.mark.clock
def test_busyness_is_of_the_time_since_the_start_alone() -> None:
    deadline = Deadline.since(time.monotonic(), budget=60.0)
    until = time.process_time() + 0.2
    while time.process_time() < until:
        sum(range(1000))
    computing = deadline.busyness
    time.sleep(0.6)
    assert deadline.busyness > 1.5 * computing >= 1.5


def test_what_was_computed_before_the_start_is_not_counted() -> None:
    late = Deadline.since(time.monotonic() - 1.0, budget=60.0)
    assert late.worked == pytest.approx(max(0.0, time.process_time() - 1.0), abs=0.2)


def test_this_process_was_started_in_the_past_and_only_once() -> None:
    first, second = process_start(), process_start()
    assert first < time.monotonic()
    assert first == pytest.approx(second, abs=0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="one clock for parent and child, and /proc, are Linux's")
def test_the_clock_starts_with_the_process_and_not_with_the_first_line_of_ours() -> None:
    code = "import time; time.sleep(0.5); from sortal.training.deadline import process_start; print(process_start())"
    before = time.monotonic()
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    started = float(child.stdout)
    # The kernel counts in hundredths of a second.
    assert before - 0.02 <= started <= time.monotonic() - 0.5


def test_an_import_takes_longer_on_a_busy_machine_and_nothing_the_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sklearn.base", raising=False)
    busy = Deadline(time.monotonic() - 3.0 * time.process_time(), budget=60.0)
    assert busy.importing == pytest.approx(3.0 * SKLEARN_SECONDS, rel=0.1)
    monkeypatch.setitem(sys.modules, "sklearn.base", sys)
    assert busy.importing == 0.0


def test_what_lightgbm_imports_of_scikit_learn_is_nearly_all_of_it() -> None:
    code = (
        "import time, lightgbm\n"
        "from sortal.training.deadline import Deadline\n"
        "assert Deadline(time.monotonic(), 60.0).importing == 0.0\n"
        "start = time.process_time()\n"
        "import sklearn.ensemble, sklearn.linear_model\n"
        "print(time.process_time() - start)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(process.stdout) < SKLEARN_SECONDS / 2


def test_a_look_at_the_machine_is_taken_now_and_then_alone() -> None:
    busyness = Busyness()
    start = time.process_time()
    for _ in range(1_000):
        busyness.now()
    assert time.process_time() - start < 0.1
