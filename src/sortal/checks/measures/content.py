"""Texts that are nearly the same words, and images that look nearly the same (A204)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.checks.measures.nearest import NEIGHBOURS, Points, near_copies, sizes
from sortal.core.arrays import Ints
from sortal.core.images import UnreadableError, canonical, look, map_in_threads

_MOST_TEXTS = 20_000
"""For speed. Chosen, not measured."""
_MOST_WORDS = 100
"""For speed. Chosen, not measured: texts that begin with the same hundred words are rarely different ones."""
_MOST_IMAGES = 3_000
"""For speed: reading them is what takes long."""
_WORD = r"[\p{Han}\p{Hiragana}\p{Katakana}]|[\p{L}\p{M}\p{N}]+"
_BANDS = 6
"""Draws of hashes: with three minima each, a pair that shares 85 % of its words is compared in 99.7 % of cases."""
_MINIMA = 3
"""Minima that have to agree in a draw: a pair that shares a third of its words is compared in 20 % of cases only."""
_SAME_WORDS = 0.85
"""Share of words. With it 3 to 6 % of SMS, tweets and bank questions are near-copies (decision 0017)."""
_LEAST_WORDS = 5
"""Words of a text. Chosen, not measured: shorter ones agree by chance."""
_NEAR_IMAGE = 0.15
"""As NEAR for rows. Chosen, not measured: wider, since saving an image anew moves its thumbnail."""


@dataclass(frozen=True)
class Pairs:
    """(m, 2) positions of rows that are nearly the same, among ``n_queries`` rows compared with ``compared``;
    ``expected`` by chance.
    """

    pairs: Ints
    n_queries: int
    compared: int
    expected: int


def _distinct(values: pl.Series, most: int, seed: int) -> Ints:
    """Positions of values that are there and differ exactly, in random order."""
    first = (
        values.to_frame("value").with_row_index("row").drop_nulls().unique("value", keep="first", maintain_order=True)
    )
    rows = first["row"].to_numpy().astype(np.int64)
    return np.random.default_rng(seed).permutation(rows)[:most]


def near_texts(values: pl.Series, seed: int) -> Pairs:
    """Texts that differ in context, digits or punctuation only, or share 85 % of their words (Jaccard, of five words or
    more).

    Candidates share three minima of hashed words (MinHash; Broder 1997) in one of six draws, and are then compared.
    """
    rows = _distinct(values.cast(pl.String), _MOST_TEXTS, seed)
    texts = pl.DataFrame({"row": rows, "text": values[rows].cast(pl.String)})
    words = texts.select(
        "row",
        word=pl.col("text")
        .str.to_lowercase()
        .str.replace_all(r"\d", "0")
        .str.extract_all(_WORD)
        .list.head(_MOST_WORDS),
    )
    spellings = words.select("row", text=pl.col("word").list.join(" ")).filter(pl.col("text") != "")
    near = _in_buckets(spellings, "text")
    signatures = (
        words.filter(pl.col("word").list.len() >= _LEAST_WORDS).explode("word").group_by("row", maintain_order=True)
    )
    minima = signatures.agg(pl.col("word").hash(k).min().alias(f"{k}") for k in range(_BANDS * _MINIMA))
    sets = dict(words.iter_rows())
    for band in range(_BANDS):
        keys = [f"{_MINIMA * band + k}" for k in range(_MINIMA)]
        candidates = _in_buckets(minima.select("row", key=pl.struct(keys)), "key")
        near |= {(a, b) for a, b in candidates if _jaccard(sets[a], sets[b]) >= _SAME_WORDS}
    pairs = np.array(sorted({(max(pair), min(pair)) for pair in near}), dtype=np.int64).reshape(-1, 2)
    return Pairs(pairs, len(rows), len(rows), 0)


def _in_buckets(frame: pl.DataFrame, key: str) -> set[tuple[int, int]]:
    """Each row with the first and with the previous of those that share its key."""
    pairs = frame.select(
        "row", first=pl.col("row").first().over(key), before=pl.col("row").shift(1).over(key)
    ).drop_nulls()
    both = set(pairs.select("row", "first").iter_rows())
    return both | set(pairs.select("row", "before").iter_rows())


def _jaccard(one: Iterable[str], other: Iterable[str]) -> float:
    first, second = set(one), set(other)
    return len(first & second) / len(first | second)


def near_images(values: pl.Series, seed: int) -> Pairs:
    """Images whose thumbnails, evened out in brightness and contrast, are far nearer to each other than to other
    ones.
    """
    rows = _distinct(values, _MOST_IMAGES, seed)
    thumbnails = map_in_threads(_grey, values[rows].to_list())
    readable = np.flatnonzero([thumbnail is not None for thumbnail in thumbnails])
    if len(readable) <= 2 * NEIGHBOURS + 4:
        return Pairs(np.empty((0, 2), dtype=np.int64), len(readable), len(readable), 0)
    numbers = np.stack([thumbnail for thumbnail in thumbnails if thumbnail is not None])
    n_queries, _ = sizes(len(numbers), 1)
    near = near_copies(Points(numbers, np.empty((len(numbers), 0), dtype=np.int64)), n_queries, seed, _NEAR_IMAGE)
    return Pairs(rows[readable[np.column_stack([near.row, near.partner])]], n_queries, len(readable), near.expected)


def _grey(image: bytes | str) -> NDArray[np.float32] | None:
    """(256,) grey values with mean 0 and spread 1; None for what cannot be read, or is all of one colour."""
    try:
        colours = look(image if isinstance(image, bytes) else canonical(image)).colours
    except UnreadableError:
        return None
    grey = colours.mean(axis=2, dtype=np.float32).ravel()
    spread = float(grey.std())
    return None if spread < 1 else (grey - grey.mean()) / np.float32(spread)
