"""A301 and A302: columns with one value, or with one value almost everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, ignoring, too_few
from sortal.checks.measures.glance import at_a_glance
from sortal.core.arrays import Floats, Mask
from sortal.core.table import Table
from sortal.core.writing import listing

_LEAST_ROWS = 20
"""Chosen, not measured: of fewer rows a single one is a twentieth, and so not rare."""
_RARE_SHARE = 0.001
"""Share of rows that differ. Chosen, not measured: a test of some thousand rows holds a handful of them."""
_FEWEST = 2
"""Rows that may differ in any table. Chosen, not measured: two rows teach nothing."""
_ENOUGH = 50
"""Rows that differ and can be learned from in any table: as many as A304 asks of a class that is to be judged."""
_FIRST_LOOK = 10_000
"""Rows that are counted first, for speed: where enough of them differ, the rest need no count."""


def _others(table: Table) -> dict[str, int]:
    """How many rows hold another value of a feature than its most frequent one, where they may be few; missing counts
    as a value.

    All columns at once: of thousands, one at a time takes ten times as long.
    """
    names = [column.name for column in table.schema.features]
    varied = set(at_a_glance(table.frame[names], _varied))
    beginning = _rest(table.frame.head(_FIRST_LOOK), [name for name in names if name not in varied])
    if len(table) <= _FIRST_LOOK:
        return beginning
    return beginning | _rest(table.frame, [name for name, count in beginning.items() if count <= _ENOUGH])


def _varied(values: Floats) -> Mask:
    """(k,) columns with so many values that enough rows differ from any of them; NaN is none of them."""
    steps = np.diff(np.sort(values, axis=0), axis=0) > 0
    return np.asarray(steps.sum(axis=0) > _ENOUGH)


def _rest(frame: pl.DataFrame, names: Sequence[str]) -> dict[str, int]:
    if not names:
        return {}
    usual = frame[list(names)].select(pl.all().unique_counts().max())
    return {name: frame.height - count for name, count in usual.row(0, named=True).items()}


def find_constant(context: AuditContext) -> list[Finding] | NotApplicable:
    """One finding for all of them."""
    table = context.table
    names = [name for name, count in _others(table).items() if count == 0]
    if not names:
        return []
    descriptions = [f"{name} is {_always(table[name][0], context.disclosure.quotes(len(context)))}" for name in names]
    fix = f"nothing can be learnt from {'it' if len(names) == 1 else 'them'}: {ignoring(names)}"
    return [_finding(constant, names, listing(descriptions), {}, fix)]


def find_nearly(context: AuditContext) -> list[Finding] | NotApplicable:
    """Columns in which a thousandth of the rows (two at least, fifty at most) differ from the rest; one finding for all
    of them.
    """
    table, n = context.table, len(context)
    if n < _LEAST_ROWS:
        return too_few(f"{_LEAST_ROWS} rows")
    few = max(_FEWEST, min(_RARE_SHARE * n, _ENOUGH))
    others = {name: count for name, count in _others(table).items() if 0 < count <= few}
    if not others:
        return []
    descriptions = [
        f"{name} is {_usual(table[name], context.disclosure.quotes(n - count))} in all but {count} of {n:,} rows"
        for name, count in others.items()
    ]
    fix = f"leave {'it' if len(others) == 1 else 'them'} out: {ignoring(others)}"
    evidence: dict[str, Evidence] = {"others": list(others.values()), "rows": n}
    return [_finding(nearly, list(others), f"{listing(descriptions)}: too few to learn from", evidence, fix)]


def _finding(check: Check, names: list[str], message: str, evidence: Mapping[str, Evidence], fix: str) -> Finding:
    """About one column, or several."""
    if len(names) == 1:
        return Finding(check.code, "note", names[0], message, evidence, fix)
    return Finding(check.code, "note", None, message, {"columns": names, **evidence}, fix, tuple(names))


def _always(value: object, quoted: bool) -> str:
    return "always missing" if value is None else f"always {_text(value) if quoted else 'the same'}"


def _usual(values: pl.Series, quoted: bool) -> str:
    value = values.alias("value").value_counts(sort=True)["value"][0]
    return "missing" if value is None else _text(value) if quoted else "the same"


def _text(value: object, most: int = 40) -> str:
    text = f"{value:g}" if isinstance(value, float) else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= most else text[: most - 3] + "..."


constant = Check("A301", "a column with one value", find_constant)
nearly = Check("A302", "a column with one value almost everywhere", find_nearly)
