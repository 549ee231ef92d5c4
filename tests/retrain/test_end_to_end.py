"""The whole loop through the commands: train on the early part, serve, replay with late labels, alarm, retrain, promote,
the service answers with the new model, and back. ``bench loop`` does the same with a real table.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bench._loop import replay, wait_for_rows, with_ids
from sortal.cli import main
from sortal.monitor import watch
from sortal.retrain.registry import Registry
from tests.conftest import UNHURRIED, Sortal
from tests.serve.log.conftest import postgres, postgres_url, url
from tests.serve.process import serving
from tests.serve.test_swap import keys

__all__ = ["postgres", "postgres_url", "url"]
pytestmark = pytest.mark.usefixtures("all_hurried")
TOKEN = "0123456789abcdef"


def table(n: int, seed: int, is_reversed: bool) -> pl.DataFrame:
    """Prices that go up; from the turn on those of the other plan do. Half of the columns are numbers in a file."""
    rng = np.random.default_rng(seed)
    demand, plan = rng.normal(size=n).round(3), rng.choice(["basic", "pro"], size=n)
    up = (demand > 0) ^ is_reversed ^ (rng.random(n) < 0.1)
    return pl.DataFrame(
        {"demand": demand, "plan": plan, "member": rng.random(n) < 0.5, "went": np.where(up, "up", "down")}
    )


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("early") / "early.csv"
    table(500, 0, is_reversed=False).write_csv(path)
    return path


@pytest.fixture(scope="module")
def champion(early: Path, tmp_path_factory: pytest.TempPathFactory, all_hurried: None) -> Path:
    """A run on the early part."""
    folder = tmp_path_factory.mktemp("runs") / "early"
    main(
        [
            "train",
            str(early),
            "--target",
            "went",
            "--models",
            "tree",
            "--budget",
            UNHURRIED,
            "--out",
            str(folder),
            "--json",
        ]
    )
    return folder


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_loop_is_closed(
    tmp_path: Path, early: Path, champion: Path, url: str, sortal: Sortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cryptography")
    monkeypatch.setattr(watch, "SETTLE_SECONDS", 0.0)  # all rows are known to be in the log
    models, token, (key, public) = tmp_path / "models", tmp_path / "token", keys(tmp_path)
    token.write_text(TOKEN)
    token.chmod(0o600)
    shutil.copytree(champion, tmp_path / "run")
    assert sortal("sign", tmp_path / "run" / "model.sortal", "--key", key).code == 0
    assert sortal("registry", models, "--add", tmp_path / "run").code == 0
    model_path = models / "champion.sortal"
    later = with_ids(table(600, 1, is_reversed=True))
    later[["id", "went"]].write_csv(tmp_path / "labels.csv")
    with serving(model_path, "--log", url, "--token-file", token, "--verify", public, token=TOKEN) as service:
        first = sha256(model_path)
        assert set(replay(service, later, "went")) == {200}
        wait_for_rows(url, later.height)
        label_report = sortal(
            "label", url, tmp_path / "labels.csv", "--label", "went", "--model", model_path, "--json"
        ).json
        assert (label_report["new"], label_report["unmatched"]) == (later.height, 0)
        watch_result = sortal(
            "monitor", model_path, "--verify", public, "--log", url, "--state", tmp_path / "state.json", "--json"
        )
        assert watch_result.code == 3
        assert "errors" in [alarm["what"] for alarm in watch_result.json["alarms"]]

        options = ("--data", early, "--log", url, "--why", "errors are up", "--json")
        assert "a service with --verify takes no other model" in sortal("retrain", models, *options).err
        result = sortal("retrain", models, *options, "--sign", key)
        assert result.code == 0, result.err
        assert (result.json["used"], result.json["fresh"]) == ("fresh", 300)
        assert result.json["chosen"] in ("tree", "ensemble")
        assert result.json["notes"][0].startswith("from all rows (")
        assert result.json["verdict"]["rows"] == 300
        assert [(r["code"], r["holds"]) for r in result.json["verdict"]["reasons"]] == [
            ("G101", True),
            ("G201", True),
            ("G401", True),
            ("G402", True),
        ]
        assert result.json["verdict"]["challenger"] < 0.2 < 0.8 < result.json["verdict"]["champion"]
        assert service.wait_for("model swapped")["model"] == result.json["version"] == sha256(model_path) != first
        row = {"demand": 2.0, "plan": "pro", "member": True}
        assert service.predict(row).json["predictions"][0]["label"] == "down"

        assert sortal("rollback", models, "--why", "only a test").code == 0
        assert service.wait_for("model swapped", 2)["model"] == first
        assert service.predict(row).json["predictions"][0]["label"] == "up"
    events = Registry(models).events()
    assert [(event.what, event.why) for event in events] == [
        ("added", ""),
        ("built", "errors are up"),
        ("promoted", "errors are up"),
        ("rolled back", "only a test"),
    ]


def test_a_shadow_that_is_better_on_live_rows_is_promoted(tmp_path: Path, champion: Path, sortal: Sortal) -> None:
    models, token, url = tmp_path / "models", tmp_path / "token", f"sqlite:///{tmp_path}/served.db"
    token.write_text(TOKEN)
    token.chmod(0o600)
    table(400, 2, is_reversed=True).write_csv(tmp_path / "newer.csv")
    newer = tmp_path / "newer"
    options = ("--target", "went", "--models", "tree", "--budget", UNHURRIED, "--out", newer, "--json")
    assert sortal("train", tmp_path / "newer.csv", *options).code == 0
    assert sortal("registry", models, "--add", champion).code == 0
    assert sortal("registry", models, "--add", newer).code == 0
    later = with_ids(table(200, 3, is_reversed=True))
    later[["id", "went"]].write_csv(tmp_path / "labels.csv")
    model_path, shadow = models / "champion.sortal", models / "challenger.sortal"
    with serving(model_path, "--shadow", shadow, "--log", url, "--token-file", token, token=TOKEN) as service:
        first, second = sha256(model_path), sha256(shadow)
        assert set(replay(service, later, "went")) == {200}
        wait_for_rows(url, 2 * later.height)
        assert sortal("label", url, tmp_path / "labels.csv", "--label", "went", "--model", model_path).code == 0
        result = sortal("promote", models, "--log", url, "--why", "the shadow is better", "--json")
        assert (result.code, result.json["version"]) == (0, second), result.err
        verdict = result.json["verdict"]
        assert "of 200 rows the challenger's answers are those of the shadow" in verdict["notes"]
        assert verdict["challenger"] < 0.2 < 0.8 < verdict["champion"]
        assert service.wait_for("model swapped")["model"] == second != first
