"""A run as Python sees it."""

from __future__ import annotations

import io
import logging
import re
import time as clock
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Unpack

from rich.console import Console

from sortal import auditing
from sortal.artifact.card import Item
from sortal.artifact.model import Model, load
from sortal.auditing import AuditReport
from sortal.core.display import AsText, isolated
from sortal.core.errors import OptionError, did_you_mean
from sortal.core.native import is_pandas, to_native
from sortal.core.plain import quoted, sentence
from sortal.core.recipe import Recipe
from sortal.core.sheets import AUDIT_OPTIONS, TRAIN_OPTIONS
from sortal.core.signatures import takes
from sortal.data.ledger import Seal
from sortal.data.whole import Claim, abandoned, replacing, temporary_files, temporary_folder
from sortal.keywords import AuditOptions, TrainOptions, in_python
from sortal.picking import pick
from sortal.record.events import RunObserver
from sortal.record.run import RunRecord
from sortal.record.tables import leaderboard_table
from sortal.report import terminal
from sortal.report.live import TerminalObserver
from sortal.report.screen import NOTEBOOK, Screen
from sortal.training.executor import Executor
from sortal.workflow import MODEL_FILE, train_into

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
        state = {each.name: getattr(self, each.name) for each in fields(self)}
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


@takes(in_python(TRAIN_OPTIONS, TrainOptions))
def train(
    data: object,
    target: Any = None,
    *,
    recipe: str | Path | None = None,
    out: str | Path | None = None,
    progress: bool = False,
    executor: Executor | None = None,
    resume: bool = False,
    **options: Unpack[TrainOptions],
) -> Run:
    """Train a classifier on a labelled table and score it once on a sealed test.

    ``data``: pandas, polars, pyarrow or numpy, a dict of columns, or the path of a file (or several). The options have
    the names and the meaning that they have on the command line: see ``sortal train --help``. ``budget`` counts from
    this call. ``recipe``: the ``recipe.toml`` of an earlier run; options beside it may not contradict it. ``progress``
    prints what the command line prints. ``executor``: where the fits of folds run (see ``sortal.training.executor``);
    one after another in this process unless given. ``resume``: the run ``out`` was killed; what it had done is not done
    again.

    Raises InputError, in a sentence, where the data or the options cannot be used.
    """
    started = clock.monotonic()
    if resume and out is None:
        raise OptionError("say which run to resume: out='runs/NAME'")
    asked = _asked(train, target, recipe, options)
    console = Screen() if progress else None
    for left in abandoned(temporary_files() if out is None else Path(out).expanduser().absolute().parent):
        _log.warning(sentence(left))
    if out is not None:
        return _run(data, trip(Path(out), data, asked, started, console, executor, resume), Path(out))
    home = temporary_folder()
    try:
        folder = home.path / "run"
        return _run(data, trip(folder, data, asked, started, console, executor), folder, home)
    except BaseException:
        home.remove()
        raise


@takes(in_python(AUDIT_OPTIONS, AuditOptions))
def audit(
    data: object, target: Any = None, *, recipe: str | Path | None = None, **options: Unpack[AuditOptions]
) -> AuditReport:
    """What is wrong with labelled data, before any training: ``sortal.audit(frame, "churn").findings``.

    The options are those of ``train`` that have a say in what is decided and in which rows are sealed: the same
    options, the same rows.
    """
    return auditing.audit(data, _asked(audit, target, recipe, options))


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


def _asked(call: Callable[..., object], target: object, file: str | Path | None, options: Mapping[str, Any]) -> Recipe:
    """What a call asks for, beside what stands in a recipe. Raises OptionError for an option that the call does not
    have.
    """
    known = signature(call).parameters
    for name in options:
        if name not in known:
            raise OptionError(f"{call.__name__} has no option {quoted(name)}; {did_you_mean(name, known)}")
    return Recipe.from_options({"target": target, **options}, None if file is None else Path(file))


def _files(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
