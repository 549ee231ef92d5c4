from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.costs import parse_cost
from sortal.core.errors import TaskError

YES_NO = ("no", "yes")
ABC = ("a", "b", "c")


@pytest.mark.parametrize("cost", ["fp=1,fn=8", " FN = 8 , fp = 1 ", {"fp": 1, "fn": 8}, {"fn": 8.0, "fp": 1}])
def test_two_errors_fill_the_matrix(cost):
    assert parse_cost(cost, YES_NO, "yes") == ((0.0, 1.0), (8.0, 0.0))
    assert parse_cost(cost, YES_NO, "no") == ((0.0, 8.0), (1.0, 0.0))


@given(fp=st.floats(0, 1e6), fn=st.floats(0.001, 1e6), code=st.integers(0, 1))
@settings(deadline=None, max_examples=40)
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
        ("fp=1,fn=8,fx=2", "no error is called 'fx'"),
        ("fp=1,fp=2,fn=1", "fp is given twice"),
        ("fp=-1,fn=8", "the cost of fp is negative"),
        ("fp=nan,fn=8", "the cost of fp is nan"),
        ("fp=inf,fn=8", "the cost of fp is inf"),
        ("fp=cheap,fn=8", "'cheap', which is not a number"),
        ({"fp": None, "fn": 8}, "None, which is not a number"),
        ("fp=0,fn=0", "all costs are zero"),
        ("fp:1", "neither like fp=1,fn=8 nor a file"),
        ({"no": {"yes": 1}, "yes": 3}, "no error is called 'no'"),
    ],
)
def test_bad_costs_of_two_classes_are_refused_in_one_sentence(cost, complaint):
    with pytest.raises(TaskError) as refused:
        parse_cost(cost, YES_NO, "yes")
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


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
        ("true,a,b,c\na,0,-1,2\n", "deciding 'b' where 'a' is true is negative"),
        ("true,a,b,c\na,0,0,0\nb,0,0,0\nc,0,0,0", "all costs are zero"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path: Path, text: str, complaint: str):
    path = tmp_path / "costs.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TaskError) as refused:
        parse_cost(path, ABC, None)
    assert complaint in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path):
    path = tmp_path / "costs.csv"
    path.write_bytes(bytes(range(128, 256)))
    with pytest.raises(TaskError, match="cannot be read"):
        parse_cost(path, ABC, None)
