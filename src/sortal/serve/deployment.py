"""Which model answers now, which one before it, and which is asked beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sortal.artifact.model import Model, load_with_sha256
from sortal.serve.door import Door
from sortal.serve.pace import Pace, measure


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
        return measure(self.model)

    def warm_up(self) -> None:
        """Make before the first request what is made once."""
        _ = self.door, self.pace


def read_model(path: Path, verify: Path | None = None) -> ServedModel:
    """A model file as it is served. Raises ArtifactError as ``load`` does."""
    model, sha256 = load_with_sha256(path, verify)
    return ServedModel(path.stem, sha256, model)


def identity(path: Path) -> tuple[int, ...] | None:
    """What changes when a file is replaced or written to; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


class Deployment:
    """The models of a service. ``champion`` answers; ``shadow``, where there is one, is asked off the response path."""

    def __init__(self, champion: ServedModel, shadow: ServedModel | None = None) -> None:
        self.champion, self.shadow = champion, shadow
        self.previous: ServedModel | None = None
