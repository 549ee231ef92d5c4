"""What a service says of itself while it runs: JSON, a line an event, on the standard error.

No line holds data: neither rows nor answers, nor tokens, nor the address of a client.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec


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
