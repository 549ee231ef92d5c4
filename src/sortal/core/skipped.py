"""What a run left out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Skipped:
    """A candidate that was not trained, or figures that were not drawn, and why."""

    name: str
    reason: str
