"""A204: near-copies of rows, texts and images."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from PIL import Image

from sortal.checks.context import AuditContext, SplitView
from sortal.checks.measures.content import near_images, near_texts
from sortal.checks.measures.nearest import near_copies, points
from sortal.checks.near_duplicates import check
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.testing.checks import clean, typed

N = 600


def measurements(seed: int, n: int = N) -> pl.DataFrame:
    """Correlated numbers, a coarse one, and categories."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(n, 3))
    numbers = base @ rng.normal(size=(3, 6)) + 0.3 * rng.normal(size=(n, 6))
    columns = {f"x{j}": numbers[:, j] for j in range(6)}
    return pl.DataFrame(
        columns | {"count": rng.poisson(2, n).astype(float), "kind": [f"kind {k}" for k in rng.integers(0, 4, n)]}
    )


def with_near_copies(frame: pl.DataFrame, share: float, noise: float = 0.005) -> pl.DataFrame:
    rng = np.random.default_rng(9)
    sample = frame[rng.choice(len(frame), int(share * len(frame)), replace=False)]
    copies = sample.with_columns(
        (sample[f"x{j}"] + noise * float(frame[f"x{j}"].std()) * rng.normal(size=len(sample))).alias(f"x{j}")  # type: ignore[arg-type]
        for j in range(6)
    )
    return pl.concat([frame, copies])


def case_of(frame: pl.DataFrame) -> AuditContext:
    return AuditContext(typed(frame), np.zeros(len(frame), dtype=np.int64), ["a", "b"], raw=frame)


@pytest.mark.parametrize("seed", range(4))
def test_rows_with_a_little_noise_are_found(seed: int) -> None:
    [finding] = check.find(case_of(with_near_copies(measurements(seed), 0.05)))
    assert finding.severity == "warning"
    assert finding.evidence["rows"] == pytest.approx(60, abs=10)
    pairs = zip(finding.evidence["source_rows"], finding.evidence["source_partners"], strict=True)
    assert all(max(pair) > N >= min(pair) for pair in pairs)


def test_rows_are_named_by_their_numbers_in_the_source() -> None:
    frame = with_near_copies(measurements(0), 0.05)
    table = typed(frame)
    later_case = AuditContext(
        Table(table.schema, table.frame, table.rows + 5_000),
        np.zeros(len(frame), dtype=np.int64),
        ["a", "b"],
        raw=frame,
    )
    [before], [after] = check.find(case_of(frame)), check.find(later_case)
    for name in ("source_rows", "source_partners"):
        assert after.evidence[name] == [row + 5_000 for row in before.evidence[name]]
    first, second = (before.evidence[name][0] for name in ("source_rows", "source_partners"))
    assert f"(such as rows {first:,} and {second:,})" in before.message


@pytest.mark.parametrize("seed", range(8))
def test_rows_that_were_measured_are_not_suspected(seed: int) -> None:
    assert check.find(case_of(measurements(seed, 1_500))) == []


def test_coarse_rows_are_alike_by_nature() -> None:
    rng = np.random.default_rng(0)
    coarse = {f"c{j}": [f"level {v}" for v in rng.integers(0, 3, 900)] for j in range(7)}
    assert check.find(case_of(pl.DataFrame(coarse | {"weight": rng.normal(size=900)}))) == []
    grid = pl.DataFrame({f"n{j}": rng.integers(0, 5, 900).astype(float) for j in range(6)})
    assert check.find(case_of(grid)) == []


def test_exact_copies_are_those_of_another_check() -> None:
    frame = measurements(0)
    assert check.find(case_of(pl.concat([frame, frame[:60]]))) == []


def test_pairs_across_parts_are_counted() -> None:
    frame = with_near_copies(measurements(1), 0.03)
    case = case_of(frame[:N])
    part = (np.arange(len(frame)) >= N).astype(np.int64)
    with_parts = replace(case, split_view=SplitView(typed(frame), part.astype(bool)))
    assert check.find(case) == []
    [finding] = check.find(with_parts)
    assert finding.severity == "warning"
    assert finding.evidence["across_parts"] >= 18
    assert "lie in different parts" in finding.message


def test_the_nearest_row_is_found() -> None:
    frame = with_near_copies(measurements(2), 0.05)
    near = near_copies(points(typed(frame), np.arange(len(frame))), len(frame), seed=0)
    is_copy = near.row >= N
    oracle = frame.select(f"x{j}" for j in range(6)).to_numpy()
    for row, partner in zip(near.row[is_copy], near.partner[is_copy], strict=True):
        distance = np.abs(oracle - oracle[row]).sum(axis=1)
        distance[row] = np.inf
        assert distance.argmin() == partner


class TestTexts:
    def test_what_differs_in_next_to_nothing(self) -> None:
        texts = pl.Series(
            [
                "Call 0800 123 now, you have won a prize!",
                "call 0800 999 now: You have WON a prize",
                "the weather is fine today and we shall go out",
                "the weather is fine today and we shall go out soon",
                "an entirely different sentence about trains and stations",
                "an entirely different sentence about trains and stations",
                None,
                "短文本 可以 比较",
                "短文本可以比较。",
            ]
        )
        pairs = {tuple(sorted(pair)) for pair in near_texts(texts, seed=0).pairs.tolist()}
        assert pairs == {(0, 1), (2, 3), (7, 8)}

    def test_sentences_of_the_same_words_by_chance(self) -> None:
        rng = np.random.default_rng(0)
        words = np.array([f"word{chr(97 + k % 26)}{chr(97 + k // 26)}" for k in range(300)])
        texts = pl.Series([" ".join(rng.choice(words, 12)) for _ in range(2_000)])
        assert len(near_texts(texts, seed=0).pairs) == 0

    def test_a_text_column_that_no_model_uses(self) -> None:
        table, codes = clean(0)
        rng = np.random.default_rng(1)
        texts = [f"complaint about part {' '.join(map(chr, rng.integers(97, 123, 9)))}" for _ in range(len(table))]
        texts[200:240] = [text.upper() + "!" for text in texts[:40]]
        raw = table.frame.with_columns(pl.Series("words", texts))
        schema = Schema((*table.schema.columns, Column("words", "text", "ignore")))
        [finding] = check.find(AuditContext(Table(schema, table.frame, table.rows), codes, ["a", "b"], raw=raw))
        assert (finding.column, finding.severity) == ("words", "warning")
        assert finding.evidence["rows"] == 40
        assert "texts of words" in finding.message


class TestImages:
    def picture(self, seed: int, quality: int) -> bytes:
        small = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(small).resize((48, 48), Image.Resampling.BICUBIC).save(file, "JPEG", quality=quality)
        return file.getvalue()

    def test_the_same_picture_saved_anew(self) -> None:
        images = [self.picture(seed, 95) for seed in range(150)]
        copies = [self.picture(seed, 70) for seed in range(0, 150, 10)]
        pairs = near_images(pl.Series(images + copies), seed=0).pairs
        assert {(row, partner) for row, partner in pairs.tolist() if row >= 150} == {
            (150 + k, 10 * k) for k in range(15)
        }

    def test_other_pictures_and_what_is_none(self) -> None:
        images = [self.picture(seed, 95) for seed in range(150)] + [b"no picture", None]
        assert len(near_images(pl.Series(images), seed=0).pairs) == 0
        assert len(near_images(pl.Series(["nowhere.png", "neither.png"]), seed=0).pairs) == 0
