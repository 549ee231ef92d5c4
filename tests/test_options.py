"""One name for an option wherever it is given: on the command line, in Python, in a recipe, in the estimator, in the
docs."""

from __future__ import annotations

import re
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.main import get_command

import sortal
from sortal import auditing, cli
from sortal import run as runs
from sortal.core.recipe import Recipe, defaults, flag
from sortal.core.sheets import AUDIT_OPTIONS, TRAIN_OPTIONS
from sortal.keywords import AuditOptions, TrainOptions

DOCUMENT = Path(__file__).parents[1] / "docs" / "options.md"
OPTIONS = [each.name for each in TRAIN_OPTIONS]
TAKEN_BY = {"train": OPTIONS, "audit": [each.name for each in AUDIT_OPTIONS]}
ONLY_WITH_A_TEST = {
    "target",
    "precision",
    "recall",
    "fpr",
    "confidence",
    "sets",
    "reject_cost",
    "split",
    "slice",
    "weight",
    "private",
    "seed",
}
"""What a classifier of scikit-learn's says in other ways (y, sample_weight, random_state), or has no rows, labels or
files for."""
COMMANDS = get_command(cli.app).commands
UNUSUAL = {
    "target": ("y", "y"),
    "metric": ("brier", "brier"),
    "cost": ("fp=1,fn=8", "fp=1,fn=8"),
    "cost_column": (["fn=amount"], {"fn": "amount"}),
    "reject_cost": (0.5, 0.5),
    "precision": (0.9, 0.9),
    "recall": (0.8, 0.8),
    "fpr": (0.1, 0.1),
    "confidence": (0.9, 0.9),
    "capacity": ("5%", "5%"),
    "f1": (True, True),
    "f_beta": (1.0, 1.0),
    "sets": (0.7, 0.7),
    "positive": ("yes", "yes"),
    "kind": (["zip=category"], {"zip": "category"}),
    "missing": (["none"], "none"),
    "ignore": (["a"], "a"),
    "time": ("when", "when"),
    "group": ("who", "who"),
    "weight": ("w", "w"),
    "split": ("70/30", "70/30"),
    "slice": (["sex"], "sex"),
    "smallest_count": (3, 3),
    "private": (True, True),
    "select": (5, 5),
    "models": ("svm", ["svm"]),
    "backbone": (["net"], "net"),
    "embed_backbone": ("no", False),
    "max_latency": ("2ms", 0.002),
    "max_size": ("5MB", 5_000_000),
    "budget": ("90s", 90),
    "effort": (30.0, 30),
    "device": ("cpu", "cpu"),
    "seed": (7, 7),
}
"""For every option a value that differs from the default: on the command line and in Python."""
EXPECTED = {
    **{name: written for name, (_, written) in UNUSUAL.items()},
    "cost_column": ("fn=amount",),
    "missing": ("none",),
    "ignore": ("a",),
    "slice": ("sex",),
    "models": ("svm",),
    "backbone": ("net",),
    "embed_backbone": False,
    "max_latency": 0.002,
    "max_size": 5_000_000,
    "budget": 90.0,
}
"""As the sheets hold them."""
BY_THE_CLOCK, BY_WORK = ("effort",), ("budget", "max_latency")
"""What cannot be asked for together with the rest."""


def asked_by(monkeypatch, call):
    """The options that reach the workflow."""
    got = []

    def hear(*arguments, **more):
        got.extend(a for a in (*arguments, *more.values()) if isinstance(a, Recipe))
        raise sortal.InputError("far enough")

    monkeypatch.setattr(auditing, "audit", hear)
    monkeypatch.setattr(runs, "train_into", hear)
    call()
    [recipe] = got
    return recipe.options()


def words(names):
    told = []
    for name in names:
        value = UNUSUAL[name][0]
        for one in value if isinstance(value, list) else [value]:
            told += [flag(name)] if one is True else [flag(name), str(one)]
    return told


