"""A304: classes with too few rows to learn, or to say how well they were learnt."""

from __future__ import annotations

import numpy as np

from sortal.data.audit.case import Case
from sortal.data.audit.finding import Check, Finding, NotApplicable, Severity

_LEARN, _JUDGE = 10, 50


def find(case: Case) -> list[Finding] | NotApplicable:
    """A warning below 10 rows (two in each of five folds), a note below 50."""
    findings = []
    for label, size in zip(case.classes, np.bincount(case.codes, minlength=len(case.classes)).tolist(), strict=True):
        if size >= _JUDGE:
            continue
        severity: Severity = "warning" if size < _LEARN else "note"
        rows = f"class {label!r} has {size} row{'' if size == 1 else 's'} to train on"
        if size < _LEARN:
            message = f"{rows}: too few to learn it, or to say how well it was learnt"
        else:
            width = 1.96 * np.sqrt(0.25 / size)
            message = f"{rows}: its recall will be known to about +-{100 * width:.0f} % only"
        fix = "collect more of it, join it with a class that is treated alike, or leave these rows out"
        findings.append(Finding(check.code, severity, None, message, {"class": label, "rows": size}, fix))
    return findings


check = Check("A304", "a class with few rows", find)
