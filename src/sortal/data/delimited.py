"""Comma-separated values and their relatives as they are found in the wild; every value is kept as text.

Blocks are cut after whole rows and parsed by polars. What polars would refuse or read wrongly (a quote in the
middle of a field, blanks before a quote, rows of another length) goes to Python's slower ``csv``, which also
finds the line to name in a message.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sortal.core.errors import DataError
from sortal.core.frame import unique_names
from sortal.data.blocks import BLOCK, encoding_of, utf8_blocks

if TYPE_CHECKING:
    from _csv import Reader

SEPARATORS = (",", ";", "\t", "|")
ONE_COLUMN = "\x1f"
"""The separator of a file that has one column only; it occurs nowhere."""

LONGEST_ROW = 1 << 24
"""A row of more bytes than this has a quote that is no quotation mark, or is never closed."""

_HEAD = 1 << 22
_ROWS_AT_A_TIME = 50_000
_END = "\x1e"


@dataclass(frozen=True)
class Layout:
    """How a delimited file is written: found by ``inspect``, used by ``frames``.

    ``skip`` is the number of lines before the first row of data. ``notes`` say what is unusual.
    """

    path: Path
    encoding: str
    separator: str
    names: tuple[str, ...]
    skip: int
    notes: tuple[str, ...]


def inspect(path: Path) -> Layout:
    """Encoding, separator and column names of a file. Raises DataError for an empty one."""
    encoding, note = encoding_of(path)
    head = next(utf8_blocks(path, encoding, size=_HEAD), b"").decode("utf-8", errors="ignore")
    lines = head.split("\n")
    skip = next((i for i, line in enumerate(lines) if line.strip()), None)
    if skip is None:
        raise DataError(f"{path.name} is empty; give a file with a header and rows")
    told = re.fullmatch(r"sep=(.)\r?", lines[skip])
    skip += bool(told)
    tabs = path.suffix.lower() in (".tsv", ".tab")
    separator = told[1] if told else find_separator("\n".join(lines[skip:]), prefer="\t" if tabs else ",")
    rows = _rows(lines[skip:], separator)
    header: list[str] = next(rows, [])
    names, renamed = unique_names(header)
    notes = [note] if note else []
    if separator not in (",", "\t", ONE_COLUMN):
        notes.append(f"fields are separated by {separator!r}")
    if all(re.fullmatch(r"\s*[+-]?\d+([.,]\d*)?\s*", name) for name in header):
        notes.append(f"the first line holds only numbers ({', '.join(header[:3])}): is the header missing?")
    return Layout(path, encoding, separator, tuple(names), skip + rows.line_num, (*notes, *renamed))


def find_separator(text: str, prefer: str = ",") -> str:
    """The separator under which the header has several fields, and most of the first 100 rows as many.

    >>> find_separator("a;b\\n1,5;2,5\\n"), find_separator("a\\tb\\n1\\t2\\n"), find_separator("a\\n1,5\\n")
    (';', '\\t', '\\x1f')
    """
    best, best_score = ONE_COLUMN, (0.0, False, 0)
    for separator in SEPARATORS:
        counts = [len(row) for row in islice(_rows(text.split("\n"), separator), 100) if row]
        if counts[0] > 1:
            score = (sum(n == counts[0] for n in counts) / len(counts), separator == prefer, counts[0])
            best, best_score = max((best, best_score), (separator, score), key=lambda pair: pair[1])
    return best


def _rows(lines: Iterable[str], separator: str) -> Reader:
    return csv.reader((line + "\n" for line in lines), delimiter=separator, skipinitialspace=True)


def frames(layout: Layout, size: int = BLOCK) -> Iterator[pl.DataFrame]:
    """The rows of a file, some at a time, all columns as text; empty fields are null, blank lines left out.

    ``size`` is the number of bytes that are read at a time. Raises DataError that names the line where a row has
    too many or too few fields, or a quote is not closed.
    """
    blocks = _body(layout, size)
    line, rest = 1 + layout.skip, b""
    for block in blocks:
        data = rest + block
        cut = _end_of_rows(data)
        endless = cut == 0 and len(data) > LONGEST_ROW
        frame = None if endless else _parse(data[:cut], layout)
        if frame is None:
            yield from _parse_slowly(chain([data], blocks), layout, line)
            return
        yield frame
        line += data.count(b"\n", 0, cut)
        rest = data[cut:]
    rest = rest.rstrip(b"\r\n") + b"\n"  # polars overlooks an empty field at the end of a last line without one
    frame = _parse(rest, layout)
    yield from _parse_slowly([rest], layout, line) if frame is None else [frame]


def _body(layout: Layout, size: int) -> Iterator[bytes]:
    """The blocks of a file without the lines before its first row of data."""
    skip = layout.skip
    for block in utf8_blocks(layout.path, layout.encoding, size):
        start = 0
        while skip and start < len(block):
            newline = block.find(b"\n", start)
            start = newline + 1 if newline >= 0 else len(block)
            skip -= newline >= 0
        yield block[start:]


def _end_of_rows(data: bytes) -> int:
    """Where the last whole row ends: after a newline with an even number of quotes before it."""
    cut = data.rfind(b"\n") + 1
    odd = data.count(b'"', 0, cut) % 2
    while odd and cut:
        before = data.rfind(b"\n", 0, data.rfind(b'"', 0, cut)) + 1
        odd = (odd - data.count(b'"', before, cut)) % 2
        cut = before
    return cut


def _parse(data: bytes, layout: Layout) -> pl.DataFrame | None:
    """Whole rows by polars, or None where they need a closer look."""
    quoted = b'"' in data
    width = len(layout.names)
    if quoted and _has_stray_quotes(data, layout.separator):
        return None
    if not quoted and (b"\n\n" in data or b"\n\r\n" in data or data.startswith((b"\n", b"\r\n"))):
        data = re.sub(rb"(?:\r?\n){2,}", b"\n", data).lstrip(b"\r\n")
    header = layout.separator.join(map(str, range(width))).encode() + b"\n"
    try:
        frame = pl.read_csv(io.BytesIO(header + data), separator=layout.separator, infer_schema=False)
    except pl.exceptions.PolarsError:
        return None
    frame.columns = list(layout.names)
    if width == 1:
        return frame.drop_nulls()
    return frame if _is_rectangular(frame, data, layout.separator, quoted) else None


def _has_stray_quotes(data: bytes, separator: str) -> bool:
    """Whether a quote opens after something else than a separator, or closes before something else."""
    text = np.frombuffer(b"\n" + data + b"\n", dtype=np.uint8)
    quotes = np.flatnonzero(text == ord('"'))
    neighbours = np.zeros(256, dtype=bool)
    neighbours[[ord(separator), ord("\n"), ord("\r"), ord('"')]] = True
    fits = neighbours[text[quotes[0::2] - 1]].all() and neighbours[text[quotes[1::2] + 1]].all()
    return not fits or len(quotes) % 2 == 1


def _is_rectangular(frame: pl.DataFrame, data: bytes, separator: str, quoted: bool) -> bool:
    """Whether every row has a field for every column: polars fills up shorter ones in silence."""
    if not quoted:
        return data.count(separator.encode()) == (frame.width - 1) * frame.height
    if frame.to_series(-1).null_count() == 0:
        return True
    text = np.frombuffer(data, dtype=np.uint8)
    outside = np.bitwise_xor.accumulate((text == ord('"')).view(np.uint8)) == 0
    ends = np.flatnonzero((text == ord("\n")) & outside)
    separators = np.flatnonzero((text == ord(separator)) & outside)
    fields = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
    return bool((fields == frame.width).all())


def _parse_slowly(blocks: Iterable[bytes], layout: Layout, line: int) -> Iterator[pl.DataFrame]:
    """All that is left, by Python's csv; ``line`` is the number of the first line of it."""
    reader = _rows(chain(_lines(blocks), [_END]), layout.separator)
    rows: list[list[str]] = []
    start = line
    try:
        for row in reader:
            if row and row[-1].endswith(_END + "\n"):
                raise _not_closed(layout, start)
            if row == [_END]:
                break
            if len(row) == len(layout.names):
                rows.append(row)
            elif len(row) > 1 or "".join(row).strip():
                raise _ragged(layout, start, len(row))
            if len(rows) == _ROWS_AT_A_TIME:
                yield _frame(rows, layout)
                rows = []
            start = line + reader.line_num
    except csv.Error as error:
        raise DataError(f"{layout.path.name}, line {start:,}: {error}; is a quote never closed?") from error
    yield _frame(rows, layout)


def _lines(blocks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        yield from (line.decode() for line in lines)
    if rest:
        yield rest.decode()


def _frame(rows: list[list[str]], layout: Layout) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(layout.names)
    series = [pl.Series(n, [v or None for v in c], pl.String) for n, c in zip(layout.names, columns, strict=True)]
    return pl.DataFrame(series)


def _ragged(layout: Layout, line: int, fields: int) -> DataError:
    width = len(layout.names)
    advice = "put values that contain the separator in quotes" if fields > width else "add the missing ones"
    return DataError(
        f"{layout.path.name}, line {line:,} has {fields} field{'s' * (fields != 1)}, but the header has "
        f"{width} (separated by {layout.separator!r}); {advice}"
    )


def _not_closed(layout: Layout, line: int) -> DataError:
    return DataError(f"{layout.path.name}, line {line:,}: a quote is opened and never closed; remove or double it")
