"""What the workers of one service have in common while it runs, in a folder of its own: the figures of each, and the
last model that answered.

A worker writes its own file and reads those of the others: no lock, no process in the middle. A worker that has ended
leaves its counts, so that sums never fall; what it was at that moment (gauges) went with it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from sortal.artifact.sign import signature_of
from sortal.core.errors import ArtifactError
from sortal.serve.deployment import ServedModel, read_model
from sortal.serve.metrics import LASTING, Family

LOGGER = logging.getLogger("sortal.serve")
_decode = msgspec.json.Decoder(list[Family]).decode


class Shared:
    """The folder, as one worker sees it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own_file = folder / f"{os.getpid()}.figures"

    def show(self, figures: Sequence[Family]) -> None:
        """Let the others see what this worker counted so far."""
        _replace(self._own_file, msgspec.json.encode(figures))

    def others(self) -> Iterator[list[Family]]:
        """What each other worker last showed."""
        for path in sorted(self._folder.glob("*.figures")):
            if path != self._own_file:
                figures = _decode(path.read_bytes())
                alive = _is_alive(int(path.stem))
                yield [family for family in figures if alive or family.kind in LASTING]

    def keep(self, name: str, content: bytes, signature: bytes | None) -> None:
        """Remember the file of the model that answers, for a worker that has to start while there is a bad one in its
        place.
        """
        path = self._folder / name
        try:
            if signature is not None:
                _replace(signature_of(path), signature)
            _replace(path, content)
        except OSError as error:
            why = error.strerror or type(error).__name__
            LOGGER.warning("a copy of the model is not kept", extra={"fields": {"why": why}})

    def champion(self, path: Path, verify: Path | None) -> tuple[ServedModel, Path]:
        """The model in a file, or the last one that answered where that cannot be used; and where it was read. Raises
        ArtifactError where none has answered yet.
        """
        try:
            return read_model(path, verify), path
        except ArtifactError as error:
            copy = self._folder / path.name
            if not copy.exists():
                raise
            why = {"fields": {"why": str(error)}}
            LOGGER.warning("the model file is not used; the last model that answered goes on", extra=why)
            return read_model(copy, verify), copy


def _replace(path: Path, content: bytes) -> None:
    """Readers see the former content or this one, never a part."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_bytes(content)
    partial.replace(path)


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":
        return True  # there a signal of zero would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user, but there
        return True
    return True
