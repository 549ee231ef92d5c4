"""How work is cut short: by its own clock, or by a person who presses Ctrl-C and wants the best so far.

Both arrive as a signal, which Python delivers between two of its instructions: a call into a library is finished first.
Elsewhere than in the main thread of a POSIX system there are no such signals for us, and only the work's own looks at
the clock end it.
"""

from __future__ import annotations

import _thread
import signal
import sys
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


class _End:
    """A handler that ends a block by KeyboardInterrupt, and says so again until that is under way.

    What a handler raises is lost in the callback of a weak reference, and an extension module that is being imported
    makes an ImportError of it.
    """

    def __init__(self) -> None:
        self.stop_requested = False
        self.over = threading.Event()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self.stop_requested:
            self.stop_requested = True
            # Not by threading.Thread, whose lock the code may hold that the signal has stopped.
            _thread.start_new_thread(self._repeat, (number,))
        if not _interrupted(sys.exc_info()[1]):
            signal.default_int_handler(number, frame)

    def _repeat(self, number: int) -> None:
        while not self.over.wait(AGAIN):
            signal.raise_signal(number)


def _interrupted(error: BaseException | None) -> bool:
    """Whether KeyboardInterrupt is under way, and what cleans up after it is to be left alone."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


@contextmanager
def ended_by(*signals: int) -> Iterator[None]:
    """One of these signals ends the block by KeyboardInterrupt, whatever a library makes of it."""
    end = _End()
    before = {number: signal.signal(number, end) for number in signals}
    complain = sys.unraisablehook
    sys.unraisablehook = lambda args: None if args.exc_type in (KeyboardInterrupt, TimeUp) else complain(args)
    try:
        yield
    except BaseException as error:
        if end.stop_requested and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        end.over.set()
        sys.unraisablehook = complain
        for number, handler in before.items():
            signal.signal(number, handler)


class Interrupts:
    """What Ctrl-C does. At first it ends the run; while a choice is made it ends the search (TimeUp), once; later it is
    only noted.

    The second Ctrl-C always ends the run, and nothing is written.
    """

    def __init__(
        self,
        announce: Callable[[], None],
        end: Callable[[int, FrameType | None], None] = signal.default_int_handler,
    ) -> None:
        self._announce = announce
        self._end = end
        self._searching = False
        self._something_in_hand = False
        self.stop_requested = False

    def on_interrupt(self, number: int, frame: FrameType | None) -> None:
        """The handler of SIGINT."""
        if self.stop_requested or not self._something_in_hand:
            self._end(number, frame)
        self.stop_requested = True
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
    before = signal.getsignal(signal.SIGINT)
    end = before if isinstance(before, _End) else signal.default_int_handler
    interrupts = Interrupts(announce, end)
    if not _signals_are_ours() or before is not end:
        yield interrupts
        return
    signal.signal(signal.SIGINT, interrupts.on_interrupt)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


def _signals_are_ours() -> bool:
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
