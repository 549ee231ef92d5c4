"""What each column adds to the chosen model, on rows that its fit of the first fold never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sortal.core.interval import Interval
from sortal.core.sheets import SearchOptions
from sortal.engine import compile as compile_program
from sortal.evaluate.permutation import permutation_importance
from sortal.training.candidate import Index
from sortal.training.ensemble import first_fits
from sortal.training.trained import Trained

MOST_ROWS, LEAST_ROWS = 2_000, 20
"""More rows make no figure surer that anybody reads; of fewer, no figure is sure of anything."""
MOST_COLUMNS = 30
"""Those that the model leans on most."""
SCORED_A_UNIT = 50
"""Rows that a unit of effort scores for it: 6,000 in a run of 120, which take a second or two with texts."""
COMPILING = 0.25
"""Of the seconds that shipping a model takes, those of its program."""
QUICKEST = 1e-6
"""Seconds of a row, where a clock saw none."""


@dataclass(frozen=True)
class Permuted:
    """``importance``: by column, the log-loss lost where it is shuffled, on so many ``rows``; nothing of no rows."""

    rows: int = 0
    importance: Mapping[str, Interval] = field(default_factory=dict)


NOTHING_PERMUTED = Permuted()


def permuted(trained: Trained, search: SearchOptions, seconds: float) -> Permuted:
    """As many rows of the first fold as there is time for; of a run that is repeated, as many as it had."""
    winner, folds, dev = trained.developed.choice.winner, trained.developed.folds, trained.dev
    first = first_fits(winner)
    seconds -= COMPILING * sum(member.shipping_seconds for member in winner.results)
    if first is None or not _rows(winner.row_seconds, 1, search, seconds):
        return NOTHING_PERMUTED
    score = compile_program(first.program().then(*filter(None, (trained.finalized.calibration.program,))))
    names = _strongest(score.reads, first.importance)
    index = _some(folds.parts[0][1], _rows(winner.row_seconds, 1 + len(names), search, seconds), dev.seed)
    if len(index) < LEAST_ROWS or not names:
        return NOTHING_PERMUTED
    table = dev.table.take(index)
    predictions = dev.predictions(index, score(table.columns(score.reads)), "out-of-fold")
    return Permuted(len(index), permutation_importance(score, table, predictions, names, dev.seed))


def _strongest(names: Sequence[str], weight: Mapping[str, float]) -> list[str]:
    return sorted(names, key=lambda name: (-weight.get(name, 0.0), name))[:MOST_COLUMNS]


def _rows(row_seconds: float, times: int, search: SearchOptions, seconds: float) -> int:
    """How many rows may be scored so many ``times``."""
    if search.plan:
        return search.permuted
    if search.effort is not None:
        return int(min(MOST_ROWS, SCORED_A_UNIT * search.effort / times))
    return max(int(min(MOST_ROWS, seconds / (times * max(row_seconds, QUICKEST)))), 0)


def _some(rows: Index, most: int, seed: int) -> Index:
    if most >= len(rows):
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
