from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.cost_notation import names_a_file, parse_cost, parse_cost_columns
from sortal.core.costs import CostColumn
from sortal.core.errors import TaskError

YES_NO = ("no", "yes")
ABC = ("a", "b", "c")


@pytest.mark.parametrize("cost", ["fp=1,fn=8", " FN = 8 , fp = 1 ", {"fp": 1, "fn": 8}, {"fn": 8.0, "fp": 1}])
def test_two_errors_fill_the_matrix(cost):
    assert parse_cost(cost, YES_NO, "yes") == ((0.0, 1.0), (8.0, 0.0))
    assert parse_cost(cost, YES_NO, "no") == ((0.0, 8.0), (1.0, 0.0))


@given(fp=st.floats(0, 1e6), fn=st.floats(0.001, 1e6), code=st.integers(0, 1))
@settings(max_examples=40)
def test_the_cost_of_each_error_stands_where_it_happens(fp, fn, code):
    matrix = parse_cost(f"fp={fp!r},fn={fn!r}", YES_NO, YES_NO[code])
    assert matrix[1 - code][code] == fp
    assert matrix[code][1 - code] == fn
    assert matrix[0][0] == matrix[1][1] == 0


@pytest.mark.parametrize(
    ("cost", "complaint"),
    [
        ("fp=1", "the cost of fn is not given"),
        ({}, "the cost of fp and fn is not given"),
        ("fp=1,fn=8,fx=2", "no outcome is called 'fx'"),
        ("fp=1,fp=2,fn=1", "fp is given twice"),
        ("fp=-1,fn=8", "the cost of fp is negative"),
        ("fp=nan,fn=8", "the cost of fp is nan"),
        ("fp=inf,fn=8", "the cost of fp is inf"),
        ("fp=cheap,fn=8", "'cheap', which is not a number"),
        ({"fp": None, "fn": 8}, "None, which is not a number"),
        ("fp=0,fn=0", "every decision costs the same"),
        ("fp:1", "neither like fp=1,fn=8 nor a file"),
        ({"no": {"yes": 1}, "yes": 3}, "no outcome is called 'no'"),
    ],
)
def test_bad_costs_of_two_classes_are_refused_in_one_sentence(cost, complaint):
    with pytest.raises(TaskError) as excinfo:
        parse_cost(cost, YES_NO, "yes")
    assert complaint in str(excinfo.value)
    assert "\n" not in str(excinfo.value)


@pytest.mark.parametrize("positive", YES_NO)
def test_being_right_may_have_a_cost_or_a_benefit(positive):
    matrix = parse_cost("fp=1,fn=8,tp=-20,TN=0.5", YES_NO, positive)
    code = YES_NO.index(positive)
    assert matrix[code][code] == -20
    assert matrix[1 - code][1 - code] == 0.5
    assert (matrix[1 - code][code], matrix[code][1 - code]) == (1, 8)
    assert parse_cost({"tp": -20, "fp": 0, "fn": 0}, YES_NO, "yes") == ((0.0, 0.0), (0.0, -20.0))


def test_many_classes_may_have_benefits():
    table = {"a": {"a": -5, "b": 1, "c": 2}, "b": {"a": 1, "c": 1}, "c": {"a": 5, "b": 1, "c": -1}}
    assert parse_cost(table, ABC, None) == ((-5.0, 1.0, 2.0), (1.0, 0.0, 1.0), (5.0, 1.0, -1.0))


@pytest.mark.parametrize("cost", ["fp=1,fn=-8", {"fp": -0.5, "fn": 8, "tp": -20}])
def test_a_benefit_belongs_to_a_right_decision(cost):
    with pytest.raises(TaskError, match=r"it is an error; give a benefit to the right decision, for example tp=-20"):
        parse_cost(cost, YES_NO, "yes")


@pytest.mark.parametrize("cost", ["fp=0,fn=3,tp=3", "fp=2,fn=-0,tn=2,tp=0"])
def test_costs_that_no_decision_changes_are_refused(cost):
    with pytest.raises(TaskError, match="every decision costs the same"):
        parse_cost(cost, YES_NO, "yes")


@pytest.mark.parametrize("positive", YES_NO)
def test_columns_are_found_by_outcome(positive):
    code = YES_NO.index(positive)
    columns = parse_cost_columns(["fn=amount", " tp = gain "], YES_NO, positive)
    assert columns == (CostColumn(code, 1 - code, "amount"), CostColumn(code, code, "gain"))
    assert parse_cost_columns([f"{positive}/{YES_NO[1 - code]}=amount"], YES_NO, positive) == columns[:1]


def test_columns_are_found_by_class_and_may_hold_any_sign_of_their_name():
    columns = parse_cost_columns(["a / c=loss (a=c)", "c/c=gain/loss"], ABC, None)
    assert columns == (CostColumn(0, 2, "loss (a=c)"), CostColumn(2, 2, "gain/loss"))
    assert parse_cost_columns([], ABC, None) == ()


