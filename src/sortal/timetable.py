"""How a run shares its budget between the audit, the search for a model and its own end, and what each step took.

How long the end will take is told before the search begins, by a rehearsal of a part of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sortal.artifact.model import PARITY_ROWS
from sortal.core.interrupt import Interrupts
from sortal.core.interval import Estimate
from sortal.core.kinds import is_item
from sortal.core.observer import Observer
from sortal.core.sheets import SearchOptions
from sortal.core.skipped import Skipped
from sortal.data.problem import Problem
from sortal.data.split import Parts
from sortal.decide.calibrate import entries
from sortal.evaluate.slices import COLUMNS
from sortal.record.parts import Phase, Row, Timing
from sortal.report import canvas, plots
from sortal.training.deadline import Deadline
from sortal.training.develop import LARGE, holdout_rows
from sortal.training.reserve import TimeReserve, WorkReserve

CELLS_A_SECOND, WHATEVER_THE_ROWS = 500_000, 10.0
"""How much of a table (rows times columns) is used for each second: framing, audit, profile and scoring of the test
take about half a microsecond of a cell, and so a quarter of these seconds. And the seconds that are for imports, the
rehearsal of the end and the end itself, whatever the rows; of less than twice as many they leave half."""
LEAST_SAMPLED = 2_000
"""Rows that are used in any case; fewer are no fair trial of any candidate."""
READING_SHARE = 0.25
"""Of the budget, after which no more images are read. Chosen, not measured: a network reads each many times."""
AUDIT_SHARE = 0.1
"""Of the budget, after which the audit ends; the checks left out are listed. Where reading took more than half of it,
of what is left."""
GUESSING_SHARE = 1 / 3
"""Of the time until the end has to begin, what importing what guessing checks need may take; training needs the rest,
and the same import."""
FOLDED = 10_000
"""Rows times classes that a second of the budget gets through all folds, so that all of them are evidence; else one
fold is."""

UNIT = 0.06
"""Seconds of a figure of the report, on the machine of docs/benchmarks.md with nothing else to do; the unit of what
follows."""
FIGURES, DRAWING = 12.0, 12.0
"""Drawing all figures of a report, and importing what draws them."""
REST, PAGE = 11.0, 6.0
"""Intervals of evidence and test, the checklist, the page and the files; and of that the page and the files alone."""
ENTRY_OF_TWO, ENTRY = 6e-5, 3e-4
"""Trying calibrators on one probability, of two classes and of more, which have dearer ones."""
CELL = 1.6e-5
"""The figures of one row and one class."""
COLUMN = 0.0025
"""A column of the table: its profile, its step in the program, and twice the check of both."""
SLICED = 0.2
"""A column that rows are sliced by."""
PROFILED = 5e-7
"""A value of the training rows, in the profile."""
EXIT = 2.0
"""The end of the process."""
OUTER = 1.2
"""Times the search that is repeated: what an outer fold may take; with less, one that is delayed would be lost."""
PERMUTING = 0.01
"""Of the budget, what measuring what columns add may take."""
MARKING = 0.02
"""Of the budget, what saying what moved the model in texts and images may take, where there are any."""
STARTING, LOOKING = 5.0, 6e-7
"""Of an effort, what the start of the process and its imports take, and of a cell of the table what reading and the
audit take: 30 s of 50 million cells."""
MOST = 0.3
"""Of the time that is left for a search, what figures may take: rather a report without them than no strong model."""


@dataclass(frozen=True)
class Size:
    """What the end of a run depends on. ``rows``: of evidence and test together; ``entries``: probabilities to
    calibrate on; ``profiled``: rows that the profile in the model file is made of.
    """

    rows: int
    classes: int
    columns: int
    entries: int
    profiled: int = 0

    @property
    def units(self) -> float:
        cells = self.rows * self.classes
        entry = ENTRY_OF_TWO if self.classes == 2 else ENTRY
        work = entry * min(self.entries, cells) + CELL * cells + PROFILED * self.profiled * self.columns
        return REST + EXIT + COLUMN * self.columns + SLICED * min(self.columns, COLUMNS) + work


@dataclass(frozen=True)
class Closing:
    """``seconds`` for calibration, figures, report and exit, refit and scoring aside; ``figures``: whether there is
    time to draw. ``page``: what the files and the exit take, after the last figure. ``work``: all of it without a
    clock, on the machine of docs/benchmarks.md. ``permuting``: of the seconds, what measuring what columns add may
    take.
    """

    seconds: float
    figures: bool
    page: float = 0.0
    work: float = 0.0
    permuting: float = 0.0

    def may_permute(self, seconds_left: float) -> float:
        """Seconds of that, with so many to go: what is late is taken from it first."""
        return max(min(self.permuting, seconds_left - self.seconds + self.permuting), 0.0)

    def may_draw(self, seconds_left: float) -> bool:
        """Whether one more figure can be drawn with so many seconds to go."""
        return self.figures and seconds_left > self.page


def affordable_rows(deadline: Deadline, rows: int, columns: int) -> int:
    """How many rows of a table that was just read there is time for: all, but where the table is large for what is left
    of the budget on a machine as busy as it is.
    """
    if math.isinf(deadline.budget):
        return rows
    seconds_left = max(deadline.rest / deadline.busyness, 0.0)
    cells = CELLS_A_SECOND * max(seconds_left - WHATEVER_THE_ROWS, seconds_left / 2)
    return min(rows, max(int(cells / max(columns, 1)), LEAST_SAMPLED))


def reading_seconds(deadline: Deadline) -> float:
    """What reading images may take; infinite without a clock."""
    return READING_SHARE * deadline.rest


def audit_seconds(deadline: Deadline) -> float:
    """What the audit may take."""
    return AUDIT_SHARE * min(deadline.budget, 2 * deadline.rest)


def search_reserve(
    search: SearchOptions, deadline: Deadline, closing: Closing, unsealed: Problem, parts: Parts, interrupts: Interrupts
) -> TimeReserve:
    """What the search for the model that ships may take: until when, or how much of the effort it has."""
    test, outer = len(parts.test), parts.outer
    n_parity, comparing = min(PARITY_ROWS, len(unsealed.codes)), test > 0
    if search.effort is None:
        return TimeReserve(
            deadline, closing.seconds, test + n_parity, comparing, interrupts, seen_rows=n_parity, again=OUTER * outer
        )
    cells = len(unsealed.codes) * len(unsealed.table.schema.columns)
    units = max(search.effort - STARTING - LOOKING * cells - closing.work, 0.0) / (1 + OUTER * outer)
    return WorkReserve(deadline, 0.0, test + n_parity, comparing, interrupts, seen_rows=n_parity, units=units)


def may_guess(deadline: Deadline, closing: Closing) -> bool:
    """Whether there is time for the checks of the audit that fit something."""
    return deadline.importing < GUESSING_SHARE * (deadline.rest - closing.seconds)


def closing_of(unsealed: Problem, sealed: int, deadline: Deadline, allowance: float) -> Closing:
    """What must follow the search for a model on ``unsealed``, with so many sealed rows, and how long it will take.
    ``allowance``: seconds of the budget, or units of the effort.
    """
    n, classes = len(unsealed.codes), len(unsealed.task.classes)
    evidence = holdout_rows(allowance) if n > LARGE else min(n, max(n // 5, int(FOLDED * allowance / classes)))
    size = Size(evidence + sealed, classes, len(unsealed.table.schema.columns), entries(allowance), n)
    closing = plan_closing(size, deadline.rest - deadline.importing, deadline.busyness)
    if math.isinf(deadline.rest) or not closing.figures:
        return closing
    permuting = PERMUTING * allowance
    marking = MARKING * allowance * any(is_item(column.kind) for column in unsealed.table.schema.features)
    return replace(closing, seconds=closing.seconds + permuting + marking, permuting=permuting)


def plan_closing(size: Size, seconds_left: float, busyness: float) -> Closing:
    """How the run will end, with ``seconds_left`` for search and end on a machine where all takes ``busyness`` times as
    long as alone.

    Where there is time to draw, a figure is drawn: that takes as long as the machine is slow, whatever makes it so.
    What drawing needs is imported by it, now that it counts.
    """
    if math.isinf(seconds_left):
        return Closing(0.0, figures=True, work=(size.units + FIGURES + DRAWING) * UNIT)
    seconds = size.units * UNIT * busyness
    if (FIGURES + DRAWING) * UNIT * busyness > MOST * (seconds_left - seconds):
        return Closing(seconds, figures=False)
    unit = _unit()
    return Closing((size.units + FIGURES) * unit, figures=True, page=(PAGE + EXIT + COLUMN * size.columns / 4) * unit)


def _unit() -> float:
    """Seconds of one figure; the first is slower, as it imports what drawing needs."""
    scores = {name: Estimate(mean, mean - 0.1, mean + 0.1) for name, mean in _ROWS.items()}
    rows = [Row(name, name, "log_loss", score.value, 0.1, score, 1.0, 1.0) for name, score in scores.items()]
    seconds = 0.0
    for _ in range(2):
        start = time.monotonic()
        with canvas.style():
            figure = plots.leaderboard(rows)
            if figure is not None:
                canvas.svg(figure)
        seconds = time.monotonic() - start
    return seconds


_ROWS = {"first": 0.3, "second": 0.4, "third": 0.5}


class Steps:
    """The steps of a run, with the seconds that each took."""

    def __init__(self, observer: Observer, deadline: Deadline) -> None:
        self.deadline = deadline
        self._observer = observer
        self._starts: list[tuple[str, float]] = [("start", 0.0)]

    def enter(self, name: str) -> None:
        """The step before ends and this one begins."""
        self._starts.append((name, self.deadline.spent))
        self._observer.phase(name.upper())

    def timing(self, skipped: Sequence[Skipped], effort: float | None = None) -> Timing:
        """Up to now. ``skipped``: what there was no time for; ``effort``: what was asked for in the place of time."""
        now = self.deadline.spent
        ends = [*(at for _, at in self._starts[1:]), now]
        phases = [Phase(name, end - at) for (name, at), end in zip(self._starts, ends, strict=True)]
        budget = None if math.isinf(self.deadline.budget) else self.deadline.budget
        return Timing(budget, now, tuple(phases), tuple(skipped), effort)
