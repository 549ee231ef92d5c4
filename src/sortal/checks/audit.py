"""What is wrong with the data, before any training. A finding is data: code, severity, column, message, figures.

    A0xx  broken promises: counted, never guessed
        A001  sealed rows that reached a fit
        A002  exact copies of rows across parts
        A003  groups across parts
        A004  rows to train on that are newer than held-out rows
        A005  more than one look at the test
    A1xx  leaks: a column says what nobody could know
        A101  a column that is the target under another name
        A102  missing values that tell the target
        A103  a value that comes with one class only
        A104  a column that predicts alone what the others cannot
        A105  a name, path or id of the rows that tells the class
        A106  columns that were prepared on all rows before the split
    A2xx  structure across rows
        A201  exact copies of rows
        A202  the same features with different labels
        A203  an order of rows that tells the class
        A204  rows that differ by next to nothing
        A205  a column that says whose rows these are
        A206  rows that follow each other in time
        A207  parts that can be told apart
        A208  labels that look wrong
        A209  images whose size, shape or format tells the class
        A210  names of images that say whose they are
    A3xx  hygiene
        A301  a column with one value
        A302  a column with one value almost everywhere
        A303  a column that names the rows
        A304  a class with few rows
        A305  a column in two units, codes or spellings

Every check is an entry point of the group ``sortal.checks``, named by its code; a plug-in adds its own in the same way.
A001 and A005 are none: they judge what a run counted, after it, and need no data (``run_counts``).

Each threshold says where it comes from; decisions are pages of docs/decisions.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sortal.checks.context import AuditContext, SplitView
from sortal.checks.finding import SEVERITIES, Check, Finding, NotApplicable, Severity, unquoted
from sortal.core import registry
from sortal.core.interrupt import TimeUp, interrupted_after

__all__ = [
    "Audit",
    "AuditContext",
    "Check",
    "Finding",
    "NotApplicable",
    "Severity",
    "SkippedCheck",
    "SplitView",
    "audit",
    "run",
]


NO_TIME = NotApplicable("no time left", blind=True, timed_out=True)
GROUPS = "0312"
"""In which order the hundreds of codes are gone through: what is counted is quick, what is guessed takes longer."""
COUNTED = ("A0", "A301", "A302", "A303", "A304")
"""Checks that count. The others fit small forests, and so need scikit-learn."""


@dataclass(frozen=True)
class SkippedCheck:
    """A check that was not made, or had nothing to look at, and why. ``blind``: there may be something all the same.

    ``timed_out``: there was no time for it.
    """

    code: str
    title: str
    reason: str
    blind: bool = False
    timed_out: bool = False


@dataclass(frozen=True)
class Audit:
    """What was found, the most severe first, and what was not applicable."""

    findings: tuple[Finding, ...]
    skipped: tuple[SkippedCheck, ...]

    @property
    def timed_out(self) -> tuple[SkippedCheck, ...]:
        """The checks for which there was no time."""
        return tuple(skip for skip in self.skipped if skip.timed_out)


def audit(
    context: AuditContext,
    *,
    seconds: float = math.inf,
    guesses: bool = True,
    without: Sequence[str] | None = None,
) -> Audit:
    """All registered checks. Give it rows to train on only: what is found may be acted upon.

    After so many ``seconds`` no check begins, and one at work is cut short; the quickest come first. ``guesses``:
    whether there is time for those that fit something, too. ``without``: codes of those that an earlier run had no time
    for, so that it is repeated whatever the clock says.
    """
    checks: list[Check] = [registry.load("sortal.checks", name) for name in registry.names("sortal.checks")]
    by_cost = sorted(checks, key=lambda c: (GROUPS.find(c.code[1]), c.code))
    if without is not None:
        return run(by_cost, context, without=without)
    if guesses and math.isfinite(seconds):
        import sklearn.ensemble  # noqa: F401 - takes a second or two, and training needs it anyway
    return run(by_cost, context, seconds, [c.code for c in by_cost if not guesses and not c.code.startswith(COUNTED)])


def run(
    checks: Iterable[Check], context: AuditContext, seconds: float = math.inf, without: Sequence[str] = ()
) -> Audit:
    """These checks, one after another."""
    findings: list[Finding] = []
    skipped: list[SkippedCheck] = []
    start = time.monotonic()
    for check in checks:
        seconds_left = seconds - (time.monotonic() - start)
        timed_out = check.code in without or seconds_left <= 0
        outcome = NO_TIME if timed_out else _within(seconds_left, check, context)
        if isinstance(outcome, NotApplicable):
            skipped.append(SkippedCheck(check.code, check.title, outcome.reason, outcome.blind, outcome.timed_out))
        else:
            weighed = [_weighed(finding, context) for finding in outcome]
            findings += (
                [unquoted(finding, check.title) for finding in weighed] if context.disclosure.private else weighed
            )
    findings.sort(key=lambda finding: (SEVERITIES.index(finding.severity), finding.code))
    return Audit(tuple(findings), tuple(sorted(skipped, key=lambda skip: skip.code)))


def _within(seconds: float, check: Check, context: AuditContext) -> Sequence[Finding] | NotApplicable:
    try:
        with interrupted_after(seconds):
            return check.find(context)
    except TimeUp:
        return NO_TIME


def _weighed(finding: Finding, context: AuditContext) -> Finding:
    """A finding about suspicious columns, with the score of all features with and without them."""
    if finding.severity == "note" or not finding.code.startswith("A1"):
        return finding
    features = {power.column for power in context.powers}
    suspects = [name for name in finding.columns if name in features]
    if not suspects:
        return finding
    scores = {"roc_auc_with": context.reach(), "roc_auc_without": context.reach(suspects)}
    return replace(finding, evidence={**finding.evidence, **scores})
