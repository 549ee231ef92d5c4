"""What a service did lately, in counts: no row is kept.

With a log the counts are read from it, so that they are those of all workers, and are there again after a restart.
Without one they are those of this process.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from threading import Lock
from typing import Any

from sortal.serve.log.records import Label, LabelledPrediction

STEP, SPAN = 5, 3600
"""Seconds of one count, and of all that are kept: enough for an hour to be seen, a minute a point."""
BIN = math.log(1.05)
"""Times are counted in bins that are 5 % wide, so that a quantile of them is right to 2.5 %."""
MOST_COLUMNS = 50
"""That many of the columns that rows are warned of are named."""
SOON, LATE = 10, 90
"""Seconds after which a batch is in the log, as it is on most days, and after a store was away for a minute."""
AT_ONCE = 12
"""Steps that are read at once: a minute."""
PAUSE_AFTER, PAUSE = 64, 0.001
"""After so many rows a reader sleeps so many seconds: whoever answers requests waits no longer than these rows take."""
ENOUGH = 0.5
"""Seconds of reading after which the rest of the hour is left to the next time."""
LEAST = 3
"""Runs that are read whatever it takes: the newest steps, those that a late batch may have reached, and one more, so
that the hour gets full."""


@dataclass(slots=True)
class Count:
    """``times``: requests by bin of their seconds. ``decisions``: rows by what was decided. ``warned_rows``: with a
    warning; ``columns``: rows by the column that they were warned of, and ``examples``: a warning of each.
    """

    requests: int = 0
    rows: int = 0
    warned_rows: int = 0
    times: Counter[int] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    columns: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, seconds: float, decisions: Sequence[Label], warnings: Iterable[Sequence[str]]) -> None:
        """One request: what was decided of each row, and what it was warned of."""
        self.requests += 1
        self.rows += len(decisions)
        self.times[round(math.log(max(seconds, 1e-9)) / BIN)] += 1
        self.decisions.update(map(str, decisions))
        for odd in filter(None, warnings):
            self._warn(odd)

    def _warn(self, warnings: Sequence[str]) -> None:
        self.warned_rows += 1
        for name, text in {warned_of(text): text for text in warnings}.items():
            self.columns[name] += 1
            self.examples.setdefault(name, text)

    def merge(self, other: Count) -> None:
        """Add what another has. Copies are read, as another thread may count meanwhile."""
        self.requests += other.requests
        self.rows += other.rows
        self.warned_rows += other.warned_rows
        self.times.update(other.times.copy())
        self.decisions.update(other.decisions.copy())
        self.columns.update(other.columns.copy())
        self.examples |= other.examples.copy()

    def quantile(self, share: float) -> float | None:
        """Seconds within which a share of the requests were answered.

        >>> count = Count()
        >>> for seconds in (0.001, 0.001, 0.001, 0.1): count.add(seconds, [], [])
        >>> [round(count.quantile(share) or 0, 4) for share in (0.5, 0.99)], Count().quantile(0.5)
        ([0.001, 0.1009], None)
        """
        requests_left = share * sum(self.times.values())
        for at, requests in sorted(self.times.items()):
            requests_left -= requests
            if requests_left <= 0:
                return math.exp(at * BIN)
        return None


def warned_of(warning: str) -> str:
    """The column that a warning of ``core.shift`` is about, as it names it.

    >>> warned_of("'age': 200 is above 60"), warned_of("'photo', size: 3 was never seen"), warned_of("something")
    ("'age'", "'photo'", 'something')
    """
    column_match = re.match(r"(?:'.*?'|\".*?\")(?=[:,])", warning)
    return warning if column_match is None else column_match[0]


class Traffic:
    """The counts of the last hour."""

    def __init__(self) -> None:
        self._counts: dict[int, Count] = {}
        self._lock = Lock()

    def add(self, at: float, seconds: float, decisions: Sequence[Label], warnings: Iterable[Sequence[str]]) -> None:
        """One request that was answered ``at`` a time, in seconds since 1970."""
        step = int(at // STEP)
        with self._lock:
            count = self._counts.get(step)
            if count is None:
                count = self._counts[step] = Count()
                self.forget(at)
            count.add(seconds, decisions, warnings)

    def put(self, step: int, count: Count) -> None:
        """What is known of a step now."""
        self._counts[step] = count

    def forget(self, now: float) -> None:
        """All that is older than an hour."""
        oldest = int(now // STEP) - SPAN // STEP
        for step in [step for step in self._counts if step < oldest]:
            del self._counts[step]

    def over(self, now: float, span: int, points: int) -> tuple[Count, list[Count]]:
        """The counts of the last ``span`` seconds: together, and at each of so many points, the oldest first. The step
        that is not over yet is no point.
        """
        steps_per_point = span // points // STEP
        last = int(now // STEP)
        by_point = [Count() for _ in range(points)]
        whole = Count()
        whole.merge(self._counts.get(last, Count()))
        for point in range(points):
            for step in range(last - (points - point) * steps_per_point, last - (points - point - 1) * steps_per_point):
                if (count := self._counts.get(step)) is not None:
                    by_point[point].merge(count)
            whole.merge(by_point[point])
        return whole, by_point


def describe(whole: Count, points: list[Count], now: float, span: int, classes: Iterable[str]) -> dict[str, Any]:
    """Counts as they are sent: ``decisions`` by class in the order of the model, then whatever else was decided."""
    step = span // len(points)
    names = list(dict.fromkeys([*classes, *whole.decisions]))
    return {
        "span": span,
        "step": step,
        "from": (int(now // STEP) * STEP) - span,
        "requests": [point.requests for point in points],
        "rows": [point.rows for point in points],
        "p50": [point.quantile(0.5) for point in points],
        "p99": [point.quantile(0.99) for point in points],
        "decisions": [{"name": name, "rows": [point.decisions[name] for point in points]} for name in names],
        "total": {
            "requests": whole.requests,
            "rows": whole.rows,
            "warned": whole.warned_rows,
            "p50": whole.quantile(0.5),
            "p99": whole.quantile(0.99),
        },
        "warnings": [
            {"column": name, "rows": rows, "example": whole.examples[name]}
            for name, rows in whole.columns.most_common(MOST_COLUMNS)
        ],
    }


Read = Callable[[float, float], Iterable[LabelledPrediction]]
"""Predictions from a time until another."""


class Tail:
    """Keeps the counts of the last hour as the log has them.

    The newest steps are read again and again, as batches of other workers may be on their way; older ones until the
    hour is full. What is already known is not read again.
    """

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._read_at: dict[int, float] = {}

    def refresh(self, read: Read, now: float) -> None:
        """Read what is due, the newest first, for about ``ENOUGH`` seconds."""
        start = time.perf_counter()
        for number, steps in enumerate(due(self._read_at, now), start=1):
            counts = {step: Count() for step in steps}
            for step, count in _count_requests(gently(read(steps[0] * STEP, (steps[-1] + 1) * STEP))):
                if step in counts:
                    counts[step].merge(count)
            for step, count in counts.items():
                self._traffic.put(step, count)
                self._read_at[step] = now
            if number >= LEAST and time.perf_counter() - start > ENOUGH:
                break
        self._traffic.forget(now)
        oldest = int(now // STEP) - SPAN // STEP
        self._read_at = {step: at for step, at in self._read_at.items() if step >= oldest}

    def since(self, now: float) -> float:
        """From when on all is counted."""
        step = int(now // STEP)
        while step - 1 in self._read_at:
            step -= 1
        return step * STEP


def due(read_at: Mapping[int, float], now: float) -> list[list[int]]:
    """Steps that are to be read, neighbours together, the newest first: those that never were, those that are so new
    that a batch may be missing, and each once more when also a late batch is there.

    >>> [(steps[0], steps[-1]) for steps in due({}, 7_200.0)[:2]]
    [(1429, 1440), (1417, 1428)]
    >>> due({step: 7_199.0 for step in range(720, 1441)}, 7_200.0)[0]
    [1437, 1438, 1439, 1440]
    """
    newest = int(now // STEP)
    runs: list[list[int]] = []
    for step in range(newest, newest - SPAN // STEP, -1):
        end, last = (step + 1) * STEP, read_at.get(step)
        if last is None or last < end + SOON or last < end + LATE <= now:
            if runs and runs[-1][0] == step + 1 and len(runs[-1]) < AT_ONCE:
                runs[-1].insert(0, step)
            else:
                runs.append([step])
    return runs


def _count_requests(predictions: Iterable[LabelledPrediction]) -> Iterator[tuple[int, Count]]:
    """Of each request that the champion answered; its rows have one time, and took as long."""
    answers = (entry.prediction for entry in predictions if entry.prediction.role == "champion")
    for (at, seconds), group in groupby(answers, key=lambda answer: (answer.time, answer.seconds)):
        rows, count = list(group), Count()
        count.add(seconds, [row.decision for row in rows], [row.warnings for row in rows])
        yield int(at // STEP), count


def gently(predictions: Iterable[LabelledPrediction]) -> Iterator[LabelledPrediction]:
    """The same, with pauses in which requests are answered."""
    for number, prediction in enumerate(predictions, start=1):
        yield prediction
        if number % PAUSE_AFTER == 0:
            time.sleep(PAUSE)
