from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from sortal.core.interrupt import AGAIN, TimeUp, ended_by, finishing_on_interrupt, interrupted_after


def compute(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(1000))


def test_work_ends_when_its_seconds_are_over() -> None:
    start = time.monotonic()
    with pytest.raises(TimeUp), interrupted_after(0.05):
        compute(20)
    assert time.monotonic() - start < 10


def test_work_that_is_done_in_time_is_left_alone_and_so_is_what_follows() -> None:
    with interrupted_after(0.2):
        pass
    compute(0.4)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_signal_that_comes_at_the_very_end_leaves_no_timer_running(monkeypatch: pytest.MonkeyPatch) -> None:
    before, disarm = signal.getsignal(signal.SIGALRM), signal.setitimer

    def late(timer: int, seconds: float, interval: float = 0.0) -> None:
        if seconds == 0:
            signal.raise_signal(signal.SIGALRM)
        disarm(timer, seconds, interval)

    monkeypatch.setattr(signal, "setitimer", late)
    try:
        with interrupted_after(20):
            pass
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        assert signal.getsignal(signal.SIGALRM) is before
    finally:
        disarm(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_interruption_that_is_lost_is_repeated() -> None:
    lost_interrupts = []

    def loses_the_first() -> None:
        try:
            compute(20)
        except TimeUp:
            lost_interrupts.append(True)
        compute(20)

    with pytest.raises(TimeUp), interrupted_after(0.02):
        loses_the_first()
    assert lost_interrupts == [True]


def test_a_timer_of_somebody_else_is_not_touched() -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 30)
    try:
        with interrupted_after(0.01):
            compute(0.1)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 20
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_other_threads_are_never_interrupted() -> None:
    completions = []

    def work() -> None:
        with interrupted_after(0.01):
            compute(0.1)
        completions.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert completions == [True]


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


class Fragile:
    """In the callback of a weak reference what a handler raises is lost."""

    def __del__(self) -> None:
        press()
        compute(0.01)


def test_a_signal_that_a_library_loses_ends_the_block_all_the_same() -> None:
    start = time.monotonic()

    def loses_it() -> None:
        fragile = Fragile()
        del fragile
        compute(20)

    with pytest.raises(KeyboardInterrupt), ended_by(signal.SIGINT):
        loses_it()
    assert time.monotonic() - start < 10
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_whatever_error_a_library_makes_of_it_the_block_was_interrupted() -> None:
    def imports() -> None:
        try:
            press()
            compute(20)
        except KeyboardInterrupt:
            raise ImportError("initialization failed") from None

    with pytest.raises(KeyboardInterrupt), ended_by(signal.SIGINT):
        imports()
    with pytest.raises(ImportError), ended_by(signal.SIGINT):
        raise ImportError


def test_what_cleans_up_is_not_interrupted_again() -> None:
    cleanups = []

    def cleans_up() -> None:
        try:
            press()
            compute(20)
        finally:
            compute(3 * AGAIN)
            cleanups.append(True)

    with pytest.raises(KeyboardInterrupt), ended_by(signal.SIGINT):
        cleans_up()
    assert cleanups == [True]


def test_in_a_block_that_ends_so_a_search_is_ended_first() -> None:
    def press_twice() -> None:
        with ended_by(signal.SIGINT), finishing_on_interrupt(lambda: None) as interrupts:
            interrupts.in_hand()
            with pytest.raises(TimeUp), interrupts.searching():
                press()
            press()

    with pytest.raises(KeyboardInterrupt):
        press_twice()


def test_with_nothing_in_hand_ctrl_c_ends_the_run() -> None:
    with pytest.raises(KeyboardInterrupt), finishing_on_interrupt(lambda: None) as interrupts, interrupts.searching():
        press()


def test_with_a_model_in_hand_ctrl_c_ends_the_search_once_and_then_the_run() -> None:
    messages: list[str] = []

    def press_twice() -> None:
        with finishing_on_interrupt(lambda: messages.append("finishing")) as interrupts:
            interrupts.in_hand()
            with pytest.raises(TimeUp), interrupts.searching():
                press()
            assert interrupts.stop_requested
            press()

    with pytest.raises(KeyboardInterrupt):
        press_twice()
    assert messages == ["finishing"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_after_the_search_the_first_ctrl_c_is_only_noted() -> None:
    with finishing_on_interrupt(lambda: None) as interrupts:
        interrupts.in_hand()
        with interrupts.searching():
            pass
        press()
        assert interrupts.stop_requested
