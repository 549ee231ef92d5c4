"""A103: a value that occurs with one class almost only, where the other columns do not see it coming."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, Severity, ignoring, too_few
from sortal.checks.measures.power import LEAST_ROWS, sampled
from sortal.checks.measures.purity import evidence, purity
from sortal.checks.missingness import telling
from sortal.checks.target_copy import copies
from sortal.core.kinds import kind_of
from sortal.core.table import Table
from sortal.core.writing import percent

_ROWS = 20_000
"""For speed."""
_LEAST_EVENT = 20
"""Rows with the value. Chosen, not measured: fewer are pure too easily, and matter little."""
_LEAST_FOREST = 10
"""Of those, rows in the forest's sample. Chosen, not measured: fewer do not tell what the others expect."""
_CHANCE = 1e-4
"""Probability over all values, classes and columns of a table (decision 0016)."""
_FEW_NUMBERS = 20
"""Distinct numbers that are levels. Chosen, not measured: codes and grades have fewer."""
_SPIKE = 0.05
"""Share of the commonest value. Chosen, not measured: a default such as 0 is in at least so many rows."""
_LEAST_SUSPECTS = 2
"""Chosen, not measured: one leak often comes with a twin."""
_MOST_SUSPECTS = 5
"""For speed, and since the others must be left with something to say."""
_SUSPECT_SHARE = 1 / 4
"""Share of the columns. Chosen, not measured: without more the others could not say what is to be expected."""
_COMMON = 0.8
"""Share that the others may expect. Three quarters passed over a true leak of 300 rows (lesion, .78; decision 0016)."""
_NATS = 5.0
"""Evidence against what the others expect: once in 150 times by chance. Chosen on the tables of decision 0016."""
_SEVERE = 0.5
"""Share of the class that has the value. Chosen on the tables of decision 0016."""
_WARNED = 0.1
"""Share of the class: rarer values were warnings once, and mostly honest (decision 0016)."""


@dataclass(frozen=True)
class _Event:
    """Rows where ``column`` holds one of ``values``, or with ``other`` any value but these; never missing.

    ``rows`` of the sample, ``count`` of which have class ``code``, as in ``share`` of the rows where the column is
    filled in and in ``recall`` of the class.
    """

    column: str
    values: tuple[object, ...]
    other: bool
    code: int
    rows: int
    count: int
    share: float
    recall: float

    @property
    def nats(self) -> float:
        return evidence(self.count, self.rows, self.share)

    def holds(self, table: Table) -> NDArray[np.bool_]:
        values = table[self.column]
        inside = values.is_in(pl.Series(list(self.values), dtype=values.dtype).implode())
        rows: NDArray[np.bool_] = (
            ((~inside if self.other else inside) & values.is_not_null()).fill_null(False).to_numpy()
        )
        return rows


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Values, and all but the commonest value ("above 0"), that belong to one class almost only.

    Chance is excluded over all values, classes and columns. An honest value may be as pure; then the other columns tell
    the class of these rows too, so only what surprises them is found. Severe: half of the class has it; warning: a
    tenth. Columns that A101 or A102 found are left aside.
    """
    if len(context) < LEAST_ROWS:
        return too_few(f"{LEAST_ROWS} rows")
    aside = {power.column for power in copies(context.powers, context.codes)} | telling(context)
    names = [name for name in context.shortlist if name not in aside]
    table, codes = sampled(context.table, context.codes, _ROWS, context.seed)
    events = [event for name in names if (event := _purest(table, codes, name, len(names))) is not None]
    if not events:
        return []
    events.sort(key=lambda event: -event.nats)
    suspects = events[: max(_LEAST_SUSPECTS, min(_MOST_SUSPECTS, int(_SUSPECT_SHARE * len(names))))]
    rest = context.multivariate([*aside, *(event.column for event in suspects)])
    findings = []
    for event in suspects:
        there = event.holds(rest.table)
        rows, count = int(there.sum()), int((rest.codes[there] == event.code).sum())
        expected = float(rest.probability[there, event.code].mean()) if rows else 1.0
        if rows >= _LEAST_FOREST and purity(count, rows, expected, _NATS, _COMMON):
            findings.append(_finding(context, event, expected, len(table)))
    return findings


def _purest(table: Table, codes: NDArray[np.int64], name: str, columns: int) -> _Event | None:
    """What says most of this column's values, if anything does beyond chance."""
    values = table[name]
    place = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    classes = int(codes.max()) + 1
    counts = np.bincount(place * classes + codes, minlength=(int(place.max()) + 1) * classes).reshape(-1, classes)[1:]
    if len(counts) < 2:
        return None
    nats = math.log(columns * classes * (len(counts) + 1) / _CHANCE)
    listed = values.dtype in (pl.String, pl.Boolean) or len(counts) <= _FEW_NUMBERS
    distinct, events = values.drop_nulls().unique().sort(), []
    for code in range(classes):
        for choice, other in _choices(counts, code, nats, listed):
            inside = np.setdiff1d(np.arange(len(counts)), choice) if other else choice
            rows, (count, total) = (
                int(counts[inside].sum()),
                (int(part[:, code].sum()) for part in (counts[inside], counts)),
            )
            share = total / int(counts.sum())
            if rows >= _LEAST_EVENT and purity(count, rows, share, nats, _COMMON):
                chosen_values = tuple(distinct[choice].to_list())
                events.append(_Event(name, chosen_values, other, code, rows, count, share, count / total))
    return max(events, key=lambda event: event.nats, default=None)


