"""``sortal serve`` and ``label``, on the command line; nothing of a server is imported before it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sortal.core.errors import OptionError
from sortal.core.plain import visible
from sortal.endings import say
from sortal.options import Data, Json, ModelFile, Verify
from sortal.serve.settings import (
    LEVELS,
    NO_LOG,
    USUAL_LOG,
    Settings,
    free_port,
    is_open_to_all,
    numeric_host,
    parse_retention,
    read_token,
)


def serve(
    model: ModelFile,
    *,
    host: Annotated[str, typer.Option(help="The address to listen at; any but this machine's own needs a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen at; 0 is any free one.")] = 8000,
    log: Annotated[
        str, typer.Option(help=f"Where predictions and labels go: sqlite:///FILE, postgresql://..., or {NO_LOG}.")
    ] = USUAL_LOG,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with the token that every request has to show.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer; one a core is enough.")] = 1,
    shadow: Annotated[
        Path | None, typer.Option(help="A model that is asked beside, off the response path, and logged.")
    ] = None,
    redact: Annotated[list[str] | None, typer.Option(help="A column that the log must not hold; may repeat.")] = None,
    retention: Annotated[str | None, typer.Option(help="How long the log is kept: 90d, 12h; else for ever.")] = None,
    export: Annotated[Path | None, typer.Option(help="A folder for the log of each day, as Parquet.")] = None,
    verify: Verify = None,
    log_level: Annotated[str, typer.Option(help=f"What is said on the standard error: {', '.join(LEVELS)}.")] = "info",
) -> None:
    """Answer over HTTP, log what was decided, and take the truth back later."""
    if log_level not in LEVELS:
        raise OptionError(f"--log-level {log_level!r} is none of {', '.join(LEVELS)}")
    if shadow is not None and log == NO_LOG:
        raise OptionError("what a shadow says is only in the log, and there is none; leave --shadow out, or give --log")
    if log == NO_LOG and (redact or retention or export):
        raise OptionError("--redact, --retention and --export are of a log, and --log none says that there is none")
    token = None if token_file is None else read_token(token_file)
    address = numeric_host(host, token)
    settings = Settings(
        model=model,
        host=address,
        port=free_port(address, port),
        log=None if log == NO_LOG else log,
        token=token,
        workers=workers,
        shadow=shadow,
        redact=tuple(redact or ()),
        retention=parse_retention(retention),
        export=export,
        verify=verify,
        level=log_level,  # type: ignore[arg-type]
    )
    if token_file is not None and is_open_to_all(token_file):
        say(f"every user can read {token_file}: chmod 600 {token_file.name}")
    from sortal.serve.description import checked_models, describe
    from sortal.serve.server import run
    from sortal.serve.telemetry import check_installed

    check_installed()
    lines = describe(settings, *checked_models(settings))
    run(settings, on_start=lambda: typer.echo("\n".join(map(visible, lines))))


def label(
    log: Annotated[str, typer.Argument(help="Where the log is: sqlite:///FILE or postgresql://...")],
    data: Data,
    *,
    id_column: Annotated[str, typer.Option("--id", help="The column with the ids of rows.")] = "id",
    label_column: Annotated[str, typer.Option("--label", help="The column with what turned out to be true.")] = "label",
    model: Annotated[
        Path | None, typer.Option(help="The model that was served: labels have to be its classes. Else as in the log.")
    ] = None,
    verify: Verify = None,
    json: Json = False,
) -> None:
    """Tell the log of a service what turned out to be true of its rows; again does no harm."""
    from sortal.artifact.model import load
    from sortal.serve.late_labels import label_rows

    classes = None if model is None else load(model, verify).classes_.tolist()
    result = label_rows(log, data, id_column, label_column, classes)
    typer.echo(result.to_json() if json else "\n".join(map(visible, result.sentences())))
