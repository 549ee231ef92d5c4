"""``sortal monitor``, on the command line."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sortal.core.errors import OptionError, StoreError
from sortal.core.plain import visible
from sortal.options import Json, ModelFile, Verify

if TYPE_CHECKING:
    from sortal.serve.deployment import ServedModel

LONGEST = 31 * 86_400
"""Seconds between two looks."""
ALARM = 3
"""The exit code where an alarm was raised."""


def monitor(
    model: ModelFile,
    *,
    log: Annotated[str, typer.Option(help="The log of the service: sqlite:///FILE or postgresql://...")],
    state: Annotated[
        Path | None, typer.Option(help="Where counts are kept between two looks; else monitor-HASH.json here.")
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
    """Whether a model in use still does what it promised. Exit 3 where there is an alarm."""
    from sortal.serve.deployment import read_model

    if every is not None and not watch:
        raise OptionError("--every says how often --watch looks; give both, or neither for one look")
    pause = _pause(every or "1d")
    served = read_model(model, verify)
    job = Job(served, log, state or Path(f"monitor-{served.sha256[:12]}.json"), _share(false_alarms), report, json)
    alarm = job.look()
    while watch:
        try:
            time.sleep(pause)
            alarm = job.look()
        except StoreError as error:
            # A database that is away for an hour is no end: what came meanwhile is read when it is back.
            typer.echo(f"sortal: {error}; the next look is in {every or '1d'}", err=True)
        except KeyboardInterrupt:
            break
    if alarm:
        raise typer.Exit(ALARM)


@dataclass(frozen=True)
class Job:
    """What one look needs: the model, its log, the file of the state, and what is written."""

    served: ServedModel
    log: str
    state: Path
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
        from sortal.serve.log.address import open_store
        from sortal.serve.truth import judge_log

        kept = states.load(self.state, self.served.sha256)
        watcher = Watcher.of(self.served.model)
        store = open_store(self.log, make=False)
        try:
            watcher.look(store, kept, time.time(), self.false_alarms)
            labels = judge_log(self.served, store)
        finally:
            store.close()
        states.save(self.state, kept)
        said = status(watcher, kept, self.false_alarms, labels)
        for line in [msgspec.json.encode(said).decode()] if self.json else text(said):
            typer.echo(line if self.json else visible(line))
        if self.report is not None:
            page.write(self.report, said)
        return bool(said.alarms)


UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def _pause(written: str) -> float:
    """Seconds of ``"30m"``, ``"1h"`` or ``"1d"``.

    >>> _pause("90s"), _pause("1.5h")
    (90.0, 5400.0)
    """
    try:
        seconds = float(written[:-1]) * UNITS[written[-1:]]
    except (ValueError, KeyError):
        seconds = 0.0
    if not 1 <= seconds <= LONGEST:
        raise OptionError(f"--every {written!r} is no time from a second to a month; write 30m, 1h or 1d")
    return seconds


def _share(written: str) -> float:
    """A share such as ``"5%"`` or ``"0.05"``.

    >>> _share("5%"), _share(".01")
    (0.05, 0.01)
    """
    try:
        share = float(written.removesuffix("%")) / (100 if written.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise OptionError(f"--false-alarms {written!r} is no chance between 0 and 1; write for example 5%")
    return share
