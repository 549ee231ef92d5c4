"""A203: the place of a row in the file tells its class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Finding, NotApplicable, Severity, brief, too_few
from sortal.checks.measures.power import auc

_LEAST_ROWS = 100
"""Chosen, not measured: the longer reach is 50 rows on each side."""
_REACHES = (2, 50)
"""Rows on each side: 2 see copies and series, 50 see drift and sorting. Chosen, not measured."""
_TELLING = 0.6
"""ROC-AUC. With it ten or so of 31 tables are named, all but one of which are ordered by their notes (decision
0016)."""
_CLEAR = 0.7
"""ROC-AUC of a warning. Chosen, not measured: half of the way from there to what A102 calls severe."""
_ERRORS = 6.0
"""Standard errors above chance. Chosen, not measured: rows near each other share neighbours, so errors are larger."""


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Guesses each row from the rows near it: 2 on each side (series, copies) and 50 (drift, sorting)."""
    table, codes = context.table, context.codes
    if len(codes) < _LEAST_ROWS:
        return too_few(f"{_LEAST_ROWS} rows")
    if table.schema.only("time") is not None:
        return NotApplicable("the rows are ordered by the time column already")
    if not context.ordered:
        return NotApplicable("the rows are files of a folder, which have no order of their own")
    ordered = codes[np.argsort(table.rows, kind="stable")]
    reach, area = neighbours_tell(ordered)
    if reach == 0:
        return []
    sizes = np.bincount(codes)
    runs = 1 + int((np.diff(ordered) != 0).sum())
    evidence = {"roc_auc": area, "rows_each_side": reach, "runs": runs}
    if runs <= 2 * np.count_nonzero(sizes):
        message = "the rows are sorted by class; parts and folds are drawn at random, so this does no harm here"
        fix = "make sure that no column counts the rows"
        return [Finding(check.code, "note", None, message, evidence, fix)]
    message = (
        f"the order of rows tells the class: the {2 * reach} rows around a row guess it with ROC-AUC {brief(area)}. "
        "Sorted, in the order of time, or rows of one group after another?"
    )
    fix = (
        "if the order is that of time or of groups, scores of a random split are too good: "
        "name the column with --time or --group"
    )
    severity: Severity = "warning" if area >= _CLEAR else "note"
    return [Finding(check.code, severity, None, message, evidence, fix)]


def neighbours_tell(ordered: NDArray[np.int64]) -> tuple[int, float]:
    """How many rows on each side guess a row's class, and with which ROC-AUC; 0 rows where none do beyond chance."""
    reach, area = max(((h, auc(ordered, _nearby(ordered, h))) for h in _REACHES), key=lambda pair: pair[1])
    main = int(np.bincount(ordered).max())
    chance = np.sqrt((1 / main + 1 / max(1, len(ordered) - main)) / 12)
    return (reach, area) if area >= max(_TELLING, 0.5 + _ERRORS * chance) else (0, area)


def _nearby(codes: NDArray[np.int64], reach: int) -> NDArray[np.float64]:
    """(n, K) class shares of the rows up to ``reach`` places before and after, without the row itself."""
    n, classes = len(codes), int(codes.max()) + 1
    first, last = np.maximum(np.arange(n) - reach, 0), np.minimum(np.arange(n) + reach, n - 1)
    shares = np.empty((n, classes))
    for c in range(classes):
        here = codes == c
        total = np.concatenate([[0], np.cumsum(here)])
        shares[:, c] = (total[last + 1] - total[first] - here) / (last - first)
    return shares


check = Check("A203", "an order of rows that tells the class", find)
