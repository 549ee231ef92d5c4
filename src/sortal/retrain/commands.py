"""``sortal registry``, ``retrain``, ``promote`` and ``rollback``, on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sortal.core.errors import OptionError
from sortal.core.plain import plain, visible
from sortal.endings import say
from sortal.options import Json

if TYPE_CHECKING:
    from sortal.retrain.challenger import Outcome, Used
    from sortal.retrain.registry import Registry

REFUSED = 3
"""The exit code where a challenger does not pass."""

RegistryFolder = Annotated[Path, typer.Argument(help="The folder of a registry of models.", metavar="REGISTRY")]
Log = Annotated[str, typer.Option(help="The log of the service: sqlite:///FILE or postgresql://...")]
Doubt = Annotated[
    float, typer.Option(min=0.0001, max=0.5, help="The chance that a challenger that is no better passes.")
]
Tolerance = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="By how much any slice may be worse: .01 is a point of errors.")
]
Why = Annotated[str, typer.Option(help="Why, for the history.")]


def registry(
    folder: RegistryFolder,
    *,
    add: Annotated[
        Path | None, typer.Option(help="The folder of a run: the first is the champion, later ones the challenger.")
    ] = None,
    why: Why = "",
    json: Json = False,
) -> None:
    """The versions of a model: which one answers, and who changed that, when and why."""
    import msgspec

    from sortal.retrain.registry import Registry

    models = Registry(folder)
    if add is not None:
        with models.changing():
            models.add(add, why)
    elif models.exists:
        with models.changing():
            pass  # it may have to follow the file that is served
    versions = models.versions()
    if json:
        typer.echo(msgspec.json.encode({"versions": versions, "events": models.events()}).decode())
    else:
        _echo(_version_lines(models))


def retrain(
    folder: RegistryFolder,
    *,
    log: Log,
    data: Annotated[
        list[str] | None, typer.Option(help="What the champion was trained on; may repeat. Else the log alone.")
    ] = None,
    rows: Annotated[
        str,
        typer.Option(help="What challengers learn from: all rows, fresh ones, or both ways, compared."),
    ] = "both",
    gate_share: Annotated[
        float, typer.Option(min=0.05, max=0.95, help="Of the labelled rows, the newest, that only the gate sees.")
    ] = 0.5,
    budget: Annotated[str | None, typer.Option(help="Of each challenger; else that of the champion's recipe.")] = None,
    sign: Annotated[
        Path | None, typer.Option(help="A private key, where the service takes signed models only.")
    ] = None,
    doubt: Doubt = 0.05,
    tolerance: Tolerance = 0.01,
    why: Why = "",
    json: Json = False,
) -> None:
    """A challenger from old and fresh rows; it becomes champion only through the gate. Exit 3 where it does not."""
    from contextlib import closing

    from sortal.core.option_values import read_option
    from sortal.retrain import challenger
    from sortal.retrain.gate import Terms
    from sortal.retrain.registry import Registry
    from sortal.serve.log.address import open_store

    ways: dict[str, tuple[Used, ...]] = {"all": ("all",), "fresh": ("fresh",), "both": ("all", "fresh")}
    if rows not in ways:
        raise OptionError(f"--rows {rows!r} is none of all, fresh, both")
    if rows == "all" and not data:
        raise OptionError("--rows all means old and fresh ones; name what the champion was trained on: --data FILE")
    seconds = None if budget is None else read_option("budget", budget)
    options = challenger.RetrainOptions(data or (), ways[rows], gate_share, seconds, sign, Terms(doubt, tolerance), why)
    models = Registry(folder)
    _ = models.aliases  # refuses a folder that is no registry before anything is made there
    with closing(open_store(log, make=False)) as store:
        _report(challenger.retrain(models, store, options, say), json)


def promote(
    folder: RegistryFolder,
    *,
    log: Log,
    doubt: Doubt = 0.05,
    tolerance: Tolerance = 0.01,
    why: Why = "",
    json: Json = False,
) -> None:
    """Judge the challenger that waits on the labels that have come since; ask as often as you like. Exit 3 where it
    does not pass.
    """
    from contextlib import closing

    from sortal.retrain import challenger
    from sortal.retrain.gate import Terms
    from sortal.retrain.registry import Registry
    from sortal.serve.log.address import open_store

    models = Registry(folder)
    _ = models.aliases
    with closing(open_store(log, make=False)) as store:
        _report(challenger.promote(models, store, Terms(doubt, tolerance), why), json)


def _report(outcome: Outcome, json: bool) -> None:
    import msgspec

    if json:
        typer.echo(msgspec.json.encode(outcome).decode())
    else:
        _echo(_outcome_lines(outcome))
    if not outcome.verdict.promoted:
        raise typer.Exit(REFUSED)


def _outcome_lines(outcome: Outcome) -> Iterator[str]:
    from sortal.retrain.registry import SHORT

    short, verdict = outcome.version[:SHORT], outcome.verdict
    if outcome.used is not None:
        old = f"{outcome.old:,} old and " if outcome.old else ""
        yield f"challenger {short}, {plain(outcome.chosen)}, learned from {old}{outcome.fresh:,} fresh rows"
    yield f"gate       {verdict.rows:,} labelled rows that neither model has seen"
    for line in verdict.lines():
        yield f"  {plain(line)}"
    for note in (*verdict.notes, *outcome.notes):
        yield f"note       {plain(note)}"
    if verdict.promoted:
        yield f"PROMOTED   {short} is champion; the way back: sortal rollback REGISTRY"
    else:
        yield f"not promoted: {short} waits as challenger; with more labels: sortal promote REGISTRY --log URL"


def rollback(folder: RegistryFolder, *, why: Why = "") -> None:
    """Make the former champion of a registry the champion again; a second time goes forth again."""
    from sortal.retrain.registry import SHORT, Registry

    models = Registry(folder)
    _ = models.aliases  # refuses a folder that is no registry before anything is made there
    with models.changing():
        version = models.roll_back(why)
    _echo([f"champion is {version[:SHORT]} again"])


def _version_lines(models: Registry) -> Iterator[str]:
    from sortal.retrain.registry import SHORT

    for version in models.versions():
        date = datetime.fromtimestamp(version.made, UTC).strftime("%Y-%m-%d %H:%M")
        why = f": {plain(version.why)}" if version.why else ""
        yield f"{version.version[:SHORT]}  {date}  {plain(version.by)}  {', '.join(version.aliases) or '-'}{why}"
    yield f"to serve: {models.folder / 'champion.sortal'}"


def _echo(lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        typer.echo(visible(line))
