from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from sortal.core.frame import conform
from sortal.core.framing import frame_task
from sortal.core.infer import infer
from sortal.core.labels import encode
from sortal.core.sheets import GoalOptions
from sortal.core.table import Table
from sortal.core.task import Task
from sortal.training.candidate import Development

ROWS = 400


def development(classes: int = 2, rows: int = ROWS, seed: int = 0) -> tuple[Development, Task]:
    """Rows of numbers, a category and missing values, with a target that depends on two of them."""
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(size=rows), rng.normal(size=rows)
    colour = rng.choice(["red", "green", "blue"], size=rows)
    score = x + (colour == "red") + 0.5 * rng.normal(size=rows)
    cuts = np.quantile(score, np.arange(1, classes) / classes)
    frame = pl.DataFrame({"x": x, "noise": noise, "colour": colour, "y": [f"c{k}" for k in np.digitize(score, cuts)]})
    frame = frame.with_columns(pl.when(pl.col("noise") > 1.5).then(None).otherwise(pl.col("noise")).alias("noise"))
    schema = infer(frame, "y")
    table = Table(schema, conform(frame, schema), np.arange(100, 100 + rows))
    task = frame_task(table.frame["y"], GoalOptions("y"))
    return Development(table, encode(table.frame["y"], task), task.classes, seed=0), task


@pytest.fixture
def two() -> tuple[Development, Task]:
    return development(2)


@pytest.fixture
def three() -> tuple[Development, Task]:
    return development(3)
