from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from bench import profile
from bench.profile import Cell


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "plan": rng.choice(["pro", "basic"], 600),
            "fee": rng.lognormal(size=600),
            "y": rng.choice(["yes", "no"], 600),
        }
    )
    table = profile.canonical(frame, "y")
    return [cell for seed in range(3) for cell in profile.measure("made up", table, seed)]


def test_like_rows_are_passed_over_and_damage_is_noticed(cells):
    result = profile.outcome(cells, [])
    assert result.holds
    assert len(result.goals) == 4
    columns = {cell.what: cell.columns for cell in cells}
    assert columns == {
        "the other half": 2,
        "20 rows": 2,
        "100 rows": 2,
        "upper case": 1,
        "a thousandth": 1,
        "30 % missing": 2,
    }


@pytest.mark.parametrize(("name", "flags"), [("20 rows", 1), ("upper case", 0), ("a thousandth", 0)])
def test_false_alarms_and_silence_fall_short(cells, name, flags):
    worse_cells = [replace(cell, flagged=flags) if cell.what == name else cell for cell in cells]
    assert [goal.holds for goal in profile.outcome(worse_cells, []).goals].count(False) == 1


def test_without_tables_it_says_so():
    with pytest.raises(SystemExit, match="--fast"):
        profile.run(profile.Options())
