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


def effects_of(answer: Any) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    return {effect["field"]: effect for effect in answer.json["effects"]}


def test_an_effect_is_the_mean_over_usual_values_or_that_of_a_missing_one(ask: Any) -> None:
    answer = ask("POST", "/v1/explain", {"row": ROW, "label": "yes"})
    effects = effects_of(answer)
    assert set(effects) == {"age", "city", "member", "since", "note", "photo"}

    def odds_of(**change: Any) -> float:
        row = ask("POST", "/v1/predict", {"row": {**ROW, **change}}).json["predictions"][0]
        return odds(row["probabilities"]["yes"])

    assert odds_of() == pytest.approx(odds(answer.json["probability"]))
    assert effects["member"] == {
        "field": "member",
        "method": "missing",
        "effect": pytest.approx(odds_of() - odds_of(member=None)),
    }
    mean_odds = (60 * odds_of(city="Bonn") + 30 * odds_of(city="Ulm")) / 90
    assert effects["city"]["effect"] == pytest.approx(odds_of() - mean_odds)
    assert effects["age"]["method"] == "usual values"
    assert effects["age"]["effect"] > 0 > effects["since"]["effect"] - 1
    strongest = [abs(effect["effect"]) for effect in answer.json["effects"]]
    assert strongest == sorted(strongest, reverse=True)


def test_words_and_parts_are_said_where_they_stand(ask: Any) -> None:
    effects = effects_of(ask("POST", "/v1/explain", {"row": ROW, "label": "yes"}))
    words = {ROW["note"][word["begin"] : word["end"]]: word["effect"] for word in effects["note"]["words"]}
    assert words["good"] * words["bad"] < 0
    assert words["and"] == pytest.approx(0)
    assert np.shape(effects["photo"]["parts"]) == (GRID, GRID)
    assert "words" not in effects["age"]


def test_the_most_probable_class_is_explained_unless_told(ask: Any) -> None:
    first = ask("POST", "/v1/explain", {"row": ROW}).json
    other = ask("POST", "/v1/explain", {"row": ROW, "label": "no"}).json
    assert (first["label"], other["label"]) == ("yes", "no")
    assert first["probability"] + other["probability"] == pytest.approx(1)
    assert effect_by_field(first)["city"] == pytest.approx(-effect_by_field(other)["city"])


def effect_by_field(body: Any) -> dict[str, float]:
    return {effect["field"]: effect["effect"] for effect in body["effects"]}


def test_what_cannot_be_explained_is_refused(ask: Any) -> None:
    assert ask("POST", "/v1/explain", {"row": {"age": "x"}}).status == 422
    assert ask("POST", "/v1/explain", {"row": ROW, "label": "maybe"}).json["errors"][0]["code"] == "unknown-class"
    assert ask("POST", "/v1/explain", b'{"row": {"age": 1, "age": 2}}').status == 400
    assert ask("POST", "/v1/explain", {"rows": [ROW]}).status == 422


def test_of_many_fields_the_first_are_explained(model: Model, client_of: Any, monkeypatch: Any) -> None:
    card = Card(seed=0, data=Data("x", 1, 1), chosen="logistic", by_importance=("since", "city"))
    monkeypatch.setattr("sortal.serve.explain.MOST_FIELDS", 2)
    body = client_of(replace(model, card=card))("POST", "/v1/explain", {"row": ROW}).json
    assert {effect["field"] for effect in body["effects"]} == {"since", "city"}
    assert set(body["unexplained"]) == {"age", "member", "note", "photo"}
