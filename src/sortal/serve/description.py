"""What a person reads when a service starts."""

from __future__ import annotations

import os
import re

from sortal.core.errors import ArtifactError, OptionError, did_you_mean
from sortal.serve.deployment import ServedModel, read_model
from sortal.serve.log.address import open_store
from sortal.serve.log.daily import check_export
from sortal.serve.settings import DAY, Settings
from sortal.serve.swap import check_follows

MOST_FIGURES = 3
SHORT_HASH = 12
"""Letters of a hash that a person compares."""


def checked_models(settings: Settings) -> list[ServedModel]:
    """The champion, and the shadow where there is one, before a server is started for them.

    Raises ArtifactError where one of them cannot be used, OptionError for a column to redact that is none, StoreError
    where the log cannot be opened, and OutputError where it cannot be exported.
    """
    champion = read_model(settings.model, settings.verify)
    unknown_columns = [name for name in settings.redact if name not in champion.model.schema.names]
    if unknown_columns:
        raise OptionError(
            f"--redact {unknown_columns[0]!r} is no column of {settings.model.name}; "
            f"{did_you_mean(unknown_columns[0], champion.model.schema.names)}"
        )
    if settings.log is not None:
        open_store(settings.log).close()
    if settings.export is not None:
        check_export(settings.log, settings.export)
    if settings.shadow is None:
        return [champion]
    shadow = read_model(settings.shadow, settings.verify)
    try:
        check_follows(shadow, champion)
    except ArtifactError as error:
        raise ArtifactError(f"{settings.shadow.name} cannot be a shadow of {settings.model.name}: {error}") from None
    return [champion, shadow]


def describe(settings: Settings, champion: ServedModel, *shadow: ServedModel) -> list[str]:
    """Lines about a service."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    token = "every request needs the token" if settings.token else "no token: only this machine is answered"
    return [
        f"serving   http://{host}:{settings.port}   {token}",
        *(f"{role:9} {line}" for role, line in [("model", _model_line(champion)), ("", _figures(champion))] if line),
        *(f"shadow    {_model_line(model)}" for model in shadow),
        f"log       {_log(settings)}",
        f"workers   {settings.workers}; Ctrl-C, or kill {os.getpid()}, stops it when what runs is answered and logged",
    ]


def _log(settings: Settings) -> str:
    if settings.log is None:
        return "none: nothing is kept of what is decided"
    parts = [
        _without_password(settings.log),
        f"without {', '.join(settings.redact)}" if settings.redact else "",
        f"kept for {settings.retention / DAY:g} days" if settings.retention else "",
        f"each day as Parquet into {settings.export}" if settings.export else "",
    ]
    return "; ".join(part for part in parts if part)


def _without_password(url: str) -> str:
    """
    >>> _without_password("postgresql://me:secret@host/db")
    'postgresql://me:***@host/db'
    >>> _without_password("postgresql://host/db?user=me&password=secret&sslmode=require")
    'postgresql://host/db?user=me&password=***&sslmode=require'
    """
    return re.sub(r"(://[^/@:]*):[^@]*@|(password=)[^&]*", lambda m: f"{m[1]}:***@" if m[1] else f"{m[2]}***", url)


def _model_line(served: ServedModel) -> str:
    task = served.model.task
    classes = ", ".join(map(str, task.classes[:MOST_FIGURES])) + (", ..." if len(task.classes) > MOST_FIGURES else "")
    return f"{served.name} {served.sha256[:SHORT_HASH]}: {task.target!r} is one of {classes}"


def _figures(served: ServedModel) -> str:
    """Of the test where there was one, the figures that are reported first."""
    metrics, task = served.model.metrics, served.model.task
    for part in ("test", *metrics):
        figures = metrics.get(part)
        if figures:
            names = [name for name in (*task.headline, *figures) if name in figures]
            selected = list(dict.fromkeys(names))[:MOST_FIGURES]
            return f"{part}: " + ", ".join(f"{name} {figures[name]}" for name in selected)
    return ""
