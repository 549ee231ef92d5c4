"""What the options of a run may be, whatever the data are. Every check raises OptionError, which names the option."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sortal.core import registry
from sortal.core.costs import MOST_COST
from sortal.core.errors import OptionError, did_you_mean
from sortal.core.plain import quoted
from sortal.core.plan import Planned
from sortal.core.sheets import GoalOptions, RowOptions, SearchOptions

SEEDS = 2**32
"""Seeds that numpy's, scikit-learn's and the boosters' generators take."""
MOST_SECONDS = 366 * 24 * 3600
"""Of a budget: a year."""
MOST_COLUMNS = 1_000_000
MOST_ROWS = 2**40
LEAST_SHARE = 1e-9
"""Of rows, and of doubt: nothing smaller can be told from nothing with the rows of any table."""
MOST_BETA = 1_000
MOST_WORK = 100_000
"""Rounds, trees or iterations of a fit, at most; no family does a tenth of that by itself."""
DEVICES = ("auto", "cpu", "cuda")
"""Where networks can be trained."""


def check_goal(goal: GoalOptions) -> None:
    """A metric that is registered, costs that are numbers, shares between 0 and 1."""
    _check_texts(vars(goal))
    for name in ("precision", "recall", "fpr", "confidence", "sets"):
        value = getattr(goal, name)
        if value is not None and not LEAST_SHARE <= value <= 1 - LEAST_SHARE:
            raise OptionError(f"{name} {value:g} is no share between 0 and 1; give for example 0.9")
    if not 1 / MOST_BETA <= goal.beta <= MOST_BETA:
        raise OptionError(
            f"f_beta {goal.beta:g} weighs nothing against nothing; give a number from {1 / MOST_BETA:g} to "
            f"{MOST_BETA:,}, such as 2 "
            "where recall weighs more"
        )
    if goal.f1 and goal.beta != 1:
        raise OptionError(f"f1 and f_beta {goal.beta:g} are two different goals; give one of them")
    if goal.reject_cost is not None and not 0 <= goal.reject_cost <= MOST_COST:
        raise OptionError(f"reject_cost {goal.reject_cost:g} is no cost; give a number from 0 to {MOST_COST:g}")
    if goal.cost is not None and not isinstance(goal.cost, str | Path | Mapping):
        raise OptionError(f'cost is {quoted(goal.cost)}; give for example "fp=1,fn=8"')
    if goal.metric != "auto":
        registry.check("sortal.metrics", goal.metric)


def check_rows(rows: RowOptions) -> None:
    """What can be said of rows that are not read yet."""
    _check_texts(vars(rows))
    if not 1 <= rows.smallest_count <= MOST_ROWS:
        raise OptionError(
            f"smallest count {quoted(rows.smallest_count)} is no number of rows; give 1 to name every value, or "
            "more, such as 5"
        )


def check_search(search: SearchOptions) -> None:
    """Families and checks that are registered, numbers in range, and a plan that a run can have written."""
    _check_texts(vars(search))
    if not 0 <= search.seed < SEEDS:
        raise OptionError(f"seed {quoted(search.seed)} is out of range; give a whole number from 0 to {SEEDS - 1:,}")
    if search.select is not None and not 1 <= search.select <= MOST_COLUMNS:
        raise OptionError(
            f"select {quoted(search.select)} is no number of columns to keep; give one from 1 to {MOST_COLUMNS:,}"
        )
    _check_extent(search)
    if search.max_latency is not None and not 0 < search.max_latency <= MOST_SECONDS:
        raise OptionError(f"max_latency {search.max_latency:g} is no time for a row; give seconds, for example 0.002")
    if search.max_size is not None and search.max_size < 1:
        raise OptionError(f"max_size {quoted(search.max_size)} is no size of a file; give bytes, for example 5_000_000")
    if search.sampled < 0:
        raise OptionError(f"sampled {quoted(search.sampled)} is no number of rows; take it out, and all are used")
    if search.device not in DEVICES:
        raise OptionError(f"device {quoted(search.device)} is not known; give one of {', '.join(DEVICES)}")
    for name in search.models:
        registry.check("sortal.models", name)
    for code in search.unchecked:
        registry.check("sortal.checks", code)
    _check_plan(search.plan)


def _check_extent(search: SearchOptions) -> None:
    """How long a run may take, or how much it may do."""
    if search.budget is not None and not 0 < search.budget <= MOST_SECONDS:
        raise OptionError(
            f"budget {search.budget:g} is no time to train; give seconds, for example 60, up to {MOST_SECONDS:,}"
        )
    if search.effort is None:
        return
    if not 0 < search.effort <= MOST_SECONDS:
        raise OptionError(
            f"effort {search.effort:g} is no amount of work; give a number, for example 60, up to {MOST_SECONDS:,}"
        )
    if search.budget is not None:
        raise OptionError(
            "budget and effort exclude one another: a clock ends the run, or none does; leave one of them out"
        )
    if search.max_latency is not None:
        raise OptionError(
            "max_latency is measured by a clock, and with effort none decides anything; give max_size, or a budget"
        )


def _check_texts(options: Mapping[str, Any]) -> None:
    """No halves of characters, which no file can hold."""
    for name, option in options.items():
        inner = [option]
        while inner:
            value = inner.pop()
            if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
                raise OptionError(f"{name} has half a character in {quoted(value)}; write it anew")
            if isinstance(value, Mapping):
                inner += [*value, *value.values()]
            elif isinstance(value, list | tuple):
                inner += value


def _check_plan(plan: Sequence[Planned]) -> None:
    names = [planned.name for planned in plan]
    for planned in plan:
        _check_family(planned.name)
        what = f"the plan of {quoted(planned.name)}"
        if names.count(planned.name) > 1:
            raise OptionError(f"plan has {quoted(planned.name)} twice; take one of them out")
        if not planned.efforts:
            raise OptionError(f"{what} has no efforts, and needs the settings of each fold; take it out of the plan")
        if len(planned.efforts) != len(plan[0].efforts):
            raise OptionError(
                f"{what} has efforts for {len(planned.efforts)} folds, and the first candidate for "
                f"{len(plan[0].efforts)}"
            )
        if planned.latency is not None and not planned.latency >= 0:
            raise OptionError(f"{what} has latency = {quoted(planned.latency)}; give a share of --max-latency")
        if planned.rows is not None and planned.rows < 1:
            raise OptionError(
                f"{what} has rows = {quoted(planned.rows)}; give the number of training rows, or leave rows out for all"
            )
        for effort in planned.efforts:
            for name, value in effort.items():
                if isinstance(value, str) or not 0 < value <= MOST_WORK:
                    raise OptionError(
                        f"{what} has {quoted(name)} = {quoted(value)} in its efforts; give a number above 0, up to "
                        f"{MOST_WORK:,}"
                    )


def _check_family(name: str) -> None:
    """A candidate is called by its family, and by what is special about it."""
    families = registry.names("sortal.models")
    if not any(name == family or name.startswith(f"{family} ") for family in families):
        raise OptionError(
            f"plan has a candidate {quoted(name)} of no known family; {did_you_mean(name, families, most=40)}"
        )
