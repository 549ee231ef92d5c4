"""Comma-separated values and their relatives as they are found in the wild; every value is kept as text.

Blocks are cut after whole rows and parsed by polars. What polars would refuse or read wrongly (a quote in the
middle of a field, blanks before a quote, rows of another length) goes to the slower ``quotes.rows``, which also
finds the line to name in a message.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.core.errors import DataError
from sortal.core.names import unique_names
from sortal.core.schema import column_name
from sortal.data.blocks import BLOCK, encoding_of, utf8_blocks
from sortal.data.limits import LONGEST_LINE, MOST_COLUMNS, too_many_columns
from sortal.data.parts import Note
from sortal.data.quotes import Habits, doubtful, in_doubt, lines_of, rows
from sortal.data.untrusted import untrusted

SEPARATORS = (",", ";", "\t", "|")
ONE_COLUMN = "\x1f"
"""The separator of a file that has one column only; it occurs nowhere."""

_AROUND = " \t\r\ufeff"
"""What may stand around a name where files were put together."""

_HEAD = 1 << 22
_ROWS_AT_A_TIME = 50_000


@dataclass(frozen=True)
class Layout:
    """How a delimited file is written: found by ``inspect``, used by ``frames``.

    ``header`` is the first row as it stands there, ``names`` are the columns' names, and ``skip`` is the number of
    lines before the first row of data. ``notes`` say what is unusual.
    """

    path: Path
    encoding: str
    separator: str
    header: tuple[str, ...]
    names: tuple[str, ...]
    skip: int
    notes: tuple[str, ...]

    @cached_property
    def habits(self) -> Habits:
        """What the first rows show, for when it is in doubt whether a quote is one."""
        return Habits.of(_head(self.path, self.encoding)[self.skip :], self.separator, len(self.names))


def inspect(path: Path) -> Layout:
    """Encoding, separator and column names of a file. Raises DataError for an empty one, and for a header whose quotes
    are not closed.
    """
    encoding, note = encoding_of(path)
    lines = _head(path, encoding)
    skip = next((i for i, line in enumerate(lines) if line.strip()), None)
    if skip is None:
        raise DataError(f"{path.name} is empty; give a file with a header and rows")
    own_separator = _stated_separator(lines[skip], path.name)
    skip += bool(own_separator)
    tabs = path.suffix.lower() in (".tsv", ".tab")
    separator = own_separator or find_separator("\n".join(lines[skip:]), prefer="\t" if tabs else ",")
    first = next(rows(lines[skip:], separator, path.name, skip + 1), None)
    header = first.values if first else []
    if len(header) > MOST_COLUMNS:
        raise too_many_columns(path.name, len(header))
    names, name_notes = unique_names(header)
    notes = [note] if note else []
    if separator not in (",", "\t", ONE_COLUMN):
        notes.append(f"fields are separated by {separator!r}")
    if all(re.fullmatch(r"\s*[+-]?\d+([.,]\d*)?\s*", name) for name in header):
        notes.append(f"the first line holds only numbers ({', '.join(header[:3])}): is the header missing?")
    skip += len(first.lines) if first else 0
    return Layout(path, encoding, separator, tuple(header), tuple(names), skip, (*notes, *name_notes))


def _stated_separator(line: str, name: str) -> str:
    """The separator that the first line says there is, as Excel does; nothing where it says none. Raises DataError for
    one that cannot be.
    """
    match = re.fullmatch(r"sep=([^\w\r]{2,}|[^,;|\r]*|.)\r?", line)
    if match and (len(match[1]) > 1 or not match[1].isascii() or match[1] == '"'):
        raise DataError(
            f"{name} says in its first line that {match[1]!r} separates the fields, and a separator is one character "
            "of ASCII, "
            "which is no quote; write the file with another"
        )
    return match[1] if match else ""


def _head(path: Path, encoding: str) -> list[str]:
    """The first lines of a file, with a whole one among them."""
    head = b""
    for size in (_HEAD, LONGEST_LINE):
        head = next(utf8_blocks(path, encoding, size), b"")
        if b"\n" in head.lstrip():
            break
    return head.decode("utf-8", errors="ignore").split("\n")


def find_separator(text: str, prefer: str = ",") -> str:
    """The separator under which the header has several fields, and most of the first 100 rows as many.

    >>> find_separator("a;b\\n1,5;2,5\\n"), find_separator("a\\tb\\n1\\t2\\n"), find_separator("a\\n1,5\\n")
    (';', '\\t', '\\x1f')
    """
    best, best_score = ONE_COLUMN, (0.0, False, 0)
    lines = text.split("\n")
    for separator in SEPARATORS:
        counts = _counts(lines, separator)
        if counts and counts[0] > 1:
            score = (sum(n == counts[0] for n in counts) / len(counts), separator == prefer, counts[0])
            best, best_score = max((best, best_score), (separator, score), key=lambda pair: pair[1])
    return best


def _counts(lines: list[str], separator: str, most: int = 100) -> list[int]:
    """The number of fields of the first rows, up to one that this separator leaves with an open quote."""
    counts: list[int] = []
    try:
        for row in islice(rows(lines, separator, ""), most):
            counts += [] if row.blank else [len(row.values)]
    except DataError:
        pass
    return counts


def frames(layout: Layout, size: int = BLOCK, note: Note = lambda text: None) -> Iterator[pl.DataFrame]:
    """The rows of a file, some at a time, all columns as text; empty fields are null.

    Blank lines are left out, but in a file of one column they are rows without a value. Where the header stands again,
    as in files put together, it is no row. ``note`` hears how often, at the end. ``size`` is the number of bytes that
    are read at a time. Raises DataError that names the line where a row has too many or too few fields, and where a
    quote is not closed or may be a letter.
    """
    before, repeated, blank = 0, 0, 0
    for frame in _frames(layout, size):
        body = _without_headers(frame, layout, before)
        before += frame.height
        repeated += frame.height - body.height
        blank += body.to_series().null_count() if frame.width == 1 else 0
        yield body
    if repeated:
        note(f"{_rows_are(repeated)} the header again: left out")
    if blank:
        note(f"{_rows_are(blank)} blank in the only column: a missing value each")


def _rows_are(count: int) -> str:
    return f"{count:,} row{'s are' if count > 1 else ' is'}"


def _without_headers(frame: pl.DataFrame, layout: Layout, before: int) -> pl.DataFrame:
    """Rows that are not the header again; in a file of one column the same word is a value like any other.

    Raises DataError where it stands there in another order: the rows below would be read under wrong names.
    """
    if frame.width == 1:
        return frame
    header = list(map(column_name, layout.header))
    names = list({*header, *layout.header})
    maybe = np.arange(frame.height)
    for column in frame.iter_columns():  # the first column leaves next to nothing of most tables
        candidates = column if len(maybe) == frame.height else column.gather(maybe)
        values = candidates.alias("").fill_null("")  # polars takes names such as "^p.*$" for patterns
        maybe = maybe[(values.is_in(names) | values.str.strip_chars(_AROUND).is_in(names)).to_numpy()]
        if not len(maybe):
            return frame
    rows_again = {int(at): list(map(column_name, frame.row(int(at)))) for at in maybe}
    for at, values_again in rows_again.items():
        if values_again != header and frame.width > 2 and sorted(values_again) == sorted(set(header)):
            raise DataError(
                f"{layout.path.name} holds its header again after row {before + at:,}, with the columns in another "
                "order; "
                "give the parts as files of their own"
            )
    again = [at for at, values_again in rows_again.items() if values_again == header]
    return frame.with_row_index("").filter(~pl.col("").is_in(again)).drop("")


def _frames(layout: Layout, size: int) -> Iterator[pl.DataFrame]:
    blocks = _body(layout, size)
    line, rest = 1 + layout.skip, b""
    for block in blocks:
        data = rest + block
        cut = _end_of_rows(data)
        endless = cut == 0 and len(data) > LONGEST_LINE
        frame = None if endless else _parse(data[:cut], layout)
        if frame is None:
            yield from _parse_slowly(chain([data], blocks), layout, line)
            return
        yield frame
        line += data.count(b"\n", 0, cut)
        rest = data[cut:]
    if rest:
        if not rest.endswith(b"\n"):
            rest += b"\n"  # polars overlooks an empty field at the end of a last line without one
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
    if quoted and (_has_stray_quotes(data, layout.separator) or _has_doubtful_rows(data, layout)):
        return None
    if width > 1 and (b"\n\n" in data or b"\n\r\n" in data or data.startswith((b"\n", b"\r\n"))):
        data = _without_blank_lines(data, quoted)
    header = layout.separator.join(map(str, range(width))).encode() + b"\n"
    try:
        with untrusted():
            frame = pl.read_csv(
                io.BytesIO(header + data), separator=layout.separator, infer_schema=False, null_values=[""]
            )
    except pl.exceptions.PolarsError:
        return None
    frame.columns = list(layout.names)
    return frame if width == 1 or _is_rectangular(frame, data, layout.separator, quoted) else None


def _without_blank_lines(data: bytes, quoted: bool) -> bytes:
    """Those within quotes belong to a value; at the end of whole rows there are none of these."""
    if quoted:
        return data.rstrip(b"\r\n") + b"\n"
    return re.sub(rb"(?:\r?\n){2,}", b"\n", data).lstrip(b"\r\n")


def _has_stray_quotes(data: bytes, separator: str) -> bool:
    """Whether a quote opens after something else than a separator, or closes before something else."""
    text = np.frombuffer(b"\n" + data + b"\n\n", dtype=np.uint8)
    quotes = np.flatnonzero(text == ord('"'))
    if len(quotes) % 2:
        return True
    before, after, behind = text[quotes[0::2] - 1], text[quotes[1::2] + 1], text[quotes[1::2] + 2]
    limits = np.zeros(256, dtype=np.bool_)
    limits[[ord(separator), ord("\n"), ord('"')]] = True
    return_ends = (after == ord("\r")) & (behind == ord("\n"))
    return not (limits[before].all() and (limits[after] | return_ends).all())


def _has_doubtful_rows(data: bytes, layout: Layout) -> bool:
    """Whether a row over several lines may be several rows: see ``quotes.in_doubt``, which looks at the few that remain
    here.
    """
    text = np.frombuffer(data, dtype=np.uint8)
    newlines = np.flatnonzero(text == ord("\n"))
    ends_row = ~_inside_quotes(text)[newlines]
    if ends_row.all():
        return False
    row_of_line: NDArray[np.int64] = np.cumsum(ends_row) - ends_row
    separators = np.searchsorted(np.flatnonzero(text == ord(layout.separator)), newlines)
    narrow = np.diff(separators, prepend=0) < len(layout.names) - 1
    blank = np.diff(newlines, prepend=-1) <= 2
    lines = np.bincount(row_of_line)
    candidates = np.flatnonzero((lines > 1) & (np.bincount(row_of_line, narrow & ~blank) == 0))
    if not len(candidates):
        return False
    stops = newlines[ends_row] + 1
    starts = np.concatenate([[0], stops[:-1]])
    for k in candidates:
        parsed = rows(lines_of([data[starts[k] : stops[k]]]), layout.separator, layout.path.name)
        if any(in_doubt(row, layout.separator, len(layout.names), lambda: layout.habits) for row in parsed):
            return True
    return False


def _inside_quotes(text: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(n,) whether a character stands in quotes, closing quotes aside."""
    return np.bitwise_xor.accumulate((text == ord('"')).view(np.uint8)).astype(np.bool_)


