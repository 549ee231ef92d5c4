from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import sklearn.metrics as sk
from sklearn.base import clone

from bench import cost
from bench._recalled import FOLDS, Arm, Models, Recalled
from bench.cost import Case, Cell
from sortal.core.cost_notation import parse_cost
from sortal.core.task import Task
from sortal.models.baseline import majority
from sortal.models.lightgbm import family as lightgbm
from sortal.models.linear import logistic
from sortal.training.candidate import Candidate
from sortal.training.fit_log import FitLog, FitRows


def made_up(classes: int = 2, rows: int = 300) -> Case:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 2))
    score = x[:, 0] + 0.5 * rng.normal(size=rows)
    codes = np.digitize(score, np.quantile(score, np.linspace(0.6, 1, classes)[:-1]))
    frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": [f"c{code}" for code in codes]})
    result = cost.case("made-up", frame, "y")
    assert not isinstance(result, str)
    return result


def arm(classes: int = 2, family=logistic, settings=None) -> tuple[Arm, Task]:
    _, dev, task = made_up(classes)
    rows = np.arange(len(dev.codes))
    return Arm(Models(dev, Candidate("it", family, settings or {})), rows[:200], rows[200:]), task


def with_cost(task: Task, costs: str = "fp=1,fn=5") -> Task:
    return replace(task, goal="cost", cost=parse_cost(costs, task.classes, task.positive))


def cell(table: str, split: int, sortal: float, tuned_cost: float, fine: float = 9.0, **options) -> Cell:
    costs = {"sortal": sortal, "tuned": tuned_cost, "tuned, 1,000": fine}
    return Cell(table, "fp=1,fn=5", options.get("learner", "logistic"), 200, options.get("few", False), split, costs)


def test_a_fit_is_made_once_whoever_asks_for_it():
    trial, task = arm()
    models, code = trial.models, task.positive_code
    (predictions, fold), test_predictions = trial.out_of_fold, trial.tested
    assert len(models.fitted) == FOLDS + 1
    cost.tuned(trial, with_cost(task), 100)
    assert len(models.fitted) == FOLDS + 1
    model = clone(Recalled(models, code)).fit(trial.train[:, None], np.repeat([0, 1], 100))
    assert model.models is models
    np.testing.assert_array_equal(model.predict_proba(trial.test[:, None])[:, 1], test_predictions.probability[:, code])
    assert sorted(set(fold)) == list(range(FOLDS))
    assert (predictions.rows == models.dev.table.rows[trial.train]).all()
    fit_rows = [FitRows(pipeline.saw) for pipeline in models.fitted.values()]
    assert FitLog.of(fit_rows, sealed=models.dev.table.rows[trial.test]) == FitLog(FOLDS + 1, 0)


def test_what_overstates_is_calibrated_on_both_sides():
    trial, _ = arm(family=lightgbm, settings={"rounds": 200, "learning_rate": 0.3, "min_data_in_leaf": 5})
    (predictions, _), (evidence, test_predictions) = trial.out_of_fold, trial.calibrated
    for raw, calibrated in ((predictions, evidence), (trial.tested, test_predictions)):
        assert sk.log_loss(raw.truth, calibrated.probability) < sk.log_loss(raw.truth, raw.probability)
        assert (calibrated.rows == raw.rows).all()


@pytest.mark.parametrize("costs", cost.BINARY)
def test_the_rival_is_told_the_same_costs(costs):
    _, _, task = made_up()
    task, code = with_cost(task, costs), task.positive_code
    y, decided = np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0])
    truth, codes = (np.where(a == 1, code, 1 - code) for a in (y, decided))
    assert cost.mean_cost(task)(y, decided) == task.costs()[truth, codes].mean()
    assert cost.mean_cost(task)(y, y) == 0
    fp, fn = cost.mean_cost(task)(y * 0, y * 0 + 1), cost.mean_cost(task)(y * 0 + 1, y * 0)
    assert costs == f"fp={fp:g},fn={fn:g}"


def test_the_rival_finds_the_signal_with_either_grid():
    trial, task = arm()
    task = with_cost(task)
    for thresholds in cost.TUNED.values():
        by_rival = {"rival": cost.tuned(trial, task, thresholds)}
        assert cost.relative_costs(task, trial.truth, by_rival)["rival"] < 1


def test_every_way_decides_every_row_and_none_beats_the_best_threshold():
    trial, task = arm()
    task = with_cost(task)
    decisions = dict(cost.decisions(trial, task))
    assert set(decisions) == set(cost.WAYS) - {cost.WEIGHTED}
    assert all(set(d) <= {0, 1} and len(d) == len(trial.test) for d in decisions.values())
    costs = cost.relative_costs(task, trial.truth, decisions)
    assert min(costs.values()) == costs[cost.BEST]
    # A signal as strong as this is worth something, and less to whoever does not ask what errors cost.
    assert costs[cost.SORTAL] < min(1.0, costs[cost.LIKELIEST])


def test_of_many_classes_the_costs_decide():
    trial, task = arm(3)
    ((cost_name, priced_task),) = cost.priced_tasks(task, 0)
    decisions = dict(cost.decisions(trial, priced_task))
    assert cost_name == cost.DRAWN
    assert set(decisions) == {cost.SORTAL, cost.RAW, cost.LIKELIEST, cost.WEIGHTED}
    assert all(set(d) <= {0, 1, 2} and len(d) == len(trial.test) for d in decisions.values())


