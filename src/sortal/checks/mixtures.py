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
from sortal.core.quantiles import quantiles
from sortal.core.schema import Column
from sortal.core.writing import percent

_LEAST_ROWS, _MANY = 50, 0.05
_MOST_ROWS = 100_000

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
_LEAST_OF_A_UNIT, _SHARE_OF_A_UNIT, _LEAST_VALUES = 15, 0.005, 10
_GAP, _TAIL, _ALIKE, _SHARP, _EDGE = 3.0, 0.01, 1.52, 0.02, 0.05

_NEGATIVE = (-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0)
_LARGE = (99.0, 999.0, 9999.0, 99999.0, 999999.0)
_LEAST_OF_A_CODE, _CODE_SHARE = 3, 0.002
_AWAY, _FREQUENT = 1.0, 3.0
_ZERO_AWAY, _ZERO_GAP, _MOST_ZEROS = 2.5, 0.2, 0.6


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """A note; a warning where it is 5 % of the rows and more (a zero that may be missing is a note always)."""
    if len(context) < _LEAST_ROWS:
        return too_few(f"{_LEAST_ROWS} rows")
    looked_at = set(context.shortlist)
    columns = [c for c in context.table.schema.columns if c.name in looked_at or c.role in ("ignore", "target")]
    return [_finding(column.name, mixture) for column in columns for mixture in _mixtures(context, column)]


def _mixtures(context: AuditContext, column: Column) -> list[Mixture]:
    if column.kind == "number" and column.role == "feature":
        values = context.table[column.name].drop_nulls()
        found = of_numbers(_some(values).to_numpy(), context.disclosure) if len(values) >= _LEAST_ROWS else None
        return [] if found is None else [found]
    if column.kind not in ("category", "text") or column.name not in context.raw.columns:
        return []
    texts = context.raw[column.name].alias("")
    if texts.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return []
    levels = column.kind == "category" and column.role != "ignore"
    return mixed_texts(_some(texts), levels, context.disclosure)


def _some(values: pl.Series) -> pl.Series:
    return values.gather_every(-(-len(values) // _MOST_ROWS))


def _finding(name: str, mixture: Mixture) -> Finding:
    severity: Severity = "warning" if mixture.share >= _MANY and not mixture.doubtful else "note"
    evidence: dict[str, Evidence] = {"kind": mixture.kind, "share": mixture.share}
    return Finding(check.code, severity, name, f"{name} {mixture.message}", evidence, mixture.fix)


def of_numbers(values: Floats, disclosure: Disclosure = OPEN) -> Mixture | None:
    """A number that means missing, or else two units."""
    found, counts = np.unique(values, return_counts=True)
    if len(found) < _LEAST_VALUES:
        return None
    least = disclosure.smallest_count
    return _code(found, counts, least) or _zero(found, counts, least) or _units(values, least)


def _span(ordered: Floats, smallest_count: int) -> str:
    """From where to where these values reach, but for the last few of them; nothing of too few."""
    known = quantiles(ordered, (0, 1), smallest_count)
    return f"{known[0]:g} to {known[1]:g}" if len(known) else "elsewhere"


def _code(found: Floats, counts: NDArray[np.int64], smallest_count: int) -> Mixture | None:
    """-1, -999, 99 or 9999 far away from all other values, or the only negative value and more frequent than its neighbours."""
    n = int(counts.sum())
    least = max(_LEAST_OF_A_CODE, _CODE_SHARE * n, smallest_count)  # 99 of three rows may be how old somebody is
    for end, codes in ((0, _NEGATIVE), (-1, _LARGE)):
        value, count = float(found[end]), int(counts[end])
        others = found[1:] if end == 0 else found[:-1]
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


def _zero(found: Floats, counts: NDArray[np.int64], smallest_count: int) -> Mixture | None:
    """Zeros far from all other values, where those are about a middle: what is measured is never near nothing."""
    n, zeros = int(counts.sum()), int(counts[0])
    if found[0] != 0 or not max(_LEAST_OF_A_CODE, _CODE_SHARE * n) <= zeros <= _MOST_ZEROS * n:
        return None
    others = np.repeat(found[1:], counts[1:])
    middle = float(np.median(others))
    away = others.mean() >= _ZERO_AWAY * others.std() and found[1] >= _ZERO_GAP * middle
    steps = np.diff(found[1:])
    if not away or len(steps) < _LEAST_VALUES or found[1] < _GAP * np.quantile(steps, 0.9):
        return None
    message = f"is 0 in {_rows(zeros, n)} and else {_span(others, smallest_count)}: does 0 stand for missing?"
    return Mixture("zero for missing", message, zeros / n, "if so, leave those cells blank", doubtful=True)


def _rows(count: int, n: int) -> str:
    return f"{count:,} rows ({percent(count / n)})"


def _units(values: Floats, smallest_count: int) -> Mixture | None:
    """Two heaps with a gap between them, the upper of which is the lower in another unit: as the same shape says."""
    if values.min() <= 0:
        lower = values[values > 0]
        if len(lower) < (1 - _EDGE) * len(values):
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
    """By Kolmogorov and Smirnov's distance, at 2 % for each pair of units, where middles are known well enough to tell units apart."""
    scale = np.sqrt(len(lower) * len(mapped) / (len(lower) + len(mapped)))
    if mapped[0] <= 0:
        return False
    together = np.sort(np.concatenate([lower, mapped]))
    first = np.searchsorted(lower, together, "right") / len(lower)
    second = np.searchsorted(mapped, together, "right") / len(mapped)
    return bool(scale * np.abs(first - second).max() <= _ALIKE)


def _is_sharp(lower: Floats, upper: Floats) -> bool:
    """The ratio of the middles is known to a small part of itself: else one of the factors would fit by chance."""
    error = 1.25 * float(np.log(lower).std()) / np.sqrt(min(len(lower), len(upper)))
    return bool(error <= _SHARP * np.log(np.median(upper) / np.median(lower)))


check = Check("A305", "a column in two units, codes or spellings", find)
