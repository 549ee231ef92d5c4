"""What the options of a run may be, whatever the data are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sortal.core import registry
from sortal.core.costs import MOST_COST
from sortal.core.errors import OptionError
from sortal.core.plain import quoted
from sortal.core.plan import check_plan

if TYPE_CHECKING:
    from sortal.core.recipe import Recipe

SEEDS = 2**32
"""Seeds that numpy's, scikit-learn's and the boosters' generators take."""
MOST_SECONDS = 366 * 24 * 3600
"""Of a budget: a year."""
MOST_COLUMNS = 1_000_000
MOST_ROWS = 2**40
LEAST_SHARE = 1e-9
"""Of rows, and of doubt: nothing smaller can be told from nothing with the rows of any table."""
MOST_BETA = 1_000


def check_options(recipe: Recipe) -> None:
    """Raises OptionError, which names the option, for what no data can make right."""
    _check_texts(vars(recipe))
    if not 0 <= recipe.seed < SEEDS:
        raise OptionError(f"seed {quoted(recipe.seed)} is out of range; give a whole number from 0 to {SEEDS - 1:,}")
    if recipe.select is not None and not 1 <= recipe.select <= MOST_COLUMNS:
        raise OptionError(
            f"select {quoted(recipe.select)} is no number of columns to keep; give one from 1 to {MOST_COLUMNS:,}"
        )
    if not 1 <= recipe.smallest_count <= MOST_ROWS:
        raise OptionError(
            f"smallest count {quoted(recipe.smallest_count)} is no number of rows; give 1 to name every value, or more, such as 5"
        )
    if not 0 < recipe.budget <= MOST_SECONDS:
        raise OptionError(
            f"budget {recipe.budget:g} is no time to train; give seconds, for example 60, up to {MOST_SECONDS:,}"
        )
    for name in ("precision", "recall", "fpr", "confidence", "sets"):
        value = getattr(recipe, name)
        if value is not None and not LEAST_SHARE <= value <= 1 - LEAST_SHARE:
            raise OptionError(f"{name} {value:g} is no share between 0 and 1; give for example 0.9")
    if not 1 / MOST_BETA <= recipe.beta <= MOST_BETA:
        raise OptionError(
            f"f_beta {recipe.beta:g} weighs nothing against nothing; give a number from {1 / MOST_BETA:g} to {MOST_BETA:,}, such as 2 "
            "where recall weighs more"
        )
    if recipe.f1 and recipe.beta != 1:
        raise OptionError(f"f1 and f_beta {recipe.beta:g} are two different goals; give one of them")
    if recipe.reject_cost is not None and not 0 <= recipe.reject_cost <= MOST_COST:
        raise OptionError(f"reject_cost {recipe.reject_cost:g} is no cost; give a number from 0 to {MOST_COST:g}")
    if recipe.cost is not None and not isinstance(recipe.cost, str | Path | Mapping):
        raise OptionError(f'cost is {quoted(recipe.cost)}; give for example "fp=1,fn=8"')
    if recipe.metric != "auto":
        registry.check("sortal.metrics", recipe.metric)
    for name in recipe.models:
        registry.check("sortal.models", name)
    for code in recipe.unchecked:
        registry.check("sortal.checks", code)
    check_plan(recipe.plan)


def _check_texts(options: Mapping[str, Any]) -> None:
    """Raises OptionError for halves of characters, which no file can hold."""
    for name, given in options.items():
        inner = [given]
        while inner:
            value = inner.pop()
            if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
                raise OptionError(f"{name} has half a character in {quoted(value)}; write it anew")
            if isinstance(value, Mapping):
                inner += [*value, *value.values()]
            elif isinstance(value, list | tuple):
                inner += value
