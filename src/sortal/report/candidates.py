"""The leaderboard in text: the columns of its table, the front of score against latency, the corrected score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from sortal.record.parts import Row, Selection
from sortal.record.wording import (
    DASH,
    decimals,
    interval,
    listing,
    metric,
    microseconds,
    number,
    plain,
    seconds,
    short,
    size,
)

SECOND = "roc_auc"
"""The metric beside the one of selection."""


@dataclass(frozen=True)
class Column:
    title: str
    cells: list[str]
    right: bool = False

    @property
    def width(self) -> int:
        return max(cell_len(text) for text in (self.title, *self.cells))

    def padded(self, text: str) -> str:
        space = " " * (self.width - cell_len(text))
        return space + text if self.right else text + space


def columns(rows: Sequence[Row]) -> list[Column]:
    """The table, the most important columns first. Its figures are those on fresh rows."""
    name = rows[0].metric if rows else ""
    sizes = [row.bytes for row in rows]
    digits = min(5, 1 + max((decimals(row.score.low, row.score.high) for row in rows if row.selected), default=3))
    figures = [interval(row.score, digits=digits) for row in rows]
    table = [
        Column("  model", [("* " if row.selected else "  ") + short(row.name) for row in rows]),
        Column(metric(name), figures),
    ]
    if name != SECOND and any(SECOND in row.metrics for row in rows):
        means = [row.metrics[SECOND].mean if SECOND in row.metrics else None for row in rows]
        table.append(Column(metric(SECOND), [number(value) for value in means], right=True))
    return [
        *table,
        Column("program", [microseconds(row.program_microseconds) for row in rows], right=True),
        *([Column("size", [DASH if n is None else size(n) for n in sizes], right=True)] if any(sizes) else []),
        Column("fit", [seconds(row.fit_seconds) for row in rows], right=True),
    ]


def front(rows: Sequence[Row]) -> str:
    """The candidates than which no other is both better and faster, and which of them can be picked; empty where the
    chosen one is the only one.
    """
    front_rows = [row for row in rows if row.front]
    if len(front_rows) < 2:
        return ""
    points = [f"{plain(row.name)} {microseconds(row.program_microseconds)}" for row in front_rows]
    pickable = [plain(row.name) for row in front_rows if row.file is not None]
    others = f"; sortal pick ships {listing(pickable, most=4)} instead" if pickable else ""
    return f"nothing is both better and faster than {listing(points, most=6)}{others}"


def corrected(rows: Sequence[Row], selection: Selection) -> str:
    """The estimate as it was measured, and without the flattery of having been picked, of the model that ships."""
    selected = next((row for row in rows if row.selected), None)
    if selected is None or selection.corrected is None:
        return ""
    others = {"calibration": selection.calibration_gain, "the refit": selection.refit_gain}
    why = " and ".join(["for the choice", *(name for name, gain in others.items() if gain)])
    estimate = f"{metric(selection.metric)} {number(selected.mean, 4)} out of fold, which orders the rows"
    corrected = f"; {estimate}; corrected {why} {interval(selection.corrected, digits=4)}"
    if selection.refit_spread is None:
        return f"{corrected}, which leaves out how much the model would vary over other samples: that is not known"
    return f"{corrected}; over other samples of as many rows it would vary by {number(selection.refit_spread, 4)}"
