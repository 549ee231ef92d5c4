"""``run.json``: everything that a run found, decided and counted.

The dataclasses here and ``run.schema.json`` beside them are one contract, held together by a test. Within
one ``protocol`` number no key appears, goes away or changes its meaning. Every key is always written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal

import msgspec

from sortal.artifact.card import Data, Item
from sortal.checks.audit import Finding, SkippedCheck
from sortal.core.errors import DataError
from sortal.core.interval import Estimate
from sortal.core.schema import Column
from sortal.core.task import Task
from sortal.decide.calibrate import CalibrationResult
from sortal.evaluate.figures import ClassScore
from sortal.evaluate.slices import Slices
from sortal.evaluate.verification import Verification
from sortal.record.parts import (
    Artifact,
    Baseline,
    Confusion,
    Decision,
    Examples,
    Imbalance,
    Importance,
    Ledger,
    Nested,
    Row,
    Selection,
    Sets,
    Split,
    Timing,
)

PROTOCOL: Final = 1


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run found and decided, before it is judged, timed and filed.

    ``imbalance`` is null where no class is rare enough to be treated, ``sets`` where none were asked for. ``test`` and
    ``verification`` are null where the test was not opened; ``nested`` where a test was sealed, or nothing was measured
    in its stead. ``per_class``, ``confusion`` and ``slices`` are of the test or nested, else out of fold; ``slices`` is
    null where there is no column to slice by. ``importance``: what the columns weigh in the model; ``permutation``:
    what each adds, null where there was no time to measure it. ``examples``: of texts and images, null where there are
    none, or rows are private.
    """

    protocol: Literal[1] = PROTOCOL
    sortal_version: str
    seed: int
    data: Data
    columns: tuple[Column, ...] = ()
    task: Task
    audit: tuple[Finding, ...] = ()
    audit_skipped: tuple[SkippedCheck, ...] = ()
    split: Split
    baselines: tuple[Baseline, ...] = ()
    leaderboard: tuple[Row, ...]
    selection: Selection
    imbalance: Imbalance | None = None
    calibration: CalibrationResult
    decision: Decision
    sets: Sets | None = None
    test: Mapping[str, Estimate] | None = None
    nested: Nested | None = None
    verification: Verification | None = None
    confusion: Confusion | None = None
    per_class: tuple[ClassScore, ...] = ()
    slices: Slices | None = None
    importance: Importance | None = None
    permutation: Importance | None = None
    examples: Examples | None = None
    ledger: Ledger

    @property
    def figures(self) -> Mapping[str, Estimate]:
        """The figures of rows that nothing had seen: of the test, or nested in its stead; none where there are none."""
        return self.test or ({} if self.nested is None else self.nested.figures)

    @property
    def chosen(self) -> Row | None:
        """The leaderboard's row of the chosen model."""
        return next((row for row in self.leaderboard if row.selected), None)


@dataclass(frozen=True, kw_only=True)
class RunRecord(Outcome):
    """A whole run, from its data to its checklist; ``run.json`` is this and nothing else."""

    timing: Timing
    artifact: Artifact | None = None
    checklist: tuple[Item, ...] = ()

    @classmethod
    def of(cls, outcome: Outcome, timing: Timing, artifact: Artifact, checklist: tuple[Item, ...]) -> RunRecord:
        """The outcome, with what became of it."""
        parts = {part.name: getattr(outcome, part.name) for part in fields(outcome)}
        return cls(**parts, timing=timing, artifact=artifact, checklist=checklist)

    def to_json(self) -> bytes:
        """As the content of ``run.json``: UTF-8, two spaces of indentation, figures that are not finite as
        null.
        """
        return msgspec.json.format(msgspec.json.encode(self, enc_hook=_plain), indent=2) + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> RunRecord:
        """The record of a ``run.json``. Raises DataError where it is not one, or is of another protocol."""
        try:
            protocol = msgspec.json.decode(content, type=_Protocol).protocol
        except msgspec.MsgspecError as error:
            raise DataError(f"this is not a run.json of sortal: {error}") from None
        if protocol != PROTOCOL:
            reads = f"this version of sortal reads {PROTOCOL}; use the version that wrote it"
            raise DataError(f"run.json has protocol {protocol}, {reads}")
        try:
            return msgspec.json.decode(content, type=cls)
        except msgspec.MsgspecError as error:
            raise DataError(f"run.json does not follow its schema: {error}") from None


class _Protocol(msgspec.Struct):
    protocol: int


def _plain(value: object) -> object:
    """NumPy's scalars and arrays as Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise NotImplementedError(f"{type(value).__name__} has no place in run.json")
