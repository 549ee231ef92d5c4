"""A101: a column that is the target under another name, or a part of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, brief, ignoring, too_few
from sortal.checks.measures.power import LEAST_ROWS, Power
from sortal.core.kinds import kind_of
from sortal.core.writing import percent

_EXPLAINED = 0.99
"""Share of the errors of guessing that a copy spares. On 31 tables all of 83 are found (decision 0016)."""
_EASY = 0.99
"""ROC-AUC of the other columns where a copy may be real, as they do as well. Chosen on the same tables (decision
0016)."""
_GROUP_LEVELS = 10
"""Levels of a column that tells persons. Chosen, not measured: fewer may as well be classes or places."""
_LEAST_RARE = 20
"""Rows outside the commonest value. Chosen, not measured: of fewer, all go by the class by chance."""


def copies(powers: Sequence[Power], codes: NDArray[np.int64]) -> list[Power]:
    """The columns that alone spare 99 % of the errors of always guessing the commonest class.

    This share is Goodman and Kruskal's lambda, here on rows not used to find the classes of the values.
    """
    guess = 1 - np.bincount(codes).max() / len(codes)
    return [power for power in powers if guess > 0 and power.error <= (1 - _EXPLAINED) * guess]


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Columns whose values tell the class, and with three classes or more those that the class tells: groups of it."""
    if len(context) < LEAST_ROWS:
        return too_few(f"{LEAST_ROWS} rows")
    copy_powers = copies(context.powers, context.codes)
    coarse = [power for power in context.powers if power not in copy_powers and _groups_classes(context, power.column)]
    if not copy_powers and not coarse:
        return []
    rest = context.reach([power.column for power in [*copy_powers, *coarse]])
    easy = rest >= _EASY or len(copy_powers) > max(2, len(context.powers) / 2)
    findings = [_finding(context, power, rest, easy) for power in copy_powers]
    return findings + [_coarse(context, power, rest) for power in coarse]


def _groups_classes(context: AuditContext, name: str) -> bool:
    """Fewer values than classes, and all but 1 % of what is not the commonest value goes by the class."""
    values, classes = context.table[name], len(np.unique(context.codes))
    if classes < 3 or values.n_unique() >= classes:
        return False
    place = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    n_classes = len(context.classes)
    counts = np.bincount(place * n_classes + context.codes, minlength=(int(place.max()) + 1) * n_classes)
    counts = counts.reshape(-1, n_classes)
    rare = len(context) - int(counts.sum(axis=1).max())
    strays = len(context) - int(counts.max(axis=0).sum())
    return rare >= _LEAST_RARE and strays <= (1 - _EXPLAINED) * rare


def _finding(context: AuditContext, power: Power, rest: float, easy: bool) -> Finding:
    name, levels = power.column, context.table[power.column].n_unique()
    easy = easy and levels > len(context.classes)
    guess = 1 - np.bincount(context.codes).max() / len(context)
    if levels <= len(context.classes):
        what = f"{name} is the target under another name"
    elif kind_of(context.table.schema[name].kind).categorical:
        what = f"each value of {name} belongs to one class"
    else:
        what = f"{name} gives the target away"
    others = f"the other columns together reach ROC-AUC {brief(rest)}"
    if easy:
        others = f"other columns do as well (ROC-AUC {brief(rest)} without such), so this may be real"
    evidence: dict[str, Evidence] = {
        "error": power.error,
        "guessing_error": float(guess),
        "roc_auc": power.auc,
        "roc_auc_rest": rest,
        "values": levels,
    }
    message = (
        f"{what}: alone it gets {percent(1 - power.error)} of new rows right, guessing {percent(1 - guess)}; {others}"
    )
    fix = f"leave it out if it is known only with the outcome: {ignoring([name])}"
    if _may_be_group(context.table[name], levels):
        fix += f"; if it says whose rows these are, keep them together: --group {shlex.quote(name)}"
    return Finding(check.code, "note" if easy else "severe", name, message, evidence, fix)


def _coarse(context: AuditContext, power: Power, rest: float) -> Finding:
    name, levels = power.column, context.table[power.column].n_unique()
    message = (
        f"{name} is the target in coarser groups: each class has one of its {levels} values; "
        f"the other columns together reach ROC-AUC {brief(rest)}"
    )
    evidence: dict[str, Evidence] = {"roc_auc": power.auc, "roc_auc_rest": rest, "values": levels}
    fix = f"leave it out if it is known only with the outcome: {ignoring([name])}"
    return Finding(check.code, "note" if rest >= _EASY else "severe", name, message, evidence, fix)


def _may_be_group(values: pl.Series, levels: int) -> bool:
    """Several levels of several rows, none of which is most of the table."""
    if values.dtype.is_temporal() or not _GROUP_LEVELS <= levels <= len(values) / 2:
        return False
    return int(values.alias("value").value_counts(sort=True, name="rows")["rows"][0]) <= len(values) / 2


check = Check("A101", "a column that is the target under another name", find)
