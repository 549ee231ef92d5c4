"""A205: hidden groups."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from sortal.checks.audit import NotApplicable
from sortal.checks.context import AuditContext
from sortal.checks.groups import check
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.testing.checks import typed

OWNERS, EACH = 60, 10
N = OWNERS * EACH


def voices(seed: int, own: float) -> tuple[pl.DataFrame, np.ndarray]:
    """Recordings of people, who differ by ``own`` spreads in every column; a class a person."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(OWNERS), EACH)
    person = rng.normal(size=(OWNERS, 6))
    values = own * person[owner] + rng.normal(size=(N, 6))
    codes = (person[:, 0] + 2 * rng.normal(size=OWNERS) > 0).astype(np.int64)[owner]
    order = rng.permutation(N)
    frame = pl.DataFrame({f"x{j}": values[:, j] for j in range(6)})
    return frame.with_columns(pl.Series("who", [f"p{k:03}" for k in owner]))[order], codes[order]


@pytest.mark.parametrize("name", ["subject", "code of the row"])
def test_people_who_are_recognised(name: str) -> None:
    frame, codes = voices(0, own=3.0)
    [finding] = check.find(AuditContext(typed(frame.rename({"who": name})), codes, ["a", "b"], raw=frame))
    assert (finding.severity, finding.column) == ("warning", name)
    assert finding.evidence["roc_auc_random"] > finding.evidence["roc_auc_groups"] + 0.1
    assert finding.evidence["groups"] == OWNERS
    assert "--group" in finding.fix


def test_an_id_that_no_model_uses() -> None:
    frame, codes = voices(1, own=3.0)
    table = typed(frame.drop("who"))
    schema = Schema((*table.schema.columns, Column("who", "category", "ignore")))
    [finding] = check.find(AuditContext(Table(schema, table.frame, table.rows), codes, ["a", "b"], raw=frame))
    assert finding.column == "who"


@pytest.mark.parametrize("seed", range(5))
def test_values_that_repeat_without_meaning(seed: int) -> None:
    frame, _ = voices(seed, own=0.0)
    rng = np.random.default_rng(seed)
    values = frame["x0"].to_numpy()
    codes = (values + rng.normal(size=N) > 0).astype(np.int64)
    frame = frame.rename({"who": "customer_id"}).with_columns(
        pl.Series("town", [f"town {k}" for k in rng.integers(0, 40, N)]),
        pl.Series("age", rng.integers(18, 80, N) * 1.0),
    )
    assert check.find(AuditContext(typed(frame), codes, ["a", "b"], raw=frame)) == []


def test_owners_whose_rows_share_a_class_and_a_column() -> None:
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(OWNERS), EACH)
    habit = rng.beta(0.5, 0.5, OWNERS)
    codes = (rng.random(N) < habit[owner]).astype(np.int64)
    frame = pl.DataFrame({"id": owner * 1.0, "born": rng.normal(size=OWNERS).round(1)[owner], "x": rng.normal(size=N)})
    [finding] = check.find(AuditContext(typed(frame), codes, ["a", "b"], raw=frame))
    assert (finding.severity, finding.column) == ("warning", "id")
    assert finding.evidence["roc_auc_other_rows"] > 0.6


def test_does_not_apply_where_groups_are_known() -> None:
    frame, codes = voices(0, own=3.0)
    table = typed(frame)
    with_group = Table(table.schema.with_role("who", "group"), table.frame, table.rows)
    result = check.find(AuditContext(with_group, codes, ["a", "b"]))
    assert result == NotApplicable("groups are known already")
