"""What a study of hours has finished, so that it goes on where it was broken off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class ResultStore:
    """Results by key, each of them a line of JSON in ``file``, in memory alone without one.

    A line that a kill cut short is taken off, and its part is done again. The file knows nothing of versions: one that
    was begun by other code, or on another machine, holds other figures than this code's.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._results: dict[str, Any] = {}
        if file is not None and file.exists():
            whole, end, _ = file.read_bytes().rpartition(b"\n")
            file.write_bytes(whole + end)
            self._results = dict(map(json.loads, whole.splitlines()))

    def __contains__(self, key: str) -> bool:
        return key in self._results

    def __getitem__(self, key: str) -> Any:
        return self._results[key]

    def __setitem__(self, key: str, result: Any) -> None:
        """``result``: of JSON values."""
        self._results[key] = result
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps([key, result]) + "\n")
