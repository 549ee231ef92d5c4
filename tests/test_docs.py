"""What the documents say works: their code runs, their commands and options exist, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import Sortal

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")], key=lambda p: p.name
)
TEXT = {document.relative_to(ROOT).as_posix(): document.read_text(encoding="utf-8") for document in DOCUMENTS}
COMMANDS = sorted({line.strip() for text in TEXT.values() for line in re.findall(r"^ {4}(sortal .+)$", text, re.M)})


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    blocks = re.findall(r"```python\n(.*?)```", TEXT["README.md"], re.S)
    assert blocks
    for block in blocks:
        code = block.replace('budget="60s"', 'budget="5s"')
        process = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert process.returncode == 0, process.stderr
        assert re.search(r"\d \[.*\d\]", process.stdout)
    assert {"report.html", "churn.sortal"} <= {file.name for file in tmp_path.iterdir()}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_documents_have_the_options_they_are_given(
    command: str, sortal: Sortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    _, name, *words = shlex.split(command, comments=True)
    outcome = sortal(name, "--help")
    assert outcome.code == 0, outcome.err
    for option in (word for word in words if word.startswith("-")):
        assert option in outcome.out.split() or f"{option}," in outcome.out, f"{name} has no {option}"


@pytest.mark.parametrize("document", TEXT)
def test_links_between_documents_lead_somewhere(document: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXT[document])
    for link in links:
        assert link.startswith("https://") or (ROOT / document).parent.joinpath(link).exists(), link


def test_every_folder_of_the_package_has_its_line_in_the_readme() -> None:
    folders = {p.name for p in (ROOT / "src" / "sortal").iterdir() if p.is_dir() and p.name != "__pycache__"}
    names = set(re.findall(r"^ {4}src/sortal/(\w+) ", TEXT["README.md"], re.M))
    assert names == folders


def test_paths_that_the_documents_name_exist() -> None:
    for document, text in TEXT.items():
        for path in re.findall(r"`((?:src|tests|docs|bench|examples)/[\w/.-]+)`", text):
            assert (ROOT / path).exists(), f"{document} names {path}"
    for document in ("docs/index.md", "CONTRIBUTING.md"):
        for path in re.findall(r"`(\w+/[\w/]*(?:\.py|/)|\w+\.py)`", TEXT[document]):
            assert any((ROOT / home / path).exists() for home in ("src/sortal", "")), f"{document} names {path}"


def test_the_picture_of_the_rooms_shows_the_layers_that_imports_are_held_to() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    picture = TEXT["docs/index.md"].partition("\n## ")[0]
    rooms = re.findall(r"^ {4}(\w+(?: \| \w+)*)  ", picture, re.M)
    assert rooms == [layer.replace("sortal.", "") for layer in layers]
    assert picture.count("↓") == len(layers) - 1


def test_every_decision_is_linked_from_the_index() -> None:
    pages = {page.name for page in (ROOT / "docs" / "decisions").glob("*.md")}
    assert pages == set(re.findall(r"\]\(decisions/([^)]+)\)\n", TEXT["docs/index.md"]))


def test_tests_that_the_list_of_faults_names_exist() -> None:
    for path, name in re.findall(r"([\w/]+\.py)::(\w+)", TEXT["docs/faults.md"]):
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8"), f"{path}::{name}"
