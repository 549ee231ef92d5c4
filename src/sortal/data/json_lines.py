"""JSON Lines, and JSON as an array of records.

A value means the same whatever stands beside it: a column is of one type where all its values are, and text where they
are not, with numbers as they are written there. So the types are those of all of the file, which is read twice for it.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sortal.core.errors import DataError
from sortal.data.blocks import BLOCK, utf8_blocks
from sortal.data.limits import DEEPEST, MOST_CELLS, MOST_COLUMNS, MOST_EMPTY, too_many_columns
from sortal.data.parts import Types, common_type
from sortal.data.untrusted import untrusted

MANY_KEYS = 1_000
"""From so many keys on, polars takes more than half a second for records that share none (measured)."""

_MIXED = pl.Object()
"""Stands for a column in which one block alone has values of several types."""

_LIKE_JSON = r"^(-?\d+(\.\d+)?([eE][+-]?\d+)?|-?inf|true|false|[\[{].*)$"
"""Text that polars may have made of something else that was beside a text."""


def json_lines(path: Path, encoding: str, size: int = BLOCK) -> tuple[Types, Callable[[], Iterator[pl.DataFrame]]]:
    """The types of the columns of one record a line, and what reads the records, some at a time.

    A record may lack columns. Raises DataError that names the line that is no record.
    """
    dtypes: dict[str, list[pl.DataType]] = {}
    records, cells, present = 0, 0, 0
    for block, first in _whole_lines(path, encoding, size):
        for data, line in _pieces(block, first):
            if not dtypes:  # polars has an order of its own
                dtypes = {name: [] for name in _record(*next(_lines(data, path, line)))}
            types, rows, values = _types(data, path, line)
            for name, dtype in types.items():
                dtypes.setdefault(name, []).append(dtype)
            records, cells, present = records + rows, cells + rows * len(dtypes), present + values
            _refuse_sparse(path.name, len(dtypes), cells, present)
    if records and not dtypes:
        raise DataError(f"{path.name} has {records:,} records, and none of them names a value")
    types = {name: pl.String() if _MIXED in variants else common_type(variants) for name, variants in dtypes.items()}
    mixed = {name for name, dtype in types.items() if dtype == pl.String and set(dtypes[name]) - {pl.Null, pl.String}}

    def frames() -> Iterator[pl.DataFrame]:
        for data, line in _whole_lines(path, encoding, size):
            fast = None if mixed or len(types) > MANY_KEYS else _by_polars(data)
            yield _frame(_records(data, path, line), types, mixed) if fast is None else fast

    return types, frames


def _whole_lines(path: Path, encoding: str, size: int) -> Iterator[tuple[bytes, int]]:
    """Blocks of whole lines, and the number of the first line of each."""
    line, rest = 1, b""
    for block in utf8_blocks(path, encoding, size):
        data = rest + block
        cut = data.rfind(b"\n") + 1
        if data[:cut].strip():
            yield data[:cut], line
        line += data.count(b"\n", 0, cut)
        rest = data[cut:]
    if rest.strip():
        yield rest, line


def _pieces(block: bytes, line: int) -> Iterator[tuple[bytes, int]]:
    """A block in pieces of ``MANY_KEYS`` lines: for records of other keys each, polars takes time by the square of
    their number.
    """
    ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord("\n"))[MANY_KEYS - 1 :: MANY_KEYS] + 1
    start = 0
    for end in [*ends.tolist(), len(block)]:
        if block[start:end].strip():
            yield block[start:end], line
        start, line = end, line + MANY_KEYS


def _types(data: bytes, path: Path, line: int) -> tuple[Types, int, int]:
    """The types of the columns, the number of records, and of the values that they name."""
    frame = _by_polars(data)
    if frame is not None and not any(
        c.alias("").str.contains(_LIKE_JSON).any() for c in frame.iter_columns() if c.dtype == pl.String
    ):
        empty = sum(column.null_count() for column in frame.iter_columns())
        return frame.schema, frame.height, frame.width * frame.height - empty
    records = _records(data, path, line)
    present = sum(map(len, records))
    _refuse_sparse(path.name, len({name for record in records for name in record}), len(records), present)
    types = {n: _MIXED if _is_mixed(v) else _series(n, v).dtype for n, v in _columns(records).items()}
    return types, len(records), present


def _refuse_sparse(name: str, keys: int, cells: int, present: int) -> None:
    """Raises DataError for records that name next to none of all keys, and for too many keys."""
    if keys > MOST_COLUMNS:
        raise too_many_columns(name, keys)
    if cells > max(MOST_CELLS, MOST_EMPTY * present):
        raise DataError(
            f"{name} has {keys:,} different keys, of which a record names hardly any: as a table it would be empty; "
            "give values that vary a key of their own"
        )


def _by_polars(data: bytes) -> pl.DataFrame | None:
    """Ten times faster than Python; it knows no NaN, and no columns of mixed types."""
    if _may_hold_half(data) or _MANY_BRACKETS.search(data):
        return None
    try:
        with untrusted():
            frame = pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
    except pl.exceptions.PolarsError:
        return None
    names = data.count(b'":') + data.count(b'" :')
    if names > frame.height * frame.width and not any(dtype.is_nested() for dtype in frame.dtypes):
        return None  # a record may have a name twice, of which polars takes the first value
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    if frame.height != lines:
        lines = sum(1 for text in data.split(b"\n") if text.strip())
    return frame if frame.height == lines else None


def _records(data: bytes, path: Path, first_line: int) -> list[dict[str, Any]]:
    return [_record(text, where) for text, where in _lines(data, path, first_line)]


def _lines(data: bytes, path: Path, first_line: int) -> Iterator[tuple[bytes, str]]:
    """Lines that are not blank, and where each stands."""
    lines = enumerate(data.split(b"\n"), start=first_line)
    return ((text, f"{path.name}, line {number:,}") for number, text in lines if text.strip())


def _record(text: bytes, where: str) -> dict[str, Any]:
    try:
        record = decoded(text)
    except ValueError as error:
        raise DataError(f"{where} is no JSON: {error}") from error
    if not isinstance(record, dict):
        raise DataError(f'{where} is no record like {{"column": value}}, but {str(record)[:40]}')
    return record


class _Float(float):
    """A number that knows how it is written."""

    def __init__(self, text: str) -> None:
        self.text = text


def decoded(text: bytes) -> Any:
    """JSON in which 1.0 is not 1, for where it turns out to be a text. Raises ValueError for what is none, or too deep,
    or no Unicode.
    """
    if _may_be_deep(text) and _depth(text) > DEEPEST:
        raise ValueError(f"it has more than {DEEPEST} brackets within each other")
    try:
        value = json.loads(
            text,
            parse_float=_Float,
            parse_constant={"Infinity": math.inf, "-Infinity": -math.inf}.get,
            object_pairs_hook=_fields,
        )
    except (json.JSONDecodeError, _RepeatedError):
        raise
    except ValueError:  # Python's own advice is for programmers
        raise ValueError("it holds a number of more than 4,300 digits; put it in quotes") from None
    if _may_hold_half(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"it holds {error.object[error.start : error.end]!a}, which is half a character") from None
    return value


class _RepeatedError(ValueError):
    """A name is there twice, of which one reader takes the first value and another the last."""


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise _RepeatedError(f"it names {next(name for name in fields if names.count(name) > 1)!r} twice")
    return fields


def _may_be_deep(text: bytes) -> bool:
    return text.count(b"[") + text.count(b"{") > DEEPEST


def _depth(text: bytes) -> int:
    """The most brackets that are open at once."""
    marks = np.frombuffer(_TEXT.sub(b"", text), dtype=np.uint8)
    marks = marks[(marks | 32 == ord("{")) | (marks | 32 == ord("}"))]  # [ and ] differ from them in that bit
    return int(np.cumsum(np.where(marks | 32 == ord("{"), 1, -1), dtype=np.int32).max(initial=0))


def _may_hold_half(text: bytes) -> bool:
    return b"\\u" in text and _HALF.search(text) is not None


_MANY_BRACKETS = re.compile(rb"^[^\[{\n]*+(?:[\[{][^\[{\n]*+){%d}" % (DEEPEST + 1), re.MULTILINE)
"""A line that may be too deep."""
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_HALF = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
"""One of the two codes of a character beyond the first 65,536, without the other."""


def json_table(path: Path, encoding: str) -> pl.DataFrame:
    """An array of records, an object of columns or one record, read whole. Raises DataError for any other JSON."""
    try:
        data = decoded(b"".join(utf8_blocks(path, encoding, longest=math.inf)))
    except ValueError as error:
        raise DataError(f"{path.name} is no JSON: {error}") from error
    if isinstance(data, list) and data and all(isinstance(record, dict) for record in data):
        keys = {name for record in data for name in record}
        _refuse_sparse(path.name, len(keys), len(keys) * len(data), sum(map(len, data)))
        return _frame(data)
    if isinstance(data, dict) and all(isinstance(values, list) for values in data.values()):
        lengths = {name: len(values) for name, values in data.items()}
        if len(set(lengths.values())) > 1:
            few, many = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
            raise DataError(
                f"{path.name} has {lengths[few]:,} values in column {few!r}, but {lengths[many]:,} in {many!r}; "
                "give each row a value, or null"
            )
        return pl.DataFrame([_series(name, values) for name, values in data.items()])
    if isinstance(data, dict) and not any(isinstance(value, list | dict) for value in data.values()):
        return _frame([data])
    raise DataError(f"{path.name} holds JSON, but no table; give an array of records or JSON Lines")


def _frame(
    records: Sequence[Mapping[str, Any]], names: Iterable[str] = (), texts: Collection[str] = ()
) -> pl.DataFrame:
    columns = _columns(records, names)
    return pl.DataFrame([_series(name, values, name in texts) for name, values in columns.items()])


def _columns(records: Sequence[Mapping[str, Any]], names: Iterable[str] = ()) -> dict[str, list[Any]]:
    """The values by column; also by those of ``names`` that no record has."""
    keys = (name for record in records for name in record)
    return {name: [record.get(name) for record in records] for name in dict.fromkeys([*names, *keys])}


_NUMBERS = {int, float, _Float}


def _is_mixed(values: Sequence[Any]) -> bool:
    """Also where a whole number is too long to be one: a code, as in a CSV file."""
    types = set(map(type, values)) - {type(None)}
    if types == {int}:
        return max(map(abs, filter(None, values)), default=0) >= 2**127
    return len(types) > 1 and not types <= _NUMBERS


def _series(name: str, values: Sequence[Any], as_text: bool = False) -> pl.Series:
    if as_text or _is_mixed(values):
        return pl.Series(name, list(map(_text, values)), pl.String)
    types = set(map(type, values)) - {type(None)}
    if types & _NUMBERS and types != {int}:
        return pl.Series(name, values, pl.Float64, strict=False)
    if types & {list, dict}:
        values = [json.loads(text) if (text := _text(value)) else None for value in values]
    return pl.Series(name, values, strict=False)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.text if isinstance(value, _Float) else json.dumps(value, ensure_ascii=False)
