"""What a service says of itself while it runs: JSON, a line an event, on the standard error.

No line holds data: neither rows nor answers, nor tokens, nor the address of a client.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

LOGGER = logging.getLogger("sortal.serve.requests")


@dataclass(frozen=True, slots=True)
class Answered:
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


def log_request(answered: Answered) -> None:
    """A line a request."""
    if LOGGER.isEnabledFor(logging.INFO):
        fields = {
            "method": answered.method,
            "route": answered.path,
            "status": answered.status,
            "ms": round(1e3 * answered.seconds, 3),
            "rows": answered.rows,
        }
        LOGGER.info("request", extra={"fields": fields})


class JsonLines(logging.Formatter):
    """An event as an object. What belongs to it beside its message comes as ``extra={"fields": {...}}``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "process": record.process,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def logging_config(level: str) -> dict[str, Any]:
    """For ``logging.config.dictConfig``, of this process and of every worker. The servers say only what goes wrong."""
    ours = {"handlers": ["lines"], "level": level.upper(), "propagate": False}
    servers = {**ours, "level": "WARNING"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": "sortal.serve.logs.JsonLines"}},
        "handlers": {
            "lines": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"},
        },
        "loggers": {"sortal": ours, **dict.fromkeys(("_granian", "uvicorn"), servers)},
    }
