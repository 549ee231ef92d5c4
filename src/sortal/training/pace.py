"""How long a fit takes: told from short fits on few rows, on the machine as busy as it is now; or without a clock, in
units of work."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sortal.models.family import Size
from sortal.training.candidate import Candidate, Development, Index, fit, prepare_rows, sample
from sortal.training.footprint import footprint

FEW_CELLS = 400_000
"""Numbers in a table that any family gets through in a second or two: its pace is not worth a look."""
WARM, FEW, MORE = 200, 1_000, 8_000
"""Rows of the short fits. The first of them only imports what a family needs."""
LOOK_SHARE = 0.1
"""Of the time of a candidate, what the second look may take."""
FIXED = 0.5
"""Of the first look, what is taken for the same whatever the rows where there is no second: less than it is (three
quarters of a round of a booster), and only where the fit itself notices that it was not so."""
STEEPER = 1.15
"""Sorting and deeper trees make a row of many a little dearer than a row of few."""


@dataclass(frozen=True)
class Pace:
    """Seconds that one fit of a candidate takes, preparation included: some whatever the rows, and some for each row;
    and what it takes ``after`` the fit, to predict the rows that it is judged by and to make a program of it.

    >>> Pace(1.0, 0.001).seconds(2_000), Pace(1.0, 0.001).rows(3.0), Pace(1.0, 0.001, 1.0).fit_share(2_000)
    (3.0, 2000, 0.75)
    """

    fixed: float
    per_row: float
    after: float = 0.0

    def seconds(self, rows: int) -> float:
        return self.fixed + self.per_row * rows + self.after

    def rows(self, seconds: float) -> int:
        """How many rows can be fitted in so many seconds."""
        if self.per_row <= 0 or math.isinf(seconds):
            return 1 << 62
        return max(0, int((seconds - self.fixed - self.after) / self.per_row))

    def fit_share(self, rows: int) -> float:
        """Of the time of a candidate, what the fit may take: where that is cut short, so is what follows."""
        return 1 - self.after / self.seconds(rows) if self.after else 1.0


AT_ONCE = Pace(0.0, 0.0)


def look(candidate: Candidate, dev: Development, parts: Sequence[tuple[Index, Index]], seconds: float) -> Pace:
    """The pace of a candidate, from one or two short fits on some of the training rows of the first of ``parts``, which
    are (training, validation) rows a fold.

    ``seconds``: what the candidate may take; a second look is taken only where it costs little of that. Where all rows
    are hardly more than the first look would see, it would be the fit itself: only of families that stop early it tells
    how many folds there are time for.
    """
    train, valid = parts[0]
    n, cells = len(train), len(train) * len(dev.table.schema.features) * len(dev.classes)
    small = cells <= FEW_CELLS and not dev.has_items
    if (n <= FEW and not candidate.family.early_stopping) or (small and candidate.family.interruptible):
        return AT_ONCE
    if n > FEW:
        _short(candidate, dev, train, WARM)
    few = _short(candidate, dev, train, FEW)
    after = few.predicting * len(valid) + few.shipping / len(parts)
    if n < 2 * MORE or few.took * MORE / FEW > LOOK_SHARE * seconds:
        fixed = FIXED * few.whole if candidate.family.interruptible else 0.0
        return Pace(fixed, STEEPER * (few.whole - fixed) / min(FEW, n), after)
    more = _short(candidate, dev, train, MORE)
    per_row = max(more.whole - few.whole, 0.0) / (MORE - FEW)
    return Pace(max(few.whole - per_row * FEW, 0.0), STEEPER * per_row, after)


def work_pace(candidate: Candidate, size: Size) -> Pace:
    """Units that a whole fit of a candidate takes on a table of this size, and for each row."""
    family = candidate.family
    times = math.prod(family.dearer.get(setting, 1.0) for setting in candidate.settings.items())
    fixed = times * family.work.units(0, size.columns, size.classes)
    return Pace(fixed, times * family.work.units(1, size.columns, size.classes) - fixed)


class _Short(NamedTuple):
    """Seconds that a short fit took, and those that a whole one on the same rows would; what ``predicting`` a row takes
    then, and ``shipping`` it: its program, and a file of that.
    """

    took: float
    whole: float
    predicting: float
    shipping: float


def _short(candidate: Candidate, dev: Development, train: Index, rows: int) -> _Short:
    """A short fit on so many rows; its result is thrown away, and a repeated run does without it."""
    family = candidate.family
    start = time.monotonic()
    matrix = prepare_rows(dev, sample(dev, train, rows), family.view)
    preparing = time.monotonic() - start
    pipeline = fit(candidate, matrix, dev, family.pilot, purpose="repeat")
    fitting = time.monotonic() - start - preparing
    pipeline.predict_proba(matrix.X)
    predicting = time.monotonic() - start - preparing - fitting
    filing = time.monotonic()
    shipping = footprint(pipeline, dev, train).shipping_seconds
    filing = time.monotonic() - filing
    share, setup = family.pilot_share, min(pipeline.fitted.setup_seconds, fitting)
    return _Short(
        took=time.monotonic() - start,
        whole=preparing + setup + (fitting - setup) / share,
        predicting=predicting / len(matrix.y) / share,
        shipping=shipping / share + filing,
    )
