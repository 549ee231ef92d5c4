"""Names of arrays by what their numbers mean; shapes stand in the docstrings of those who take or give them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
"""Measured or computed numbers: scores, probabilities, costs."""
Ints = NDArray[np.int64]
"""Whole numbers: counts, and places of rows in a table."""
Codes = NDArray[np.int64]
"""Numbers that stand for names, from 0 on: classes, clusters, bins."""
Mask = NDArray[np.bool_]
"""Yes or no for each place: which rows are positive, taken, known."""
