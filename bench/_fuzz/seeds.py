"""What cases are made from: small models of every kind, trained or written for this, and the rows that they read."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from bench._fuzz.by_hand import models as by_hand_models
from bench._fuzz.tables import bomb
from sortal.artifact.model import Model
from sortal.core import registry
from sortal.core.plan import Planned
from sortal.core.recipe import Recipe
from sortal.record.events import RunObserver
from sortal.workflow import MODEL_FILE, train_into

ROWS, FRESH = 400, 230
"""Of training, and of the table that comes later: enough for the way through a forest that many rows take."""
CITIES = ("Bonn", "Ulm", "Kiel", "Aix")
WORDS = ("good", "poor", "über", "wann", "房间", "naïve", "late", "early", "to", "be", "or", "not")
ZEROS = 2**29
"""What a small stream in a spoilt model file unpacks to."""


@dataclass(frozen=True)
class Kind:
    """A model to train: one candidate, with the settings that keep it small, and what is asked beside."""

    name: str
    candidate: str
    recipe: Recipe
    effort: dict[str, int]
    many: bool = False


def _kind(name: str, candidate: str, many: bool = False, effort: int = 0, **options: object) -> Kind:
    words = {"forest": "trees", "extra_trees": "trees"}
    settings = {words.get(candidate.split()[0], "rounds"): effort} if effort else {}
    return Kind(name, candidate, Recipe.of("y", **options), settings, many)


KINDS = (
    _kind("linear", "logistic", cost="fp=1,fn=8"),
    _kind("lightgbm", "lightgbm", effort=8, capacity="5%"),
    _kind("many", "lightgbm", True, 4, sets=0.8),
    _kind("xgboost", "xgboost", effort=8, cost="fp=2", cost_column=("fn=paid",), reject_cost=0.5),
    _kind("forest", "forest", True, 6, reject_cost=0.2),
    _kind("svm", "svm", precision=0.7),
    _kind("focal", "lightgbm focal", effort=6, cost="fp=1,fn=4"),
    _kind("tree", "tree", time="since"),
    _kind("catboost", "catboost", True, 6),
    _kind("kernel_svm", "kernel_svm", f1=True),
    _kind("prep", "lightgbm_prep", effort=8),
)
FEW = tuple(kind for kind in KINDS if kind.name in ("linear", "many", "xgboost"))
"""Those that the tests make do with."""


def table(rows: int, many: bool, seed: int = 0) -> pl.DataFrame:
    """Numbers, categories, yes or no, dates and texts, and a target of two classes or of many."""
    rng = np.random.default_rng(seed)
    age, city = rng.normal(40, 10, rows).round(1), rng.choice(CITIES, rows)
    score = age / 10 + 2 * (city == "Ulm") + rng.normal(0, 1, rows)
    labels = np.array([f"c{code}" for code in np.clip(score, 1, 6).astype(int)])
    frame = pl.DataFrame(
        {
            "age": age,
            "city": city,
            "member": rng.choice(["no", "yes"], rows),
            "since": [
                f"20{y:02d}-{m:02d}-11"
                for y, m in zip(rng.integers(0, 25, rows), rng.integers(1, 13, rows), strict=True)
            ],
            "paid": rng.exponential(50, rows).round(2),
            "note": [" ".join(rng.choice(WORDS, rng.integers(3, 9))) for _ in range(rows)],
            "y": labels if many else np.where(score > 4.8, "yes", "no"),
        }
    )
    gaps = rng.random(rows) < 0.05
    return frame.with_columns(age=pl.Series([None if gap else a for gap, a in zip(gaps, age.tolist(), strict=True)]))


@dataclass(frozen=True)
class Seed:
    """A model file, and a file of labelled rows that it has not seen."""

    model: Path
    rows: Path


def train_all(folder: Path, kinds: tuple[Kind, ...] = KINDS) -> list[Seed]:
    """The seeds in a folder, made where they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in (("zeros", _zeros), ("bomb", bomb)):
        if not (folder / name).exists():
            (folder / name).write_bytes(make())
    by_hand = (_write(folder, name, model) for name, model in by_hand_models().items())
    return [*(_train(folder, kind) for kind in kinds), *by_hand]


def _train(folder: Path, kind: Kind) -> Seed:
    seed = Seed(folder / kind.name / MODEL_FILE, folder / f"{kind.name}.csv")
    if not seed.rows.exists():
        plan = (Planned(kind.candidate, (dict(kind.effort),) * 5),)
        recipe = kind.recipe.with_options(plan=plan, unchecked=tuple(registry.names("sortal.checks")))
        train_into(folder / kind.name, table(ROWS, kind.many), recipe, RunObserver(), time.monotonic())
        table(FRESH, kind.many, seed=1).write_csv(seed.rows)
    return seed


def _write(folder: Path, name: str, model: Model) -> Seed:
    seed = Seed(folder / name / MODEL_FILE, folder / f"{name}.csv")
    if not seed.rows.exists():
        seed.model.parent.mkdir()
        model.save(seed.model)
        table(FRESH, many=False, seed=1).write_csv(seed.rows)
    return seed


def _zeros() -> bytes:
    packer, chunk = zlib.compressobj(1, zlib.DEFLATED, -15), bytes(2**20)
    return b"".join([*(packer.compress(chunk) for _ in range(ZEROS // len(chunk))), packer.flush()])
