"""What a look says: plain data, for people (``text``) and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np

from sortal.core.labels import no_class_note
from sortal.core.plain import plain, short
from sortal.core.writing import interval, number, percent
from sortal.monitor import confusion, shift
from sortal.monitor.estimate import FigureEstimate
from sortal.monitor.state import DAY, PACES, Alarm, Look, State, date_of
from sortal.monitor.watch import Stream, Watcher

MUCH = 1_000_000
"""Evidence beyond which a number tells a person no more."""
LENGTHS, MOST_PERIODS = (1, 7, 30), 10
"""Of a period, in days, and how many are shown."""
UNESTIMATED = (
    "nothing is expected without labels: the model file does not say how its probabilities bore out on a sealed test "
    "(none with --split cv, with more than 20 classes, or at another prevalence)"
)
SLOW = 0.95
"""Of the answers, within which time they were there."""
STRONGEST = 5
"""Columns that are shown with how far they are from an alarm."""


@dataclass(frozen=True)
class WatchedStream:
    """A column or a loss. ``evidence``: the e-value of a change; ``alarm_at``: from which on it is called one."""

    name: str
    evidence: float
    alarm_at: float
    text: str


@dataclass(frozen=True)
class Day:
    """Rows of a day, ``seconds`` of an answer in the mean, ``slow``, within which 95 % of them were there (None of rows
    in files, which no service answered), and the share of rows that had warnings.
    """

    date: str
    rows: int
    seconds: float | None
    slow: float | None
    warned: float


@dataclass(frozen=True)
class Period:
    """Some ``days`` from a ``date`` on, and what is expected and seen of their ``rows``. Labels that came late are in
    the period of their prediction.
    """

    date: str
    days: int
    rows: int
    figures: tuple[FigureEstimate, ...]


@dataclass(frozen=True)
class Status:
    """``days``: of the deployment; ``seconds``: of an answer, in the mean; None of rows in files. ``periods``: days,
    weeks or months, the oldest first; ``unestimated``: why nothing is expected without labels. ``kind``: what kind of
    change it is, after an alarm. ``of_no_class``: rows whose label is no class of the model, and ``note`` says so.
    ``labels``: what labels say of the model, as ``sortal evaluate`` has it; None where nobody asked.
    """

    model: str
    days: int
    rows: int
    seconds: float | None
    warned: float
    false_alarms: float
    columns: tuple[WatchedStream, ...]
    losses: tuple[WatchedStream, ...]
    alarms: tuple[Alarm, ...]
    periods: tuple[Period, ...] = ()
    unestimated: str = ""
    kind: str = ""
    traffic: tuple[Day, ...] = ()
    looks: tuple[Look, ...] = ()
    of_no_class: int = 0
    note: str = ""
    labels: Mapping[str, Any] | None = None


def status(watcher: Watcher, state: State, false_alarms: float, labels: Mapping[str, Any] | None = None) -> Status:
    """What is known after a look."""
    rows = sum(state.rows)
    columns = [_watched_stream(stream, "") for stream in watcher.column_streams(state, false_alarms)]
    # Over all years, as people ask: what is watched of it is this year's.
    sentences = {loss.name: loss.sentence(mean, rows) for loss, mean, rows in watcher.means(state)}
    losses = [
        _watched_stream(stream, sentences[stream.name])
        for stream in watcher.loss_streams(state, false_alarms)
        if stream.name in sentences
    ]
    return Status(
        model=state.model,
        days=len(state.rows),
        rows=rows,
        seconds=sum(state.seconds) / answers if (answers := sum(map(sum, state.latency))) else None,
        warned=sum(state.warnings) / max(rows, 1),
        false_alarms=false_alarms,
        columns=tuple(sorted(columns, key=lambda column: -column.evidence)),
        losses=tuple(losses),
        alarms=tuple(state.alarms.values()),
        periods=tuple(periods(watcher, state)),
        kind=kind_of_change(watcher, state),
        traffic=tuple(_traffic(state)),
        looks=tuple(state.looks),
        unestimated="" if watcher.model.reliability else UNESTIMATED,
        of_no_class=state.of_no_class,
        note=no_class_note(state.of_no_class, state.strange_label) if state.of_no_class else "",
        labels=labels,
    )


def periods(watcher: Watcher, state: State) -> Iterator[Period]:
    """Days of the first ten, weeks of the first ten, else months of 30 days: the shortest that fit on a page."""
    days = len(state.rows)
    length = next((days_each for days_each in LENGTHS if days <= MOST_PERIODS * days_each), LENGTHS[-1])
    for start in range(0, days, length):
        end = min(start + length, days)
        if rows := sum(state.rows[start:end]):
            figures = tuple(watcher.estimator.between(state.estimates, start, end))
            yield Period(date_of(((state.first or 0) + start) * DAY), end - start, rows, figures)


def kind_of_change(watcher: Watcher, state: State) -> str:
    """Of the days since the first alarm began; empty without an alarm, and where it cannot be told."""
    estimator = watcher.estimator
    if not state.alarms or not estimator.reliability:
        return ""
    start = int(min(alarm.since for alarm in state.alarms.values()) // DAY) - (state.first or 0)
    if len(estimator.classes) > 2:
        test = confusion.confusion_of(watcher.model)
        day = estimator.decision_counts(state.estimates, start, len(state.rows))
        return "" if test is None else confusion.kind(confusion.Comparison.of(test, estimator, day), estimator.classes)
    [(label, reliability)] = estimator.reliability.items()
    return shift.kind(reliability, estimator.grid(state.estimates, start, len(state.rows)), label)


def _traffic(state: State) -> Iterator[Day]:
    for at, rows in enumerate(state.rows):
        counts = np.cumsum(state.latency[at] if at < len(state.latency) else [0])
        answers, seconds, slow = int(counts[-1]), None, None
        if answers:
            seconds = state.seconds[at] / answers
            slow = [*PACES, PACES[-1]][int(np.searchsorted(counts, SLOW * answers))]
        day = date_of(((state.first or 0) + at) * DAY)
        yield Day(day, rows, seconds, slow, state.warnings[at] / max(rows, 1))


def _watched_stream(stream: Stream, text: str) -> WatchedStream:
    """Evidence as a number that JSON can hold."""
    return WatchedStream(stream.name, exp(min(stream.evidence, 300.0)), exp(stream.limit), text)


def text(status: Status) -> Iterator[str]:
    """The page, a line each."""
    last = status.traffic[-1].slow if status.traffic else None
    slow = "" if last is None else f", 95 % of the last day within {1e3 * last:.2g}"
    pace = "" if status.seconds is None else f", {1e3 * status.seconds:.2g} ms each{slow}"
    days = f"{status.days:,} {'day' if status.days == 1 else 'days'}"
    if status.rows:
        yield f"rows       {status.rows:,} in {days}{pace}, {percent(status.warned)} with warnings"
    else:
        yield "rows       none yet; those of the last ten seconds are counted once the service has surely written them"
    for loss in status.losses:
        yield f"labels     {plain(loss.text)}; evidence of harm {_against(loss)}"
    if status.note:
        yield f"labels     {status.note}"
    elif not status.losses:
        yield "labels     none has come yet; send them to /v1/labels, or with: sortal label"
    for period in status.periods[-MOST_PERIODS:]:
        yield from _period(period)
    if status.unestimated:
        yield f"estimate   {status.unestimated}"
    strongest = [column for column in status.columns[:STRONGEST] if column.evidence > 1]
    quiet = len(status.columns) - len(strongest)
    for column in strongest:
        yield f"column     {short(column.name)}: evidence of a change {_against(column)}"
    if quiet:
        yield f"columns    {quiet:,} {'others ' if strongest else ''}look as in training"
    for alarm in status.alarms:
        yield f"ALARM      {plain(alarm.message)}; since about {date_of(alarm.since)}"
    if status.kind:
        yield f"kind       {plain(status.kind)}"
    if status.alarms:
        yield "           look at these rows first, then: sortal retrain; a new model answers only if it is better"
    else:
        chance = percent(status.false_alarms)
        yield f"alarm      none; where nothing changes, one is raised within a year with a chance of {chance} at most"


def _period(period: Period) -> Iterator[str]:
    """A line for each figure of which anything is known."""
    head = f"{period.date} {period.rows:>9,} rows"
    for figure in period.figures:
        texts = []
        if figure.expected is not None:
            texts.append(f"{interval(figure.expected)} expected")
        if figure.seen is not None:
            texts.append(f"{interval(figure.seen)} of {figure.labelled:,} labelled")
        if texts:
            yield f"{head:<25} {plain(figure.name)} {', '.join(texts)}"
            head = ""


def strength(stream: WatchedStream) -> str:
    """Evidence as a person reads it."""
    return number(stream.evidence) if stream.evidence < MUCH else f"over {MUCH:,}"


def _against(stream: WatchedStream) -> str:
    return f"{strength(stream)}, an alarm from {stream.alarm_at:,.0f} on"
