"""A210: names of images say whose they are: one patient, place or video, whose images resemble each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import polars as pl

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, brief, too_few
from sortal.checks.groups import between, codes_of
from sortal.core.arrays import Floats, Ints
from sortal.core.images import UnreadableError, look, map_in_threads

_LEAST_ROWS = 100
"""Chosen, not measured: fifteen owners of some images each."""
_MOST_IMAGES = 3_000
"""For speed, as for near-copies (A204)."""
_ALIKE = 0.5
"""Share of the variance between owners, as for columns that say whose rows these are (A205)."""
_BEYOND_CLASS = 0.15
"""The same share beyond that between classes. Chosen, not measured: an owner is more than its class."""
_MORE_THAN_CLASSES = 2
"""Owners for each class. Chosen, not measured: a beginning that is the class says nothing of owners."""
_MOST_PIECES = 4
"""Pieces of a name that may be its beginning, for speed."""
_PIECES = re.compile(r"[_\-.\s()]+")


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Whether images whose names begin alike (``p012_3.png``, ``p012_4.png``) look alike: the variance of their fields
    that lies between beginnings, beyond that between classes. Names are those of files, without folders.
    """
    if not context.names.width:
        return NotApplicable("no images that came by name")
    if context.table.schema.only("group") is not None:
        return NotApplicable("groups are known already")
    if len(context) < _LEAST_ROWS:
        return too_few(f"{_LEAST_ROWS} rows")
    findings = [_judge(context, name) for name in context.names.columns if name in context.table.frame.columns]
    return [finding for finding in findings if finding is not None]


def _judge(context: AuditContext, name: str) -> Finding | None:
    """The first beginning, from short to long, whose images are alike."""
    for beginnings in _beginnings(context.names[name]):
        owners = codes_of(beginnings)
        if not owners.size or beginnings.n_unique() <= _MORE_THAN_CLASSES * len(context.classes):
            continue
        rows = _whole_owners(owners, context.seed)
        fields = _fields(context.table[name][rows])
        finite = np.isfinite(fields).all(axis=1)
        fields, rows = fields[finite], rows[finite]
        alike, by_class = _alike(fields, owners[rows]), _alike(fields, context.codes[rows])
        if alike >= max(_ALIKE, by_class + _BEYOND_CLASS):
            return _finding(name, beginnings.n_unique(), alike, by_class, len(rows))
    return None


def _beginnings(names: pl.Series) -> Iterator[pl.Series]:
    """(n,) the first piece of each name, the first two, and so on; the folder and the ending are none.

    >>> [list(pieces) for pieces in _beginnings(pl.Series(["a/p1_2.png", "a/p1_3.png"]))]
    [['p1', 'p1'], ['p1_2', 'p1_3']]
    """
    stems = [re.split(r"[/\\\\]+", name or "")[-1].rpartition(".")[0] for name in names.to_list()]
    cuts = [[*(match.start() for match in _PIECES.finditer(stem) if match.start()), len(stem)] for stem in stems]
    for piece in range(min(_MOST_PIECES, max(map(len, cuts), default=0))):
        yield pl.Series([stem[: cut[min(piece, len(cut) - 1)]] for stem, cut in zip(stems, cuts, strict=True)])


def _whole_owners(owners: Ints, seed: int) -> Ints:
    """Rows of owners that are drawn whole, about as many as are looked at."""
    order = np.random.default_rng(seed).permutation(np.unique(owners))
    sizes = np.bincount(owners)[order]
    sample = order[: max(1, int(np.searchsorted(np.cumsum(sizes), _MOST_IMAGES, side="right")))]
    return np.flatnonzero(np.isin(owners, sample))


def _fields(images: pl.Series) -> Floats:
    """(n, 192) mean colours of 8 x 8 fields; NaN for what cannot be read."""

    def of_one(image: bytes | None) -> Floats:
        try:
            colours = None if image is None else look(image).colours
        except UnreadableError:
            colours = None
        if colours is None:
            return np.full(192, np.nan)
        fields: Floats = colours.reshape(8, 2, 8, 2, 3).mean(axis=(1, 3)).ravel()
        return fields

    return np.stack(map_in_threads(of_one, images.to_list()))


def _alike(fields: Floats, groups: Ints) -> float:
    """The median share of a field's variance that lies between groups."""
    numbers = np.unique(groups, return_inverse=True)[1]
    return float(np.median([between(field, numbers) for field in fields.T]))


def _finding(name: str, owners: int, alike: float, by_class: float, rows: int) -> Finding:
    evidence: dict[str, Evidence] = {
        "groups": owners,
        "between_groups": alike,
        "between_classes": by_class,
        "rows_looked_at": rows,
    }
    message = (
        f"images of {name} whose names begin alike look alike: {brief(alike)} of the variance of their colours lies "
        f"between {owners:,} beginnings of names, {brief(by_class)} between classes; of one person, place or video?"
    )
    fix = "if so, give a table with the names, the classes and whose image it is, and keep them together with --group"
    return Finding(check.code, "warning", name, message, evidence, fix)


check = Check("A210", "names of images that say whose they are", find)
