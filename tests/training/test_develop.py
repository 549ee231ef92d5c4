from __future__ import annotations

import math
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.framing import frame_task
from sortal.core.observer import Observer
from sortal.core.recipe import Recipe
from sortal.core.table import Table
from sortal.engine import compile
from sortal.models.family import Work
from sortal.training import develop
from sortal.training.candidate import Candidate
from sortal.training.crossval import CrossValidation
from sortal.training.deadline import Deadline
from sortal.training.develop import Scorer, _in_time, fold
from sortal.training.fit_log import FitLog
from sortal.training.fold import FoldData
from sortal.training.reserve import TimeReserve
from sortal.training.trained import train_rows
from sortal.training.zoo import BASELINES
from tests.training.conftest import development


def reserve(budget=60.0):
    return TimeReserve(Deadline(time.monotonic(), budget), closing=0.0, closing_rows=0)


def trained(dev, task, recipe=None, budget=60.0, **options):
    recipe = recipe or Recipe.of("y", models=("svm",))
    return train_rows(dev.table, dev.codes, task, recipe, reserve(budget), Observer(), **options)


def test_folds_repeat_when_rows_are_few():
    small, _ = development(rows=400)
    large, _ = development(rows=1500)
    assert (len(fold(small).parts), fold(small).repeats) == (15, 3)
    assert (len(fold(large).parts), fold(large).repeats) == (5, 1)
    table = Table(large.table.schema.with_role("x", "time", "x tells the time"), large.table.frame, large.table.rows)
    forward, moments = fold(replace(large, table=table)), table["x"].to_numpy()
    assert all(moments[train].max() < moments[valid].min() for train, valid in forward.parts)
    # The newest first: where time is short, the folds that are left are most like the future.
    begins = [moments[valid].min() for _, valid in forward.parts]
    assert len(begins) == 5
    assert begins == sorted(begins, reverse=True)


