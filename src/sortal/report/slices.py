"""Where a model does worse, on the screen."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from sortal.evaluate.slices import Slices
from sortal.record.wording import by_slice, count_of, measured
from sortal.report.terminal import INDENT, hang

MOST_WORSE, MOST_ASKED = 5, 20


def slices(console: Console, record: Slices | None, costs: bool) -> None:
    """What does clearly worse, the worst first, and the slices that were asked for; nothing where there are none.

    ``costs``: whether errors have costs.
    """
    if record is None or not record.shown:
        return
    worse = [slice_ for slice_ in record.slices if slice_.worse]
    requested = [slice_ for slice_ in record.shown if not slice_.worse]
    scope = f"{count_of(record.tested, 'slice')} of {count_of(record.columns, 'column')} ({record.part} rows)"
    does = f"{len(worse) or 'none'} of {scope} {'do' if len(worse) > 1 else 'does'} clearly worse"
    console.print()
    hang(console, Text("SLICES", "bold"), Text(f"{measured(record, costs)}: {does}"), INDENT)
    for slice_ in worse[:MOST_WORSE]:
        hang(console, "", Text(by_slice(slice_), "red"), INDENT)
    for slice_ in requested[:MOST_ASKED]:
        hang(console, "", Text(by_slice(slice_)), INDENT)
    if more := len(worse[MOST_WORSE:]) + len(requested[MOST_ASKED:]):
        hang(console, "", Text(f"and {more} more, in the report", "dim"), INDENT)
