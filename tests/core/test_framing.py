from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sortal.core.costs import CostColumn
from sortal.core.errors import OptionError, TaskError
from sortal.core.framing import encode, frame_task, label_type_of, lone_classes
from sortal.core.labels import code_of, in_order, number
from sortal.core.option_values import parse_capacity
from sortal.core.recipe import Recipe
from sortal.core.sheets import GoalOptions
from sortal.core.task import Capacity, Promise


def series(**counts: int) -> pl.Series:
    return pl.Series([name for name, count in counts.items() for _ in range(count)], dtype=pl.String)


def test_the_rarer_class_is_positive_and_the_reasons_say_so():
    task = frame_task(series(yes=88, no=12), GoalOptions("y"))
    assert task.classes == ("no", "yes")
    assert task.positive == "no"
    assert task.prevalence == (0.12, 0.88)
    assert "'no', the rarer one (12 %" in task.reasons[0]
    assert frame_task(series(yes=88, no=12), GoalOptions("y", positive="yes")).positive == "yes"
    assert frame_task(series(yes=5, no=5), GoalOptions("y")).positive == "yes"
    assert frame_task(series(a=5, b=5, c=5), GoalOptions("y")).positive is None


def test_numbers_are_ordered_as_numbers_and_words_as_words():
    assert in_order(["10", "2", "-1", "2"]) == ("-1", "2", "10")
    assert in_order(["10", "2", "b"]) == ("10", "2", "b")


@settings(max_examples=60)
@example("1_0")
@example("\u0661")
@given(st.text("0123456789.-+eE_ infa\u0661", max_size=6))
def test_a_label_is_a_number_where_a_column_of_numbers_has_one(text):
    value = pl.Series([text.strip()]).cast(pl.Float64, strict=False).item()
    assert number(text) == (value if value is not None and np.isfinite(value) else None)


