"""The second half of the checklist: the common traps of classification. Each function judges one item."""

from __future__ import annotations

from collections.abc import Sequence

from sortal.checks.audit import Finding
from sortal.checks.run_counts import LEAKED, REOPENED
from sortal.record.facts import UNSEEN, Facts, Verdict, agreement
from sortal.record.run import Outcome
from sortal.record.wording import count_of, listing, metric, percent, plain, times

SHARE_TOLERANCE = 0.005
"""A class share of a stratified part may differ by this much (or by two rows): rare classes, and duplicates
that must stay together, cannot be parted exactly."""
SHARED = ("A002", "A003", "A004", "A203", "A204", "A205", "A206", "A210")
"""Checks of the audit by which rows, groups or time could be on both sides of a split."""
OUTCOME = ("A101", "A102", "A103", "A104", "A105")
"""Those of columns that say what is known only after the outcome."""
PREPARED, ALIKE = (LEAKED, "A106"), ("A207",)
"""Those of rows or columns that a fit must not have seen, and of parts that should be alike."""
SAID = 2
"""So many of the test's shortfalls are told in the checklist; the screen and the report begin with all of them."""


def train_only(outcome: Outcome, facts: Facts) -> Verdict:
    # How many fits there were depends on what the clock let begin; the evidence goes into the model file, which does
    # not.
    if facts.fits == 0:
        return False, "no fit was watched"
    leaked = next((finding.evidence["rows"] for finding in outcome.audit if finding.code == LEAKED), 0)
    assert isinstance(leaked, int)
    text = f"all fits together saw {count_of(leaked, 'row')} that they should not have seen"
    if leaked:
        return False, text
    holds, why = _audited(outcome, PREPARED, "columns prepared on all rows before the split")
    return holds, f"{text}; {why}"


def stratified(outcome: Outcome, facts: Facts) -> Verdict:
    split = outcome.split
    if split.column is not None:
        return None, f"the test is parted: {split.how}"
    if split.outer:
        return None, f"no row is set apart: {split.how}"
    if split.test == 0 or len(split.prevalence) < 2:
        return False, "class shares of the parts are not known"
    shares = list(split.prevalence.values())
    gap = max(max(share) - min(share) for share in zip(*shares, strict=True))
    holds = gap <= max(SHARE_TOLERANCE, 2 / min(n for n in (split.train, split.valid, split.test) if n))
    text = (
        f"class shares of {listing(list(split.prevalence))} differ by "
        f"{'less than 0.1 %' if gap < 0.001 else f'at most {percent(gap)}'}"
    )
    if not holds or not (findings := _listed(outcome, ALIKE)):
        return holds, text
    return False, f"{text}; {findings}"


def accuracy(outcome: Outcome, facts: Facts) -> Verdict:
    task = outcome.task
    if not task.imbalanced:
        return None, f"the smallest class has {percent(min(task.prevalence))}"
    first = task.headline[0] if task.headline else task.metric
    trivial = f"always saying the largest class is right in {percent(max(task.prevalence))}"
    return "accuracy" not in (
        task.metric,
        first,
    ), f"{trivial}; headline {metric(first)}, selected by {metric(task.metric)}"


def label_order(outcome: Outcome, facts: Facts) -> Verdict:
    if facts.saved is None:
        return False, "no model was saved"
    parity, classes = facts.saved.parity, outcome.task.classes
    order = listing([plain(c) for c in facts.saved.classes], most=4)
    tables = (facts.saved.classes, outcome.confusion.classes if outcome.confusion else classes)
    holds = all(labels == classes for labels in tables) and parity.label_flips == 0
    return holds, f"in the model file: {order}; {agreement(parity)}"


