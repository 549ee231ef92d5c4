"""The tables beside the record: the leaderboard, and the predictions that the decision was made on."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import polars as pl

from sortal.core.predictions import Predictions
from sortal.record.run import Outcome


def leaderboard_table(outcome: Outcome) -> pl.DataFrame:
    """``leaderboard.csv``."""
    return pl.DataFrame(
        [
            {k: v for k, v in asdict(row).items() if k not in ("score", "metrics", "weights", "file")}
            | {"score": row.score.value, "low": row.score.low, "high": row.score.high}
            | {f"{name} mean": spread.mean for name, spread in row.metrics.items()}
            for row in outcome.leaderboard
        ]
    )


def predictions_table(predictions: Predictions) -> pl.DataFrame:
    """``oof.parquet``: rows of the source, counted from 1 as in messages, the true class, and a probability a class."""
    labels = np.array(predictions.classes)
    columns = {f"p {name}": predictions.probability[:, k] for k, name in enumerate(predictions.classes)}
    return pl.DataFrame({"row": predictions.rows + 1, "truth": labels[predictions.truth], **columns})
