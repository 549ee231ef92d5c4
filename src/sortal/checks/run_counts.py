"""A001 and A005: what a run did with the rows that nothing may see. Counted while it ran, so there are no false
alarms."""

from __future__ import annotations

from dataclasses import dataclass

from sortal.checks.finding import Finding

LEAKED, REOPENED = "A001", "A005"
"""The codes of sealed rows that reached a fit, and of more than one look at the test."""


@dataclass(frozen=True)
class RunCounts:
    """What a run counted: fits, rows that a fit saw and must not have seen, and looks at the sealed test."""

    fits: int
    leaked_rows: int
    opens: int


def run_findings(counts: RunCounts) -> tuple[Finding, ...]:
    """What the counts of a run say against it, the most severe first.

    >>> [(finding.code, finding.severity) for finding in run_findings(RunCounts(fits=3, leaked_rows=7, opens=2))]
    [('A001', 'severe'), ('A005', 'warning')]
    """
    return (*_leaked(counts), *looks(counts.opens))


def _leaked(counts: RunCounts) -> tuple[Finding, ...]:
    if counts.leaked_rows == 0:
        return ()
    message = (
        f"fits saw {counts.leaked_rows:,} rows that they must not see, in {counts.fits:,} fits: "
        "sealed rows, or those that the fit was judged by"
    )
    fix = "fit on the rows that are given to fit, and on nothing else; the scores of this run do not count"
    evidence = {"rows": counts.leaked_rows, "fits": counts.fits}
    return (Finding(LEAKED, "severe", None, message, evidence, fix),)


def looks(opens: int) -> tuple[Finding, ...]:
    """More than one look at the sealed test: what is learned from the first taints the second."""
    if opens <= 1:
        return ()
    message = f"the sealed test was opened {opens:,} times: from the second look on its score is not blind"
    fix = "judge what was changed since the first look on fresh labelled rows: sortal evaluate MODEL DATA"
    return (Finding(REOPENED, "warning", None, message, {"opens": opens}, fix),)
