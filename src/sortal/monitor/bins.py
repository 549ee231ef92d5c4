"""The values of a column in bins, of which its profile of training has counts, with neighbours beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Codes
from sortal.core.coded import Coded
from sortal.core.kinds import kind_of
from sortal.core.profile import ColumnProfile, Values
from sortal.core.writing import percent

MISSING, OTHER = "missing", "a rare or new value"


@dataclass(frozen=True)
class Bins:
    """Bin 0 holds missing values. Numbers follow between the quantiles of training; levels by how frequent they were,
    and last all that were rarer or never there. Of what goes on as time does, only whether it is missing counts.

    Levels have a bin of their own by half of the rows of training, and the other half is what fresh rows are held
    against: of many levels that are as frequent as one another, those that were seen most are seen less from then on.
    """

    profile: ColumnProfile

    @cached_property
    def reference(self) -> NDArray[np.int64]:
        """(bins,) rows of training."""
        profile = self.profile
        if not self._numeric:
            missing, counts = profile.half_missing, profile.half_counts
            return np.array([missing, *counts, profile.rows // 2 - missing - sum(counts)], dtype=np.int64)
        if len(self._edges):
            rows_up_to = dict(zip(profile.quantiles, profile.reached, strict=True))
            values = np.diff([0, *(rows_up_to[edge] for edge in self._edges.tolist()), profile.n_values]).tolist()
        else:
            values = [profile.n_values]
        return np.array([profile.missing, *values], dtype=np.int64)

    @property
    def names(self) -> list[str]:
        """What is in each bin, in words."""
        if not self._numeric:
            return [MISSING, *self.profile.half_levels, OTHER]
        edges = [self.profile.format_value(edge) for edge in self._edges.tolist()]
        if not edges:
            return [MISSING, "known"]
        middle = [f"{low} to {high}" for low, high in pairwise(edges)]
        return [MISSING, f"at most {edges[0]}", *middle, f"above {edges[-1]}"]

    def codes(self, values: Values) -> Codes:
        """(n,) the bins of (n,) values."""
        if self._numeric:
            numbers = np.asarray(values, dtype=np.float64)
            # A pass for each edge is four times as fast as a search for the place of every value.
            above = np.sum(numbers > self._edges[:, None], axis=0, dtype=np.min_scalar_type(len(self._edges)))
            return np.where(np.isnan(numbers), 0, 1 + above.astype(np.int64))
        if isinstance(values, Coded):
            return np.asarray(self.codes(values.levels)[values.codes], dtype=np.int64)
        at, other = self._places, len(self._places)
        return np.array([at.get(value, other) for value in values], dtype=np.int64)

    @cached_property
    def _places(self) -> dict[str | None, int]:
        return {level: place for place, level in enumerate([None, *self.profile.half_levels])}

    @property
    def _numeric(self) -> bool:
        return self.profile.numeric

    @cached_property
    def _edges(self) -> NDArray[np.float64]:
        is_ongoing = kind_of(self.profile.kind).ongoing
        return np.unique(self.profile.quantiles) if not is_ongoing else np.zeros(0)


def change(bins: Bins, fresh: NDArray[np.int64]) -> str:
    """What has gained most among fresh rows (bins,), in words."""
    now, before = fresh / max(fresh.sum(), 1), bins.reference / max(bins.reference.sum(), 1)
    at = int((now - before).argmax())
    return f"{bins.names[at]} in {percent(float(now[at]))} of the rows, {percent(float(before[at]))} in training"
