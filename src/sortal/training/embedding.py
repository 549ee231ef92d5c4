"""Embeddings are made before a candidate is tried that reads them: what all its folds share, and what takes longest."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sortal.core import registry
from sortal.core.kinds import is_item, kind_of
from sortal.engine import compile as compile_program
from sortal.engine.once import AT_ONCE, Once
from sortal.prepare.embedding import Embedding
from sortal.training.candidate import Candidate, Development

FEW = 8
"""Values that tell how long one takes, after a first one for which a library is imported."""


def embed(candidate: Candidate, dev: Development, seconds: float, closing_rows: int, closing: float) -> str:
    """Make the embeddings of all rows, in ``seconds``; or say why not, in a few words.

    ``closing_rows``: rows of which they are made later, where this candidate ships, and ``closing``: the seconds that
    there are for that when those are over.
    """
    until = time.monotonic() + seconds
    for name, once in _embeddings(candidate, dev):
        unknown = once.unknown(list(dev.table.columns([name])[name]))
        once.of(unknown[:1])
        start = time.monotonic()
        once.of(unknown[1 : 1 + FEW])
        of_one = (time.monotonic() - start) / FEW
        for first in range(1 + FEW, len(unknown), AT_ONCE):
            seconds_left = until - time.monotonic()
            need = of_one * (len(unknown) - first)
            for takes, available in ((need, seconds_left), (need + of_one * closing_rows, seconds_left + closing)):
                if takes > available:
                    return _too_many(len(unknown), name, takes, available)
            once.of(unknown[first : first + AT_ONCE])
            of_one = (time.monotonic() - start) / (first + AT_ONCE - 1)
    return ""


def _embeddings(candidate: Candidate, dev: Development) -> Iterator[tuple[str, Once]]:
    """The columns that the candidate reads as embeddings, and what makes those."""
    view = candidate.family.view
    for column in view.select(dev.table.schema.features):
        if not is_item(column.kind):
            continue
        preparer = registry.load("sortal.preparers", view.preparer(kind_of(column.kind).encoding))
        if isinstance(preparer, Embedding):
            once = compile_program(preparer.program(column.name, view)).step.run
            assert isinstance(once, Once), "an embedding is made once"
            yield column.name, once


def _too_many(count: int, name: str, need: float, seconds_left: float) -> str:
    return f"embeddings of {count:,} values of {name!r} need {need:.0f} s more, {max(seconds_left, 0):.0f} s left"
