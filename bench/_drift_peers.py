"""What Evidently or NannyML, with their defaults, call a change in a stream of days, in an environment of their own.

    python bench/_drift_peers.py evidently REFERENCE.parquet STREAM.parquet ROWS_A_DAY

Prints, as JSON, the days (from 0) on which any column was called drifted, and those on which the table was.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
from typing import Any

HALF = 0.5
"""Of the columns: where Evidently calls the table drifted. NannyML says nothing of the table."""


def evidently(reference: Any, stream: Any, rows: int) -> dict[str, list[int]]:
    """A report a day, against the reference."""
    report_class = importlib.import_module("evidently").Report
    preset = importlib.import_module("evidently.presets").DataDriftPreset
    columns, table = [], []
    for day in range(len(stream) // rows):
        snapshot = report_class([preset()]).run(stream[day * rows : (day + 1) * rows], reference)
        [drifted] = [m["value"] for m in snapshot.dict()["metrics"] if "DriftedColumnsCount" in m["metric_name"]]
        columns += [day] if drifted["count"] > 0 else []
        table += [day] if drifted["share"] >= HALF else []
    return {"columns": columns, "table": table}


def nannyml(reference: Any, stream: Any, rows: int) -> dict[str, list[int]]:
    """A chunk a day; the reference is its own period."""
    calculator = importlib.import_module("nannyml").UnivariateDriftCalculator(
        column_names=list(stream.columns), chunk_size=rows
    )
    result = calculator.fit(reference).calculate(stream).filter(period="analysis").to_df()
    alerts = result.xs("alert", axis=1, level=-1).any(axis=1)
    return {"columns": [day for day, alert in enumerate(alerts.tolist()) if alert], "table": []}


def main() -> None:
    os.environ["NML_DISABLE_USAGE_LOGGING"] = os.environ["DO_NOT_TRACK"] = "1"
    warnings.filterwarnings("ignore")  # of constant columns and of small counts
    pandas = importlib.import_module("pandas")
    name, reference, stream, rows = sys.argv[1:]
    tables = [pandas.read_parquet(file) for file in (reference, stream)]
    print(json.dumps({"evidently": evidently, "nannyml": nannyml}[name](*tables, int(rows))))


if __name__ == "__main__":
    main()
