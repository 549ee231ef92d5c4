"""Files by the command line: from a pipe as from a file, and what was unusual about them is said."""

from __future__ import annotations

import io
import sys
import unicodedata

import polars as pl
import pytest

from sortal.core.recipe import Recipe
from sortal.data.problem import frame_problem


@pytest.fixture
def pipe(sortal, monkeypatch):
    """``pipe(data, "audit", "-")`` runs a command with these bytes as its standard input."""

    def run(data, *arguments):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return sortal(*arguments)

    return run


@pytest.mark.parametrize("command", ["predict", "evaluate", "audit"])
def test_a_pipe_is_a_file(command, sortal, pipe, churn_run, churn_csv):
    arguments = [] if command == "audit" else [churn_run.model]
    options = ["--target", "Churn"] if command == "audit" else []
    by_path = sortal(command, *arguments, churn_csv, *options)
    by_pipe = pipe(churn_csv.read_bytes(), command, *arguments, "-", *options)
    assert by_path.code == by_pipe.code == 0
    assert by_pipe.out.splitlines()[1:] == by_path.out.splitlines()[1:]
    assert by_pipe.err == by_path.err


def test_a_run_from_a_pipe(pipe, churn, tmp_path):
    options = ("--target", " Churn", "--models", "logistic", "--budget", "1h", "--out", tmp_path / "run")
    outcome = pipe(churn.head(300).write_csv().encode(), "train", "-", *options)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("data       standard input: 300 rows")


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_what_was_unusual_about_a_file_is_said(command, sortal, churn_run, churn, tmp_path):
    text = churn.head(200).write_csv(separator=";")
    (tmp_path / "twice.csv").write_text(text + text)
    outcome = sortal(command, churn_run.model, tmp_path / "twice.csv")
    assert outcome.code == 0
    assert "sortal: fields are separated by ';'\n" in outcome.err
    assert "sortal: 1 row is the header again: left out\n" in outcome.err
    if command == "predict":
        assert len(outcome.out.splitlines()) == 401


@pytest.mark.parametrize("write", [" {} ".format, lambda name: unicodedata.normalize("NFD", name)])
@pytest.mark.parametrize("ask", ["{} ".format, lambda name: unicodedata.normalize("NFD", name)])
def test_columns_are_known_by_any_form_of_their_name(ask, write, tmp_path):
    names = ["größe", "été", "naïve"]
    table = pl.DataFrame({write(name): [str(i % 20) for i in range(60)] for name in names})
    table.with_columns(pl.Series(write("señal"), ["a", "b"] * 30)).write_csv(tmp_path / "t.csv")
    recipe = Recipe.of(ask("señal"), time=ask("été"), ignore=(ask("naïve"),), kind={ask("größe"): "category"})
    schema = frame_problem(tmp_path / "t.csv", recipe.goal, recipe.rows).table.schema
    assert [(column.name, column.role) for column in schema.columns if column.name != "größe"] == [
        ("été", "time"),
        ("naïve", "ignore"),
        ("señal", "target"),
    ]
    assert schema["größe"].kind == "category"
