"""Tells a run as it goes: each part of the story is printed when it is known, with a live line below."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from sortal.data.problem import Problem
from sortal.report import record, terminal
from sortal.report.terminal import Progress


class Narrator(Progress):
    """A ``workflow.Audience`` that prints. Used as a context, so that the live line goes when the run ends."""

    def __init__(self, console: Console, budget: float, started: float) -> None:
        super().__init__(console, budget, started)
        self._console = console
        self._since = started

    def framed(self, data: record.Data, dev: Problem, split: record.Split) -> None:
        """What was read, what is to be decided, and that the test is sealed."""
        took = time.monotonic() - self._since
        terminal.data_line(self._console, data, dev.table.schema.columns, took)
        terminal.target_line(self._console, dev.task)
        terminal.sealed_line(self._console, split)

    def audited(self, findings: tuple[record.Finding, ...], late: tuple[record.Unchecked, ...]) -> None:
        """What the audit found, and what it had no time for."""
        terminal.audit(self._console, findings)
        terminal.unchecked(self._console, late)

    def finishing(self) -> None:
        """The search ends here, and what is known so far becomes the model."""
        self._console.print("  finishing with the best so far; Ctrl-C again stops without writing anything")

    def finished(self, run: record.RunRecord, folder: Path) -> None:
        """Everything that is known only at the end."""
        show = self._console
        terminal.shortfall(show, run.trial)
        terminal.leaderboard(show, run.leaderboard, run.selection, run.timing.skipped)
        terminal.decision(show, run.task, run.calibration, run.decision)
        terminal.sets(show, run.sets)
        terminal.sealed_test(show, run.test, run.trial, run.task, run.ledger)
        terminal.checklist(show, run.checklist)
        show.print()
        terminal.closing(show, run.timing, folder, run.artifact)
