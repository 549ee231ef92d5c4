"""How work is cut short: by its own clock, or by a person who presses Ctrl-C and wants the best so far.

Both arrive as a signal, which Python delivers between two of its instructions: a call into a library is finished first.
Elsewhere than in the main thread of a POSIX system there are no such signals for us, and only the work's own looks at
the clock end it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN = 0.5
"""Seconds until an interruption is repeated: one that arrives while a library frees memory is lost."""


class TimeUp(BaseException):
    """The time of this piece of work is over. Like KeyboardInterrupt no error, so that nobody takes it for one."""


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Raises TimeUp in the block once so many seconds are over. Does nothing where a timer of somebody else is
    running.
    """
    if not _signals_are_ours() or seconds == float("inf") or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return

    over = False

    def ring(_: int, __: FrameType | None) -> None:
        if not over:
            raise TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3), AGAIN)
    try:
        yield
    finally:
        over = True  # first of all: a signal that came before the next lines would leave the timer running
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Interrupts:
    """What Ctrl-C does. At first it ends the run; while a choice is made it ends the search (TimeUp), once; later it is
    only noted.

    The second Ctrl-C always ends the run, and nothing is written.
    """

    def __init__(self, announce: Callable[[], None]) -> None:
        self._announce = announce
        self._searching = False
        self._something_in_hand = False
        self.asked = False

    def heard(self, number: int, frame: FrameType | None) -> None:
        """The handler of SIGINT."""
        if self.asked or not self._something_in_hand:
            signal.default_int_handler(number, frame)
        self.asked = True
        self._announce()
        if self._searching:
            raise TimeUp

    def in_hand(self) -> None:
        """From now on there is a model that the run can be finished with."""
        self._something_in_hand = True

    @contextmanager
    def searching(self) -> Iterator[None]:
        """A block that Ctrl-C may end once something is in hand."""
        self._searching = True
        try:
            yield
        finally:
            self._searching = False


@contextmanager
def finishing_on_interrupt(announce: Callable[[], None]) -> Iterator[Interrupts]:
    """Ctrl-C asks the block to finish with what it has; ``announce`` says so to the person."""
    interrupts = Interrupts(announce)
    if not _signals_are_ours() or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interrupts
        return
    signal.signal(signal.SIGINT, interrupts.heard)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _signals_are_ours() -> bool:
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
