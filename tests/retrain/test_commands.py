"""``sortal promote`` and ``retrain`` on logs as they may be."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sortal.artifact.sign import signature_of
from sortal.retrain.gate import Losses, Terms, gate
from sortal.retrain.registry import Registry
from sortal.serve.log.address import open_store
from sortal.serve.log.records import LabelRecord, PredictionRecord
from tests.conftest import Sortal
from tests.serve.process import ROW, a_model


@pytest.fixture
def models(tmp_path: Path, sortal: Sortal) -> Path:
    """A champion that expects many to leave."""
    folder = tmp_path / "models"
    assert sortal("registry", folder, "--add", run(tmp_path / "first", -1.0)).code == 0
    return folder


def run(folder: Path, intercept: float) -> Path:
    """What a registry needs of a run."""
    folder.mkdir()
    a_model(intercept=intercept).save(folder / "model.sortal")
    (folder / "recipe.toml").write_text('target = "Churn"\nmodels = ["tree"]\n')
    return folder


def log_of_answers(folder: Path, models: Path, ids: Sequence[str], hidden_columns: tuple[str, ...] = ()) -> str:
    """The address of a log in which the champion was asked about these rows, all of whom have stayed."""
    url, version = f"sqlite:///{folder}/served.db", Registry(models).aliases.champion
    (p_no, p_yes) = Registry(models).model(version).model.predict_proba(ROW)[0].tolist()
    inputs = {name: value for name, value in ROW.items() if name not in hidden_columns}
    store, now = open_store(url), time.time()
    store.add_predictions(
        [
            PredictionRecord(
                row_id, now, version, "champion", inputs, "Yes", (p_no, p_yes), "Yes", None, (), 0.001, hidden_columns
            )
            for row_id in ids
        ]
    )
    store.add_labels([LabelRecord(row_id, "No", now) for row_id in ids])
    store.close()
    return url


def test_a_challenger_that_waits_is_judged_again_with_more_labels(tmp_path: Path, models: Path, sortal: Sortal) -> None:
    url = log_of_answers(tmp_path, models, [f"before {at}" for at in range(100)])
    assert sortal("promote", models, "--log", url).code == 2
    assert sortal("registry", models, "--add", run(tmp_path / "second", -2.0)).code == 0
    none = sortal("promote", models, "--log", url, "--json")
    assert (none.code, none.json["verdict"]["rows"]) == (3, 0)
    log_of_answers(tmp_path, models, [f"few {at}" for at in range(10)])
    few = sortal("promote", models, "--log", url)
    assert (few.code, few.err) == (3, "")
    assert "  x G101 may be better, and may be luck: log-loss" in few.out
    assert "waits as challenger" in few.out
    log_of_answers(tmp_path, models, [f"more {at}" for at in range(100)])
    more = sortal("promote", models, "--log", url, "--why", "labels came")
    assert more.code == 0
    assert "gate       110 labelled rows" in more.out
    assert "PROMOTED" in more.out
    assert [event.what for event in Registry(models).events()] == ["added", "added", *["refused"] * 2, "promoted"]


def test_one_of_two_challengers_keeps_its_share_of_the_doubt(tmp_path: Path, models: Path, sortal: Sortal) -> None:
    url = log_of_answers(tmp_path, models, ["1"])
    assert sortal("registry", models, "--add", run(tmp_path / "second", -2.0)).code == 0
    one_of_two = gate(Losses("errors", np.ones(3), np.zeros(3)), terms=Terms(doubt=0.025))
    Registry(models).refuse(one_of_two, "")
    for doubt, n_needed in ((0.05, 40), (0.01, 100), (0.5, 100)):
        result = sortal("promote", models, "--log", url, "--doubt", doubt, "--json")
        assert result.json["verdict"]["needed"] == pytest.approx(n_needed)


def test_where_the_champion_is_signed_a_challenger_has_to_be(tmp_path: Path, models: Path, sortal: Sortal) -> None:
    url = log_of_answers(tmp_path, models, ["1", "2"])
    assert sortal("registry", models, "--add", run(tmp_path / "second", -2.0)).code == 0
    registry = Registry(models)
    signature_of(registry.file(registry.aliases.champion)).write_text("a signature")
    for command, remedy in (("retrain", "sortal retrain --sign KEY"), ("promote", "sortal sign FILE --key KEY")):
        refusal = sortal(command, models, "--log", url)
        assert (refusal.code, remedy in refusal.err) == (2, True)
    signature_of(registry.file(registry.challenger)).write_text("a signature")
    assert sortal("promote", models, "--log", url).code == 3


def test_what_cannot_be_retrained_on_is_a_sentence(tmp_path: Path, models: Path, sortal: Sortal) -> None:
    url = log_of_answers(tmp_path, models, [str(at) for at in range(5)], hidden_columns=("tenure",))
    result = sortal("retrain", models, "--log", url)
    assert result.code == 2
    assert result.err.startswith(
        "sortal: the log has no labelled row that can be used; 5 labelled rows cannot be used: "
    )
    assert "'tenure' out of the log (--redact)" in result.err
    one_moment = log_of_answers(tmp_path, models, [f"{at}" for at in range(5, 9)])
    assert "all labelled rows of the log came at one moment" in sortal("retrain", models, "--log", one_moment).err
    for options, sentence in (
        (["--rows", "some"], "is none of all, fresh, both"),
        (["--rows", "all"], "name what the champion was trained on"),
    ):
        refusal = sortal("retrain", models, "--log", url, *options)
        assert (refusal.code, sentence in refusal.err) == (2, True)
    assert sortal("retrain", tmp_path / "none", "--log", url).code == 2
    assert not (tmp_path / "none").exists()
