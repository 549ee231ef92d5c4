from __future__ import annotations

import polars as pl
import pytest

from bench import options
from bench.options import GOALS, OTHERS, Case, draw_case, outcome, try_case
from sortal.core.errors import DataError
from sortal.core.sheets import TRAIN_OPTIONS
from tests.conftest import EXAMPLE

ROWS = pl.DataFrame({"x": range(60), "y": ["a", "b"] * 30})
EXAMPLE_CASE = Case("made up", ROWS, "y", {"models": ["svm"], "effort": 1})


def test_a_number_draws_the_same_again_and_all_options_in_time() -> None:
    tables = [("example", pl.read_csv(EXAMPLE), "Churn")]
    cases = [draw_case(number, tables) for number in range(300)]
    copy = draw_case(7, tables)
    assert (copy.options, copy.frame.equals(cases[7].frame)) == (cases[7].options, True)
    option_names = {option for case in cases for option in case.options}
    assert option_names <= {option.name for option in TRAIN_OPTIONS}
    assert {*OTHERS, *(name for name, _ in GOALS), "weight", "group", "time", "cost_column", "kind"} <= option_names
    assert any("^p.*$" in case.frame.columns for case in cases)
    for case in cases:
        columns = [case.options[name] for name in ("weight", "group", "time") if name in case.options]
        assert {*columns} <= {*case.frame.columns}


@pytest.mark.parametrize(("error", "expected"), [(DataError("no"), "refused"), (ZeroDivisionError("oh"), "fault")])
def test_what_ends_without_a_sentence_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, error: Exception, expected: str
) -> None:
    def train(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(options.sortal, "train", train)
    trial = try_case(3, EXAMPLE_CASE)
    assert (trial.outcome, str(error) in trial.message) == (expected, True)
    result = outcome([trial])
    assert [goal.holds for goal in result.goals] == [expected == "refused", False]
    assert result.rows == [["1", "0", *("1" if kind == expected else "0" for kind in ("refused", "fault"))]]


def test_other_numbers_from_another_door_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    assert try_case(0, EXAMPLE_CASE).outcome == "right"
    load = options.sortal.load

    def load_halved(file: object) -> object:
        model = load(file)
        usual = type(model).predict_proba

        class Other:
            def __getattr__(self, name: str) -> object:
                return getattr(model, name)

            def predict_proba(self, rows: object) -> object:
                return usual(model, rows) * (0.5 if isinstance(rows, list) else 1.0)

        return Other()

    monkeypatch.setattr(options.sortal, "load", load_halved)
    trial = try_case(0, EXAMPLE_CASE)
    assert (trial.outcome, "other numbers from dicts" in trial.message) == ("fault", True)
