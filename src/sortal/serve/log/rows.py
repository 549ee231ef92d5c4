"""Records as stores hold them: a row of plain columns, JSON where a value may be of any type.

JSON is what makes every value come back as it was, and a NUL character possible (PostgreSQL stores none in a text; in
JSON it is written ``\\u0000``). A row id is written as JSON writes it, without the quotes: usual ids are as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from sortal.core.errors import DataError
from sortal.core.plain import quoted
from sortal.core.schema import Schema
from sortal.serve.log.foreign import check_values, foreign, odd_number
from sortal.serve.log.records import Label, LabelledPrediction, LabelRecord, PredictionRecord

Row = tuple[str, float, str, str, str, str, str, str, str, str | None, str, float]
"""A prediction, as the ``COLUMNS`` of a store have it."""
COLUMNS = (
    *("row_id", "time", "model", "role", "inputs", "redacted"),
    *("prediction", "probabilities", "decision", "prediction_set", "warnings", "seconds"),
)
LONGEST_ID = 1_024
"""Bytes of a row id; an index of PostgreSQL takes 2,704."""
USUAL = 600
"""Bytes of a row beside its inputs, about: hashes, probabilities, and what Python needs for each object."""

_encode = msgspec.json.Encoder().encode
_value = msgspec.json.Decoder().decode
_class = lru_cache(1_024)(msgspec.json.Decoder(Label).decode)
"""Of a label: there are few, and a log has millions of each."""
_object = msgspec.json.Decoder(dict[str, Any]).decode
_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_floats = msgspec.json.Decoder(tuple[float, ...]).decode
_many_floats = msgspec.json.Decoder(list[list[float]]).decode
_labels = msgspec.json.Decoder(tuple[Label, ...]).decode


def _id_of(text: str) -> str:
    """A row id as it was given."""
    name: str = text if "\\" not in text else _value(f'"{text}"')
    return name


READERS: dict[str, Callable[[str], Any]] = {
    "row_id": _id_of,
    "inputs": _object,
    "redacted": _texts,
    "prediction": _class,
    "probabilities": _floats,
    "decision": _class,
    "prediction_set": _labels,
    "warnings": _texts,
    "label": _class,
}
"""Of the columns of a store and the label beside them, those that hold JSON."""
UNREADABLE = (msgspec.MsgspecError, RecursionError, ValueError)
"""What readers raise where another program than a service wrote a row."""


def row_of(record: PredictionRecord) -> Row:
    """A prediction as it is stored. Raises DataError where no store could hold it."""
    try:
        return (
            stored_id(record.row_id),
            record.time,
            record.model,
            record.role,
            _encode(record.inputs).decode(),
            _encode(record.redacted).decode() if record.redacted else "[]",
            _encode(record.prediction).decode(),
            _encode(record.probabilities).decode(),
            _encode(record.decision).decode(),
            None if record.set is None else _encode(record.set).decode(),
            _encode(record.warnings).decode() if record.warnings else "[]",
            record.seconds,
        )
    except UnicodeEncodeError:
        raise DataError("a text of a row holds half a character (a lone surrogate), which cannot be stored") from None


def size(row: Row) -> int:
    """Bytes of memory, about."""
    return USUAL + len(row[4])


def record_of(row: Sequence[Any]) -> LabelledPrediction:
    """What ``row_of`` was given, with the label and its time that end the row; None and None where there is none.

    Raises DataError for a row that no service wrote.
    """
    try:
        return _record_of(row)
    except UNREADABLE:
        check(row)
        raise


def _record_of(row: Sequence[Any]) -> LabelledPrediction:
    row_id, time, model, role, inputs, redacted, prediction, probabilities, decision, prediction_set = row[:10]
    warnings, seconds, label, label_time = row[10:14]
    name = _id_of(row_id)
    record = PredictionRecord(
        name,
        time,
        model,
        role,
        _object(inputs) if inputs != "{}" else {},
        _class(prediction),
        _floats(probabilities),
        _class(decision),
        None if prediction_set is None else _labels(prediction_set),
        () if warnings == "[]" else _texts(warnings),
        seconds,
        redacted_of(redacted),
    )
    truth = None if label is None else LabelRecord(name, _class(label), label_time)
    return LabelledPrediction(record, truth)


def check(row: Sequence[Any]) -> None:
    """Raises DataError for the first field of a row that is not as a service writes it."""
    for name, text in zip((*COLUMNS, "label"), row, strict=False):
        if name in READERS and text is not None:
            _read_field(row[0], name, text)


def check_inputs(row_ids: Sequence[str], texts: Sequence[str], schema: Schema) -> None:
    """Raises DataError for the first inputs, as they are stored, that ``schema`` does not take."""
    for row_id, text in zip(row_ids, texts, strict=True):
        check_values(row_id, _read_field(row_id, "inputs", text), schema)


def _read_field(row_id: str, name: str, text: str) -> Any:
    try:
        return READERS[name](text)
    except UNREADABLE as error:
        raise foreign(row_id, odd_number(text) or f"{quoted(text)} as {name} ({error})") from None


class Answers(NamedTuple):
    """Some rows as ``record_of`` reads them, a column at a time; ``inputs`` and ``redacted`` in JSON, as they are
    stored. ``labels``, and their ``label_times``, are None where none has come.
    """

    row_ids: Sequence[str]
    times: Sequence[float]
    inputs: Sequence[str]
    redacted: Sequence[str]
    probabilities: Sequence[Sequence[float]]
    decisions: Sequence[Label]
    has_warning: Sequence[bool]
    seconds: Sequence[float]
    labels: Sequence[Label | None]
    label_times: Sequence[float | None]


def answers_of(rows: Sequence[Sequence[Any]], model: str) -> Answers:
    """What a model answered as champion, of rows as a store has them. Raises DataError as ``record_of`` does."""
    own_rows = [row[:14] for row in rows if row[2] == model and row[3] == "champion"]
    try:
        return _answers_of(own_rows)
    except UNREADABLE:
        for row in own_rows:
            check(row)
        raise


def _answers_of(own_rows: Sequence[Sequence[Any]]) -> Answers:
    row_ids, times, _, _, inputs, redacted, _, probabilities, decisions, _, warnings, seconds, labels, label_times = (
        zip(*own_rows, strict=True) if own_rows else [()] * 14
    )
    for text in set(redacted):
        redacted_of(text)
    by_row = zip(own_rows, _many_floats(f"[{','.join(probabilities)}]"), strict=True)
    return Answers(
        row_ids,
        times,
        inputs,
        redacted,
        [its for _, its in by_row],
        list(map(_class, decisions)),
        [text != "[]" for text in warnings],
        seconds,
        [None if label is None else _class(label) for label in labels],
        label_times,
    )


def redacted_of(text: str) -> tuple[str, ...]:
    """The names of inputs that were not stored."""
    return () if text == "[]" else _texts(text)


def stored_id(row_id: str) -> str:
    """Raises DataError where it is too long, or holds half a character.

    >>> print(stored_id("customer-7"), stored_id('a "b"'))
    customer-7 a \\"b\\"
    """
    try:
        text = _encode(row_id)[1:-1].decode()
    except UnicodeEncodeError:
        raise DataError("a row id holds half a character (a lone surrogate), which cannot be stored") from None
    if len(text) > LONGEST_ID or (not text.isascii() and len(text.encode()) > LONGEST_ID):
        raise DataError(f"a row id has at most {LONGEST_ID:,} bytes; this one begins with {row_id[:20]!r}")
    return text


def stored_ids(row_ids: Sequence[str]) -> Sequence[str]:
    """Many at once: usual ids are stored as they are."""
    try:
        together = "".join(row_ids)
        usual = together.isascii() and len(_encode(together)) == len(together) + 2
    except UnicodeEncodeError:
        usual = False
    return row_ids if usual and max(map(len, row_ids), default=0) <= LONGEST_ID else list(map(stored_id, row_ids))


def stored_label(label: Label) -> str:
    """As JSON. Raises DataError for half a character."""
    return _stored_text(label) if isinstance(label, str) else _encode(label).decode()


@lru_cache(1_024)
def _stored_text(label: str) -> str:
    try:
        return _encode(label).decode()
    except UnicodeEncodeError:
        raise DataError("a label holds half a character (a lone surrogate), which cannot be stored") from None


def stored_labels(labels: Sequence[Label]) -> Sequence[str]:
    """Many at once: there are few classes."""
    if set(map(type, labels)) == {str}:
        return list(map(_stored_text, labels))
    return list(map(stored_label, labels))


def label_of(text: str) -> Label:
    """What ``stored_label`` was given."""
    label: Label = _class(text)
    return label


def ids_as_json(ids: Sequence[str]) -> str:
    """Row ids as a store is given many of them at once."""
    return _encode(ids).decode()