def test_what_the_rival_cannot_tune_is_left_out_with_its_reason():
    notes: list[str] = []
    assert list(cost.measure(made_up(), [Candidate("majority", majority)], 1, notes)) == []
    assert len(notes) == len(cost.BINARY)
    assert "majority, 200 rows, split 0, fp=1,fn=5: " in notes[0]
    assert "constant predictions" in notes[0]


def test_a_table_is_measured_with_every_learner_size_split_and_cost():
    cells = list(cost.measure(made_up(rows=1600), [Candidate("logistic", logistic)], 2, []))
    keys = {(c.costs, c.learner, c.rows, c.few, c.split) for c in cells}
    sizes = ((1066, False), (cost.FEW, True))
    assert keys == {(b, "logistic", n, is_few, i) for b in cost.BINARY for n, is_few in sizes for i in range(2)}
    assert len(keys) == len(cells)


def test_drawn_costs_are_the_same_every_time_and_never_reward_an_error():
    for k in (3, 7):
        matrix = np.array(cost.random_costs(k, 1))
        assert cost.random_costs(k, 1) == cost.random_costs(k, 1) != cost.random_costs(k, 2)
        assert (np.diag(matrix) <= 0).all()
        assert (matrix[~np.eye(k, dtype=bool)] > 0).all()


def test_costs_are_counted_from_the_right_decisions_up_to_the_cheapest_constant_one():
    _, _, task = made_up()
    truth = np.array([0] * 8 + [1] * 2)
    matrix = ((-1.0, 1.0), (8.0, -3.0))
    task = replace(task, cost=matrix)
    decisions = {"right": truth, "never": truth * 0, "always": truth * 0 + 1, "half": np.array([0] * 9 + [1])}
    result = cost.relative_costs(task, truth, decisions)
    # Never costs 2 x 11 more than being right, always 8 x 2.
    assert result == pytest.approx({"right": 0.0, "never": 22 / 16, "always": 1.0, "half": 11 / 16})


def test_few_rows_are_taken_from_many_with_every_class():
    codes = np.repeat([0, 1], [1900, 100])
    train = np.arange(5_000, 7_000)
    (rows,) = cost.small(train, codes)
    assert len(rows) == cost.FEW
    assert set(rows) < set(train)
    assert (codes[rows - 5_000] == 1).sum() == 25
    assert list(cost.small(train[:900], codes[:900])) == []
    assert list(cost.small(train, np.repeat([0, 1], [1980, 20]))) == []


def test_tables_that_cannot_be_used_say_why():
    rare = pl.DataFrame({"x": range(60), "y": ["a"] * 55 + ["b"] * 5})
    assert "fewer than two classes" in str(cost.case("rare", rare, "y"))
    empty = pl.DataFrame({"y": ["a", "b"] * 40})
    assert "no column left" in str(cost.case("empty", empty, "y"))
    three = pl.DataFrame({"x": np.random.default_rng(0).normal(size=95), "y": ["a", "b", None] * 30 + ["c"] * 5})
    result = cost.case("three", three, "y")
    assert not isinstance(result, str)
    assert result[2].classes == ("a", "b")


def test_tables_are_paired_by_split_and_the_folder_by_table():
    cells = [
        *(cell("x", i, 0.5 + d, 0.6 + d) for i, d in enumerate([0.0, 0.1, 0.2])),
        *(cell("x", i, 0.5 + d, 0.6 + d, learner="lightgbm") for i, d in enumerate([0.3, 0.0, 0.1])),
        *(cell("y", i, 0.8, 0.7 + d) for i, d in enumerate([0.0, 0.01, -0.01])),
    ]
    x, y = cost.each_table(cells, "fp=1,fn=5", "tuned")
    assert x.difference.value == pytest.approx(-0.1)
    assert x.relative_costs["sortal"] == pytest.approx(0.5 + 0.7 / 6)
    assert (x.verdict, y.verdict) == ("won", "lost")
    # Nadeau & Bengio: variance times 1/3 + (1/3)/(2/3), and t with two degrees of freedom.
    assert y.difference.high - y.difference.value == pytest.approx(4.302653 * 0.01 * np.sqrt(1 / 3 + 1 / 2))
    total = cost.over_tables(cells, "fp=1,fn=5", "tuned")
    assert total.difference.value == pytest.approx(0.0)
    assert total.error == pytest.approx(0.1)
    assert total.tables == ("x", "y")


def test_the_rival_is_the_cheaper_setting():
    cells = [cell("x", i, 0.5, 0.6, 0.4) for i in range(2)] + [cell("y", i, 0.5, 0.6, 0.7) for i in range(2)]
    assert cost.rival_of(cells, "fp=1,fn=5") == "tuned, 1,000"
    assert cost.rival_of(cells, cost.DRAWN) == cost.LIKELIEST


@pytest.mark.parametrize(("gaps", "holds"), [((-0.1, 0.0), True), ((0.01, 0.03, 0.02), False), ((0.1, -0.09), True)])
def test_the_goal_falls_short_above_a_standard_error(gaps, holds):
    cells = [cell(f"table {i}", split, 0.5 + gap, 0.5) for i, gap in enumerate(gaps) for split in range(2)]
    result = cost.outcome(cells, [])
    assert [goal.holds for goal in result.goals] == [holds]
    assert result.holds is holds
    assert f"{np.mean(gaps):+.4f}" in result.goals[0].figure
    assert len({len(row) for row in (result.columns, *result.rows)}) == 1
    assert [f["of"] for f in result.figures].count("table") == len(gaps)
