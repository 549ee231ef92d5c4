"""A207: parts that a classifier tells apart."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from sortal.checks.audit import NotApplicable
from sortal.checks.context import AuditContext, SplitView
from sortal.checks.shift import check
from sortal.data.split import SplitPlan, split
from sortal.testing.checks import typed

N = 1_500


def columns(seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    first = rng.normal(size=N)
    return pl.DataFrame(
        {"first": first, "second": first + rng.normal(size=N), "kind": [f"kind {k}" for k in rng.integers(0, 6, N)]}
    )


def case_of(
    frame: pl.DataFrame, part: np.ndarray, times: np.ndarray | None = None, groups: np.ndarray | None = None
) -> AuditContext:
    table = typed(frame)
    codes = (frame["first"].to_numpy() > 0).astype(np.int64)
    split_view = SplitView(table, part.astype(bool), groups=groups, times=times)
    train = np.flatnonzero(part == 0)
    return AuditContext(table.take(train), codes[train], ["a", "b"], raw=frame[train], split_view=split_view)


@pytest.mark.parametrize("seed", range(10))
def test_parts_made_at_random_are_alike(seed: int) -> None:
    frame = columns(seed)
    table = typed(frame)
    codes = (frame["first"].to_numpy() > 0).astype(np.int64)
    part = np.zeros(N)
    part[split(table, codes, SplitPlan(), seed).test] = 1
    assert check.find(case_of(frame, part)) == []


def test_a_column_that_means_something_else_in_the_test() -> None:
    frame = columns(0)
    part = np.random.default_rng(0).random(N) < 0.15
    shifted_frame = frame.with_columns(pl.Series("second", frame["second"].to_numpy() + 1.5 * part))
    [finding] = check.find(case_of(shifted_frame, part))
    assert finding.severity == "warning"
    assert finding.evidence["columns"][0] == "second"
    assert finding.evidence["errors"] > 3.5
    [expected] = check.find(case_of(shifted_frame, part, times=np.arange(N)))
    assert expected.severity == "note"


def test_rows_of_a_group_are_no_evidence_of_their_own() -> None:
    rng = np.random.default_rng(1)
    owner = np.repeat(np.arange(N // 5), 5)
    person = rng.normal(size=(N // 5, 8))
    frame = pl.DataFrame({f"x{j}": person[owner, j] + 0.01 * rng.normal(size=N) for j in range(8)}).with_columns(
        pl.Series("first", person[owner, 0])
    )
    part = (rng.random(N // 5) < 0.2)[owner]
    assert check.find(case_of(frame, part, groups=owner)) == []


def test_does_not_apply_without_parts() -> None:
    table = typed(columns(0))
    result = check.find(AuditContext(table, np.zeros(N, dtype=np.int64), ["a"]))
    assert result == NotApplicable("there are no parts yet")
