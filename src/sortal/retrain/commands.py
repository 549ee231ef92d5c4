"""``sortal registry`` and ``rollback``, on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sortal.core.plain import plain, visible
from sortal.options import Json

if TYPE_CHECKING:
    from sortal.retrain.registry import Registry

RegistryFolder = Annotated[Path, typer.Argument(help="The folder of a registry of models.", metavar="REGISTRY")]
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
    versions = models.listed()
    if json:
        typer.echo(msgspec.json.encode({"versions": versions, "events": models.events()}).decode())
    else:
        _echo(_listed(models))


def rollback(folder: RegistryFolder, *, why: Why = "") -> None:
    """Make the former champion of a registry the champion again; a second time goes forth again."""
    from sortal.retrain.registry import SHORT, Registry

    models = Registry(folder)
    _ = models.aliases  # refuses a folder that is no registry before anything is made there
    with models.changing():
        version = models.roll_back(why)
    _echo([f"champion is {version[:SHORT]} again"])


def _listed(models: Registry) -> Iterator[str]:
    from sortal.retrain.registry import SHORT

    for each in models.listed():
        made = datetime.fromtimestamp(each.made, UTC).strftime("%Y-%m-%d %H:%M")
        why = f": {plain(each.why)}" if each.why else ""
        yield f"{each.version[:SHORT]}  {made}  {plain(each.by)}  {', '.join(each.aliases) or '-'}{why}"
    yield f"to serve: {models.folder / 'champion.sortal'}"


def _echo(lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        typer.echo(visible(line))
