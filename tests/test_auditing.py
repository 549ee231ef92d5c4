"""What an audit writes down for the training that follows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sortal
from sortal.auditing import AuditReport, write_fix
from sortal.core.errors import OptionError
from sortal.core.plan import Planned
from sortal.core.recipe import Recipe


@pytest.fixture(scope="module")
def report() -> AuditReport:
    """Two columns that are the target once more, and one that only names the rows."""
    rng = np.random.default_rng(0)
    y = rng.choice(["no", "yes"], size=300)
    columns = {"x": rng.normal(size=300), "code": [{"no": "n", "yes": "j"}[label] for label in y]}
    extra_columns = {"row": np.arange(300), "again": [label.upper() for label in y], "y": y}
    result = sortal.audit(pl.DataFrame(columns | extra_columns), "y")
    assert {f.column: f.severity for f in result.findings} == {"code": "severe", "again": "severe", "row": "warning"}
    return result


def test_severe_columns_alone_are_left_out(report: AuditReport, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    left_out = write_fix(path, Recipe.of("y", ignore=("x", "again"), budget="9s"), report)
    assert left_out[:2] == ("x", "again")
    assert sorted(left_out) == ["again", "code", "x"]
    recipe = Recipe.read(path)
    assert (recipe.rows.ignore, recipe.search.budget, recipe.goal.target) == (left_out, 9.0, "y")


def test_a_recipe_that_is_there_keeps_its_options_but_for_what_was_run(report: AuditReport, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    plan = (Planned("majority", ({}, {}), None),)
    path.write_text(Recipe.of("y", models=("svm",), ignore=("row",), seed=7, plan=plan).to_toml(), "utf-8")
    left_out = write_fix(path, Recipe.of("y", seed=1), report)
    recipe = Recipe.read(path)
    assert recipe.rows.ignore == left_out
    assert sorted(left_out) == ["again", "code", "row"]
    assert (recipe.search.models, recipe.search.seed, recipe.search.plan) == (("svm",), 7, ())
    with pytest.raises(OptionError, match="is there already and predicts 'y'; move it away"):
        write_fix(path, Recipe.of("z"), report)
    assert Recipe.read(path) == recipe