def _is_rectangular(frame: pl.DataFrame, data: bytes, separator: str, quoted: bool) -> bool:
    """Whether every row has a field for every column: polars fills up shorter ones in silence."""
    if not quoted:
        return data.count(separator.encode()) == (frame.width - 1) * frame.height
    if frame.to_series(-1).null_count() == 0:
        return True
    text = np.frombuffer(data, dtype=np.uint8)
    outside = ~_inside_quotes(text)
    ends = np.flatnonzero((text == ord("\n")) & outside)
    separators = np.flatnonzero((text == ord(separator)) & outside)
    fields = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
    return bool((fields == frame.width).all())


def _parse_slowly(blocks: Iterable[bytes], layout: Layout, line: int) -> Iterator[pl.DataFrame]:
    """All that is left, row by row; ``line`` is the number of the first line of it."""
    width, name = len(layout.names), layout.path.name
    pending: list[list[str]] = []
    for row in rows(lines_of(blocks), layout.separator, name, line):
        if in_doubt(row, layout.separator, width, lambda: layout.habits):
            raise doubtful(name, row)
        if row.blank and width > 1:
            continue
        if len(row.values) != width:
            raise _ragged(layout, row.line, len(row.values))
        pending.append(row.values)
        if len(pending) == _ROWS_AT_A_TIME:
            yield _frame(pending, layout)
            pending = []
    yield _frame(pending, layout)


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
