"""The second half of the checklist by hand: what each item says of a run, and on which side of its bounds it stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sortal.checks.audit import Finding, SkippedCheck
from sortal.checks.run_counts import RunCounts, run_findings
from sortal.core.interval import Estimate
from sortal.evaluate.verification import PromiseCheck
from sortal.record import traps


def test_what_is_said_of_a_run_with_costs(binary: Any) -> None:
    record, facts = binary.record, binary.facts
    parity = "on 4,800 rows probabilities differ by at most 1e-16, 0 labels changed"
    assert traps.train_only(record, facts) == (
        True,
        "all fits together saw 0 rows that they should not have seen; no columns prepared on all rows before the split",
    )
    assert traps.stratified(record, facts) == (True, "class shares of train, test differ by less than 0.1 %")
    assert traps.accuracy(record, facts) == (
        True,
        "always saying the largest class is right in 89.4 %; headline expected cost, selected by log-loss",
    )
    assert traps.label_order(record, facts) == (True, f"in the model file: no, yes; {parity}")
    assert traps.opened_once(record, facts) == (True, "opened once; hash chain verified")
    assert traps.apart(record, facts) == (True, "no rows, groups or time on both sides of the split")
    assert traps.no_future(record, facts) == (
        False,
        "A104 duration: if it is known only afterwards, --ignore it",
    )
    assert traps.sound(record, facts) == (True, "1 other finding (A301), none of them severe")


def test_rows_that_a_fit_must_not_see_are_counted(binary: Any) -> None:
    record = replace(binary.record, audit=run_findings(RunCounts(fits=3, leaked_rows=7, opens=1)))
    phrase = "all fits together saw 7 rows that they should not have seen"
    assert traps.train_only(record, binary.facts) == (False, phrase)
    assert traps.train_only(record, replace(binary.facts, fits=0)) == (False, "no fit was watched")


@pytest.mark.parametrize(
    ("sizes", "gap", "holds"),
    [
        ((4000, 0, 800), 0.0049, True),
        ((4000, 0, 800), 0.0051, False),
        ((4000, 0, 100), 0.0199, True),
        ((4000, 0, 100), 0.0201, False),
        ((4000, 50, 800), 0.0399, True),  # the smallest part that is there
        ((4000, 50, 800), 0.0401, False),
    ],
)
def test_shares_of_parts_may_differ_by_half_a_percent_or_two_rows(
    binary: Any, sizes: tuple[int, int, int], gap: float, holds: bool
) -> None:
    train, valid, test = sizes
    shares = {"train": (0.5, 0.5), "test": (0.5 + gap, 0.5 - gap)}
    split = replace(binary.record.split, train=train, valid=valid, test=test, prevalence=shares)
    assert traps.stratified(replace(binary.record, split=split), binary.facts)[0] is holds


def test_the_largest_difference_of_any_two_parts_counts(binary: Any) -> None:
    shares = {"train": (0.5, 0.3, 0.2), "valid": (0.5, 0.29, 0.21), "test": (0.5, 0.32, 0.18)}
    split = replace(binary.record.split, valid=900, prevalence=shares)
    verdict = traps.stratified(replace(binary.record, split=split), binary.facts)
    assert verdict == (False, "class shares of train, valid, test differ by at most 3 %")
    one = replace(split, prevalence={"train": (0.5, 0.5)})
    assert traps.stratified(replace(binary.record, split=one), binary.facts)[0] is False
    outer = replace(split, outer=5)
    assert traps.stratified(replace(binary.record, split=outer), binary.facts)[0] is None


def test_parts_that_differ_by_a_check_of_the_audit_are_not_alike(binary: Any) -> None:
    finding = Finding("A207", "warning", "age", "age differs")
    verdict = traps.stratified(replace(binary.record, audit=(finding,)), binary.facts)
    assert verdict == (False, "class shares of train, test differ by less than 0.1 %; A207 age")
    assert traps.stratified(replace(binary.record, audit=(replace(finding, severity="note"),)), binary.facts)[0]


def test_accuracy_may_be_reported_but_not_first(binary: Any) -> None:
    task = replace(binary.record.task, headline=("roc_auc", "accuracy"))
    assert traps.accuracy(replace(binary.record, task=task), binary.facts)[0]
    bare = replace(task, headline=(), metric="brier")
    verdict = traps.accuracy(replace(binary.record, task=bare), binary.facts)
    assert verdict[0]
    assert verdict[1].endswith("headline Brier score, selected by Brier score")
    even = replace(task, prevalence=(0.6, 0.4))
    assert traps.accuracy(replace(binary.record, task=even), binary.facts) == (None, "the smallest class has 40 %")


def test_looks_at_the_test(binary: Any) -> None:
    def verdict(opens: int, intact: bool = True, **split: Any) -> tuple[Any, str]:
        audit = run_findings(RunCounts(fits=57, leaked_rows=0, opens=opens))
        record = replace(binary.record, audit=audit, ledger=replace(binary.record.ledger, opens=opens))
        record = replace(record, split=replace(record.split, **split))
        return traps.opened_once(record, replace(binary.facts, ledger_intact=intact))

    assert verdict(1) == (True, "opened once; hash chain verified")
    assert verdict(2) == (False, "opened twice; hash chain verified")
    assert verdict(1, intact=False) == (False, "opened once; hash chain BROKEN")
    assert verdict(0) == (None, "not opened yet; hash chain verified")
    assert verdict(0, intact=False) == (False, "not opened yet; hash chain BROKEN")
    assert verdict(0, outer=5) == (None, "nothing was sealed: stratified")


def test_two_shortfalls_of_the_test_are_told_and_more_are_counted(binary: Any) -> None:
    def verdict(*warnings: str) -> tuple[Any, str]:
        verification = replace(binary.record.verification, warnings=warnings)
        return traps.as_promised(replace(binary.record, verification=verification), binary.facts)

    assert verdict("a") == (False, "a")
    assert verdict("a", "b") == (False, "a; b")
    assert verdict("a", "b", "c", "d") == (False, "a; b; and 2 more")


def test_figures_without_a_promise_are_not_named(binary: Any) -> None:
    unknown = PromiseCheck("brier", None, Estimate(0.1, 0.05, 0.15), Estimate(None), "unknown")
    checks = (unknown, *binary.record.verification.promises)
    verification = replace(binary.record.verification, promises=checks, rivals=(), notes=("a note", "b, by chance"))
    verdict = traps.as_promised(replace(binary.record, verification=verification), binary.facts)
    assert verdict == (True, "expected cost, log-loss as promised, on 800 rows; b, by chance")
    none = replace(verification, promises=(unknown,))
    assert traps.as_promised(replace(binary.record, verification=none), binary.facts)[0] == "not looked for"
    closed = replace(binary.record, verification=None)
    assert traps.as_promised(closed, binary.facts) == (None, "the test was not opened")


def test_features_are_counted_and_not_other_columns(binary: Any) -> None:
    sound = replace(binary.record, audit=())
    features = sum(column.role == "feature" for column in sound.columns)
    assert 0 < features < len(sound.columns)
    verdict = traps.no_future(sound, binary.facts)
    assert verdict == (True, f"no columns that tell the outcome among {features} features")
    skips = tuple(SkippedCheck(code, "a title", "no time left", blind=True) for code in ("A101", "A103", "A301"))
    verdict = traps.no_future(replace(sound, audit_skipped=skips), binary.facts)
    assert verdict == (
        "not looked for",
        "A101, A103 did not look for columns that tell the outcome (no time left)",
    )


def test_findings_about_the_table_are_told_in_their_words_and_others_by_their_columns(binary: Any) -> None:
    age, job = (Finding("A203", "warning", name, "in words", columns=(name, "more")) for name in ("age", "job"))
    whole = Finding("A002", "severe", None, "12 rows on both sides")
    assert traps.apart(replace(binary.record, audit=(age, job)), binary.facts) == (
        False,
        "A203 age, more, A203 job, more",
    )
    assert traps.apart(replace(binary.record, audit=(age, whole)), binary.facts) == (
        False,
        "A203 in words; A002 12 rows on both sides",
    )


def test_a_severe_finding_that_no_other_item_is_about_is_said(binary: Any) -> None:
    other, own = Finding("A104", "severe", "a", "leaks"), Finding("X001", "severe", None, "broken")
    note = Finding("X002", "note", None, "fine")
    verdict = traps.sound(replace(binary.record, audit=(other, own, note)), binary.facts)
    assert verdict == (False, "X001 broken")
    verdict = traps.sound(replace(binary.record, audit=(other, note, note)), binary.facts)
    assert verdict == (True, "2 other findings (X002), none of them severe")


def test_labels_in_another_order_or_changed_are_not_kept(binary: Any) -> None:
    record, facts = binary.record, binary.facts
    mirror = replace(facts.saved, classes=("yes", "no"))
    assert traps.label_order(record, replace(facts, saved=mirror))[0] is False
    assert (
        traps.label_order(replace(record, confusion=replace(record.confusion, classes=("yes", "no"))), facts)[0]
        is False
    )
    assert traps.label_order(replace(record, confusion=None), facts)[0] is True
    flip = replace(facts.saved, parity=replace(facts.saved.parity, label_flips=1))
    assert traps.label_order(record, replace(facts, saved=flip))[0] is False
    assert traps.label_order(record, replace(facts, saved=None)) == (False, "no model was saved")


def test_accuracy_first_or_as_what_selects_is_a_trap(binary: Any) -> None:
    for change in ({"headline": ("accuracy", "roc_auc")}, {"metric": "accuracy"}):
        record = replace(binary.record, task=replace(binary.record.task, **change))
        assert traps.accuracy(record, binary.facts)[0] is False


@pytest.mark.parametrize("severity", ["severe", "warning"])
def test_every_check_of_an_item_counts(binary: Any, severity: Any) -> None:
    for item, codes in ((traps.apart, traps.SHARED), (traps.no_future, traps.OUTCOME), (traps.train_only, ("A106",))):
        for code in codes:
            record = replace(binary.record, audit=(Finding(code, severity, "age", "in words"),))
            assert item(record, binary.facts)[0] is False
            assert traps.sound(record, binary.facts)[0] is True
