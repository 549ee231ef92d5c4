"""Everything that a folder holds, as texts and as numbers: members of archives unpacked, arrays and tables value by value."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl

NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:[eE][+-]?\d+)?")


def holdings(folder: Path, without: str = "sealed") -> Iterator[tuple[str, str, np.ndarray]]:
    """Of each file, and each member of an archive: its name, its text, and its numbers."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if name.split("/")[0] != without:
            yield from _held(name, path.read_bytes())


def _held(name: str, content: bytes) -> Iterator[tuple[str, str, np.ndarray]]:
    if content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from _held(f"{name}/{member}", archive.read(member))
    elif content[:6] == b"\x93NUMPY":
        array = np.load(io.BytesIO(content), allow_pickle=False)
        yield name, "", np.asarray(array, dtype=np.float64).ravel()
    elif content[:4] == b"PAR1":
        frame = pl.read_parquet(io.BytesIO(content))
        numbers = [c.cast(pl.Float64).to_numpy() for c in frame.iter_columns() if c.dtype.is_numeric()]
        yield name, frame.write_csv(), np.concatenate([*numbers, []])
    else:
        text = content.decode("utf-8")
        unescaped = text.replace("&#39;", "'").replace("&quot;", '"').replace("&#34;", '"').replace("&amp;", "&")
        yield name, unescaped, np.array(list(_numbers(text)))


def _numbers(text: str) -> Iterator[float]:
    with suppress(ValueError):
        yield from _within(json.loads(text))
    for found in NUMBER.findall(text):
        yield float(found.replace(",", ""))


def _within(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _within(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)
