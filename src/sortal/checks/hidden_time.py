"""A206: rows that follow each other in time, while the split is drawn at random."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, Severity, brief, too_few
from sortal.checks.measures.power import auc, held_out, ranks
from sortal.checks.order import neighbours_tell
from sortal.checks.target_copy import copies
from sortal.core.arrays import Ints
from sortal.core.kinds import kind_of
from sortal.data.split import holdout

_LEAST_ROWS = 200
"""Chosen, not measured: the newest quarter is then fifty rows."""
_LEAST_TIMES = 20
"""Distinct dates. Chosen, not measured: fewer are periods rather than an order."""
_LEAST_YEARS = 3
"""Distinct years and the like. Chosen, not measured: three can be cut into older ones and a newest."""
_KNOWN = 0.95
"""Share of rows with a time. Chosen, not measured: the others have no place in the order."""
_SAMPLE = 3_000
"""Rows, for speed: each order takes two to four small forests."""
_MOST_COLUMNS = 40
"""For speed: the best by themselves."""
_MOST_TRIED = 3
"""Orders, for speed: dates of one row say much the same."""
_NEWEST = 0.25
"""Share of rows. Chosen, not measured: about what people hold out for a test."""
_LEAST_OF_CLASS = 10
"""Rows on each side. Chosen, not measured: fewer tell no ROC-AUC."""
_DROP = 0.03
"""ROC-AUC. With it the check says nothing of the 31 public tables but of those that follow time (decision 0017)."""
_ERRORS = 4.0
"""Errors of the difference; the second half of the same rule (decision 0017)."""
_REPEATS = 3
"""Random parts to compare with: the least that have a deviation worth the name; each is a forest."""
_SORTED = 2.0
"""Times as frequent in the last quarter of a file. Chosen, not measured: beyond, it is sorted by class (A203)."""
_BIRTH = re.compile(r"dob|birth|born")
_MOMENT = re.compile(r"time|date|stamp|epoch|year|month|week|day|(?:^|[^a-z])ts(?:$|[^a-z])")
_SECONDS = ((3e8, 2.5e9), (3e11, 2.5e12))
"""From 1979 to 2049, in seconds and in milliseconds since 1970: most moments that tables tell of."""
_YEARS = (1900, 2100)
"""Years that most tables tell of. Chosen, not measured: whole numbers beyond are amounts."""


@dataclass(frozen=True)
class _Order:
    """(n,) ``moments`` of the rows by which they can be put in order; ``column`` is None for their place in the
    file.
    """

    column: str | None
    moments: Ints


@dataclass(frozen=True)
class _Drop:
    """ROC-AUC on random rows and on the newest, and how far they lie apart by chance."""

    random: float
    newest: float
    noise: float

    @property
    def value(self) -> float:
        return self.random - self.newest


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Trains on older rows and tests on the newest quarter, and compares with random parts of the same sizes.

    Times are dates (but of birth), seconds since 1970, and years; where there are none, the place in the file. A
    warning where a date or number costs 3 points of ROC-AUC beyond noise, or rows near in time tell the class; a note
    where the place in the file does, if classes are not just sorted (A203 says whether neighbours tell the class).
    """
    if len(context) < _LEAST_ROWS:
        return too_few(f"{_LEAST_ROWS} rows")
    if context.table.schema.only("time") is not None:
        return NotApplicable("the time column is known already")
    findings = []
    orders = list(_orders(context))[:_MOST_TRIED]
    if not orders and not context.ordered:
        return NotApplicable("no column of time, and files of a folder have no order of their own")
    for order in orders or [_Order(None, context.table.rows)]:
        drop = _drop(context, order)
        reach, area = (0, 0.5) if order.column is None else _neighbours(context, order)
        if drop is not None and drop.value >= max(_DROP, drop.noise):
            findings.append(_score_falls(order, drop))
        elif reach:
            findings.append(_neighbours_tell(order, reach, area))
    return sorted(findings, key=lambda finding: finding.severity != "warning")[:1]  # dates of one row say much the same


def _orders(context: AuditContext) -> Iterator[_Order]:
    """Columns that say when, dates first."""
    columns = [column for column in context.table.schema.columns if column.role in ("feature", "ignore")]
    for column in sorted(columns, key=lambda column: kind_of(column.kind).storage != "moment"):
        values, storage = context.values(column.name), kind_of(column.kind).storage
        if storage not in ("moment", "number") or values is None:
            continue
        if storage == "moment" and not values.dtype.is_temporal():
            continue
        if values.null_count() > (1 - _KNOWN) * len(values) or _BIRTH.search(column.name.lower()):
            continue
        if storage == "number" and not _is_time(column.name, values):
            continue
        moments = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
        least = _LEAST_TIMES if storage == "moment" else _LEAST_YEARS
        if moments.max() >= least:
            yield _Order(column.name, moments)


def _is_time(name: str, values: pl.Series) -> bool:
    """Whole numbers that are years or seconds (or milliseconds) since 1970, and are called so."""
    if not values.dtype.is_numeric() or not _MOMENT.search(name.lower()):
        return False
    numbers = values.drop_nulls().cast(pl.Float64).to_numpy()
    low, high = float(numbers.min()), float(numbers.max())
    if any(least <= low and high <= most for least, most in _SECONDS):
        return True
    return (
        _YEARS[0] <= low and high <= _YEARS[1] and "year" in name.lower() and bool((numbers == np.rint(numbers)).all())
    )


