"""Op ``once``: what is made of each text or image by itself, and takes long, is made once in a process.

It is known by what was made of what: the digest of a program, and the digest of a value. So folds, candidates, members
of a model and its proof share it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats
from sortal.engine.encode import column_of
from sortal.engine.program import Columns, Program
from sortal.engine.step import Run

Row = NDArray[np.float32]

MOST_BYTES = 2**30
"""Of all that is remembered: 200,000 embeddings of 1,280 numbers. What comes later is made anew each time, but for a
process that keeps the newest.
"""
AT_ONCE = 32
"""Values that are made together; in between, the work can be ended, and what is done is kept."""
_FIXED = 200
"""Bytes of a row that is remembered, beside its numbers."""

_cache: dict[bytes, Row] = {}
_digests: WeakKeyDictionary[Program, bytes] = WeakKeyDictionary()
_bytes = 0
_most: int | None = None
_lock = Lock()
_anew: ContextVar[bool] = ContextVar("anew", default=False)


def keep_newest(most_bytes: int) -> None:
    """In a process that is asked without end: what was made last is remembered, in so many bytes, so that members of a
    model share it, and the oldest goes.
    """
    global _most
    with _lock:
        _most = most_bytes


@contextmanager
def made_anew() -> Iterator[None]:
    """A block in which nothing is remembered: what it takes is what new values take."""
    token = _anew.set(True)
    try:
        yield
    finally:
        _anew.reset(token)


def digest(program: Program) -> bytes:
    """Of a program: equal ones have the same. It is made once for each, since networks have up to half a gigabyte."""
    content_digest = _digests.get(program)
    if content_digest is None:
        content_digest = _digests[program] = _digest(program)
    return content_digest


def _digest(program: Program) -> bytes:
    hasher = hashlib.blake2b(digest_size=16)
    hasher.update(json.dumps([program.op, dict(program.settings)], sort_keys=True).encode())
    for name, array in sorted(program.arrays.items()):
        hasher.update(f"{name} {array.dtype.str} {array.shape}".encode())
        hasher.update(np.ascontiguousarray(array).data)
    for step in program.steps:
        hasher.update(digest(step))
    return hasher.digest()


@dataclass(frozen=True)
class Once:
    """Rows of ``width`` numbers, which ``run`` makes of the column ``name``; in 32 bits. ``key``: of its program."""

    name: str
    key: bytes
    run: Run
    width: int

    def __call__(self, columns: Columns) -> Floats:
        return self.of(column_of(columns, self.name))

    def of(self, values: Sequence[Any]) -> Floats:
        """(n, width) of these values."""
        keys = [self._key(value) for value in values]
        row_by_key = _remembered(keys)
        missing = list({key: value for key, value in zip(keys, values, strict=True) if key not in row_by_key}.items())
        for first in range(0, len(missing), AT_ONCE):
            batch = missing[first : first + AT_ONCE]
            rows = np.asarray(self.run({self.name: [value for _, value in batch]}), dtype=np.float32)
            for (key, _), row in zip(batch, rows, strict=True):
                row_by_key[key] = row
                _remember(key, row)
        out = np.empty((len(keys), self.width))
        for at, key in enumerate(keys):
            out[at] = row_by_key[key]
        return out

    def unknown(self, values: Sequence[Any]) -> list[Any]:
        """Those of these values that nothing was made of yet, each once."""
        keys = [self._key(value) for value in values]
        row_by_key = _remembered(keys)
        return list({key: value for key, value in zip(keys, values, strict=True) if key not in row_by_key}.values())

    def _key(self, value: Any) -> bytes:
        hasher = hashlib.blake2b(type(value).__name__.encode(), digest_size=16, key=self.key)
        if value is not None:
            hasher.update(value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass"))
        return hasher.digest()


def _remembered(keys: Sequence[bytes]) -> dict[bytes, Row]:
    """What is remembered of these; the caller holds it, should it be forgotten meanwhile."""
    if _anew.get():
        return {}
    return {key: row for key in keys if (row := _cache.get(key)) is not None}


def _remember(key: bytes, row: Row) -> None:
    global _bytes
    size = row.nbytes + _FIXED
    with _lock:
        while _most is not None and _cache and _bytes + size > _most:
            _bytes -= _cache.pop(next(iter(_cache))).nbytes + _FIXED
        if key not in _cache and _bytes + size <= (MOST_BYTES if _most is None else _most):
            _cache[key] = row.copy()
            _bytes += size
