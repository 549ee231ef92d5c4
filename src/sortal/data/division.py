"""Which rows are set apart: as a recipe asks for, as a column tells, or none where a test could say nothing."""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Ints
from sortal.core.errors import DataError, OptionError
from sortal.core.option_values import PART_WORDS, parse_capacity
from sortal.core.recipe import Recipe
from sortal.core.sheets import NESTED
from sortal.core.table import Table
from sortal.core.writing import number
from sortal.data.split import Parts, SplitPlan, class_notes, split

LEAST_OF_A_CLASS = 4
"""Rows of a class in a test: of 3, all of them right are no more than a coin may give (Wilson, 95 %: .44 to 1)."""
MOST_ROWS = 5_000
"""The search is made once more for each outer fold: of more rows it would be a poor one. Chosen, not measured."""
OUTER = 5


def divide(table: Table, codes: Ints, recipe: Recipe) -> Parts:
    """The parts, as the recipe asks for them or as a column tells them; none, where a test could say nothing.

    Raises OptionError where what is asked for needs rows that ``--split cv`` does not set apart.
    """
    if recipe.rows.split_column is not None:
        return split_by_column(table, codes, recipe.rows.split_column)
    if recipe.rows.split == NESTED:
        _check_nested(recipe, len(codes))
        return _nested(codes, ())
    plan = SplitPlan.parse(recipe.parts)
    if _may_nest(recipe, len(codes)) and (rare := _too_rare(codes, plan.test)):
        return _nested(codes, (rare,))
    return split(table, codes, plan, recipe.search.seed)


def _check_nested(recipe: Recipe, rows: int) -> None:
    why = ""
    if recipe.goal.promises:
        why = "a promise is proven on rows that nothing else sees: --split 65/20/15"
    elif recipe.rows.time is not None:
        why = "with --time the newest rows are the test: leave one of the two out"
    elif recipe.goal.capacity is not None and parse_capacity(recipe.goal.capacity, rows).count:
        why = "so many rows at once are not decided in parts: give the capacity in percent"
    if why:
        raise OptionError(f"--split {NESTED} sets no rows apart, and {why}")


def _may_nest(recipe: Recipe, rows: int) -> bool:
    """Whether nothing was asked for that needs rows set apart, and rows are few enough to search again and again.

    The time is no reason: which rows are sealed must not hang on it, for an audit looks at all others.
    """
    requirement = (
        recipe.rows.split or recipe.rows.time or recipe.rows.group or recipe.goal.promises or recipe.goal.capacity
    )
    return not requirement and rows <= MOST_ROWS


def _too_rare(codes: Ints, share: float) -> str:
    """What a test of this share would lack, where at least half of the classes would have fewer rows than say
    anything.
    """
    expected = np.sort(np.bincount(codes)) * share
    middle = float(expected[(len(expected) - 1) // 2])
    if middle >= LEAST_OF_A_CLASS:
        return ""
    which = "the rarer class" if len(expected) == 2 else "half of the classes"
    return (
        f"a test of {100 * share:.0f} % would hold {number(middle, 1)} rows of {which}, and fewer than "
        f"{LEAST_OF_A_CLASS} say nothing even if all are right: so no row is set apart (--split 85/15 does)"
    )


def _nested(codes: Ints, notes: tuple[str, ...]) -> Parts:
    everything, none = np.arange(len(codes)), np.zeros(0, dtype=np.int64)
    outer = min(OUTER, len(codes))
    method = f"none: nested cross-validation, {outer} outer folds"
    return Parts(everything, none, none, method, notes, outer)


def split_by_column(table: Table, codes: Ints, column: str) -> Parts:
    """The parts that a column of the table names: train, valid (or val, dev) and test.

    Nothing is moved: what such parts have in common is for the audit to find. Raises DataError for another word, for a
    row without one, and where no row trains or is tested.
    """
    words_of = table[column].str.strip_chars().str.to_lowercase()
    part_words = [word for words in PART_WORDS.values() for word in words]
    other = [str(word) for word in words_of.unique().sort() if word not in part_words]
    if other:
        what = "has no value in some rows" if other == ["None"] else f"says {', '.join(repr(o) for o in other[:4])}"
        raise DataError(f"column {column!r} {what}, but parts are called train, valid and test; rename them")
    where = {name: np.flatnonzero(words_of.is_in(words).to_numpy()) for name, words in PART_WORDS.items()}
    for name in ("train", "test"):
        if not len(where[name]):
            raise DataError(f"column {column!r} says {PART_WORDS[name][0]} in no row; such a split cannot be used")
    part = np.zeros(len(table), dtype=np.int64)
    names = [name for name, rows in where.items() if len(rows)]
    for place, name in enumerate(names):
        part[where[name]] = place
    return Parts(
        where["train"],
        where["valid"],
        where["test"],
        f"as {column!r} says",
        tuple(class_notes(table, codes, part, names)),
    )
