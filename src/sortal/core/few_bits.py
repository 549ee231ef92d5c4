"""Numbers of few bits as a person reads them: by every door .1 is .1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_read(numbers: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """(n,) numbers of 32 bits or 16 as the numbers that a person reads there: those with the fewest digits, at most
    nine. Whole numbers, and those of 32 bits that are very large or small, are what they are.

    >>> as_read(np.array([0.1, 16777216, -2.5e-7], dtype=np.float32)).tolist()
    [0.1, 16777216.0, -2.5e-07]
    >>> as_read(np.array([0.1, 10008], dtype=np.float16)).tolist()
    [0.1, 10008.0]
    """
    result = numbers.astype(np.float64)
    if numbers.dtype == np.float16:
        return np.where(result == np.rint(result), result, numbers.astype(str).astype(np.float64))
    for start in range(0, len(result), _CHUNK):
        chunk = result[start : start + _CHUNK]
        index = np.flatnonzero((np.abs(chunk) > _LEAST) & (np.abs(chunk) < _MOST) & (chunk != np.rint(chunk)))
        exact, single = chunk[index], numbers[start : start + _CHUNK][index].astype(np.float32)
        places = np.floor(np.log10(np.abs(exact))).astype(np.int64)
        alike = np.arange(len(index))
        # Where fewer digits say the same number, so do more: each round looks at those of the one before alone.
        for digits in (9, 8, 7, 6):
            scale = _POWERS[digits - 1 - places[alike] + len(_POWERS) // 2]
            rounded = np.rint(exact[alike] * scale) / scale
            same = rounded.astype(np.float32) == single[alike]
            alike = alike[same]
            chunk[index[alike]] = rounded[same]
    return result


def one_as_read(number: np.float16 | np.float32) -> float:
    """As ``as_read``, of one.

    >>> one_as_read(np.float32(0.1)), one_as_read(np.float16(10008))
    (0.1, 10008.0)
    """
    exact = float(number)
    is_long = not exact.is_integer() and (_LEAST < abs(exact) < _MOST or isinstance(number, np.float16))
    return float(str(number)) if is_long else exact


_LEAST, _MOST = 1e-12, 1e12
"""Between these, powers of ten are exact that take a number apart."""
_CHUNK = 1 << 14
"""So many numbers fit into the cache of a core."""
_POWERS = 10.0 ** np.arange(-22, 23)
"""Powers of ten that are exact, to 10^22, beside those that are not needed."""
