"""A run as Python sees it."""

from __future__ import annotations

import io
import shutil
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import polars as pl
from rich.console import Console

from sortal import workflow
from sortal.artifact.model import Model, load
from sortal.core.recipe import Recipe, parse_budget, parse_kinds, parse_names, plain_cost
from sortal.report import terminal
from sortal.report.assemble import leaderboard_table
from sortal.report.evaluation import AuditReport
from sortal.report.record import Item, RunRecord
from sortal.workflow import MODEL_FILE, NoAudience, train_into


@dataclass(frozen=True)
class Report:
    """The report of a run: one HTML file without outside links."""

    html: str

    def save(self, path: str | Path) -> None:
        Path(path).write_text(self.html, encoding="utf-8")

    def _repr_html_(self) -> str:
        return self.html


@dataclass(frozen=True, repr=False)
class Run:
    """What ``sortal.train`` returns. ``folder`` holds every file of the run; ``record`` is its ``run.json``.

    Where no ``out`` was given the folder is a temporary one that goes away with the run: save what should stay.
    """

    folder: Path
    record: RunRecord
    model: Model

    @property
    def leaderboard(self) -> pl.DataFrame:
        """The candidates, best first."""
        return leaderboard_table(self.record)

    @property
    def test(self) -> SimpleNamespace:
        """The figures of the sealed test by name, each with its interval: ``run.test.roc_auc``."""
        return SimpleNamespace(**(self.record.test or {}))

    @property
    def checklist(self) -> tuple[Item, ...]:
        """What holds and what does not, with evidence."""
        return self.record.checklist

    @property
    def report(self) -> Report:
        return Report((self.folder / "report.html").read_text(encoding="utf-8"))

    def __repr__(self) -> str:
        text = io.StringIO()
        console = Console(file=text, width=110, highlight=False)
        terminal.headline(console, self.record)
        terminal.leaderboard(console, self.record.leaderboard, self.record.selection, self.record.timing.skipped)
        terminal.checklist(console, self.record.checklist)
        return text.getvalue()


def train(
    data: object,
    target: Any,
    *,
    metric: str = "auto",
    cost: str | Path | Mapping[Any, Any] | None = None,
    positive: str | int | float | bool | None = None,
    cost_columns: Mapping[str, str] | None = None,
    reject_cost: float | None = None,
    precision: float | None = None,
    recall: float | None = None,
    fpr: float | None = None,
    confidence: float = 0.95,
    capacity: str | float | None = None,
    goal: Literal["f1"] | None = None,
    beta: float = 1.0,
    sets: float | None = None,
    kinds: Mapping[str, str] | None = None,
    missing: str | Sequence[str] | None = None,
    ignore: Any = (),
    time_column: Any = None,
    group: Any = None,
    split: str | None = None,
    select: int | None = None,
    models: str | Sequence[str] = (),
    budget: str | float = "2m",
    seed: int = 0,
    out: str | Path | None = None,
) -> Run:
    """Train a classifier on a labelled table and score it once on a sealed test.

    ``data``: pandas, polars, pyarrow or numpy, a dict of columns, or the path of a file (or several). The options mean what they
    mean on the command line: see ``sortal train --help``. ``budget`` counts from this call.

    Raises InputError, in a sentence, where the data or the options cannot be used.
    """
    started = time.monotonic()
    recipe = Recipe(
        target=target,
        metric=metric,
        cost=plain_cost(cost),
        positive=None if positive is None else str(positive),
        cost_columns=tuple(f"{cell}={column}" for cell, column in (cost_columns or {}).items()),
        reject_cost=reject_cost,
        precision=precision,
        recall=recall,
        fpr=fpr,
        confidence=confidence,
        capacity=capacity,
        goal=goal,
        beta=beta,
        sets=sets,
        kinds=parse_kinds(kinds or {}),
        missing=_texts(missing),
        ignore=_names(ignore),
        time=time_column,
        group=group,
        split=split,
        select=select,
        models=parse_names(models),
        budget=parse_budget(budget),
        seed=seed,
    )
    if out is not None:
        return _trained(Path(out), data, recipe, started)
    home = tempfile.mkdtemp(prefix="sortal-")
    try:
        run = _trained(Path(home, "run"), data, recipe, started)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    weakref.finalize(run, shutil.rmtree, home, ignore_errors=True)
    return run


def _names(given: Any) -> tuple[Any, ...]:
    """Names of columns, of which one may stand alone."""
    return tuple(given) if isinstance(given, list | set | frozenset | tuple | pl.Series) else (given,)


def _texts(given: str | Sequence[str] | None) -> tuple[str, ...] | None:
    return None if given is None else (given,) if isinstance(given, str) else tuple(map(str, given))


def _trained(folder: Path, data: object, recipe: Recipe, started: float) -> Run:
    record = train_into(folder, data, recipe, NoAudience(), started)
    return Run(folder, record, load(folder / MODEL_FILE))


def audit(
    data: object,
    target: Any,
    *,
    kinds: Mapping[str, str] | None = None,
    missing: str | Sequence[str] | None = None,
    ignore: Any = (),
    time_column: Any = None,
    group: Any = None,
    split: str | None = None,
    seed: int = 0,
) -> AuditReport:
    """What is wrong with labelled data, before any training: ``sortal.audit(frame, "churn").findings``."""
    asked = Recipe(
        target=target,
        kinds=parse_kinds(kinds or {}),
        missing=_texts(missing),
        ignore=_names(ignore),
        time=time_column,
        group=group,
        split=split,
        seed=seed,
    )
    return workflow.audit(data, asked)
