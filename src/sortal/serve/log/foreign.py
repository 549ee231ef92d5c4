"""What a row of a log holds that no service writes, in a sentence that names the row and the field.

Other programs may write into a database, too. A service refuses such values at its door, and so does whoever reads
them here; what is slow about it is only done where a row could not be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.door import read_rows
from sortal.core.errors import DataError
from sortal.core.kinds import kind_of
from sortal.core.misfits import LARGEST
from sortal.core.plain import quoted
from sortal.core.predictions import OFF_ONE
from sortal.core.schema import Schema, column_name
from sortal.decide.policy import REJECT


def foreign(row_id: str, what: str) -> DataError:
    """A row of the log holds this."""
    return DataError(
        f"row {quoted(row_id)} of the log holds {what}; no service writes that: correct the row, or delete it there"
    )


def odd_number(text: str) -> str:
    """The first field of an object whose number other programs know, and JSON does not; empty where there is none."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    for name, value in fields.items() if isinstance(fields, dict) else ():
        try:
            json.dumps(value, allow_nan=False)
        except ValueError:
            return f"{quoted(value)} in {quoted(name)}, which is no number that a model computes with"
    return ""


def check_values(row_id: str, inputs: Mapping[str, Any], schema: Schema) -> None:
    """Raises DataError for the first value that is not of the kind of its column."""
    columns = {column.name: column for column in schema.columns}
    for name, value in inputs.items():
        column = columns.get(column_name(name))
        if column is None:
            continue
        try:
            read_rows([{column.name: value}], Schema((column,)), allow_missing=True)
        except DataError:
            kind = kind_of(column.kind)
            most = f" up to {LARGEST:.1e}" if kind.storage == "number" else ""
            what = f"{quoted(value)} in {quoted(name)}, where {kind.noun_of(column)}{most} is needed"
            raise foreign(row_id, what) from None


@contextmanager
def named(rows: Iterable[tuple[str, Mapping[str, Any]]], schema: Schema) -> Iterator[None]:
    """Within it, what is said of a value names its row, of ids and inputs, and not a place among those beside it."""
    try:
        yield
    except DataError:
        for row_id, inputs in rows:
            check_values(row_id, inputs, schema)
        raise


def as_array(row_ids: Sequence[str], probabilities: Sequence[Sequence[float]], classes: int) -> Floats:
    """(n, K) probabilities of rows. Raises DataError for the first row that has not one for each class, one in all."""
    if set(map(len, probabilities)) <= {classes}:
        array = np.array(probabilities, dtype=np.float64).reshape(-1, classes)
        if bool((array >= 0).all()) and bool((np.abs(array.sum(axis=1) - 1) < OFF_ONE).all()):
            return array
    for row_id, its in zip(row_ids, probabilities, strict=True):
        if len(its) != classes or not (min(its) >= 0 and abs(sum(its) - 1) < OFF_ONE):
            raise foreign(
                row_id, f"{quoted(list(its))} as probabilities, where each of {classes} classes has one, 1 in all"
            )
    return np.array(probabilities, dtype=np.float64)


def check_decisions(row_ids: Sequence[str], decisions: Sequence[str], classes: Sequence[str]) -> None:
    """Raises DataError for the first decision, as text, that is neither a class nor to leave it to a person."""
    strange = set(decisions) - {*classes, REJECT}
    if strange:
        at = next(at for at, decision in enumerate(decisions) if decision in strange)
        raise foreign(row_ids[at], f"{quoted(decisions[at])} as decision, where a class is needed")
