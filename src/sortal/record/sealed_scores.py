"""What the one look at the sealed test gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.core.predictions import Predictions


@dataclass(frozen=True)
class OpenedTest:
    """``predictions``: what the saved model says of the rows; ``baselines``: what they say of them, by name. ``raw``:
    the rows as they were read. ``times``: (n,) of the rows, where they are the newest; None else.
    """

    predictions: Predictions
    raw: pl.DataFrame
    baselines: Mapping[str, Predictions] = field(default_factory=dict)
    times: NDArray[np.int64] | None = None
