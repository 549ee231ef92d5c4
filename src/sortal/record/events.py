"""What is heard of a whole run while it goes."""

from __future__ import annotations

from sortal.artifact.card import Data
from sortal.checks.audit import Finding, SkippedCheck
from sortal.core.observer import Observer
from sortal.core.schema import Column
from sortal.core.task import Task
from sortal.record.parts import Split


class RunObserver(Observer):
    """Hears also the parts of the record as they become known, and does nothing."""

    def framed(self, data: Data, columns: tuple[Column, ...], task: Task, split: Split) -> None:
        """What was read, what is to be decided, and how much is sealed."""

    def audited(self, findings: tuple[Finding, ...], timed_out: tuple[SkippedCheck, ...]) -> None:
        """What the audit found, and the checks that it had no time for."""
