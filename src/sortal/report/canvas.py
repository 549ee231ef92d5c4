"""The paper that figures are drawn on: colours, style and axes, and the way to SVG.

matplotlib draws; it is imported on first use, never through pyplot, and the caller's settings are left alone.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sortal.core.writing import pointed
from sortal.record.wording import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import ScalarFormatter

INK, MUTED, LINE = "#1c2126", "#68727d", "#d5dbe1"
# Okabe & Ito (2008): told apart by colour-blind readers and in greyscale print.
PALETTE: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7a5195", "#8c8c8c")
MAIN, SECOND = PALETTE[:2]
WIDTH, HEIGHT = 5.4, 4.0

STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sortal",
    "text.parse_math": False,
    "font.size": 9,
    "text.color": INK,
    "lines.linewidth": 1.6,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    **dict.fromkeys(("axes.grid", "axes.axisbelow"), True),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
    **dict.fromkeys(("axes.edgecolor", "grid.color", "xtick.color", "ytick.color"), LINE),
    **dict.fromkeys(("axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), MUTED),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor"), "none"),
}
_VARIABLES = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    **{color: f"var(--c{i})" for i, color in enumerate(PALETTE, start=1)},
}


@contextmanager
def style() -> Iterator[None]:
    """The look of the figures, in place of whatever the caller has set in matplotlib."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        # Text stays text, so glyphs are the browser's business.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def svg(figure: Figure) -> str:
    """A figure as SVG inside a page: no prologue and no styles of its own, colours by CSS variables."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    opening = r'<svg class="plot" viewBox="\1" role="img">'
    text = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', opening, text, count=1)
    # Only clip paths and markers are referred to, by the hash of what they are: equal names are equal things.
    text = re.sub(r' id="(?![mp][0-9a-f]{10}")[^"]*"| transform="rotate\(-0 [^"]*"| ?font-family: [^;"]*;?', "", text)
    for color, variable in _VARIABLES.items():
        text = text.replace(color, variable)
    return re.sub(r"\s*\n\s*", "\n", text)


def canvas(height: float = HEIGHT, left: float = 0.12, bottom: float = 0.12, top: float = 0.97) -> tuple[Figure, Axes]:
    """A figure with one pair of axes. Margins are set, not searched: that halves the time to draw."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height))
    figure.subplots_adjust(left=left, right=0.97, top=top, bottom=bottom)
    axes = figure.add_subplot()
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_ticks())
    return figure, axes


def _ticks() -> ScalarFormatter:
    """Numbers at axes, written as everywhere else."""
    from matplotlib.ticker import ScalarFormatter

    class Ticks(ScalarFormatter):
        def __call__(self, value: float, position: int | None = None) -> str:
            return "0" if value == 0 else pointed(super().__call__(value, position).replace("\N{MINUS SIGN}", "-"))

    return Ticks(useOffset=False)


def lines(names: Sequence[str]) -> tuple[Figure, Axes]:
    """A figure with one named line for each thing, the first on top."""
    height = 0.65 + 0.25 * len(names)
    labels = [short(name) for name in names]
    figure, axes = canvas(height, left=room(labels), bottom=0.5 / height, top=1 - 0.05 / height)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_yticks(range(len(names)), labels, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    return figure, axes


def room(labels: Sequence[str]) -> float:
    """Share of the width that labels need on the left; generous, because the font is the browser's."""
    return (14 + 5.2 * max(map(len, labels), default=0)) / (72 * WIDTH)
