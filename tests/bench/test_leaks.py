from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bench import _seeds as seeds
from bench import leaks
from bench._outcome import Options
from sortal.checks.audit import Finding
from sortal.checks.context import AuditContext
from sortal.core.schema import Column, Schema
from sortal.core.table import Table

N = 600
RNG = np.random.default_rng


def made_up(classes: int = 2) -> AuditContext:
    rng = RNG(0)
    codes = rng.integers(0, classes, N)
    frame = pl.DataFrame(
        {
            "x": codes + 2 * rng.normal(size=N),
            "gap": np.where(rng.random(N) < 0.1, np.nan, rng.normal(size=N)),
            "place": [f"p{i}" for i in rng.integers(0, 6, N)],
            "y": codes.astype(str),
        }
    ).with_columns(pl.col("gap").fill_nan(None))
    kinds = {"x": "number", "gap": "number", "place": "category", "y": "category"}
    columns = tuple(
        Column(name, kind, "target" if name == "y" else "feature")  # type: ignore[arg-type]
        for name, kind in kinds.items()
    )
    return AuditContext(Table(Schema(columns), frame, np.arange(N)), codes, [str(c) for c in range(classes)], raw=frame)


@pytest.mark.parametrize("leak", seeds.COLUMNS, ids=lambda leak: f"{leak.kind}, {leak.strength}")
@pytest.mark.parametrize("classes", [2, 4])
def test_a_leaky_column_tells_more_about_the_class_than_chance(leak: seeds.LeakyColumn, classes: int) -> None:
    case = made_up(classes)
    values = leak.make(case.codes, classes, RNG(0))
    if values is None:
        assert leak.kind == "coarse copy"
        assert classes == 2
        return
    leaky_case = seeds.with_column(case, values)
    assert leaky_case.table.schema.features[-1].name == seeds.LEAK
    powers = {power.column: power.auc for power in leaky_case.powers}
    assert powers[seeds.LEAK] > 0.51


def fault(kind: str) -> seeds.Fault:
    return next(f for f in seeds.FAULTS if kind in (f.kind, f.way))


def both_sides(ids: np.ndarray, held_out: np.ndarray) -> int:
    return len(np.intersect1d(ids[~held_out], ids[held_out]))


def test_faults_are_there_and_are_not_where_it_was_done_right() -> None:
    for share, is_wrong in ((0.0, False), (0.05, True)):
        duplicates = fault("duplicates across parts").make(made_up(), share, RNG(0)).split_view  # type: ignore[union-attr]
        overlap = fault("group overlap").make(made_up(), share, RNG(0)).split_view  # type: ignore[union-attr]
        newer = fault("time travel").make(made_up(), share, RNG(0)).split_view  # type: ignore[union-attr]
        assert duplicates is not None
        assert overlap is not None
        assert overlap.groups is not None
        assert newer is not None
        assert newer.times is not None
        assert (both_sides(duplicates.records, duplicates.held_out) > 0) == is_wrong
        assert (both_sides(overlap.groups, overlap.held_out) > 0) == is_wrong
        oldest = newer.times[newer.held_out].min()
        assert bool((newer.times[~newer.held_out] >= oldest).any()) == is_wrong


def test_a_fit_on_sealed_rows_is_witnessed() -> None:
    for share, foreign in ((0.0, 0), (0.01, 1), (1.0, 100)):
        case = fault("fit on sealed rows").make(made_up(), share, RNG(0))
        assert case is not None
        assert (case.fits, case.leaked_rows) == (1, foreign)


def test_preparation_on_all_rows_is_of_all_rows() -> None:
    case = fault("standardised").make(made_up(), 1.0, RNG(0))
    assert case is not None
    assert case.split_view is not None
    x = case.split_view.features.frame["x"].to_numpy()
    assert (x.mean(), x.std()) == pytest.approx((0, 1))
    assert abs(case.table.frame["x"].to_numpy().mean()) > 1e-6
    filled_case = fault("mean for missing").make(made_up(), 1.0, RNG(0))
    assert filled_case is not None
    assert filled_case.table.frame["gap"].null_count() == 0
    encoded_case = fault("target encoded").make(made_up(), 1.0, RNG(0))
    assert encoded_case is not None
    assert encoded_case.table.frame["place"].n_unique() == 6
    assert encoded_case.table.schema["place"].kind == "number"


def test_a_leak_is_found_and_named_by_its_check() -> None:
    case = made_up()
    copy = seeds.COLUMNS[0]
    [trial] = leaks.column_trial("t", case, copy, RNG(0), (leaks.matrix(case.table), 0.6))
    assert (trial.severity, trial.codes, trial.counts, trial.is_found) == ("severe", ("A101",), True, True)
    [trial] = leaks.column_trial("t", case, copy, RNG(0), (leaks.matrix(case.table), 0.99))
    assert (trial.codes, trial.counts) == ((), False)


def test_goals_count_what_matters() -> None:
    trial = leaks.Trial("t", "noisy copy", "s", 0.1, "warning", ("A104",))
    miss, small = replace(trial, severity="note"), replace(trial, lift=0.01, severity="", codes=())
    assert leaks.found_goal("noisy copy", [trial] * 4 + [miss] + [small] * 9).holds
    assert not leaks.found_goal("noisy copy", [trial] * 3 + [miss]).holds
    right, wrong = (leaks.Trial("t", "f", s, None, "severe", ("A002",)) for s in ("1% of the rows", "done right"))
    assert leaks.fault_goal("f", [right]).holds
    assert not leaks.fault_goal("f", [right, wrong]).holds


def test_alarms_are_a_share_of_columns_times_checks() -> None:
    alarm = Finding("A104", "warning", "x", "x")
    assert leaks.alarm_goal([leaks.Silence("t", 10, 4, (alarm, replace(alarm, severity="note"), alarm))]).holds
    assert not leaks.alarm_goal([leaks.Silence("t", 10, 4, (alarm,) * 3)]).holds


def test_known_leaks_are_left_out_before_anything_is_seeded() -> None:
    case = made_up()
    assert [c.name for c in leaks.without(case, ["x", "not there"]).table.schema.features] == ["gap", "place"]


def test_a_folder_is_tried_table_by_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = made_up().raw
    frame.write_parquet(tmp_path / "tabular_good.parquet", metadata={"target": "y"})
    frame.select("y").write_parquet(tmp_path / "tabular_flat.parquet", metadata={"target": "y"})
    monkeypatch.setattr(leaks, "COLUMNS", seeds.COLUMNS[:1])
    result = leaks.run(Options(data=tmp_path))
    assert [row[:5] for row in result.rows if row[0] == "target copy"] == [[*result.rows[0][:5]]]
    assert result.rows[0][5] == "100 %"
    assert any(note.startswith("left out: flat") for note in result.notes)
    assert {f["table"] for f in result.figures} == {"good"}
    assert all(goal.holds for goal in result.goals)
