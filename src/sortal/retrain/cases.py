"""The cases of a log whose truth is known, in the order of time, and those of them that judge a challenger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sortal.core.errors import DataError
from sortal.core.labels import code_of
from sortal.core.plain import quoted
from sortal.core.schema import by_column
from sortal.core.writing import listing
from sortal.serve.log.records import Label, PredictionRecord
from sortal.serve.log.store import LogStore


@dataclass(frozen=True)
class Case:
    """A row id with its label. ``first``: when it was first answered, and ``by`` which model. ``answers``: the last
    record of each model that was asked, by hash, shadows among them.
    """

    row_id: str
    first: float
    by: str
    label: Label
    answers: Mapping[str, PredictionRecord]

    @property
    def record(self) -> PredictionRecord:
        """Of the model that answered it first, the last."""
        return self.answers[self.by]

    @cached_property
    def inputs(self) -> Mapping[str, Any]:
        """Those of the record, by column."""
        return by_column(self.record.inputs)


@dataclass(frozen=True)
class Division:
    """``learn``: what a challenger may see. ``judge``: the newest, that neither model has seen. ``until``: the time of
    the last row that is seen.
    """

    learn: Sequence[Case]
    judge: Sequence[Case]
    until: float


def labelled_cases(store: LogStore) -> list[Case]:
    """All of a log, the one that was answered first first."""
    cases: dict[str, Case] = {}
    answers: dict[str, dict[str, PredictionRecord]] = {}
    for entry in store.read():
        record = entry.prediction
        if entry.label is None:
            continue
        its = answers.setdefault(record.row_id, {})
        its[record.model] = record
        if record.role == "champion" and record.row_id not in cases:
            cases[record.row_id] = Case(record.row_id, record.time, record.model, entry.label.label, its)
    return sorted(cases.values(), key=lambda case: case.first)


def usable(cases: Sequence[Case], columns: Sequence[str], classes: Sequence[str]) -> tuple[list[Case], list[str]]:
    """Those that have a class and all ``columns`` that the log was allowed to hold, and a sentence on the others."""
    redacted_cases = [case for case in cases if set(columns) & set(case.record.redacted)]
    unknown_cases = [case for case in cases if code_of(case.label, classes) is None]
    notes = []
    if redacted_cases:
        names = sorted({name for case in redacted_cases for name in case.record.redacted} & set(columns))
        notes.append(
            f"{len(redacted_cases):,} labelled rows cannot be used: the service keeps {listing([*map(quoted, names)])} "
            "out of the log (--redact), and what is not there can neither be learned from nor judged on"
        )
    if unknown_cases:
        labels = sorted({str(case.label) for case in unknown_cases})
        notes.append(
            f"{len(unknown_cases):,} labelled rows are of no class of the champion "
            f"({listing([*map(quoted, labels[:3])])}); another class needs another model: sortal train"
        )
    left_out = {case.row_id for case in (*redacted_cases, *unknown_cases)}
    return [case for case in cases if case.row_id not in left_out], notes


def divide(cases: Sequence[Case], champion: str, share: float) -> Division:
    """The newest ``share`` of what the champion was the first to answer is for the gate; a challenger may learn from
    what came before. Raises DataError where either would be nothing.
    """
    own_cases = [case for case in cases if case.by == champion]
    if len(own_cases) < 2:
        raise DataError(
            f"the log has {len(cases):,} labelled rows, and the champion was the first to answer {len(own_cases):,} of "
            "them: too few to learn from and to judge on; wait for more labels"
        )
    start = own_cases[-max(1, int(share * len(own_cases)))].first
    learn = [case for case in cases if case.first < start]
    if not learn:
        raise DataError("all labelled rows of the log came at one moment: none are older than those to judge on")
    return Division(learn, unseen_cases(own_cases, champion, learn[-1].first), learn[-1].first)


def unseen_cases(cases: Sequence[Case], champion: str, until: float) -> list[Case]:
    """What neither model has seen: the champion was there when it came, and it came after what a challenger learned
    from, the last of which is of ``until``.
    """
    return [case for case in cases if case.by == champion and case.first > until]


def of_others(cases: Sequence[Case], champion: str, until: float) -> list[str]:
    """A sentence on those that came after ``until``, too, and that another model was the first to answer: after a
    rollback, or while a service still has the former champion.
    """
    count = sum(case.by != champion and case.first > until for case in cases)
    if not count:
        return []
    return [
        f"{count:,} labelled rows neither teach nor judge: they came after what a challenger learns from, and another "
        "model than the champion was the first to answer them"
    ]
