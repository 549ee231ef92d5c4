"""Where a model does worse, on the screen."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from sortal.evaluate.slices import Slices
from sortal.record.wording import by_slice, counted, measured
from sortal.report.terminal import INDENT, hang

MOST_WORSE, MOST_ASKED = 5, 20


def slices(console: Console, found: Slices | None, costs: bool) -> None:
    """What does clearly worse, the worst first, and the slices that were asked for; nothing where there are none.

    ``costs``: whether errors have costs.
    """
    if found is None or not found.shown:
        return
    worse = [each for each in found.slices if each.worse]
    asked = [each for each in found.shown if not each.worse]
    looked = f"{counted(found.tested, 'slice')} of {counted(found.columns, 'column')} ({found.part} rows)"
    does = f"{len(worse) or 'none'} of {looked} {'do' if len(worse) > 1 else 'does'} clearly worse"
    console.print()
    hang(console, Text("SLICES", "bold"), Text(f"{measured(found, costs)}: {does}"), INDENT)
    for each in worse[:MOST_WORSE]:
        hang(console, "", Text(by_slice(each), "red"), INDENT)
    for each in asked[:MOST_ASKED]:
        hang(console, "", Text(by_slice(each)), INDENT)
    if more := len(worse[MOST_WORSE:]) + len(asked[MOST_ASKED:]):
        hang(console, "", Text(f"and {more} more, in the report", "dim"), INDENT)
