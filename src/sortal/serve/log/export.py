"""A span of a log as a Parquet file that ``sortal evaluate`` and ``sortal train`` read.

Each input is a column, the label is the column of the target, and all else about a prediction (ids, times, model,
probabilities, decision) is in one column of structs, ``served``: it is no feature, and training leaves structs out.
An input whose values are of several types is text: only whole and other numbers go together, as numbers.

The log is read once, some thousand rows at a time, into parts of the file; what type a column has is known when all
were read. So a log of any length can be exported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from sortal.core.schema import by_column
from sortal.data.whole import PRIVATE, replacing
from sortal.serve.log.records import LabelledPrediction, Role
from sortal.serve.log.store import LogStore

PART = 20_000
"""Rows of a part, which is in memory at once."""
SERVED, LABEL = "served", "label"
EXACT = 2**53
"""Whole numbers up to this one are numbers with a fraction, too, without a loss."""


class _Wide(int):
    """A whole number beyond ``EXACT``."""


class _Other:
    """What only JSON can say: lists, objects, and whole numbers of more than 64 bits."""


_TYPES = {bool: pl.Boolean(), int: pl.Int64(), float: pl.Float64(), str: pl.String()}
_MOMENT = pl.Datetime("us", "UTC")
_FIXED: dict[str, pl.DataType] = {
    "s:row_id": pl.String(),
    "s:time": _MOMENT,
    "s:model": pl.String(),
    "s:role": pl.String(),
    "s:probabilities": pl.List(pl.Float64()),
    "s:set": pl.List(pl.String()),
    "s:warnings": pl.List(pl.String()),
    "s:redacted": pl.List(pl.String()),
    "s:seconds": pl.Float64(),
    "s:label_time": _MOMENT,
}
"""Columns that are always of one type."""


@dataclass(frozen=True)
class _Part:
    """``types``: those of the values of each column in it."""

    path: Path
    types: dict[str, set[type]]


@dataclass(frozen=True)
class _Column:
    values: list[Any]
    types: set[type] = field(default_factory=set)


def export(
    store: LogStore,
    path: Path,
    since: float = 0.0,
    until: float | None = None,
    *,
    role: Role = "champion",
    target: str = LABEL,
) -> int:
    """Write the predictions of a span, and how many there are; no file where there are none.

    ``role``: whose predictions; those of a shadow are of the same rows once more. ``target``: what the column of the
    label is called. An input that has its name, or ``served``, keeps it, and ours gets an underscore. Raises
    OutputError where the file cannot be written, and StoreError where the log cannot be read.
    """
    rows = (row for row in store.read(since, until) if row.prediction.role == role)
    first = next(rows, None)
    if first is None:
        return 0
    path.parent.mkdir(exist_ok=True)
    with replacing(path, PRIVATE) as whole:
        parts = list(_parts(chain([first], rows), whole.parent))
        types = _types(parts)
        _arrange(pl.concat([_align(part, types) for part in parts]), target).sink_parquet(whole)
        return int(pl.scan_parquet(whole).select(pl.len()).collect().item())


def _parts(rows: Iterator[LabelledPrediction], folder: Path) -> Iterator[_Part]:
    for number in count():
        batch = list(islice(rows, PART))
        if not batch:
            return
        columns = _columns(batch)
        path = folder / f"part-{number}.parquet"
        pl.DataFrame([_series(name, column) for name, column in columns.items()]).write_parquet(path)
        yield _Part(path, {name: column.types for name, column in columns.items()})


def _columns(rows: Sequence[LabelledPrediction]) -> dict[str, _Column]:
    """Inputs under ``i:NAME``, all else under ``s:NAME``; None where a row lacks one."""
    columns: dict[str, _Column] = {}
    for at, row in enumerate(rows):
        for name, value in _flat(row):
            if name not in columns:
                columns[name] = _Column([None] * len(rows))
            column = columns[name]
            column.values[at] = value
            if value is not None:
                column.types.add(_type_of(value))
    return columns


def _flat(row: LabelledPrediction) -> Iterable[tuple[str, Any]]:
    record, label = row.prediction, row.label
    yield from ((f"i:{name}", value) for name, value in by_column(record.inputs).items())
    yield "s:prediction", record.prediction
    yield "s:decision", record.decision
    yield "s:label", None if label is None else label.label
    yield "s:row_id", record.row_id
    yield "s:time", round(1e6 * record.time)
    yield "s:model", record.model
    yield "s:role", record.role
    yield "s:probabilities", list(record.probabilities)
    yield "s:set", None if record.set is None else [_text(member) for member in record.set]
    yield "s:warnings", list(record.warnings)
    yield "s:redacted", list(record.redacted)
    yield "s:seconds", record.seconds
    yield "s:label_time", None if label is None else round(1e6 * label.time)


def _type_of(value: Any) -> type:
    if type(value) is int and abs(value) > EXACT:
        return _Wide if -(2**63) <= value < 2**63 else _Other
    return type(value) if type(value) in _TYPES else _Other


def _dtype(name: str, types: set[type]) -> pl.DataType:
    """Of a column whose values have these types."""
    if name in _FIXED:
        return _FIXED[name]
    if types in ({int, _Wide}, {_Wide}):
        return pl.Int64()
    if types == {int, float}:
        return pl.Float64()
    return _TYPES.get(next(iter(types)), pl.String()) if len(types) == 1 else pl.String()


def _series(name: str, column: _Column) -> pl.Series:
    kind = _dtype(name, column.types)
    if kind == _MOMENT:
        return pl.Series(name, column.values, pl.Int64()).cast(kind)
    if kind == pl.String():
        return pl.Series(name, [None if value is None else _text(value) for value in column.values], kind)
    return pl.Series(name, column.values, kind, strict=False)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _types(parts: Sequence[_Part]) -> dict[str, pl.DataType]:
    """Of every column of the file, in the order in which they appear."""
    by_name: dict[str, set[type]] = {}
    for part in parts:
        for name, types in part.types.items():
            by_name.setdefault(name, set()).update(types)
    return {name: _dtype(name, types) for name, types in by_name.items()}


def _align(part: _Part, types: dict[str, pl.DataType]) -> pl.LazyFrame:
    """A part with all columns, in the types of the file."""
    frame = pl.scan_parquet(part.path)
    there = frame.collect_schema()
    return frame.select(
        (pl.col(name).cast(kind) if name in there else pl.lit(None, kind)).alias(name) for name, kind in types.items()
    )


def _arrange(frame: pl.LazyFrame, target: str) -> pl.LazyFrame:
    """Inputs, then the label, then all else in one column."""
    columns = frame.collect_schema().names()
    inputs = [name for name in columns if name.startswith("i:")]
    names = {name[2:] for name in inputs}
    about = [name for name in columns if name.startswith("s:") and name != "s:label"]
    return frame.select(
        *(pl.col(name).alias(name[2:]) for name in inputs),
        pl.col("s:label").alias(_free(target, names)),
        pl.struct(pl.col(name).alias(name[2:]) for name in about).alias(_free(SERVED, {*names, target})),
    )


def _free(name: str, used_names: set[str]) -> str:
    while name in used_names:
        name += "_"
    return name
