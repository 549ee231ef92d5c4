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
from sortal.report import plots
from sortal.report.record import Confusion, Importance, RunRecord

BINARY = {"leaderboard", "confusion", "roc", "precision_recall", "reliability", "threshold", "importance"}


def drawn(example: Any, **changes: Any) -> dict[str, str]:
    record: RunRecord = replace(example.record, **changes)
    return plots.draw_all(record, example.oof, example.test)


def texts(svg: str) -> list[str]:
    root = ET.fromstring(svg.replace("<svg ", '<svg xmlns:xlink="x" ', 1))
    return ["".join(text.itertext()) for text in root.iter("text")]


def test_two_classes_have_all_figures_and_more_have_no_threshold(binary: Any, many: Any) -> None:
    assert set(drawn(binary)) == BINARY
    assert set(drawn(many)) == BINARY - {"threshold"}


def test_figures_are_small_well_formed_and_without_styles_or_links(binary: Any, many: Any) -> None:
    for example in (binary, many):
        for name, svg in drawn(example).items():
            assert len(svg) < 40_000, name
            assert svg.startswith('<svg class="plot"')
            assert texts(svg)
            assert not re.search(r"<style|<script|<!--|http|url\((?!#)", svg)


def test_drawing_twice_gives_the_same_bytes(binary: Any) -> None:
    assert drawn(binary) == drawn(binary)


def test_the_callers_settings_are_neither_used_nor_changed(binary: Any) -> None:
    plain = drawn(binary)
    with matplotlib.rc_context(
        {"axes.facecolor": "black", "font.size": 30, "svg.fonttype": "path", "text.usetex": True}
    ):
        before = dict(matplotlib.rcParams)
        assert drawn(binary) == plain
        assert dict(matplotlib.rcParams) == before


def test_pyplot_is_never_imported() -> None:
    code = (
        "import sys; from sortal.report import plots, html; assert 'matplotlib' not in sys.modules;"
        "from sortal.report.record import ColumnWeight, Importance;\n"
        "with plots.style(): plots.svg(plots.importance(Importance('gain', (ColumnWeight('a', 1.0),))))\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_names_from_data_are_text(many: Any) -> None:
    found = drawn(many)
    assert "<script>…script>" in texts(found["confusion"]) or any("script" in t for t in texts(found["confusion"]))
    assert any("$x_{2$" in text for text in texts(found["roc"]))
    assert any("日本" in text for text in texts(found["importance"]))
    assert "(empty)" in texts(found["confusion"])


def test_figures_say_their_numbers(binary: Any) -> None:
    found = drawn(binary)
    counts = {f"{n:,}" for line in binary.record.confusion.counts for n in line}
    assert counts <= set(texts(found["confusion"]))
    assert any("0.077" in text for text in texts(found["threshold"]))
    assert {"0.2660 →", "0.3609 →"} <= set(texts(found["leaderboard"]))


@pytest.mark.parametrize(("chosen", "left", "right"), [(0.3, 0.0, 1.0), (0.02, 0.0, 0.2), (0.999, 0.8, 1.0)])
def test_the_chosen_threshold_is_in_sight(binary: Any, chosen: float, left: float, right: float) -> None:
    record = replace(binary.record, decision=replace(binary.record.decision, threshold=chosen))
    with plots.style():
        figure = plots.threshold(record, binary.oof, binary.test)
    assert figure is not None
    assert figure.axes[0].get_xlim() == pytest.approx((left, right))


def test_the_cheapest_threshold_lies_where_costs_say(binary: Any) -> None:
    with plots.style():
        figure = plots.threshold(binary.record, binary.oof, None)
    assert figure is not None
    x, y = figure.axes[0].lines[0].get_data()
    assert x[np.argmin(y)] == pytest.approx(1 / 13, abs=0.05)


def test_f1_and_the_most_probable_class_have_a_threshold_figure(binary: Any) -> None:
    for kind, threshold in (("f1", 0.31), ("argmax", None)):
        decision = replace(binary.record.decision, kind=kind, threshold=threshold)
        svg = drawn(binary, decision=decision)["threshold"]
        assert any(f"{threshold or 0.5:.3f}" in text for text in texts(svg))


def test_one_class_in_the_test_leaves_empty_curves(binary: Any) -> None:
    n = 50
    p = np.tile([0.9, 0.1], (n, 1))
    one = Predictions(("no", "yes"), np.arange(n), np.zeros(n, dtype=np.int64), p, "test")
    found = plots.draw_all(binary.record, one, one)
    assert "area under the curve" not in texts(found["roc"])
    assert "reliability" in found


def test_nothing_to_draw_is_left_out(binary: Any) -> None:
    found = drawn(binary, leaderboard=(), importance=Importance("gain"), confusion=None)
    assert found.keys() == {"roc", "precision_recall", "reliability", "threshold"}


@pytest.mark.parametrize("k", [2, 5, 12, 13, 40, 41, 77])
def test_confusion_of_any_number_of_classes(k: int) -> None:
    counts = np.random.default_rng(k).integers(0, 99, size=(k, k))
    matrix = Confusion("test", tuple(f"class {i}" for i in range(k)), tuple(map(tuple, counts.tolist())))
    with plots.style():
        svg = plots.svg(plots.confusion(matrix))
    assert ("<image" in svg) == (k > 12)
    assert ("class 1" in texts(svg)) == (k <= 40)
    assert len(svg) < 60_000
