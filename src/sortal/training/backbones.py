"""Candidates that read texts or images through a network of the user's own (``--backbone``)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sortal.core import registry
from sortal.core.errors import OptionError
from sortal.core.kinds import kind_of
from sortal.core.plain import quoted
from sortal.core.table import Table
from sortal.models.family import Settings, Work
from sortal.prepare import backbone
from sortal.prepare.view import View
from sortal.training.candidate import Candidate

FAMILIES = {"text": "logistic_sentences", "image": "logistic_images"}
"""Of linear models on what a network makes of a value, by encoding."""
TAKES = {"text": 0.02, "image": 0.1}
"""Units of work of a value, for each second by which its operations are bounded: as of the networks in packages, whose
work was measured. Texts are shorter than the bound has them.
"""
WEAKER: dict[str, tuple[tuple[str, Settings], ...]] = {"text": ((" C=0.1", {"C": 0.1}),), "image": ()}
"""What is tried beside the usual penalty, as of the networks that come in packages."""


def check_backbones(folders: Sequence[str], table: Table) -> tuple[str, ...]:
    """Before anything else is done with the table: what each network is and how it is run, for people.

    Raises OptionError as ``backbone_candidates`` does.
    """
    encodings = {kind_of(column.kind).encoding for column in table.schema.features}
    list(backbone_candidates(folders, encodings))
    return tuple(backbone.read(folder).note for folder in folders)


def backbone_candidates(folders: Sequence[str], encodings: Collection[str]) -> Iterator[Candidate]:
    """One or two for each folder. ``encodings``: of the columns that the table has.

    Raises OptionError for a folder without a network that is run, and for one whose network finds nothing to read.
    """
    for folder in folders:
        own = backbone.read(folder)
        if own.encoding not in encodings:
            raise OptionError(
                f"--backbone {quoted(folder)} reads {own.encoding}s, and the table has no column of {own.encoding}s; "
                f"leave it out, or name the column: --kind COLUMN={own.encoding}"
            )
        family = registry.load("sortal.models", FAMILIES[own.encoding])
        through: dict[str, Any] = {f"{own.encoding}s": "backbone", "backbone": folder}
        view = View("scaled", "onehot", **{"texts": "words", **through})
        work = Work(fixed=family.work.fixed, row=TAKES[own.encoding] * own.row_seconds, classes=family.work.classes)
        reading = replace(family, view=view, weights="", extra=own.encoding, work=work)
        for label, settings in (("", {}), *WEAKER[own.encoding]):
            yield Candidate(f"{family.name} on {own.name}{label}", reading, settings)
