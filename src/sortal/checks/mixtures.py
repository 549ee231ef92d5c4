"""A305: a column that is written in two ways: two units, a number that means missing, two spellings of one level."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, Severity, too_few
from sortal.checks.measures.spelling import Mixture, mixed_texts
from sortal.core.arrays import Floats
from sortal.core.disclosure import OPEN, Disclosure
from sortal.core.kinds import kind_of
from sortal.core.quantiles import quantiles
from sortal.core.schema import Column
from sortal.core.writing import percent

_LEAST_ROWS = 50
"""Chosen, not measured: a mixture is a matter of shares, and one of 50 rows is 2 %."""
_MANY = 0.05
"""Share of the rows for a warning. Chosen, not measured: one value in twenty moves the mean of a column."""
_MOST_ROWS = 100_000
"""For speed: the rarest code that counts is in 200 of so many rows."""

_FACTORS = {
    "10 times": 10.0,
    "100 times": 100.0,
    "1,000 times": 1000.0,
    "pounds beside kilograms": 2.20462,
    "centimetres beside inches": 2.54,
    "kilometres beside miles": 1.60934,
    "feet beside metres": 3.28084,
    "centimetres beside feet": 30.48,
}
"""By definition of the units. Each further factor fits by chance more often: 60 and a million are gone (decision
0018)."""
_LEAST_OF_A_UNIT = 15
"""Values in each unit. Chosen, not measured: the limit for shapes below holds for large samples."""
_SHARE_OF_A_UNIT = 0.005
"""Chosen, not measured: rarer values are outliers rather than a second unit."""
_LEAST_VALUES = 10
"""Distinct values on each side of a gap. Chosen, not measured: fewer have no shape to compare."""
_GAP = 3.0
"""Times the widest inner gap. Of 40 made-up mixtures 37 to 40 are found with it (decision 0018)."""
_TAIL = 0.01
"""Share at each end of a heap where gaps do not count. Chosen, not measured: outliers make gaps of their own."""
_SAME_SHAPE = 1.52
"""Kolmogorov and Smirnov's statistic that chance passes once in 50 times, by its limiting distribution."""
_SHARP = 0.02
"""Error of the ratio of middles, as a part of it. It helped to halve false units in made-up cases (decision 0018)."""
_NOT_POSITIVE = 0.05
"""Share of values of 0 and below that are passed over. Chosen, not measured: a unit shows in the others alone."""

_NEGATIVE = (-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0)
"""What people write for missing. A list from experience, not measured."""
_LARGE = (99.0, 999.0, 9999.0, 99999.0, 999999.0)
"""What people write for missing. A list from experience, not measured."""
_LEAST_OF_A_CODE = 3
"""Rows with a code. Chosen, not measured: one or two such values may be true."""
_CODE_SHARE = 0.002
"""Chosen, not measured: a code for missing is in use all over a table."""
_AWAY = 1.0
"""Distance of a code from all other values, in their range. Chosen, not measured: an outlier is seldom so far."""
_FREQUENT = 3.0
"""Times as many rows as the usual value. Chosen, not measured: outliers do not repeat."""
_ZERO_AWAY = 2.5
"""Deviations from 0 to the mean of the others. Wrong in 12 % of made-up narrow columns, hence a note (decision
0018)."""
_ZERO_GAP = 0.2
"""Part of the middle that no other value is below. Chosen together with the deviations (decision 0018)."""
_MOST_ZEROS = 0.6
"""Share of zeros. Chosen, not measured: where most values are 0, it is a value like others."""


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """A note; a warning where it is 5 % of the rows and more (a zero that may be missing is a note always)."""
    if len(context) < _LEAST_ROWS:
        return too_few(f"{_LEAST_ROWS} rows")
    looked_at = set(context.shortlist)
    columns = [c for c in context.table.schema.columns if c.name in looked_at or c.role in ("ignore", "target")]
    return [_finding(column.name, mixture) for column in columns for mixture in _mixtures(context, column)]


