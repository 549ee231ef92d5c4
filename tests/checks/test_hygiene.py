"""A301 to A304: columns without information, names of rows, rare classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.checks import constant as module
from sortal.checks.audit import Finding
from sortal.checks.classes import check as classes
from sortal.checks.constant import constant, nearly
from sortal.checks.context import AuditContext
from sortal.checks.identifier import check as identifier
from sortal.checks.identifier import without_fractions
from sortal.testing.checks import typed

N = 400
CODES = np.arange(N) % 2


def columns_of(check, columns: dict[str, object]) -> dict[str | None, str]:  # type: ignore[no-untyped-def]
    return {f.column: f.message for f in check.find(AuditContext(typed(pl.DataFrame(columns)), CODES, ["a", "b"], 0))}


def multivariate(check, columns: dict[str, object]) -> Finding:  # type: ignore[no-untyped-def]
    """The one finding about all of these columns."""
    [finding] = check.find(AuditContext(typed(pl.DataFrame(columns)), CODES, ["a", "b"], 0))
    return finding


def test_constant_columns() -> None:
    finding = multivariate(
        constant,
        {
            "veil": ["p"] * N,
            "zero": np.zeros(N),
            "gone": pl.Series([None] * N, dtype=pl.Float64),
            "there or not": [1.0 if i % 2 else None for i in range(N)],
            "one other": [float(i == 7) for i in range(N)],
        },
    )
    assert finding.columns == ("veil", "zero", "gone")
    assert finding.message == "veil is always 'p', zero is always 0, gone is always missing"
    assert finding.fix.endswith("from them: --ignore veil --ignore zero --ignore gone")


def test_one_constant_column_is_named() -> None:
    finding = multivariate(constant, {"veil": ["p"] * N, "x": np.arange(N) * 1.0})
    assert (finding.column, finding.columns, finding.message) == ("veil", ("veil",), "veil is always 'p'")


def test_nearly_constant_columns() -> None:
    finding = multivariate(
        nearly,
        {
            "two others": [float(i in (3, 9)) for i in range(N)],
            "three others": [float(i in (3, 9, 20)) for i in range(N)],
            "missing": [1.0 if i == 0 else None for i in range(N)],
            "same": np.zeros(N),
            "rows": np.arange(N) * 1.5,
        },
    )
    assert finding.columns == ("two others", "missing")
    assert finding.evidence["others"] == [2, 1]
    assert finding.message == (
        "two others is 0 in all but 2 of 400 rows, missing is missing in all but 1 of 400 rows: too few to learn from"
    )


def test_a_thousandth_of_a_long_column_is_read_to_its_end() -> None:
    late = np.zeros(40_000)
    late[-30:] = 1
    common = np.zeros(40_000)
    common[-500:] = 1
    table = typed(pl.DataFrame({"late": late, "common": common}))
    result = nearly.find(AuditContext(table, np.arange(40_000) % 2, ["a", "b"], 0))
    assert [(f.column, f.evidence["others"]) for f in result] == [("late", [30])]


@pytest.mark.parametrize(("rows", "limit"), [(1_999, 2), (10_000, 10), (49_000, 49), (60_000, 50)])
def test_a_thousandth_is_two_rows_at_least_and_fifty_at_most(rows: int, limit: int) -> None:
    columns = {f"{others} others": np.r_[np.zeros(rows - others), np.ones(others)] for others in (limit, limit + 1)}
    [finding] = nearly.find(AuditContext(typed(pl.DataFrame(columns)), np.arange(rows) % 2, ["a", "b"], 0))
    assert finding.column == f"{limit} others"


def test_numbers_in_the_order_of_the_rows_go_up_or_down_whatever_the_order_of_the_table() -> None:
    rows = np.random.default_rng(0).permutation(N)
    table = typed(pl.DataFrame({"up": 7.0 + 1_000 * rows, "down": 9.0 - 1_000 * rows, "mixed": 1_000.0 * np.arange(N)}))
    messages = {
        f.column: f.message for f in identifier.find(AuditContext(replace(table, rows=rows), CODES, ["a", "b"], 0))
    }
    assert set(messages) == {"up", "down"}
    assert all("whole numbers in the order of the rows" in message for message in messages.values())


def test_columns_that_name_rows() -> None:
    rng = np.random.default_rng(0)
    messages = columns_of(
        identifier,
        {
            "customer": [f"{rng.integers(10**6)}-{i}" for i in range(N)],
            "row": np.arange(N, dtype=float),
            "shuffled": rng.permutation(N) + 1000.0,
            "hospital_number": rng.choice(10**7, N, replace=False).astype(float),
            "accountID": rng.choice(10**7, N, replace=False).astype(float),
        },
    )
    assert set(messages) == {"customer", "row", "shuffled", "hospital_number", "accountID"}
    assert messages["row"].endswith("whole numbers in the order of the rows, no value occurs twice")
    assert "whole numbers that run on, no value occurs twice" in messages["shuffled"]


def test_measurements_are_no_names() -> None:
    rng = np.random.default_rng(0)
    assert not columns_of(
        identifier,
        {
            "weight": rng.normal(size=N),
            "salary": rng.choice(10**7, N, replace=False).astype(float),
            "street": [f"street {i // 4}" for i in range(N)],
            "age": rng.integers(18, 90, N).astype(float),
            "valid": rng.normal(size=N),
            "rarely_id": [float(i) if i < 30 else None for i in range(N)],
        },
    )


@pytest.mark.parametrize(("size", "severity"), [(1, "warning"), (9, "warning"), (10, "note"), (49, "note")])
def test_rare_classes(size: int, severity: str) -> None:
    codes = np.repeat([0, 1], [100, size])
    table = typed(pl.DataFrame({"x": np.arange(100.0 + size)}))
    [finding] = classes.find(AuditContext(table, codes, ["dog", "pig"], 0))
    assert (finding.severity, finding.evidence["classes"], finding.evidence["rows"]) == (severity, ["pig"], [size])
    assert finding.message.startswith(f"class 'pig' has {size} row{'s' if size > 1 else ''} to train on")


def test_many_rare_classes_are_one_finding() -> None:
    codes = np.repeat(np.arange(5), [100, 7, 30, 3, 20])
    table = typed(pl.DataFrame({"x": np.arange(160.0)}))
    [finding] = classes.find(AuditContext(table, codes, ["cow", "dog", "hen", "owl", "pig"], 0))
    assert (finding.severity, finding.evidence) == (
        "warning",
        {"classes": ["owl", "dog", "pig", "hen"], "rows": [3, 7, 20, 30]},
    )
    assert finding.message == (
        "2 classes have 3 to 7 rows ('owl' 3, 'dog' 7) to train on: too few to learn, or to say how well that went; "
        "2 classes have 20 to 30 rows ('pig' 20, 'hen' 30) to train on: recall will be known to about ± .22 only"
    )


def test_common_classes_are_not_mentioned() -> None:
    codes = np.repeat([0, 1], 50)
    assert classes.find(AuditContext(typed(pl.DataFrame({"x": np.arange(100.0)})), codes, ["dog", "pig"], 0)) == []


@given(
    distinct=st.integers(1, 70),
    rows=st.integers(20, 300),
    whole_numbers=st.booleans(),
    gaps=st.booleans(),
    seed=st.integers(0, 9),
)
@settings(max_examples=60)
def test_a_glance_at_the_first_rows_changes_no_finding(distinct, rows, whole_numbers, gaps, seed) -> None:
    """Columns that it tells at once from constant ones, and from names of rows, would have been found to be neither."""
    rng = np.random.default_rng(seed)
    levels = np.arange(distinct) + (0.0 if whole_numbers else 0.5)
    values = np.where(rng.random(rows) < 0.5, levels[0], rng.choice(levels, rows))
    values[rng.random(rows) < 0.3 * gaps] = np.nan
    frame = pl.DataFrame({"x": pl.Series(values, nan_to_null=True), "rest": ["text"] * rows})
    usual = frame["x"].value_counts(sort=True)["count"][0]
    others = module._others(typed(frame))
    assert others["rest"] == 0
    assert others["x"] == rows - usual if "x" in others else rows - usual > module._ENOUGH
    has_fractions = (frame["x"].drop_nulls() % 1 != 0).any()
    assert ("x" in without_fractions(frame).columns) >= (not has_fractions)


def test_thousands_of_fractions_are_told_by_their_first_rows() -> None:
    frame = pl.DataFrame({f"x{i}": np.arange(N) / 7 for i in range(3)} | {"whole": np.arange(N) * 1.0})
    assert without_fractions(frame).columns == ["whole"]
    assert module._others(typed(frame)) == {}