@pytest.mark.parametrize(
    ("options", "classes", "complaint"),
    [
        (["amount"], YES_NO, "'amount' should read fn=COLUMN"),
        (["fn="], YES_NO, "'fn=' should read fn=COLUMN"),
        (["fm=amount"], YES_NO, "no outcome is called 'fm'"),
        (["=amount"], YES_NO, "no outcome is called ''"),
        (["fn=a", "FN=b"], YES_NO, "told by two columns, 'a' and 'b'"),
        (["fn=a", "yes/no=b"], YES_NO, "told by two columns, 'a' and 'b'"),
        (["fn=amount"], ABC, "the target has 3"),
        (["a/d=amount"], ABC, "a class 'd' that the target does not have"),
    ],
)
def test_bad_columns_are_refused_in_one_sentence(options, classes, complaint):
    with pytest.raises(TaskError) as excinfo:
        parse_cost_columns(options, classes, "yes" if classes == YES_NO else None)
    assert complaint in str(excinfo.value)
    assert "\n" not in str(excinfo.value)


def test_what_a_column_tells_is_left_out_of_the_matrix():
    columns = parse_cost_columns(["fn=amount"], YES_NO, "yes")
    assert parse_cost("fp=1", YES_NO, "yes", columns) == ((0.0, 1.0), (0.0, 0.0))
    both = parse_cost_columns(["fn=amount", "fp=effort"], YES_NO, "yes")
    assert parse_cost({}, YES_NO, "yes", both) == ((0.0, 0.0), (0.0, 0.0))
    with pytest.raises(TaskError, match="the cost of fp is not given"):
        parse_cost({}, YES_NO, "yes", columns)
    with pytest.raises(TaskError, match="the cost of fn is told by a number and by a column"):
        parse_cost("fp=1,fn=8", YES_NO, "yes", columns)
    with pytest.raises(TaskError, match=r"the costs lack deciding 'c' where 'a' is true \(errors without a cost: 5\)"):
        parse_cost({}, ABC, None, parse_cost_columns(["a/b=amount"], ABC, None))


@pytest.mark.parametrize(
    ("cost", "file"),
    [("costs", True), ("a=b.csv", True), (Path("fp=1"), True), ("fp=1", False), ({"fp": 1}, False), (None, False)],
)
def test_the_path_of_a_file_is_told_from_costs(cost, file):
    assert names_a_file(cost) is file


def test_fp_and_fn_need_two_classes():
    with pytest.raises(TaskError, match="the target has 3"):
        parse_cost("fp=1,fn=8", ABC, None)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_may_be_in_any_order(tmp_path: Path, delimiter: str):
    lines = ["true,c,a,b", "b,1,2,0", "", "a,3,,4", "c,,5,6"]
    path = tmp_path / "costs.csv"
    path.write_text("\ufeff" + "\r\n".join(lines).replace(",", delimiter), encoding="utf-8")
    expected = ((0.0, 4.0, 3.0), (2.0, 0.0, 1.0), (5.0, 6.0, 0.0))
    assert parse_cost(str(path), ABC, None) == expected
    assert parse_cost(path, ABC, None) == expected
    nested = {"c": {"b": 6, "a": 5}, "a": {"c": 3, "b": 4}, "b": {"c": 1, "a": 2, "b": 0}}
    assert parse_cost(nested, ABC, None) == expected


def test_labels_are_matched_as_people_write_them():
    assert parse_cost({True: {False: 8}, False: {True: 1}}, ("false", "true"), "true") == (
        (0.0, 1.0),
        (8.0, 0.0),
    )
    assert parse_cost({1: {2.0: 3}, 2: {1: 4}}, ("1", "2"), "2") == ((0.0, 3.0), (4.0, 0.0))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("true,a,b,c\na,0,1,2\nb,1,0,2\n", "the costs lack deciding 'a' where 'c' is true"),
        ("true,a,b,x\na,0,1,2\n", "a class 'x' that the target does not have"),
        ("true,a,b,c\na,0,1\n", "row 2"),
        ("true,a,b,c\n", "need a header"),
        ("true,a,b,c\na,0,1,2\na,0,1,2\n", "given twice"),
        ("true,a,b,c\na,0,0,0\nb,0,0,0\nc,0,0,0", "every decision costs the same"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path: Path, text: str, complaint: str):
    path = tmp_path / "costs.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TaskError) as excinfo:
        parse_cost(path, ABC, None)
    assert complaint in str(excinfo.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path):
    path = tmp_path / "costs.csv"
    path.write_bytes(bytes(range(128, 256)))
    with pytest.raises(TaskError, match="cannot be read"):
        parse_cost(path, ABC, None)
