"""A loaded model is sound: whatever its parts say was looked at, and show, evaluate, decide and predict cannot fail of
it."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from sortal.artifact import check as check_module
from sortal.artifact import model as model_module
from sortal.artifact.card import Data
from sortal.artifact.check import check
from sortal.artifact.model import Model, load
from sortal.artifact.store import load_contents
from sortal.core.costs import CostColumn
from sortal.core.errors import ArtifactError, InputError
from sortal.core.measures import kinds_of
from sortal.core.profile import ColumnProfile
from sortal.core.reliability import Reliability
from sortal.core.schema import Column, Schema
from sortal.core.task import Capacity, Promise
from sortal.decide.certificate import Bound, Certificate, Outlook
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets
from sortal.evaluation import evaluate
from sortal.report import summary

Parts = dict[str, Any]


@pytest.fixture(scope="module")
def full_model(model: Model) -> Model:
    """A model with everything that a file can hold."""
    classes, cost = ("no", "yes"), ((0.0, 1.0), (5.0, 0.0))
    columns = (CostColumn(1, 0, "amount"),)
    bounds = (Bound("precision", 0.8, 0.8, 0.9, True), Bound("recall", 0.8, 0.5, 0.6, False))
    task = replace(model.task, goal="promise", cost=cost, cost_columns=columns, coverage=0.9, promise=Promise(0.8, 0.8))
    return replace(
        model,
        schema=Schema((*model.schema.columns, Column("amount", "number", "cost"))),
        task=task,
        decision=Decision(
            kind="threshold",
            classes=classes,
            positive="yes",
            threshold=0.6,
            cost=cost,
            cost_columns=columns,
            certificate=Certificate("yes", 0.6, 0.95, 1310, 300, 210, bounds, 0.22, outlook=Outlook(4200, 0.8)),
        ),
        sets=Sets("lac", 0.9, (60, 39), (0.3, 0.3), 1.2),
        golden=replace(model.golden, rows=({"age": 30.0, "city": "Ulm", "since": 10**15, "member": True}, {})),
    )


def parts_of(path: Path) -> Parts:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def write(path: Path, parts: Parts) -> None:
    """A model file of these parts, with the sizes and hashes that they have."""
    manifest = json.loads(parts["manifest.json"])
    manifest["members"] = [
        {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in parts.items()
        if name != "manifest.json"
    ]
    with zipfile.ZipFile(path, "w") as file:
        for name, content in {**parts, "manifest.json": json.dumps(manifest).encode()}.items():
            file.writestr(zipfile.ZipInfo(name), content)


def change_part(path: Path, name: str, change: Callable[[Any], Any]) -> None:
    parts = parts_of(path)
    value = json.loads(parts[f"{name}.json"])
    value = change(value) or value
    write(path, {**parts, f"{name}.json": json.dumps(value).encode()})


def put(*keys: Any) -> Callable[[Any], None]:
    """A change: the last of ``keys`` becomes the value at the place that the others name."""

    def change(value: Any) -> None:
        *parents, last, new = keys
        for key in parents:
            value = value[key]
        value[last] = new

    return change


SCORES = {"name": "yes", "kind": "number", "rows": 40, "missing": 0, "distinct": 40, "quantiles": [0.1, 0.9]} | {
    "reached": [2, 40]
}
BAD = [
    ("schema", put("columns", 1, "name", "age"), "two columns have the same name"),
    ("schema", put("columns", 0, "role", "target"), "two columns are the target"),
    ("schema", put("columns", 0, "missing", 1.5), "share of missing values"),
    ("schema", put("columns", 3, "format", "%Y %H"), "no notation"),
    ("schema", put("columns", 3, "format", "%"), "no notation"),
    ("schema", put("columns", 0, "format", "(("), "no notation"),
    ("schema", put("columns", 6, "kind", "category"), "stand in 'amount', which is no column of numbers"),
    ("schema", put("columns", 6, "name", "more"), "stand in 'amount', which is no column of numbers"),
    ("schema", put("columns", 0, "kind", "category"), "'age' is of no feature"),
    ("task", put("classes", ["no"]), "fewer than two"),
    ("task", put("classes", ["no", "no"]), "not all different"),
    ("task", put("prevalence", [1.0]), "no 2 shares"),
    ("task", put("prevalence", [0.9, 0.9]), "do not sum to one"),
    ("task", put("prevalence", [1.5, -0.5]), "no 2 shares"),
    ("task", put("positive", "maybe"), "positive class"),
    ("task", put("positive", None), "positive class"),
    ("task", put("label_type", "int"), "invalid literal"),
    ("task", put("label_type", "bool"), "labels are not all different"),
    ("task", put("cost", [[0, 1]]), "not 2 x 2"),
    ("task", put("cost", [[0, 1e200], [1, 0]]), "range of numbers"),
    ("task", put("cost", None), "there are no costs"),
    ("task", put("cost_columns", []), "other costs than its task"),
    ("task", put("cost_columns", 0, "truth", 7), "a cost is of no class"),
    ("task", put("reject_cost", 0.5), "other costs than its task"),
    ("task", put("beta", 0), "beta"),
    ("task", put("beta", 1e-320), "beta"),
    ("task", put("coverage", 1.0), "coverage"),
    ("task", put("promise", "confidence", 1.0), "promises"),
    ("task", put("promise", "precision", 7), "promises"),
    ("task", put("capacity", {"share": 0.5, "count": -1}), "capacity"),
    ("decision", put("classes", ["yes", "no"]), "other classes"),
    ("decision", put("reject_cost", 0.5), "other costs than its task"),
    ("decision", put("kind", "cost"), "by threshold alone"),
    ("decision", put("cost", [[0, 1e300], [1, 0]]), "range of numbers"),
    ("decision", put("threshold", 0.5), "certifies another decision"),
    ("decision", put("certificate", "selected", 10**9), "certifies no rows"),
    ("decision", put("certificate", "bounds", []), "bounds nothing"),
    ("decision", put("certificate", "bounds", 0, "certified", 2.0), "shares beyond"),
    ("decision", put("certificate", "outlook", "rows", 10**400), "shares beyond"),
    ("sets", put("rows", [-1, 5]), "fitted on no rows"),
    ("sets", lambda sets: sets.update(rows=[1, 1, 1], threshold=[0.1] * 3), "other classes"),
    ("metrics", put("cv", "log_loss", "low", 0.5), "ends before it begins"),
    ("metrics", put("cv", "log_loss", {"value": 0.4, "low": 0.0, "high": 5e-324}), "ends before it begins"),
    ("metrics", put("cv", "log_loss", "high", 1e300), "out of range"),
    ("profile", put("age", "kind", "category"), "is of no feature"),
    ("profile", put("age", "name", "city"), "is of no feature"),
    ("profile", put("age", "missing", 91), "counts no rows"),
    ("profile", put("age", "rows", 10**400), "counts no rows"),
    ("profile", put("age", "quantiles", []), "no quantiles"),
    ("profile", put("age", "quantiles", [18.0, 90.0, 40.0]), "do not ascend"),
    ("profile", put("age", "reached", [2, 41, 82]), "more values than there are"),
    ("profile", put("age", "levels", ["x"]), "no quantiles"),
    ("profile", put("city", "levels", ["Ulm", "Ulm"]), "no levels"),
    ("profile", put("city", "counts", [30, 60]), "not ordered"),
    ("profile", put("city", "counts", [80, 30]), "more values than there are"),
    ("profile", put("city", "others", -1), "more values than there are"),
    ("scores", lambda scores: scores.update(yes=SCORES | {"kind": "category"}), "is of no feature"),
    ("scores", lambda scores: scores.update(maybe=SCORES | {"name": "maybe"}), "is of no feature"),
    ("scores", lambda scores: scores.update(yes=SCORES | {"quantiles": [0.9, 0.1]}), "do not ascend"),
    ("card", put("seed", -1), "seed"),
    ("card", put("seed", "x"), "card.json does not fit"),
    ("card", put("data", None), "card.json does not fit"),
    ("card", lambda card: card.pop("chosen") and None, "card.json does not fit"),
    ("card", put("checklist", 0, "status", "perhaps"), "card.json does not fit"),
    ("card", put("details", "more", json.loads("[" * 100 + "]" * 100)), "nested deeper"),
    ("card", put("details", "more", [0] * 500_001), "more than 500,000 values"),
    ("golden", put("rows", [{}] * 40), "40 golden rows"),
    ("golden", put("rows", 0, "age", "x"), "no value for 'age'"),
    ("golden", put("rows", 0, "age", 1e300), "no value for 'age'"),
    ("golden", put("rows", 0, "since", 2**63), "no value for 'since'"),
    ("golden", put("rows", 0, "since", 0.5), "no value for 'since'"),
    ("golden", put("rows", 0, "more", 1), "no value for 'more'"),
    ("golden", put("probability", 0, [0.5]), "no 2 probabilities"),
    ("golden", put("probability", 0, [1.5, -0.5]), "beyond 0..1"),
    ("golden", put("probability", 0, [0.5, 0.5]), "golden rows otherwise"),
    ("program", put("steps", 1, "settings", {"x": {"y": 1}}), "program.json does not fit"),
    ("manifest", put("sortal", "\x1b[31m"), "which is no version"),
    ("manifest", put("sortal", "1" * 100), "which is no version"),
]


@pytest.mark.parametrize(("name", "change", "message"), BAD, ids=range(len(BAD)))
def test_values_that_do_not_fit_are_refused_when_they_are_loaded(full_model, tmp_path, name, change, message):
    full_model.save(tmp_path / "m.sortal")
    load(tmp_path / "m.sortal")
    change_part(tmp_path / "m.sortal", name, change)
    with pytest.raises(ArtifactError, match=message) as error:
        load(tmp_path / "m.sortal")
    assert str(error.value).startswith("m.sortal")
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("capacity", [Capacity(1.5), Capacity(0.5, -1)])
def test_a_capacity_that_is_none(full_model, capacity):
    with pytest.raises(ValueError, match="capacity"):
        check(replace(full_model, task=replace(full_model.task, capacity=capacity)))


def test_what_could_not_be_loaded_is_not_saved(full_model, tmp_path):
    with pytest.raises(ValueError, match="beta"):
        replace(full_model, task=replace(full_model.task, beta=-1)).save(tmp_path / "m.sortal")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "error",
    [RecursionError("deep"), MemoryError(), OverflowError("large"), KeyError("x"), StopIteration(), OSError("disk")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("place", ["load_contents", "check", "Model"])
def test_whatever_goes_wrong_is_the_files_fault_in_one_sentence(model, tmp_path, monkeypatch, place, error):
    model.save(tmp_path / "m.sortal")

    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(model_module, place, fail)
    with pytest.raises(ArtifactError, match=r"^m\.sortal holds a model that does not fit together: .+"):
        load(tmp_path / "m.sortal")


VALUES = st.sampled_from(
    [
        *(
            None,
            True,
            0,
            -1,
            2,
            0.5,
            1e-320,
            1e308,
            -1e308,
            2**53 + 1,
            2**64,
            10**30,
            "",
            "no",
            "age",
            "%Q",
            "\x1b",
            "x" * 999,
        ),
        *([], {}, [1], ["a", "a"], [[]], {"a": 1}, [0.5, 0.5]),
    ]
)


def key_paths(value: Any, keys: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [keys, *(inner for key, item in inside for inner in key_paths(item, (*keys, key)))]


@pytest.fixture(scope="module")
def saved_model(full_model: Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Parts]:
    path = tmp_path_factory.mktemp("rich") / "m.sortal"
    full_model.save(path)
    return path, parts_of(path)


@settings(max_examples=250)
@given(data=st.data())
def test_a_model_that_loads_can_be_shown_and_evaluated_and_scores(saved_model, data):
    path, parts = saved_model
    name = data.draw(st.sampled_from([n for n in parts if n.endswith(".json") and n != "manifest.json"]))
    value = json.loads(parts[name])
    keys = data.draw(st.sampled_from(key_paths(value)[1:] or [()]))
    if keys:
        put(*keys, data.draw(VALUES))(value)
    write(path, {**parts, name: json.dumps(value).encode()})
    try:
        model = load(path)
    except ArtifactError:
        return
    use(model, path)


ROWS = {
    "age": [30.0, None, 3.3e38, -3.3e38],
    "city": ["Ulm", None, "x", ""],
    "member": ["yes", "no", None, "yes"],
    "since": ["2021-03-05", None, "1999-12-31", "2020-02-29"],
    "amount": [1.0, 2.0, 3.0, 4.0],
    "y": ["no", "yes", "no", "yes"],
}


def use(model: Model, path: Path) -> None:
    """Everything that is done with a model. Rows may be refused."""
    console = Console(file=io.StringIO(), width=100)
    summary.model(console, model, path.name)
    assert summary.as_json(model)
    assert repr(model)
    frame = pl.DataFrame(ROWS)
    frame.write_csv(path.with_suffix(".csv"))
    for call in (model.predict, model.decide, model.predict_set, model.compare, model.odd_values):
        try:
            call(frame, allow_missing=True)
        except InputError:
            continue
    try:
        evaluation = evaluate(path, [str(path.with_suffix(".csv"))], allow_missing=True)
    except InputError:
        return
    summary.evaluation(console, evaluation)
    assert evaluation.to_json()
    assert np.isfinite(model.predict_proba(frame, allow_missing=True)).all()


def test_data_without_a_hash_is_shown(full_model, tmp_path):
    card = replace(full_model.card, data=Data("the data", 9, 7))
    replace(full_model, card=card).save(tmp_path / "m.sortal")
    console = Console(file=io.StringIO(), width=100)
    summary.model(console, load(tmp_path / "m.sortal"), "m.sortal")
    assert "the data, 9 rows; seed 0" in console.file.getvalue()


def test_a_model_without_a_target_is_not_evaluated(full_model, tmp_path):
    path = tmp_path / "m.sortal"
    columns = tuple(column for column in full_model.schema.columns if column.role != "target")
    replace(full_model, schema=Schema(columns)).save(path)
    pl.DataFrame(ROWS).write_csv(tmp_path / "rows.csv")
    with pytest.raises(InputError, match="does not know the column of 'y'"):
        evaluate(path, [str(tmp_path / "rows.csv")])


def test_a_model_without_figures_is_evaluated_all_the_same(full_model, tmp_path):
    path = tmp_path / "m.sortal"
    replace(full_model, metrics={}, card=None).save(path)
    use(load(path), path)
    assert load_contents(path).metrics == {}


@pytest.mark.clock
def test_columns_are_checked_in_time_by_their_number(full_model: Model, tmp_path: Path) -> None:
    full_model.save(tmp_path / "m.sortal")
    contents = load_contents(tmp_path / "m.sortal")

    def seconds(columns: int) -> float:
        one = contents.profile["age"]
        names = [f"n{i}" for i in range(columns)]
        schema = Schema((*contents.schema.columns, *(Column(name, "number") for name in names)))
        wide = replace(contents, schema=schema, profile={name: replace(one, name=name) for name in names})
        times = []
        for _ in range(3):
            start = time.process_time()
            check(wide)
            times.append(time.process_time() - start)
        return min(times)

    # By the square it would be 64 times; the others are in proportion.
    assert seconds(8_000) < 24 * seconds(1_000)


RELIABILITY = Reliability((0.2, 0.5), (10, 20, 10), (1.0, 7.0, 8.0), (0, 9, 10), 0.1)


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"edges": (), "rows": (10,), "said": (1.0,), "came": (0,)}, True),
        ({"edges": (0.0, 1.0)}, True),
        ({"edges": (-0.1, 0.5)}, False),
        ({"edges": (0.2, 1.1)}, False),
        ({"edges": (0.5, 0.2)}, False),
        ({"edges": (0.2,)}, False),
        ({"rows": (10, 20)}, False),
        ({"said": (1.0, 7.0)}, False),
        ({"came": (0, 9)}, False),
        ({"rows": (1, 20, 10)}, True),
        ({"rows": (0, 20, 10)}, False),
        ({"said": (0.0, 20.0, 8.0)}, True),
        ({"said": (-0.1, 7.0, 8.0)}, False),
        ({"said": (1.0, 20.1, 8.0)}, False),
        ({"came": (10, 20, 0)}, True),
        ({"came": (0, 21, 10)}, False),
        ({"came": (-1, 9, 10)}, False),
        ({"wander": 0.0}, True),
        ({"wander": 1.0}, True),
        ({"wander": 1.01}, False),
        ({"wander": -0.01}, False),
    ],
)
def test_how_far_probabilities_can_be_believed_fits_together(model: Model, changes: Parts, fits: bool) -> None:
    reliability = replace(RELIABILITY, **changes)
    if fits:
        check_module._check_reliability({"yes": reliability}, model.task)
    else:
        with pytest.raises(ValueError, match=r"^the reliability of 'yes' does not fit together$"):
            check(replace(model, reliability={"yes": reliability}))


def test_it_is_of_the_positive_class_or_of_all(model: Model) -> None:
    for classes in (("no",), ("no", "yes"), ("other",)):
        with pytest.raises(ValueError, match=r"^the reliability is of other classes than the task$"):
            check(replace(model, reliability=dict.fromkeys(classes, RELIABILITY)))
    three: Any = SimpleNamespace(classes=("a", "b", "c"), binary=False)
    check_module._check_reliability(dict.fromkeys("abc", RELIABILITY), three)
    for names in ("bc", "acb", "a"):
        with pytest.raises(ValueError, match="is of other classes"):
            check_module._check_reliability(dict.fromkeys(names, RELIABILITY), three)


OTHER_HALF = "counts other rows in half of them than in all"
NUMBER = ColumnProfile("x", "number", 90, 9, 60, quantiles=(1.0, 4.0), reached=(2, 81), ends=(1.0, 9.0))
LEVELS = ColumnProfile("x", "category", 90, 9, 3, levels=("b", "a"), counts=(50, 30), others=1)
MEASURES = tuple(
    replace(NUMBER if kind == "number" else LEVELS, measure=name) for name, kind in kinds_of("text").items()
)
TEXT = ColumnProfile("x", "text", 90, 9, 81, levels=("word", "other"), counts=(81, 81), measures=MEASURES)


@pytest.mark.parametrize(
    ("profile", "fault"),
    [
        (NUMBER, None),
        (LEVELS, None),
        (TEXT, None),
        (replace(NUMBER, name="z"), "is of no feature"),
        (replace(NUMBER, kind="datetime"), "is of no feature"),
        (replace(NUMBER, missing=91), "counts no rows"),
        (replace(NUMBER, distinct=91), "counts no rows"),
        (replace(NUMBER, rows=-1), "counts no rows"),
        (replace(NUMBER, barely=82), "counts more values than there are"),
        (replace(NUMBER, reached=(2, 82)), "counts more values than there are"),
        (replace(NUMBER, reached=(2,)), "has no quantiles"),
        (replace(NUMBER, ends=(1.0,)), "has no quantiles"),
        (replace(NUMBER, ends=()), None),
        (replace(NUMBER, levels=("a",)), "has no quantiles"),
        (replace(NUMBER, quantiles=(4.0, 1.0)), "has quantiles that do not ascend"),
        (replace(NUMBER, reached=(81, 2)), "has quantiles that do not ascend"),
        (replace(NUMBER, ends=(9.0, 1.0)), "has ends that do not ascend"),
        (replace(NUMBER, ends=(1.0, 1e39)), "is out of range"),
        (replace(LEVELS, counts=(50,)), "has no levels"),
        (replace(LEVELS, levels=("a", "a")), "has no levels"),
        (replace(LEVELS, ends=(0.0, 1.0)), "has no levels"),
        (replace(LEVELS, counts=(30, 50)), "has levels that are not ordered by their counts"),
        (replace(LEVELS, counts=(50, 31), others=0), None),
        (replace(LEVELS, half_levels=("a", "b"), half_counts=(20, 20), half_missing=5), None),
        (replace(LEVELS, half_levels=("a", "b"), half_counts=(20,)), OTHER_HALF),
        (replace(LEVELS, half_levels=("a", "a"), half_counts=(2, 2)), OTHER_HALF),
        (replace(LEVELS, half_levels=("a", "b"), half_counts=(23, 23)), OTHER_HALF),
        (replace(LEVELS, half_levels=("a",), half_counts=(-1,)), OTHER_HALF),
        (replace(LEVELS, half_levels=("a",), half_counts=(40,), half_missing=6), OTHER_HALF),
        (replace(LEVELS, missing=2, half_missing=3, others=0), OTHER_HALF),
        (replace(LEVELS, counts=(50, 31)), "counts more values than there are"),
        (replace(TEXT, others=1), "counts more values than there are"),  # a text has more than one word
        (replace(TEXT, measures=MEASURES[:2]), "measures something else than its kind does"),
        (replace(TEXT, measures=MEASURES[::-1]), "measures something else than its kind does"),
        (replace(TEXT, rows=89), "measures other rows"),
        (replace(TEXT, measures=(replace(MEASURES[0], name="z"), *MEASURES[1:])), "is of no feature"),
        (replace(TEXT, measures=(replace(MEASURES[0], ends=(9.0, 1.0)), *MEASURES[1:])), "has ends that do not ascend"),
    ],
)
def test_what_training_looked_like_fits_together(profile: ColumnProfile, fault: str | None) -> None:
    kinds = {"x": profile.kind if profile.kind != "datetime" else "number"}
    if fault is None:
        check_module._check_profile("x", profile, kinds)
    else:
        with pytest.raises(ValueError, match=f"^the profile of 'x' {fault}$"):
            check_module._check_profile("x", profile, kinds)
