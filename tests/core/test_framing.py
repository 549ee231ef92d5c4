from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.errors import OptionError, TaskError
from sortal.core.framing import encode, frame_task, label_type_of
from sortal.core.labels import code_of, in_order


def series(**counts: int) -> pl.Series:
    return pl.Series([name for name, count in counts.items() for _ in range(count)], dtype=pl.String)


def test_the_rarer_class_is_positive_and_the_reasons_say_so():
    task = frame_task(series(yes=88, no=12), target="y")
    assert task.classes == ("no", "yes")
    assert task.positive == "no"
    assert task.prevalence == (0.12, 0.88)
    assert "'no', the rarer one (12.0%" in task.reasons[0]
    assert frame_task(series(yes=88, no=12), target="y", positive="yes").positive == "yes"
    assert frame_task(series(yes=5, no=5), target="y").positive == "yes"
    assert frame_task(series(a=5, b=5, c=5), target="y").positive is None


def test_numbers_are_ordered_as_numbers_and_words_as_words():
    assert in_order(["10", "2", "-1", "2"]) == ("-1", "2", "10")
    assert in_order(["10", "2", "b"]) == ("10", "2", "b")


@given(st.lists(st.text(max_size=3), min_size=1, max_size=20), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_the_order_of_classes_does_not_depend_on_the_order_of_rows(labels, random):
    shuffled = list(labels)
    random.shuffle(shuffled)
    assert in_order(labels) == in_order(shuffled)
    assert set(in_order(labels)) == set(labels)


def test_the_headline_follows_the_situation():
    balanced = frame_task(series(a=50, b=60), target="y")
    assert balanced.headline[:3] == ("accuracy", "balanced_accuracy", "roc_auc")
    skewed = frame_task(series(a=90, b=10), target="y")
    assert skewed.headline[:2] == ("average_precision", "recall_at_precision")
    assert any("always saying 'a' has 0.900" in reason for reason in skewed.reasons)
    costly = frame_task(series(a=90, b=10), target="y", cost="fp=1,fn=12")
    assert costly.headline[0] == "expected_cost"
    assert costly.goal == "cost"
    assert any("a missed 'b' costs as much as 12 false alarms" in reason for reason in costly.reasons)
    many = frame_task(series(a=90, b=10, c=5), target="y")
    assert "recall_at_precision" not in many.headline
    assert {t.metric for t in (balanced, skewed, costly, many)} == {"log_loss"}


def test_a_metric_can_be_told():
    task = frame_task(series(a=50, b=60), target="y", metric="brier")
    assert task.metric == "brier"
    assert "brier" in task.headline
    assert any("brier, as told" in reason for reason in task.reasons)


@pytest.mark.parametrize(
    ("counts", "options", "complaint"),
    [
        ({"a": 5, "b": 5}, {"metric": "brierr"}, "did you mean 'brier'"),
        ({"a": 5, "b": 5, "c": 5}, {"metric": "recall_at_precision"}, "for two classes"),
        ({"a": 5, "b": 5}, {"metric": "expected_cost"}, "needs costs"),
        ({"a": 5, "b": 5, "c": 5}, {"goal": "f1"}, "needs two classes"),
        ({"a": 5, "b": 5}, {"goal": "f1", "cost": "fp=1,fn=2"}, "two different goals"),
    ],
)
def test_options_that_do_not_fit_are_refused(counts, options, complaint):
    with pytest.raises(OptionError, match=complaint):
        frame_task(series(**counts), target="y", **options)


@pytest.mark.parametrize(
    ("labels", "options", "complaint"),
    [
        ([None] * 7, {}, "all 7 rows are missing"),
        (["a"] * 9 + [None], {}, "one class only ('a' in 9 rows)"),
        (["a"], {}, "one class only"),
        ([f"id{i}" for i in range(50)], {}, "looks like an id"),
        (["a"] * 9 + ["x"], {}, "class 'x' has one row: it cannot be both learned and tested"),
        (["a"] * 30 + ["v", "w", "x", "y", "z"], {}, "classes 'v', 'w', 'x' and 2 more have one row each"),
        ([f"{i / 7:.3f}" for i in range(200)] * 2, {}, "looks continuous: 200 distinct numbers in 400 rows"),
        ([str(i) for i in range(100)] * 3, {}, "bins cut at its quartiles 24.75, 49.5, 74.25"),
        (["no", "yes"] * 5, {"positive": "ye"}, "did you mean 'yes'"),
        (["a", "b", "c"] * 5, {"positive": "a"}, "a positive class needs two classes"),
        (["no", "yes"] * 5, {"cost": "fp=1"}, "the cost of fn is not given"),
    ],
)
def test_targets_that_cannot_be_learned_are_refused_in_one_sentence(labels, options, complaint):
    with pytest.raises(TaskError) as refused:
        frame_task(pl.Series(labels, dtype=pl.String), target="y", **options)
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_numbers_that_name_something_are_classes():
    digits = pl.Series([str(d) for d in range(10)] * 30)
    assert len(frame_task(digits, target="digit", label_type="int").classes) == 10
    hundred = pl.Series([str(d) for d in range(100)] * 16)
    assert frame_task(hundred, target="plant", label_type="int").label(2) == 2
    stars = pl.Series(["0.5", "1.0", "1.5", "2.0"] * 10)
    assert frame_task(stars, target="stars", label_type="float").label(0) == 0.5


@given(st.lists(st.sampled_from(["no", "yes", None]), min_size=1, max_size=40))
@settings(deadline=None, max_examples=60)
def test_codes_lead_back_to_labels(labels):
    task = frame_task(series(no=5, yes=5), target="y")
    codes = encode(pl.Series(labels, dtype=pl.String), task)
    assert codes.dtype == np.int64
    assert [None if code == -1 else task.label(code) for code in codes] == labels


def test_an_unknown_label_is_refused():
    task = frame_task(series(no=5, yes=5), target="y")
    with pytest.raises(TaskError, match=r"'y' holds 'yess', .* \(2 rows .* did you mean 'yes'"):
        encode(pl.Series(["yes", "yess", "maybe", None]), task)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([True], "bool"), ([1], "int"), ([1.5], "float"), (["a"], "str"), ([b"x"], "str")],
)
def test_label_types_follow_the_column(values, expected):
    assert label_type_of(pl.Series(values).dtype) == expected


def test_a_label_is_found_as_a_person_writes_it():
    assert code_of(1, ("0", "1")) == code_of("1", ("0", "1")) == code_of(1.0, ("0.0", "1.0")) == 1
    assert code_of(np.True_, ("false", "true")) == 1
    assert code_of("1", ("01", "001")) is None
    assert code_of("x", ("a", "b")) is None
