"""The examples of running a service: what they name exists, and a service needs no more than they install."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from sortal.cli import app
from sortal.serve.routes import ROUTES
from sortal.serve.server import KILL_SECONDS
from tests.serve.process import ROW, a_model, serving

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TRAINING = (
    "sklearn",
    "scipy",
    "lightgbm",
    "xgboost",
    "catboost",
    "matplotlib",
    "joblib",
    "pandas",
    "pyarrow",
    "jinja2",
)
NOT_NEEDED = (*TRAINING, "polars", "narwhals", "torch", "onnxruntime", "rich", "tomli_w", "threadpoolctl")


def options_of(words: list[str]) -> dict[str, object]:
    """What the command line makes of the words of a command, without running it."""
    assert words[0].rpartition("/")[2] == "sortal"
    group = typer.main.get_command(app)
    command = group.commands[words[1]]  # type: ignore[attr-defined]
    return dict(command.make_context(words[1], words[2:]).params)


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "sortal.service")
    return parser


def test_the_unit_runs_a_command_that_exists_and_lets_it_end() -> None:
    service = unit()["Service"]
    options = options_of(shlex.split(service["ExecStart"]))
    assert options["token_file"] == Path("${CREDENTIALS_DIRECTORY}/token")
    assert options["model"] == Path(f"/var/lib/{service['StateDirectory']}/model.sortal")
    assert float(service["TimeoutStopSec"]) > KILL_SECONDS


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path) -> None:
    """The command itself is not installed here."""
    text = (DEPLOY / "sortal.service").read_text().replace("/opt/sortal/bin/sortal", sys.executable)
    (tmp_path / "sortal.service").write_text(text)
    words = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "sortal.service")]
    process = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert [line for line in process.stderr.splitlines() if "sortal.service" in line] == []


def instructions() -> list[tuple[str, str]]:
    """Those of the Dockerfile, a continued one as a line."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


INSTRUCTIONS = {
    *("FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"),
    *("ENTRYPOINT", "CMD"),
}


def test_the_image_runs_a_command_that_exists_as_a_user_without_rights() -> None:
    all_of_them = instructions()
    assert {word for word, _ in all_of_them} == INSTRUCTIONS
    last = dict(all_of_them)
    options = options_of([*json.loads(last["ENTRYPOINT"]), *json.loads(last["CMD"])])
    assert (options["host"], options["port"]) == ("0.0.0.0", int(last["EXPOSE"]))
    assert options["token_file"] is not None
    assert last["USER"] == "sortal"
    assert [word for word, _ in all_of_them].index("USER") > [word for word, _ in all_of_them].index("RUN")
    assert all(re.match(r"\w+:[\d.]+-slim", rest) for word, rest in all_of_them if word == "FROM")
    health_check = re.search(r"http://[\w.:]+(/[\w/]+)", last["HEALTHCHECK"])
    assert health_check is not None
    assert health_check[1] in {route.path for route in ROUTES if route.open}


def test_what_the_image_copies_is_there() -> None:
    sources = [words[:-1] for word, rest in instructions() if word == "COPY" if (words := rest.split())[0][:2] != "--"]
    assert sources
    assert all((ROOT / source).exists() for group in sources for source in group)


def test_a_service_needs_no_more_than_is_installed_for_it(tmp_path: Path) -> None:
    packages = {
        re.split(r"[>\[]", line)[0] for line in (DEPLOY / "runtime.txt").read_text().splitlines() if line[0] != "#"
    }
    assert packages == {"numpy", "msgspec", "typer", "uvicorn", "httptools", "psycopg"}
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({NOT_NEEDED!r}))\n")
    a_model().save(tmp_path / "churn.sortal")
    with serving(tmp_path / "churn.sortal", path=tmp_path) as running:
        assert running.predict(ROW).status == 200
        for path in ("/", "/openapi.json", "/v1/model", "/v2/health/ready"):
            assert running.ask("GET", path).status == 200
        assert running.stop() == 0
        assert {event["level"] for event in running.events} == {"info"}
