"""Columns made of two others: products and ratios of numbers, and numbers against the rows of their group.

Many are looked at, and few are taken: those that rank the rows by class as neither parent does. It is the recipe of
TabPrep (arXiv 2606.02384) in small; what was left out, and why, stands in docs/decisions/0045.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from sortal.core.arrays import Codes, Floats, Ints
from sortal.engine.interactions import OPERATIONS
from sortal.engine.program import Array, Program
from sortal.prepare.category import MAX_CODES
from sortal.prepare.evidence import Sample, ranked, sampled
from sortal.prepare.view import Labels

MOST = 20
"""Columns that are added at most."""
MOST_ROWS, MOST_CELLS = 4_000, 2_000_000
"""Rows that are looked at for the choice, fewer of wide tables: whatever the table, it takes some seconds at most."""
LEAST_T = 4.5
"""Standard errors that a correlation is from none, at least. They are a little too small, as what the parents tell is
learned from the same rows: of 80 tables of noise, with 300 columns to choose from, 16 had one beyond 4, 3 beyond 4.5,
none beyond 5."""
ALIKE = 0.95
"""Of two columns whose ranks correlate more than this, in either direction, one will do."""
LEAST_OF_A_GROUP = 5
"""Rows of a level that has a middle and a spread of its own; other levels have those of all rows."""
FLAT = 1e-9
"""Of the standard deviation of all rows, what is none in a level."""
LEAST_ROWS = 50
"""Of fewer rows nothing is learned of pairs."""
SIGNS = ("*", "/")
"""Of the operations of the op ``arithmetic``, in its order."""


@dataclass(frozen=True)
class Arithmetic:
    """Two numbers, by their columns, and the operation."""

    left: int
    right: int
    operation: int


@dataclass(frozen=True)
class Within:
    """A number against the rows of its group, by their columns.

    ``middle``, ``spread``: (levels + 1,) means and standard deviations, at last of all rows.
    """

    number: int
    group: int
    middle: Floats
    spread: Floats


Interaction = Arithmetic | Within


def parents(interaction: Interaction) -> tuple[int, int]:
    """The two columns that it is made of."""
    if isinstance(interaction, Arithmetic):
        return interaction.left, interaction.right
    return interaction.number, interaction.group


def name(interaction: Interaction, names: tuple[str, ...]) -> str:
    """What it is called where the columns have these names."""
    first, second = (names[parent] for parent in parents(interaction))
    sign = SIGNS[interaction.operation] if isinstance(interaction, Arithmetic) else "within"
    return f"{first} {sign} {second}"


def choose(
    matrix: Floats, numeric: Ints, categorical: Ints, labels: Labels, seed: int, smallest_count: int
) -> list[Interaction]:
    """At most ``MOST`` interactions, in the order in which ``append`` has them; none where none tells more than chance.

    ``matrix``: (n, d) training rows, NaN is missing. ``numeric`` and ``categorical``: its columns of quantities, and of
    codes 0, 1, ... A level of fewer than ``smallest_count`` rows has no figures of its own. Rows are not weighted.
    """
    most = min(MOST_ROWS, MOST_CELLS // max(matrix.shape[1], 1))
    rows = np.random.default_rng(seed).permutation(len(matrix))[:most]
    if len(rows) < LEAST_ROWS:
        return []
    sample = sampled(matrix[rows], numeric, categorical, labels.codes[rows])
    least = max(smallest_count, LEAST_OF_A_GROUP)
    ranked = [*_arithmetic(sample), *_within(sample, least)]
    interactions: list[Interaction] = []
    used_ranks: list[Floats] = []
    for t, interaction, ranks in sorted(ranked, key=lambda item: -item[0]):
        if t < LEAST_T or len(interactions) == MOST:
            break
        if not used_ranks or np.abs(np.array(used_ranks) @ ranks).max() <= ALIKE:
            used_ranks.append(ranks)
            interactions.append(_of_all_rows(interaction, matrix, least))
    return sorted(interactions, key=lambda item: isinstance(item, Within))


def append(interactions: list[Interaction], width: int) -> list[Program]:
    """Steps that append the interactions to a matrix of so many columns."""
    pairs = [item for item in interactions if isinstance(item, Arithmetic)]
    groups = [item for item in interactions if isinstance(item, Within)]
    steps = []
    arrays: dict[str, Array]
    if pairs:
        arrays = {
            "left": np.array([pair.left for pair in pairs], dtype=np.int32),
            "right": np.array([pair.right for pair in pairs], dtype=np.int32),
            "operation": np.array([pair.operation for pair in pairs], dtype=np.int8),
        }
        steps.append(Program("arithmetic", {"columns": width}, arrays))
    if groups:
        arrays = {
            "number": np.array([within.number for within in groups], dtype=np.int32),
            "group": np.array([within.group for within in groups], dtype=np.int32),
            "stop": np.cumsum([len(within.middle) for within in groups], dtype=np.int32),
            "middle": np.concatenate([within.middle for within in groups]),
            "spread": np.concatenate([within.spread for within in groups]),
        }
        steps.append(Program("within", {"columns": width + len(pairs)}, arrays))
    return steps


Ranked = Iterator[tuple[float, Interaction, Floats]]
"""How many standard errors an interaction tells beyond its parents, the interaction, and the ranks of its values."""


def _arithmetic(sample: Sample) -> Ranked:
    for left, right in combinations(sample.numbers, 2):
        pairs = [Arithmetic(left, right, 0), Arithmetic(left, right, 1), Arithmetic(right, left, 1)]
        with np.errstate(over="ignore"):
            values = [OPERATIONS[p.operation](sample.X[:, p.left], sample.X[:, p.right]) for p in pairs]
        ranks = ranked(np.column_stack(values))
        yield from zip(sample.beyond(ranks, left, right), pairs, ranks.T, strict=True)


def _within(sample: Sample, least: int) -> Ranked:
    for number, group in product(sample.numbers, sample.groups):
        x, code = sample.X[:, number], sample.X[:, group]
        middle, spread = _figures(x, code, least)
        row = _level(code, len(middle) - 1)
        ranks = ranked(((x - middle[row]) / spread[row])[:, None])
        yield sample.beyond(ranks, number, group)[0], Within(number, group, middle, spread), ranks[:, 0]


def _of_all_rows(interaction: Interaction, matrix: Floats, least: int) -> Interaction:
    """Middle and spread by all rows, where the choice saw those of a sample."""
    if isinstance(interaction, Arithmetic):
        return interaction
    middle, spread = _figures(matrix[:, interaction.number], matrix[:, interaction.group], least)
    return Within(interaction.number, interaction.group, middle, spread)


def _level(code: Floats, levels: int) -> Codes:
    """Codes as the op ``within`` takes them: what is none has the number after the last."""
    return np.where((code >= 0) & (code < levels), code, levels).astype(np.int64)


def _figures(x: Floats, code: Floats, least: int) -> tuple[Floats, Floats]:
    """(levels + 1,) mean and standard deviation of a level, and of all rows at last and where a level has fewer than
    ``least`` values, or one value only.
    """
    finite, levels = ~np.isnan(x), int(min(np.nanmax(code), MAX_CODES)) + 1
    x, at = x[finite], _level(code, levels)[finite]
    overall, deviation = x.mean(), x.std() or 1.0  # squares of very small numbers are none
    rows = np.bincount(at, minlength=levels + 1)
    middle = np.bincount(at, x, minlength=levels + 1) / np.maximum(rows, 1)
    squares = np.bincount(at, (x - middle[at]) ** 2, minlength=levels + 1)
    spread = np.sqrt(squares / np.maximum(rows, 1))
    few = rows < least
    few[-1] = True
    middle[few] = overall
    spread[few | (spread <= deviation * FLAT)] = deviation
    return middle, spread
