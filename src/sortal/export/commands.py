"""``sortal export``, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sortal.core.errors import OptionError
from sortal.core.plain import visible
from sortal.options import Json

if TYPE_CHECKING:
    from sortal.export.mlflow import Destination, Logged

EXPERIMENT = "sortal"


def export(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or of a version in a registry.")],
    *,
    mlflow: Annotated[
        str | None,
        typer.Option(metavar="URI", help="The tracking server: http://HOST:PORT, or what MLflow else takes."),
    ] = None,
    experiment: Annotated[str, typer.Option(help="The experiment of MLflow that the run goes into.")] = EXPERIMENT,
    name: Annotated[
        str | None, typer.Option(help="A registered model of MLflow, which gets a version; made where there is none.")
    ] = None,
    alias: Annotated[str | None, typer.Option(help="What that version is called there, such as champion.")] = None,
    json: Json = False,
) -> None:
    """Log a run and its model to a tracking server of MLflow; nothing of single rows is sent."""
    import msgspec

    from sortal.export.mlflow import Destination, send
    from sortal.export.summary import summary_of

    if mlflow is None:
        raise OptionError("say where the run goes: --mlflow URI")
    if alias is not None and name is None:
        raise OptionError("--alias is of a registered model; name it, too: --name NAME")
    destination = Destination(mlflow, experiment, name, alias)
    logged = send(summary_of(run), destination)
    if json:
        typer.echo(msgspec.json.encode(logged).decode())
    else:
        for line in _lines(logged, destination):
            typer.echo(visible(line))


def _lines(logged: Logged, destination: Destination) -> list[str]:
    alias = f", called {destination.alias}" if destination.alias else ""
    return [
        f"logged     {logged.page or logged.run_id}",
        *([f"registered {destination.name}, version {logged.version}{alias}"] if logged.version else []),
        f'to load    mlflow.pyfunc.load_model("{logged.model}")',
    ]
