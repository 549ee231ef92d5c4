"""Which model answers now, which one before it, and which is asked beside it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sortal.artifact.model import Model, load
from sortal.serve.door import Door
from sortal.serve.pace import Pace, measured


@dataclass(frozen=True)
class ServedModel:
    """A model and the file that it came from. ``sha256``: of the file, which the log names it by."""

    name: str
    sha256: str
    model: Model

    @cached_property
    def door(self) -> Door:
        """What reads rows for it."""
        return Door(self.model)

    @cached_property
    def pace(self) -> Pace:
        """How long it takes."""
        return measured(self.model)


def read_model(path: Path, verify: Path | None = None) -> ServedModel:
    """A model file as it is served. Raises ArtifactError as ``load`` does."""
    return ServedModel(path.stem, hashlib.sha256(path.read_bytes()).hexdigest(), load(path, verify))


class Deployment:
    """The models of a service. ``champion`` answers; ``shadow``, where there is one, is asked off the response path."""

    def __init__(self, champion: ServedModel, shadow: ServedModel | None = None) -> None:
        self.champion, self.shadow = champion, shadow
        self.previous: ServedModel | None = None
