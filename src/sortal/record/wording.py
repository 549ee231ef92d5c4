"""How things are written for people, the same on the screen and in the report; for figures see ``core.writing``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sortal.core import registry
from sortal.core.interval import Estimate
from sortal.core.plain import plain, short
from sortal.core.schema import Column
from sortal.core.task import Task
from sortal.core.writing import (
    DASH,
    Estimated,
    decimals,
    interval,
    is_finite,
    level,
    listing,
    number,
    percent,
    percents,
    spread,
)
from sortal.evaluate.metrics import Metric
from sortal.evaluate.metrics import label_of as metric
from sortal.evaluate.slices import Slice, Slices
from sortal.record.parts import Baseline, Importance

__all__ = [
    "DASH",
    "Estimated",
    "adds",
    "beside",
    "by_slice",
    "costs",
    "count",
    "count_of",
    "decided_first",
    "decimals",
    "evidence",
    "interval",
    "is_finite",
    "kinds",
    "level",
    "listing",
    "measured",
    "metric",
    "microseconds",
    "number",
    "of_decided_rows",
    "percent",
    "percents",
    "plain",
    "seconds",
    "short",
    "size",
    "spread",
    "times",
    "tiny",
]


MOST_ADDING = 5
"""Columns whose part is said in a line."""


def count(n: int) -> str:
    """A whole number: ``45,211``."""
    return f"{n:,}"


def count_of(n: int, thing: str) -> str:
    """A number of things.

    >>> count_of(1, "row"), count_of(1200, "row"), count_of(3, "category"), count_of(2, "day")
    ('1 row', '1,200 rows', '3 categories', '2 days')
    """
    plural = thing[:-1] + "ies" if thing.endswith("y") and thing[-2] not in "aeiou" else thing + "s"
    return f"{n:,} {thing if n == 1 else plural}"


def times(n: int) -> str:
    """How often.

    >>> times(0), times(1), times(2), times(3)
    ('0 times', 'once', 'twice', '3 times')
    """
    return {1: "once", 2: "twice"}.get(n, f"{n} times")


def seconds(duration: float | None) -> str:
    """A duration.

    >>> seconds(0.32), seconds(41.4), seconds(125)
    ('0.3 s', '41 s', '2 min 5 s')
    """
    if duration is None or not is_finite(duration):
        return DASH
    if duration < 9.95:
        return f"{duration:.1f} s"
    whole = round(duration)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"


def microseconds(duration: float | None) -> str:
    """A short duration.

    >>> microseconds(3.84), microseconds(210), microseconds(12400)
    ('3.8 µs', '210 µs', '12 ms')
    """
    if duration is None or not is_finite(duration):
        return DASH
    value, unit = (duration, "µs") if duration < 999.5 else (duration / 1000, "ms")
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"


def size(n: int) -> str:
    """The size of a file.

    >>> size(1_900_000), size(41_200)
    ('1.9 MB', '41 kB')
    """
    return f"{n / 1e6:.1f} MB" if n >= 1e6 else f"{max(1, round(n / 1e3))} kB"


def tiny(difference: float) -> str:
    """A difference that should be none.

    >>> tiny(2.2e-16), tiny(0.0)
    ('2e-16', '0')
    """
    return f"{difference:.0e}" if difference else "0"


def of_decided_rows(name: str) -> bool:
    """Whether this metric is of the rows that are decided, where others are left to a person; what these cost counts
    all rows.
    """
    if name == "expected_cost" or name not in registry.names("sortal.metrics"):
        return False
    metric: Metric = registry.load("sortal.metrics", name)
    return metric.needs == "decision"


def decided_first(names: Sequence[str], figures: Mapping[str, object]) -> list[str]:
    """The metrics of decided rows among those ``names``, accuracy among them.

    >>> decided_first(["log_loss", "recall"], {"accuracy": 0.9, "recall": 0.8, "log_loss": 0.3})
    ['accuracy', 'recall']
    """
    unique = dict.fromkeys(["accuracy", *names])
    return [name for name in unique if of_decided_rows(name) and name in figures]


def beside(baseline: Baseline) -> str:
    """By how much the chosen model is better than a baseline."""
    on_test = "" if baseline.on_test is None else f", on the test by {interval(baseline.on_test, extra=1)}"
    return f"{interval(baseline.margin, extra=1)}{on_test}"


def adds(permutation: Importance) -> str:
    """What the columns add, those first that add most.

    >>> from sortal.record.parts import ColumnWeight
    >>> columns = (ColumnWeight("review", 0.121, 0.096, 0.148), ColumnWeight("shop", 0.0, -0.002, 0.001))
    >>> adds(Importance("log-loss lost where the column is shuffled", columns))
    'review .12 [.10 .15], shop .000 [-.002 .001]: log-loss lost where the column is shuffled'
    """
    first = [f"{short(c.column)} {interval(Estimate(c.value, c.low, c.high))}" for c in permutation.columns]
    return f"{listing(first, most=MOST_ADDING)}: {permutation.measure}"


def by_slice(slice_: Slice) -> str:
    """The rows of a slice, and how the model does on them.

    >>> from sortal.core.interval import Estimate
    >>> figure = Estimate(0.61, 0.55, 0.67)
    >>> by_slice(Slice("age", "< 25", 412, 0.1, figure, 0.41, Estimate(0.2, 0.1, 0.3), 0.001, True, 0.583))
    'age < 25: .61 [.55 .67] against .41 elsewhere (.58 by its own probabilities), 412 rows'
    """
    digits = decimals(slice_.figure.low, slice_.figure.high)
    own = "" if slice_.expected is None else f" ({number(slice_.expected, digits)} by its own probabilities)"
    against = f" against {number(slice_.elsewhere, digits)} elsewhere"
    name = f"{short(slice_.column)} {short(slice_.condition)}"
    return f"{name}: {interval(slice_.figure)}{against}{own}, {count_of(slice_.rows, 'row')}"


def measured(slices: Slices, costs: bool) -> str:
    """The metric of slices; without costs, what errors cost is their share."""
    return metric(slices.metric) if costs or slices.metric != "expected_cost" else "share of errors"


def evidence(values: Mapping[str, object]) -> str:
    """The figures behind a finding, in one line.

    >>> evidence({"roc_auc": 0.79612345, "rows": 1200, "columns": ["boat", "deck"]})
    'roc_auc .796, rows 1,200, columns boat, deck'
    """
    return ", ".join(f"{name} {short(_figure(value), 80)}" for name, value in values.items())


def _figure(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_figure(v) for v in value)
    if isinstance(value, float):
        return level(value, 3) if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else plain(value)


def kinds(columns: Sequence[Column]) -> str:
    """How many features there are of each kind.

    >>> kinds([Column("age", "number"), Column("job", "category"), Column("pay", "number")])
    '2 numbers, 1 category'
    """
    tally = Counter(column.kind for column in columns if column.role == "feature")
    return ", ".join(count_of(n, kind) for kind, n in tally.most_common()) or "no features"


def costs(task: Task) -> str:
    """The costs of a task in a few words."""
    if task.cost is None:
        return "every error counts the same"
    if not task.binary:
        return f"a {len(task.classes)} x {len(task.classes)} matrix of costs"
    p = task.positive_code
    cells = {"fp": (1 - p, p), "fn": (p, 1 - p), "tp": (p, p), "tn": (1 - p, 1 - p)}
    columns = {(cell.truth, cell.decided): cell.column for cell in task.cost_columns}
    values = {name: columns.get(at, level(task.cost[at[0]][at[1]])) for name, at in cells.items()}
    words = [f"{name}={value}" for name, value in values.items() if name in ("fp", "fn") or value != "0"]
    return " ".join([*words, *([f"reject={level(task.reject_cost)}"] if task.reject_cost is not None else [])])
