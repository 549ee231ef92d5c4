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
OPTIONS = [option.name for option in TRAIN_OPTIONS]
OPTIONS_OF = {"train": OPTIONS, "audit": [option.name for option in AUDIT_OPTIONS]}
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
    **{name: value for name, (_, value) in UNUSUAL.items()},
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


def options_of_call(monkeypatch, call):
    """The options that reach the workflow."""
    recipes = []

    def capture(*arguments, **options):
        recipes.extend(a for a in (*arguments, *options.values()) if isinstance(a, Recipe))
        raise sortal.InputError("far enough")

    monkeypatch.setattr(auditing, "audit", capture)
    monkeypatch.setattr(runs, "train_into", capture)
    call()
    [recipe] = recipes
    return recipe.options()


def words(names):
    arguments = []
    for name in names:
        value = UNUSUAL[name][0]
        for one in value if isinstance(value, list) else [value]:
            arguments += [flag(name)] if one is True else [flag(name), str(one)]
    return arguments


@pytest.mark.parametrize("without", [BY_THE_CLOCK, BY_WORK])
@pytest.mark.parametrize("command", ["train", "audit"])
def test_every_option_of_a_command_reaches_the_workflow(sortal, command, without, monkeypatch):
    names = [name for name in OPTIONS_OF[command] if name not in without]
    options = options_of_call(monkeypatch, lambda: sortal(command, "data.csv", *words(names)))
    assert options == {**defaults(), **{name: EXPECTED[name] for name in names}}
    assert all(options[name] != defaults()[name] for name in names if name != "target")


@pytest.mark.parametrize("without", [BY_THE_CLOCK, BY_WORK])
@pytest.mark.parametrize("function", ["train", "audit"])
def test_every_option_in_python_reaches_the_workflow(function, without, monkeypatch):
    names = [name for name in OPTIONS_OF[function] if name not in without]

    def call():
        with pytest.raises(sortal.InputError, match="far enough"):
            getattr(sortal, function)({}, **{name: UNUSUAL[name][1] for name in names})

    assert options_of_call(monkeypatch, call) == {**defaults(), **{name: EXPECTED[name] for name in names}}


def test_the_same_options_everywhere():
    for command, types in (("train", TrainOptions), ("audit", AuditOptions)):
        expected = set(OPTIONS_OF[command])
        flags = {o.removeprefix("--").replace("-", "_") for p in COMMANDS[command].params for o in p.opts}
        parameters = set(signature(getattr(sortal, command)).parameters)
        assert expected <= flags
        assert parameters - expected == {"data", "recipe"} | (
            {"out", "progress", "executor", "resume"} if command == "train" else set()
        )
        assert types.__optional_keys__ == expected - {"target"} == parameters & expected - {"target"}
    classifier_parameters = set(signature(sortal.SortalClassifier).parameters) - {"random_state"}
    assert classifier_parameters == set(OPTIONS) - ONLY_WITH_A_TEST


def test_an_option_that_a_function_does_not_have_is_refused():
    with pytest.raises(sortal.InputError, match="train has no option 'bugdet'; did you mean 'budget'"):
        sortal.train({}, "y", bugdet="2m")
    with pytest.raises(sortal.InputError, match="audit has no option 'budget'"):
        sortal.audit({}, "y", budget="2m")


@pytest.mark.parametrize("function", [sortal.train, sortal.audit, sortal.SortalClassifier])
def test_a_default_is_the_same_everywhere(function):
    for name, parameter in signature(function).parameters.items():
        if name in defaults():
            recipe = Recipe.from_options({"target": "y", name: parameter.default})
            assert recipe == Recipe.of("y"), name


def test_defaults_of_the_command_line_are_those_of_a_recipe():
    for command in ("train", "audit"):
        for parameter in COMMANDS[command].params:
            if parameter.name in defaults():
                assert Recipe.from_options({"target": "y", parameter.name: parameter.default or None}) == Recipe.of("y")


