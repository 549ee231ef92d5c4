from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.errors import OptionError
from sortal.core.frame import from_any
from sortal.core.option_values import parse_budget, parse_kinds
from sortal.core.plan import Planned
from sortal.core.recipe import Recipe

NAMES = st.text(min_size=1, max_size=12)


@settings(max_examples=50)
@given(
    target=NAMES,
    cost=st.none() | st.just("fp=1,fn=8") | st.dictionaries(NAMES, st.floats(0, 100), min_size=1, max_size=3),
    kinds=st.dictionaries(NAMES, st.sampled_from(["number", "category"]), max_size=3),
    ignore=st.lists(NAMES, max_size=3).map(tuple),
    select=st.none() | st.integers(1, 50),
    weight=st.none() | NAMES,
    f_beta=st.none() | st.floats(0.1, 9),
    capacity=st.none() | st.integers(1, 99) | st.just("5%"),
    seed=st.integers(0, 2),
    plan=st.lists(
        st.builds(
            Planned,
            st.sampled_from(["lightgbm", "lightgbm small", "svm", "logistic C=0.03"]),
            st.tuples(*[st.dictionaries(NAMES, st.integers(1, 999) | st.floats(0.1, 1))] * 2),
        ),
        max_size=3,
        unique_by=lambda step: step.name,
    ).map(tuple),
)
def test_a_recipe_is_read_as_it_was_written(target, cost, kinds, ignore, select, weight, f_beta, capacity, seed, plan):
    options = {"cost": cost, "kind": kinds, "ignore": ignore, "select": select, "weight": weight, "f_beta": f_beta}
    recipe = Recipe.of(target, **options, capacity=capacity, seed=seed, plan=plan)
    assert Recipe.from_toml(recipe.to_toml()) == recipe


@pytest.mark.parametrize("text", ["target = ", "metric = 'auto'", "target = 3", "target = 'y'\nbudget = 'soon'"])
def test_what_is_no_recipe_is_refused(text):
    with pytest.raises(OptionError, match="not a recipe"):
        Recipe.from_toml(text)


@pytest.mark.parametrize("write", [" {} ".format, "\ufeff{}\t".format, lambda name: unicodedata.normalize("NFD", name)])
def test_columns_are_asked_for_by_the_names_that_tables_give_them(write):
    name = write("gr\u00f6\u00dfe")
    recipe = Recipe.of(
        name,
        time=name,
        group=name,
        split=name,
        ignore=(name,),
        kind={name: "number"},
        cost_column=(f"fn={name}",),
    )
    frame = from_any({name: [1, 2]})
    one = frame.columns[0]
    assert one == "gr\u00f6\u00dfe"
    assert recipe == Recipe.of(
        one, time=one, group=one, split=one, ignore=(one,), kind={one: "number"}, cost_column=(f"fn={one}",)
    )
    assert Recipe.of("y", split="70/15/15 ").parts == "70/15/15"


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(OptionError, match="no recipe can be read"):
        Recipe.read(tmp_path / "recipe.toml")


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("2m", 120), ("1.5 min", 90), ("1h", 3600), (45, 45), ("20", 20), ("60S", 60)]
)
def test_budgets_as_people_write_them(text, seconds):
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["0", "0s", "-5s", "soon", "", "5 parsecs", "inf", "nan"])
def test_budgets_that_are_none(text):
    with pytest.raises(OptionError, match="--budget"):
        parse_budget(text)


def test_kinds_from_texts_and_mappings():
    assert parse_kinds(["zip=category", "a=b=number"]) == {"zip": "category", "a=b": "number"}
    assert parse_kinds({"zip": "category"}) == {"zip": "category"}
    with pytest.raises(OptionError, match="COLUMN=KIND"):
        parse_kinds(["zip"])


@pytest.mark.parametrize("missing", [None, (), ("",), ("NA", "?")])
def test_names_and_what_means_missing_are_read_back(missing):
    recipe = Recipe.of(3, ignore=(1, ("a", "b")), kind={2: "datetime:%d/%m/%Y"}, time=2, missing=missing)
    assert (recipe.goal.target, recipe.rows.ignore, recipe.rows.time) == ("3", ("1", "a_b"), "2")
    assert (recipe.rows.kind, recipe.rows.missing) == ({"2": "datetime:%d/%m/%Y"}, missing)
    assert Recipe.from_toml(recipe.to_toml()) == recipe
