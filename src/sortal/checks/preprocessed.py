"""A106: columns that were prepared on all rows before the split, so that the rows of the test are in their values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, Severity, ignoring, too_few
from sortal.checks.measures.target_encoding import encoded
from sortal.core.arrays import Floats
from sortal.core.kinds import kind_of
from sortal.core.table import Table

_LEAST_ROWS = 50
"""Chosen, not measured: equations of few rows hold by chance."""
_EXACT = 1e-6
"""What equations may be off by: more than arithmetic costs, far less than chance brings about (decision 0018)."""
_ROUNDED = 1e-9
"""What an end of 0 or 1 may be off by: no more than arithmetic costs."""
_CERTAIN = 0.01
"""Standard errors that rounding may explain: a hundredth, so that chance does not come near (decision 0018)."""
_MOST_DECIMALS = 12
"""Chosen, not measured: whoever rounds leaves fewer."""
_FLOAT = 1e14
"""A float holds 15 to 16 digits; the last one or two are arithmetic."""
_LOOK = 5_000
"""Values that tell how a column is written, for speed."""
_LEAST_SCALED = 3
"""Columns. Shares end at 0 and 1 too, so one or two are no proof (decision 0018)."""
_SCALED_SHARE = 0.5
"""Share of the wide columns, for the same reason (decision 0018)."""
_LONELY = 3
"""Rows at 1: an extreme is rare, a share of all is not (decision 0018)."""
_LEAST_STEPS = 20
"""Chosen, not measured: fewer steps are grades."""
_MOST_STEPS = 1_000_000
"""For arithmetic: a million steps are told apart by a float with room to spare."""
_LEAST_FILLED = 5
"""Rows. Chosen, not measured: fewer equal values happen."""
_FILLED_SHARE = 0.01
"""Share of rows. Chosen, not measured: columns with fewer gaps are seldom worth filling."""
_OUTSTANDING = 5
"""Times as frequent as the next value. Chosen, not measured: what is measured does not stand out so."""
_MOST_SCORES = 200
"""Columns, for speed: all pairs are compared."""
_CHUNK = 50_000
"""Rows at a time, for memory: 80 MB of 200 columns."""
_END_OF_NORMAL = 5.199337582605575
"""Where scikit-learn's QuantileTransformer cuts off its normal output."""