@given(st.lists(st.text(max_size=3), min_size=1, max_size=20), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_the_order_of_classes_does_not_depend_on_the_order_of_rows(labels, random):
    shuffled_labels = list(labels)
    random.shuffle(shuffled_labels)
    assert in_order(labels) == in_order(shuffled_labels)
    assert set(in_order(labels)) == set(labels)


def test_the_headline_follows_the_situation():
    balanced_task = frame_task(series(a=50, b=60), GoalOptions("y"))
    assert balanced_task.headline[:3] == ("accuracy", "balanced_accuracy", "roc_auc")
    skewed_task = frame_task(series(a=90, b=10), GoalOptions("y"))
    assert skewed_task.headline[:2] == ("average_precision", "recall_at_precision")
    assert any("always saying 'a' has .900" in reason for reason in skewed_task.reasons)
    costly_task = frame_task(series(a=90, b=10), GoalOptions("y", cost="fp=1,fn=12"))
    assert costly_task.headline[0] == "expected_cost"
    assert costly_task.goal == "cost"
    assert any("a missed 'b' costs as much as 12 false alarms" in reason for reason in costly_task.reasons)
    multiclass_task = frame_task(series(a=90, b=10, c=5), GoalOptions("y"))
    assert "recall_at_precision" not in multiclass_task.headline
    assert {t.metric for t in (balanced_task, skewed_task, costly_task, multiclass_task)} == {"log_loss"}


def test_a_metric_can_be_told():
    task = frame_task(series(a=50, b=60), GoalOptions("y", metric="brier"))
    assert task.metric == "brier"
    assert "brier" in task.headline
    assert any("Brier score, as told" in reason for reason in task.reasons)


@pytest.mark.parametrize(
    ("counts", "options", "complaint"),
    [
        ({"a": 5, "b": 5}, {"metric": "brierr"}, "did you mean 'brier'"),
        ({"a": 5, "b": 5, "c": 5}, {"metric": "recall_at_precision"}, "for two classes"),
        ({"a": 5, "b": 5}, {"metric": "expected_cost"}, "needs costs"),
        ({"a": 5, "b": 5, "c": 5}, {"f1": True}, "needs two classes"),
        ({"a": 5, "b": 5, "c": 5}, {"precision": 0.9}, "a promise .* needs two classes; the target 'y' has 3"),
        ({"a": 5, "b": 5, "c": 5}, {"capacity": "5%"}, "a capacity needs two classes"),
    ],
)
def test_options_that_do_not_fit_are_refused(counts, options, complaint):
    with pytest.raises(OptionError, match=complaint):
        frame_task(series(**counts), GoalOptions("y", **options))


@pytest.mark.parametrize(
    "options",
    [
        {"f1": True, "cost": "fp=1,fn=2"},
        {"f1": True, "cost": "fp=1", "cost_column": ("fn=amount",)},
        {"f1": True, "reject_cost": 0.2},
        {"f1": True, "precision": 0.9},
        {"f1": True, "capacity": "500"},
        {"capacity": "5%", "recall": 0.9},
        {"capacity": "5%", "reject_cost": 0.2, "cost": "fp=1,fn=2"},
        {"fpr": 0.01, "reject_cost": 0.2},
    ],
)
def test_goals_that_contradict_each_other_are_refused_in_one_sentence(options):
    with pytest.raises(OptionError, match=r"^.* and .* are two different goals; give one of them$") as excinfo:
        frame_task(series(a=50, b=50), GoalOptions("y", **options))
    assert "\n" not in str(excinfo.value)


def test_a_reject_without_costs_makes_every_error_cost_one():
    task = frame_task(series(a=5, b=5, c=5), GoalOptions("y", reject_cost=0.2))
    assert (task.goal, task.reject_cost) == ("cost", 0.2)
    assert task.cost == ((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0))
    assert task.costs().shape == (3, 4)
    assert "leaving a row to a person costs .2" in task.reasons[-1]


def test_costs_in_columns_become_part_of_the_task():
    task = frame_task(series(no=9, yes=5), GoalOptions("y", cost="fp=1,tp=-2", cost_column=("fn=amount",)))
    assert task.cost_columns == (CostColumn(1, 0, "amount"),)
    assert task.cost == ((0.0, 1.0), (0.0, -2.0))
    assert task.costs(np.array([[7.0], [9.0]]))[:, 1, 0].tolist() == [7, 9]
    assert "with costs from 'amount' in each row" in task.reasons[-1]
    with pytest.raises(TaskError, match="the cost of fp is not given"):
        frame_task(series(no=9, yes=5), GoalOptions("y", cost_column=("fn=amount",)))


def test_benefits_count_in_what_a_miss_is_said_to_cost():
    task = frame_task(series(no=9, yes=5), GoalOptions("y", cost="fp=1,fn=8,tp=-20"))
    assert task.costs().tolist() == [[0, 1], [8, -20]]
    assert "a missed 'yes' costs as much as 28 false alarms" in task.reasons[-1]


def test_a_promise_says_what_is_kept_and_how_surely():
    options = GoalOptions("y", precision=0.9, fpr=0.05, confidence=0.9, cost="fp=1,fn=8")
    task = frame_task(series(no=90, yes=10), options)
    assert task.goal == "promise"
    assert task.promise == Promise(precision=0.9, fpr=0.05, confidence=0.9)
    assert task.promises
    assert task.cost == ((0.0, 1.0), (8.0, 0.0))
    assert task.headline[:2] == ("precision", "fpr")
    assert task.reasons[-1].startswith("precision >= .9 and false positive rate <= .05 of 'yes' is promised")
    assert "90 % confidence" in task.reasons[-1]
    assert not frame_task(series(no=90, yes=10), GoalOptions("y", confidence=0.9)).promises


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({}, "85/15"),
        ({"capacity": "5%"}, "85/15"),
        ({"precision": 0.9}, "65/20/15"),
        ({"recall": 0.9}, "65/20/15"),
        ({"fpr": 0.1}, "65/20/15"),
        ({"sets": 0.9}, "65/20/15"),
        ({"sets": 0.9, "split": "50/25/25"}, "50/25/25"),
    ],
)
def test_what_is_promised_has_rows_of_its_own_to_be_proven_on(options, parts):
    recipe = Recipe.of("y", **options)
    assert recipe.parts == parts
    assert recipe.goal.promises == frame_task(series(no=90, yes=10), recipe.goal).promises == (parts.count("/") == 2)


