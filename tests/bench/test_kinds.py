from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bench import _by_hand, kinds
from bench._outcome import Options
from bench.kinds import Case, Result
from sortal.core.interval import Estimate

WORDS = {"cat": ["meow", "purr", "fur"], "dog": ["bark", "tail", "fetch"]}


def texts(rows: int, seed: int) -> pl.DataFrame:
    """Two classes of which each has words of its own, and a number that says nothing."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(list(WORDS), rows)
    sentences = [
        " ".join([*rng.choice(["the", "a", "on", "it", "is"], 6), rng.choice(WORDS[label])]) for label in labels
    ]
    return pl.DataFrame({"text": sentences, "number": rng.normal(size=rows), "label": labels})


@pytest.fixture
def case() -> Case:
    return Case("pets", "label", {"text": "text", "number": "number"}, texts(120, 0), texts(80, 1))


def test_the_split_of_a_set_is_used_and_other_columns_are_left_out() -> None:
    frame = texts(100, 0).with_columns(split=pl.Series(["train", "dev", "test", "train", "train"] * 20))
    case = kinds.case_of("pets", frame, "label", "text", rows=1_000)
    assert case is not None
    assert case.kinds == {"text": "text"}
    assert (len(case.train), len(case.test)) == (80, 20)
    assert case.train.columns == ["text", "label"]


def test_a_table_keeps_its_columns_but_for_leaks() -> None:
    frame = texts(300, 0).with_columns(copy=pl.col("label").replace_strict({"cat": 1.5, "dog": 2.5}))
    case = kinds.case_of("pets", frame, "label", "tabular", rows=200)
    assert case is not None
    assert case.kinds == {"text": "text", "number": "number"}
    assert case.is_mixed
    assert case.without(["text"]).kinds == {"number": "number"}
    assert len(case.train) == pytest.approx(200, abs=2)
    assert kinds.case_of("numbers", frame.drop("text"), "label", "tabular", rows=200) is None


@pytest.mark.parametrize("baseline", [method for method in _by_hand.BASELINES if method.name.startswith("TF-IDF")])
def test_what_is_made_by_hand_learns_from_words_and_numbers(case: Case, baseline: _by_hand.Baseline) -> None:
    result = kinds.by_hand(case, baseline)
    assert result.accuracy.value > 0.95
    assert result.accuracy.value == result.macro_f1.value or result.accuracy.value < 1
    assert result.log_loss.value < 0.4
    assert kinds.by_hand(replace(case, kinds={"number": "number"}), baseline).accuracy.value < 0.7


def test_figures_are_those_of_the_rows(case: Case) -> None:
    p = np.full((80, 2), 0.5)
    truth = case.test["label"].to_numpy()
    p[:, 0] = np.where(truth == "dog", 0.8, 0.4)  # all are taken for what they are
    result = kinds.judged(case, "nobody", 1.0, ["dog", "cat"], p / p.sum(axis=1, keepdims=True))
    share = float((truth == "dog").mean())
    expected = -(share * np.log(0.8 / 1.3) + (1 - share) * np.log(0.5 / 0.9))
    assert result.log_loss.value == pytest.approx(expected)
    assert (result.accuracy.value, result.macro_f1.value) == (1.0, 1.0)


def results(**changes: object) -> list[Result]:
    sure, near = Estimate(0.9, 0.88, 0.92), Estimate(0.3, 0.28, 0.32)
    sortal_result = Result("text_sms_spam", "sortal", 50.0, sure, sure, near, f1=0.96)
    by_hand = Result("text_sms_spam", "hand", 5.0, Estimate(0.91), Estimate(0.9), Estimate(0.29), note="by hand")
    return [replace(sortal_result, **changes), by_hand]


@pytest.mark.parametrize(
    ("changes", "short"),
    [
        ({}, []),
        ({"f1": 0.94}, [0]),
        ({"accuracy": Estimate(0.9, 0.895, 0.905)}, [1]),
        ({"log_loss": Estimate(0.3, 0.295, 0.31)}, [2]),
        ({"seconds": 64.0}, [3]),
    ],
)
def test_each_goal_can_fall_short(changes: dict[str, object], short: list[int]) -> None:
    goals = kinds.outcome(results(**changes), 60.0).goals
    assert [i for i, goal in enumerate(goals) if not goal.holds] == short


def test_a_run_that_fails_is_named() -> None:
    goals = kinds.outcome(results(accuracy=None, log_loss=None, note="no memory"), 60.0).goals
    assert [(goal.figure, goal.holds) for goal in goals[:1]] == [("no memory", False)]


def test_what_a_text_adds_is_said() -> None:
    without = Result("text_sms_spam", kinds.WITHOUT, 50.0, Estimate(0.8), Estimate(0.8), Estimate(0.45, 0.4, 0.5))
    (note,) = kinds.outcome([*results(), without], 60.0).notes
    assert note.endswith("lower the log-loss by 0.1500, from .45 [.40 .50] to .30 [.28 .32]")


def test_a_run_that_is_refused_has_its_last_line_for_a_note(case: Case, tmp_path: Path) -> None:
    result = kinds.ours(
        replace(case, train=case.train[:0], test=case.test.with_columns(label=pl.lit("cat"))), 5.0, tmp_path / "run"
    )
    assert result.accuracy is None
    assert "has one class only" in result.note


def test_the_examples_are_the_small_cases() -> None:
    cases = list(kinds._cases(Options(fast=True)))
    assert [(case.name, sorted(set(case.kinds.values()))) for case in cases] == [
        ("digits", ["image"]),
        ("messages and length", ["number", "text"]),
    ]
