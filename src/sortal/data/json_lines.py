"""JSON Lines, and JSON as an array of records."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from sortal.core.errors import DataError
from sortal.core.frame import from_any
from sortal.data.blocks import utf8_blocks


def json_lines(path: Path, encoding: str) -> Iterator[pl.DataFrame]:
    """One record a line, some records at a time. Raises DataError that names the line that is no record."""
    line, rest = 1, b""
    for block in utf8_blocks(path, encoding):
        data = rest + block
        cut = data.rfind(b"\n") + 1
        if cut:
            yield _records(data[:cut], path, line)
        line += data.count(b"\n", 0, cut)
        rest = data[cut:]
    if rest.strip():
        yield _records(rest, path, line)


def _records(data: bytes, path: Path, first_line: int) -> pl.DataFrame:
    """By polars; where it cannot (NaN, columns of mixed types), by Python line by line."""
    try:
        return pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
    except pl.exceptions.PolarsError:
        records = []
        for number, text in enumerate(data.split(b"\n"), start=first_line):
            if text.strip():
                records.append(_record(text, f"{path.name}, line {number:,}"))
        return from_any(records)


def _record(text: bytes, where: str) -> dict[str, object]:
    try:
        record = json.loads(text)
    except ValueError as error:
        raise DataError(f"{where} is no JSON: {error}") from error
    if not isinstance(record, dict):
        raise DataError(f'{where} is no record like {{"column": value}}, but {str(record)[:40]}')
    return record


def json_table(path: Path, encoding: str) -> pl.DataFrame:
    """An array of records, or an object of columns, read whole. Raises DataError for any other JSON."""
    try:
        data = json.loads(b"".join(utf8_blocks(path, encoding)))
    except ValueError as error:
        raise DataError(f"{path.name} is no JSON: {error}") from error
    records = isinstance(data, list) and data and all(isinstance(record, dict) for record in data)
    columns = isinstance(data, dict) and all(isinstance(values, list) for values in data.values())
    if not (records or columns):
        raise DataError(f"{path.name} holds JSON, but no table; give an array of records or JSON Lines")
    return from_any(data)