@pytest.mark.parametrize("name", ["precision", "recall", "fpr", "confidence", "sets"])
@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 90.0, float("nan")])
def test_a_promise_that_is_no_share_is_refused(name, value):
    with pytest.raises(OptionError, match=f"{name} .* is no share between 0 and 1"):
        Recipe.of("y", **{name: value})


@pytest.mark.parametrize(
    "options", [{"f_beta": 0.0}, {"f_beta": float("inf")}, {"reject_cost": -1.0}, {"reject_cost": float("nan")}]
)
def test_weights_and_costs_that_are_none_are_refused(options):
    with pytest.raises(OptionError, match=r"should be a number|weighs nothing|is no cost"):
        Recipe.of("y", **options)


def test_a_recipe_with_promises_is_read_as_it_was_written():
    recipe = Recipe.of(
        "y",
        cost="fp=1,tp=-2",
        cost_column=("fn=amount",),
        precision=0.9,
        recall=0.5,
        fpr=0.1,
        confidence=0.9,
        sets=0.8,
        f_beta=2.0,
        capacity="5%",
        reject_cost=0.5,
    )
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    with pytest.raises(OptionError, match="precision 9 is no share"):
        Recipe.from_toml("target = 'y'\nprecision = 9.0")


def test_f_beta_is_said_and_reported():
    task = frame_task(series(no=90, yes=10), GoalOptions("y", f_beta=2.0))
    assert (task.goal, task.beta, task.headline[0]) == ("f1", 2.0, "fbeta")
    assert "F2 of 'yes', where recall weighs 2 times as much as precision" in task.reasons[-1]
    plain = frame_task(series(no=90, yes=10), GoalOptions("y", f1=True))
    assert plain.headline[0] == "f1"
    assert "weighs" not in plain.reasons[-1]


def test_a_capacity_is_a_count_or_a_share():
    count_task = frame_task(series(no=90, yes=10), GoalOptions("y", capacity="20"))
    assert (count_task.goal, count_task.capacity) == ("capacity", Capacity(0.2, 20))
    assert "decided for 20 rows at once, where it is most probable" in count_task.reasons[-1]
    share_task = frame_task(series(no=90, yes=10), GoalOptions("y", capacity="5%", cost="fp=1,fn=8"))
    assert share_task.capacity == Capacity(0.05)
    assert "decided for 5 % of the rows, where it spares the largest cost" in share_task.reasons[-1]
    assert {"precision", "recall", "expected_cost"} <= set(share_task.headline)


@pytest.mark.parametrize(
    ("value", "capacity"),
    [("5 %", Capacity(0.05)), (0.05, Capacity(0.05)), ("1", Capacity(0.01, 1)), (1e3, Capacity(1.0, 1000))],
)
def test_capacities_as_people_write_them(value, capacity):
    assert parse_capacity(value, 100) == capacity


@pytest.mark.parametrize("value", ["0", "-5", "2.5", "0%", "150%", "many", "nan", "inf", ""])
def test_capacities_that_are_none(value):
    with pytest.raises(OptionError, match="no number of rows and no share"):
        parse_capacity(value, 100)


@pytest.mark.parametrize(
    ("labels", "options", "complaint"),
    [
        ([None] * 7, {}, "all 7 rows are missing"),
        (["a"] * 9 + [None], {}, "one class only ('a' in 9 rows)"),
        (["a"], {}, "one class only"),
        ([f"id{i}" for i in range(50)], {}, "looks like an id"),
        (["a"] * 9 + ["x"], {}, "class 'x' of the target 'y' has one row, which cannot be both learned and tested"),
        ([f"{i / 7:.3f}" for i in range(200)] * 2, {}, "looks continuous: 200 distinct numbers in 400 rows"),
        ([str(i) for i in range(100)] * 3, {}, "bins cut at its quartiles 24.75, 49.5, 74.25"),
        (["no", "yes"] * 5, {"positive": "ye"}, "did you mean 'yes'"),
        (["a", "b", "c"] * 5, {"positive": "a"}, "a positive class needs two classes"),
        (["no", "yes"] * 5, {"cost": "fp=1"}, "the cost of fn is not given"),
    ],
)
def test_targets_that_cannot_be_learned_are_refused_in_one_sentence(labels, options, complaint):
    with pytest.raises(TaskError) as excinfo:
        frame_task(pl.Series(labels, dtype=pl.String), GoalOptions("y", **options))
    assert complaint in str(excinfo.value)
    assert "\n" not in str(excinfo.value)


