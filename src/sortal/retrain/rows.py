"""Cases of a log as rows of the table that the champion was trained on: in its columns, and written as it writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from sortal.artifact.model import Model
from sortal.core.errors import DataError
from sortal.core.frame import conform, conform_column, from_any
from sortal.core.infer import infer
from sortal.core.json_rows import read_alone
from sortal.core.kinds import kind_of
from sortal.core.labels import code_of
from sortal.core.plain import quoted
from sortal.core.recipe import Recipe, defaults
from sortal.core.schema import Column, Schema
from sortal.core.series import of_programs, sort_of
from sortal.core.sheets import RAN
from sortal.core.table import Table
from sortal.core.values import is_text
from sortal.core.writing import listing
from sortal.data.read import Source
from sortal.retrain.cases import Case
from sortal.serve.log.foreign import named

REQUIRED_ROLES = ("time", "group", "split", "weight", "cost")
"""Roles of columns that every row has to have."""


def as_sent(cases: Sequence[Case], columns: Sequence[Column]) -> pl.DataFrame:
    """The inputs of cases in canonical types, of those ``columns`` that a log has. A value means what it means alone,
    as the service read it: 1.234 of JSON is a small number also beside a "2,5".
    """
    schema = Schema(tuple(column for column in columns if column.role not in ("target", "ignore")))
    with _named(cases, schema):
        rows = read_alone([case.inputs for case in cases], schema)
    return pl.DataFrame({c.name: of_programs(rows.columns[c.name], kind_of(c.kind)) for c in schema.columns})


def fresh_rows(cases: Sequence[Case], inputs: pl.DataFrame, model: Model, old: pl.DataFrame | None) -> pl.DataFrame:
    """Cases, with their ``inputs`` as sent, as rows with their labels; in the columns and the notation of ``old``,
    where there is one.

    Raises DataError for a column that rows are ordered, grouped or weighted by, and that the log does not have.
    """
    names = old.columns if old is not None else [c.name for c in model.schema.columns if c.role != "ignore"]
    columns = []
    for name in names:
        old_series = old[name].alias("") if old is not None else None
        column = model.schema[name] if name in model.schema else Column(name, "category", "ignore")
        if column.role == "target":
            values = _labels(cases, model, old_series)
        elif column.role == "ignore":
            values = pl.Series([None] * len(cases))
        else:
            values = _values(inputs[name].alias(""), column, cases, old_series)
        columns.append(values.alias(name))
    return pl.DataFrame(columns)


def new_rows(cases: Sequence[Case], learned: Sequence[pl.DataFrame], model: Model) -> tuple[list[Case], list[str]]:
    """Those of ``cases`` that are no copies of what a challenger learned from, in raw tables, and a sentence on the
    others: a model that has seen a row knows its label. Rows of coarse columns that agree by chance are rows
    like any others (``core.coincidence``).

    Raises DataError where none is left.
    """
    if not cases:
        return [], []
    schema = Schema(model.schema.features)
    frame = pl.concat(
        [conform(part, schema, allow_missing=True) for part in (*learned, as_sent(cases, schema.columns))]
    )
    records = Table(schema, frame, np.arange(frame.height)).records
    first = frame.height - len(cases)
    copies = np.isin(records[first:], records[:first])
    new = [case for case, is_copy in zip(cases, copies, strict=True) if not is_copy]
    count = len(cases) - len(new)
    if not new:
        raise DataError(
            f"all {count:,} labelled rows that are left for the gate are copies of rows that a challenger learns from, "
            "which knows their labels; wait for rows that are new"
        )
    if not count:
        return new, []
    return new, [
        f"{count:,} labelled rows judge nothing: they are copies, in all columns, of rows that a challenger learns from"
    ]


def old_rows(source: Source, model: Model, note: Callable[[str], None] = lambda text: None) -> pl.DataFrame:
    """What the champion was trained on, with images as they are, and not as the names of files beside it: a log has
    them so. ``note`` hears of those that cannot be read: they are missing.
    """
    images = [c for c in model.schema.features if kind_of(c.kind).storage == "bytes" and c.name in source.frame.columns]
    if not images:
        return source.frame
    image_table = conform(source.frame, Schema(tuple(images)), source=source.name, folder=source.folder, note=note)
    return source.frame.with_columns(image_table.iter_columns())


def together(old: pl.DataFrame | None, fresh: pl.DataFrame) -> pl.DataFrame:
    """Old rows and then fresh ones; a column takes the type that holds both."""
    return fresh if old is None else pl.concat([old, fresh], how="vertical_relaxed")


def recipe_for(recipe: Recipe, frame: pl.DataFrame, fresh: pl.DataFrame, model: Model) -> tuple[Recipe, list[str]]:
    """The champion's recipe, searched anew, for these rows: columns keep the kinds that the champion knows, and what
    nobody sends any more is not learned from. Beside it a sentence on that.
    """
    features = [column for column in model.schema.features if column.name in frame.columns]
    unsent = [c.name for c in features if fresh[c.name].null_count() == fresh.height]
    kinds = dict(recipe.rows.kind)
    for column in features:
        # Where the fresh values alone would make another kind of it, the service could not take the challenger.
        if column.name not in kinds and column.name not in unsent and _kind(frame, column.name) != column.kind:
            kinds[column.name] = column.kind
    column_kinds = {name: kind for name, kind in kinds.items() if name in frame.columns}
    left_out = (*(name for name in recipe.rows.ignore if name in frame.columns and name not in unsent), *unsent)
    anew = {name: defaults()[name] for name in RAN}
    notes = [f"no fresh row has {listing([*map(quoted, unsent)])}, so the challenger does without"] if unsent else []
    return recipe.with_options(**anew, kind=column_kinds, ignore=left_out), notes


def _named(cases: Sequence[Case], schema: Schema) -> AbstractContextManager[None]:
    return named(((case.row_id, case.inputs) for case in cases), schema)


def _kind(frame: pl.DataFrame, name: str) -> str:
    return infer(frame[[name]], None).columns[0].kind


def _labels(cases: Sequence[Case], model: Model, old: pl.Series | None) -> pl.Series:
    """As the old rows have them: their texts, where these are texts, else in the type that the labels have."""
    codes = [code_of(case.label, model.task.classes) for case in cases]
    if old is None or not is_text(sort_of(old.dtype)):
        return pl.Series([None if code is None else model.task.label(code) for code in codes])
    return pl.Series([None if code is None else model.task.classes[code] for code in codes], dtype=pl.String)


def _values(values: pl.Series, column: Column, cases: Sequence[Case], old: pl.Series | None) -> pl.Series:
    """``values``: of the cases, canonical."""
    inputs = [case.inputs.get(column.name) for case in cases]
    if column.role == "time" and None in inputs and _is_moment(column):
        inputs = [
            _moment(case.first, column) if value is None else value for case, value in zip(cases, inputs, strict=True)
        ]
        values = conform_column(from_any({column.name: inputs}), column)
    if column.role in REQUIRED_ROLES and None in inputs:
        raise DataError(
            f"column {quoted(column.name)} is the {column.role} of the champion's recipe, and {inputs.count(None):,} "
            f"of {len(inputs):,} labelled rows of the log do not have it; send it with every row"
        )
    if old is not None and is_text(sort_of(old.dtype)):
        if values.dtype == pl.String:
            return values
        return pl.Series([_text(value, column) for value in inputs], dtype=pl.String)
    if old is None or values.dtype == old.dtype:
        return values
    if values.dtype == pl.String:
        return _typed(values, old.dtype, column)
    whole = old.dtype.is_integer() and values.dtype.is_float() and _are_whole(values)
    return values.cast(pl.Int64) if whole else values


def _are_whole(numbers: pl.Series) -> bool:
    """Those that are there, without a loss."""
    there = numbers.drop_nulls()
    return bool((there % 1 == 0).all()) and bool((there.abs() < 2**53).all())


def _typed(texts: pl.Series, dtype: pl.DataType, column: Column) -> pl.Series:
    """Levels as numbers, where the old table has such and all of them mean the same so: 98101, and neither W1A nor
    007.
    """
    if not dtype.is_numeric():
        return texts
    numbers = texts.cast(pl.Int64 if dtype.is_integer() else pl.Float64, strict=False)
    return numbers if conform_column(numbers.to_frame(column.name), column).equals(texts) else texts


def _is_moment(column: Column) -> bool:
    return kind_of(column.kind).storage == "moment"


def _moment(time: float, column: Column) -> str:
    """When a case came, in the notation of a column of dates."""
    moment = datetime.fromtimestamp(time, UTC).replace(tzinfo=None)
    return moment.strftime(column.format) if column.format else moment.isoformat(" ")


def _text(value: Any, column: Column) -> str | None:
    """A value of JSON, which the column can hold, as a file with this column has it.

    >>> _text(29.5, Column("price", "number", format=",")), _text(True, Column("visits", "number"))
    ('29,5', '1')
    >>> _text(True, Column("member", "boolean", levels=("no", "yes")))
    'yes'
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) and column.kind != "number":
        return column.levels[value] if column.levels else str(value).lower()
    text = str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(value)
    return text.replace(".", ",") if column.kind == "number" and column.format.startswith(",") else text
