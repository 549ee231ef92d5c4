"""A201, A202 and A203: copies of rows, conflicting labels and the order of rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from sortal.checks.audit import NotApplicable
from sortal.checks.context import AuditContext
from sortal.checks.duplicates import conflicts_check, copies_check
from sortal.checks.order import check as order
from sortal.core.table import Table
from sortal.testing.checks import typed


def test_copies_of_real_rows_are_a_warning() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=500), "y": rng.normal(size=500)})
    index = np.concatenate([np.arange(500), [0, 0, *range(100)]])
    [finding] = copies_check.find(AuditContext(typed(frame[index]), np.zeros(602, dtype=int), ["a"], 0))
    assert finding.severity == "warning"
    assert (finding.evidence["rows"], finding.evidence["distinct"]) == (102, 500)
    assert "the most frequent row is there 4 times" in finding.message


def test_copies_of_a_coarse_table_are_a_note() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.integers(0, 5, 600).astype(float), "b": rng.integers(0, 5, 600).astype(str)})
    [finding] = copies_check.find(AuditContext(typed(frame), np.zeros(600, dtype=int), ["a"], 0))
    assert finding.severity == "note"
    assert finding.evidence["share_by_chance"] == pytest.approx(finding.evidence["share_copied"], abs=0.01)
    assert "chance brings that about" in finding.message


def test_no_copies_no_finding() -> None:
    table = typed(pl.DataFrame({"x": np.arange(60.0)}))
    assert copies_check.find(AuditContext(table, np.zeros(60, dtype=int), ["a"], 0)) == []
    assert conflicts_check.find(AuditContext(table, np.arange(60) % 2, ["a", "b"], 0)) == []


def test_conflicting_labels_bound_the_accuracy() -> None:
    values = np.concatenate([np.arange(90.0), [3, 3, 3, 5, 5, 7, 8, 9, 10, 11]])
    codes = np.zeros(100, dtype=int)
    codes[[90, 91, 93]] = [1, 2, 1]
    [finding] = conflicts_check.find(AuditContext(typed(pl.DataFrame({"x": values})), codes, ["a", "b", "c"], 0))
    best = sum(np.bincount(codes[values == v]).max() for v in np.unique(values)) / 100
    assert finding.evidence["best_accuracy"] == pytest.approx(best)
    assert (finding.evidence["rows"], finding.evidence["rows_in_conflict"]) == (3, 7)
    assert finding.severity == "warning"


def series(codes: np.ndarray, rows: np.ndarray | None = None) -> Table:
    table = typed(pl.DataFrame({"x": np.zeros(len(codes))}))
    return table if rows is None else Table(table.schema, table.frame, rows)


class TestOrder:
    def test_a_sorted_file_is_noted(self) -> None:
        codes = np.repeat([0, 1, 2], 200)
        [finding] = order.find(AuditContext(series(codes), codes, list("abc"), 0))
        assert finding.severity == "note"
        assert "sorted by class" in finding.message

    def test_the_order_is_that_of_the_source(self) -> None:
        codes = np.repeat([0, 1, 2], 200)
        permutation = np.random.default_rng(0).permutation(600)
        assert order.find(AuditContext(series(codes, permutation), codes, list("abc"), 0)) == []
        [finding] = order.find(AuditContext(series(codes, permutation), codes[permutation], list("abc"), 0))
        assert "sorted by class" in finding.message

    def test_drift_and_runs_are_warnings(self) -> None:
        rng = np.random.default_rng(0)
        drift = (rng.random(4000) < np.linspace(0.05, 0.8, 4000)).astype(int)
        runs = np.repeat(rng.integers(0, 2, 500), 8)
        for codes, reach in ((drift, 50), (runs, 2)):
            [finding] = order.find(AuditContext(series(codes), codes, ["a", "b"], 0))
            assert finding.severity == "warning"
            assert finding.evidence["rows_each_side"] == reach
            assert "--time" in finding.fix

    @pytest.mark.parametrize("seed", range(10))
    def test_a_shuffled_file_is_not_suspected(self, seed: int) -> None:
        codes = np.random.default_rng(seed).choice(3, 400, p=[0.9, 0.07, 0.03])
        assert order.find(AuditContext(series(codes), codes, list("abc"), 0)) == []

    def test_does_not_apply_where_time_is_known(self) -> None:
        table = series(np.zeros(200))
        with_time = Table(table.schema.with_role("x", "time"), table.frame, table.rows)
        result = order.find(AuditContext(with_time, np.repeat([0, 1], 100), ["a", "b"], 0))
        assert result == NotApplicable("the rows are ordered by the time column already")
