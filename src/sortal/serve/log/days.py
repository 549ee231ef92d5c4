"""Which days of a log have their file. A day is one of UTC; its file is ``2026-11-28.parquet``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

DAY = 86_400.0
SETTLE_SECONDS = 600.0
"""Seconds after midnight until a day counts as over: rows that waited for the store have come by then."""


def day_of(time: float) -> int:
    """Days since 1970.

    >>> day_of(1.7e9), day_file(Path("logs"), day_of(1.7e9)).name
    (19675, '2023-11-14.parquet')
    """
    return int(time // DAY)


def day_file(folder: Path, day: int) -> Path:
    """Where the predictions of a day are written."""
    return folder / f"{datetime.fromtimestamp(day * DAY, UTC):%Y-%m-%d}.parquet"


def exported_until(oldest: float, folder: Path) -> float:
    """The time until which everything is in files: the end of the oldest day in the log, or its start."""
    day = day_of(oldest)
    return (day + 1) * DAY if day_file(folder, day).exists() else day * DAY