@dataclass(frozen=True)
class Numbers:
    """A column of numbers without its missing values.

    ``present``: (n,) where it has one. ``decimals`` that it is written with; ``fine``: most values have two or more.
    """

    name: str
    values: Floats
    present: NDArray[np.bool_]
    decimals: int
    fine: bool

    @property
    def look(self) -> Floats:
        """Some thousand values from all over the column."""
        return sample(self.values)

    @property
    def tolerance(self) -> float:
        """How far a mean of such values may be off by rounding; never so far that chance would come near."""
        rounding = 10.0**-self.decimals if self.decimals < _MOST_DECIMALS else 0.0
        root = math.sqrt(len(self.values))
        return min(_EXACT + rounding / root, _CERTAIN / root)


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Exact fingerprints, over the rows of all parts: mean 0 and deviation 1, extremes 0 and 1, even ranks, a mean
    filled in.

    One finding a fingerprint. A warning, and severe where the classes of all rows are in the values (target encoding).
    """
    table = context.table if context.split_view is None else context.split_view.features
    if len(table) < _LEAST_ROWS:
        return too_few(f"{_LEAST_ROWS} rows")
    looked_at = set(context.shortlist)
    columns = [
        numbers(c.name, table[c.name])
        for c in table.schema.features
        if kind_of(c.kind).storage == "number" and c.name in looked_at
    ]
    columns = [column for column in columns if len(column.values) >= _LEAST_ROWS]
    if not columns:
        return NotApplicable("no column of numbers")
    findings, columns_left = [], columns
    for fingerprint in _FINGERPRINTS:
        names = fingerprint.among(columns_left)
        if names:
            findings.append(_finding(fingerprint, names, context))
            columns_left = [column for column in columns_left if column.name not in names]
    rates = encoded(context, [column.name for column in columns_left])
    return [*findings, *([_finding(_ENCODED, rates, context)] if rates else [])]


def numbers(name: str, series: pl.Series) -> Numbers:
    present = series.is_not_null().to_numpy()
    values = series.drop_nulls().to_numpy()
    look = sample(values)
    return Numbers(name, values, present, decimals(look), len(look) > 0 and _fine(look, 1))


def sample(values: Floats) -> Floats:
    return values[:: max(1, len(values) // _LOOK)]


def decimals(values: Floats) -> int:
    """With how many digits behind the point all of these are written; 12 where it is more, or all that a float holds.

    >>> decimals(np.array([1.5, 2.25])), decimals(np.array([1 / 3])), decimals(np.array([1e6 / 3]))
    (2, 12, 12)
    """
    digits = next((d for d in range(_MOST_DECIMALS) if not _has_more(values, d).any()), _MOST_DECIMALS)
    exact = 10.0**digits * np.abs(values).max(initial=0) < _FLOAT / 100
    return digits if digits == 0 or exact else _MOST_DECIMALS


def _has_more(values: Floats, places: int) -> NDArray[np.bool_]:
    """Which values have more digits behind the point than this."""
    scaled = values * 10.0**places
    more: NDArray[np.bool_] = np.abs(scaled - np.rint(scaled)) > 1e-6 + np.abs(scaled) / _FLOAT
    return more


def _fine(values: Floats, places: int) -> bool:
    return bool(_has_more(values, places).mean() > 0.5)


def _standardised(columns: Sequence[Numbers]) -> list[str]:
    return [c.name for c in columns if c.fine and _is_standard(c)]


def _is_standard(column: Numbers) -> bool:
    """Mean 0, and a deviation or a length of 1."""
    x, n = column.values, len(column.values)
    deviation = float(x.std())
    for scale in (1.0, math.sqrt(n / (n - 1)), math.sqrt(n)):
        if abs(scale * deviation - 1) <= column.tolerance and abs(scale * x.mean()) <= column.tolerance:
            return True
    return False


def _robust(columns: Sequence[Numbers]) -> list[str]:
    """Median 0 and quartiles 1 apart, neither of which is a whole number as where zeros are many."""
    names = []
    for column in columns:
        if not column.fine or abs(np.median(column.values)) > _EXACT:
            continue
        low, high = np.percentile(column.values, [25, 75])
        if abs(high - low - 1) <= _EXACT and abs(low - np.rint(low)) > 1e-3:
            names.append(column.name)
    return names


def _scaled(columns: Sequence[Numbers]) -> list[str]:
    """From exactly 0 to exactly 1, where a share may end too: so only most of several columns, each with few rows at 1.

    Or with two of them in whole steps of their own, as what was counted has when it is divided by its own range.
    """
    wide = [c for c in columns if len(np.unique(c.look)) > 10 and not _in_bytes(c.look)]
    scaled = [
        c for c in wide if abs(c.values.min()) <= _ROUNDED and abs(c.values.max() - 1) <= _ROUNDED and _is_inner(c)
    ]
    if len(scaled) < _SCALED_SHARE * len(wide) or _shares(scaled):
        return []
    lonely = [c for c in scaled if np.count_nonzero(c.values >= 1 - _ROUNDED) <= _LONELY]
    full = [c for c in lonely if c.decimals == _MOST_DECIMALS]
    steps = {_steps(c) for c in scaled} - {0}
    every = len(scaled) == len(wide) and len(full) > 1
    several = len(lonely) >= _LEAST_SCALED or every or len(steps) > 1
    return [c.name for c in scaled] if several else []


def _is_inner(column: Numbers) -> bool:
    """Values between the ends have two digits and more."""
    look = column.look
    inner = look[(look > _ROUNDED) & (look < 1 - _ROUNDED)]
    return len(inner) > 0 and _fine(inner, 1)


def _steps(column: Numbers) -> int:
    """In how many even steps the values lie, if no round number of them; 0 where they do not."""
    if column.decimals < _MOST_DECIMALS:
        return 0
    distinct = np.unique(column.values)
    steps = int(np.rint(1 / np.diff(distinct).min())) if np.diff(distinct).min() > _ROUNDED else 0
    even = _LEAST_STEPS <= steps <= _MOST_STEPS and not _has_more(distinct * steps, 0).any()
    return steps if even else 0


def _in_bytes(values: Floats) -> bool:
    """Multiples of 1/255: divided by what a pixel can be, not by what these rows are."""
    return not _has_more(values * 255, 4).any()


def _shares(columns: Sequence[Numbers]) -> bool:
    """Columns that sum to one in every row."""
    if any(not column.present.all() for column in columns):
        return False
    return bool(np.allclose(sum(column.look for column in columns), 1, atol=1e-3))


def _ranked(columns: Sequence[Numbers]) -> list[str]:
    return [c.name for c in columns if _is_ranked(c)]


def _is_ranked(column: Numbers) -> bool:
    """The places of the values themselves, evenly from 0 to 1, and not in the order of the rows; or scikit-learn's
    quantiles.
    """
    x, n = column.values, len(column.values)
    low, high = float(x.min()), float(x.max())
    if abs(low + _END_OF_NORMAL) < _EXACT and abs(high - _END_OF_NORMAL) < _EXACT:
        return True
    if low < 0 or high > 1 or low > 1 / n or high < 1 - 1 / n or len(np.unique(x)) < n / 2:
        return False
    rank = pl.Series(x).rank().to_numpy()
    if abs(np.corrcoef(rank, np.arange(n))[0, 1]) > 0.95:
        return False
    grids = ((rank - 1) / (n - 1), rank / n, (rank - 0.5) / n, rank / (n + 1))
    even = min(float(np.abs(x - grid).max()) for grid in grids)
    exact_ends = low == 0 and high == 1 and column.decimals == _MOST_DECIMALS
    return even <= 0.1 / n or (exact_ends and even <= 0.25 / np.sqrt(n))


def _filled(columns: Sequence[Numbers]) -> list[str]:
    return [c.name for c in columns if _is_filled(c)]


def _is_filled(column: Numbers) -> bool:
    """A frequent value that is the mean or the median of the others, and stands out among them.

    It alone has more digits than they have, or hardly any of them occurs twice. Then nobody measured it so often.
    """
    value, seldom = _outstanding(column.values)
    if value is None:
        return False
    others = column.values[column.values != value]
    if len(others) < _LEAST_ROWS:
        return False
    own, spread = decimals(np.array([value])), float(others.std())
    half_a_digit = 0.5 * 10.0**-own if own < _MOST_DECIMALS else 0.0
    rounding = half_a_digit if half_a_digit <= 1e-3 * spread else 0.0
    if abs(value - others.mean()) <= max(1e-7 * spread, rounding):
        return True
    balanced = np.count_nonzero(others < value) == np.count_nonzero(others > value)
    return seldom and own > 0 and balanced


def _outstanding(values: Floats) -> tuple[float | None, bool]:
    """The value that may have been filled in, if there is one; whether all others are seldom."""
    look = sample(values)
    usual = next((d for d in range(_MOST_DECIMALS) if not _fine(look, d)), _MOST_DECIMALS)
    finer = values[_has_more(values, usual + 1)] if usual < _MOST_DECIMALS else look[:0]
    if len(finer) >= _LEAST_FILLED and np.ptp(finer) == 0:
        return float(finer[0]), False
    if _mode(look)[1] < _FILLED_SHARE * len(look) / 2:
        return None, False
    value, count = _mode(values)
    others = values[values != value]
    if count < max(_LEAST_FILLED, _FILLED_SHARE * len(values)) or len(others) == 0:
        return None, False
    seldom = len(np.unique(others)) >= len(others) / 2 and count >= _OUTSTANDING * _mode(others)[1]
    return (value, True) if seldom else (None, False)


def _mode(values: Floats) -> tuple[float, int]:
    distinct, counts = np.unique(values, return_counts=True)
    return float(distinct[counts.argmax()]), int(counts.max())


def _scores(columns: Sequence[Numbers]) -> list[str]:
    """Means of 0 and no correlation at all: scores of a PCA. The largest set of such columns, found step by step."""
    candidates = [c for c in columns if c.fine and c.present.all()]
    candidates = [c for c in candidates if c.values.std() > 0 and abs(c.values.mean() / c.values.std()) <= c.tolerance][
        :_MOST_SCORES
    ]
    if len(candidates) < 2:
        return []
    products = np.zeros((len(candidates), len(candidates)))
    for start in range(0, len(candidates[0].values), _CHUNK):
        part = np.column_stack([c.values[start : start + _CHUNK] for c in candidates])
        products += part.T @ part
    norms = np.sqrt(np.diag(products))
    allowed = np.array([c.tolerance for c in candidates])
    apart = np.abs(products / np.outer(norms, norms)) <= np.maximum.outer(allowed, allowed)
    selected: list[int] = []
    for place in np.argsort(-apart.sum(axis=1), kind="stable"):
        if apart[place, selected].all():
            selected.append(int(place))
    return [candidates[place].name for place in sorted(selected)] if len(selected) >= 2 else []


@dataclass(frozen=True)
class _Fingerprint:
    """What was done to columns, what of the test that leaves in them, and who shows it among columns of numbers."""

    treatment: str
    trace: str
    among: Callable[[Sequence[Numbers]], list[str]]
    severity: Severity = "warning"


_FINGERPRINTS = (
    _Fingerprint("made uncorrelated (PCA)", "the test rows are in their axes", _scores),
    _Fingerprint("standardised", "the test rows are in their mean", _standardised),
    _Fingerprint("scaled by median and quartiles", "the test rows are in their quartiles", _robust),
    _Fingerprint("scaled to 0 and 1", "the test rows are in their extremes", _scaled),
    _Fingerprint("turned into ranks", "the test rows are in their order", _ranked),
    _Fingerprint("filled with their mean or median", "the test rows are in what was filled in", _filled),
)
_ENCODED = _Fingerprint(
    "encoded by the rate of the target",
    "the classes of the test rows are in their values",
    lambda _: [],
    "severe",
)


def _finding(fingerprint: _Fingerprint, names: list[str], context: AuditContext) -> Finding:
    message = f"{listed(names)} {fingerprint.treatment} over all rows before the split: {fingerprint.trace}"
    evidence: dict[str, Evidence] = {"columns": names, "prepared": fingerprint.treatment, "rows": _rows(context)}
    fix = f"give them as they were, they are prepared inside each fold; or leave them out: {ignoring(names[:3])}"
    leaky = (
        tuple(names) if fingerprint.severity == "severe" else ()
    )  # others are to be given as they were, not left out
    return Finding(check.code, fingerprint.severity, names[0], message, evidence, fix, leaky)


def _rows(context: AuditContext) -> int:
    table: Table = context.table if context.split_view is None else context.split_view.features
    return len(table)


def listed(names: Sequence[str]) -> str:
    """Names with their verb.

    >>> listed(["x"]), listed(["x", "y"]), listed(["x", "y", "z", "u"])
    ('x was', 'x and y were', 'x, y and 2 more were')
    """
    if len(names) == 1:
        return f"{names[0]} was"
    return (
        f"{names[0]}, {names[1]} and {len(names) - 2} more were"
        if len(names) > 2
        else f"{names[0]} and {names[1]} were"
    )


check = Check("A106", "columns that were prepared on all rows before the split", find)
