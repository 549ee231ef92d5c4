"""The one handler of rows behind every protocol: what a model says of them, each stage timed, counted and logged."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from secrets import token_hex
from typing import Any, Protocol

import msgspec

from sortal.core.errors import StoreError
from sortal.serve.deployment import Deployment, ServedModel
from sortal.serve.http import FieldError, HttpError, busy
from sortal.serve.limits import Limits
from sortal.serve.live import Live
from sortal.serve.log.records import Label, LabelReceipt, LabelRecord, PredictionRecord, Role
from sortal.serve.logs import RequestEvent
from sortal.serve.metrics import Metrics
from sortal.serve.shared_folder import Shared
from sortal.serve.swap import Swap
from sortal.serve.work import Workers


class Timing:
    """Seconds of each stage of a request: decode, validate, score, log; and how many ``rows`` it had."""

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        self.seconds = dict(seconds or {})
        self.begin = time.perf_counter()
        self.rows = 0

    def stage(self, name: str) -> _Stage:
        """A block whose seconds count as this stage."""
        return _Stage(self.seconds, name)

    def restart(self) -> None:
        """The request has come whole."""
        self.begin = time.perf_counter()

    @property
    def total(self) -> float:
        """Seconds until now."""
        return time.perf_counter() - self.begin

    def header(self) -> str:
        """As ``Server-Timing`` has it, in milliseconds.

        >>> Timing({"decode": 0.00002, "score": 0.0011}).header().partition(", total")[0]
        'decode;dur=0.020, score;dur=1.100'
        """
        stages = "".join([f"{name};dur={1e3 * seconds:.3f}, " for name, seconds in self.seconds.items()])
        return f"{stages}total;dur={1e3 * self.total:.3f}"


class _Stage:
    """Four of them a request: a generator would take four times as long."""

    __slots__ = ("_name", "_seconds", "_start")

    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self._seconds, self._name = seconds, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        self._seconds[self._name] = self._seconds.get(self._name, 0.0) + time.perf_counter() - self._start


class Log(Protocol):
    """What takes predictions and labels. ``put`` does not wait; of labels it is known later what became of them.
    ``counts``: a dataclass of numbers, for who watches the service. Raises StoreError where there is no room.
    """

    def put(self, records: Sequence[PredictionRecord]) -> None: ...

    def labels(self, records: Sequence[LabelRecord]) -> Future[LabelReceipt]: ...

    def counts(self) -> Any: ...


class Beside(Protocol):
    """What is shown every batch after it was answered, and takes no time with it."""

    def offer(self, batch: Batch) -> None: ...


class Batch(msgspec.Struct, frozen=True):
    """Rows of one request, by whatever protocol they came. ``ids``: the client's, or made by the service."""

    rows: Sequence[Mapping[str, Any]]
    ids: Sequence[str]