def _choices(
    counts: NDArray[np.int64], code: int, nats: float, listed: bool
) -> Iterator[tuple[NDArray[np.int64], bool]]:
    """Sets of values (rows of ``counts``) that might be pure, and whether all others are meant.

    The commonest value, all others, and where values are few or have no order those that are pure each on its own.
    """
    sizes, share = counts.sum(axis=1), float(counts[:, code].sum() / counts.sum())
    spike = np.array([sizes.argmax()])
    if sizes[spike[0]] >= _SPIKE * sizes.sum():
        yield spike, False
        yield spike, True
    if listed:
        pure = [
            i
            for i in np.flatnonzero(sizes >= _LEAST_EVENT)
            if purity(int(counts[i, code]), int(sizes[i]), share, nats, _COMMON)
        ]
        if pure:
            yield np.array(pure), False


def _finding(context: AuditContext, event: _Event, expected: float, rows: int) -> Finding:
    label, name, pure = context.classes[event.code], event.column, event.count / event.rows
    values = _quotable(context, event)
    message = (
        f"{name} is {_in_words(context.table, event, values)} in {percent(event.rows / rows)} of the rows, and "
        f"{percent(pure)} of these are "
        f"{label!r} ({percent(event.share)} where it is filled in); the other columns expect {percent(expected)}. "
        "Written down only afterwards?"
    )
    figures: dict[str, Evidence] = {
        "class": label,
        "rows": event.rows,
        "share": pure,
        "share_present": event.share,
        "share_expected": expected,
        "share_of_class": event.recall,
        "values": [str(value) for value in values[:20]],
    }
    severity: Severity = "severe" if event.recall >= _SEVERE else "warning" if event.recall >= _WARNED else "note"
    fix = f"leave it out if it is known only after the outcome: {ignoring([name])}"
    return Finding(check.code, severity, name, message, figures, fix)


def _quotable(context: AuditContext, event: _Event) -> tuple[object, ...]:
    """The values of the event that enough rows hold for them to be told."""
    counts = context.table[event.column].alias("value").value_counts(name="rows")
    rows = dict(counts.iter_rows())
    return tuple(value for value in event.values if context.disclosure.quotes(rows.get(value, 0)))


def _in_words(table: Table, event: _Event, values: Sequence[object]) -> str:
    """The event in words, by those of its ``values`` that may be told.

    >>> from sortal.core.schema import Column, Schema
    >>> table = Table(Schema((Column("x", "number"),)), pl.DataFrame({"x": [0.0, 2.0]}), np.arange(2))
    >>> event = _Event("x", (0.0,), True, 0, 1, 1, 0.5, 0.5)
    >>> _in_words(table, event, event.values), _in_words(table, event, ())
    ('above 0', 'not a certain value')
    """
    texts = [f"{v:g}" if isinstance(v, float) else repr(v) if isinstance(v, str) else str(v) for v in values]
    if not texts:
        return "not a certain value" if event.other else "a certain value"
    numeric = kind_of(table.schema[event.column].kind).storage == "number"
    if event.other and numeric and table[event.column].min() == event.values[0]:
        return f"above {texts[0]}"
    text = texts[0] if len(texts) == 1 else f"one of {', '.join(texts[:3])}{', ...' if len(texts) > 3 else ''}"
    return f"not {text}" if event.other else text


check = Check("A103", "a value that comes with one class only", find)
