"""``sortal monitor``, on the command line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from sortal.core.errors import OptionError
from sortal.core.plain import visible
from sortal.options import Json, ModelFile, Verify

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
    verify: Verify = None,
    json: Json = False,
) -> None:
    """Whether a model in use still does what it promised. Exit 3 where there is an alarm."""
    import msgspec

    from sortal.monitor import state as states
    from sortal.monitor.status import status, text
    from sortal.monitor.watch import Watcher
    from sortal.serve.deployment import read_model
    from sortal.serve.log.address import open_store
    from sortal.serve.truth import judge_log

    chance = _share(false_alarms)
    served = read_model(model, verify)
    file = state or Path(f"monitor-{served.sha256[:12]}.json")
    kept = states.load(file, served.sha256)
    watcher, now = Watcher.of(served.model), time.time()
    store = open_store(log, make=False)
    try:
        watcher.look(store, kept, now, chance)
        labels = judge_log(served, store)
    finally:
        store.close()
    states.save(file, kept)
    said = status(watcher, kept, chance, labels)
    if json:
        typer.echo(msgspec.json.encode(said).decode())
    else:
        for line in text(said):
            typer.echo(visible(line))
    if said.alarms:
        raise typer.Exit(ALARM)


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
