"""Every command of the guide is answered as the guide says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from sortal.artifact.model import Model, load

GUIDE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    curl (.+)$", GUIDE, re.M)
SHOWN = re.findall(r"^    curl ([^\n]+)\n\n```json\n(.*?)```", GUIDE, re.M | re.S)


@pytest.fixture(scope="module")
def churn_model(trained: Any) -> Model:
    return load(trained.model)


def sent(ask: Any, command: str) -> Any:
    """What a command of curl gets."""
    address, *words = shlex.split(command)
    options = list(zip(words[::2], words[1::2], strict=True))
    path = address.removeprefix("localhost:8000")
    fields = [value.partition("=") for option, value in options if option == "-F"]
    if fields:
        parts = [f'--x\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, _, v in fields]
        return ask(
            "POST", path, "".join([*parts, "--x--"]).encode(), {"content-type": "multipart/form-data; boundary=x"}
        )
    assert ("-H", "Content-Type: application/json") in options
    return ask("POST", path, next(value for option, value in options if option == "-d").encode())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_answered(churn_model: Model, asking: Any, command: str) -> None:
    refused = re.search(rf"curl {re.escape(command)}\n\n```json\n{{\n  \"type\"", GUIDE) is not None
    assert (sent(asking(churn_model), command).status == 200) is not refused


@pytest.mark.parametrize(("command", "shown"), SHOWN)
def test_answers_have_the_form_that_is_shown(churn_model: Model, asking: Any, command: str, shown: str) -> None:
    ask = asking(churn_model)
    if "/v1/labels" in command:
        sent(ask, COMMANDS[0])
    agree(sent(ask, command).json, json.loads(shown))


def agree(said: Any, shown: Any) -> None:
    """The same names, types, and texts that are no figures."""
    assert type(said) is type(shown)
    if isinstance(shown, dict):
        assert said.keys() == shown.keys()
        for name in shown:
            agree(said[name], shown[name])
    elif isinstance(shown, list) and shown and said:
        agree(said[0], shown[0])
    elif isinstance(shown, str) and re.fullmatch(r"urn:.*|[a-z]+-[a-z]+", shown):
        assert said == shown
