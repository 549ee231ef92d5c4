"""What a process of the service counts, and how Prometheus reads it (text format 0.0.4).

Every process counts for itself and says which it is: ``worker`` is its process id. Of several, a scrape meets one,
which shows what the others counted, too (``shared``): sums over ``worker`` are those of the service.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from threading import Lock
from typing import Any

import msgspec

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: Prometheus' own, and three below, since a row takes less than its first."""
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

LASTING = ("counter", "histogram")
"""Kinds of figures that stay when their process ends."""

Labels = tuple[tuple[str, str], ...]


class Family(msgspec.Struct, frozen=True):
    """One figure with its lines, which stand together in the text."""

    name: str
    kind: str
    help: str
    lines: list[str]

    def to_lines(self) -> list[str]:
        return [f"# HELP {self.name} {self.help}", f"# TYPE {self.name} {self.kind}", *self.lines]


@dataclass
class Histogram:
    """How many requests took at most so long. ``counts``: by bucket, the last of all that are longer."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    sum: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds


@dataclass
class Metrics:
    """Counts since the process began. Rows are counted by any thread, requests by the one that answers.

    ``stages``: seconds of decode, validate, score and log, all requests together. ``shadow``: rows that the shadow
    scored, and those that it did not.
    """

    start_time: float = field(default_factory=time.time)
    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    latency: dict[str, Histogram] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    decisions: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    warnings: int = 0
    shadow: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add_request(
        self, method: str, path: str, status: int, seconds: float, stages: Mapping[str, float] | None = None
    ) -> None:
        """A request was answered, or refused. ``path``: that of its route, not what was asked for."""
        self.requests[method, path, status] += 1
        histogram = self.latency.get(path)
        if histogram is None:
            histogram = self.latency[path] = Histogram()
        histogram.add(seconds)
        for name, duration in (stages or {}).items():
            self.stages[name] = self.stages.get(name, 0.0) + duration

    def add_rows(self, decisions: Iterable[object], warnings: int) -> None:
        """Rows were decided, of which so many had warnings."""
        names = [*map(str, decisions)]
        with self._lock:
            for name in names:
                self.decisions[name] += 1
            self.rows += len(names)
            self.warnings += warnings

    def text(
        self,
        log: Mapping[str, float] | None = None,
        model: Mapping[str, str] | None = None,
        others: Iterable[Sequence[Family]] = (),
    ) -> str:
        """As Prometheus reads it. ``log``: what the log counts, by name; ``model``: what names the model; ``others``:
        figures of other workers.
        """
        by_name: dict[str, Family] = {}
        for family in chain(self.families(log or {}, model or {}), *others):
            merged = by_name.setdefault(family.name, Family(family.name, family.kind, family.help, []))
            merged.lines.extend(family.lines)
        return "\n".join([line for family in by_name.values() for line in family.to_lines()] + [""])

    def families(self, log: Mapping[str, float], model: Mapping[str, str]) -> list[Family]:
        """The same as data, of this process alone."""
        return list(self._families(log, model))

    def _families(self, log: Mapping[str, float], model: Mapping[str, str]) -> Iterator[Family]:
        worker = ("worker", str(os.getpid()))
        requests = {
            (("method", method), ("route", path), ("status", str(status))): count
            for (method, path, status), count in self.requests.copy().items()
        }
        yield _family("requests_total", "counter", "Requests, by how they were answered.", requests, worker)
        yield self._histograms(worker)
        stages = {(("stage", name),): seconds for name, seconds in self.stages.copy().items()}
        help = "Seconds spent on decoding, validating, scoring and logging."
        yield _family("stage_seconds_total", "counter", help, stages, worker)
        yield _family("rows_total", "counter", "Rows that were scored.", {(): self.rows}, worker)
        decisions = {(("decision", name),): count for name, count in self.decisions.copy().items()}
        yield _family("decisions_total", "counter", "Rows, by what was decided.", decisions, worker)
        help = "Rows of which something was odd."
        yield _family("row_warnings_total", "counter", help, {(): self.warnings}, worker)
        if self.shadow:
            shadow = {(("outcome", name),): count for name, count in self.shadow.copy().items()}
            yield _family("shadow_rows_total", "counter", "Rows of the shadow, by outcome.", shadow, worker)
        for name, value in log.items():
            yield _family(f"log_{name}", "gauge", f"Of the log: {name.replace('_', ' ')}.", {(): value}, worker)
        if model:
            yield _family("model_info", "gauge", "The model that answers.", {tuple(model.items()): 1}, worker)
        help = "When the process began, seconds since 1970."
        yield _family("process_start_time_seconds", "gauge", help, {(): self.start_time}, worker)

    def _histograms(self, worker: tuple[str, str]) -> Family:
        name, lines = "sortal_request_seconds", []
        for path, histogram in self.latency.copy().items():
            labels = (("route", path), worker)
            total = 0
            for limit, count in zip((*map(str, BUCKETS), "+Inf"), histogram.counts, strict=True):
                total += count
                lines.append(f"{name}_bucket{_label_text((*labels, ('le', limit)))} {total}")
            lines.append(f"{name}_sum{_label_text(labels)} {histogram.sum!r}")
            lines.append(f"{name}_count{_label_text(labels)} {total}")
        return Family(name, "histogram", "Seconds from the last byte of a request to its answer.", lines)


def _family(name: str, kind: str, help: str, values: Mapping[Any, float], worker: tuple[str, str]) -> Family:
    """``values``: by ``Labels``."""
    name = f"sortal_{name}"
    return Family(
        name, kind, help, [f"{name}{_label_text((*labels, worker))} {value!r}" for labels, value in values.items()]
    )


def _label_text(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
