"""From files to raw tables.

The content of a file decides how it is read, its name only where the content leaves a choice. Text stays
text: ``core.infer`` decides what it means.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import polars as pl

from sortal.core.errors import DataError, did_you_mean
from sortal.core.files import sha256_of
from sortal.core.fork import need_polars
from sortal.core.names import unique_names
from sortal.core.series import Times
from sortal.data import arrow, delimited, parquet
from sortal.data.arrays import arrays
from sortal.data.blocks import encoding_of, raw_blocks
from sortal.data.declared_size import declared, refuse_beyond_memory
from sortal.data.foreign import refuse_foreign
from sortal.data.image_folder import PART, holds_images, image_folder, is_npz, is_zip
from sortal.data.json_lines import decoded, json_lines, json_table
from sortal.data.limits import LONGEST_LINE, MOST_COLUMNS, too_many_columns
from sortal.data.parts import Note, Part, common_types, fitted
from sortal.data.sealed_rows import refuse_sealed
from sortal.data.untrusted import quiet, untrusted

Format = Literal["images", "arrays", "delimited", "parquet", "arrow", "arrow stream", "json lines", "json"]

Paths = str | Path | Sequence[str | Path]
"""A file, several, a folder of parts, or one of images."""

SUFFIXES = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt"), "delimited"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), "arrow"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "json"),
}
NOTES = (".txt", ".json")
"""Endings of what often lies beside images, and is no table of them."""
PACKED = (".gz", ".bz2", ".xz")


@dataclass(frozen=True)
class Source:
    """A raw table: ``name`` is what messages call it, ``notes`` say what was unusual about the files.

    ``separator`` stands between the fields of a text file. ``records``: rows that name their values, so that one that
    is not named is missing. ``kinds``: columns that say themselves what they are. ``folder``: where the files lie that
    values name. ``part``: a column that says which part a row is in, which is used where a person asks for it.
    ``ordered``: whether the rows have an order of their own; files of a folder have none.
    """

    frame: pl.DataFrame
    name: str
    notes: tuple[str, ...] = ()
    separator: str = ""
    records: bool = False
    kinds: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    part: str = ""
    ordered: bool = True


def digest(frame: pl.DataFrame, data: object = None) -> str:
    """SHA-256 of the bytes of ``data`` where that is one file, else of the values of ``frame``."""
    if isinstance(data, list | tuple) and len(data) == 1:
        data = data[0]
    if isinstance(data, str | Path) and Path(data).is_file():
        return sha256_of(Path(data))
    return hashlib.sha256(frame.hash_rows(seed=0).to_numpy().tobytes()).hexdigest()


def read(paths: Paths) -> Source:
    """All rows of a file, of several, or of a folder of parts or images.

    CSV and relatives (all columns are text), Parquet, Arrow IPC (file, stream, Feather), JSON Lines and JSON arrays;
    text also in gzip, bzip2 or xz. ``data.parts`` says what columns several files, or records, have together. Raises
    DataError for a file that is not there, is empty, damaged or no table, for parts whose columns differ, and for
    sealed rows.
    """
    name, files, notes = _find(paths)
    parts = list(map(_open, files))
    refuse_beyond_memory(name, sum(part.size for part in parts))
    frames = list(_rows(name, parts, notes.append))
    separators = {part.separator for part in parts}
    formats = {_format(file) for file in files}
    return Source(
        pl.concat(frames, rechunk=True),
        name,
        tuple(notes),
        separators.pop() if len(separators) == 1 else "",
        all(part.records for part in parts),
        folder=folder_of(paths),
        part=PART if formats <= {"images", "arrays"} and PART in frames[0] else "",
        ordered=formats != {"images"},
    )


def batches(
    paths: Paths | Source, size: int = 65_536, note: Note = lambda text: None
) -> Generator[pl.DataFrame, None, None]:
    """The same rows in the same columns and types, at most ``size`` at a time, for files larger than memory.

    A table that was read already is given out likewise. ``note`` hears what ``read`` notes. JSON arrays and Arrow
    streams are read whole. Raises DataError as ``read`` does, some of them only when the bad line is reached.
    """
    if isinstance(paths, Source):
        for text in paths.notes:
            note(text)
        yield from paths.frame.iter_slices(size)
        return
    name, files, notes = _find(paths)
    for text in notes:
        note(text)
    for frame in _rows(name, list(map(_open, files)), note):
        yield from frame.iter_slices(size)


def holds_records(paths: Paths | Source) -> bool:
    """Whether the rows are JSON records."""
    return (
        paths.records
        if isinstance(paths, Source)
        else all(_format(file) in ("json", "json lines") for file in _find(paths)[1])
    )


def folder_of(paths: Paths | Source) -> str:
    """Where the files lie that values of a table name: beside its own, unless it is itself a folder of them."""
    if isinstance(paths, Source):
        return paths.folder
    first = _find(paths)[1][0]
    return "" if first.is_dir() else str(first.parent)


def files_of(paths: Paths) -> list[Path]:
    """Every file that is read for these paths. Raises DataError as ``read`` does for a file that is not there."""
    return _find(paths)[1]


def _rows(name: str, parts: Sequence[Part], note: Note) -> Iterator[pl.DataFrame]:
    """The rows of all parts as one table; frames without rows are left out. Raises DataError where there is no row at
    all.
    """
    types = common_types(parts)
    empty = True
    times = Times()
    for part in parts:
        part_note = note if len(parts) == 1 else partial(_note_of_part, note, part.path.name)
        for text in part.notes:
            part_note(text)
        for frame in part.frames(part_note):
            if frame.height:
                empty = False
                yield fitted(times.checked(frame), types)
    for text in times.notes():
        note(text)
    if empty:
        raise DataError(f"{name} has a header but no rows")


def _note_of_part(note: Note, name: str, text: str) -> None:
    note(f"{name}: {text}")


def _find(paths: Paths) -> tuple[str, list[Path], list[str]]:
    """What to call the data, its files in order, and what was left out of a folder."""
    path_list = [Path(p).expanduser() for p in ([paths] if isinstance(paths, str | Path) else paths)]
    if not path_list:
        raise DataError("no file was given")
    files: list[Path] = []
    notes: list[str] = []
    for path in path_list:
        try:
            parts, note = _files_of(path)
        except OSError as error:
            raise DataError(f"{str(path)!r} cannot be opened: {error.strerror or error}") from error
        files += parts
        notes += note
    for file in files:
        refuse_sealed(file)
    name = path_list[0].name + (f" and {len(path_list) - 1} more" if len(path_list) > 1 else "")
    need_polars(name)
    return name, files, notes


def _files_of(path: Path) -> tuple[list[Path], list[str]]:
    if path.is_dir():
        return ([path], []) if _is_of_images(path) else _parts_of(path)
    if path.is_file():
        return [path], []
    if path.exists():
        advice = "save the data as a file first, or pipe them in and give -"
        raise DataError(f"{str(path)!r} is no file that can be read twice; {advice}")
    raise _missing(path)


def _missing(path: Path) -> DataError:
    folder = path.parent
    if not folder.is_dir():
        return DataError(f"no file {str(path)!r}: there is no folder {str(folder)!r}")
    there = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    hint = did_you_mean(path.name, there) if there else "the folder is empty"
    return DataError(f"no file {path.name!r} in {str(folder)!r}; {hint}")


def _is_of_images(folder: Path) -> bool:
    """Whether images are the data of a folder: notes may lie beside them, and tables may not."""
    tables = any(_suffix(p) in SUFFIXES and _suffix(p) not in NOTES for p in folder.iterdir() if p.is_file())
    return not tables and holds_images(folder)


def _parts_of(folder: Path) -> tuple[list[Path], list[str]]:
    """The data files of a folder: those with a known ending, or all where none has one."""
    files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith((".", "_")))
    parts = [p for p in files if _suffix(p) in SUFFIXES] or [p for p in files if not p.suffix]
    if not parts:
        endings = ", ".join(SUFFIXES)
        raise DataError(f"the folder {str(folder)!r} holds no data files (with one of the endings {endings})")
    ignored = [p.name for p in files if p not in parts]
    return parts, [f"left out of the folder: {', '.join(ignored)}"] if ignored else []


def _suffix(path: Path) -> str:
    return (path.with_suffix("") if path.suffix.lower() in PACKED else path).suffix.lower()


_WALKS = {"parquet": parquet.walk, "arrow": arrow.walk_file, "arrow stream": arrow.walk_stream}


def _open(path: Path) -> Part:
    part = _opened(path)
    if len(part.types) > MOST_COLUMNS:
        raise too_many_columns(path.name, len(part.types))
    return part


def _opened(path: Path) -> Part:
    kind = _format(path)
    if kind == "images":
        return image_folder(path)
    if kind == "arrays":
        return arrays(path)
    if kind == "delimited":
        layout = delimited.inspect(path)
        texts = dict.fromkeys(layout.names, pl.String())
        return Part(path, texts, lambda note: delimited.frames(layout, note=note), layout.notes, layout.separator)
    if kind in ("json", "json lines"):
        encoding, note = encoding_of(path)
        if kind == "json lines":
            types, frames = json_lines(path, encoding)
        else:
            table = json_table(path, encoding)
            types, frames = table.schema, lambda: iter([table])
        return _renamed(Part(path, types, lambda _: frames(), (note,) if note else (), records=True))
    if not _in_utf8(path):
        raise DataError(
            f"{path.name} has a name that is not in UTF-8, and {kind.capitalize()} files are opened by it; rename "
            "the file"
        )
    size = declared(path, _WALKS[kind])
    with _damage_named(path):
        schema = (
            pl.read_ipc_stream(path, n_rows=0).schema if kind == "arrow stream" else _scan(path, kind).collect_schema()
        )
    return _renamed(_with_bytes(Part(path, schema, lambda _: _columnar(path, kind), size=size.total)))


def _with_bytes(part: Part) -> Part:
    """The part with images as bytes where it has them as Hugging Face stores them: bytes beside the name of a file."""
    pairs = [name for name, dtype in part.types.items() if isinstance(dtype, pl.Struct) and dict(dtype) == _FILE]
    if not pairs:
        return part
    bytes_of = [pl.col(name).struct.field("bytes").alias(name) for name in pairs]
    return replace(
        part,
        types={name: pl.Binary() if name in pairs else dtype for name, dtype in part.types.items()},
        frames=lambda note: (frame.with_columns(bytes_of) for frame in part.frames(note)),
    )


_FILE = {"bytes": pl.Binary(), "path": pl.String()}


def _in_utf8(path: Path) -> bool:
    """Whether polars can open a file of this name; names of files are bytes of any kind."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        return False
    return True


