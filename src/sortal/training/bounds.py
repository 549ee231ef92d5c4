"""What a model may take where it is used, by the options ``max_latency`` and ``max_size``; and until it has shipped, of
the time that is left.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.door import rows_of
from sortal.core.schema import Schema
from sortal.core.sheets import SearchOptions
from sortal.core.writing import number
from sortal.training.candidate import Development
from sortal.training.cv_result import CVResult

TIMES = 10
LEAST = 1e-9
REST, COLUMN = 10_000, 400
"""Bytes of a model file beside its program: the record of the run, and the profile of a column."""


@dataclass(frozen=True)
class Bounds:
    """``latency``: seconds that the program may take for a row; ``size``: bytes that it may take in a file. None where
    that does not matter.

    ``latency_shares``: by candidate, the shares of the latency that an earlier run measured, so that this one repeats
    it. ``endings``: by candidate, the share of the time left that shipping it takes, here or in that run; empty where
    there is time enough.
    """

    latency: float | None = None
    size: int | None = None
    latency_shares: Mapping[str, float] = field(default_factory=dict)
    endings: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, search: SearchOptions, dev: Development) -> Bounds:
        """As they were asked for. A row that is read takes time before the program sees it."""
        latency_shares = {planned.name: planned.latency for planned in search.plan if planned.latency is not None}
        latency = search.max_latency
        if latency is not None and not latency_shares:
            latency = max(latency - _reading(dev), LEAST)
        rest = REST + COLUMN * len(dev.table.schema.features)
        endings = {planned.name: planned.ending for planned in search.plan if planned.ending is not None}
        return cls(
            latency, None if search.max_size is None else max(search.max_size - rest, 1), latency_shares, endings
        )

    def share(self, result: CVResult) -> float | None:
        """Of the latency, what a row takes; None where there is no such bound."""
        if self.latency is None:
            return None
        return self.latency_shares.get(result.name, result.single_row_seconds / self.latency)

    def shares(self, results: Sequence[CVResult]) -> Floats:
        """(K, m) shares of each bound that candidates take; those of an ensemble are the sums of its members'."""
        by_bound = [] if self.latency is None else [[self.share(result) for result in results]]
        if self.size is not None:
            by_bound.append([result.packed / self.size for result in results])
        if self.endings:
            by_bound.append([self.endings.get(result.name, 0.0) for result in results])
        return np.array(by_bound, dtype=np.float64).reshape(-1, len(results)).T

    def fitting(self, results: Sequence[CVResult]) -> list[CVResult]:
        """Those that keep within all bounds; the one that is nearest to it where none does."""
        worst = self.shares(results).max(axis=1, initial=0.0)
        feasible = [result for result, share in zip(results, worst, strict=True) if share <= 1]
        return feasible or [results[int(np.argmin(worst))]]

    def objection(self, result: CVResult) -> str:
        """Why a candidate is not chosen; empty where nothing speaks against it."""
        reasons = []
        if (share := self.share(result)) is not None and share > 1:
            reasons.append(f"takes {number(share, 1)} times --max-latency")
        if self.size is not None and result.packed > self.size:
            reasons.append(f"takes {number(result.packed / self.size, 1)} times --max-size")
        if self.endings.get(result.name, 0.0) > 1:
            reasons.append("came too late to be shipped in time")
        return " and ".join(reasons)


NO_BOUNDS = Bounds()


def _reading(dev: Development) -> float:
    """Seconds until a row in a dict is what a program reads: the median of some."""
    features = dev.table.schema.features
    row = dict(dev.table.frame.select([column.name for column in features]).row(0, named=True))
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        rows_of(row, Schema(features))
        seconds.append(time.perf_counter() - start)
    return median(seconds)
