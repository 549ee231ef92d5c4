"""What a run did, so that it can be repeated without a clock: its candidates, each with the settings of every fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sortal.core import registry
from sortal.core.errors import OptionError, did_you_mean
from sortal.core.plain import quoted

Number = float | int | str

MOST_WORK = 100_000
"""Rounds, trees or iterations of a fit, at most; no family does a tenth of that by itself."""


@dataclass(frozen=True)
class Planned:
    """One candidate as it was run: for each fold the settings that repeat it without a clock.

    ``rows``: the training rows that it was given of each fold; None for all.
    """

    name: str
    efforts: tuple[dict[str, Number], ...]
    rows: int | None = None


def check_plan(plan: Sequence[Planned]) -> None:
    """Raises OptionError for a plan that no run of sortal can have written."""
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
                f"{what} has efforts for {len(planned.efforts)} folds, and the first candidate for {len(plan[0].efforts)}"
            )
        if planned.rows is not None and planned.rows < 1:
            raise OptionError(
                f"{what} has rows = {quoted(planned.rows)}; give the number of training rows, or leave rows out for all"
            )
        for effort in planned.efforts:
            for name, value in effort.items():
                if isinstance(value, str) or not 0 < value <= MOST_WORK:
                    raise OptionError(
                        f"{what} has {quoted(name)} = {quoted(value)} in its efforts; give a number above 0, up to {MOST_WORK:,}"
                    )


def _check_family(name: str) -> None:
    """A candidate is called by its family, and by what is special about it."""
    families = registry.names("sortal.models")
    if not any(name == family or name.startswith(f"{family} ") for family in families):
        raise OptionError(
            f"plan has a candidate {quoted(name)} of no known family; {did_you_mean(name, families, most=40)}"
        )
