"""A001 and A005: what a run did with the rows that nothing may see. Counted while it ran, so there are no false alarms."""

from __future__ import annotations

from sortal.data.audit.case import Case, History
from sortal.data.audit.finding import Check, Finding, NotApplicable

_NO_RUN = "nothing has been fitted yet"


def find_foreign(case: Case) -> list[Finding] | NotApplicable:
    history = case.history
    if history is None:
        return NotApplicable(_NO_RUN)
    if history.foreign_rows == 0:
        return []
    message = (
        f"fits saw {history.foreign_rows:,} rows that they must not see, in {history.fits:,} fits: "
        "sealed rows, or those that the fit was judged by"
    )
    fix = "fit on the rows that are given to fit, and on nothing else; the scores of this run do not count"
    evidence = {"rows": history.foreign_rows, "fits": history.fits}
    return [Finding(foreign_check.code, "severe", None, message, evidence, fix)]


def find_looks(case: Case) -> list[Finding] | NotApplicable:
    return NotApplicable(_NO_RUN) if case.history is None else looks(case.history)


def looks(history: History) -> list[Finding]:
    """More than one look at the sealed test: what is learned from the first taints the second."""
    if history.opens <= 1:
        return []
    message = f"the sealed test was opened {history.opens:,} times: from the second look on its score is not blind"
    fix = "judge what was changed since the first look on fresh labelled rows: sortal evaluate MODEL DATA"
    return [Finding(looks_check.code, "warning", None, message, {"opens": history.opens}, fix)]


foreign_check = Check("A001", "sealed rows that reached a fit", find_foreign, about="run")
looks_check = Check("A005", "more than one look at the test", find_looks, about="run")