@pytest.mark.parametrize("without", [BY_THE_CLOCK, BY_WORK])
@pytest.mark.parametrize("command", ["train", "audit"])
def test_every_option_of_a_command_reaches_the_workflow(sortal, command, without, monkeypatch):
    names = [name for name in TAKEN_BY[command] if name not in without]
    got = asked_by(monkeypatch, lambda: sortal(command, "data.csv", *words(names)))
    assert got == {**defaults(), **{name: EXPECTED[name] for name in names}}
    assert all(got[name] != defaults()[name] for name in names if name != "target")


@pytest.mark.parametrize("without", [BY_THE_CLOCK, BY_WORK])
@pytest.mark.parametrize("function", ["train", "audit"])
def test_every_option_in_python_reaches_the_workflow(function, without, monkeypatch):
    names = [name for name in TAKEN_BY[function] if name not in without]

    def call():
        with pytest.raises(sortal.InputError, match="far enough"):
            getattr(sortal, function)({}, **{name: UNUSUAL[name][1] for name in names})

    assert asked_by(monkeypatch, call) == {**defaults(), **{name: EXPECTED[name] for name in names}}


def test_the_same_options_everywhere():
    for command, types in (("train", TrainOptions), ("audit", AuditOptions)):
        wanted = set(TAKEN_BY[command])
        flags = {o.removeprefix("--").replace("-", "_") for p in COMMANDS[command].params for o in p.opts}
        shown = set(signature(getattr(sortal, command)).parameters)
        assert wanted <= flags
        assert shown - wanted == {"data", "recipe"} | (
            {"out", "progress", "executor", "resume"} if command == "train" else set()
        )
        assert types.__optional_keys__ == wanted - {"target"} == shown & wanted - {"target"}
    taken = set(signature(sortal.SortalClassifier).parameters) - {"random_state"}
    assert taken == set(OPTIONS) - ONLY_WITH_A_TEST


def test_an_option_that_a_function_does_not_have_is_refused():
    with pytest.raises(sortal.InputError, match="train has no option 'bugdet'; did you mean 'budget'"):
        sortal.train({}, "y", bugdet="2m")
    with pytest.raises(sortal.InputError, match="audit has no option 'budget'"):
        sortal.audit({}, "y", budget="2m")


@pytest.mark.parametrize("function", [sortal.train, sortal.audit, sortal.SortalClassifier])
def test_a_default_is_the_same_everywhere(function):
    for name, parameter in signature(function).parameters.items():
        if name in defaults():
            plain = Recipe.from_options({"target": "y", name: parameter.default})
            assert plain == Recipe.of("y"), name


def test_defaults_of_the_command_line_are_those_of_a_recipe():
    for command in ("train", "audit"):
        for parameter in COMMANDS[command].params:
            if parameter.name in defaults():
                assert Recipe.from_options({"target": "y", parameter.name: parameter.default or None}) == Recipe.of("y")


def table() -> str:
    """The table of docs/options.md, from the sheets."""
    lines = ["| option | train | audit | classifier | default | |", "|---|---|---|---|---|---|"]
    instead = {"target": "`y`", "weight": "`sample_weight`", "seed": "`random_state`"}
    for option in TRAIN_OPTIONS:
        name, written = option.name, option.metadata["written"]
        shown = "" if written in (None, (), {}, False, "") else f"`{written}`"
        classifier = "x" if name not in ONLY_WITH_A_TEST else instead.get(name, "")
        audit = "x" if option in AUDIT_OPTIONS else ""
        lines.append(f"| `{flag(name)}` `{name}` | x | {audit} | {classifier} | {shown} | {option.metadata['help']} |")
    return "\n".join(lines)


def test_the_table_in_the_docs_is_what_the_signatures_say():
    [found] = re.findall(r"^\| option .*?(?=\n\n)", DOCUMENT.read_text("utf-8"), re.M | re.S)
    assert found == table()


