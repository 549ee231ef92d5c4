"""The figures of the report, as small SVG texts that follow the colours of the page around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats
from sortal.core.interval import Estimate
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.decide.benefit import net_benefit, weight_in_words
from sortal.decide.threshold import curve as threshold_curve
from sortal.evaluate import curves
from sortal.record.parts import Confusion, Importance, Row
from sortal.record.run import Outcome
from sortal.record.wording import count, is_finite, metric, microseconds, number, percent, short
from sortal.report.canvas import INK, MAIN, MUTED, PALETTE, SECOND, canvas, lines, room, style, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Look = dict[str, Any]
Series = tuple[str, NDArray[np.bool_], Floats, Look]
STRONG: Final[Look] = {"color": MAIN}
THIN: Final[Look] = {"color": MUTED, "linewidth": 1.1}
DASHES: Final = ("-", "--", "-.")

MOST_CLASSES, MOST_BARS, MOST_CELLS, MOST_NAMES = 8, 20, 12, 40
HALF: Final = 0.5
LEVEL: Final = "95 %"
"""The confidence of limits, as legends say it."""
NEVER: Final = 1.02
"""Where the steps of thresholds end, so that what never costs can be seen beside a probability of one."""


@dataclass(frozen=True)
class Drawings:
    """Figures by name, as SVG, and the names of those for which there was no time."""

    figures: dict[str, str]
    timed_out: tuple[str, ...] = ()


def draw_all(
    record: Outcome, oof: Predictions, test: Predictions | None = None, in_time: Callable[[], bool] = lambda: True
) -> Drawings:
    """Every figure that this run has, as long as there is time.

    Names: leaderboard, confusion, roc, precision_recall, reliability, importance, front; threshold and decision_curve
    where a threshold decides between two classes; permutation where it was measured.
    """
    drawers: dict[str, Callable[[], Figure | None]] = {
        "leaderboard": lambda: leaderboard(record.leaderboard),
        "confusion": lambda: confusion(record.confusion) if record.confusion else None,
        "roc": lambda: roc(record, oof, test),
        "precision_recall": lambda: precision_recall(record, oof, test),
        "reliability": lambda: reliability(record, test or oof),
        "threshold": lambda: threshold(record, oof, test),
        "decision_curve": lambda: decision_curve(record, test or oof),
        "permutation": lambda: importance(record.permutation) if record.permutation else None,
        "importance": lambda: importance(record.importance) if record.importance else None,
        "front": lambda: front(record.leaderboard),
    }
    figures: dict[str, str] = {}
    for index, (name, draw) in enumerate(drawers.items()):
        if not in_time():
            return Drawings(figures, tuple(drawers)[index:])
        with style():
            if (figure := draw()) is not None:
                figures[name] = svg(figure)
    return Drawings(figures)


def roc(record: Outcome, oof: Predictions, test: Predictions | None) -> Figure:
    """Recall against false alarms."""
    figure, axes = canvas()
    cutoff = _cutoff(record)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":")
    for label, truth, score, look in _series(record, oof, test):
        curve = curves.roc(truth, score)
        axes.plot(curve.x, curve.y, label=f"{label} {number(curve.area)}", **look)
        if cutoff is not None:
            predicted = score >= cutoff
            _mark(axes, float(predicted[~truth].mean()), float(predicted[truth].mean()), look)
    _finish(axes, "false positive rate", "recall", "area under the curve")
    return figure


def precision_recall(record: Outcome, oof: Predictions, test: Predictions | None) -> Figure:
    """Precision against recall."""
    figure, axes = canvas()
    cutoff = _cutoff(record)
    for label, truth, score, look in _series(record, oof, test):
        curve = curves.precision_recall(truth, score)
        axes.plot(curve.x, curve.y, label=f"{label} {number(curve.area)}", **look)
        if cutoff is not None and (predicted := score >= cutoff).any():
            _mark(axes, float(predicted[truth].mean()), float(truth[predicted].mean()), look)
    if record.task.binary:
        share = record.task.prevalence[record.task.positive_code]
        axes.axhline(share, color=MUTED, linewidth=0.8, linestyle=":")
    _finish(axes, "recall", "precision", "average precision")
    return figure


def reliability(record: Outcome, predictions: Predictions) -> Figure | None:
    """How often a probability comes true, with exact intervals, of each bin and of all at once, over a histogram of the
    probabilities.

    With more than two classes: of the most probable class.
    """
    if not len(predictions):
        return None
    if record.task.binary:
        code = record.task.positive_code
        hit, p = predictions.truth == code, predictions.probability[:, code]
        thing = f"p({short(predictions.classes[code])})"
    else:
        best = predictions.probability.argmax(axis=1)
        hit, p = predictions.truth == best, predictions.probability.max(axis=1)
        thing = "p(most probable class)"
    bins = curves.reliability(hit, p, predictions.clusters)
    figure, axes = canvas(bottom=0.3)
    below = figure.add_axes((0.12, 0.12, 0.85, 0.15), sharex=axes)
    axes.tick_params(labelbottom=False)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":")
    band, bars = f"{LEVEL}: all bins at once", f"{LEVEL}: each bin by itself"
    axes.fill_between(bins.probability, bins.band_low, bins.band_high, color=MAIN, alpha=0.18, linewidth=0, label=band)
    axes.vlines(bins.probability, bins.low, bins.high, color=MAIN, linewidth=1, label=bars)
    axes.plot(bins.probability, bins.rate, color=MAIN, marker="o", markersize=3.5)
    axes.set(ylim=(-0.02, 1.02), ylabel="share that came true")
    axes.legend(loc="best")
    below.hist(p, bins=40, range=(0, 1), color=MAIN, alpha=0.55, log=True)
    below.set(xlim=(-0.02, 1.02), xlabel=f"{thing}, {predictions.part} rows", ylabel="rows (log)")
    below.yaxis.set_ticks([1, 10 ** int(np.log10(len(p)))])
    below.yaxis.set_ticks([], minor=True)
    below.yaxis.set_major_formatter(lambda value, _: count(int(value)))
    return figure


def threshold(record: Outcome, oof: Predictions, test: Predictions | None) -> Figure | None:
    """Cost per row (or F1) from each threshold on, in steps from saying the class always to saying it never, with the
    chosen one.

    None with more than two classes.
    """
    task, cutoff = record.task, _cutoff(record)
    if cutoff is None:
        return None
    best = record.decision.kind == "f1"
    left, right = _window(cutoff)
    figure, axes = canvas(top=0.92)
    visible: list[float] = []
    for part, look in _parts(oof, test):
        line = threshold_curve(task, part, points=200, keep=(cutoff, HALF))
        figures = line.fbeta if best else line.expected_cost
        # From each threshold down to the next the figure is one; beyond the last the class is never said.
        x, y = np.concatenate([[0.0], line.threshold, [NEVER]]), np.concatenate([figures[:1], figures, figures[-1:]])
        axes.plot(x, y, drawstyle="steps-pre", label=part.part, **look)
        visible += y[(x >= left) & (x <= right)].tolist()
    axes.axvline(cutoff, color=SECOND, linewidth=1.2)
    if left < HALF < right:
        axes.axvline(HALF, color=MUTED, linewidth=0.8, linestyle=":")
    name = metric(record.decision.measure) if best else "cost per row" if task.cost is not None else "share of errors"
    axes.set(xlim=(left, NEVER if right == 1 else right), xlabel=_from_on(task), ylabel=name)
    low, high = min(0.0, *visible), max(0.0, *visible)
    axes.set_ylim(low and low - 0.05 * (high - low), high + 0.05 * (high - low or 1))
    axes.set_title(f"chosen: p ≥ {number(cutoff)}", fontsize=9, color=SECOND, loc="left")
    axes.legend(loc="best")
    return figure


def _from_on(task: Task) -> str:
    return f"say {short(task.positive)} from this probability on: always on the left, never on the right"


def decision_curve(record: Outcome, predictions: Predictions) -> Figure | None:
    """Net benefit of the model and of saying the class always or never, at every weight of misses against false alarms.

    None where no threshold decides, or these rows are all of one class.
    """
    cutoff = _cutoff(record)
    if cutoff is None or not 0 < cutoff < 1 or len(np.unique(predictions.truth)) < 2:
        return None
    code, label = record.task.positive_code, short(record.task.positive, 18)
    left, right = _window(cutoff)
    at = np.union1d(np.linspace(left, min(right, 0.99), 120), [cutoff])
    positive, score, groups = predictions.truth == code, predictions.probability[:, code], predictions.groups
    benefit = net_benefit(positive, score, at, groups=groups, together=True)
    alone = net_benefit(positive, score, np.array([cutoff]), groups=groups)
    better = np.where(benefit.least_gain > 0, benefit.model, np.nan)
    here = int(np.searchsorted(at, cutoff))
    figure, axes = canvas(left=0.14, top=0.92)
    band = f"{LEVEL}: all thresholds at once"
    axes.fill_between(at, benefit.low, benefit.high, color=MAIN, alpha=0.15, linewidth=0, label=band)
    axes.plot(at, benefit.model, label="by the model", color=MAIN, linewidth=0.9)
    axes.plot(at, better, label="better than both, beyond chance", color=MAIN, linewidth=2.4)
    axes.plot(at, benefit.always, label=f"always {label}", **THIN)
    axes.axhline(0, label=f"never {label}", color=MUTED, linewidth=1.1, linestyle=":")
    axes.axvline(cutoff, color=SECOND, linewidth=0.8, linestyle=":")
    axes.vlines(cutoff, alone.low, alone.high, color=SECOND, linewidth=2.4, label=f"{LEVEL}: the chosen one by itself")
    _mark(axes, cutoff, float(benefit.model[here]), {"color": SECOND})
    top = 1.05 * max(benefit.model.max(), benefit.always.max(), benefit.high[here])
    axes.set(xlim=(left, right), ylim=(np.clip(benefit.low[here], -0.3 * top, -0.08 * top), top))
    axes.set(xlabel=f"say {label} from this probability on, {predictions.part} rows", ylabel="net benefit a row")
    heading = f"chosen: p ≥ {number(cutoff)}, {weight_in_words(cutoff, label)}"
    axes.set_title(heading, fontsize=9, color=SECOND, loc="left")
    axes.legend(loc="best")
    return figure


def confusion(matrix: Confusion) -> Figure:
    """Truth by decision. The shade of a cell is its share of the rows of that true class."""
    counts = np.array(matrix.counts, dtype=np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    k, has_names = len(matrix.classes), len(matrix.classes) <= MOST_NAMES
    names = [short(name, 16) if has_names else str(i) for i, name in enumerate(matrix.classes, start=1)]
    figure, axes = canvas(height=1.2 + 0.55 * min(max(k, 3), 8), left=room(names) + 0.04, bottom=0.2)
    if k <= MOST_CELLS:
        _cells(axes, counts, shares)
    else:
        image = np.zeros((*counts.shape, 4))
        image[..., :3] = [int(MAIN[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        image[..., 3] = np.sqrt(shares)
        axes.imshow(image, interpolation="none", aspect="auto")
    ticks = range(0, k, 1 if has_names else 10)
    axes.set_xticks(ticks, [names[i] for i in ticks])
    if counts.shape[1] > k:
        axes.set_xticks([*ticks, k], [*(names[i] for i in ticks), "a person"])
    if k > 4 and has_names:
        for label in axes.get_xticklabels():
            label.set(rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, [names[i] for i in ticks])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="decided", ylabel="true")
    return figure


def leaderboard(rows: Sequence[Row]) -> Figure | None:
    """Candidates, best first, each with its interval; a baseline far off is an arrow at the edge."""
    bars = [row for row in rows if is_finite(row.score.value)][:MOST_BARS]
    if not bars:
        return None
    figure, axes = lines([row.name for row in bars])
    left, right = _span(bars)
    for y, row in enumerate(bars):
        color = MAIN if row.selected else MUTED if row.baseline else INK
        score = row.score.value or 0.0
        if score > right:
            axes.text(right, y, f"{number(score, 4)} →", color=color, ha="right", va="center")
        elif score < left:
            axes.text(left, y, f"← {number(score, 4)}", color=color, ha="left", va="center")
        else:
            if row.score.low is not None and row.score.high is not None:
                axes.plot([max(row.score.low, left), min(row.score.high, right)], [y, y], color=color, linewidth=2)
            axes.plot([score], [y], marker="o", color=color, markersize=7 if row.selected else 5)
    axes.set(xlim=(left, right), xlabel=metric(bars[0].metric))
    return figure


def front(rows: Sequence[Row]) -> Figure | None:
    """Score against the time of a row: those that none is both better and faster than are joined, and named; a baseline
    far off is an arrow at the edge.
    """
    points = {row.name: (row.program_microseconds or 0.0, row.mean or 0.0) for row in rows}
    visible = [
        row for row in rows if is_finite(row.mean) and is_finite(row.program_microseconds) and points[row.name][0] > 0
    ]
    best = sorted((row for row in visible if row.front), key=lambda row: points[row.name])
    if len(best) < 2:
        return None
    figure, axes = canvas()
    low, high = _span([replace(row, score=Estimate(row.mean)) for row in visible])
    x, y = zip(*(points[row.name] for row in best), strict=True)
    axes.plot(x, y, color=MUTED, linewidth=1.1)
    for row in visible:
        color = MAIN if row.selected else INK if row.front else MUTED
        axes.plot(*points[row.name], marker="o", color=color, markersize=7 if row.selected else 5)
    for row in best:
        time, score = points[row.name]
        beyond = not low <= score <= high
        arrow = f" {number(score, 4)} {'↑' if score > high else '↓'}" if beyond else ""
        place = time, min(max(score, low), high)
        last = row is best[-1]
        offset = (-5 if last else 5, -12 if score > high else 4)
        side = "right" if last else "left"
        axes.annotate(short(row.name) + arrow, place, xytext=offset, textcoords="offset points", color=INK, ha=side)
    axes.set_ylim(low, high)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: microseconds(value))
    axes.margins(x=0.15)
    axes.set(xlabel="a row through the program", ylabel=metric(best[0].metric))
    return figure


def importance(weights: Importance) -> Figure | None:
    """The columns that matter most, as bars."""
    bars = [column for column in weights.columns if is_finite(column.value)][:MOST_BARS]
    if not bars:
        return None
    figure, axes = lines([column.column for column in bars])
    axes.barh(range(len(bars)), [column.value or 0.0 for column in bars], color=MAIN, alpha=0.75, height=0.6)
    for y, column in enumerate(bars):
        if column.low is not None and column.high is not None:
            axes.plot([column.low, column.high], [y, y], color=INK, linewidth=1)
    axes.set(xlabel=weights.measure)
    return figure


def _series(record: Outcome, oof: Predictions, test: Predictions | None) -> Iterator[Series]:
    """What curves are drawn of. Two classes: the positive one, out of fold and on the test.

    More classes: the largest ones against the rest, on the test if there is one.
    """
    if record.task.binary:
        series = [(str(part.part), part, record.task.positive_code, look) for part, look in _parts(oof, test)]
    else:
        part = test or oof
        support = np.bincount(part.truth, minlength=len(part.classes))
        series = [
            (short(part.classes[code], 18), part, code, {"color": PALETTE[i], "linestyle": DASHES[i % 3]})
            for i, code in enumerate(np.argsort(-support, kind="stable")[:MOST_CLASSES].tolist())
        ]
    for label, part, code, look in series:
        truth = part.truth == code
        if 0 < truth.sum() < len(truth):
            yield label, truth, part.probability[:, code], look


def _parts(oof: Predictions, test: Predictions | None) -> list[tuple[Predictions, Look]]:
    """The predictions to draw, the last ones strongest."""
    parts = [(oof, THIN if test else STRONG), *([(test, STRONG)] if test else [])]
    return [(part, look) for part, look in parts if len(part)]


def _cutoff(record: Outcome) -> float | None:
    """The threshold of two classes; the most probable class is said from 0.5 on. None where it is no probability."""
    if record.decision.kind == "capacity" and record.task.cost is not None:
        return None
    if record.decision.threshold is None and record.task.binary and record.decision.kind == "argmax":
        return 0.5
    return record.decision.threshold


def _mark(axes: Axes, x: float, y: float, look: Look) -> None:
    axes.plot([x], [y], marker="o", markersize=6, color=look["color"])


def _finish(axes: Axes, x: str, y: str, title: str) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x, ylabel=y)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", title=title)


def _cells(axes: Axes, counts: Floats, shares: Floats) -> None:
    from matplotlib.patches import Rectangle

    k, decisions = counts.shape
    for t, d in np.ndindex(k, decisions):
        color = MAIN if t == d else SECOND if d < k else MUTED
        axes.add_patch(
            Rectangle((d - 0.48, t - 0.47), 0.96, 0.94, color=color, alpha=0.06 + 0.5 * shares[t, d], linewidth=0)
        )
        axes.text(d, t, count(int(counts[t, d])), ha="center", va="center" if k > 6 else "bottom")
        if k <= 6:
            axes.text(d, t + 0.06, percent(float(shares[t, d])), ha="center", va="top", fontsize=8, color=MUTED)
    axes.set(xlim=(-0.5, decisions - 0.5), ylim=(k - 0.5, -0.5))


def _span(rows: Sequence[Row]) -> tuple[float, float]:
    """Limits that hold the candidates and the best baseline, so that small differences can be seen."""
    baselines = [row for row in rows if row.baseline]
    near = [row for row in rows if not row.baseline] + baselines[:1]
    ends = [end for row in near for end in (row.score.low, row.score.value, row.score.high) if end is not None]
    pad = 0.06 * (max(ends) - min(ends)) or 0.01
    return min(ends) - pad, max(ends) + pad


def _window(cutoff: float) -> tuple[float, float]:
    """The thresholds to show: all of them, or the end in which the chosen one lies."""
    if cutoff < 0.1:
        return 0.0, max(0.2, 8 * cutoff)
    if cutoff > 0.9:
        return min(0.8, 1 - 8 * (1 - cutoff)), 1.0
    return 0.0, 1.0
