"""What ``sortal evaluate`` and ``sortal audit`` find, as plain data."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec
from rich.console import Console

from sortal.core import registry
from sortal.core.display import AsText
from sortal.core.schema import Column
from sortal.core.task import Task
from sortal.evaluate.metrics import Metric
from sortal.report.record import Data, Estimate, Finding, Ledger, Split, Unchecked

Verdict = Literal["as promised", "better", "worse", "unknown"]


@dataclass(frozen=True)
class Comparison:
    """One metric, then and now. The verdict is ``worse`` or ``better`` where the intervals do not meet."""

    metric: str
    promised: Estimate | None
    found: Estimate
    verdict: Verdict


@dataclass(frozen=True)
class Evaluation:
    """``promised_on``: the part that the promise was measured on. ``ledger``: of the run, where its sealed rows were looked at."""

    model: str
    data: str
    rows: int
    promised_on: str
    comparisons: tuple[Comparison, ...]
    ledger: Ledger | None = None

    @property
    def worse(self) -> tuple[str, ...]:
        """The metrics that fell short of what was promised."""
        return tuple(c.metric for c in self.comparisons if c.verdict == "worse")

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


@dataclass(frozen=True, repr=False)
class AuditReport(AsText):
    """What ``sortal audit`` says of the rows that training would see; the others stay unseen, but for what parts have in common."""

    data: Data
    columns: tuple[Column, ...]
    task: Task
    split: Split
    findings: tuple[Finding, ...]
    skipped: tuple[Unchecked, ...] = ()

    def __repr__(self) -> str:
        from sortal.report import summary

        text = io.StringIO()
        summary.audit(Console(file=text, width=110, highlight=False), self)
        return text.getvalue().rstrip()

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


def compare(name: str, promised: Mapping[str, float | None] | None, found: Estimate) -> Comparison:
    """Judge one metric by its two intervals; conservative, as both may be off."""
    before = None if promised is None else Estimate(promised["value"], promised["low"], promised["high"])
    return Comparison(name, before, found, _verdict(name, before, found))


def _verdict(name: str, before: Estimate | None, found: Estimate) -> Verdict:
    bounds = (None,) if before is None else (before.low, before.high, found.low, found.high)
    if any(bound is None or bound != bound for bound in bounds):
        return "unknown"
    low, high, now_low, now_high = (float(bound) for bound in bounds if bound is not None)
    metric: Metric = registry.load("sortal.metrics", name)
    if now_low > high:
        return "better" if metric.higher_is_better else "worse"
    if now_high < low:
        return "worse" if metric.higher_is_better else "better"
    return "as promised"
