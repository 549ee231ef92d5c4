"""A run as Python sees it."""

from __future__ import annotations

import io
import logging
import re
import weakref
from dataclasses import dataclass, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from sortal.artifact.card import Item
from sortal.artifact.model import Model, load
from sortal.core.display import AsText, isolated
from sortal.core.errors import OptionError
from sortal.core.native import is_pandas, to_native
from sortal.core.plain import sentence
from sortal.core.recipe import Recipe
from sortal.data.ledger import Seal
from sortal.data.whole import Claim, abandoned, replacing, temporary_files, temporary_folder
from sortal.filing import MODEL_FILE
from sortal.picking import pick
from sortal.record.events import RunObserver
from sortal.record.run import RunRecord
from sortal.record.tables import leaderboard_table
from sortal.report import terminal
from sortal.report.live import TerminalObserver
from sortal.report.screen import NOTEBOOK, Screen
from sortal.training.executor import Executor
from sortal.workflow import train_into

_log = logging.getLogger("sortal")


@dataclass(frozen=True, repr=False)
class Report:
    """The report of a run: one HTML file without outside links."""

    html: str

    def save(self, path: str | Path) -> None:
        with replacing(path) as partial:
            partial.write_text(self.html, encoding="utf-8")

    def __repr__(self) -> str:
        return f"the report of a run, {len(self.html):,} letters of HTML: .save('report.html') keeps it"

    def _repr_html_(self) -> str:
        return isolated(self.html)


@dataclass(frozen=True, repr=False)
class Run(AsText):
    """What ``sortal.train`` returns. ``folder`` holds every file of the run; ``record`` is its ``run.json``.

    Where no ``out`` was given the folder lies in a temporary ``home`` that goes away with the run: save what should
    stay. A copy of such a run, by ``copy`` or by ``pickle``, has its own folder with the same files, the sealed test
    among them. ``pandas``: whether the data came from there.
    """

    folder: Path
    record: RunRecord
    model: Model
    report: Report
    home: Claim | None = None
    pandas: bool = False

    def __post_init__(self) -> None:
        if self.home is not None:
            weakref.finalize(self, self.home.remove)

    @property
    def leaderboard(self) -> Any:
        """The candidates, best first: a table of pandas where the data came as one, else of polars."""
        return to_native(leaderboard_table(self.record), self.pandas)

    @property
    def test(self) -> SimpleNamespace:
        """The figures of the sealed test by name, each with its interval: ``run.test.roc_auc``."""
        return SimpleNamespace(**(self.record.test or {}))

    @property
    def nested(self) -> SimpleNamespace:
        """The figures of nested cross-validation, which stands in for a test that could say nothing."""
        return SimpleNamespace(**({} if self.record.nested is None else self.record.nested.figures))

    @property
    def checklist(self) -> tuple[Item, ...]:
        """What holds and what does not, with evidence."""
        return self.record.checklist

    def pick(self, name: str, out: str | Path | None = None) -> Model:
        """Another candidate of the front of score against latency as a model, without training; see ``leaderboard``.

        ``out``: where its file is written; ``NAME.sortal`` in the folder of the run unless given. Raises OptionError
        for one of which the run kept no program.
        """
        own = re.sub(r"[^\w.-]+", "_", name)
        return pick(self.folder, name, self.folder / f"{own}.sortal" if out is None else Path(out))

    def __repr__(self) -> str:
        text = io.StringIO()
        console = Screen(text, NOTEBOOK)
        terminal.headline(console, self.record)
        terminal.leaderboard(console, self.record.leaderboard, self.record.selection, self.record.timing.skipped)
        terminal.checklist(console, self.record.checklist)
        return text.getvalue().rstrip()

    def __getstate__(self) -> dict[str, Any]:
        """With the files of a temporary folder, which will be gone."""
        state = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**state, "home": None, "files": _files(self.folder)} if self.home is not None else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        files = state.pop("files", None)
        self.__dict__.update(state)
        if files is not None:
            home = temporary_folder()
            self.__dict__.update(home=home, folder=home.path / "run")
            for name, content in files.items():
                path = self.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            if (seal := Seal(self.folder)).path.exists():
                seal.guard()
        self.__post_init__()


def train(
    data: object,
    recipe: Recipe,
    started: float,
    out: Path | None,
    *,
    progress: bool,
    executor: Executor | None,
    resume: bool,
) -> Run:
    """See ``sortal.train``; ``started``: the ``time.monotonic()`` of its call."""
    if resume and out is None:
        raise OptionError("say which run to resume: out='runs/NAME'")
    console = Screen() if progress else None
    for message in abandoned(temporary_files() if out is None else out.expanduser().absolute().parent):
        _log.warning(sentence(message))
    if out is not None:
        return _run(data, trip(out, data, recipe, started, console, executor, resume), out)
    home = temporary_folder()
    try:
        folder = home.path / "run"
        return _run(data, trip(folder, data, recipe, started, console, executor), folder, home)
    except BaseException:
        home.remove()
        raise


def trip(
    folder: Path,
    data: object,
    recipe: Recipe,
    started: float,
    console: Console | None,
    executor: Executor | None = None,
    resume: bool = False,
) -> RunRecord:
    """Train into a folder, and print on the console, where there is one, what is known as soon as it is."""
    if console is None:
        return train_into(folder, data, recipe, RunObserver(), started, executor, resume)
    with TerminalObserver(console, None if recipe.search.effort else recipe.search.seconds, started) as observer:
        record = train_into(folder, data, recipe, observer, started, executor, resume)
    observer.finished(record, folder)
    return record


def _run(data: object, record: RunRecord, folder: Path, home: Claim | None = None) -> Run:
    report = Report((folder / "report.html").read_text(encoding="utf-8"))
    return Run(folder, record, load(folder / MODEL_FILE), report, home, is_pandas(data))


def _files(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