@pytest.mark.parametrize(
    ("names", "rows", "complaint"),
    [
        (["a", "b", *"cdefghi"], 10, ""),  # nine of ten differ
        ([*"abcdefghij"], 11, "looks like an id"),
        ([str(i) for i in range(21)], 210, ""),  # ten rows of each number
        ([str(i) for i in range(21)], 209, "looks continuous"),
        ([f"{i}.5" for i in range(20)], 60, ""),  # twenty numbers may have fractions
        ([f"{i}.5" for i in range(21)], 2_100, "looks continuous"),
        ([*(f"{i}.5" for i in range(30)), "none"], 90, ""),  # one of them is no number
    ],
)
def test_how_many_names_are_too_many_for_classes(names, rows, complaint):
    message = ""
    try:
        frame_task(pl.Series([names[i % len(names)] for i in range(rows)]), GoalOptions("y"))
    except TaskError as error:
        message = str(error)
    assert [words for words in ("looks like an id", "looks continuous") if words in message] == [complaint][
        : len(complaint)
    ]


def test_classes_of_one_row_are_told_where_two_others_are_left():
    assert lone_classes("y", pl.Series(["b"] * 5 + ["a", "c", "d", "c"])) == ["a", "d"]
    assert lone_classes("y", pl.Series(["b"] * 5 + ["c", None, "c"])) == []


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (["a"] * 9 + ["x"], "class 'x' of the target 'y' has one row"),
        (["a"] * 9 + ["x", "z"], "class 'x' of the target 'y' has one row"),
        ([f"id{i}" for i in range(50)], "looks like an id"),
        ([f"id{i}" for i in range(96)] + ["a", "a", "b", "b"], "looks like an id"),
        ([None] * 7, "all 7 rows are missing"),
    ],
)
def test_where_two_are_not_left_the_target_is_refused(labels, complaint):
    with pytest.raises(TaskError, match=complaint):
        lone_classes("y", pl.Series(labels, dtype=pl.String))


def test_numbers_that_name_something_are_classes():
    digits = pl.Series([str(d) for d in range(10)] * 30)
    assert len(frame_task(digits, GoalOptions("digit"), label_type="int").classes) == 10
    hundred = pl.Series([str(d) for d in range(100)] * 16)
    assert frame_task(hundred, GoalOptions("plant"), label_type="int").label(2) == 2
    stars = pl.Series(["0.5", "1.0", "1.5", "2.0"] * 10)
    assert frame_task(stars, GoalOptions("stars"), label_type="float").label(0) == 0.5


@given(st.lists(st.sampled_from(["no", "yes", None]), min_size=1, max_size=40))
@settings(max_examples=60)
def test_codes_lead_back_to_labels(labels):
    task = frame_task(series(no=5, yes=5), GoalOptions("y"))
    codes = encode(pl.Series(labels, dtype=pl.String), task)
    assert codes.dtype == np.int64
    assert [None if code == -1 else task.label(code) for code in codes] == labels


def test_an_unknown_label_is_refused():
    task = frame_task(series(no=5, yes=5), GoalOptions("y"))
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
    assert code_of("1_0", ("5", "10")) is None
    assert code_of("Ko\u0308ln", ("Bonn", "K\u00f6ln")) == code_of("K\u00f6ln", ("Bonn", "Ko\u0308ln")) == 1
    assert code_of("Ko\u0308ln", ("K\u00f6ln", "Ko\u0308ln")) == 1
    assert code_of("x", ("a", "b")) is None
