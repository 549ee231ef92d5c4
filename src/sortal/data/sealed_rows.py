"""How a file is known to hold the sealed rows of a run: by its place, or by a mark that every copy of it keeps.

The sealed test is ``sealed/test.parquet`` in the folder of a run; whatever else lies in ``sealed`` counts as sealed,
too. The file carries a mark where Parquet keeps notes (its footer), so that a copy is known by whatever name and in
whatever place. What was read and written again by another program, as CSV say, has lost the mark.
"""

from __future__ import annotations

import os
from pathlib import Path

from sortal.core.errors import DataError

LEDGER = "ledger.jsonl"
TEST = Path("sealed", "test.parquet")
RECORD = "run.json"

MARK = {"sortal.sealed": "the test rows of a run: every look at them stands in its ledger"}
"""Key and value in the footer of the sealed file."""
_MAGIC = b"PAR1"
_TAIL = len(_MAGIC) + 4
MOST_FOOTER = 1 << 26
"""Bytes of a footer that are searched: the sealed file of 100,000 columns has 12 MB of it; a larger claim is damage."""


def is_sealed(path: Path) -> bool:
    """Whether looking at this file is a look at sealed rows."""
    path = path.expanduser()
    return run_of(path) is not None or is_marked(path)


def refuse_sealed(path: Path) -> None:
    """Raises DataError where the file holds sealed rows: these come by the ledger alone."""
    if is_sealed(path):
        raise DataError(
            f"{path.name!r} holds the sealed test of a run, and nothing may be learned from it: give the data that "
            "the run was "
            "trained on; sortal evaluate and sortal predict score it with the model of the run, and the look is "
            "recorded"
        )


def run_of(path: Path) -> Path | None:
    """The folder of the run in whose ``sealed`` this file lies; None for any other place.

    A run that lost its ledger or its record is still one: what is missing is told when somebody wants to look.
    """
    path = path.resolve()
    folder = path.parent.parent
    if path.parent.name != TEST.parent.name or not any((folder / name).exists() for name in (LEDGER, RECORD)):
        return None
    return folder


def is_marked(path: Path) -> bool:
    """Whether this file is a copy of what a run has sealed."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(-min(size, _TAIL), os.SEEK_END)
        tail = file.read(_TAIL)
        footer = int.from_bytes(tail[:4], "little")
        if not tail.endswith(_MAGIC) or len(tail) < _TAIL or footer > min(size - _TAIL, MOST_FOOTER):
            return False
        file.seek(-_TAIL - footer, os.SEEK_END)
        notes = file.read(footer)
    return all(text.encode() in notes for pair in MARK.items() for text in pair)


def is_kept(path: Path) -> bool:
    """Whether nothing may be written over this file: it is sealed, or the ledger of a run."""
    path = path.resolve()
    is_ledger = path.name == LEDGER and path.exists() and any((path.parent / n).exists() for n in (TEST.parent, RECORD))
    return is_ledger or run_of(path) is not None
