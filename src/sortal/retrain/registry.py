"""A folder of models: every version that there was, which of them answers, and who changed that, when and why.

    versions/0123456789ab/   model.sortal, recipe.toml, run.json and report.html of a run, by the hash of the model, and
                             the networks that lie beside it
    aliases.json             which version is the champion, the challenger, and the one that was champion before
    history.jsonl            a line for every change, which is only ever added to
    champion.sortal          the file to serve; challenger.sortal, the file for a shadow

As in a service, the file is the truth: whoever puts another version in the place of ``champion.sortal`` (a service
does, where it is told to roll back) has changed the champion, and the registry follows. So it is written first.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from sortal.artifact import networks
from sortal.artifact.sign import signature_of
from sortal.core.errors import DataError, OptionError
from sortal.core.plain import quoted
from sortal.data.whole import new_folder, replacing
from sortal.filing import MODEL_FILE
from sortal.retrain.gate import Verdict
from sortal.serve.deployment import ServedModel, read_model
from sortal.serve.swap import alone, check_follows

PROTOCOL = 1
CHAMPION, CHALLENGER = "champion.sortal", "challenger.sortal"
RECIPE_FILE = "recipe.toml"
RUN_FILES = (MODEL_FILE, RECIPE_FILE, "run.json", "report.html")
"""Of a run; its sealed rows stay where they are, as each copy of them could be opened unseen."""
SHORT = 12
"""Letters of a hash that name a version: no two of a million share them."""

What = Literal["added", "built", "promoted", "refused", "rolled back", "followed"]


@dataclass(frozen=True)
class Aliases:
    """Hashes of model files. ``previous``: the champion before this one."""

    champion: str
    challenger: str | None = None
    previous: str | None = None
    protocol: int = PROTOCOL


@dataclass(frozen=True)
class Event:
    """A change: ``what`` became of a ``version``, ``time`` in seconds since 1970. ``seen_until``: of one that was added
    or built, the time of the last row of the log that it may have learned from. ``verdict``: of the gate.
    """

    time: float
    by: str
    what: What
    version: str
    why: str = ""
    seen_until: float = 0.0
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Version:
    """A version as ``sortal registry`` shows it."""

    version: str
    aliases: tuple[str, ...]
    made: float
    by: str
    why: str


class Registry:
    """``folder`` as it is now. What changes it is done within ``changing``, by one process at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def exists(self) -> bool:
        return self._aliases_file.is_file()

    @property
    def aliases(self) -> Aliases:
        """Raises DataError where the folder is no registry, is one of a newer sortal, or is damaged."""
        if not self.exists:
            raise DataError(
                f"{quoted(str(self.folder))} is no registry of models; begin one: sortal registry FOLDER --add RUN"
            )
        try:
            aliases = msgspec.json.decode(self._aliases_file.read_bytes(), type=Aliases)
        except msgspec.DecodeError as error:
            raise DataError(f"aliases.json of {quoted(str(self.folder))} cannot be read: {error}") from None
        if aliases.protocol > PROTOCOL:
            raise DataError(
                f"the registry is of protocol {aliases.protocol}, this sortal knows {PROTOCOL}; update sortal"
            )
        return aliases

    def events(self) -> list[Event]:
        """All changes, the first one first."""
        try:
            lines = self._history_file.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        try:
            return [msgspec.json.decode(line, type=Event) for line in lines]
        except msgspec.DecodeError as error:
            raise DataError(f"history.jsonl of {quoted(str(self.folder))} cannot be read: {error}") from None

    def versions(self) -> list[Version]:
        """The versions, the newest first."""
        aliases = self.aliases
        by_alias = {"champion": aliases.champion, "challenger": aliases.challenger, "previous": aliases.previous}
        additions = [event for event in self.events() if event.what in ("added", "built")]
        return [
            Version(e.version, tuple(n for n, v in by_alias.items() if v == e.version), e.time, e.by, e.why)
            for e in reversed(additions)
        ]

    def is_built_here(self, version: str) -> bool:
        """Whether it learned from rows of the log."""
        return any(event.what == "built" and event.version == version for event in self.events())

    def seen_until(self, version: str) -> float:
        """The time of the last row of the log that a version may have learned from."""
        return max((event.seen_until for event in self.events() if event.version == version), default=0.0)

    def verdict(self, version: str) -> Verdict | None:
        """The gate's last one on a version; None where it has not been there."""
        verdicts = [event.verdict for event in self.events() if event.version == version and event.verdict is not None]
        return verdicts[-1] if verdicts else None

    def file(self, version: str, name: str = MODEL_FILE) -> Path:
        return self.folder / "versions" / version[:SHORT] / name

    def model(self, version: str) -> ServedModel:
        return read_model(self.file(version))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """One process at a time; afterwards the registry agrees with the file that is served."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with alone(self.folder):
            if self.exists:
                self._follow()
            yield

    def add(self, run: Path, why: str, seen_until: float | None = None) -> str:
        """Keep the model of a run, and return its hash. The first one becomes the champion, later ones the challenger.

        ``seen_until``: the time of the last row of the log that it learned from, where it was built here; of another
        one nobody knows, and so it is now. Raises DataError for a folder that is no run, ArtifactError for a model
        that cannot take the champion's place.
        """
        missing = next((name for name in RUN_FILES[:2] if not (run / name).is_file()), None)
        if missing is not None:
            raise DataError(f"{quoted(str(run))} is no folder of a run: it has no {missing}")
        model = read_model(run / MODEL_FILE)
        version, first = model.sha256, not self.exists
        if not first:
            check_follows(model, self.model(self.aliases.champion))
        if version in {event.version for event in self.events()}:
            raise DataError(f"the registry has this model already, as version {version[:SHORT]}")
        if not self.file(version).is_file():  # else somebody was killed after this line
            self._keep(run, version)
        what: What = "added" if seen_until is None else "built"
        self._place(version, CHAMPION if first else CHALLENGER)
        self._tell(what, version, why, seen_until=time.time() if seen_until is None else seen_until)
        self._save(Aliases(version) if first else replace(self.aliases, challenger=version))
        return version

    def promote(self, verdict: Verdict, why: str) -> None:
        """The challenger becomes the champion."""
        aliases = self.aliases
        version = self.challenger
        self._place(version, CHAMPION)
        self._tell("promoted", version, why, verdict=verdict)
        self._save(Aliases(version, None, aliases.champion))
        (self.folder / CHALLENGER).unlink(missing_ok=True)
        signature_of(self.folder / CHALLENGER).unlink(missing_ok=True)

    def refuse(self, verdict: Verdict, why: str) -> None:
        """The challenger stays one."""
        self._tell("refused", self.challenger, why, verdict=verdict)

    def roll_back(self, why: str = "") -> str:
        """The previous champion becomes the champion again, and a second time forth again. Returns its hash."""
        aliases = self.aliases
        if aliases.previous is None:
            raise OptionError("no other model was champion before this one, so there is none to go back to")
        self._place(aliases.previous, CHAMPION)
        self._tell("rolled back", aliases.previous, why)
        self._save(replace(aliases, champion=aliases.previous, previous=aliases.champion))
        return aliases.previous

    @property
    def challenger(self) -> str:
        """Raises OptionError where there is none."""
        version = self.aliases.challenger
        if version is None:
            raise OptionError("the registry has no challenger; build one: sortal retrain FOLDER --log URL --data OLD")
        return version

    def _follow(self) -> None:
        """Somebody else may have changed the file that is served."""
        aliases, champion_file = self.aliases, self.folder / CHAMPION
        if not champion_file.is_file():
            self._place(aliases.champion, CHAMPION)
            return
        version = hashlib.sha256(champion_file.read_bytes()).hexdigest()
        if version == aliases.champion:
            return
        if not self.file(version).is_file():
            raise DataError(
                f"{CHAMPION} of {quoted(str(self.folder))} is no version of this registry: somebody put another model "
                "in its place; remove the file to have the champion back, and add the other: sortal registry FOLDER "
                "--add RUN"
            )
        self._tell("followed", version, "the served file was changed")
        challenger = None if version == aliases.challenger else aliases.challenger
        self._save(Aliases(version, challenger, aliases.champion))

    def _keep(self, run: Path, version: str) -> None:
        with new_folder(self.file(version).parent) as folder:
            for name in (*RUN_FILES, signature_of(Path(MODEL_FILE)).name):
                if (run / name).is_file():
                    shutil.copyfile(run / name, folder / name)
            networks.copy_beside(run / MODEL_FILE, folder)

    def _place(self, version: str, name: str) -> None:
        """Its file, and first what a service would refuse it without: networks beside it, and its signature."""
        target, source = self.folder / name, self.file(version)
        networks.copy_beside(source, self.folder)
        if signature_of(source).is_file():
            with replacing(signature_of(target)) as partial:
                shutil.copyfile(signature_of(source), partial)
        with replacing(target) as partial:
            shutil.copyfile(source, partial)

    def _save(self, aliases: Aliases) -> None:
        with replacing(self._aliases_file) as partial:
            partial.write_bytes(msgspec.json.format(msgspec.json.encode(aliases), indent=2))

    def _tell(
        self, what: What, version: str, why: str, *, seen_until: float = 0.0, verdict: Verdict | None = None
    ) -> None:
        event = Event(time.time(), _user(), what, version, why, seen_until, verdict)
        with self._history_file.open("ab") as file:
            file.write(msgspec.json.encode(event) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    @property
    def _aliases_file(self) -> Path:
        return self.folder / "aliases.json"

    @property
    def _history_file(self) -> Path:
        return self.folder / "history.jsonl"


def _user() -> str:
    """Who runs this, as the system knows it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name of the user's number, as in containers
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"