def _mixtures(context: AuditContext, column: Column) -> list[Mixture]:
    kind = kind_of(column.kind)
    if kind.storage == "number" and column.role == "feature":
        values = context.table[column.name].drop_nulls()
        mixture = of_numbers(_sample(values).to_numpy(), context.disclosure) if len(values) >= _LEAST_ROWS else None
        return [] if mixture is None else [mixture]
    if kind.storage != "text" or column.name not in context.raw.columns:
        return []
    texts = context.raw[column.name].alias("")
    if texts.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return []
    levels = kind.categorical and column.role != "ignore"
    return mixed_texts(_sample(texts), levels, context.disclosure)


def _sample(values: pl.Series) -> pl.Series:
    return values.gather_every(-(-len(values) // _MOST_ROWS))


def _finding(name: str, mixture: Mixture) -> Finding:
    severity: Severity = "warning" if mixture.share >= _MANY and not mixture.doubtful else "note"
    evidence: dict[str, Evidence] = {"kind": mixture.kind, "share": mixture.share}
    return Finding(check.code, severity, name, f"{name} {mixture.message}", evidence, mixture.fix)


def of_numbers(values: Floats, disclosure: Disclosure = OPEN) -> Mixture | None:
    """A number that means missing, or else two units."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < _LEAST_VALUES:
        return None
    least = disclosure.smallest_count
    return _code(distinct, counts, least) or _zero(distinct, counts, least) or _units(values, least)


def _span(ordered: Floats, smallest_count: int) -> str:
    """From where to where these values reach, but for the last few of them; nothing of too few."""
    ends = quantiles(ordered, (0, 1), smallest_count)
    return f"{ends[0]:g} to {ends[1]:g}" if len(ends) else "elsewhere"


def _code(distinct: Floats, counts: NDArray[np.int64], smallest_count: int) -> Mixture | None:
    """-1, -999, 99 or 9999 far away from all other values, or the only negative value and more frequent than its
    neighbours.
    """
    n = int(counts.sum())
    least = max(_LEAST_OF_A_CODE, _CODE_SHARE * n, smallest_count)  # 99 of three rows may be how old somebody is
    for end, codes in ((0, _NEGATIVE), (-1, _LARGE)):
        value, count = float(distinct[end]), int(counts[end])
        others = distinct[1:] if end == 0 else distinct[:-1]
        if value not in codes or count < least or len(others) < _LEAST_VALUES:
            continue
        spread = float(others[-1] - others[0])
        apart = float(others[0] - value if end == 0 else value - others[-1])
        usual = float(np.median(counts[1:] if end == 0 else counts[:-1]))
        alone = value < 0 <= others[0]
        frequent = count >= _FREQUENT * max(usual, counts[1] if end == 0 else counts[-2])
        if (alone and frequent and spread >= 20) or (apart >= _AWAY * spread and frequent):
            rest = np.repeat(others, counts[1:] if end == 0 else counts[:-1])
            span = _span(rest, smallest_count)
            message = f"is {value:g} in {_rows(count, n)} and else {span}: does {value:g} stand for missing?"
            return Mixture(
                "code for missing", message, count / n, f"if so, leave those cells blank: {value:g} is read as a size"
            )
    return None


def _zero(distinct: Floats, counts: NDArray[np.int64], smallest_count: int) -> Mixture | None:
    """Zeros far from all other values, where those are about a middle: what is measured is never near nothing."""
    n, zeros = int(counts.sum()), int(counts[0])
    if distinct[0] != 0 or not max(_LEAST_OF_A_CODE, _CODE_SHARE * n) <= zeros <= _MOST_ZEROS * n:
        return None
    others = np.repeat(distinct[1:], counts[1:])
    middle = float(np.median(others))
    away = others.mean() >= _ZERO_AWAY * others.std() and distinct[1] >= _ZERO_GAP * middle
    steps = np.diff(distinct[1:])
    if not away or len(steps) < _LEAST_VALUES or distinct[1] < _GAP * np.quantile(steps, 0.9):
        return None
    message = f"is 0 in {_rows(zeros, n)} and else {_span(others, smallest_count)}: does 0 stand for missing?"
    return Mixture("zero for missing", message, zeros / n, "if so, leave those cells blank", doubtful=True)


def _rows(count: int, n: int) -> str:
    return f"{count:,} rows ({percent(count / n)})"


def _units(values: Floats, smallest_count: int) -> Mixture | None:
    """Two heaps with a gap between them, the upper of which is the lower in another unit: as the same shape says."""
    if values.min() <= 0:
        lower = values[values > 0]
        if len(lower) < (1 - _NOT_POSITIVE) * len(values):
            return None
        values = lower
    ordered = np.sort(values)
    logs, n = np.log(ordered), len(values)
    first, last = _least(n), n - _least(n)
    if first >= last:
        return None
    gaps = np.diff(logs)
    place = first - 1 + int(gaps[first - 1 : last].argmax())
    lower, upper = ordered[: place + 1], ordered[place + 1 :]
    if min(len(np.unique(lower)), len(np.unique(upper))) < _LEAST_VALUES:
        return None
    inner = np.concatenate([_inner(lower), _inner(upper)])
    if gaps[place] < _GAP * inner.max() or gaps[place] < 0.25 * max(_width(lower), _width(upper)):
        return None
    if not _is_sharp(lower, upper):
        return None
    for what, mapped in _mapped(upper).items():
        if _same_shape(lower, mapped):
            few = min(len(lower), len(upper))
            message = (
                f"seems to be in two units ({what}): {_rows(len(lower), n)} are {_span(lower, smallest_count)}, "
                f"{_rows(len(upper), n)} {_span(upper, smallest_count)}, in the same proportions"
            )
            return Mixture("two units", message, few / n, "convert them to one unit")
    return None


def _least(n: int) -> int:
    return int(max(_LEAST_OF_A_UNIT, _SHARE_OF_A_UNIT * n))


def _inner(ordered: Floats) -> Floats:
    """Gaps of the logarithms without those of the tails."""
    tail = int(np.ceil(_TAIL * len(ordered)))
    return np.diff(np.log(ordered[tail : len(ordered) - tail]))


def _width(ordered: Floats) -> float:
    return float(np.log(ordered[-1] / ordered[0]))


def _mapped(upper: Floats) -> dict[str, Floats]:
    """The upper heap in the unit of the lower one, for each pair of units."""
    mapped = {what: upper / factor for what, factor in _FACTORS.items()}
    return {**mapped, "degrees Fahrenheit beside Celsius": (upper - 32) / 1.8}


def _same_shape(lower: Floats, mapped: Floats) -> bool:
    """By Kolmogorov and Smirnov's distance, at 2 % for each pair of units, where middles are known well enough to tell
    units apart.
    """
    scale = np.sqrt(len(lower) * len(mapped) / (len(lower) + len(mapped)))
    if mapped[0] <= 0:
        return False
    together = np.sort(np.concatenate([lower, mapped]))
    first = np.searchsorted(lower, together, "right") / len(lower)
    second = np.searchsorted(mapped, together, "right") / len(mapped)
    return bool(scale * np.abs(first - second).max() <= _SAME_SHAPE)


def _is_sharp(lower: Floats, upper: Floats) -> bool:
    """The ratio of the middles is known to a small part of itself: else one of the factors would fit by chance."""
    error = 1.25 * float(np.log(lower).std()) / np.sqrt(min(len(lower), len(upper)))
    return bool(error <= _SHARP * np.log(np.median(upper) / np.median(lower)))


check = Check("A305", "a column in two units, codes or spellings", find)
