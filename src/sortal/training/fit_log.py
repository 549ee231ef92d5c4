"""Which rows every fit of a run saw, so that 'fitted on training rows only' is a count and not a claim."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
NO_ROWS: Ids = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class FitRows:
    """One fit: the ids of the rows that preparation and model ``saw``, and of those that it is ``evaluated`` on."""

    saw: Ids
    evaluated: Ids = field(default_factory=lambda: NO_ROWS)


@dataclass(frozen=True)
class FitLog:
    """``fits``: how many there were. ``leaked_rows``: rows that a fit saw though they were sealed, or that it was
    evaluated on later; a row counts once for each such fit.

    >>> known = [FitRows(np.array([1, 2, 3]), np.array([4])), FitRows(np.array([1, 2, 9]), np.array([2, 3]))]
    >>> FitLog.of(known, sealed=np.array([8, 9]))
    FitLog(fits=2, leaked_rows=2)
    """

    fits: int
    leaked_rows: int

    @classmethod
    def of(cls, fits: Iterable[FitRows], sealed: Ids) -> FitLog:
        """``sealed``: ids of the rows that no fit may see."""
        leaks = [int(np.isin(fit.saw, sealed).sum() + np.isin(fit.saw, fit.evaluated).sum()) for fit in fits]
        return cls(len(leaks), sum(leaks))
