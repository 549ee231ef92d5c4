"""The tables of a folder: Parquet files that name their target in the metadata, under the key ``target``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import polars as pl

EXAMPLE = Path(__file__).parents[1] / "examples" / "churn.csv"
TABULAR = "tabular"


@dataclass(frozen=True)
class TableFile:
    """``target`` is empty where the metadata name none; ``lane``: what kind of columns a DATASETS.csv beside it says it
    has.
    """

    path: Path
    target: str
    lane: str = TABULAR

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def unusable(self) -> str:
        """Why no model is made of it; empty where one can be."""
        if not self.target:
            return "its metadata name no target"
        return "" if self.lane == TABULAR else f"lane {self.lane!r}: such columns are not trained on yet"

    def frame(self) -> pl.DataFrame:
        return pl.read_parquet(self.path)


def table_files(folder: Path) -> list[TableFile]:
    """By name."""
    lanes = _lanes(folder)
    return [
        TableFile(file, pl.read_parquet_metadata(file).get("target", ""), lanes.get(file.name, TABULAR))
        for file in sorted(folder.glob("*.parquet"))
    ]


def tabular(folder: Path) -> Iterator[TableFile]:
    """Those that a model can be made of, by name."""
    return (file for file in table_files(folder) if not file.unusable)


def largest_first(folder: Path, least_rows: int = 0) -> Iterator[TableFile]:
    """Those that have a target, and so many rows."""
    files = [file for file in table_files(folder) if file.target]
    sizes = {file.path: pl.scan_parquet(file.path).select(pl.len()).collect().item() for file in files}
    files.sort(key=lambda file: (-sizes[file.path], file.path.name))
    return (file for file in files if sizes[file.path] >= least_rows)


def no_table(purpose: str) -> NoReturn:
    """Ends the program: ``no_table("to train on")``."""
    sys.exit(f"no table {purpose}; give --data a folder of parquet tables with the key 'target' in their metadata")


def _lanes(folder: Path) -> dict[str, str]:
    """File to lane, where a DATASETS.csv describes the files."""
    described = folder / "DATASETS.csv"
    if not described.exists():
        return {}
    with described.open(encoding="utf-8", newline="") as lines:
        return {line["file"]: line["lane"] for line in csv.DictReader(lines)}
