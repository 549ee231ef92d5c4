"""One look at a log: what is new since the last look is counted, and alarms follow from the counts."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import log

import numpy as np

from sortal.artifact.model import Model
from sortal.core.arrays import Codes, Floats
from sortal.core.kinds import kind_of
from sortal.core.profile import comparable, compared
from sortal.core.schema import Schema
from sortal.core.unlike import unlike
from sortal.monitor import drift, risk
from sortal.monitor.batch import Batch
from sortal.monitor.bins import Bins, change
from sortal.monitor.estimate import Estimator
from sortal.monitor.evidence import YEAR, likeliest_start, log_evidence
from sortal.monitor.from_log import Page, late_labels, predictions
from sortal.monitor.losses import Loss, losses_of
from sortal.monitor.state import DAY, PACES, Alarm, ColumnDays, Look, RiskDays, State
from sortal.serve.log.store import LogStore

FALSE_ALARMS = 0.05
"""Of years without a change, in how many anything at all is called one."""
HARM_SHARE = 0.5
"""Of the false alarms, those that losses may raise; columns share the others."""
SETTLE_SECONDS = 10.0
"""Seconds after which what was logged is in the store: a writer commits five times a second, and tries again."""


@dataclass(frozen=True)
class Stream:
    """What is counted of a column or a loss. ``daily``: (days, m) of this year. ``limit``: the logarithm of the
    evidence from which on a change is called one. ``message``: what has changed, in words, from a day of the year on.
    """

    name: str
    daily: Floats
    log_wealth: Callable[[Floats], Floats]
    limit: float
    message: Callable[[int], str]

    @cached_property
    def evidence(self) -> float:
        """The logarithm of the e-value of a change."""
        return log_evidence(self.daily, self.log_wealth)

    @property
    def start(self) -> int:
        """The day of the year from which on a change explains the counts best."""
        return likeliest_start(self.daily, self.log_wealth)


@dataclass(frozen=True)
class Watcher:
    """What is watched of a model: its columns, by what they are compared by, its scores, and its losses, which are
    estimated, too.
    """

    model: Model
    columns: dict[str, Bins]
    losses: tuple[Loss, ...]

    @cached_property
    def estimator(self) -> Estimator:
        return Estimator.of(self.model)

    @cached_property
    def reads(self) -> Schema:
        """The columns of which anything is compared."""
        return Schema(tuple(c for c in self.model.reads.columns if kind_of(c.kind).storage != "bytes"))

    @classmethod
    def of(cls, model: Model) -> Watcher:
        """Images are not looked at: each would have to be decoded again."""
        profile = {n: p for n, p in model.profiled().items() if kind_of(p.kind).storage != "bytes"}
        profiles = compared(profile) | {_of_class(label): p for label, p in model.scores.items()}
        return cls(model, {name: Bins(p) for name, p in profiles.items() if p.n_values}, losses_of(model))

    def look(self, store: LogStore, state: State, now: float, false_alarms: float = FALSE_ALARMS) -> None:
        """Count what is new up to shortly before ``now``, and raise alarms.

        A label counts once, when it and its prediction are both there; a row that a service could store only after a
        look, at the next one.
        """
        since, until, number = state.until, now - SETTLE_SECONDS, state.number
        pages = [(store.pages(since, until), until)]
        if number is not None:
            pages.append((store.pages_late(number, since), since))
        state.number = number if since else 0
        for some, labelled_until in pages:
            numbered = _noting_numbers(some, state)
            for batch in predictions(numbered, self.model, state.model, self.reads, labelled_until):
                self.count(batch, state)
        if since:
            for batch in late_labels(store, self.model, state.model, since, until):
                self.count_labels(batch, state)
        self.end(state, until, now, false_alarms)

    def read(self, batches: Iterable[Batch], state: State, now: float, false_alarms: float = FALSE_ALARMS) -> int:
        """Count rows that came after those of the last look, and raise alarms. Returns how many others there were."""
        last_time = until = state.until if state.rows else -np.inf
        others = 0
        for batch in batches:
            fresh = np.flatnonzero(batch.times > last_time)
            others += len(batch) - len(fresh)
            self.count(batch.take(fresh), state)
            until = max(until, float(batch.times.max(initial=until)))
        self.end(state, until, now, false_alarms)
        return others

    def end(self, state: State, until: float, now: float, false_alarms: float) -> None:
        """All up to some moment is counted: raise alarms, and remember the look."""
        state.until = max(until, state.until)
        self.raise_alarms(state, now, false_alarms)
        means = {loss.name: (mean, rows) for loss, mean, rows in self.means(state)}
        state.remember(Look(now, sum(state.rows), means, tuple(state.alarms)))

    def count(self, batch: Batch, state: State) -> None:
        """Rows that were not counted before, and their labels."""
        for day, its in batch.by_day(state.days(batch.times)):
            _add_traffic(its, day, state)
            profiles = self.model.profiled().items()
            reference = {name: p for name, p in profiles if name in its.columns and name in self.reads}
            inputs = comparable(reference, its.columns)
            odd = unlike(compared(reference), inputs, len(its))
            self.estimator.count(day, its.probability, its.decisions, odd, state.estimates)
            scores = {_of_class(label): its.probability[:, at] for at, label in enumerate(self.model.task.classes)}
            values = {**inputs, **scores}
            self.count_bins(day, {n: b.codes(values[n]) for n, b in self.columns.items() if n in values}, state)
        self.count_labels(batch.labelled(), state)

    def count_labels(self, batch: Batch, state: State) -> None:
        """Labels of rows that were counted. One belongs to the day of its prediction, whenever it came; what is no
        class of the model counts for itself.
        """
        strange = [label for label in batch.labels if label not in self.estimator.classes]
        if strange:
            state.strange_label = state.strange_label or str(strange[0])
            state.of_no_class += len(strange)
            batch = batch.take(np.flatnonzero([label in self.estimator.classes for label in batch.labels]))
        for day, its in batch.by_day(state.days(batch.times)):
            truth = [label for label in its.labels if label is not None]
            self.estimator.count_labels(day, its.probability, its.decisions, truth, state.estimates)
            for loss in self.losses:
                self.count_losses(day, loss, loss.of(list(zip(truth, its.decisions, strict=True))), state)

    def count_bins(self, day: int, codes: Mapping[str, Codes], state: State) -> None:
        """Rows of one day by the bins that they are in."""
        for name, of_rows in codes.items():
            _add(state.columns.setdefault(name, ColumnDays()), day, self.columns[name], of_rows, name)

    def count_losses(self, day: int, loss: Loss, values: Floats, state: State) -> None:
        """Losses, from 0 to 1, of rows of one day."""
        of_days = state.risks.setdefault(loss.name, RiskDays())
        for series, zero in ((of_days.rows, 0), (of_days.loss, 0.0)):
            series += [zero] * (day + 1 - len(series))
        while len(of_days.gains) <= day:
            of_days.gains.append([0.0] * len(risk.FRACTIONS))
        of_days.rows[day] += len(values)
        of_days.loss[day] += float(values.sum())
        of_days.gains[day] = (np.array(of_days.gains[day]) + risk.gains(values, loss.level)).tolist()

    def means(self, state: State) -> Iterator[tuple[Loss, float, int]]:
        """Of each loss the mean since the beginning, and of how many labelled rows; of those that have any."""
        for loss in self.losses:
            days = state.risks.get(loss.name, RiskDays())
            if rows := sum(days.rows):
                yield loss, sum(days.loss) / rows, rows

    def limits(self, false_alarms: float) -> tuple[float, float]:
        """E-values from which on a change of a column, and an excess of a loss, is called one: Bonferroni over all that
        is watched.
        """
        return (
            max(len(self.columns), 1) / ((1 - HARM_SHARE) * false_alarms),
            max(len(self.losses), 1) / (HARM_SHARE * false_alarms),
        )

    def raise_alarms(self, state: State, now: float, false_alarms: float) -> None:
        """An alarm stays: what was shown once is not taken back by what comes later."""
        first = (state.first or 0) + this_year(len(state.rows)).start
        for stream in (*self.column_streams(state, false_alarms), *self.loss_streams(state, false_alarms)):
            if stream.name not in state.alarms and stream.evidence >= stream.limit:
                since = (first + stream.start) * DAY
                state.alarms[stream.name] = Alarm(stream.name, now, since, stream.message(stream.start))

    def column_streams(self, state: State, false_alarms: float) -> list[Stream]:
        """Of the columns that any row had."""
        year, limit = this_year(len(state.rows)), log(self.limits(false_alarms)[0])

        def stream(name: str, bins: Bins, days: ColumnDays) -> Stream:
            def message(start: int) -> str:
                fresh = np.array(days.bins, dtype=np.int64)[year.start + start :].sum(axis=0)
                return f"{name}: {change(bins, fresh)}"

            return Stream(name, np.array(days.places, dtype=np.float64)[year], drift.log_wealth, limit, message)

        return [stream(n, bins, state.columns[n]) for n, bins in self.columns.items() if n in state.columns]

    def loss_streams(self, state: State, false_alarms: float) -> list[Stream]:
        """Of the losses that any label told of."""
        year, limit = this_year(len(state.rows)), log(self.limits(false_alarms)[1])

        def stream(loss: Loss, days: RiskDays) -> Stream:
            def message(start: int) -> str:
                rows, total = sum(days.rows[year.start + start :]), sum(days.loss[year.start + start :])
                return loss.sentence(total / max(rows, 1), rows)

            return Stream(loss.name, np.array(days.gains)[year], risk.log_wealth, limit, message)

        return [stream(loss, state.risks[loss.name]) for loss in self.losses if loss.name in state.risks]


def _noting_numbers(pages: Iterable[Page], state: State) -> Iterator[Page]:
    """The pages, while the state notes the last number that a row was stored by."""
    for page in pages:
        state.number = max(state.number or 0, *(row[-1] for row in page))
        yield page


def _of_class(label: str) -> str:
    """What the scores of a class are called; no column has that name, or it is watched in their place."""
    return f"probability of {label}"


def _add_traffic(batch: Batch, day: int, state: State) -> None:
    """How many rows of a day there are, and what answering them took."""
    for series in (state.rows, state.seconds, state.warnings):
        series += [0] * (day + 1 - len(series))
    while len(state.latency) <= day:
        state.latency.append([0] * (len(PACES) + 1))
    seconds = batch.seconds[~np.isnan(batch.seconds)]
    pace = np.bincount(np.searchsorted(PACES, seconds), minlength=len(PACES) + 1)
    state.latency[day] = (np.array(state.latency[day]) + pace).tolist()
    state.rows[day] += len(batch)
    state.seconds[day] += float(seconds.sum())
    state.warnings[day] += int(batch.has_warning.sum())


def _add(days: ColumnDays, day: int, bins: Bins, codes: Codes, name: str) -> None:
    while len(days.bins) <= day:
        days.bins.append([0] * len(bins.reference))
        days.places.append([0] * len(drift.WIDTHS))
    before = np.array(days.bins, dtype=np.int64).sum(axis=0)
    place = drift.places(bins.reference, before, codes, zlib.crc32(name.encode()))
    days.places[day] = (np.array(days.places[day]) + drift.histogram(place)).tolist()
    days.bins[day] = (np.array(days.bins[day]) + np.bincount(codes, minlength=len(bins.reference))).tolist()


def this_year(days: int) -> slice:
    """The days that share a bound on false alarms: those since the last birthday."""
    return slice(max(days - 1, 0) // YEAR * YEAR, days)
