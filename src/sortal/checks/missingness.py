"""A102: whether a value is there tells the target, as when it is filled in only after the outcome."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, Severity, ignoring, too_few
from sortal.checks.measures.power import LEAST_ROWS, auc
from sortal.checks.measures.purity import purity
from sortal.core.writing import percent

_SEVERE = 0.8
"""ROC-AUC of missingness. Chosen on the tables of decision 0016."""
_STRONG = 0.7
"""ROC-AUC of a warning. Chosen on the tables of decision 0016: 98 % of such leaks are found, some by A104."""
_LEAST_SIDE = 20
"""Rows. Chosen, not measured: fewer are of one class too easily."""
_CHANCE = 20.0
"""Nats: once in 500 million by chance for one column, so that thousands of columns do not matter."""


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Severe from ROC-AUC .8 of the missingness alone, warning from .7, or where one side has nearly one class only.

    Columns that are missing in the same rows are one finding.
    """
    if len(context) < LEAST_ROWS:
        return too_few(f"{LEAST_ROWS} rows")
    patterns = _patterns(context)
    if not patterns:
        return NotApplicable("no column is missing in some rows only")
    findings = [_judge(context, names) for names in patterns]
    return [finding for finding in findings if finding is not None]


def telling(context: AuditContext) -> set[str]:
    """The columns with a severe finding, for other checks to leave aside."""
    pairs = ((names, _judge(context, names)) for names in _patterns(context))
    return {name for names, finding in pairs if finding is not None and finding.severity == "severe" for name in names}


def _patterns(context: AuditContext) -> list[list[str]]:
    """Columns that are missing in some rows, those of the same rows together."""
    table = context.table
    patterns: dict[bytes, list[str]] = {}
    for column in table.schema.features:
        values = table[column.name]
        if 0 < values.null_count() < len(table):
            patterns.setdefault(np.packbits(values.is_null().to_numpy()).tobytes(), []).append(column.name)
    return list(patterns.values())


def _judge(context: AuditContext, names: list[str]) -> Finding | None:
    codes, classes = context.codes, context.classes
    missing = context.table[names[0]].is_null().to_numpy().astype(np.int64)
    counts = np.bincount(missing * len(classes) + codes, minlength=2 * len(classes)).reshape(2, -1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    base = counts.sum(axis=0) / len(codes)
    area = auc(codes, shares[missing])
    if len(codes) * _information(counts) < _CHANCE or (area < _STRONG and not _one_sided(counts, base)):
        return None
    telling = int(np.abs(shares[0] - shares[1]).argmax())
    there, absent = (percent(float(shares[side, telling])) for side in (0, 1))
    who, verb = (names[0], "is") if len(names) == 1 else (f"{names[0]} and {len(names) - 1} more", "are")
    message = (
        f"{who} {verb} missing in {percent(float(missing.mean()))} of the rows, and that tells the target: "
        f"{classes[telling]!r} is {absent} where missing, {there} elsewhere. Filled in only afterwards?"
    )
    evidence: dict[str, Evidence] = {
        "roc_auc": area,
        "missing": float(missing.mean()),
        "class": classes[telling],
        "share_missing": float(shares[1, telling]),
        "share_present": float(shares[0, telling]),
        "columns": names,
    }
    severity: Severity = "severe" if area >= _SEVERE else "warning"
    fix = f"leave out what is filled in only after the outcome: {ignoring(names)}"
    return Finding(check.code, severity, names[0], message, evidence, fix, tuple(names))


def _information(counts: NDArray[np.int64]) -> float:
    """Mutual information of a table of counts, in nats; n times it is half of the G statistic."""
    joint = counts / counts.sum()
    independent = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    positive = joint > 0
    return float((joint[positive] * np.log(joint[positive] / independent[positive])).sum())


def _one_sided(counts: NDArray[np.int64], base: NDArray[np.float64]) -> bool:
    """One side holds a class almost only, and not because the class is most of the table or the side is small."""
    return any(
        purity(count, int(side.sum()), share, _CHANCE)
        for side in counts
        if side.sum() >= _LEAST_SIDE
        for count, share in zip(side.tolist(), base.tolist(), strict=True)
    )


check = Check("A102", "missing values that tell the target", find)
