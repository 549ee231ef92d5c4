"""``sortal monitor``, on the command line."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sortal.core.errors import OptionError, StoreError
from sortal.core.plain import visible
from sortal.endings import say
from sortal.options import AllowMissing, Json, ModelFile, Verify

if TYPE_CHECKING:
    from sortal.monitor.state import State
    from sortal.monitor.watch import Watcher
    from sortal.serve.deployment import ServedModel

LONGEST = 31 * 86_400
"""Seconds between two looks."""
ALARM = 3
"""The exit code where an alarm was raised."""


def monitor(
    model: ModelFile,
    data: Annotated[list[str] | None, typer.Argument(help="Rows in files, where there is no log.")] = None,
    *,
    log: Annotated[str | None, typer.Option(help="The log of the service: sqlite:///FILE or postgresql://...")] = None,
    time: Annotated[str | None, typer.Option(help="Of files the column that says when a row came.")] = None,
    allow_missing: AllowMissing = False,
    state: Annotated[
        Path | None,
        typer.Option(
            help="Where counts are kept between two looks: of a log monitor-HASH.json here, of files nowhere else."
        ),
    ] = None,
    false_alarms: Annotated[
        str, typer.Option(help="The chance of any alarm in a year without a change, such as 5%.")
    ] = "5%",
    watch: Annotated[bool, typer.Option("--watch", help="Keep running, and look again and again.")] = False,
    every: Annotated[str | None, typer.Option(help="With --watch, how often: 30m, 1h, 1d (usual).")] = None,
    report: Annotated[Path | None, typer.Option(help="A file of HTML that says the same, with charts.")] = None,
    verify: Verify = None,
    json: Json = False,
) -> None:
    """Whether a model in use still does what it promised, by its log or by rows in files. Exit 3 where there is an
    alarm.
    """
    from sortal.data.standard_input import spooled
    from sortal.serve.deployment import read_model

    if (log is None) == (not data):
        raise OptionError("say where the rows are: --log URL for the log of a service, or files; one of the two")
    if log is not None and (time is not None or allow_missing):
        raise OptionError("--time and --allow-missing are of files; a log knows when a row came, and what it lacked")
    if log is None and watch:
        raise OptionError("--watch looks at a log again and again; files are looked at whenever you give them")
    if every is not None and not watch:
        raise OptionError("--every says how often --watch looks; give both, or neither for one look")
    pause = _pause(every or "1d")
    served = read_model(model, verify)
    with spooled(data or []) as files:
        rows = OfFiles(files, time, allow_missing, once=state is None) if log is None else OfLog(log, judge_labels=json)
        state_file = state if log is None or state is not None else Path(f"monitor-{served.sha256[:12]}.json")
        job = Job(served, rows, state_file, _share(false_alarms), report, json)
        alarm = job.look()
    while watch:
        try:
            clock.sleep(pause)
            alarm = job.look()
        except StoreError as error:
            # A database that is away for an hour is no end: what came meanwhile is read when it is back.
            say(f"{error}; the next look is in {every or '1d'}")
        except KeyboardInterrupt:
            break
    if alarm:
        raise typer.Exit(ALARM)


@dataclass(frozen=True)
class OfLog:
    """Rows in the log of a service; ``judge_labels``: whether they are judged as ``sortal evaluate`` does it."""

    url: str
    judge_labels: bool

    def look(
        self, watcher: Watcher, served: ServedModel, state: State, false_alarms: float
    ) -> Mapping[str, Any] | None:
        """Count what is new; what labels say at length is only in JSON."""
        from sortal.monitor.from_log import of_others
        from sortal.serve.log.address import open_store
        from sortal.serve.truth import judge_log

        store = open_store(self.url, make=False)
        try:
            state.use_log(self.url)
            watcher.look(store, state, clock.time(), false_alarms)
            if not state.rows:
                say(*filter(None, [of_others(store, served.sha256)]))
            return judge_log(served, store) if self.judge_labels else None
        finally:
            store.close()


@dataclass(frozen=True)
class OfFiles:
    """Rows in files, as ``monitor.from_files`` reads them; ``once``: nothing is kept for another look."""

    paths: Sequence[str]
    time: str | None
    allow_missing: bool
    once: bool

    def look(
        self, watcher: Watcher, served: ServedModel, state: State, false_alarms: float
    ) -> Mapping[str, Any] | None:
        """Count what is new; what labels say at length, ``sortal evaluate`` says of files."""
        from sortal.monitor.from_files import Files

        now = clock.time()
        files = Files(served.model, self.paths, now, self.time, self.once, self.allow_missing)
        with closing(files.batches()) as batches:  # also where a row cannot be counted
            others = watcher.read(batches, state, now, false_alarms)
        say(*files.notes)
        if others:
            say(f"{others:,} rows are no newer than the last row of an earlier look, and count as looked at then")
        return None


@dataclass(frozen=True)
class Job:
    """What one look needs: the model, its rows, the file of the state (None: nothing is kept), and what is written."""

    served: ServedModel
    rows: OfLog | OfFiles
    state: Path | None
    false_alarms: float
    report: Path | None
    json: bool

    def look(self) -> bool:
        """Whether there is an alarm. What is new is counted, kept, and said."""
        import msgspec

        from sortal.monitor import page
        from sortal.monitor import state as states
        from sortal.monitor.status import status, text
        from sortal.monitor.watch import Watcher

        sha256 = self.served.sha256
        counts = states.State(sha256) if self.state is None else states.load(self.state, sha256)
        watcher = Watcher.of(self.served.model)
        labels = self.rows.look(watcher, self.served, counts, self.false_alarms)
        if self.state is not None:
            states.save(self.state, counts)
        summary = status(watcher, counts, self.false_alarms, labels)
        for line in [msgspec.json.encode(summary).decode()] if self.json else text(summary):
            typer.echo(line if self.json else visible(line))
        if self.report is not None:
            page.write(self.report, summary)
        return bool(summary.alarms)


UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def _pause(text: str) -> float:
    """Seconds of ``"30m"``, ``"1h"`` or ``"1d"``.

    >>> _pause("90s"), _pause("1.5h")
    (90.0, 5400.0)
    """
    try:
        seconds = float(text[:-1]) * UNITS[text[-1:]]
    except (ValueError, KeyError):
        seconds = 0.0
    if not 1 <= seconds <= LONGEST:
        raise OptionError(f"--every {text!r} is no time from a second to a month; write 30m, 1h or 1d")
    return seconds


def _share(text: str) -> float:
    """A share such as ``"5%"`` or ``"0.05"``.

    >>> _share("5%"), _share(".01")
    (0.05, 0.01)
    """
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise OptionError(f"--false-alarms {text!r} is no chance between 0 and 1; write for example 5%")
    return share