def _renamed(part: Part) -> Part:
    """The part with names as every other door gives them, so that a model finds its columns whatever they come from."""
    names, notes = unique_names(part.types)
    if names == list(part.types):
        return part
    new = dict(zip(part.types, names, strict=True))
    return replace(
        part,
        types={new[name]: dtype for name, dtype in part.types.items()},
        frames=lambda note: (frame.rename(new, strict=False) for frame in part.frames(note)),
        notes=(*part.notes, *notes),
    )


def _columnar(path: Path, kind: Format) -> Iterator[pl.DataFrame]:
    if kind == "arrow stream":
        with _damage_named(path):
            frame = pl.read_ipc_stream(path)
        yield frame
        return
    with quiet():  # polars reads ahead while somebody else has the last frame
        frames: Iterator[pl.DataFrame] | None = None
        while True:
            with _damage_named(path):
                frames = frames or iter(_scan(path, kind).collect_batches(maintain_order=True))
                batch = next(frames, None)
            if batch is None:
                return
            yield batch


def _scan(path: Path, kind: Format) -> pl.LazyFrame:
    scan = pl.scan_ipc if kind == "arrow" else pl.scan_parquet
    return scan(path, glob=False, hive_partitioning=False)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        with untrusted():
            yield
    except (pl.exceptions.PolarsError, OSError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        if zone := re.search("parse time zone: '([^']*)'", str(error)):
            raise DataError(
                f"{path.name} has times in the zone {zone[1]!r}, which has no name in the time zone database; save "
                "them in UTC"
            ) from error
        raise DataError(f"{path.name} is damaged or cut off: {what}") from error


def _format(path: Path) -> Format:
    """By content; by name where the content could be anything."""
    if path.is_dir() or (is_zip(path) and holds_images(path)):
        return "images"
    if is_npz(path):
        return "arrays"
    head = next(raw_blocks(path, 1 << 16), b"")
    if not head.strip():
        raise DataError(f"{path.name} is empty")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "arrow"
    if head.startswith(b"\xff\xff\xff\xff"):
        return "arrow stream"
    refuse_foreign(path, head)
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    suffix_format = SUFFIXES.get(_suffix(path))
    if suffix_format in ("parquet", "arrow"):
        raise DataError(f"{path.name} is named like a {suffix_format.capitalize()} file, but its content is none")
    if text.startswith((b"{", b"[")) and (suffix_format == "json" or re.match(rb'(\[\s*)?\{\s*"', text)):
        if text.startswith(b"{") and b"\n" not in text:  # a record can be longer than the head
            text = next(raw_blocks(path, LONGEST_LINE)).removeprefix(codecs.BOM_UTF8).lstrip()
        line, _, more = text.partition(b"\n")
        one_a_line = line.startswith(b"{") and line.rstrip().endswith(b"}")
        columns = not more.strip() and _suffix(path) not in (".jsonl", ".ndjson") and _holds_columns(line)
        return "json lines" if one_a_line and not columns else "json"
    if suffix_format == "json":
        raise DataError(
            f"{path.name} is named like a JSON file, but begins with {text[:20].decode(errors='replace')!r}"
        )
    return "delimited"


def _holds_columns(text: bytes) -> bool:
    """Whether a JSON object is a table by columns, not a record."""
    try:
        values = decoded(text).values()
    except (ValueError, AttributeError):
        return False
    return all(isinstance(column, list) for column in values)
