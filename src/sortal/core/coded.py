"""A column of texts that repeat, as codes of the distinct ones: a look-up then costs as much as there are levels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Codes


@dataclass(frozen=True, eq=False)
class Coded(Sequence[str | None]):
    """The texts ``levels[codes[i]]``; None among the levels stands for missing.

    >>> list(Coded(("a", None), np.array([0, 1, 0])))
    ['a', None, 'a']
    """

    levels: tuple[str | None, ...]
    codes: NDArray[np.integer[Any]]

    @classmethod
    def of(cls, texts: Sequence[str | None]) -> Coded:
        """Texts, of which many are alike; codes as they are."""
        if isinstance(texts, Coded):
            return texts
        codes, levels = numbered(texts)
        return cls(tuple(levels), codes)

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> str | None: ...
    @overload
    def __getitem__(self, index: slice) -> Coded: ...
    def __getitem__(self, index: int | slice) -> str | Coded | None:
        if isinstance(index, slice):
            return Coded(self.levels, self.codes[index])
        return self.levels[int(self.codes[index])]

    def __iter__(self) -> Iterator[str | None]:
        return map(self.levels.__getitem__, self.codes.tolist())


def take_rows(values: NDArray[np.float64] | Sequence[Any], index: NDArray[np.integer[Any]]) -> Any:
    """The values of the rows at these positions."""
    if isinstance(values, np.ndarray):
        return np.asarray(values[index])
    if isinstance(values, Coded):
        return Coded(values.levels, values.codes[index])
    return [values[at] for at in index.tolist()]


def numbered(values: Sequence[Any]) -> tuple[Codes, list[Any]]:
    """(n,) which of the distinct values each is, in the order in which they come, and these. Raises TypeError for lists
    and objects.
    """
    at: defaultdict[Any, int] = defaultdict(count().__next__)
    return np.fromiter(map(at.__getitem__, values), np.int64, len(values)), list(at)
