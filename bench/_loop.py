"""Steps of the loop of a model in use, by the commands: rows that a service answers, labels that come late."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from bench._service import PATIENCE, Running
from sortal.serve.log.address import open_store

BLOCK = 50
"""Rows of a request."""
ID = "id"


@dataclass(frozen=True)
class Output:
    """What a person sees of a command, and how long it took."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def sortal(*words: object, folder: Path) -> Output:
    """A command in a process of its own, as a person runs it."""
    start = time.monotonic()
    process = subprocess.run(
        [sys.executable, "-m", "sortal.cli", *map(str, words)], cwd=folder, capture_output=True, text=True, check=False
    )
    return Output(process.returncode, process.stdout, process.stderr, time.monotonic() - start)


def with_ids(rows: pl.DataFrame) -> pl.DataFrame:
    """By which labels find their rows."""
    return rows.with_row_index(ID).with_columns(pl.col(ID).cast(pl.String))


def replay(service: Running, rows: pl.DataFrame, target: str) -> list[int]:
    """Send rows in their order, without what is to be predicted; the status of each request."""
    blocks = [rows[at : at + BLOCK] for at in range(0, rows.height, BLOCK)]
    return [service.predict(*block.drop(ID, target).to_dicts(), ids=block[ID].to_list()).status for block in blocks]


def wait_for_rows(url: str, rows: int) -> None:
    """The log is written a few times a second. Raises TimeoutError where rows do not come."""
    until, store = time.monotonic() + PATIENCE, open_store(url)
    try:
        while sum(1 for _ in store.read()) < rows:
            if time.monotonic() > until:
                raise TimeoutError(f"the log has fewer than {rows} rows")
            time.sleep(0.1)
    finally:
        store.close()
