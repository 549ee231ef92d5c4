"""A001 and A005: what a run did with the rows that nothing may see. Counted while it ran, so there are no false alarms."""

from __future__ import annotations

from sortal.checks.context import AuditContext, RunCounts
from sortal.checks.finding import Check, Finding, NotApplicable

_NO_RUN = "nothing has been fitted yet"


def find_foreign(context: AuditContext) -> list[Finding] | NotApplicable:
    run_counts = context.run_counts
    if run_counts is None:
        return NotApplicable(_NO_RUN)
    if run_counts.leaked_rows == 0:
        return []
    message = (
        f"fits saw {run_counts.leaked_rows:,} rows that they must not see, in {run_counts.fits:,} fits: "
        "sealed rows, or those that the fit was judged by"
    )
    fix = "fit on the rows that are given to fit, and on nothing else; the scores of this run do not count"
    evidence = {"rows": run_counts.leaked_rows, "fits": run_counts.fits}
    return [Finding(foreign_check.code, "severe", None, message, evidence, fix)]


def find_looks(context: AuditContext) -> list[Finding] | NotApplicable:
    return NotApplicable(_NO_RUN) if context.run_counts is None else looks(context.run_counts)


def looks(run_counts: RunCounts) -> list[Finding]:
    """More than one look at the sealed test: what is learned from the first taints the second."""
    if run_counts.opens <= 1:
        return []
    message = f"the sealed test was opened {run_counts.opens:,} times: from the second look on its score is not blind"
    fix = "judge what was changed since the first look on fresh labelled rows: sortal evaluate MODEL DATA"
    return [Finding(looks_check.code, "warning", None, message, {"opens": run_counts.opens}, fix)]


foreign_check = Check("A001", "sealed rows that reached a fit", find_foreign, about="run")
looks_check = Check("A005", "more than one look at the test", find_looks, about="run")
