from __future__ import annotations

import polars as pl
import pytest

from bench import options
from bench.options import GOALS, OTHERS, Case, draw_case, outcome, try_case
from sortal.core.errors import DataError
from sortal.core.sheets import TRAIN_OPTIONS
from tests.conftest import EXAMPLE

ROWS = pl.DataFrame({"x": range(60), "y": ["a", "b"] * 30})
ASKED = Case("made up", ROWS, "y", {"models": ["svm"], "effort": 1})


def test_a_number_draws_the_same_again_and_all_options_in_time() -> None:
    tables = [("example", pl.read_csv(EXAMPLE), "Churn")]
    many = [draw_case(number, tables) for number in range(300)]
    again = draw_case(7, tables)
    assert (again.options, again.frame.equals(many[7].frame)) == (many[7].options, True)
    named = {option for asked in many for option in asked.options}
    assert named <= {option.name for option in TRAIN_OPTIONS}
    assert {*OTHERS, *(name for name, _ in GOALS), "weight", "group", "time", "cost_column", "kind"} <= named
    assert any("^p.*$" in asked.frame.columns for asked in many)
    for asked in many:
        columns = [asked.options[name] for name in ("weight", "group", "time") if name in asked.options]
        assert {*columns} <= {*asked.frame.columns}


@pytest.mark.parametrize(("error", "expected"), [(DataError("no"), "refused"), (ZeroDivisionError("oh"), "fault")])
def test_what_ends_without_a_sentence_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, error: Exception, expected: str
) -> None:
    def train(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(options.sortal, "train", train)
    done = try_case(3, ASKED)
    assert (done.outcome, str(error) in done.message) == (expected, True)
    judged = outcome([done])
    assert [goal.holds for goal in judged.goals] == [expected == "refused", False]
    assert judged.rows == [["1", "0", *("1" if each == expected else "0" for each in ("refused", "fault"))]]


def test_other_numbers_from_another_door_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    assert try_case(0, ASKED).outcome == "right"
    load = options.sortal.load

    def loaded(file: object) -> object:
        model = load(file)
        usual = type(model).predict_proba

        class Other:
            def __getattr__(self, name: str) -> object:
                return getattr(model, name)

            def predict_proba(self, rows: object) -> object:
                return usual(model, rows) * (0.5 if isinstance(rows, list) else 1.0)

        return Other()

    monkeypatch.setattr(options.sortal, "load", loaded)
    done = try_case(0, ASKED)
    assert (done.outcome, "other numbers from dicts" in done.message) == ("fault", True)
