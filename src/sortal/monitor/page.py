"""What a look says, as one page of HTML without scripts and without links to the outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sortal.core.interval import Interval
from sortal.core.writing import number, percent
from sortal.data.whole import replacing
from sortal.monitor.state import date_of
from sortal.monitor.status import Day, Period, Status, strength
from sortal.report.template import template
from sortal.version import __version__

WIDTH, HEIGHT, LEFT, MARGIN = 540, 190, 52, 12
"""Of a chart, in the units of its drawing; numbers of the axis are written on the left."""
LABELS = 6
"""Dates below a chart, at most about so many."""


@dataclass(frozen=True)
class Point:
    """A figure of a period as a dot with its interval."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Chart:
    """``band``, ``line``: what is expected, as corners of a polygon and of a line. ``seen``: what labels say."""

    name: str
    band: str
    line: str
    seen: tuple[Point, ...]
    axis: tuple[tuple[float, str], ...]
    dates: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Bar:
    """``x`` and ``height`` of a day, and what it says when it is pointed at."""

    x: float
    height: float
    title: str


def write(path: Path, status: Status) -> None:
    """Written aside and renamed: a page that is being read is a whole one."""
    with replacing(path) as temporary:
        temporary.write_text(render(status), encoding="utf-8")


def render(status: Status) -> str:
    """The page of a look."""
    names = [figure.name for figure in status.periods[-1].figures] if status.periods else []
    return template("monitor.html.j2").render(
        status=status,
        charts=[chart for name in names if (chart := _chart(name, status.periods)) is not None],
        bars=_bars(status.traffic),
        slot=_slot(len(status.traffic)),
        size={"width": WIDTH, "height": HEIGHT, "left": LEFT, "margin": MARGIN},
        date_of=date_of,
        strength=strength,
        version=__version__,
    )


def _chart(name: str, periods: Sequence[Period]) -> Chart | None:
    """A figure over time; None where nothing is known of it."""
    figures = [next(candidate for candidate in period.figures if candidate.name == name) for period in periods]
    intervals = [interval for figure in figures for interval in (figure.expected, figure.seen) if interval is not None]
    if not intervals:
        return None
    bottom, top = min(interval.low for interval in intervals), max(interval.high for interval in intervals)
    room = (top - bottom) * 0.08 or 0.01
    bottom, top = max(bottom - room, 0.0), top + room

    def y(value: float) -> float:
        return round(HEIGHT - 28 - (value - bottom) / (top - bottom) * (HEIGHT - 28 - MARGIN), 1)

    slot = _slot(len(periods))
    xs = [round(LEFT + slot * (at + 0.5), 1) for at in range(len(periods))]
    # From the beginning of a period to its end, so that the only one is seen, too.
    expected = [
        (round(x + side * slot / 2, 1), figure.expected)
        for x, figure in zip(xs, figures, strict=True)
        if figure.expected is not None
        for side in (-1, 1)
    ]
    step = -(-len(periods) // LABELS)
    return Chart(
        name=name,
        band=_corners([(x, y(e.high)) for x, e in expected] + [(x, y(e.low)) for x, e in reversed(expected)]),
        line=_corners([(x, y(e.value)) for x, e in expected]),
        seen=tuple(_point(x, figure.seen, y) for x, figure in zip(xs, figures, strict=True) if figure.seen is not None),
        axis=tuple((y(value), number(value)) for value in (bottom + room, (bottom + top) / 2, top - room)),
        dates=tuple(zip(xs[::step], [period.date[5:] for period in periods[::step]], strict=True)),
    )


def _point(x: float, interval: Interval, y: Callable[[float], float]) -> Point:
    return Point(x, y(interval.value), y(interval.low), y(interval.high))


def _pace(day: Day) -> str:
    if day.seconds is None or day.slow is None:
        return ""
    return f"{1e3 * day.seconds:.2g} ms in the mean, 95 % within {1e3 * day.slow:.2g} ms, "


def _corners(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def _slot(count: int) -> float:
    """The width of a period or a day."""
    return (WIDTH - LEFT - MARGIN) / max(count, 1)


def _bars(traffic: Sequence[Day]) -> list[Bar]:
    """Rows by day; the longest bar has a height of 1."""
    most = max((day.rows for day in traffic), default=0) or 1
    slot = _slot(len(traffic))
    return [
        Bar(
            round(LEFT + slot * at, 2),
            day.rows / most,
            f"{day.date}: {day.rows:,} rows, {_pace(day)}{percent(day.warned)} with warnings",
        )
        for at, day in enumerate(traffic)
    ]
