"""A206: rows in the order of time."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from sortal.checks.audit import NotApplicable
from sortal.checks.context import AuditContext
from sortal.checks.hidden_time import check
from sortal.core.table import Table
from sortal.testing.checks import typed

N = 1_600


def drifting_table(seed: int, turn: bool) -> tuple[pl.DataFrame, np.ndarray]:
    """A column that means one thing at first, and in the last quarter (``turn``) another."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(N, 3))
    late = np.arange(N) >= 0.7 * N
    signal = np.where(late & turn, -values[:, 0], values[:, 0]) + 0.5 * values[:, 1]
    codes = (signal + 0.5 * rng.normal(size=N) > 0).astype(np.int64)
    return pl.DataFrame({f"x{j}": values[:, j] for j in range(3)}), codes


def days() -> list[dt.datetime]:
    return [dt.datetime(2020, 1, 1) + dt.timedelta(hours=7 * k) for k in range(N)]


def case_of(frame: pl.DataFrame, codes: np.ndarray, shuffle: bool = True) -> AuditContext:
    order = np.random.default_rng(3).permutation(N) if shuffle else np.arange(N)
    return AuditContext(typed(frame[order]), codes[order], ["a", "b"], raw=frame[order])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sold on", days()),
        ("timestamp", [1.6e9 + 3600.0 * k for k in range(N)]),
        ("year", [2000.0 + k // 80 for k in range(N)]),
    ],
)
def test_scores_that_fall_with_time(name: str, values: list[object]) -> None:
    frame, codes = drifting_table(0, turn=True)
    [finding] = check.find(case_of(frame.with_columns(pl.Series(name, values)), codes))
    assert (finding.severity, finding.column) == ("warning", name)
    assert finding.evidence["roc_auc_random"] > finding.evidence["roc_auc_newest"] + 0.1
    assert "--time" in finding.fix


@pytest.mark.parametrize("seed", range(6))
def test_dates_that_change_nothing(seed: int) -> None:
    frame, codes = drifting_table(seed, turn=False)
    assert check.find(case_of(frame.with_columns(pl.Series("sold on", days())), codes)) == []
    assert check.find(case_of(frame, codes)) == []


def test_birthdays_and_other_numbers_are_no_time() -> None:
    frame, codes = drifting_table(0, turn=True)
    frame = frame.with_columns(pl.Series("date_of_birth", days()), pl.Series("amount", np.arange(N) + 1950.0))
    assert check.find(case_of(frame, codes)) == []


def test_the_place_in_the_file() -> None:
    frame, codes = drifting_table(0, turn=True)
    [finding] = check.find(case_of(frame, codes, shuffle=False))
    assert (finding.severity, finding.column) == ("note", None)


def test_classes_that_are_sorted_are_no_time() -> None:
    frame, codes = drifting_table(0, turn=False)
    order = np.argsort(codes, kind="stable")
    assert check.find(case_of(frame[order], codes[order], shuffle=False)) == []


def test_series_whose_neighbours_tell_the_class() -> None:
    rng = np.random.default_rng(0)
    codes = np.repeat(rng.integers(0, 2, N // 20), 20)
    frame = pl.DataFrame({"when": days(), "x": rng.normal(size=N)})
    [finding] = check.find(case_of(frame, codes))
    assert (finding.severity, finding.column) == ("warning", "when")
    assert finding.evidence["roc_auc_neighbours"] > 0.9


def test_does_not_apply_where_time_is_known() -> None:
    frame, codes = drifting_table(0, turn=True)
    table = typed(frame.with_columns(pl.Series("sold on", days())))
    with_time = Table(table.schema.with_role("sold on", "time"), table.frame, table.rows)
    result = check.find(AuditContext(with_time, codes, ["a", "b"]))
    assert result == NotApplicable("the time column is known already")
