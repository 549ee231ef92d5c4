"""What the audit looks at, and what its checks share, so that nothing is computed twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.checks.measures.multivariate import Lift, Multivariate, multivariate
from sortal.checks.measures.power import Power, univariate
from sortal.core.arrays import Ints
from sortal.core.disclosure import OPEN, Disclosure
from sortal.core.table import Table

_MOST_LISTED = 500
"""Features, for speed: of thousands, each check looks at the best by themselves."""
_SHUFFLED = 30
"""Columns that are shuffled, for speed: those best by themselves."""
_PROMISING = 0.53
"""ROC-AUC of a column by itself. Chosen, not measured: weaker ones hardly add what A104 asks for."""


@dataclass(frozen=True)
class SplitView:
    """How all rows are parted, the sealed ones among them: what a check may know of them, which is not their classes.

    ``features``: a table of all rows without the target. ``held_out``: (n,) which of them judge the model, valid or
    sealed; all others train.
    ``groups``, ``times``: (n,) ids and moments where the rows have them.
    """

    features: Table
    held_out: NDArray[np.bool_]
    groups: Ints | None = None
    times: Ints | None = None

    @property
    def records(self) -> Ints:
        """(n,) ids that rows share when they are one record, entered more than once."""
        return self.features.records


@dataclass(frozen=True)
class AuditContext:
    """Labelled rows that a model may be trained on, and what is known about them.

    ``codes``: (n,) class codes into ``classes``. ``raw``: the same rows as they were read, with the columns that
    ``table`` leaves out (ids, texts, images). ``split_view`` is None where there are no parts yet. ``disclosure``:
    which values a finding may quote. ``names``: columns of what images are called, which no model sees. ``ordered``:
    whether the rows have an order of their own.
    """

    table: Table
    codes: Ints
    classes: Sequence[str]
    seed: int = 0
    raw: pl.DataFrame = field(default_factory=pl.DataFrame)
    split_view: SplitView | None = None
    disclosure: Disclosure = OPEN
    names: pl.DataFrame = field(default_factory=pl.DataFrame)
    ordered: bool = True

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def powers(self) -> list[Power]:
        """What each feature achieves alone, the best first."""
        return univariate(self.table, self.codes, self.seed)

    @cached_property
    def shortlist(self) -> list[str]:
        """The features that checks look at one by one: all, but of thousands those that tell most of the class."""
        return [power.column for power in self.powers[:_MOST_LISTED]]

    def values(self, name: str) -> pl.Series | None:
        """A column in its canonical type, or as it was read where ``table`` leaves it out."""
        return self._columns.get(name)

    @cached_property
    def _columns(self) -> dict[str, pl.Series]:
        # Asking a frame for its columns, once for each of thousands, takes longer than looking at them.
        return {
            series.name: series.alias("") for frame in (self.raw, self.table.frame) for series in frame.iter_columns()
        }

    def reach(self, without: Sequence[str] = ()) -> float:
        """ROC-AUC of all features together, but for these, out of fold by a small forest."""
        return self.multivariate(without).auc

    def lift(self, column: str, without: Sequence[str] = ()) -> Lift:
        """What a column adds to all others; ``without``: columns that neither side has."""
        everything, rest = self.multivariate(without), self.multivariate([*without, column])
        return Lift(column, everything.auc, rest.auc, everything.error_of_lift(rest))

    def multivariate(self, without: Sequence[str] = (), weighed: bool = False) -> Multivariate:
        """What all features but these say of a sample of rows. ``weighed``: also what shuffling each of them costs."""
        left_out = frozenset(without)
        result = self._multivariate.get(left_out)
        if result is None or (weighed and not result.drops):
            powers = [power for power in self.powers if power.column not in left_out]
            shuffled = [power.column for power in powers[:_SHUFFLED] if power.auc >= _PROMISING] if weighed else []
            names = [power.column for power in powers]
            result = self._multivariate[left_out] = multivariate(self.table, self.codes, names, self.seed, shuffled)
        return result

    @cached_property
    def _multivariate(self) -> dict[frozenset[str], Multivariate]:
        return {}
