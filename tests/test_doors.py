"""The law of doors from end to end: one table, trained and scored by path and from memory, gives the same
probabilities."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import sortal
from sortal.data.read import read

pytestmark = pytest.mark.usefixtures("all_hurried")

ROWS = 240


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, ROWS)).round(2)
    return pd.DataFrame(
        {
            "*": x[0],
            "^p.*$": pd.Series(rng.choice(["max", "plus", None], ROWS)),
            "pace": x[1],
            "stay": pd.to_timedelta(np.round(3600 * np.abs(x[2])), unit="s"),
            "since": pd.Series(pd.date_range("2020-01-01", periods=ROWS)).where(x[0] < 1),
            "sex": rng.integers(1, 3, ROWS),
            "firmware": np.where(x[0] + x[2] > 0, "1.0", "True"),
        }
    )


def by_csv(table, folder):
    table.to_csv(folder / "rows.csv", index=False)
    return str(folder / "rows.csv")


def by_parquet(table, folder):
    table.to_parquet(folder / "rows.parquet")
    return str(folder / "rows.parquet")


def by_json_lines(table, folder):
    rows = [{k: v for k, v in row.items() if not pd.isna(v)} for row in table.to_dict("records")]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
    return str(folder / "rows.jsonl")


DOORS = {
    "csv": by_csv,
    "parquet": by_parquet,
    "json lines": by_json_lines,
    "pandas": lambda table, _: table,
    "polars": lambda table, _: pl.from_pandas(table),
    "arrow": lambda table, _: pa.Table.from_pandas(table),
    "records": lambda table, _: table.to_dict("records"),
}


@pytest.fixture(scope="module")
def models(table, tmp_path_factory):
    options = {"models": "logistic", "budget": "1h", "kind": {"sex": "boolean"}, "split": "80/20"}
    folder = tmp_path_factory.mktemp("trained")
    return {door: sortal.train(DOORS[door](table, folder), "firmware", **options) for door in ("csv", "pandas")}


@pytest.mark.parametrize("door", DOORS)
def test_the_same_rows_have_the_same_probabilities(models, table, tmp_path, door):
    rows = table.drop(columns="firmware").head(30)
    expected = models["pandas"].model.predict_proba(rows)
    for run in models.values():
        data = DOORS[door](rows, tmp_path)
        if isinstance(data, str):
            data = read(data).frame
        np.testing.assert_array_equal(run.model.predict_proba(data), expected)
        assert set(run.model.predict(rows)) <= {"1.0", "True"}


def test_one_row_is_scored_as_the_same_row_of_many(models, table):
    rows = table.drop(columns="firmware").head(5)
    model = models["csv"].model
    for i, row in enumerate(rows.to_dict("records")):
        without_missing = {name: value for name, value in row.items() if not pd.isna(value)}
        for data in (row, without_missing, [without_missing], rows.iloc[[i]]):
            # A product with one row is summed in another order than one with many.
            np.testing.assert_allclose(model.predict_proba(data)[0], model.predict_proba(rows)[i], rtol=1e-12)
