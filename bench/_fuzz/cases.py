"""A case by its number: made, tried and judged."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from random import Random

import polars as pl

from bench._fuzz import recipes, tables
from bench._fuzz.guard import SECONDS
from bench._fuzz.judge import Judge, Verdict
from bench._fuzz.models import Members, members_of, spoilt_model
from bench._fuzz.seeds import Seed, table
from sortal.artifact.model import Model
from sortal.artifact.store import load_contents
from sortal.core.recipe import Recipe
from sortal.record.events import RunObserver
from sortal.workflow import train_into

ROWS = 60
"""Of a data file."""
WHOLE, TRAINED = 0.3, 0.1
"""See ``Cases``."""
TRAINING, TABLE = 60.0, 20.0
"""Seconds of the processor, as ``guard.SECONDS``: for a recipe, which may be trained with, and for a table, which may
have 20,000 columns and is read five times."""
PLANNED = 120
"""Rows that a recipe is trained on."""


@dataclass(frozen=True)
class Cases:
    """Cases of three kinds, ``model``, ``data`` and ``recipe``, by number.

    ``trained``: the share of recipes that are trained with. ``whole``: of model files, how many go through all
    commands; the others are loaded, shown and score.
    """

    seeds: list[Seed]
    judge: Judge
    trained: float = TRAINED
    whole: float = WHOLE

    def verdict(self, kind: str, number: int) -> Verdict:
        rng = Random(f"{kind} {number}")
        if kind == "data":
            return self._data(rng)
        tries: dict[str, Callable[[Random], None]] = {"model": self._model, "recipe": self._recipe}
        return self.judge.verdict(lambda: tries[kind](rng), TRAINING if kind == "recipe" else SECONDS)

    def _model(self, rng: Random) -> None:
        seed = rng.choice(self.seeds)
        path = self.judge.folder / "m.sortal"
        path.write_bytes(spoilt_model(rng, self._members[seed.model], self._zeros, self._again))
        self.judge.model(path, seed, whole=rng.random() < self.whole)

    def _data(self, rng: Random) -> Verdict:
        seed = rng.choice(self.seeds)
        many = "many" in seed.rows.name or "forest" in seed.rows.name
        # Made beforehand: a text of 30 MB, of which 2 MB are kept, is no memory that the reader took.
        file = tables.spoilt_table(rng, table(ROWS, many, rng.randrange(5)), self._bomb)
        path = Path(tempfile.mkdtemp(dir=self.judge.folder), file.name)
        try:
            path.write_bytes(file.content)
            return self.judge.verdict(lambda: self.judge.table(path, seed), TABLE)
        finally:
            path.unlink(missing_ok=True)
            path.parent.rmdir()

    def _recipe(self, rng: Random) -> None:
        use = self._train if rng.random() < self.trained else lambda recipe: None
        if rng.random() < 0.3:
            return self.judge.options(recipes.spoilt_options(rng), self._frame, use)
        path = self.judge.folder / "recipe.toml"
        path.write_bytes(recipes.spoilt_recipe(rng))
        return self.judge.recipe(path, self.seeds[0], self._frame, use)

    def _train(self, recipe: Recipe) -> None:
        """Repeat what a recipe planned; without a plan the search would take all of its budget."""
        if not recipe.search.plan:
            return
        with tempfile.TemporaryDirectory(dir=self.judge.folder) as home:
            train_into(Path(home, "run"), self._frame, recipe, RunObserver(), time.monotonic())

    def _again(self, content: bytes) -> Members | None:
        """The members of a model file with its golden rows scored anew: so a changed program passes the door behind
        which it runs.
        """
        path = self.judge.folder / "again.sortal"
        path.write_bytes(content)
        try:
            contents = load_contents(path)
            Model(**{field.name: getattr(contents, field.name) for field in fields(contents)}).save(path)
            return members_of(path)
        except Exception:  # noqa: BLE001 - what goes wrong here goes wrong once more where it is judged
            return None

    @cached_property
    def _members(self) -> dict[Path, Members]:
        return {seed.model: members_of(seed.model) for seed in self.seeds}

    @cached_property
    def _zeros(self) -> bytes:
        return (self.seeds[0].rows.parent / "zeros").read_bytes()

    @cached_property
    def _bomb(self) -> bytes:
        return (self.seeds[0].rows.parent / "bomb").read_bytes()

    @cached_property
    def _frame(self) -> pl.DataFrame:
        return table(PLANNED, False)
