"""Another model in the place of the one that answers, and back, without a request that fails.

The file is the truth. Whoever swaps, by a request or by putting a file in its place, changes the file; every worker
looks at it twice a second and takes what has come, if it is a model that can follow. What was there before is kept
beside it, as ``NAME.previous.sortal``, for the way back.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sortal.artifact.sign import signature_of
from sortal.core.errors import ArtifactError, InputError, OutputError
from sortal.core.plain import quoted
from sortal.data.whole import replacing
from sortal.serve.deployment import Deployment, ServedModel, identity, read_model
from sortal.serve.shared_folder import Shared

if sys.platform != "win32":
    import fcntl

LOGGER = logging.getLogger("sortal.serve")
MOST_NAMED = 5
"""Columns that a refusal names."""


@dataclass(frozen=True)
class ModelFiles:
    """A model as it lies on a disk. ``signature``: where models must be signed."""

    content: bytes
    signature: bytes | None = None


@dataclass(frozen=True)
class Swapped:
    """Hashes of the files: of the model that answered, and of the one that answers from now on."""

    former: str
    model: str


class NothingBeforeError(InputError):
    """There is no former model to go back to."""


class Swap:
    """Changes the champion of ``deployment``, which came from ``path``. ``verify``: a public key for which every model
    must be signed. Any thread may call it. ``shared``: keeps a copy of what answers, from which the champion came where
    ``source`` says so.
    """

    def __init__(
        self,
        deployment: Deployment,
        path: Path,
        verify: Path | None = None,
        *,
        shared: Shared | None = None,
        source: Path | None = None,
    ) -> None:
        self._deployment, self._path, self._verify = deployment, path, verify
        self._previous = path.with_name(f"{path.stem}.previous{path.suffix}")
        self._lock = threading.Lock()
        self._shared = shared
        self._files = self._read(source or path)
        self._last_identities = self._identities()
        self._share()

    def install(self, files: ModelFiles) -> Swapped:
        """Make this the model that answers. Raises ArtifactError for a model that cannot be used or does not follow,
        OutputError where the file cannot be replaced; then the former model goes on.
        """
        with self._lock, alone(self._path.parent):
            self._look()
            return self._install(files if self._verify is not None else ModelFiles(files.content))

    def roll_back(self) -> Swapped:
        """Make the model answer that was there before this one; this one is kept for the way forth."""
        with self._lock, alone(self._path.parent):
            self._look()
            if not self._previous.exists():
                raise NothingBeforeError("no model was swapped here yet, so there is none to go back to")
            return self._install(self._read(self._previous))

    def look(self) -> None:
        """Take what was put in the place of the file, if it is a model that can follow; what is none is told once."""
        with self._lock:
            self._look()

    def _install(self, files: ModelFiles) -> Swapped:
        former = self._deployment.champion
        with replacing(self._path) as partial:
            _write(partial, files)
            model = self._checked_model(partial)
            self._keep(self._files)
            if files.signature is not None:
                with replacing(signature_of(self._path)) as signature:
                    signature.write_bytes(files.signature)
        self._files, self._last_identities = files, self._identities()
        self._take(model)
        return Swapped(former.sha256, model.sha256)

    def _look(self) -> None:
        current = self._identities()
        if current == self._last_identities:
            return
        # Whoever swaps by a request has kept the former model already.
        is_kept = current[-1] != self._last_identities[-1]
        self._last_identities = current
        if current[:-1] == (None,) * len(current[:-1]):
            LOGGER.warning("the model file is gone; the model goes on answering")
            return
        try:
            files, model = self._read(self._path), self._checked_model(self._path)
            if hashlib.sha256(files.content).hexdigest() != model.sha256:
                raise ArtifactError(f"{self._path.name} was replaced while it was read")
        except (ArtifactError, OSError) as error:
            LOGGER.warning("the new model file is not used; the former model goes on", extra=_fields(why=str(error)))
            return
        if model.sha256 == self._deployment.champion.sha256:
            return
        if not is_kept:
            try:
                self._keep(self._files)
            except OutputError as error:
                LOGGER.warning("the former model is not kept for a rollback", extra=_fields(why=str(error)))
            self._last_identities = (*current[:-1], identity(self._previous))
        self._files = files
        self._take(model)

    def _take(self, model: ServedModel) -> None:
        """From the next request on; those that run have taken theirs."""
        model.warm_up()
        former = self._deployment.champion
        self._deployment.previous, self._deployment.champion = former, model
        self._share()
        LOGGER.info("model swapped", extra=_fields(former=former.sha256, model=model.sha256))

    def _share(self) -> None:
        if self._shared is not None:
            self._shared.keep(self._path.name, self._files.content, self._files.signature)

    def _checked_model(self, path: Path) -> ServedModel:
        model = read_model(path, self._verify)
        check_follows(model, self._deployment.champion)
        return model

    def _read(self, path: Path) -> ModelFiles:
        signature = None if self._verify is None else signature_of(path).read_bytes()
        return ModelFiles(path.read_bytes(), signature)

    def _keep(self, files: ModelFiles) -> None:
        if files.signature is not None:
            with replacing(signature_of(self._previous)) as signature:
                signature.write_bytes(files.signature)
        with replacing(self._previous) as partial:
            partial.write_bytes(files.content)

    def _identities(self) -> tuple[tuple[int, ...] | None, ...]:
        """Of the model file, its signature where there has to be one, and of the file kept before it."""
        of_signature = () if self._verify is None else (identity(signature_of(self._path)),)
        return identity(self._path), *of_signature, identity(self._previous)


def check_follows(model: ServedModel, former: ServedModel) -> None:
    """Raises ArtifactError for a model that those who ask the former one could not ask: of another target or of other
    classes, or with columns that the former one did not know. Such a model needs a service of its own.
    """
    new, old = model.model, former.model
    if (new.task.target, new.task.classes) != (old.task.target, old.task.classes):
        raise ArtifactError(
            f"it says whether {quoted(new.task.target)} is one of {_names(new.task.classes)}, the model that answers "
            f"whether {quoted(old.task.target)} is one of {_names(old.task.classes)}; start another service for it"
        )
    kinds = {column.name: column.kind for column in old.schema.columns}
    other = [column.name for column in new.needs.columns if kinds.get(column.name) != column.kind]
    if other:
        raise ArtifactError(
            f"it needs columns that the model that answers does not have, or of another kind: {_names(other)}; "
            "start another service for it"
        )


def _names(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(quoted, names[:MOST_NAMED])) + (", ..." if len(names) > MOST_NAMED else "")


def _write(path: Path, files: ModelFiles) -> None:
    path.write_bytes(files.content)
    if files.signature is not None:
        signature_of(path).write_bytes(files.signature)


def _fields(**fields: str) -> dict[str, dict[str, str]]:
    return {"fields": fields}


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Of all workers, one at a time swaps."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # network disks without locks: the last one wins
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
