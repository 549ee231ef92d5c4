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
EXAMPLES = re.findall(r"^    curl ([^\n]+)\n\n```json\n(.*?)```", GUIDE, re.M | re.S)


@pytest.fixture(scope="module")
def churn_model(churn_run: Any) -> Model:
    return load(churn_run.model)


def send(ask: Any, command: str) -> Any:
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
def test_every_command_is_answered(churn_model: Model, client_of: Any, command: str) -> None:
    is_refused = re.search(rf"curl {re.escape(command)}\n\n```json\n{{\n  \"type\"", GUIDE) is not None
    assert (send(client_of(churn_model), command).status == 200) is not is_refused


@pytest.mark.parametrize(("command", "expected"), EXAMPLES)
def test_answers_have_the_form_that_is_shown(churn_model: Model, client_of: Any, command: str, expected: str) -> None:
    ask = client_of(churn_model)
    if "/v1/labels" in command:
        send(ask, COMMANDS[0])
    agree(send(ask, command).json, json.loads(expected))


def agree(actual: Any, expected: Any) -> None:
    """The same names, types, and texts that are no figures."""
    assert type(actual) is type(expected)
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys()
        for name in expected:
            agree(actual[name], expected[name])
    elif isinstance(expected, list) and expected and actual:
        agree(actual[0], expected[0])
    elif isinstance(expected, str) and re.fullmatch(r"urn:.*|[a-z]+-[a-z]+", expected):
        assert actual == expected
