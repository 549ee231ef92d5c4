"""What is said of a field is true: so much less probable would the class be with other values there."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sortal.artifact.card import Card, Data
from sortal.artifact.model import Model
from sortal.core.image_patches import GRID
from sortal.core.images import sample_image

PHOTO = b64encode(sample_image(0)).decode()
ROW = {"age": 90, "city": "Bonn", "member": True, "note": "good and bad", "photo": PHOTO}


def odds(p: float) -> float:
    return float(np.log(p / (1 - p)))


def explained(answer: Any) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    return {each["field"]: each for each in answer.json["effects"]}


def test_an_effect_is_the_mean_over_usual_values_or_that_of_a_missing_one(ask: Any) -> None:
    said = ask("POST", "/v1/explain", {"row": ROW, "label": "yes"})
    found = explained(said)
    assert set(found) == {"age", "city", "member", "since", "note", "photo"}

    def of(**change: Any) -> float:
        row = ask("POST", "/v1/predict", {"row": {**ROW, **change}}).json["predictions"][0]
        return odds(row["probabilities"]["yes"])

    assert of() == pytest.approx(odds(said.json["probability"]))
    assert found["member"] == {"field": "member", "method": "missing", "effect": pytest.approx(of() - of(member=None))}
    usual = (60 * of(city="Bonn") + 30 * of(city="Ulm")) / 90
    assert found["city"]["effect"] == pytest.approx(of() - usual)
    assert found["age"]["method"] == "usual values"
    assert found["age"]["effect"] > 0 > found["since"]["effect"] - 1
    strongest = [abs(each["effect"]) for each in said.json["effects"]]
    assert strongest == sorted(strongest, reverse=True)


def test_words_and_parts_are_said_where_they_stand(ask: Any) -> None:
    found = explained(ask("POST", "/v1/explain", {"row": ROW, "label": "yes"}))
    words = {ROW["note"][each["begin"] : each["end"]]: each["effect"] for each in found["note"]["words"]}
    assert words["good"] * words["bad"] < 0
    assert words["and"] == pytest.approx(0)
    assert np.shape(found["photo"]["parts"]) == (GRID, GRID)
    assert "words" not in found["age"]


def test_the_most_probable_class_is_explained_unless_told(ask: Any) -> None:
    first = ask("POST", "/v1/explain", {"row": ROW}).json
    other = ask("POST", "/v1/explain", {"row": ROW, "label": "no"}).json
    assert (first["label"], other["label"]) == ("yes", "no")
    assert first["probability"] + other["probability"] == pytest.approx(1)
    assert explained_by(first)["city"] == pytest.approx(-explained_by(other)["city"])


def explained_by(said: Any) -> dict[str, float]:
    return {each["field"]: each["effect"] for each in said["effects"]}


def test_what_cannot_be_explained_is_refused(ask: Any) -> None:
    assert ask("POST", "/v1/explain", {"row": {"age": "x"}}).status == 422
    assert ask("POST", "/v1/explain", {"row": ROW, "label": "maybe"}).json["errors"][0]["code"] == "unknown-class"
    assert ask("POST", "/v1/explain", b'{"row": {"age": 1, "age": 2}}').status == 400
    assert ask("POST", "/v1/explain", {"rows": [ROW]}).status == 422


def test_of_many_fields_the_first_are_explained(model: Model, asking: Any, monkeypatch: Any) -> None:
    card = Card(seed=0, data=Data("x", 1, 1), chosen="logistic", by_importance=("since", "city"))
    monkeypatch.setattr("sortal.serve.explain.MOST_FIELDS", 2)
    said = asking(replace(model, card=card))("POST", "/v1/explain", {"row": ROW}).json
    assert {each["field"] for each in said["effects"]} == {"since", "city"}
    assert set(said["unexplained"]) == {"age", "member", "note", "photo"}