class Scored(msgspec.Struct, frozen=True):
    """What the champion says of a batch, row by row, as JSON has it. ``decisions``: classes or ``"reject"``; ``sets``:
    the classes of each set, None where the model has no sets. ``notes``: of the batch as a whole.
    """

    model: ServedModel
    batch: Batch
    labels: Sequence[Label]
    probabilities: Sequence[Sequence[float]]
    decisions: Sequence[Label]
    sets: Sequence[Sequence[Label]] | None
    warnings: Sequence[Sequence[str]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Service:
    """What answering a request takes. ``token``: which every request has to show, None where none is needed. ``swap``:
    changes the champion; ``shadow``: asks another model beside it; ``observers`` hear of every request when it was
    answered; ``shared``: what it has in common with other workers.
    """

    deployment: Deployment
    limits: Limits = field(default_factory=Limits)
    token: str | None = None
    log: Log | None = None
    swap: Swap | None = None
    shadow: Beside | None = None
    observers: tuple[Callable[[RequestEvent], None], ...] = ()
    metrics: Metrics = field(default_factory=Metrics)
    live: Live = field(default_factory=Live)
    workers: Workers = field(default_factory=lambda: Workers(Limits.threads, Limits.waiting))
    shared: Shared | None = None

    def metric_inputs(self) -> tuple[dict[str, float], dict[str, str]]:
        """What the log counts, and what names the model, for who watches the service."""
        served = self.deployment.champion
        model_info = {"name": served.name, "sha256": served.sha256, "version": served.model.version}
        return ({} if self.log is None else asdict(self.log.counts())), model_info

    def show(self) -> None:
        """Let the other workers see what this one counted."""
        if self.shared is not None:
            self.shared.show(self.metrics.families(*self.metric_inputs()))


def new_ids(count: int, now: float | None = None) -> list[str]:
    """Ids of rows that came without: UUIDs of version 7 (RFC 9562) without hyphens, which begin with the time in
    milliseconds. So an index of a log grows at its end, and what is asked for together lies together. What follows is
    random, so that no other service gives the same.

    >>> [len(name) for name in new_ids(2)], new_ids(1) == new_ids(1)
    ([34, 34], False)
    >>> new_ids(1, 1.7e9)[0][:13]
    '018bcfe568007'
    """
    # The operating system is asked once a request, which takes as long as all else about an id.
    digits = token_hex(9)
    request = f"{int(1e3 * (time.time() if now is None else now)):012x}7{digits[:3]}8{digits[3:]}"
    return [request] if count == 1 else [f"{request}-{at}" for at in range(count)]


def check_number(service: Service, rows: int) -> None:
    """Raises HttpError for more rows than are answered at once: with many classes fewer, as each has a probability."""
    classes = len(service.deployment.champion.model.task.classes)
    most = max(1, min(service.limits.rows, service.limits.figures // classes))
    if rows > most:
        detail = f"At most {most:,} rows are answered at once"
        raise HttpError(413, "There are too many rows", detail, code="too-many-rows")


def check_ids(ids: Sequence[str], *, distinct: bool = True) -> None:
    """Raises HttpError for ids that no log can hold, and, where they have to be ``distinct``, for one that is there
    twice.
    """
    wrong = [at for at, name in enumerate(ids) if not (0 < len(name) <= LONGEST_ID and name.isprintable())]
    if wrong:
        requirement = f"an id is a text of 1 to {LONGEST_ID} letters that can be seen"
        errors = tuple(FieldError(at, "id", requirement, "wrong-id") for at in wrong[:MOST_IDS_NAMED])
        raise HttpError(422, "Rows have ids that cannot be used", requirement, errors, code="invalid-ids")
    if distinct and len(set(ids)) < len(ids):
        raise HttpError(422, "Two rows have the same id", "A label could not tell them apart", code="repeated-id")


LONGEST_ID, MOST_IDS_NAMED = 128, 50
"""Of an id, letters: a UUID has 36, the path of an object in a store some more."""


def answer(service: Service, batch: Batch, timing: Timing) -> Scored:
    """What the champion says of a batch of rows. Raises HttpError for rows that do not fit its columns."""
    timing.rows = len(batch.rows)
    scored = score(service.deployment.champion, batch, service.limits, timing)
    with timing.stage("log"):
        service.metrics.add_rows(scored.decisions, sum(map(bool, scored.warnings)))
        service.live.add(timing.total, scored.decisions, scored.warnings)
        if service.log is not None:
            _put(service.log, records_of(scored, timing.total))
        if service.shadow is not None:
            service.shadow.offer(batch)
    return scored


def _put(log: Log, records: Sequence[PredictionRecord]) -> None:
    """What cannot be logged is not answered."""
    try:
        log.put(records)
    except StoreError as error:
        raise busy("The log takes no more rows for now") from error


def score(served: ServedModel, batch: Batch, limits: Limits, timing: Timing) -> Scored:
    """What a model says of a batch of rows. Raises HttpError for rows that do not fit its columns."""
    return _score_row(served, batch, limits, timing) if len(batch.rows) == 1 else _score(served, batch, limits, timing)


def _score_row(served: ServedModel, batch: Batch, limits: Limits, timing: Timing) -> Scored:
    with timing.stage("validate"):
        row, warnings = served.door.read_row(batch.rows[0], limits)
    with timing.stage("score"):
        model = served.model
        answer = model.answer_row(row)
        return Scored(
            model=served,
            batch=batch,
            labels=(answer.label,),
            probabilities=(answer.probabilities,),
            decisions=(answer.decision,),
            sets=None if answer.set is None else (_members(model.classes_.tolist(), answer.set),),
            warnings=((*warnings, *answer.warnings),),
            notes=_notes(served, 1),
        )


def _score(served: ServedModel, batch: Batch, limits: Limits, timing: Timing) -> Scored:
    with timing.stage("validate"):
        inputs = served.door.read(batch.rows, limits)
    with timing.stage("score"):
        answers = served.model.answer_rows(inputs.rows, warnings=True)
        odd = answers.warnings or [()] * len(batch.rows)
        classes = served.model.classes_.tolist()
        return Scored(
            model=served,
            batch=batch,
            labels=answers.labels.tolist(),
            probabilities=answers.probabilities.tolist(),
            decisions=answers.decisions.tolist(),
            sets=None if answers.sets is None else [_members(classes, holds) for holds in answers.sets.tolist()],
            warnings=[(*ours, *its) for ours, its in zip(inputs.warnings, odd, strict=True)],
            notes=_notes(served, len(batch.rows)),
        )


def _notes(served: ServedModel, rows: int) -> tuple[str, ...]:
    note = served.model.capacity_note(rows)
    return (note,) if note else ()


def _members(classes: Sequence[Label], holds: Sequence[bool]) -> tuple[Label, ...]:
    return tuple(label for label, is_member in zip(classes, holds, strict=True) if is_member)


def records_of(scored: Scored, seconds: float, role: Role = "champion") -> list[PredictionRecord]:
    """A batch as the log has it."""
    now, model = time.time(), scored.model.sha256
    sets: Sequence[Sequence[Label] | None] = scored.sets or [None] * len(scored.labels)
    columns = (scored.labels, scored.probabilities, scored.decisions, sets, scored.warnings)
    rows = zip(scored.batch.ids, scored.batch.rows, *columns, strict=True)
    return [
        PredictionRecord(
            row_id=row_id,
            time=now,
            model=model,
            role=role,
            inputs=inputs,
            prediction=label,
            probabilities=tuple(probabilities),
            decision=decision,
            set=None if members is None else tuple(members),
            warnings=tuple(warnings),
            seconds=seconds,
        )
        for row_id, inputs, label, probabilities, decision, members, warnings in rows
    ]
