"""How soon monitoring sees a change: shifts of graded size from the first day on, and from the hundredth.

Of columns: one of twenty moves by a part of its standard deviation, its usual level goes, or its unit changes. Of
losses: errors go from .10 to .15 or .20. And a shift of columns under which errors stay is no harm.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench._outcome import Goal, Options, Outcome
from bench._streams import ERRORS, Population, WatchedColumn, draw, populations, watcher_of
from bench._tables import no_table
from sortal.monitor.state import State
from sortal.monitor.watch import FALSE_ALARMS

STARTS, FAST_STARTS = (0, 100), (0, 20)
COLUMNS, A_DAY, LABELS_A_DAY = 20, 100, 10
MOST_DAYS = 400
HARMS = {0.15: 2_000, 0.20: 250}
"""By the share of errors that a change brings, the labels after which half of all streams should have an alarm."""
FAST_REPS = 5
DISTINCT = 0.2
"""Of values: of a column of few a small step changes all."""
MOST_DRAWS = 100
HARMLESS = 0.95
"""Of streams in which columns change and errors do not, how many should raise no alarm of harm."""


def _by(deviations: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda values: values + deviations * np.nanstd(values)


SHIFTS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "a number moves by .25 deviations": _by(0.25),
    "by .5": _by(0.5),
    "by 1": _by(1.0),
    "its unit changes": lambda values: values / 1_000,
}
GONE = "the usual level goes"


@dataclass(frozen=True)
class Result:
    """``rows``: from the change until the alarm, rows for columns and labels for losses; None where none came."""

    shift: str
    start: int
    seed: int
    rows: int | None
    false: bool = False


def run(options: Options) -> Outcome:
    pool = populations(options.data)
    if not pool:
        no_table("with a thousand rows")
    reps, starts = (FAST_REPS, FAST_STARTS) if options.fast else (options.reps, STARTS)
    results: list[Result] = []
    for start in starts:
        for seed in range(reps):
            results += [_harm(share, start, seed) for share in HARMS]
            results += [_drift(pool, shift, start, seed) for shift in (*SHIFTS, GONE)]
        print(f"from day {start} on: {reps} of each", file=sys.stderr)
    return outcome(results)


def _harm(share: float, start: int, seed: int) -> Result:
    rng = np.random.default_rng([seed, start, round(100 * share)])
    watcher, state = watcher_of({}), State("")
    for day in range(start + MOST_DAYS):
        p = share if day >= start else ERRORS
        watcher.count_losses(day, watcher.losses[0], (rng.random(LABELS_A_DAY) < p).astype(float), state)
        state.rows.append(LABELS_A_DAY)
        watcher.raise_alarms(state, float(day), FALSE_ALARMS)
        if state.alarms:
            return Result(_errors(share), start, seed, (day + 1 - start) * LABELS_A_DAY, day < start)
    return Result(_errors(share), start, seed, None)


def _errors(share: float) -> str:
    return f"errors .10 -> {share:.2f}"


def _drift(pool: Sequence[Population], shift: str, start: int, seed: int) -> Result:
    rng = np.random.default_rng([seed, start, len(shift)])
    watched, name = _suitable_columns(pool, shift, rng)
    watcher, state = watcher_of(watched), State("")
    codes = {column: its.codes for column, its in watched.items()}
    changed = {**codes, name: _changed(watched[name], shift)}
    for day in range(start + MOST_DAYS):
        now = changed if day >= start else codes
        fresh = {column: its[rng.integers(len(its), size=A_DAY)] for column, its in now.items()}
        watcher.count_bins(day, fresh, state)
        state.rows.append(A_DAY)
        watcher.count_losses(day, watcher.losses[0], (rng.random(LABELS_A_DAY) < ERRORS).astype(float), state)
        watcher.raise_alarms(state, float(day), FALSE_ALARMS)
        if state.alarms:
            return Result(shift, start, seed, (day + 1 - start) * A_DAY, day < start or set(state.alarms) != {name})
    return Result(shift, start, seed, None)


def _suitable_columns(
    pool: Sequence[Population], shift: str, rng: np.random.Generator
) -> tuple[dict[str, WatchedColumn], str]:
    """Columns, and the name of one that the shift can happen to."""
    draws = (draw(pool, COLUMNS, rng) for _ in range(MOST_DRAWS))
    suitable = ((watched, name) for watched in draws for name, column in watched.items() if _suits(column, shift))
    return next(suitable, None) or no_table(f"with a column of which it can be said that {shift}")


def _suits(column: WatchedColumn, shift: str) -> bool:
    profile = column.bins.profile
    if shift == GONE:
        return bool(profile.levels) and 0.2 < profile.counts[0] / profile.n_values < 0.9
    return profile.numeric and profile.distinct > DISTINCT * profile.n_values


def _changed(column: WatchedColumn, shift: str) -> NDArray[np.int64]:
    """The bins of the population after the change."""
    codes = column.codes
    if shift == GONE:
        return codes[codes != 1]
    values: Any = np.asarray(column.values, dtype=np.float64)
    return column.bins.codes(SHIFTS[shift](values))


def outcome(results: Sequence[Result]) -> Outcome:
    rows, goals = [], []
    cells = list(dict.fromkeys((result.shift, result.start) for result in results))
    for shift, start in cells:
        group = [result for result in results if (result.shift, result.start) == (shift, start)]
        after = [result.rows if result.rows is not None and not result.false else np.inf for result in group]
        middle, n_alarms = median(after), sum(np.isfinite(after))
        false = sum(result.false for result in group)
        rows.append([shift, f"{start}", f"{middle:,.0f}", f"{n_alarms} of {len(group)}", f"{false}"])
        for share, most in HARMS.items():
            if shift == _errors(share):
                goal = f"{shift} from day {start} on: median <= {most:,} labels"
                goals.append(Goal(goal, f"{middle:,.0f}", middle <= most))
    harmless = [result for result in results if not result.shift.startswith("errors")]
    quiet = sum(not result.false for result in harmless)
    goals.append(
        Goal(
            f"a shift of columns alone raises no other alarm in >= {HARMLESS:.0%} of streams",
            f"{quiet} of {len(harmless)}",
            quiet >= HARMLESS * len(harmless),
        )
    )
    return Outcome(
        title="rows (of columns) and labels (of errors) until the alarm, in the median",
        columns=["change", "from day", "rows or labels", "seen", "false"],
        rows=rows,
        goals=goals,
        figures=[asdict(result) for result in results],
    )
