"""What a model file tells of the run that made it, for people and for the ledger; scoring needs none of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["holds", "fails", "not looked for", "not applicable"]


@dataclass(frozen=True)
class Data:
    """What was read: its name (not its path), its size, its hash, and what was noticed while reading."""

    name: str
    rows: int
    columns: int
    sha256: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Item:
    """One line of the checklist, with the evidence for its status."""

    item: str
    status: Status
    evidence: str


@dataclass(frozen=True)
class LedgerHead:
    """How often the sealed rows had been opened when the model was made; the other keys as in the record's ledger."""

    opens: int
    head: str | None = None
    sealed: str | None = None


@dataclass(frozen=True, kw_only=True)
class Card:
    """``chosen``: the name of the candidate that became the model. ``by_importance``: names of columns, the one that it
    leans on most first. ``details``: more of the run's record, for machines.
    """

    seed: int
    data: Data
    chosen: str
    checklist: tuple[Item, ...] = ()
    ledger: LedgerHead = LedgerHead(0)
    by_importance: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
