"""JSON Lines, and JSON as an array of records.

A value means the same whatever stands beside it: a column is of one type where all its values are, and text where they are
not, with numbers as they are written there. So the types are those of all of the file, which is read twice for it.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from sortal.core.errors import DataError
from sortal.data.blocks import BLOCK, utf8_blocks
from sortal.data.parts import Types, common_type

_MIXED = pl.Object()
"""Stands for a column in which one block alone has values of several types."""

_LIKE_JSON = r"^(-?\d+(\.\d+)?([eE][+-]?\d+)?|-?inf|true|false|[\[{].*)$"
"""Text that polars may have made of something else that was beside a text."""


def json_lines(path: Path, encoding: str, size: int = BLOCK) -> tuple[Types, Callable[[], Iterator[pl.DataFrame]]]:
    """The types of the columns of one record a line, and what reads the records, some at a time.

    A record may lack columns. Raises DataError that names the line that is no record.
    """
    found: dict[str, list[pl.DataType]] = {}
    for data, line in _whole_lines(path, encoding, size):
        if not found:  # polars has an order of its own
            found = {name: [] for name in _record(*next(_lines(data, path, line)))}
        for name, dtype in _types(data, path, line).items():
            found.setdefault(name, []).append(dtype)
    types = {name: pl.String() if _MIXED in seen else common_type(seen) for name, seen in found.items()}
    mixed = {name for name, dtype in types.items() if dtype == pl.String and set(found[name]) - {pl.Null, pl.String}}

    def frames() -> Iterator[pl.DataFrame]:
        for data, line in _whole_lines(path, encoding, size):
            fast = None if mixed else _by_polars(data)
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


def _types(data: bytes, path: Path, line: int) -> Types:
    frame = _by_polars(data)
    if frame is not None and not any(
        c.alias("").str.contains(_LIKE_JSON).any() for c in frame.iter_columns() if c.dtype == pl.String
    ):
        return frame.schema
    columns = _columns(_records(data, path, line))
    return {name: _MIXED if _is_mixed(values) else _series(name, values).dtype for name, values in columns.items()}


def _by_polars(data: bytes) -> pl.DataFrame | None:
    """Ten times faster than Python; it knows no NaN, and no columns of mixed types."""
    try:
        frame = pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
    except pl.exceptions.PolarsError:
        return None
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
        record = _decoded(text)
    except ValueError as error:
        raise DataError(f"{where} is no JSON: {error}") from error
    if not isinstance(record, dict):
        raise DataError(f'{where} is no record like {{"column": value}}, but {str(record)[:40]}')
    return record


class _Float(float):
    """A number that knows how it is written."""

    def __init__(self, written: str) -> None:
        self.written = written


def _decoded(text: bytes) -> Any:
    """JSON in which 1.0 is not 1, for where it turns out to be a text."""
    return json.loads(text, parse_float=_Float, parse_constant={"Infinity": math.inf, "-Infinity": -math.inf}.get)


def json_table(path: Path, encoding: str) -> pl.DataFrame:
    """An array of records, an object of columns or one record, read whole. Raises DataError for any other JSON."""
    try:
        data = _decoded(b"".join(utf8_blocks(path, encoding)))
    except ValueError as error:
        raise DataError(f"{path.name} is no JSON: {error}") from error
    if isinstance(data, list) and data and all(isinstance(record, dict) for record in data):
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
    return value.written if isinstance(value, _Float) else json.dumps(value, ensure_ascii=False)
