"""run.json: the contract, its schema and the way there and back."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from sortal.artifact import card, model
from sortal.checks import audit
from sortal.checks.audit import Finding
from sortal.core import costs, interval, skipped, task
from sortal.core.errors import DataError
from sortal.core.interval import Estimate, Interval
from sortal.decide import calibrate, certificate
from sortal.evaluate import figures, slices, verification
from sortal.record import parts, run
from sortal.record.parts import Spread
from sortal.record.run import PROTOCOL, Outcome, RunRecord
from sortal.record.schema import schema

# As DESIGN.md lists them.
KEYS = {
    "protocol": [],
    "sortal_version": [],
    "seed": [],
    "data": [],
    "task": [],
    "audit": ["code", "severity", "column", "message", "evidence"],
    "audit_skipped": ["code", "title", "reason", "blind"],
    "split": ["method", "train", "valid", "test"],
    "baselines": [],
    "leaderboard": [
        *("name", "family", "metric", "mean", "std", "score"),
        *("fit_seconds", "program_microseconds", "selected"),
    ],
    "selection": ["corrected", "bias", "runner_up"],
    "calibration": ["method", "log_loss_before", "log_loss_after"],
    "decision": ["kind", "positive", "threshold", "expected_cost", "certificate"],
    "test": ["value", "low", "high"],
    "verification": ["rows", "absent", "undecided", "rejected", "rivals", "promises", "warnings", "notes"],
    "confusion": [],
    "per_class": [],
    "timing": ["budget_seconds", "wall_seconds", "phases", "skipped"],
    "ledger": ["opens"],
    "checklist": ["item", "status", "evidence"],
}


def committed_schema() -> dict[str, Any]:
    return json.loads(files("sortal.record").joinpath("run.schema.json").read_text(encoding="utf-8"))


def validate(content: bytes) -> None:
    Draft202012Validator(committed_schema()).validate(json.loads(content))


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_the_contract_is_there(binary: Any, key: str) -> None:
    document = json.loads(binary.record.to_json())
    values = list(document["test"].values()) if key == "test" else document[key]
    for entry in values if isinstance(values, list) else [values]:
        assert not KEYS[key] or set(KEYS[key]) <= set(entry)


def test_protocol_is_written(binary: Any) -> None:
    assert json.loads(binary.record.to_json())["protocol"] == PROTOCOL == 1


def test_full_examples_follow_the_schema(binary: Any, many: Any) -> None:
    Draft202012Validator.check_schema(committed_schema())
    for example in (binary, many):
        validate(example.record.to_json())


def without_descriptions(schema: Any) -> Any:
    """Without descriptions, which are docstrings."""
    if isinstance(schema, dict):
        return {k: without_descriptions(v) for k, v in schema.items() if k != "description" or not isinstance(v, str)}
    return [without_descriptions(v) for v in schema] if isinstance(schema, list) else schema


def test_committed_schema_is_that_of_the_dataclasses() -> None:
    expected = without_descriptions(json.loads(json.dumps(schema())))
    assert without_descriptions(committed_schema()) == expected, (
        "write schema() to run.schema.json; a changed key: PROTOCOL"
    )


def test_schema_and_dataclasses_have_the_same_fields() -> None:
    rooms = (
        run,
        parts,
        calibrate,
        card,
        task,
        costs,
        certificate,
        audit,
        model,
        figures,
        slices,
        verification,
        interval,
        skipped,
    )
    for name, definition in committed_schema()["$defs"].items():
        kind = next(getattr(room, name) for room in rooms if hasattr(room, name))
        assert list(definition["required"]) == list(definition["properties"])
        assert set(definition["properties"]) == {field.name for field in fields(kind)}
        assert definition["additionalProperties"] is False
        assert definition["description"]


@pytest.mark.parametrize("key", KEYS)
def test_schema_refuses_a_missing_key(binary: Any, key: str) -> None:
    document = json.loads(binary.record.to_json())
    del document[key]
    with pytest.raises(ValidationError, match=key):
        validate(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("extra",), 1),
        (("split", "extra"), 1),
        (("seed",), "0"),
        (("protocol",), 2),
        (("audit", 0, "severity"), "bad"),
    ],
)
def test_schema_refuses_what_does_not_belong(binary: Any, path: tuple[Any, ...], value: object) -> None:
    document = json.loads(binary.record.to_json())
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValidationError):
        validate(json.dumps(document).encode())


def test_there_and_back(binary: Any, many: Any) -> None:
    for example in (binary, many):
        assert RunRecord.from_json(example.record.to_json()) == example.record


numbers = st.none() | st.floats()
scalars = st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@settings(max_examples=40)
@given(numbers, numbers, numbers, st.dictionaries(st.text(), scalars, max_size=3), st.text())
def test_any_figures_are_written_and_read(
    binary: Any,
    value: float | None,
    low: float | None,
    high: float | None,
    evidence: dict[str, Any],
    text: str,
) -> None:
    finding = Finding("A999", "note", text, text, evidence)
    original = replace(binary.record, test={text: Estimate(value, low, high)}, audit=(finding,))
    content = original.to_json()
    validate(content)
    record = RunRecord.from_json(content)
    assert record.test is not None
    assert record.test[text] == Estimate(*(x if x is not None and np.isfinite(x) else None for x in (value, low, high)))
    assert record.audit == (finding,)


def test_numpy_values_become_plain_ones(binary: Any) -> None:
    row = replace(
        binary.record.leaderboard[0],
        mean=np.float64(0.5),
        std=np.float32(0.25),
        metrics={"a": Spread(np.nan)},
    )
    evidence = {"n": np.int64(3), "shares": np.array([0.5, np.inf])}
    record = replace(binary.record, leaderboard=(row,), audit=(Finding("A1", "note", None, "", evidence),))
    content = record.to_json()
    validate(content)
    document = json.loads(content)
    assert document["leaderboard"][0]["mean"] == 0.5
    assert document["leaderboard"][0]["std"] == 0.25
    assert document["leaderboard"][0]["metrics"]["a"]["mean"] is None
    assert document["audit"][0]["evidence"] == {"n": 3, "shares": [0.5, None]}


def test_what_cannot_be_written_is_refused(binary: Any) -> None:
    record = replace(binary.record, audit=(Finding("A1", "note", None, "", {"thing": object()}),))
    with pytest.raises(NotImplementedError, match="no place in"):
        record.to_json()


def test_same_record_same_bytes(binary: Any) -> None:
    assert binary.record.to_json() == RunRecord.from_json(binary.record.to_json()).to_json()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a run.json"),
        (b"[]", "not a run.json"),
        (b'{"protocol": 9}', "protocol 9"),
        (b'{"protocol": 1}', "schema"),
    ],
)
def test_foreign_content_is_refused_in_one_sentence(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        RunRecord.from_json(content)


def test_estimates_come_from_intervals() -> None:
    assert Estimate.of(Interval(0.5, 0.4, 0.6)) == Estimate(0.5, 0.4, 0.6)
    assert str(Estimate.of(Interval(0.945, 0.939, 0.951))) == str(Interval(0.945, 0.939, 0.951))
    assert str(Estimate(0.5)) == ".500"
    assert str(Estimate(None)) == "–"


def test_the_chosen_row(binary: Any) -> None:
    row = binary.record.chosen
    assert row is not None
    assert row.name == "catboost"
    assert replace(binary.record, leaderboard=()).chosen is None


def test_a_record_is_its_outcome_with_what_became_of_it(binary: Any) -> None:
    record = binary.record
    outcome = Outcome(**{field.name: getattr(record, field.name) for field in fields(Outcome)})
    assert RunRecord.of(outcome, record.timing, record.artifact, record.checklist) == record
    assert record.chosen is record.leaderboard[1]
    assert replace(record, leaderboard=record.leaderboard[2:]).chosen is None
