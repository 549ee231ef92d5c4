"""Out-of-fold predictions of a point of the front, kept beside its program: what calibration and decision are made
of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.core.errors import DataError
from sortal.core.predictions import Predictions


def write(path: Path, predictions: Predictions, fold: NDArray[np.int64]) -> None:
    """One row each, with its group and what its decisions cost where there are any."""
    table: dict[str, NDArray[Any]] = {"row": predictions.rows, "truth": predictions.truth, "fold": fold}
    table |= {f"p{k}": predictions.probability[:, k] for k in range(len(predictions.classes))}
    if predictions.groups is not None:
        table["group"] = predictions.groups
    if predictions.row_costs is not None:
        table |= {f"cost{j}": predictions.row_costs[:, j] for j in range(predictions.row_costs.shape[1])}
    pl.DataFrame(table).write_parquet(path)


def read(path: Path, classes: tuple[str, ...]) -> tuple[Predictions, NDArray[np.int64]]:
    """What was written, and the fold of each row. Raises DataError where that is not what the file holds."""
    try:
        table = pl.read_parquet(path)
        costs = [name for name in table.columns if name.startswith("cost")]
        predictions = Predictions(
            classes,
            table["row"].to_numpy(),
            table["truth"].to_numpy(),
            table.select(f"p{k}" for k in range(len(classes))).to_numpy(),
            "out-of-fold",
            table.select(costs).to_numpy() if costs else None,
            table["group"].to_numpy() if "group" in table.columns else None,
        )
        return predictions, table["fold"].to_numpy()
    except (OSError, pl.exceptions.PolarsError, ValueError) as error:
        raise DataError(f"{str(path)!r} is not what a run keeps ({error}); train again") from None
