"""Where a log is kept: the few things that every store can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import Any, ClassVar, NamedTuple

from sortal.core.errors import StoreError
from sortal.serve.log.records import (
    Conflict,
    Label,
    LabelledPrediction,
    LabelReceipt,
    LabelRecord,
    PredictionRecord,
    same_label,
)
from sortal.serve.log.rows import Row, record_of, row_of, stored_ids, stored_labels

PROTOCOL = 1
"""Of the tables; a store says which one it holds."""
PAGE = 1_000
"""Predictions that are read at once, in a transaction of their own: nothing is locked while they are worked on."""
RECENT_LABELS = 100_000
"""Labels that are looked at for those of one model: half a second."""
MOST_DELETED = 1_000
"""Predictions that are deleted in one transaction, within some ten milliseconds."""

LabelRow = tuple[str, str, float]
"""A row id, a label and a time, as they are stored."""


class InsertResult(NamedTuple):
    """What became of labels, by row id as it is stored: ``new`` ones, those of them that are ``unmatched``, and the
    ``known_labels`` of the others.
    """

    new: frozenset[str]
    unmatched: frozenset[str]
    known_labels: Mapping[str, Label]


@dataclass(frozen=True)
class Queries:
    """How a store is asked, each for columns of a prediction, its label, the time of that, and a number.

    ``read``: the next predictions by time and number, at most ``PAGE``, after a time and a number, and before a time.
    ``read_late``: the next by number, at most ``PAGE``, after a number, and before a time.
    ``read_labelled``: those of the next labels by time and number, of at most ``PAGE``; the number is that of the
    label, and of a label without a prediction the columns of one are None. ``labelled``: those of a model, at most so
    many, as ``LogStore.labelled`` has them. ``inputs``: how these stand in all of them.
    """

    read: str
    read_late: str
    read_labelled: str
    labelled: str
    inputs: str

    def without_inputs(self, query: str) -> str:
        """The query for the same rows with empty inputs."""
        return query.replace(self.inputs, "'{}'")


class LogStore(ABC):
    """A store of predictions and labels. One thread uses it at a time; several processes may share what it writes to.

    Each call is one transaction. Raises StoreError where it did not happen; it can be called again with the very same
    list, and nothing is stored twice.
    """

    queries: ClassVar[Queries]

    @abstractmethod
    def add_rows(self, rows: Sequence[Row]) -> None:
        """Store predictions, as ``rows.row_of`` writes them."""

    @abstractmethod
    def delete_before(self, time: float, most: int = MOST_DELETED) -> int:
        """Forget predictions that are older, at most so many, with the labels of rows that no prediction is left of,
        and older labels that never met one. Returns how many of both went; 0 where nothing older is left.
        """

    @abstractmethod
    def days_labelled_since(self, time: float) -> set[int]:
        """The days, counted from 1970, of predictions whose label came then or later."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""

    @abstractmethod
    def _insert_labels(self, rows: Sequence[LabelRow]) -> InsertResult:
        """Store those of these labels, of different rows each and ordered by row, whose row has none."""

    @abstractmethod
    def _rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """What a query gives."""

    def add_predictions(self, records: Sequence[PredictionRecord]) -> None:
        """Store predictions. The same row may be predicted more than once; every time is kept."""
        self.add_rows([row_of(record) for record in records])

    def add_labels(self, records: Sequence[LabelRecord]) -> LabelReceipt:
        """Store labels. They may come before their prediction; a repeated one changes nothing, and of two that
        contradict each other the first stays.
        """
        return self.add_label_groups([records])[0]

    def add_label_groups(self, groups: Sequence[Sequence[LabelRecord]]) -> list[LabelReceipt]:
        """Labels of several requests in one transaction, with a receipt for each."""
        records = [record for group in groups for record in group]
        ids = stored_ids([record.row_id for record in records])
        labels = stored_labels([record.label for record in records])
        rows = list(zip(ids, labels, [record.time for record in records], strict=True))
        if len(set(ids)) < len(ids):  # of a row's labels the first: of several in a dict the last stays
            rows = list({row[0]: row for row in reversed(rows)}.values())
        rows.sort(key=itemgetter(0))
        result = self._insert_labels(rows)
        if len(groups) == 1 and len(result.new) == len(records):
            return [LabelReceipt(len(records), 0, len(result.unmatched))]
        # By row the place of its first label.
        firsts = dict(zip(reversed(ids), range(len(ids) - 1, -1, -1), strict=True))
        fates = map(partial(_fate, result, records, firsts), range(len(records)), ids)
        return [_receipt(list(islice(fates, len(group)))) for group in groups]

    def labelled(self, model: str, most: int, *, inputs: bool = True) -> Iterator[LabelledPrediction]:
        """What a model answered as champion and is known the truth of, at most so many: by the time of the label, the
        last first, and of one row by the time of the answer. Of the last ``RECENT_LABELS``. Without ``inputs`` these
        are empty, which of images saves much.
        """
        query = self.queries.labelled if inputs else self.queries.without_inputs(self.queries.labelled)
        yield from map(record_of, self._rows(query, model, most))

    def read(
        self, since: float = 0.0, until: float | None = None, *, inputs: bool = True
    ) -> Iterator[LabelledPrediction]:
        """Predictions of a span of time, by time, each with the label that is known now.

        Without ``inputs``, which are half of the work, records have none. They are read a page at a time, so that a log
        of any length can be. What is added meanwhile is seen or not.
        """
        for page in self.pages(since, until, inputs=inputs):
            yield from map(record_of, page)

    def pages(
        self, since: float = 0.0, until: float | None = None, *, inputs: bool = True
    ) -> Iterator[list[tuple[Any, ...]]]:
        """What ``read`` gives, as it is stored (``rows``) and a page at a time."""
        query = self.queries.read if inputs else self.queries.without_inputs(self.queries.read)
        after, end = (since, -1), float("inf") if until is None else until
        while page := self._rows(query, *after, end):
            yield page
            last = page[-1]
            after = last[1], last[-1]  # type: ignore[assignment]

    def pages_late(self, number: int, time: float) -> Iterator[list[tuple[Any, ...]]]:
        """Predictions from before a ``time`` that were stored after the one of this ``number``, which ends each of the
        rows: a writer keeps what it cannot store, for as long as a store is away.
        """
        while page := self._rows(self.queries.read_late, number, time):
            yield page
            number = page[-1][-1]  # type: ignore[assignment]

    def read_labelled(self, since: float = 0.0, until: float | None = None) -> Iterator[LabelledPrediction]:
        """Labels that came in a span of time, by that time, each with every prediction of its row, without inputs."""
        for page in self.pages_labelled(since, until):
            yield from map(record_of, page)

    def pages_labelled(self, since: float = 0.0, until: float | None = None) -> Iterator[list[tuple[Any, ...]]]:
        """What ``read_labelled`` gives, as it is stored and a page at a time."""
        query = self.queries.without_inputs(self.queries.read_labelled)
        after, end = (since, -1), float("inf") if until is None else until
        while page := self._rows(query, *after, end):
            yield [row for row in page if row[0] is not None]
            last = page[-1]
            after = last[-2], last[-1]  # type: ignore[assignment]


NEW, UNMATCHED, REPEATED = "new", "unmatched", "repeated"


def _fate(
    result: InsertResult, records: Sequence[LabelRecord], firsts: Mapping[str, int], at: int, row_id: str
) -> str | Conflict:
    """What became of the label at this position. ``firsts``: the position of each row's first label."""
    is_new = row_id in result.new
    if is_new and firsts[row_id] == at:
        return UNMATCHED if row_id in result.unmatched else NEW
    known_label = records[firsts[row_id]].label if is_new else result.known_labels[row_id]
    record = records[at]
    return REPEATED if same_label(known_label, record.label) else Conflict(record.row_id, known_label, record.label)


def _receipt(fates: Sequence[str | Conflict]) -> LabelReceipt:
    unmatched = fates.count(UNMATCHED)
    conflicts = tuple(fate for fate in fates if isinstance(fate, Conflict))
    return LabelReceipt(fates.count(NEW) + unmatched, fates.count(REPEATED), unmatched, conflicts)


def refuse_newer(protocol: int, place: str) -> None:
    """Raises StoreError for a log that a newer sortal made."""
    if protocol > PROTOCOL:
        raise StoreError(f"the log {place} is of protocol {protocol}, and this sortal knows {PROTOCOL}; update sortal")