# What a recipe says, and what it leaves open


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('target = "y"\nseed = 3\nignore = ["a"]\n')
    return path


def test_what_a_recipe_does_not_mention_may_be_added(written):
    asked = Recipe.from_options({"cost": "fp=1,fn=8", "budget": "20s", "seed": 3}, written)
    assert asked == Recipe.of("y", seed=3, ignore=("a",), cost="fp=1,fn=8", budget=20.0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": 0}, "--seed contradicts recipe.toml, which says seed = 3; leave one of them out"),
        ({"target": "z"}, "--target contradicts recipe.toml, which says target = 'y'"),
        ({"ignore": ["a", "b"]}, r"--ignore contradicts recipe.toml, which says ignore = \['a'\]"),
    ],
)
def test_what_a_recipe_says_may_not_be_contradicted(written, options, said):
    with pytest.raises(sortal.InputError, match=said):
        Recipe.from_options(options, written)


def test_another_run_of_a_recipe_is_searched_anew(written):
    ran = '\nunchecked = ["A103"]\n[[plan]]\nname = "majority"\nefforts = [{}]\n'
    written.write_text(written.read_text() + ran)
    assert Recipe.from_options({}, written).search.plan
    assert Recipe.from_options({"seed": 3, "confidence": 0.95}, written) == Recipe.read(written)
    changed = Recipe.from_options({"cost": "fp=1,fn=8"}, written)
    assert (changed.search.plan, changed.search.unchecked) == ((), ())


def test_a_recipe_says_nothing_of_what_is_as_usual():
    assert Recipe.of("y").to_toml() == 'target = "y"\n'
    assert Recipe.of("y", confidence=0.95, budget=60.0).to_toml() == 'target = "y"\nbudget = 60.0\n'


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "say which column is to be predicted"),
        ({"target": "y", "precision": "high"}, "precision cannot be 'high'"),
        ({"target": "y", "seed": 1.5}, "seed cannot be 1.5"),
        ({"target": "y", "cost": 3}, "cost is 3; give for example"),
        ({"target": "y", "effort": 0}, "effort 0 is no amount of work; give a number, for example 60"),
        ({"target": "y", "embed_backbone": "maybe"}, "embed_backbone 'maybe' is neither yes nor no"),
        ({"target": "y", "device": "tpu"}, "device 'tpu' is not known; give one of auto, cpu, cuda"),
        ({"target": "y", "effort": 30, "budget": "2m"}, "budget and effort exclude one another.*leave one of them out"),
        ({"target": "y", "effort": 30, "max_latency": "2ms"}, "max_latency is measured by a clock.*give max_size"),
    ],
)
def test_options_of_another_type_are_refused(options, said):
    with pytest.raises(sortal.InputError, match=said):
        Recipe.from_options(options)


def test_numbers_of_numpy_are_numbers():
    import numpy as np

    asked = Recipe.from_options(
        {"target": 3, "seed": np.int64(4), "precision": np.float32(0.5), "cost": {"fp": np.int8(2)}}
    )
    assert (asked.goal.target, asked.search.seed, asked.goal.precision, asked.goal.cost) == ("3", 4, 0.5, {"fp": 2})
    assert type(asked.goal.cost["fp"]) is int


def test_the_command_line_hands_a_recipe_on(sortal, written, monkeypatch):
    got = []
    monkeypatch.setattr(
        auditing,
        "audit",
        lambda data, recipe: got.append(recipe) or SimpleNamespace(findings=(), print=lambda console: None),
    )
    assert sortal("audit", "data.csv", "--recipe", written, "--cost", "fp=1,fn=8").code == 0
    assert got == [Recipe.of("y", seed=3, ignore=("a",), cost="fp=1,fn=8")]
    refused = sortal("audit", "data.csv", "--recipe", written, "--seed", "4")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "--seed contradicts recipe.toml" in refused.err
