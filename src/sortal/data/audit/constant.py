"""A301 and A302: columns with one value, or with one value almost everywhere."""

from __future__ import annotations

import polars as pl

from sortal.core.frame import Table
from sortal.data.audit.case import Case
from sortal.data.audit.finding import Check, Finding, NotApplicable, ignoring

_LEAST_ROWS = 20
_RARE_SHARE = 0.001
_FEW, _ENOUGH = 2, 50
_FIRST_LOOK = 10_000


def _others(table: Table, name: str) -> int:
    """How many rows hold another value than the most frequent one; missing counts as a value."""
    values = table[name]
    beginning = values.head(_FIRST_LOOK)
    if len(values) > _FIRST_LOOK and _rest(beginning) > _ENOUGH:
        return _rest(beginning)
    return _rest(values)


def _rest(values: pl.Series) -> int:
    counts = _counts(values)["rows"]
    return int(counts.sum() - counts[0])


def _counts(values: pl.Series) -> pl.DataFrame:
    """``value`` and ``rows``, the most frequent value first."""
    return values.alias("value").value_counts(sort=True, name="rows")


def find_constant(case: Case) -> list[Finding] | NotApplicable:
    table, findings = case.table, []
    for column in table.schema.features:
        if _others(table, column.name) == 0:
            value = table[column.name][0]
            what = "is always missing" if value is None else f"is always {_shown(value)}"
            fix = f"nothing can be learnt from it: {ignoring([column.name])}"
            findings.append(Finding(constant.code, "note", column.name, f"{column.name} {what}", {}, fix))
    return findings


def find_nearly(case: Case) -> list[Finding] | NotApplicable:
    """Columns in which a thousandth of the rows (two at least, fifty at most) differ from the rest."""
    table, n = case.table, len(case)
    if n < _LEAST_ROWS:
        return NotApplicable(f"fewer than {_LEAST_ROWS} rows")
    few = max(_FEW, min(_RARE_SHARE * n, _ENOUGH))
    findings = []
    for column in table.schema.features:
        others = _others(table, column.name)
        if 0 < others <= few:
            value = _counts(table[column.name])["value"][0]
            what = "missing" if value is None else _shown(value)
            message = f"{column.name} is {what} in all but {others} of {n:,} rows: too few to learn from"
            evidence = {"others": others, "rows": n}
            fix = f"leave it out: {ignoring([column.name])}"
            findings.append(Finding(nearly.code, "note", column.name, message, evidence, fix))
    return findings


def _shown(value: object, most: int = 40) -> str:
    text = f"{value:g}" if isinstance(value, float) else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= most else text[: most - 3] + "..."


constant = Check("A301", "a column with one value", find_constant)
nearly = Check("A302", "a column with one value almost everywhere", find_nearly)