def test_of_a_large_table_whole_groups_are_held_out_once(monkeypatch):
    monkeypatch.setattr(develop, "LARGE", 1_000)
    dev, _ = development(rows=1_200)
    dev = replace(dev, units=np.arange(1_200) // 6)
    for budget, share in ((600.0, 0.2), (0.06, 0.05)):
        folds = fold(dev, budget)
        ((train, valid),) = folds.parts
        assert (folds.per_repeat, folds.repeats) == (1, 1)
        assert len(valid) == pytest.approx(1_200 * share, abs=6)
        assert sorted([*train, *valid]) == list(range(1_200))
        assert set(dev.units[train]).isdisjoint(dev.units[valid])


def test_there_are_no_more_folds_than_groups():
    dev, _ = development(rows=1_200)
    folds = fold(replace(dev, units=np.arange(1_200) % 3))
    assert len(folds.parts) == 3


def test_the_first_baseline_has_to_do_where_the_library_of_the_others_would_come_too_late(two, monkeypatch):
    dev, task = two
    for module in ("sklearn.base", "sklearn.ensemble"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    run = trained(dev, task, budget=0.5)
    assert [s.candidate.name for s in run.developed.explored.results] == ["majority"]
    assert {(s.name, s.reason) for s in run.developed.explored.skipped} >= {
        ("logistic", TimeReserve.used_up),
        ("svm", TimeReserve.used_up),
    }
    assert "sklearn.ensemble" not in sys.modules


def test_baselines_are_scored_even_without_any_time(two):
    import sklearn.ensemble  # noqa: F401 - as the audit does, where there is time for it

    dev, task = two
    run = trained(dev, task, budget=-1.0)
    assert [s.candidate.name for s in run.developed.explored.results] == list(BASELINES)
    assert {s.name for s in run.developed.explored.skipped} >= {"svm"}
    assert all(s.reason for s in run.developed.explored.skipped)


def test_the_shipped_program_says_what_the_library_says(three):
    dev, task = three
    finalized = trained(dev, task).finalized
    names = [column.name for column in dev.table.schema.features]
    program = compile(finalized.ensemble.program())(dev.table.columns(names))
    assert np.abs(program - finalized.ensemble.predict_proba(dev.table)).max() < 1e-12
    assert finalized.ensemble.rows == len(dev.codes)


def test_a_valid_part_is_the_evidence_where_there_is_one(two):
    dev, task = two
    valid = np.arange(0, 400, 5)
    run = trained(dev, task, valid=valid)
    assert run.finalized.evidence.part == "valid"
    assert run.finalized.evidence.rows.tolist() == dev.table.rows[valid].tolist()
    assert not np.isin(run.developed.choice.winner.predictions.rows, dev.table.rows[valid]).any()
    assert run.finalized.ensemble.rows == 400
    assert FitLog.of(run.fits, sealed=dev.table.rows[:0]).leaked_rows == 0


def test_a_plan_repeats_a_run(two):
    dev, task = two
    first = trained(dev, task, Recipe.of("y", models=("lightgbm",)))
    recipe = Recipe.of("y", models=("lightgbm",), plan=first.developed.plan())
    again = trained(dev, task, recipe, budget=-1.0)
    names = [column.name for column in dev.table.schema.features]
    columns = dev.table.columns(names)
    assert np.array_equal(compile(first.finalized.program)(columns), compile(again.finalized.program)(columns))
    assert Recipe.from_toml(recipe.to_toml()) == recipe


@pytest.mark.parametrize(("goal", "is_balanced"), [({}, False), ({"cost": "fp=1,fn=5"}, True)])
def test_rare_classes_are_treated_where_some_are_rare_or_errors_cost(two, goal, is_balanced):
    dev, _ = two
    recipe = Recipe.of("y", models=("logistic",), **goal)
    task = frame_task(dev.table.frame["y"], recipe.goal)
    names = {s.candidate.name for s in trained(dev, task, recipe).developed.explored.results}
    assert {"logistic", "logistic C=0.03"} <= names
    assert ("logistic balanced" in names) == is_balanced
    rare = np.flatnonzero((dev.codes == 0) | (np.arange(400) % 8 == 0))
    few = replace(dev, table=dev.table.take(rare), codes=dev.codes[rare])
    task = frame_task(few.table.frame["y"], recipe.goal)
    assert task.imbalanced
    assert "logistic balanced" in {s.candidate.name for s in trained(few, task, recipe).developed.explored.results}


@pytest.mark.parametrize("budget", [3.0])
@pytest.mark.clock
def test_training_ends_in_time(budget):
    dev, task = development(rows=4000)
    start = time.monotonic()
    trained(dev, task, Recipe.of("y"), budget=budget)
    assert time.monotonic() - start < 2 * budget


def test_the_first_baseline_needs_no_library_whatever_the_columns_are():
    """Importing scikit-learn takes longer than all else of a short run: a category of many levels has its encoding."""
    code = """
import sys
import numpy as np, polars as pl
from sortal.core import registry
from sortal.core.table import Table
from sortal.core.schema import Column, Schema
from sortal.data.split import holdout
from sortal.training.candidate import Development
from sortal.training.crossval import CrossValidation, crossval
from sortal.training.fold import FoldData, Folds
from sortal.training.zoo import baselines
n = 400
frame = pl.DataFrame({"c": [f"level {i % 50}" for i in range(n)], "x": np.arange(n) / 7})
table = Table(Schema((Column("c", "category"), Column("x", "number"))), frame, np.arange(n))
codes = np.arange(n) % 2
dev = Development(table, codes, ("a", "b"), seed=0)
cv = CrossValidation(FoldData(dev, Folds((holdout(codes, 0.2, 0),), 1)), lambda p: {"log_loss": 0.7})
result = crossval(baselines()[0], cv, 10.0)
assert result.predictions.probability.shape == (80, 2)
print(sorted({"sklearn", "scipy", "lightgbm", "matplotlib", "pandas"} & {*sys.modules}))
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


def test_what_counts_as_far_too_much_for_more_folds_is_not_looked_at(two, monkeypatch):
    """Short fits of a booster of a hundred classes take the time of the baselines."""
    dev, task = two
    dear = replace(registry.load("sortal.models", "lightgbm"), work=Work(row=1.0))
    monkeypatch.setattr(FoldData, "pace", lambda *_: pytest.fail("looked at"))
    cv = CrossValidation(FoldData(dev, fold(dev)), Scorer(task))
    time_left = TimeReserve(Deadline(time.monotonic(), 30.0), closing=0.0, closing_rows=0)
    assert len(_in_time(cv, [Candidate("dear", dear)], time_left).parts) == 1


def test_no_clock_ends_the_first_baseline(two, monkeypatch):
    """It is the model that is in hand whatever comes, and on a busy machine a moment may be a second."""
    calls = []
    trial = TimeReserve.trial

    def spy(self, candidate, cv, seconds, results):
        calls.append((candidate.name, seconds))
        return trial(self, candidate, cv, seconds, results)

    monkeypatch.setattr(TimeReserve, "trial", spy)
    dev, task = two
    trained(dev, task, budget=0.5)
    assert calls[0] == ("majority", math.inf)
    assert all(seconds < 1 for _, seconds in calls[1:])
