"""From tables to files, whole or not at all, or to the screen."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import polars as pl

from sortal.core.errors import OptionError, OutputError, did_you_mean
from sortal.data.whole import replacing

SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".arrow")

_IN_MEMORY = 1 << 24
"""Characters for the standard output that are held in memory until all is there; more go to a file."""


class Writer(Protocol):
    """Takes the rows of a table, some at a time. All frames have the same columns; those of the first say the order."""

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows."""


@contextmanager
def writer(path: str | Path | None, sparing: Sequence[str | Path] = ()) -> Iterator[Writer]:
    """Write a table to a file of the format that its ending names, replacing the file if it is there.

    Without a path, write CSV to the standard output. All of it appears when the block ends, nothing if anything goes
    wrong, and a file stays as it was. Memory holds one frame at a time. ``sparing``: files that must not be replaced,
    as they are being read. Raises OptionError for another ending, OutputError where the file or a column cannot be
    written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with writer(Path(folder) / "scored.csv") as out:
    ...         out.write(pl.DataFrame({"row": [1], "label": ["yes"]}))
    ...         out.write(pl.DataFrame({"row": [2], "label": ["no"]}))
    ...     print((Path(folder) / "scored.csv").read_text().split())
    ['row,label', '1,yes', '2,no']
    """
    if path is None:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="") as spooled:
            yield _TextWriter(spooled.write, ".csv")
            spooled.seek(0)
            shutil.copyfileobj(spooled, sys.stdout)
        return
    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(f"{path.name!r} names no format that can be written; {did_you_mean(suffix, SUFFIXES)}")
    with replacing(path, sparing=sparing) as temporary:
        if suffix in (".parquet", ".arrow"):
            yield from _write_parts(temporary, suffix)
        else:
            with temporary.open("wb") as file:
                yield _TextWriter(lambda text: file.write(text.encode()), suffix)


class _TextWriter:
    def __init__(self, write: Callable[[str], object], suffix: str) -> None:
        self._write = write
        self._suffix = suffix
        self._names: list[str] = []

    def write(self, frame: pl.DataFrame) -> None:
        header, self._names = not self._names, self._names or frame.columns
        frame = pl.DataFrame(list(map(frame.get_column, self._names)))
        for name, dtype in frame.schema.items():
            if _unwritable(dtype, self._suffix):
                what = f"column {name!r} of type {dtype} cannot be written as {self._suffix}"
                raise OutputError(f"{what}; write .parquet instead")
        if self._suffix == ".jsonl":
            self._write(frame.write_ndjson())
        else:
            self._write(frame.write_csv(separator="\t" if self._suffix == ".tsv" else ",", include_header=header))


def _unwritable(dtype: pl.DataType, suffix: str) -> bool:
    if isinstance(dtype, pl.Binary | pl.Object):
        return True
    return suffix != ".jsonl" and (dtype.is_nested() or isinstance(dtype, pl.Duration))


def _write_parts(temporary: Path, suffix: str) -> Iterator[Writer]:
    """These formats end with an index of all rows: frames are kept in files of their own, joined at last."""
    parts = _Parts(temporary)
    yield parts
    frames = [pl.scan_ipc(part, glob=False) for part in parts.paths] or [pl.LazyFrame()]
    frame = pl.concat(frames, how="diagonal_relaxed")
    if suffix == ".parquet":
        frame.sink_parquet(temporary, compression="zstd", maintain_order=True)
    else:
        frame.sink_ipc(temporary, compression="zstd", maintain_order=True)


class _Parts:
    """Frames beside the file that is written: its folder goes away, and they with it."""

    def __init__(self, temporary: Path) -> None:
        self._temporary = temporary
        self.paths: list[Path] = []

    def write(self, frame: pl.DataFrame) -> None:
        part = self._temporary.with_name(f"{self._temporary.name}-{len(self.paths)}")
        self.paths.append(part)
        frame.write_ipc(part, compression="lz4")
