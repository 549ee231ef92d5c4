"""The console that results are printed on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from sortal.core.plain import visible

PIPE, NOTEBOOK = 120, 110
"""Letters in a line where there is no terminal that says how many it has: of a pipe, and of what stands for an
object."""


class Screen(Console):
    """As wide as the terminal, or ``width``. What is printed is text, never markup, and only its own styles command the
    terminal.
    """

    def __init__(self, file: IO[str] | None = None, width: int | None = None) -> None:
        super().__init__(file=file, width=width, markup=False, emoji=False, highlight=False)
        if width is None and not self.is_terminal:
            self.width = PIPE

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Everything that is printed comes through here, live lines and the cells of tables, too."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                lines = segment.text.split("\n")
                yield Segment("\n".join(map(visible, lines)), segment.style)
