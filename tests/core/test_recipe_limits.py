"""What a recipe, or an option in Python, cannot be is refused before anything is read, in one sentence that names
it."""

from __future__ import annotations

import os

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.errors import InputError, OptionError
from sortal.core.plan import Planned
from sortal.core.recipe import Recipe, defaults
from sortal.core.toml_tree import DEEPEST, toml_tree

HALF = "\ud800"
OPTIONS = [
    *[("seed", seed) for seed in (2**32, 2**64, -1, 10**400, "x", [1], float("nan"))],
    *[("f_beta", beta) for beta in (1e308, 1e-308, 0, -1, float("nan"), float("inf"), "x", {})],
    *[("budget", budget) for budget in (1e308, "1e9h", 0, float("nan"), float("inf"), [], {"a": 1})],
    *[("reject_cost", cost) for cost in (1e308, -1, float("nan"), float("inf"), "x")],
    *[("confidence", share) for share in (0, 1, 1e-320, 1 - 1e-16, float("nan"), float("inf"), "x", [])],
    *[("precision", share) for share in (-1, 2, 1e308, float("-inf"))],
    *[("select", number) for number in (0, -1, 2**63, 1.5, "x")],
    *[
        ("metric", "accurate"),
        ("metric", 3),
        ("models", ["lightgmb"]),
        ("models", 3),
        ("models", [3]),
        ("unchecked", ["A999"]),
    ],
    *[
        ("kind", 3),
        ("kind", ["zip"]),
        ("cost_column", 3),
        ("cost_column", [3]),
        ("cost", 3),
        ("cost", [1, 2]),
        ("target", HALF),
    ],
    *[
        ("cost", {"a": {"b": HALF}}),
        ("ignore", [HALF]),
        ("kind", {"a": HALF}),
        ("missing", HALF),
        ("capacity", []),
        ("f1", "perhaps"),
    ],
    *[("sead", 1), ("x" * 9_999, 1), ("\x1b[31m", 1)],
]


@pytest.mark.parametrize(("name", "value"), OPTIONS, ids=lambda value: ascii(value)[:30])
def test_an_option_in_python_is_refused_by_name(name, value):
    with pytest.raises(InputError) as refusal:
        Recipe.from_options({"target": "y", name: value})
    message = str(refusal.value)
    assert {"models": "model", "unchecked": "check", "\x1b[31m": r"\x1b"}.get(name, name[:20]) in message
    assert len(message) < 1_000
    assert message.isprintable()


RECIPES = {
    "seed": "seed = 4294967296",
    "f_beta": "f_beta = 1e308",
    "budget": "budget = nan",
    "reject_cost": "reject_cost = inf",
    "plan": "plan = []",
    "nosuch": "[[plan]]\nname = 'nosuch'\nefforts = [{}]",
    "efforts": "[[plan]]\nname = 'tree'\nefforts = []",
    "twice": "[[plan]]\nname = 'tree'\nefforts = [{}]\n[[plan]]\nname = 'tree'\nefforts = [{}]",
    "folds": "[[plan]]\nname = 'tree'\nefforts = [{}]\n[[plan]]\nname = 'svm'\nefforts = [{}, {}]",
    "rounds": "[[plan]]\nname = 'lightgbm'\nefforts = [{rounds = -1}]",
    "rows": "[[plan]]\nname = 'tree'\nefforts = [{}]\nrows = 0",
    "nam3": "[[plan]]\nname = 'tree'\nefforts = [{}]\nnam3 = 0",
    "sead": "sead = 1",
    "metric": "metric = 3",
    "cost": "cost = 3",
    "deep": f"deep = {'[' * 5_000}{']' * 5_000}",
    "wide": f"wide = {'{a = ' * 5_000}1{'}' * 5_000}",
    "a.a.a": f"{'a.' * 5_000}a = 1",
    "quoted": '"a b".' * 5_000 + "a = 1",
    "digits": f"seed = {'9' * 5_000}",
    "line 2": "x = ?",
}


@pytest.mark.parametrize(("key", "line"), RECIPES.items(), ids=RECIPES)
def test_a_recipe_is_refused_by_the_key(key, line):
    with pytest.raises(OptionError) as refusal:
        Recipe.from_toml(f'target = "y"\n{line}', "recipe.toml")
    message = str(refusal.value)
    assert "recipe.toml" in message
    assert key in message or key in ("twice", "wide", "quoted", "digits", "folds")
    assert len(message) < 1_000
    assert message.isprintable()


def answer(reader):
    """What is read, or the refusal."""
    try:
        return reader()
    except InputError as refusal:
        return refusal


VALUES = st.recursive(
    st.integers() | st.floats() | st.text(max_size=20) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["target", *defaults()])


@settings(max_examples=300)
@given(st.dictionaries(NAMES | st.text(max_size=8), VALUES, max_size=4))
def test_any_recipe_is_read_or_refused_in_a_sentence(options):
    for reader in (lambda: Recipe.from_options(options), lambda: Recipe.from_toml(tomli_w.dumps(options))):
        recipe = answer(reader)
        if isinstance(recipe, InputError):
            assert "\n" not in str(recipe)
            assert len(str(recipe)) < 1_200
        else:
            assert Recipe.from_toml(recipe.to_toml()) == recipe


@settings(max_examples=100)
@given(st.text(alphabet="ab.[]{}=\"'\n 1,", max_size=400))
def test_any_text_is_toml_or_refused(text):
    tree = answer(lambda: toml_tree(text, "x"))
    assert isinstance(tree, dict) or "\n" not in str(tree)


def test_names_of_many_parts_are_names():
    """Dots within a name nest nothing."""
    recipe = Recipe.of("y", ignore=(".".join("abc" * 50), "[" * 50), kind={".".join("ab" * 99): "number"})
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert toml_tree(f"a = {'[' * DEEPEST}{']' * DEEPEST}", "x")


def test_only_an_ordinary_file_of_a_sane_size_is_a_recipe(tmp_path):
    pipe, large, odd_path = tmp_path / "pipe", tmp_path / "large.toml", tmp_path / "a\x1b[31m.toml"
    os.mkfifo(pipe)
    large.write_text('target = "y"\n' + "#" * 2**21)
    odd_path.write_text("target = ")
    for path, reason in (
        (pipe, "no file"),
        (large, "1,048,576 bytes"),
        (odd_path, r"a\\x1b"),
        (tmp_path / "none", "no such file"),
    ):
        with pytest.raises(OptionError, match=f"(?i){reason}"):
            Recipe.read(path)


def test_a_plan_of_a_run_passes():
    Recipe.of(
        "y",
        plan=(
            Planned("lightgbm small", ({"rounds": 90, "learning_rate": 0.1},) * 2),
            Planned("majority", ({},) * 2, 500),
        ),
    )