def table() -> str:
    """The table of docs/options.md, from the sheets."""
    lines = ["| option | train | audit | classifier | default | |", "|---|---|---|---|---|---|"]
    replacements = {"target": "`y`", "weight": "`sample_weight`", "seed": "`random_state`"}
    for option in TRAIN_OPTIONS:
        name, default = option.name, option.metadata["written"]
        text = "" if default in (None, (), {}, False, "") else f"`{default}`"
        classifier = "x" if name not in ONLY_WITH_A_TEST else replacements.get(name, "")
        audit = "x" if option in AUDIT_OPTIONS else ""
        lines.append(f"| `{flag(name)}` `{name}` | x | {audit} | {classifier} | {text} | {option.metadata['help']} |")
    return "\n".join(lines)


def test_the_table_in_the_docs_is_what_the_signatures_say():
    [document_table] = re.findall(r"^\| option .*?(?=\n\n)", DOCUMENT.read_text("utf-8"), re.M | re.S)
    assert document_table == table()


# What a recipe says, and what it leaves open


@pytest.fixture
def recipe_file(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('target = "y"\nseed = 3\nignore = ["a"]\n')
    return path


def test_what_a_recipe_does_not_mention_may_be_added(recipe_file):
    recipe = Recipe.from_options({"cost": "fp=1,fn=8", "budget": "20s", "seed": 3}, recipe_file)
    assert recipe == Recipe.of("y", seed=3, ignore=("a",), cost="fp=1,fn=8", budget=20.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 0}, "--seed contradicts recipe.toml, which says seed = 3; leave one of them out"),
        ({"target": "z"}, "--target contradicts recipe.toml, which says target = 'y'"),
        ({"ignore": ["a", "b"]}, r"--ignore contradicts recipe.toml, which says ignore = \['a'\]"),
    ],
)
def test_what_a_recipe_says_may_not_be_contradicted(recipe_file, options, message):
    with pytest.raises(sortal.InputError, match=message):
        Recipe.from_options(options, recipe_file)


def test_another_run_of_a_recipe_is_searched_anew(recipe_file):
    text = '\nunchecked = ["A103"]\n[[plan]]\nname = "majority"\nefforts = [{}]\n'
    recipe_file.write_text(recipe_file.read_text() + text)
    assert Recipe.from_options({}, recipe_file).search.plan
    assert Recipe.from_options({"seed": 3, "confidence": 0.95}, recipe_file) == Recipe.read(recipe_file)
    recipe = Recipe.from_options({"cost": "fp=1,fn=8"}, recipe_file)
    assert (recipe.search.plan, recipe.search.unchecked) == ((), ())


def test_a_recipe_says_nothing_of_what_is_as_usual():
    assert Recipe.of("y").to_toml() == 'target = "y"\n'
    assert Recipe.of("y", confidence=0.95, budget=60.0).to_toml() == 'target = "y"\nbudget = 60.0\n'


@pytest.mark.parametrize(
    ("options", "message"),
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
def test_options_of_another_type_are_refused(options, message):
    with pytest.raises(sortal.InputError, match=message):
        Recipe.from_options(options)


def test_numbers_of_numpy_are_numbers():
    import numpy as np

    recipe = Recipe.from_options(
        {"target": 3, "seed": np.int64(4), "precision": np.float32(0.5), "cost": {"fp": np.int8(2)}}
    )
    assert (recipe.goal.target, recipe.search.seed, recipe.goal.precision, recipe.goal.cost) == ("3", 4, 0.5, {"fp": 2})
    assert type(recipe.goal.cost["fp"]) is int


def test_the_command_line_hands_a_recipe_on(sortal, recipe_file, monkeypatch):
    recipes = []
    monkeypatch.setattr(
        auditing,
        "audit",
        lambda data, recipe: recipes.append(recipe) or SimpleNamespace(findings=(), print=lambda console: None),
    )
    assert sortal("audit", "data.csv", "--recipe", recipe_file, "--cost", "fp=1,fn=8").code == 0
    assert recipes == [Recipe.of("y", seed=3, ignore=("a",), cost="fp=1,fn=8")]
    refusal = sortal("audit", "data.csv", "--recipe", recipe_file, "--seed", "4")
    assert (refusal.code, refusal.err.count("\n")) == (2, 1)
    assert "--seed contradicts recipe.toml" in refusal.err
