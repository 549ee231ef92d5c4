from __future__ import annotations

import time

import pytest

from sortal import timetable
from sortal.report import canvas, plots
from sortal.timetable import Closing, Size, plan_closing

SMALL = Size(rows=1_000, classes=2, columns=10, entries=20_000)


def test_with_time_the_end_is_told_by_drawing_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timetable, "_unit", lambda: 0.1)
    plan = plan_closing(SMALL, seconds_left=60.0, busyness=1.0)
    assert plan.figures
    assert plan.seconds == pytest.approx(0.1 * (SMALL.units + timetable.FIGURES))
    assert 0 < plan.page < plan.seconds


def test_without_time_no_figure_is_drawn_and_nothing_imported_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "leaderboard", lambda rows: pytest.fail("drawn"))
    busy_plan, calm_plan = (plan_closing(SMALL, seconds_left=3.0, busyness=busyness) for busyness in (4.0, 2.0))
    assert not busy_plan.figures
    assert busy_plan.seconds == pytest.approx(2 * calm_plan.seconds)
    assert not busy_plan.may_draw(seconds_left=100.0)


@pytest.mark.parametrize(
    "larger", [Size(2_000, 2, 10, 20_000), Size(1_000, 3, 10, 20_000), Size(1_000, 2, 500, 20_000)]
)
def test_more_rows_classes_and_columns_take_longer(larger: Size) -> None:
    assert larger.units > SMALL.units


def test_no_more_is_calibrated_on_than_there_is() -> None:
    assert Size(100, 2, 10, 20_000).units == Size(100, 2, 10, 200).units


def test_drawing_ends_when_the_page_has_to_be_written() -> None:
    plan = Closing(seconds=3.0, figures=True, page=1.0)
    assert plan.may_draw(seconds_left=1.5)
    assert not plan.may_draw(seconds_left=0.9)


def test_the_unit_is_the_time_of_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(figure: object) -> str:
        time.sleep(0.2)
        return ""

    monkeypatch.setattr(canvas, "svg", slow)
    assert 0.2 <= timetable._unit() < 2.0


def test_what_is_late_is_taken_from_measuring_what_columns_add() -> None:
    plan = Closing(seconds=3.0, figures=True, page=1.0, permuting=0.5)
    assert [plan.may_permute(seconds_left) for seconds_left in (9.0, 3.0, 2.8, 2.0)] == pytest.approx(
        [0.5, 0.5, 0.3, 0.0]
    )
    assert Closing(seconds=3.0, figures=False).may_permute(seconds_left=9.0) == 0.0
