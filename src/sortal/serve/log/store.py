"""Where a log is kept: the few things that every store can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from sortal.serve.log.records import LabelledPrediction, LabelReceipt, LabelRecord, PredictionRecord


class LogStore(Protocol):
    """A store of predictions and labels. One thread uses it at a time; several processes may share what it writes to.

    Each call is one transaction. Raises StoreError where it did not happen; it can be called again.
    """

    def add_predictions(self, records: Sequence[PredictionRecord]) -> None:
        """Store predictions. The same row may be predicted more than once; every time is kept."""

    def add_labels(self, records: Sequence[LabelRecord]) -> LabelReceipt:
        """Store labels. They may come before their prediction; a repeated one changes nothing, and of two that
        contradict each other the first stays.
        """

    def read(self, since: float = 0.0, until: float | None = None) -> Iterator[LabelledPrediction]:
        """Predictions of a span of time, by time, each with the label that is known now."""

    def delete_before(self, time: float) -> int:
        """Forget predictions, and their labels, that are older; returns how many predictions."""

    def close(self) -> None:
        """Let go of files and connections."""
