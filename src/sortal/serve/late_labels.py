"""Labels that come as a file: ``sortal label``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache

import msgspec
import polars as pl

from sortal.core.errors import DataError, did_you_mean
from sortal.core.labels import code_of
from sortal.core.plain import quoted
from sortal.serve.log.address import open_store
from sortal.serve.log.records import Label, LabelReceipt, LabelRecord
from sortal.serve.log.store import LogStore

TOGETHER = 100_000
"""Labels of one transaction: ids come in no order, and so each page of the index is written once for many of them."""
MOST_PREDICTIONS = 1_000
"""Predictions of a log that say how its classes are written."""
MOST_CONFLICTS = 5
"""Conflicts that are named on the screen; --json has all."""


@dataclass(frozen=True)
class LabelResult:
    """What became of the rows of a file. ``blank``: rows without an id or a label, which were left out."""

    rows: int
    blank: int
    receipt: LabelReceipt

    def to_json(self) -> str:
        receipt = msgspec.to_builtins(self.receipt)
        return msgspec.json.encode({"rows": self.rows, "blank": self.blank, **receipt}).decode()

    def sentences(self) -> Iterator[str]:
        """For a person."""
        receipt, conflicts = self.receipt, self.receipt.conflicts
        unmatched_note = f" ({receipt.unmatched:,} of rows that the log does not know yet)" if receipt.unmatched else ""
        yield f"{self.rows:,} rows: {receipt.new:,} new labels{unmatched_note}; {receipt.repeated:,} were known already"
        if self.blank:
            yield f"{self.blank:,} rows have no id or no label and were left out"
        if conflicts:
            yield f"{len(conflicts):,} contradict a label that is known, which stays:"
            for conflict in conflicts[:MOST_CONFLICTS]:
                yield f"  {conflict.row_id}: {quoted(conflict.known)} is known, {quoted(conflict.given)} was given"
            if len(conflicts) > MOST_CONFLICTS:
                yield f"  and {len(conflicts) - MOST_CONFLICTS:,} more; --json has all"


def label_rows(
    url: str, data: Sequence[str], id_column: str, label_column: str, classes: Sequence[Label] | None = None
) -> LabelResult:
    """Store the labels of a table in the log at ``url``; none of them where one is no class.

    ``classes``: of the model that was served, None for those of the predictions in the log. Raises DataError for a
    column that is not there and a label that is no class, and what ``data.read.read`` and ``open_store`` raise.
    """
    from sortal.data.read import read
    from sortal.data.standard_input import spooled

    with spooled(list(data)) as files:
        source = read(files)
    ids, labels = (_column(source.frame, name, source.name) for name in (id_column, label_column))
    table = pl.DataFrame({"id": ids, "label": labels}).drop_nulls()
    with closing(open_store(url, make=False)) as store:
        known_classes = _classes_of(store) if classes is None else classes
        pairs = _pairs(table, known_classes, source.name, strict=classes is not None)
        receipts = [_add(store, pairs[at : at + TOGETHER]) for at in range(0, len(pairs), TOGETHER)]
    return LabelResult(len(ids), len(ids) - len(pairs), _together(receipts))


def _column(frame: pl.DataFrame, name: str, source: str) -> pl.Series:
    """Its texts, with null for nothing."""
    if name not in frame.columns:
        raise DataError(f"no column {name!r} in {source}; {did_you_mean(name, frame.columns)}")
    # Without its name, which polars may take for a pattern.
    texts = frame[name].alias("").cast(pl.String).str.strip_chars()
    return texts.set(texts == "", None)


def _classes_of(store: LogStore) -> Sequence[Label]:
    """The classes that were predicted lately, of which all have the type."""
    classes = dict.fromkeys(
        answer.prediction.prediction for answer, _ in zip(store.read(), range(MOST_PREDICTIONS), strict=False)
    )
    if not classes:
        raise DataError("the log has no prediction yet that says how classes are written; name the model: --model FILE")
    return list(classes)


def _add(store: LogStore, pairs: Sequence[tuple[str, Label]]) -> LabelReceipt:
    """All of them came now: a watch has no time behind it before which labels may still be on their way."""
    now = time.time()
    return store.add_labels([LabelRecord(row_id, label, now) for row_id, label in pairs])


def _pairs(table: pl.DataFrame, classes: Sequence[Label], source: str, strict: bool) -> list[tuple[str, Label]]:
    """Row ids with their labels, in the type of the classes."""
    names = [str(label) for label in classes]

    @cache
    def in_its_type(text: str) -> Label:
        code = code_of(text, names)
        if code is not None:
            return classes[code]
        if not strict:
            return _as_type(text, type(classes[0]), source)
        raise DataError(f"a label of {source} is {quoted(text)}, no class of the model; {did_you_mean(text, names)}")

    return [(row_id, in_its_type(text)) for row_id, text in table.iter_rows()]


def _as_type(text: str, kind: type, source: str) -> Label:
    """A class that was not predicted lately."""
    try:
        label: Label = msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        raise DataError(
            f"a label of {source} is {quoted(text)}, and classes in the log are of type {kind.__name__}"
        ) from None
    return label


def _together(receipts: Sequence[LabelReceipt]) -> LabelReceipt:
    return LabelReceipt(
        sum(receipt.new for receipt in receipts),
        sum(receipt.repeated for receipt in receipts),
        sum(receipt.unmatched for receipt in receipts),
        tuple(conflict for receipt in receipts for conflict in receipt.conflicts),
    )
