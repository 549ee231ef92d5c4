"""The whole trip of a network for images: it is chosen, ships, and scores in a process that has no PyTorch."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
from numpy.testing import assert_allclose
from PIL import Image

import sortal
from sortal import SortalClassifier


def bars(n: int, seed: int) -> tuple[pl.DataFrame, list[str]]:
    """Pictures of bars that lie or stand, anywhere: no single point tells which."""
    rng = np.random.default_rng(seed)
    names, files = [], []
    for _ in range(n):
        is_vertical, at, start = rng.integers(2), rng.integers(16), rng.integers(8)
        picture = rng.integers(0, 120, (16, 16), dtype=np.uint8)
        if is_vertical:
            picture[start : start + 8, at] = 255
        else:
            picture[at, start : start + 8] = 255
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        files.append(file.getvalue())
        names.append("stands" if is_vertical else "lies")
    return pl.DataFrame({"photo": pl.Series(files, dtype=pl.Binary)}), names


def test_it_is_chosen_where_no_thumbnail_tells_and_scores_without_pytorch(tmp_path: Path) -> None:
    X, y = bars(120, 0)
    model = SortalClassifier(models="cnn", effort=30, kind={"photo": "image"}, device="cpu").fit(X, y)
    best = model.leaderboard_.row(0, named=True)
    assert (best["name"], best["chosen"]) == ("cnn", True)
    fresh, truth = bars(100, 1)
    probability = model.predict_proba(fresh)
    assert (model.classes_[probability.argmax(axis=1)] == np.array(truth)).mean() > 0.8
    model.model_.save(tmp_path / "bars.sortal")
    assert_allclose(sortal.load(tmp_path / "bars.sortal").predict_proba(fresh)[:5], probability[:5], atol=1e-9)
    fresh.write_parquet(tmp_path / "fresh.parquet")
    code = f"""
import sys, sortal, polars
model = sortal.load({str(tmp_path / "bars.sortal")!r})
print(model.predict_proba(polars.read_parquet({str(tmp_path / "fresh.parquet")!r}))[0, 0])
print([name for name in ("torch", "sklearn") if name in sys.modules])
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, modules = process.stdout.splitlines()
    assert abs(float(first) - probability[0, 0]) < 1e-9
    assert modules == "[]"
