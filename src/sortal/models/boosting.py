"""What the boosters share: threads, how many rounds, how fast to learn under a clock, how long to wait for
improvement."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from sortal.models.clock import Clock
from sortal.models.family import FitRequest, OutOfTime, Settings

ROUNDS = 1000
ENOUGH_ROUNDS = 500
FASTEST, HURRIED = 0.2, 6.0
"""The fastest learning rate, but where rounds are so few that their rates would not sum to ``HURRIED``, as thirty
do."""
FEWEST_ROUNDS = 15
"""Fewer rounds than these, of .4, are a waste of the time they take."""
PILOT = {"rounds": 5, "learning_rate": 0.1}
PILOT_SHARE, LEAST_SHARE = 5 / 150, FEWEST_ROUNDS / 150
"""Of a fit that early stopping ends: 150 rounds is a typical number at the pace of a minute."""
MANY_CELLS = 2_000_000


def threads(request: FitRequest) -> int:
    """Threads of OpenMP: one, but for large matrices.

    They meet hundreds of times a round, and spin while they wait. Where another process holds a core, a round of two
    threads took up to seventy times that of one; on a free machine the second thread saves a third.
    """
    return 1 if request.train.X.size < MANY_CELLS else request.resources.threads


def patience(n_rows: int, haste: float = 1.0) -> int:
    """Rounds without improvement before stopping: 300 up to 10,000 rows, fewer above (AutoGluon's rule), at least 20.

    ``haste``: how many times the tuned learning rate is learned with; a round then does as much as so many.

    >>> patience(5_000), patience(40_000), patience(1_000_000), patience(5_000, haste=5.0)
    (300, 75, 20, 60)
    """
    return max(20, int(min(300, 300 * 10_000 // max(n_rows, 1)) / max(haste, 1.0)))


def learning_rate(slow: float, seconds_per_round: float, seconds: float, spent: float = 0.0) -> float:
    """The tuned learning rate, or a faster one where the ``seconds`` left allow fewer than ``ENOUGH_ROUNDS`` rounds of
    it. ``spent``: what the fit has taken already.

    Raises OutOfTime where the time does not allow ``FEWEST_ROUNDS`` of any rate.

    >>> learning_rate(0.04, seconds_per_round=0.01, seconds=60)
    0.04
    >>> [learning_rate(0.04, seconds_per_round=0.1, seconds=seconds) for seconds in (20, 3, 2)]
    [0.1, 0.2, 0.3]
    """
    if math.isinf(seconds):
        return slow
    affordable = seconds / max(seconds_per_round, 1e-9)
    if affordable < FEWEST_ROUNDS:
        raise OutOfTime(spent + FEWEST_ROUNDS * seconds_per_round)
    fastest = max(FASTEST, HURRIED / affordable)
    return round(min(fastest, max(slow, slow * ENOUGH_ROUNDS / affordable)), 3)


def pace(
    settings: Settings, slow: float, clock: Clock, round_seconds: Callable[[], float], share: float = 1.0
) -> dict[str, float]:
    """How fast to learn: as it is set; else as tuned (``slow``), or faster where the clock wants it.

    ``round_seconds``: what a round takes, by some that are made for that; without a clock nobody asks, and there are as
    many rounds as the ``share`` of a whole fit says.
    """
    if "learning_rate" in settings:
        return {"learning_rate": float(settings["learning_rate"])}
    if math.isinf(clock.seconds_left):
        return {"learning_rate": slow if share >= 1 else round(max(slow, min(FASTEST, slow / share)), 3)}
    return {"learning_rate": learning_rate(slow, round_seconds(), clock.seconds_left, clock.spent)}


def typical(a_round: Callable[[], object], times: int) -> float:
    """Seconds of a round on the machine as busy as it is now: the mean of a few, without the first, which sets things
    up.
    """
    seconds = []
    for _ in range(times + 1):
        start = time.perf_counter()
        a_round()
        seconds.append(time.perf_counter() - start)
    return sum(seconds[1:]) / times


@dataclass
class Stopper:
    """Early stopping: remembers the best round, and says when too many have passed since."""

    patience: int
    best_round: int = 0
    best_loss: float = math.inf

    def see(self, n_rounds: int, loss: float) -> None:
        if loss < self.best_loss:
            self.best_round, self.best_loss = n_rounds, loss

    def waited(self, n_rounds: int) -> bool:
        return self.best_round > 0 and n_rounds - self.best_round >= self.patience