def _neighbours(context: AuditContext, order: _Order) -> tuple[int, float]:
    """Whether rows near in time tell the class; those of one moment are in random order."""
    shuffled = np.random.default_rng(context.seed).permutation(len(context))
    return neighbours_tell(context.codes[shuffled][np.argsort(order.moments[shuffled], kind="stable")])


def _drop(context: AuditContext, order: _Order) -> _Drop | None:
    """Without dates, which go on. None where nothing can be compared: a class lacks on one side, or (in a file) is
    sorted.
    """
    rng = np.random.default_rng(context.seed)
    rows = np.sort(rng.permutation(len(context))[:_SAMPLE])
    moments, codes = order.moments[rows], np.unique(context.codes[rows], return_inverse=True)[1]
    aside = {power.column for power in copies(context.powers, context.codes)}
    dates = {column.name for column in context.table.schema.features if kind_of(column.kind).storage == "moment"}
    names = [power.column for power in context.powers if power.column not in {order.column, *aside, *dates}]
    newest = _newest(moments)
    if not names or not _comparable(codes, newest, sorted_file=order.column is None):
        return None
    matrix = ranks(context.table.take(rows), names[:_MOST_COLUMNS])

    def reach(old: Ints, new: Ints) -> float:
        return auc(codes[new], held_out(matrix, codes, [(old, new)], context.seed)[new])

    by_time = reach(np.flatnonzero(~newest), np.flatnonzero(newest))
    at_random = [reach(*holdout(codes, newest.mean(), context.seed))]
    if at_random[0] - by_time < _DROP / 2:
        return None
    at_random += [reach(*holdout(codes, newest.mean(), context.seed + k)) for k in range(1, _REPEATS)]
    noise = max(float(np.std(at_random, ddof=1)), _sampling(by_time, codes[newest]))
    return _Drop(float(np.mean(at_random)), by_time, _ERRORS * noise)


def _newest(moments: Ints) -> NDArray[np.bool_]:
    """About the newest quarter, cut where the time changes."""
    ordered = np.sort(moments)
    changes = np.flatnonzero(np.diff(ordered)) + 1
    cut = changes[np.abs(changes - (1 - _NEWEST) * len(moments)).argmin()] if len(changes) else 0
    newest: NDArray[np.bool_] = moments >= ordered[cut]
    return newest


def _comparable(codes: Ints, newest: NDArray[np.bool_], sorted_file: bool) -> bool:
    """Two classes at least on both sides; in the order of a file no class may be much more frequent on one side."""
    if not 0.1 <= newest.mean() <= 0.5:
        return False
    classes = int(codes.max()) + 1
    old, new = (np.bincount(codes[side], minlength=classes) for side in (~newest, newest))
    if sorted_file:
        shares = (old + 1) / (old + 1).sum(), (new + 1) / (new + 1).sum()
        if np.abs(np.log(shares[0] / shares[1])).max() > np.log(_SORTED):
            return False
    return ((old >= _LEAST_OF_CLASS) & (new >= _LEAST_OF_CLASS)).sum() >= min(2, classes) and classes > 1


def _sampling(area: float, codes: Ints) -> float:
    """About the standard error of a ROC-AUC on these rows."""
    sizes = np.sort(np.bincount(codes))
    return float(np.sqrt(area * (1 - area) / (3 * max(1, len(codes) - int(sizes[-1])))))


def _score_falls(order: _Order, drop: _Drop) -> Finding:
    evidence: dict[str, Evidence] = {
        "roc_auc_random": drop.random,
        "roc_auc_newest": drop.newest,
        "drop": drop.value,
        "noise": drop.noise,
    }
    figures = f"ROC-AUC {brief(drop.newest)}, on as many random rows {brief(drop.random)}"
    if order.column is None:
        message = f"the last quarter of the file is another world: a quick model of the rest reaches {figures}"
        fix = "if the rows are in the order of time, add a column that says when, and name it with --time"
        return Finding(check.code, "note", None, message, evidence, fix)
    message = (
        f"what was learnt ages: trained on older rows by {order.column}, a quick model reaches {figures} on the newest"
    )
    return Finding(check.code, "warning", order.column, message, evidence, _fix(order.column))


def _neighbours_tell(order: _Order, reach: int, area: float) -> Finding:
    assert order.column is not None
    message = (
        f"rows near in {order.column} have the same class: the {2 * reach} rows around a row guess it with ROC-AUC "
        f"{brief(area)}, which those of the past cannot do for new rows"
    )
    severity: Severity = "warning" if area >= 0.7 else "note"
    evidence: dict[str, Evidence] = {"roc_auc_neighbours": area, "rows_each_side": reach}
    return Finding(check.code, severity, order.column, message, evidence, _fix(order.column))


def _fix(name: str) -> str:
    return f"if the model is to score rows of the future, test it on the newest: --time {shlex.quote(name)}"


check = Check("A206", "rows that follow each other in time", find)
