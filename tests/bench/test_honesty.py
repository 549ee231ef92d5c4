from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from bench._futures import GROUP, MEMBERS, Cell, Table, cells
from bench.honesty import Claim, claims_of, outcome
from sortal.core.interval import Estimate
from sortal.core.predictions import Predictions
from sortal.decide.policy import Decision
from sortal.evaluate.verification import Verification
from tests.bench.test_trip import RECORD

ROWS = 24_000


@pytest.fixture(scope="module")
def table() -> Table:
    rng = np.random.default_rng(0)
    x, colour = rng.normal(size=ROWS), rng.choice(["red", "green", "blue"], size=ROWS)
    yes = x + (colour == "red") + rng.normal(size=ROWS) > 1
    columns = {"row": np.arange(ROWS), "x": x, "colour": colour, "y": np.where(yes, "yes", "no")}
    return Table("made up", pl.DataFrame(columns), "y")


def cell(name: str) -> Cell:
    return next(c for c in cells() if c.name == name)


@pytest.mark.parametrize("name", [c.name for c in cells() if c.name != "few distinct rows"])
def test_a_sample_and_its_future_share_no_row(name, table):
    sample = cell(name).draw(table, np.random.default_rng(1))
    rows = sample.train.get_column("row") if "row" in sample.train.columns else sample.train.get_column("x")
    later = sample.future.get_column(rows.name)
    assert not rows.is_in(later.implode()).any()
    assert len(rows) >= 0.9 * cell(name).rows
    assert sample.target in sample.train.columns


@pytest.mark.parametrize("groups", [5, 20, 100])
def test_groups_come_whole_and_are_alike_within(groups, table):
    sample = cell(f"{groups} groups").draw(table, np.random.default_rng(1))
    assert not set(sample.train[GROUP]) & set(sample.future[GROUP])
    assert sample.train[GROUP].value_counts()["count"].to_list() == [MEMBERS] * groups
    rows = pl.concat([sample.train, sample.future])
    means = rows.group_by(GROUP).agg((pl.col("y") == "yes").mean().alias("share"))["share"]
    assert means.std() > 2 * np.sqrt(means.mean() * (1 - means.mean()) / MEMBERS)


def test_few_positives_few_distinct_rows_and_a_rare_class(table):
    rng = np.random.default_rng(2)
    rare = cell("2 % positives, a miss costs 30").draw(table, rng)
    assert (pl.concat([rare.train, rare.future])["y"] == "yes").mean() == pytest.approx(0.02, abs=0.001)
    coarse = cell("few distinct rows").draw(table, rng)
    assert coarse.train.drop("y").unique().height <= 3**3
    ten = cell("10 classes, one rare").draw(table, rng)
    shares = ten.train[ten.target].value_counts()["count"] / len(ten.train)
    assert len(shares) == 10
    assert shares.min() < 0.04 < 0.08 < shares.sort()[1]


def claims(kind: str, cell: str, holds: int, misses: int, **ends: float) -> list[Claim]:
    low, high = ends.get("low", 0.4), ends.get("high", 0.6)
    return [Claim(cell, "t", kind, 0.5, low, high, 0.5 if i < holds else 0.3) for i in range(holds + misses)]


def goal(items: list[Claim], words: str) -> bool:
    return next(g.holds for g in outcome(items, [], 1).goals if words in g.goal)


def test_intervals_are_judged_together_and_cell_by_cell():
    assert goal(claims("cost", "a", 380, 20), "cost: 93-97 %")
    assert not goal(claims("cost", "a", 360, 40), "cost: 93-97 %")
    assert not goal(claims("cost", "a", 400, 0), "cost: 93-97 %")
    uneven = claims("cost", "a", 800, 10) + claims("cost", "b", 80, 20)
    assert not goal(uneven, "no cell below 90 %")
    assert "falls short: cost in b: 80 of 100 (80.0 %)" in outcome(uneven, [], 1).notes


