"""A002 to A004: what parts have in common. Laws: every shared row is counted, and parts that share nothing are never
suspected."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.checks.audit import AuditContext, NotApplicable, SplitView
from sortal.checks.parts import copies_check, groups_check, newer_check
from sortal.testing.checks import typed

LAWS = settings(max_examples=60)
CHECKS = (copies_check, groups_check, newer_check)


def case(values, held_out, groups=None, times=None) -> AuditContext:  # type: ignore[no-untyped-def]
    """Rows that agree in both columns or in none, no labels that matter."""
    x = np.asarray(values, dtype=float)
    table = typed(pl.DataFrame({"x": x, "y": -x}))
    split_view = SplitView(
        features=table,
        held_out=np.asarray(held_out, dtype=bool),
        groups=None if groups is None else np.asarray(groups),
        times=None if times is None else np.asarray(times),
    )
    return AuditContext(table, np.zeros(len(table), dtype=np.int64), ["a", "b"], split_view=split_view)


ROWS = st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: 0 < sum(held_out for _, held_out in rows) < len(rows)
)


@given(ROWS)
@LAWS
def test_every_held_row_with_a_copy_is_counted(rows):
    values, held_out = zip(*rows, strict=True)
    training = {value for value, out in rows if not out}
    times = Counter(value for value, _ in rows)
    n_shared = sum(value in training and times[value] <= 5 for value, out in rows if out)
    findings = copies_check.find(case(values, held_out))
    assert [f.evidence["rows"] for f in findings] == [n_shared] * (n_shared > 0)


@given(ROWS)
@LAWS
def test_every_torn_group_is_counted(rows):
    groups, held_out = zip(*rows, strict=True)
    split_groups = {group for group, out in rows if out} & {group for group, out in rows if not out}
    findings = groups_check.find(case(range(len(rows)), held_out, groups=groups))
    assert [f.evidence["groups"] for f in findings] == [len(split_groups)] * bool(split_groups)
    assert all(f.severity == "severe" for f in findings)


@given(ROWS)
@LAWS
def test_every_row_from_the_future_is_counted(rows):
    times, held_out = zip(*rows, strict=True)
    oldest = min(time for time, out in rows if out)
    newer = sum(time > oldest for time, out in rows if not out)
    findings = newer_check.find(case(range(len(rows)), held_out, times=times))
    assert [f.evidence["rows"] for f in findings] == [newer] * (newer > 0)


def test_few_copies_are_a_warning_and_many_are_severe():
    held_out = np.arange(1_000) >= 500
    few, many = np.arange(1_000), np.arange(1_000)
    few[500] = 0
    many[500:510] = np.arange(10)
    assert [copies_check.find(case(values, held_out))[0].severity for values in (few, many)] == ["warning", "severe"]
    # The newest rows may well repeat older ones.
    assert copies_check.find(case(many, held_out, times=np.arange(1_000)))[0].severity == "warning"


def test_rows_of_a_coarse_table_agree_by_chance():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({name: rng.integers(2, size=1_000).astype(float) for name in "abc"})
    held_out = np.arange(1_000) >= 850
    coarse = AuditContext(
        typed(frame), np.zeros(1_000, dtype=np.int64), ["a", "b"], split_view=SplitView(typed(frame), held_out)
    )
    assert copies_check.find(coarse) == []
    fine = frame.with_columns(id=pl.Series(np.arange(1_000.0)))
    with_copies = pl.concat([fine.filter(~pl.Series(held_out)), fine.filter(~pl.Series(held_out)).head(150)])
    [finding] = copies_check.find(
        AuditContext(
            typed(with_copies),
            np.zeros(1_000, dtype=np.int64),
            ["a", "b"],
            split_view=SplitView(typed(with_copies), held_out),
        )
    )
    assert (finding.severity, finding.evidence["rows"]) == ("severe", 150)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_says_where_there_are_no_parts(check):
    table = typed(pl.DataFrame({"x": [1.0, 2.0]}))
    result = check.find(AuditContext(table, np.array([0, 1]), ["a", "b"]))
    assert result == NotApplicable("the rows are not parted yet")


@pytest.mark.parametrize(("check", "role"), [(groups_check, "group"), (newer_check, "time")])
def test_says_where_no_column_was_named(check, role):
    assert role in check.find(case([1, 2], [False, True])).reason
