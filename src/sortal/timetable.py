"""How long the end of a run will take, told before the search for a model begins: by a rehearsal of a part of it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sortal.report import plots
from sortal.report.record import Row

UNIT = 0.06
"""Seconds of a figure of the report, on the machine of docs/benchmarks.md with nothing else to do; the unit of what follows."""
FIGURES, DRAWING = 9.0, 12.0
"""Drawing all figures of a report, and importing what draws them."""
REST, PAGE = 14.0, 6.0
"""Intervals of evidence and test, the checklist, the page and the files; and of that the page and the files alone."""
ENTRY = 4e-4
"""Trying calibrators on one probability."""
CELL = 2e-5
"""The figures of one row and one class."""
COLUMN = 0.015
"""A column of the table: its profile, its step in the program, and twice the check of both."""
PROFILED = 8e-7
"""A value of the training rows, in the profile."""
EXIT = 2.0
"""The end of the process."""
MOST = 0.25
"""Of the time that is left, what figures may take: rather a report without them than no model."""


@dataclass(frozen=True)
class Size:
    """What the end of a run depends on. ``rows``: of evidence and test together; ``entries``: probabilities to calibrate on;
    ``profiled``: rows that the profile in the model file is made of.
    """

    rows: int
    classes: int
    columns: int
    entries: int
    profiled: int = 0

    @property
    def units(self) -> float:
        cells = self.rows * self.classes
        told = ENTRY * min(self.entries, cells) + CELL * cells + PROFILED * self.profiled * self.columns
        return REST + EXIT + COLUMN * self.columns + told


@dataclass(frozen=True)
class Closing:
    """``seconds`` for calibration, figures, report and exit, refit and scoring aside; ``figures``: whether there is time to draw.
    ``page``: what the files and the exit take, after the last figure.
    """

    seconds: float
    figures: bool
    page: float = 0.0

    def may_draw(self, left: float) -> bool:
        """Whether one more figure can be drawn with so many seconds to go."""
        return self.figures and left > self.page


def plan_closing(size: Size, left: float, busyness: float) -> Closing:
    """How the run will end, with ``left`` seconds to go on a machine where all takes ``busyness`` times as long as alone.

    Where there is time to draw, a figure is drawn: that takes as long as the machine is slow, whatever makes it so. What drawing
    needs is imported by it, now that it counts.
    """
    if (FIGURES + DRAWING) * UNIT * busyness > MOST * left:
        return Closing(size.units * UNIT * busyness, figures=False)
    unit = _unit()
    return Closing((size.units + FIGURES) * unit, figures=True, page=(PAGE + EXIT + COLUMN * size.columns) * unit)


def _unit() -> float:
    """Seconds of one figure; the first is slower, as it imports what drawing needs."""
    rows = [Row(name, name, "log_loss", mean, 0.1, mean - 0.1, mean + 0.1, 1.0, 1.0) for name, mean in _ROWS.items()]
    seconds = 0.0
    for _ in range(2):
        start = time.monotonic()
        with plots.style():
            figure = plots.leaderboard(rows)
            if figure is not None:
                plots.svg(figure)
        seconds = time.monotonic() - start
    return seconds


_ROWS = {"first": 0.3, "second": 0.4, "third": 0.5}