def test_promises_are_judged_by_what_was_broken():
    assert goal(claims("certificate", "a", 90, 10), "certificates broken")
    assert not goal(claims("certificate", "a", 80, 20), "certificates broken")
    false_claims = [Claim("nothing to learn", "t", "clearly better", 1.0, 0.0, 2.0, -1.0)]
    silent_claims = [Claim("nothing to learn", "t", "clearly better", 0.0, -1.0, 1.0, -1.0)]
    assert not goal(false_claims * 10 + silent_claims * 90, "falsely")
    assert goal(false_claims * 2 + silent_claims * 98, "falsely")
    sets = [Claim("sets", "t", "coverage of sets", 0.9, 0.8, 1.0, true) for true in (0.88, 0.9, 0.92)]
    assert goal(sets * 10, "sets within one point")
    assert not goal([Claim("sets", "t", "coverage of sets", 0.9, 0.8, 1.0, 0.85)] * 10, "sets within one point")


def test_a_figure_that_says_nothing_is_counted_and_not_judged():
    silent_claims = [Claim("a", "t", "cost", None, None, None, 0.5)] * 5
    anything = [Claim("a", "t", "cost", None, 0.0, 1.0, 0.5)] * 2
    rows = outcome(claims("cost", "a", 95, 5) + silent_claims, [], 1).rows
    assert rows == [["cost", "a", "95 of 100 (95.0 %)", "5", "+0.0100", "+0.2000"]]
    assert outcome(claims("cost", "a", 95, 5) + anything, [], 1).rows[0][2:4] == ["95 of 100 (95.0 %)", "2"]


def test_every_row_of_the_leaderboard_is_held_against_its_own_model():
    truth = np.repeat([0, 1], 50)
    probability, other = (np.where(np.eye(2)[truth] == 1, p, 1 - p) for p in (0.7, 0.6))
    future = Predictions(("no", "yes"), np.arange(100), truth, probability, "fresh")
    model = SimpleNamespace(decision=Decision("argmax", ("no", "yes"), "yes"))
    record = replace(RECORD, split=replace(RECORD.split, prevalence={"train": (0.5, 0.5)}), test=None)
    predictions = {"logistic": replace(future, probability=other)}
    by_kind = {kind: figures for kind, *figures in claims_of(record, model, future, predictions)}
    winner, logistic = record.leaderboard
    assert by_kind["leaderboard, the chosen: corrected for the choice"] == [
        *(winner.score.value, winner.score.low, winner.score.high),
        pytest.approx(-np.log(0.7)),
    ]
    assert by_kind["leaderboard, another candidate"] == [
        *(logistic.score.value, logistic.score.low, logistic.score.high),
        pytest.approx(-np.log(0.6)),
    ]
    assert "leaderboard, another candidate" not in {kind for kind, *_ in claims_of(record, model, future)}


def test_averages_over_classes_are_about_those_that_the_test_has_rows_of():
    """By hand: every row is of its likeliest class but those of c, which the test has none of."""
    truth = np.repeat([0, 1, 2], 10)
    probability = np.eye(3)[np.minimum(truth, 1)] * 0.7 + 0.1
    future = Predictions(("a", "b", "c"), np.arange(30), truth, probability, "fresh")
    model = SimpleNamespace(decision=Decision("argmax", ("a", "b", "c")))
    task = replace(RECORD.task, classes=("a", "b", "c"), positive=None, prevalence=(0.4, 0.4, 0.2), cost=None)
    scores = {name: Estimate(0.5, 0.4, 0.6) for name in ("balanced_accuracy", "accuracy")}
    record = replace(
        RECORD,
        task=task,
        test=scores,
        split=replace(RECORD.split, prevalence={"train": (0.4, 0.4, 0.2)}),
        verification=Verification(20, absent=("c",)),
        per_class=(),
    )
    truths = {kind: true for kind, _, _, _, true in claims_of(record, model, future)}
    assert truths["test: balanced_accuracy"] == 1.0
    assert truths["test: accuracy"] == pytest.approx(2 / 3)
    record = replace(record, verification=Verification(30))
    truths = {kind: true for kind, _, _, _, true in claims_of(record, model, future)}
    assert truths["test: balanced_accuracy"] == pytest.approx(2 / 3)
