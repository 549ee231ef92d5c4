"""What a person reads when a service starts."""

from __future__ import annotations

import os
import re

from sortal.serve.deployment import ServedModel, read_model
from sortal.serve.settings import DAY, Settings

MOST_FIGURES = 3
SHORT_HASH = 12
"""Letters of a hash that a person compares."""


def described(settings: Settings) -> list[str]:
    """Lines about a service. Raises ArtifactError where one of its models cannot be used."""
    champion = read_model(settings.model, settings.verify)
    shadow = [] if settings.shadow is None else [read_model(settings.shadow, settings.verify)]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    token = "every request needs the token" if settings.token else "no token: only this machine is answered"
    return [
        f"serving   http://{host}:{settings.port}   {token}",
        *(f"{role:9} {line}" for role, line in [("model", _named(champion)), ("", _figures(champion))] if line),
        *(f"shadow    {_named(each)}" for each in shadow),
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
    """
    return re.sub(r"(://[^/@:]*):[^@]*@", r"\1:***@", url)


def _named(served: ServedModel) -> str:
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
            chosen = list(dict.fromkeys(names))[:MOST_FIGURES]
            return f"{part}: " + ", ".join(f"{name} {figures[name]}" for name in chosen)
    return ""
