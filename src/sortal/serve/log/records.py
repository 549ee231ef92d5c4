"""What the log of a service holds: predictions as they were given out, and labels that came later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Label = str | int | float | bool
"""A class as JSON has it."""
Role = Literal["champion", "shadow"]


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """One row that was scored.

    ``row_id``: the client's, or made by the service. ``time``: when the answer was ready, seconds since 1970 (UTC).
    ``model``: SHA-256 of the model file; ``role``: whether this model answered (``champion``) or was only asked beside
    it (``shadow``). ``inputs``: the fields as they came, less those that must not be stored. ``probabilities``: by
    class, in the order of the model's classes. ``decision``: a class or ``"reject"``. ``set``: the prediction set,
    None where the model has none. ``seconds``: from the last byte of the request to the answer.
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


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """What turned out to be true of a row. ``time``: when the label came, seconds since 1970 (UTC)."""

    row_id: str
    label: Label
    time: float


@dataclass(frozen=True, slots=True)
class Conflict:
    """A label that contradicts the one that is known; the known one stays."""

    row_id: str
    known: Label
    given: Label


@dataclass(frozen=True, slots=True)
class LabelReceipt:
    """What became of labels: ``new`` ones were stored, ``repeated`` ones were known already. ``unmatched``: how many
    of the new ones belong to a row that no prediction is known of (yet).
    """

    new: int
    repeated: int
    unmatched: int
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelledPrediction:
    """A prediction and its label; None where none has come."""

    prediction: PredictionRecord
    label: LabelRecord | None
