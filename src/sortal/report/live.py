"""Shows a run as it goes: each part of the story is printed when it is known, with a live line below."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from sortal.artifact.card import Data
from sortal.checks.audit import Finding, SkippedCheck
from sortal.core.plain import plain
from sortal.core.schema import Column
from sortal.core.task import Task
from sortal.record.events import RunObserver
from sortal.record.parts import Split
from sortal.record.run import RunRecord
from sortal.report import terminal
from sortal.report.slices import slices
from sortal.report.terminal import INDENT


class TerminalObserver(RunObserver):
    """Prints what it hears. Used as a context, so that the live line goes when the run ends.

    The live line has the step, the time, what runs now and the best so far; there is none where there is no terminal.
    ``budget`` in seconds, None without one; ``started``: ``time.monotonic()`` when the clock began.
    """

    def __init__(self, console: Console, budget: float | None = None, started: float | None = None) -> None:
        self._console = console
        self._budget = budget
        self._started = time.monotonic() if started is None else started
        self._phase, self._running, self._best = "", "", ""
        is_live = console.is_terminal and not console.is_jupyter
        self._live = Live(self, console=console, refresh_per_second=4, transient=True) if is_live else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def phase(self, name: str) -> None:
        """A step of the trip begins; nothing runs in it yet."""
        self._phase, self._running = plain(name), ""

    def running(self, what: str) -> None:
        """What runs from now on."""
        self._running = plain(what)

    def best(self, text: str) -> None:
        """The best so far."""
        self._best = plain(text)

    def __rich__(self) -> Text:
        return self.line(time.monotonic() - self._started)

    def line(self, elapsed: float) -> Text:
        """The line as it stands after so many seconds."""
        bar, of = "", ""
        if self._budget:
            full = round(20 * min(elapsed / self._budget, 1.0))
            bar, of = f"|{'#' * full}{'-' * (20 - full)}|  ", f" of {self._budget:g}"
        text = Text.assemble(
            (f"{self._phase:<{INDENT}}", "bold"),
            f"{bar}{elapsed:.0f} s{of}",
            no_wrap=True,
            overflow="ellipsis",
        )
        for name, what in (("now", self._running), ("best", self._best)):
            if what:
                text.append(f"   {name} ", "dim").append(what)
        return text

    def framed(self, data: Data, columns: tuple[Column, ...], task: Task, split: Split) -> None:
        """What was read, what is to be decided, and that the test is sealed."""
        took = time.monotonic() - self._started
        terminal.data_line(self._console, data, columns, took)
        terminal.target_line(self._console, task)
        terminal.sealed_line(self._console, split)

    def audited(self, findings: tuple[Finding, ...], timed_out: tuple[SkippedCheck, ...]) -> None:
        """What the audit found, and what it had no time for."""
        terminal.audit(self._console, findings)
        terminal.unchecked(self._console, timed_out)

    def finishing(self) -> None:
        """The search ends here, and what is known so far becomes the model."""
        self._console.print("  finishing with the best so far; Ctrl-C again stops without writing anything")

    def finished(self, run: RunRecord, folder: Path) -> None:
        """Everything that is known only at the end."""
        show = self._console
        terminal.shortfall(show, run.verification)
        terminal.leaderboard(show, run.leaderboard, run.selection, run.timing.skipped)
        terminal.adding(show, run.permutation)
        terminal.decision(show, run.task, run.calibration, run.decision)
        terminal.sets(show, run.sets)
        if run.split.outer:
            terminal.nested(show, run.nested, run.task)
        else:
            terminal.sealed_test(show, run.test, run.verification, run.task, run.ledger)
        slices(show, run.slices, run.task.cost is not None)
        terminal.checklist(show, run.checklist)
        show.print()
        terminal.closing(show, run.timing, folder, run.artifact, None if run.examples is None else run.examples.file)
