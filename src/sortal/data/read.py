"""From files to raw tables.

The content of a file decides how it is read, its name only where the content leaves a choice. Text stays
text: ``core.kinds`` decides what it means.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import polars as pl

from sortal.core.errors import DataError, did_you_mean
from sortal.core.frame import unique_names
from sortal.core.schema import Kind
from sortal.data import delimited
from sortal.data.blocks import encoding_of, raw_blocks
from sortal.data.json_lines import json_lines, json_table

Format = Literal["delimited", "parquet", "arrow", "arrow stream", "json lines", "json"]

SUFFIXES = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt"), "delimited"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), "arrow"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "json"),
}
PACKED = (".gz", ".bz2", ".xz")

FOREIGN = {
    b"\xd0\xcf\x11\xe0": "an old Excel or Office file; save it as CSV",
    b"%PDF": "a PDF document; export the table as CSV",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"\x89HDF": "an HDF5 file; save the table as Parquet or CSV",
    b"Obj\x01": "an Avro file; save it as Parquet or CSV",
    b"ORC": "an ORC file; save it as Parquet or CSV",
    b"FEA1": "a Feather file of the first version; save it again as Feather 2 or Parquet",
    b"\x80\x04\x95": "a pickle, which can run code and is never loaded; save the table as Parquet or CSV",
    b"\x80\x05\x95": "a pickle, which can run code and is never loaded; save the table as Parquet or CSV",
    b"Rar!": "a RAR archive; unpack it",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"\x7fELF": "a program",
}


@dataclass(frozen=True)
class Source:
    """A raw table: ``name`` is what messages call it, ``notes`` say what was unusual about the files.

    ``separator`` stands between the fields of a text file. ``records``: rows that name their values, so that one that is not
    named is missing. ``kinds``: columns that say themselves what they are.
    """

    frame: pl.DataFrame
    name: str
    notes: tuple[str, ...] = ()
    separator: str = ""
    records: bool = False
    kinds: Mapping[str, Kind] = field(default_factory=dict)


def read(paths: str | Path | Sequence[str | Path]) -> Source:
    """All rows of a file, of several, or of a folder of parts.

    CSV and relatives (all columns are text), Parquet, Arrow IPC (file, stream, Feather), JSON Lines and JSON
    arrays; text also in gzip, bzip2 or xz. Raises DataError for a file that is not there, is empty, damaged
    or no table, and for parts whose columns differ.
    """
    name, files, notes = _find(paths)
    parts: list[pl.DataFrame] = []
    for file in files:
        unusual, frames = _open(file)
        notes += unusual if len(files) == 1 else [f"{file.name}: {note}" for note in unusual]
        parts.append(_stack(list(frames)))
        _refuse_other_columns(parts[0].columns, parts[-1].columns, files[0], file)
    frame = _stack(parts)
    if frame.height == 0:
        raise DataError(f"{name} has a header but no rows")
    return Source(frame, name, tuple(notes), _separator(files), holds_records(files))


def holds_records(paths: str | Path | Sequence[str | Path]) -> bool:
    """Whether the rows are JSON records."""
    return all(_format(file) in ("json", "json lines") for file in _find(paths)[1])


def _separator(files: Sequence[Path]) -> str:
    """What stands between the fields, where it is the same in all files."""
    found = {delimited.inspect(file).separator if _format(file) == "delimited" else "" for file in files}
    return found.pop() if len(found) == 1 else ""


def batches(paths: str | Path | Sequence[str | Path], size: int = 65_536) -> Iterator[pl.DataFrame]:
    """The same rows in the same order, at most ``size`` at a time, for files larger than memory.

    A column of JSON may change its type from one batch to the next. JSON arrays and Arrow streams are read
    whole. Raises DataError as ``read`` does, some of them only when the bad line is reached.
    """
    name, files, _ = _find(paths)
    first: list[str] = []
    rows = 0
    for file in files:
        records = _format(file) in ("json", "json lines")
        for frame in _open(file)[1]:
            first = first or frame.columns
            if not records:
                _refuse_other_columns(first, frame.columns, files[0], file)
            rows += frame.height
            yield from frame.iter_slices(size) if frame.height else ()
    if rows == 0:
        raise DataError(f"{name} has a header but no rows")


def targets_in_metadata(path: str | Path) -> str | None:
    """The target column that a Parquet file (or the first of a folder) names under the key ``target``."""
    _, files, _ = _find(path)
    if _format(files[0]) != "parquet":
        return None
    with _damage_named(files[0]):
        return pl.read_parquet_metadata(files[0]).get("target")


def _find(paths: str | Path | Sequence[str | Path]) -> tuple[str, list[Path], list[str]]:
    """What to call the data, its files in order, and what was left out of a folder."""
    given = [Path(p).expanduser() for p in ([paths] if isinstance(paths, str | Path) else paths)]
    if not given:
        raise DataError("no file was given")
    files: list[Path] = []
    notes: list[str] = []
    for path in given:
        if path.is_dir():
            parts, note = _parts_of(path)
            files += parts
            notes += note
        elif path.is_file():
            files.append(path)
        elif path.exists():
            raise DataError(f"{str(path)!r} is no file that can be read twice; save the data as a file first")
        else:
            raise _missing(path)
    more = f" and {len(given) - 1} more" if len(given) > 1 else ""
    return given[0].name + more, files, notes


def _missing(path: Path) -> DataError:
    folder = path.parent
    if not folder.is_dir():
        return DataError(f"no file {str(path)!r}: there is no folder {str(folder)!r}")
    there = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    hint = did_you_mean(path.name, there) if there else "the folder is empty"
    return DataError(f"no file {path.name!r} in {str(folder)!r}; {hint}")


def _parts_of(folder: Path) -> tuple[list[Path], list[str]]:
    """The data files of a folder: those with a known ending, or all where none has one."""
    seen = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith((".", "_")))
    parts = [p for p in seen if _suffix(p) in SUFFIXES] or [p for p in seen if not p.suffix]
    if not parts:
        endings = ", ".join(SUFFIXES)
        raise DataError(f"the folder {str(folder)!r} holds no data files (with one of the endings {endings})")
    left = [p.name for p in seen if p not in parts]
    return parts, [f"left out of the folder: {', '.join(left)}"] if left else []


def _suffix(path: Path) -> str:
    return (path.with_suffix("") if path.suffix.lower() in PACKED else path).suffix.lower()


def _open(path: Path) -> tuple[tuple[str, ...], Iterator[pl.DataFrame]]:
    """Notes on one file, and its rows, some at a time."""
    kind = _format(path)
    if kind == "delimited":
        layout = delimited.inspect(path)
        return layout.notes, delimited.frames(layout)
    if kind in ("json", "json lines"):
        encoding, note = encoding_of(path)
        frames = json_lines(path, encoding) if kind == "json lines" else iter([json_table(path, encoding)])
        return (note,) if note else (), map(_with_unique_names, frames)
    return (), map(_with_unique_names, _columnar(path, kind))


def _with_unique_names(frame: pl.DataFrame) -> pl.DataFrame:
    """Names as every other door gives them, so that a model finds its columns whatever they come from."""
    return frame.rename(dict(zip(frame.columns, unique_names(frame.columns)[0], strict=True)))


def _columnar(path: Path, kind: Format) -> Iterator[pl.DataFrame]:
    with _damage_named(path):
        if kind == "arrow stream":
            yield pl.read_ipc_stream(path)
            return
        scan = pl.scan_ipc if kind == "arrow" else pl.scan_parquet
        lazy = scan(path, glob=False, hive_partitioning=False)
        yield lazy.head(0).collect()
        yield from lazy.collect_batches(maintain_order=True)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path.name} is damaged or cut off: {what}") from error


def _format(path: Path) -> Format:
    """By content; by name where the content could be anything."""
    head = next(raw_blocks(path, 1 << 16), b"")
    if not head.strip():
        raise DataError(f"{path.name} is empty")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "arrow"
    if head.startswith(b"\xff\xff\xff\xff"):
        return "arrow stream"
    _refuse_foreign(path, head)
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    named = SUFFIXES.get(_suffix(path))
    if named in ("parquet", "arrow"):
        raise DataError(f"{path.name} is named like a {named.capitalize()} file, but its content is none")
    if text.startswith((b"{", b"[")) and (named == "json" or re.match(rb'(\[\s*)?\{\s*"', text)):
        line = text.split(b"\n", 1)[0].rstrip()
        return "json lines" if line.startswith(b"{") and line.endswith(b"}") else "json"
    if named == "json":
        raise DataError(
            f"{path.name} is named like a JSON file, but begins with {text[:20].decode(errors='replace')!r}"
        )
    return "delimited"


def _refuse_foreign(path: Path, head: bytes) -> None:
    what = next((what for start, what in FOREIGN.items() if head.startswith(start)), None)
    if head.startswith(b"PK\x03\x04"):
        what = "a zip archive; unpack it"
        if path.suffix == ".sortal":
            what = "a sortal model"
        elif b"xl/" in head or b"[Content_Types].xml" in head:
            what = "an Excel workbook; save the sheet as CSV"
        elif b"opendocument.spreadsheet" in head:
            what = "an OpenDocument workbook; save the sheet as CSV"
    if re.match(rb"\s*<(!doctype html|html)", head, re.IGNORECASE):
        what = "a web page (a login or error page that was saved?); download the data itself"
    if what is not None:
        raise DataError(f"{path.name} is no table: it looks like {what}")


def _refuse_other_columns(first: Sequence[str], columns: Sequence[str], one: Path, other: Path) -> None:
    if set(first) != set(columns):
        extra = [c for c in columns if c not in first] or [c for c in first if c not in columns]
        has, lacks = (other, one) if extra[0] in columns else (one, other)
        raise DataError(
            f"the parts differ: {has.name} has a column {extra[0]!r} that {lacks.name} lacks; give files "
            "with the same columns"
        )


def _stack(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Rows under one another by column name; a column whose types do not go together becomes text."""
    if len(frames) == 1:
        return frames[0]
    try:
        return pl.concat(frames, how="diagonal_relaxed", rechunk=True)
    except pl.exceptions.SchemaError:
        types: dict[str, set[pl.DataType]] = {}
        for name, dtype in (pair for frame in frames for pair in frame.schema.items()):
            types.setdefault(name, set()).add(dtype)
        mixed = {name for name, found in types.items() if not _go_together(found)}
        texts = [f.with_columns(_as_text(f[name]) for name in f.columns if name in mixed) for f in frames]
        return pl.concat(texts, how="diagonal_relaxed", rechunk=True)


def _go_together(types: Iterable[pl.DataType]) -> bool:
    try:
        pl.concat([pl.DataFrame(schema={"column": dtype}) for dtype in types], how="vertical_relaxed")
    except pl.exceptions.SchemaError:
        return False
    return True


def _as_text(column: pl.Series) -> pl.Series:
    if column.dtype.is_nested():
        return pl.Series(column.name, [None if v is None else str(v) for v in column.to_list()], pl.String)
    return column.cast(pl.String)
