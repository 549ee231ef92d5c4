"""What is kept between two looks at a log: counts by day, so that no row is read twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sortal.core.arrays import Floats, Ints
from sortal.core.errors import DataError
from sortal.data.whole import replacing
from sortal.monitor.estimate import EstimateDays

PROTOCOL = 1
DAY = 86_400.0
PACES = tuple(1e-4 * 2 ** (step / 2) for step in range(40))
"""Seconds of an answer, from a tenth of a millisecond to a minute and more, each 1.4 times the one before."""
MOST_DAYS = 3_660
"""From the first row to the last one: ten years are more than a model is in use, and counts are kept by day."""
MOST_LOOKS = 1_000
"""That are kept, the last ones: a look every hour for six weeks, or every day for almost three years."""


@dataclass
class ColumnDays:
    """Of a column by day: rows by bin, and their places among all rows before them by bin (``drift``)."""

    bins: list[list[int]] = field(default_factory=list)
    places: list[list[int]] = field(default_factory=list)


@dataclass
class RiskDays:
    """Of a loss by day: rows with a label, the sum of their losses, and what gamblers gained (``risk``)."""

    rows: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    gains: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True)
class Alarm:
    """``what``: the column or loss. ``time``: of the look that raised it; ``since``: the first row of the day from
    which on a change explains it best; both in seconds since 1970.
    """

    what: str
    time: float
    since: float
    message: str


@dataclass(frozen=True)
class Look:
    """When somebody looked, and what was known: rows, means of losses by name and their labelled rows, and alarms."""

    time: float
    rows: int
    losses: dict[str, tuple[float, int]]
    alarms: tuple[str, ...]


@dataclass
class State:
    """``model``: SHA-256 of the model file. ``first``: the day of the first row, in days since 1970. ``until``: up to
    when rows and labels were counted. ``log``: what tells a log from others, and ``number``: of the last row of it that
    was looked at, by the order in which they were stored; None where no look has noted it. ``rows``, ``seconds`` and
    ``warnings`` by day: how many rows, what answering them took, and how many had warnings; ``latency`` by day: rows by
    how long the answer took, between ``PACES``. ``estimates``: what is expected of losses without labels, and seen of
    them with. ``of_no_class``: rows whose label is no class of the model, ``strange_label`` the first of these.
    ``looks``: the history.
    """

    model: str
    protocol: int = PROTOCOL
    first: int | None = None
    until: float = 0.0
    number: int | None = None
    log: str = ""
    rows: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    warnings: list[int] = field(default_factory=list)
    latency: list[list[int]] = field(default_factory=list)
    columns: dict[str, ColumnDays] = field(default_factory=dict)
    risks: dict[str, RiskDays] = field(default_factory=dict)
    estimates: EstimateDays = field(default_factory=EstimateDays)
    of_no_class: int = 0
    strange_label: str = ""
    alarms: dict[str, Alarm] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)

    def use_log(self, address: str) -> None:
        """Rows are of this log from now on; numbers mean nothing in another one, as where it was moved to a server."""
        # An address may hold a password.
        digest = hashlib.sha256(address.encode()).hexdigest()
        if self.log != digest:
            self.log, self.number = digest, None

    def remember(self, look: Look) -> None:
        """What was known at a look stays in the history."""
        self.looks = [*self.looks, look][-MOST_LOOKS:]

    def days(self, times: Floats) -> Ints:
        """(n,) the days of these moments."""
        numbers = (times // DAY).astype(np.int64)
        if len(numbers):
            first, last = int(numbers.min()), int(numbers.max())
            self.first = first if self.first is None else self.first
            if max(last, self.first + len(self.rows)) - min(first, self.first) > MOST_DAYS:
                span = " and ".join(date_of(day * DAY) for day in (min(first, self.first), last))
                raise DataError(f"rows came between {span}, more than ten years: are these the times of rows?")
            if first < self.first:
                self._begin(first)
        return np.asarray(numbers - (self.first or 0))

    def _begin(self, first: int) -> None:
        """Count from an earlier day on: files need not be in the order of time."""
        more = range((self.first or 0) - first)
        for series in self._series():
            series[:0] = [zero_of(series[0]) for _ in more] if series else []
        self.first = first

    def _series(self) -> Iterator[list[Any]]:
        """All that has a place for each day."""
        yield from (self.rows, self.seconds, self.warnings, self.latency, self.estimates.grid, self.estimates.decided)
        yield from self.estimates.figures.values()
        for column in self.columns.values():
            yield from (column.bins, column.places)
        for risk in self.risks.values():
            yield from (risk.rows, risk.loss, risk.gains)


def zero_of(value: Any) -> Any:
    """What a day has that no row came on."""
    return [0] * len(value) if isinstance(value, list) else type(value)()


def date_of(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).date().isoformat()


_DECODER = msgspec.json.Decoder(State)


def load(path: Path, model: str) -> State:
    """The state of a former look; a new one where there is none. Raises DataError for one of another model, or none."""
    if not path.exists():
        return State(model)
    try:
        state = _DECODER.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(f"{path} is no state of sortal monitor ({error}); name another --state") from None
    if state.protocol != PROTOCOL:
        raise DataError(
            f"{path} is of protocol {state.protocol}, and this sortal knows {PROTOCOL}; name another --state"
        )
    if state.model != model:
        raise DataError(f"{path} is of another model ({state.model[:12]}); name another --state for this one")
    return state


def save(path: Path, state: State) -> None:
    """Written aside and renamed: a look that is interrupted leaves the former state."""
    with replacing(path) as temporary:
        temporary.write_bytes(msgspec.json.encode(state))