def opened_once(outcome: Outcome, facts: Facts) -> Verdict:
    ledger = outcome.ledger
    chain = f"hash chain {'verified' if facts.ledger_intact else 'BROKEN'}"
    if outcome.split.outer:
        return None, f"nothing was sealed: {outcome.split.how}"
    if ledger.opens == 0:
        return (None if facts.ledger_intact else False), f"not opened yet; {chain}"
    return (
        facts.ledger_intact and not any(finding.code == REOPENED for finding in outcome.audit),
        f"opened {times(ledger.opens)}; {chain}",
    )


def as_promised(outcome: Outcome, facts: Facts) -> Verdict:
    verification = outcome.verification
    if verification is None:
        return None, "there is no test" if outcome.split.outer else "the test was not opened"
    if verification.warnings:
        more = f"; and {len(verification.warnings) - SAID} more" if len(verification.warnings) > SAID else ""
        return False, "; ".join(verification.warnings[:SAID]) + more
    promises = [promise for promise in verification.promises if promise.standing != "unknown"]
    if not promises:
        return UNSEEN, "no figure of the test has an interval, or none was promised"
    names = listing([metric(promise.metric) for promise in promises], most=6)
    beside = (
        f"; the rule costs no more than {' or '.join(r.name for r in verification.rivals)}"
        if verification.rivals
        else ""
    )
    doubts = f"; {'; '.join(doubts)}" if (doubts := [n for n in verification.notes if n.endswith("chance")]) else ""
    return True, f"{names} as promised, on {count_of(verification.rows, 'row')}{beside}{doubts}"


def apart(outcome: Outcome, facts: Facts) -> Verdict:
    return _audited(outcome, SHARED, "rows, groups or time on both sides of the split")


def no_future(outcome: Outcome, facts: Facts) -> Verdict:
    holds, why = _audited(outcome, OUTCOME, "columns that tell the outcome")
    if holds is True:
        n_features = sum(column.role == "feature" for column in outcome.columns)
        return True, f"{why} among {count_of(n_features, 'feature')}"
    return holds, f"{why}: if it is known only afterwards, --ignore it" if holds is False else why


def sound(outcome: Outcome, facts: Facts) -> Verdict:
    elsewhere = {*SHARED, *OUTCOME, *PREPARED, *ALIKE}
    severe = [f for f in outcome.audit if f.severity == "severe" and f.code not in elsewhere]
    if severe:
        return False, "; ".join(f"{f.code} {plain(f.message)}" for f in severe)
    others = [f for f in outcome.audit if f.code not in elsewhere]
    codes = f" ({_codes(others)})" if others else ""
    return True, f"{count_of(len(others), 'other finding')}{codes}, none of them severe"


def _audited(outcome: Outcome, codes: tuple[str, ...], what: str) -> Verdict:
    """What these checks of the audit say: a warning is no proof of the opposite, and a check that could not look proves
    nothing.
    """
    if findings := _listed(outcome, codes):
        return False, findings
    blind = [skip for skip in outcome.audit_skipped if skip.code in codes and skip.blind]
    if blind:
        reasons = dict.fromkeys(skip.reason for skip in blind)
        return UNSEEN, f"{listing([skip.code for skip in blind])} did not look for {what} ({', '.join(reasons)})"
    notes = [f for f in outcome.audit if f.code in codes]
    return True, f"no {what}" + (f" but {count_of(len(notes), 'note')} ({_codes(notes)})" if notes else "")


def _listed(outcome: Outcome, codes: tuple[str, ...]) -> str:
    """The severe findings and warnings of these checks, empty where there are none."""
    findings = [f for f in outcome.audit if f.code in codes and f.severity != "note"]
    if any(f.column is None for f in findings):
        return "; ".join(f"{f.code} {plain(f.message)}" for f in findings)
    return listing(
        [f"{f.code} {listing([plain(name) for name in f.columns or (f.column,)], most=4)}" for f in findings], most=6
    )


def _codes(findings: Sequence[Finding]) -> str:
    return ", ".join(dict.fromkeys(f.code for f in findings))
