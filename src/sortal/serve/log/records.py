"""What the log of a service holds: predictions as they were given out, and labels that came later."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec

from sortal.core.schema import column_name

Label = str | int | float | bool
"""A class as JSON has it."""
Role = Literal["champion", "shadow"]


class PredictionRecord(msgspec.Struct, frozen=True, gc=False):
    """One row that was scored.

    ``row_id``: the client's, or made by the service. ``time``: when the answer was ready, seconds since 1970 (UTC).
    ``model``: SHA-256 of the model file; ``role``: whether this model answered (``champion``) or was only asked beside
    it (``shadow``). ``inputs``: the fields as they came, less those that must not be stored, whose names are
    ``redacted``. ``probabilities``: by class, in the order of the model's classes. ``decision``: a class or
    ``"reject"``. ``set``: the prediction set, None where the model has none. ``seconds``: from the last byte of the
    request to the answer.
    """

    row_id: str
    time: float
    model: str
    role: Role
    inputs: Mapping[str, Any]
    prediction: Label
    probabilities: tuple[float, ...]
    decision: Label
    set: tuple[Label, ...] | None
    warnings: tuple[str, ...]
    seconds: float
    redacted: tuple[str, ...] = ()


class LabelRecord(msgspec.Struct, frozen=True, gc=False):
    """What turned out to be true of a row. ``time``: when the label came, seconds since 1970 (UTC).

    A label belongs to a row id, and so to every prediction of that row: by whatever model, as champion or shadow, and
    once or again. An id has to name one case (this customer in this month), not what cases have in common.
    """

    row_id: str
    label: Label
    time: float


class Conflict(msgspec.Struct, frozen=True, gc=False):
    """A label that contradicts the one that is known; the known one stays."""

    row_id: str
    known: Label
    given: Label


class LabelReceipt(msgspec.Struct, frozen=True, gc=False):
    """What became of labels: ``new`` ones were stored, ``repeated`` ones were known already. ``unmatched``: how many
    of the new ones belong to a row that no prediction is known of (yet).
    """

    new: int
    repeated: int
    unmatched: int
    conflicts: tuple[Conflict, ...] = ()


class LabelledPrediction(msgspec.Struct, frozen=True, gc=False):
    """A prediction and its label; None where none has come."""

    prediction: PredictionRecord
    label: LabelRecord | None


def same_label(one: Label, other: Label) -> bool:
    """Whether two labels name one class. 1 and 1.0 are one number, as JSON knows no difference; true is no number.

    >>> same_label(1, 1.0), same_label(1, True), same_label("1", 1)
    (True, False, False)
    """
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def redact(record: PredictionRecord, columns: Collection[str]) -> PredictionRecord:
    """The record without these inputs, whichever form of a name they came by, and without the warnings that speak of
    them, which quote values.
    """
    columns_of = {name: name if name in columns else column_name(name) for name in record.inputs}
    present = tuple(dict.fromkeys(column for column in columns_of.values() if column in columns))
    inputs = {name: value for name, value in record.inputs.items() if columns_of[name] not in columns}
    warnings = tuple(_redact_warning(warning, columns) for warning in record.warnings)
    return msgspec.structs.replace(record, inputs=inputs, redacted=present, warnings=warnings)


def _redact_warning(warning: str, columns: Collection[str]) -> str:
    about = next((name for name in columns if _quote(name) in warning), None)
    return warning if about is None else f"{_quote(about)}: a warning, redacted"


def _quote(name: str) -> str:
    """A column as each warning of it has it; ``core.shift`` cuts names of more than 40 letters."""
    return repr(name) if len(repr(name)) <= NAME_LENGTH else repr(name)[:NAME_LENGTH]


NAME_LENGTH = 36
"""Letters of a name that are in a warning for certain."""
