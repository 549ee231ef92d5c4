from __future__ import annotations

import importlib.util
from functools import cache

import numpy as np
import polars as pl
import pytest

from bench import _audit_peers as peers
from bench import audit
from bench._outcome import Options
from bench._tables import EXAMPLE
from sortal.core import registry
from sortal.core.infer import infer


def test_the_frame_has_columns_of_mixed_kinds_and_rows_that_are_there_twice() -> None:
    frame = audit.mixed_frame(1_000)
    kinds = [column.kind for column in infer(frame, audit.TARGET).features]
    assert frame.shape == (1_000, 50)
    assert {"number", "category", "boolean", "datetime"} == set(kinds)
    assert frame.is_duplicated().sum() == 40
    assert frame.null_count().sum_horizontal().item() > 0
    assert frame.equals(audit.mixed_frame(1_000))


def test_times_every_check_and_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "FAST_ROWS", 500)
    result = audit.run(Options(fast=True))
    steps = [row[0].split()[0] for row in result.rows]
    assert set(registry.names("sortal.checks")) <= set(steps)
    assert [goal.holds for goal in result.goals] == [True, True]
    assert "500 rows x 50 columns" in result.title


@pytest.mark.parametrize(("seconds", "gigabytes", "holds"), [(61, 1, [False, True]), (59, 4.1, [True, False])])
def test_each_goal_can_fall_short(seconds: float, gigabytes: float, holds: list[bool]) -> None:
    wholes = [audit.Whole("small", 10, 2, 1.0, 1.0, 0.1), audit.Whole("large", 10, 2, seconds, 1.0, gigabytes)]
    assert [goal.holds for goal in audit.outcome(wholes, [audit.Step("read", 1.0)]).goals] == holds


def test_peers_that_are_not_installed_are_left_out_with_a_note() -> None:
    available, notes = peers.peers()
    assert "sortal" in available
    for name in ("skore", "cleanlab"):
        assert (name in available) != any(name in note for note in notes)
        assert (name in available) == (importlib.util.find_spec(name) is not None)


def test_leaks_are_those_of_the_other_benchmark_and_count_where_they_matter() -> None:
    churn = pl.read_csv(EXAMPLE, infer_schema_length=None).sample(1_000, seed=0).drop("customerID")
    copy, *_ = leaks = [fault for fault in peers.FAULTS if fault.leak]
    frames = [leak.sow(churn, "Churn", np.random.default_rng(0)) for leak in leaks]
    assert any(frame is None for frame in frames), "two classes cannot be put into fewer groups"
    assert frames[0] is not None
    assert peers.lift(churn, frames[0], "Churn") > 0.1
    assert peers.lift(churn, churn, "Churn") == 0
    assert peers.says(peers.sortal_finds(frames[0], "Churn"), copy, "sortal")


@cache
def clean_table() -> tuple[pl.DataFrame, list[peers.Found]]:
    """A table without any of the faults, and what the audit finds in it. Of the columns some of each kind do."""
    names = ["Partner", "tenure", "InternetService", "Contract", "PaymentMethod", "MonthlyCharges", "Churn"]
    churn = pl.read_csv(EXAMPLE, infer_schema_length=None, columns=names).sample(1_000, seed=0)
    frame = churn.with_columns(pl.Series("visits", np.random.default_rng(1).normal(size=churn.height)))
    return frame, peers.sortal_finds(frame, "Churn")


@pytest.mark.parametrize("fault", [f for f in peers.FAULTS if not f.leak], ids=lambda fault: fault.name)
def test_every_fault_that_is_sown_is_found_by_the_audit_and_is_not_there_before(fault: peers.Fault) -> None:
    frame, before = clean_table()
    leaky_frame = fault.sow(frame, "Churn", np.random.default_rng(0))
    assert leaky_frame is not None
    assert peers.says(peers.sortal_finds(leaky_frame, "Churn", codes=fault.calls["sortal"]), fault, "sortal")
    assert not peers.says(before, fault, "sortal")
