"""The made-up runs of the record's tests."""

from __future__ import annotations

from tests.record.conftest import binary, many

__all__ = ["binary", "many"]
