"""Looks at the sealed rows of a run that is over: what is asked before one, and where it is written down.

The rows are scored by the model that they were sealed for. Three witnesses have to agree before they are opened: the
ledger, ``run.json`` and the card of the model. Then the look stands in the ledger and in ``run.json``, before anybody
sees a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sortal.artifact.model import Model
from sortal.checks.run_counts import looks
from sortal.core.errors import DataError, OptionError
from sortal.core.files import sha256_of
from sortal.data.ledger import Seal
from sortal.data.read import Source, read
from sortal.data.sealed_rows import LEDGER, RECORD, is_sealed, run_of
from sortal.data.whole import replacing
from sortal.record.describe import describe_ledger
from sortal.record.parts import Split
from sortal.record.run import RunRecord
from sortal.record.wording import times
from sortal.version import __version__

CLOSED = "the sealed rows stay closed"


@dataclass(frozen=True)
class Look:
    """The sealed rows, and how the rows of their run were parted."""

    source: Source
    split: Split


def seal_of(data: Sequence[str], model_file: Path) -> Seal | None:
    """The seal that one of these files belongs to: a look at sealed rows is a look, by whatever name. None for other
    files.

    A copy belongs to the run of the model, or to none that is at hand. Raises OptionError where sealed rows are among
    others, DataError for a copy of what another run has sealed.
    """
    sealed = [path for path in (Path(name).expanduser() for name in data) if is_sealed(path)]
    if not sealed:
        return None
    if len(data) > 1:
        raise OptionError("sealed rows are scored alone; leave the other files out")
    home = run_of(sealed[0])
    if home is None:
        home = folder_of(model_file)
        if not (home / LEDGER).exists() or sha256_of(sealed[0]) != Seal(home).entries[0].sha256:
            whose = f"{str(sealed[0])!r} is a copy of what a run has sealed, and not of the run in {str(home)!r}"
            raise DataError(f"{whose}: give the model as it lies in the folder of its run")
    return Seal(home)


def folder_of(model_file: Path) -> Path:
    """The folder that the run of a model lies in, if it was not copied away from it; a link is followed."""
    return model_file.resolve().parent


def to_predict(model: Model, sha256: str, model_file: Path, data: Sequence[str]) -> Source:
    """The sealed rows in ``data``, for predictions, with a note that this was a look; others as they are."""
    seal = seal_of(data, model_file)
    if seal is None:
        return read(data)
    source = look(model, sha256, model_file, seal, "sortal predict").source
    return replace(
        source, notes=(f"the sealed test has now been opened {times(seal.opens)}: its score is not blind any more",)
    )


def look(model: Model, sha256: str, model_file: Path, seal: Seal, reason: str) -> Look:
    """The sealed rows, once the look at them is written down. ``sha256``: of the bytes that the model was made of.

    Raises DataError where the model is not the one that the rows were sealed for, or a witness is missing or disagrees,
    and OutputError where the look cannot be written down.
    """
    run = _record(seal)
    if run.ledger.head is None:
        raise DataError(f"the run in {str(seal.folder)!r} has sealed no rows; give labelled rows")
    own = None if run.artifact is None else run.artifact.sha256
    if sha256 != own:
        hashes = f"SHA-256 {sha256[:12]}, {RECORD} says {(own or 'nothing')[:12]}"
        raise DataError(
            f"{model_file.name} is not the model of the run in {str(seal.folder)!r} ({hashes}); {CLOSED}, as they "
            "are scored by "
            "the model that they were sealed for: put it back"
        )
    heads = {RECORD: run.ledger.head, "the model": _head(model)}
    by = f"sortal {__version__}"
    return Look(Source(seal.open(reason, by, heads, lambda: _note(seal, run)), "the sealed test"), run.split)


def _record(seal: Seal) -> RunRecord:
    path = seal.folder / RECORD
    try:
        return RunRecord.from_json(path.read_bytes())
    except OSError as error:
        what = "which says which model the rows were sealed for and how often they were looked at"
        raise DataError(
            f"{str(path)!r} cannot be read ({error.strerror}), {what}; {CLOSED}: put it back, or train again"
        ) from error


def _head(model: Model) -> str | None:
    """The newest entry of the ledger that the model knows of."""
    return None if model.card is None else model.card.ledger.head


def _note(seal: Seal, run: RunRecord) -> None:
    """The run's record tells how often its test was opened."""
    notes = looks(seal.opens)
    findings = tuple(f for f in run.audit if f.code not in {t.code for t in notes})
    run = replace(run, audit=(*findings, *notes), ledger=describe_ledger(seal))
    with replacing(seal.folder / RECORD) as partial:
        partial.write_bytes(run.to_json())
