"""What a service says of itself while it runs: JSON, a line an event, on the standard error.

No line holds data: neither rows nor answers, nor tokens, nor the address of a client.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

LOGGER = logging.getLogger("sortal.serve.requests")


class RequestEvent(msgspec.Struct, frozen=True):
    """A request that was answered, or refused. ``path``: that of its route, not what was asked for. ``seconds``: from
    its last byte to its answer; ``stages``: some of them, by name. ``scope``: as ASGI has it, with the headers.
    """

    method: str
    path: str
    status: int
    seconds: float
    stages: Mapping[str, float]
    rows: int
    scope: Mapping[str, Any]


class _Line(msgspec.Struct):
    """What is said of a request: as ``JsonLines`` has events, and more."""

    time: str
    level: str
    event: str
    process: int
    method: str
    route: str
    status: int
    ms: float
    rows: int


_encode = msgspec.json.Encoder().encode


def log_request(event: RequestEvent) -> None:
    """A line a request, past the handlers of ``logging``: a record of theirs takes as long as half of scoring a row."""
    if LOGGER.isEnabledFor(logging.INFO):
        line = _Line(
            _timestamp(time.time()),
            "info",
            "request",
            os.getpid(),
            event.method,
            event.path,
            event.status,
            round(1e3 * event.seconds, 3),
            event.rows,
        )
        sys.stderr.write(f"{_encode(line).decode()}\n")  # which is sent with the end of the line


def _timestamp(seconds: float) -> str:
    """
    >>> _timestamp(1_795_955_755.5679)
    '2026-11-29T12:35:55.567+00:00'
    """
    whole, part = divmod(seconds, 1.0)
    return f"{_second(whole)}.{int(1e3 * part):03}+00:00"


@lru_cache(maxsize=2)
def _second(seconds: float) -> str:
    """All requests of a second share it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").removesuffix("+00:00")


class JsonLines(logging.Formatter):
    """An event as an object. What belongs to it beside its message comes as ``extra={"fields": {...}}``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _timestamp(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "process": record.process,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def logging_config(level: str) -> dict[str, Any]:
    """For ``logging.config.dictConfig``, of every process. uvicorn says what is wrong with us, not with requests."""
    ours = {"handlers": ["lines"], "level": level.upper(), "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": "sortal.serve.logs.JsonLines"}},
        "handlers": {
            "lines": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"},
        },
        "loggers": {"sortal": ours, "uvicorn": {**ours, "level": "ERROR"}},
    }
