"""What a benchmark is told, and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Options:
    """``data``: a folder of parquet tables. ``reps``: runs of each, with seeds 0, 1, ... ``budget``: seconds a run.

    ``case``: the one case to try, where a benchmark has cases. ``rows``: of each table to learn from; ``peers``: a
    folder of their environments. ``resume``: a file of what is finished, where a study takes hours.
    """

    data: Path | None = None
    reps: int = 1
    budget: float = 60.0
    fast: bool = False
    case: str = ""
    rows: int = 20_000
    peers: Path | None = None
    resume: Path | None = None


@dataclass(frozen=True)
class Goal:
    """What was to be shown, the figure that was found, and whether that is enough."""

    goal: str
    figure: str
    holds: bool

    def __str__(self) -> str:
        return f"GOAL: {self.goal}, {self.figure}: {'holds' if self.holds else 'falls short'}"


@dataclass(frozen=True)
class Outcome:
    """``columns`` and ``rows``: the table, as text. ``notes``: for its reader. ``figures``: JSON values."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    goals: Sequence[Goal]
    notes: Sequence[str] = ()
    figures: Sequence[dict[str, Any]] = field(default_factory=tuple)

    @property
    def holds(self) -> bool:
        return all(goal.holds for goal in self.goals)

    def __str__(self) -> str:
        table = [self.columns, *self.rows]
        widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in table]
        return "\n".join([self.title, "", *lines, "", *self.notes, *map(str, self.goals)])

    def as_json(self) -> dict[str, Any]:
        goals = [{"goal": g.goal, "figure": g.figure, "holds": bool(g.holds)} for g in self.goals]
        return {"title": self.title, "figures": list(self.figures), "goals": goals, "notes": list(self.notes)}
