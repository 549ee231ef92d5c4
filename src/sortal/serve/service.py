"""The one handler of rows behind every protocol: what a model says of them, each stage timed, and logged."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sortal.artifact.answers import Answers
from sortal.core.door import read_rows
from sortal.serve.deployment import Deployment, ServedModel
from sortal.serve.limits import Limits


@dataclass
class Timing:
    """Seconds of each stage of a request: decode, validate, score, log."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def header(self) -> str:
        """As ``Server-Timing`` has it, in milliseconds.

        >>> Timing({"decode": 0.00002, "score": 0.0011}).header()
        'decode;dur=0.020, score;dur=1.100'
        """
        return ", ".join(f"{name};dur={1e3 * seconds:.3f}" for name, seconds in self.seconds.items())


@dataclass(frozen=True)
class Batch:
    """Rows of one request, by whatever protocol they came. ``ids``: the client's, or made by the service."""

    rows: Sequence[Mapping[str, Any]]
    ids: Sequence[str]


@dataclass(frozen=True)
class Scored:
    """What the champion says of a batch. ``notes``: of the batch as a whole."""

    model: ServedModel
    batch: Batch
    answers: Answers
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Service:
    """What answering a request takes. ``token``: which every request has to show, None where none is needed."""

    deployment: Deployment
    limits: Limits = field(default_factory=Limits)
    token: str | None = None


def answer(service: Service, batch: Batch, timing: Timing) -> Scored:
    """What the champion says of a batch of rows. Raises HttpError for rows that do not fit its columns."""
    served = service.deployment.champion
    with timing.stage("validate"):
        rows = read_rows(list(batch.rows), served.model.needs, allow_missing=True)
    with timing.stage("score"):
        answers = served.model.answer_rows(rows, warnings=True)
    return Scored(served, batch, answers, rows.notes)
