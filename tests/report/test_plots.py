"""Figures: small, safe inside a page, the same every time, whatever the data and the caller's settings."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
import pytest

from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.decide.threshold import alternatives
from sortal.record.parts import Confusion, Importance
from sortal.record.run import RunRecord
from sortal.record.wording import number
from sortal.report import canvas, plots

THRESHOLD = {"threshold", "decision_curve"}
BINARY = {"leaderboard", "confusion", "roc", "precision_recall", "reliability", "importance"} | THRESHOLD


def figures_of(example: Any, **changes: Any) -> dict[str, str]:
    record: RunRecord = replace(example.record, **changes)
    return plots.draw_all(record, example.oof, example.test).figures


@pytest.fixture(scope="module")
def of_two(binary: Any) -> dict[str, str]:
    return figures_of(binary)


@pytest.fixture(scope="module")
def of_many(many: Any) -> dict[str, str]:
    return figures_of(many)


def texts(svg: str) -> list[str]:
    root = ET.fromstring(svg.replace("<svg ", '<svg xmlns:xlink="x" ', 1))
    return ["".join(text.itertext()) for text in root.iter("text")]


def test_two_classes_have_all_figures_and_more_have_no_threshold(
    of_two: dict[str, str], of_many: dict[str, str]
) -> None:
    assert set(of_two) == BINARY
    assert set(of_many) == BINARY - THRESHOLD


def test_figures_are_small_well_formed_and_without_styles_or_links(
    of_two: dict[str, str], of_many: dict[str, str]
) -> None:
    for figures in (of_two, of_many):
        for name, svg in figures.items():
            assert len(svg) < 40_000, name
            assert svg.startswith('<svg class="plot"')
            assert texts(svg)
            assert not re.search(r"<style|<script|<!--|http|url\((?!#)", svg)


def test_drawing_twice_gives_the_same_bytes(binary: Any, of_two: dict[str, str]) -> None:
    assert figures_of(binary) == of_two


def test_the_callers_settings_are_neither_used_nor_changed(binary: Any, of_two: dict[str, str]) -> None:
    with matplotlib.rc_context(
        {"axes.facecolor": "black", "font.size": 30, "svg.fonttype": "path", "text.usetex": True}
    ):
        before = dict(matplotlib.rcParams)
        assert figures_of(binary) == of_two
        assert dict(matplotlib.rcParams) == before


def test_pyplot_is_never_imported() -> None:
    code = (
        "import sys; from sortal.report import canvas, plots, html; assert 'matplotlib' not in sys.modules;"
        "from sortal.record.parts import ColumnWeight, Importance;\n"
        "with canvas.style(): canvas.svg(plots.importance(Importance('gain', (ColumnWeight('a', 1.0),))))\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_names_from_data_are_text(of_many: dict[str, str]) -> None:
    assert any(text.startswith("<script>") for text in texts(of_many["confusion"]))
    assert "<script>" not in of_many["confusion"]
    assert any("$x_{2$" in text for text in texts(of_many["roc"]))
    assert any("日本" in text for text in texts(of_many["importance"]))
    assert "(empty)" in texts(of_many["confusion"])


def test_figures_say_their_numbers(binary: Any, of_two: dict[str, str]) -> None:
    counts = {f"{n:,}" for line in binary.record.confusion.counts for n in line}
    assert counts <= set(texts(of_two["confusion"]))
    assert any(".077" in text for text in texts(of_two["threshold"]))
    assert {".2660 →", ".3609 →"} <= set(texts(of_two["leaderboard"]))


@pytest.mark.parametrize(("threshold", "left", "right"), [(0.3, 0.0, 1.02), (0.02, 0.0, 0.2), (0.999, 0.8, 1.02)])
def test_the_chosen_threshold_is_in_sight(binary: Any, threshold: float, left: float, right: float) -> None:
    record = replace(binary.record, decision=replace(binary.record.decision, threshold=threshold))
    with canvas.style():
        figure = plots.threshold(record, binary.oof, binary.test)
    assert figure is not None
    assert figure.axes[0].get_xlim() == pytest.approx((left, right))


def test_the_cheapest_threshold_lies_where_costs_say(binary: Any) -> None:
    with canvas.style():
        figure = plots.threshold(binary.record, binary.oof, None)
    assert figure is not None
    x, y = figure.axes[0].lines[0].get_data()
    assert x[np.argmin(y)] == pytest.approx(1 / 13, abs=0.05)


@pytest.mark.parametrize("levels", [4, 10_000])
def test_the_steps_are_the_figures_of_the_table_beside_them(binary: Any, levels: int) -> None:
    """From always to never, at the chosen threshold and at a half: with few thresholds and with many."""
    p = np.round(binary.oof.probability[:, 1] * levels) / levels
    oof = replace(binary.oof, probability=np.column_stack([1 - p, p]))
    rule = Decision("threshold", oof.classes, "yes", binary.record.decision.threshold)
    costs = {a.name: a.expected_cost for a in alternatives(binary.record.task, oof, rule)}
    with canvas.style():
        figure = plots.threshold(binary.record, oof, None)
    assert figure is not None
    line = figure.axes[0].lines[0]
    x, y = line.get_data()
    assert line.get_drawstyle() == "steps-pre"
    assert (x[0], y[0], y[-1]) == (0, pytest.approx(costs["always yes"]), pytest.approx(costs["never yes"]))
    assert x[-1] > 1
    # steps-pre: from each point down to the one before it the figure is that of the point.
    assert y[np.searchsorted(x, rule.threshold)] == pytest.approx(costs["chosen"])
    assert y[np.searchsorted(x, 0.5)] == pytest.approx(costs["at .5"])


def test_benefits_are_in_sight(binary: Any) -> None:
    task = replace(binary.record.task, cost=((0.0, 1.0), (12.0, -30.0)))
    with canvas.style():
        figure = plots.threshold(replace(binary.record, task=task), binary.oof, None)
    assert figure is not None
    bottom, top = figure.axes[0].get_ylim()
    y = figure.axes[0].lines[0].get_ydata()
    assert bottom <= min(y) < 0 <= top


def test_of_many_classes_the_largest_are_drawn_as_the_test_has_them(binary: Any) -> None:
    n, names = 1200, tuple(f"k{i}" for i in range(10))
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(10), size=n)
    small = np.repeat(np.arange(10), n // 10)
    large = np.minimum(rng.geometric(0.3, size=n) - 1, 9)
    oof, test = (
        Predictions(names, np.arange(n), t, p, part) for t, part in ((small, "out-of-fold"), (9 - large, "test"))
    )
    task = Task("y", names, (0.1,) * 10, None, "log_loss", (), ())
    series = list(plots._series(replace(binary.record, task=task), oof, test))
    support = np.bincount(test.truth, minlength=10)
    assert [label for label, *_ in series] == [names[k] for k in np.argsort(-support, kind="stable")[:8]]
    assert all(truth.sum() == support[names.index(label)] for label, truth, *_ in series)
    assert len({(look["color"], look["linestyle"]) for *_, look in series}) == 8


def decision_curve(record: RunRecord, predictions: Predictions) -> Any:
    with canvas.style():
        figure = plots.decision_curve(record, predictions)
    assert figure is not None
    return figure.axes[0]


def test_the_decision_curve_shows_net_benefit_beside_always_and_never(binary: Any) -> None:
    axes = decision_curve(binary.record, binary.test)
    lines = {line.get_label(): line.get_data() for line in axes.lines}
    at, model = lines["by the model"]
    positive, p = binary.test.truth == 1, binary.test.probability[:, 1]
    for t, benefit in list(zip(at, model, strict=True))[::20]:
        predicted = p >= t
        assert benefit == pytest.approx((predicted & positive).mean() - (predicted & ~positive).mean() * t / (1 - t))
    x, always = lines["always yes"]
    assert always == pytest.approx(positive.mean() - (1 - positive.mean()) * x / (1 - x))
    assert set(lines["never yes"][1]) == {0}
    advantage = lines["better than both, beyond chance"][1]
    assert 0.3 < np.isfinite(advantage).mean() < 1
    assert not np.isfinite(advantage[0])
    assert np.isfinite(advantage[np.searchsorted(at, 1 / 13)])


@pytest.mark.parametrize(
    ("threshold", "title"), [(1 / 13, "missed yes cost 12 "), (0.5, "one"), (0.9, "alarm cost 9 ")]
)
def test_the_decision_curve_marks_the_threshold_and_what_it_says_of_costs(
    binary: Any, threshold: float, title: str
) -> None:
    record = replace(binary.record, decision=replace(binary.record.decision, threshold=threshold))
    axes = decision_curve(record, binary.test)
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    (x,), (y,) = marks[0].get_data()
    assert x == threshold
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    assert left < x < right
    assert bottom < 0 < top
    assert bottom < y < top
    assert title in axes.get_title(loc="left")


def test_a_model_that_knows_nothing_is_nowhere_better(binary: Any) -> None:
    share, n = float((binary.test.truth == 1).mean()), len(binary.test)
    flat = replace(binary.test, probability=np.tile([1 - share, share], (n, 1)))
    lines = {line.get_label(): line.get_data() for line in decision_curve(binary.record, flat).lines}
    assert np.isnan(lines["better than both, beyond chance"][1]).all()


def test_without_a_threshold_or_a_second_class_there_is_no_decision_curve(binary: Any, many: Any) -> None:
    one = binary.test.take(binary.test.truth == 0)
    never = replace(binary.record, decision=replace(binary.record.decision, threshold=float(np.nextafter(1, 2))))
    assert plots.decision_curve(many.record, many.test) is None
    assert plots.decision_curve(binary.record, one) is None
    assert plots.decision_curve(binary.record, one.take(np.arange(0))) is None
    assert plots.decision_curve(never, binary.test) is None


def test_f1_and_the_most_probable_class_have_a_threshold_figure(binary: Any) -> None:
    for kind, threshold in (("f1", 0.31), ("argmax", None)):
        decision = replace(binary.record.decision, kind=kind, threshold=threshold)
        svg = figures_of(binary, decision=decision)["threshold"]
        assert any(f"≥ {number(threshold or 0.5)}" in text for text in texts(svg))


def test_one_class_in_the_test_leaves_empty_curves(binary: Any) -> None:
    n = 50
    p = np.tile([0.9, 0.1], (n, 1))
    one = Predictions(("no", "yes"), np.arange(n), np.zeros(n, dtype=np.int64), p, "test")
    figures = plots.draw_all(binary.record, one, one).figures
    assert "area under the curve" not in texts(figures["roc"])
    assert "reliability" in figures


def test_nothing_to_draw_is_left_out(binary: Any) -> None:
    figures = figures_of(binary, leaderboard=(), importance=Importance("gain"), confusion=None)
    assert figures.keys() == {"roc", "precision_recall", "reliability"} | THRESHOLD


@pytest.mark.parametrize("k", [2, 5, 12, 13, 40, 41, 77])
def test_confusion_of_any_number_of_classes(k: int) -> None:
    counts = np.random.default_rng(k).integers(0, 99, size=(k, k))
    matrix = Confusion("test", tuple(f"class {i}" for i in range(k)), tuple(map(tuple, counts.tolist())))
    with canvas.style():
        svg = canvas.svg(plots.confusion(matrix))
    assert ("<image" in svg) == (k > 12)
    assert ("class 1" in texts(svg)) == (k <= 40)
    assert len(svg) < 60_000


def test_what_there_is_no_time_for_is_not_drawn_and_named(binary: Any) -> None:
    turns = iter([True, True, False])
    drawing = plots.draw_all(binary.record, binary.oof, binary.test, lambda: next(turns))
    assert list(drawing.figures) == ["leaderboard", "confusion"]
    assert drawing.timed_out[0] == "roc"
    assert len(drawing.timed_out) == 8


def test_the_front_joins_and_names_what_none_is_better_and_faster_than(binary: Any) -> None:
    first = binary.record.leaderboard[0]
    points = {"deep": (0.2, 900.0, True), "quick": (0.3, 9.0, True), "beaten": (0.35, 90.0, False)}
    rows = [
        replace(first, name=name, mean=mean, program_microseconds=microseconds, front=front, selected=name == "quick")
        for name, (mean, microseconds, front) in points.items()
    ]
    with canvas.style():
        figure = plots.front(rows)
        assert figure is not None
        line, *dots = figure.axes[0].lines
        assert [line.get_xdata().tolist(), line.get_ydata().tolist()] == [[9.0, 900.0], [0.3, 0.2]]
        assert [dot.get_color() == canvas.MAIN for dot in dots] == [False, True, False]
        labels = texts(canvas.svg(figure))
    assert "deep" in labels
    assert "quick" in labels
    assert "beaten" not in labels
    assert plots.front([replace(row, front=row.name == "deep") for row in rows]) is None
