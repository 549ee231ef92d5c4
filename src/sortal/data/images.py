"""Images of a table that is learned from: what could be read takes the place of names, and what could not is said.
Of more images than there is time for some are drawn.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from sortal.core.disclosure import Disclosure
from sortal.core.errors import DataError
from sortal.core.frame import unreadable
from sortal.core.images import canonical_or_none, map_in_threads
from sortal.core.kinds import kind_of
from sortal.core.kinds.image import are_image_names
from sortal.core.schema import Column, Schema
from sortal.core.series import sort_of
from sortal.core.values import evaluated, is_text
from sortal.data.read import Source


@dataclass(frozen=True)
class Images:
    """``columns``: of images. ``names``: of these, what they were called, where that is the name of a file. ``raw``:
    the columns as they were read, but for images, which are what they are and not their names: so they are sealed, and
    so they are counted. ``unread`` (n,): the rows of which an image could not be read. ``notes`` say which.
    """

    columns: tuple[str, ...]
    names: pl.DataFrame
    raw: pl.DataFrame
    unread: pl.Series
    notes: tuple[str, ...] = ()


PILOT = 64
"""Images that tell how long all will take: enough to know that of photos of unlike sizes to a fifth."""


def affordable(source: Source, schema: Schema, seconds: float) -> int:
    """Of how many rows the images can be read in so many seconds: as a few of them say, drawn at random."""
    columns = [c for c in schema.features if kind_of(c.kind).storage == "bytes"]
    n = source.frame.height
    if not columns or not math.isfinite(seconds) or n <= PILOT:
        return n
    few = replace(source, frame=source.frame[np.random.default_rng(0).permutation(n)[:PILOT]])
    start = time.monotonic()
    for column in columns:
        map_in_threads(canonical_or_none, _raw_values(column, few).to_list())
    return min(n, max(int(seconds * PILOT / (time.monotonic() - start)), PILOT))


def with_images(source: Source, schema: Schema, frame: pl.DataFrame, disclosure: Disclosure) -> Images:
    """The images of ``source``, as ``frame`` has them in canonical form. Raises DataError where none of a column could
    be read.
    """
    columns = [c for c in schema.features if kind_of(c.kind).storage == "bytes"]
    unread = pl.repeat(False, frame.height, eager=True)
    notes: list[str] = []
    names: dict[str, pl.Series] = {}
    for column in columns:
        values, canonical = _raw_values(column, source), frame[column.name].alias("")
        if is_text(sort_of(values.dtype)) and are_image_names(values.drop_nulls()):
            names[column.name] = values
        failures = values.is_not_null() & canonical.is_null()
        if not failures.any():
            continue
        message = unreadable(column, values, canonical, quotes=not disclosure.private)
        if canonical.null_count() == len(canonical):
            raise DataError(f"no image of {source.name} can be read: {message}")
        count = int(failures.sum())
        notes.append(f"{message}; {'its row was' if count == 1 else 'their rows were'} left out")
        unread |= failures
    raw = source.frame.with_columns(frame[column.name] for column in columns)
    return Images(tuple(c.name for c in columns), pl.DataFrame(names), raw, unread, tuple(notes))


def _raw_values(column: Column, source: Source) -> pl.Series:
    """The values without blanks, where they are names with the folder of the files."""
    values, kind = source.frame[column.name].alias(""), kind_of(column.kind)
    sort = sort_of(values.dtype)
    tidied = evaluated(values, lambda cells: kind.plain(column, cells, sort))
    return kind.located(tidied.cast(pl.String), source.folder) if is_text(sort) else tidied
