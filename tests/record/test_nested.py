"""A run without a test: what its record, its checklist, the screen and the page say of nested cross-validation."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from sortal.record import discipline, traps
from sortal.record.parts import Ledger, Nested
from sortal.record.run import RunRecord
from sortal.report import terminal
from sortal.report.html import render


def without_a_test(record: RunRecord, folds: int = 5) -> RunRecord:
    split = replace(record.split, method="none: nested cross-validation, 5 outer folds", train=400, valid=0, test=0)
    return replace(
        record,
        split=replace(split, column=None, outer=5, prevalence={"train": record.task.prevalence}),
        test=None,
        verification=None,
        nested=None if not folds else Nested(folds, 5, 80 * folds, record.test or {}),
        ledger=Ledger(opens=0),
    )


def screen(record: RunRecord) -> str:
    out = io.StringIO()
    console = Console(file=out, width=200)
    terminal.sealed_line(console, record.split)
    terminal.nested(console, record.nested, record.task)
    return out.getvalue()


@pytest.mark.parametrize("folds", [5, 3])
def test_the_figures_are_nested_and_the_record_says_so(binary: Any, folds: int) -> None:
    record = without_a_test(binary.record, folds)
    assert RunRecord.from_json(record.to_json()) == record
    assert record.figures == binary.record.test
    text = screen(record)
    assert "no row: nested cross-validation, 5 outer folds" in text
    assert ("NESTED 5 folds, 400 rows" if folds == 5 else "NESTED 3 of 5 outer folds, 240 rows") in text
    page = render(record, {})
    assert f"nested cross-validation, {folds} of 5 outer folds" in page
    assert "still sealed" not in page
    assert " nested</dd>" in page
    assert "on the test</dd>" not in page


def test_the_checklist_says_what_does_not_hold_without_a_test(binary: Any) -> None:
    facts = replace(binary.facts, out_of_fold_rows=400)
    whole, part, none = (without_a_test(binary.record, folds) for folds in (5, 3, 0))
    assert discipline.split(whole, facts) == (
        True,
        "none: nested cross-validation, 5 outer folds, 5 of them run: 400 of 400 rows predicted by a model that was made "
        "without them",
    )
    assert [discipline.split(record, facts)[0] for record in (part, none)] == [False, False]
    assert traps.opened_once(whole, facts)[0] is None
    assert traps.as_promised(whole, facts) == (None, "there is no test")
    assert traps.stratified(whole, facts)[0] is None


def test_where_no_fold_ended_in_time_nothing_is_claimed(binary: Any) -> None:
    record = without_a_test(binary.record, folds=0)
    assert record.figures == {}
    assert "no outer fold ended in time" in screen(record)
    assert "no outer fold ended in time" in render(record, {})
