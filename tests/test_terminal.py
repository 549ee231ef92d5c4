"""Names from files reach a terminal harmless, whichever way they take; data are written as they are."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

import sortal as sortal_package
from sortal.artifact import archive
from sortal.artifact.model import load
from sortal.report.screen import Screen

PAYLOADS = {
    "clears": "\x1b[2J\x1b[31mred",
    "title": "\x1b]0;title\x07",
    "link": "\x1b]8;;http://x\x1b\\x",
    "c1": "\x9b31mred",
    "bidi": "\u202egpj.exe",
    "isolate": "\u2066a\u2069",
    "lines": "two\nsortal: fine",
    "return": "bad\rfine",
    "back": "bad\b\b\bfine",
    "delete": "a\x7f",
    "next": "a\x85b",
    "separator": "a\u2028b",
    "hidden": "a\u200b\ufeffb",
}
UNSAFE = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
everywhere = pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)


def check(outcome, code=None):
    """One line of a sentence on the standard error at most, nothing unsafe on either stream."""
    assert code is None or outcome.code == code, outcome
    assert not UNSAFE.search(outcome.out + outcome.err)
    assert all(line.startswith("sortal: ") for line in outcome.err.splitlines())
    assert "bug of sortal" not in outcome.err


@everywhere
def test_arguments(sortal, tmp_path, payload):
    data = tmp_path / "a.csv"
    data.write_text("a,y\n1,x\n")
    check(sortal("show", f"{payload}.sortal"), 2)
    check(sortal("train", f"{payload}.csv", "--target", "y"), 2)
    check(sortal("train", data, "--target", payload), 2)
    check(sortal("train", data, "--target", "y", "--metric", payload), 2)
    check(sortal("train", data, "--target", "y", "--kind", payload), 2)
    check(sortal("train", data, "--target", "y", "--budget", payload), 2)
    check(sortal("train", data, "--target", "y", "--recipe", payload), 2)
    check(sortal("train", data, "--target", "y", "--seed", payload), 2)
    check(sortal(payload), 2)
    check(sortal("show", f"--{payload}"), 2)


@everywhere
def test_files_of_such_names(sortal, tmp_path, payload):
    folder = tmp_path / payload.replace("/", "")
    folder.mkdir()
    for name, content in (
        ("a.csv", "a,b\n1,2,3\n"),
        ("a.parquet", "PAR1"),
        ("m.sortal", "PK\x03\x04"),
        ("r.toml", "target = "),
    ):
        (folder / f"{payload.replace('/', '')}{name}").write_text(content)
    for path in folder.iterdir():
        check(sortal("show", path), 2)
        check(sortal("audit", path, "--target", "y"), 2)
        check(sortal("audit", path, "--recipe", path), 2)
    check(sortal("audit", folder, "--target", "y"), 2)


@everywhere
def test_columns_classes_and_values(sortal, tmp_path, payload):
    rng = np.random.default_rng(0)
    n = 200
    data = tmp_path / "a.parquet"
    frame = {
        payload: rng.choice(["u", payload], n),
        "b": rng.normal(size=n),
        "only": [payload] * n,
        "y": rng.choice(["no", payload], n),
    }
    pl.DataFrame(frame).write_parquet(data)
    for options in (
        ["--target", "y", "-o", tmp_path / "found.json"],
        ["--target", "nosuch"],
        ["--target", payload],
        ["--target", "y", "--kind", f"{payload}=number"],
    ):
        check(sortal("audit", data, *options))
    check(sortal("audit", data, "--target", "y", "--cost", "fp=1,fn=x"), 2)
    assert payload in json.loads((tmp_path / "found.json").read_bytes())["task"]["classes"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> Path:
    """A model whose columns, classes and values are payloads."""
    rng = np.random.default_rng(0)
    n, names = 160, list(PAYLOADS.values())
    frame = {name: rng.normal(size=n) for name in names[:6]} | {"c": rng.choice(names, n)}
    frame["y"] = np.where(
        frame[names[0]] + rng.normal(0, 0.5, n) > 0, *names[:2]
    )  # a model that reads all columns wins
    folder = tmp_path_factory.mktemp("terminal") / "run"
    run = sortal_package.train(frame, "y", models="logistic", budget="1h", out=folder, seed=1)
    pl.DataFrame(frame).write_parquet(folder / "rows.parquet")
    for item in (run, run.model, sortal_package.audit(frame, "y")):
        assert not UNSAFE.search(repr(item))
    return folder


def test_a_model_is_shown_evaluated_and_used(sortal, run_folder, tmp_path):
    model, rows = run_folder / "model.sortal", run_folder / "rows.parquet"
    check(sortal("show", model), 0)
    check(sortal("evaluate", model, rows), 0)
    check(sortal("evaluate", model, rows, "--sealed"), 2)
    check(sortal("predict", model, rows, "-o", tmp_path / "scored\x1b[31m.csv"), 0)
    pl.read_parquet(rows).drop("c").write_parquet(tmp_path / "less.parquet")
    check(sortal("predict", model, tmp_path / "less.parquet"), 2)
    pl.read_parquet(rows).with_columns(pl.lit("\x1b[2Jnew").alias("c")).write_parquet(tmp_path / "other.parquet")
    check(sortal("evaluate", model, tmp_path / "other.parquet"), 0)


def test_data_are_written_as_they_are(sortal, run_folder, tmp_path):
    rows = pl.read_parquet(run_folder / "rows.parquet")
    for name, reader in (("s.parquet", pl.read_parquet), ("s.jsonl", pl.read_ndjson)):
        assert (
            sortal("predict", run_folder / "model.sortal", run_folder / "rows.parquet", "-o", tmp_path / name).code == 0
        )
        assert reader(tmp_path / name)[rows.columns].equals(rows)


@everywhere
def test_a_manifest(sortal, run_folder, tmp_path, payload):
    """What a foreign file says of itself is quoted by the sentence that refuses it, and by what is shown."""
    with zipfile.ZipFile(run_folder / "model.sortal") as file:
        members = {name: file.read(name) for name in file.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    for changes in ({"format": payload}, {"protocol": 99, "sortal": payload}, {"sortal": payload}, {"sortal": 3}):
        path = tmp_path / "m.sortal"
        with zipfile.ZipFile(path, "w") as file:
            for name, content in members.items():
                file.writestr(name, content)
            file.writestr("manifest.json", json.dumps({**manifest, **changes}))
        check(sortal("show", path))
    changed_members = {
        **members,
        "schema.json": members["schema.json"].replace(b'"kind":"number"', b'"kind":' + msgspec.json.encode(payload)),
    }
    archive.write(path, changed_members, payload)
    check(sortal("show", path), 2)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(f"{payload}.json", b"{}")
    check(sortal("show", path), 2)


def test_a_console_takes_markup_for_text(capsys):
    Screen().print("[bold]x[/bold] [link=http://x]y[/link] :smile: \x1b[2J \u202e")
    assert capsys.readouterr().out == "[bold]x[/bold] [link=http://x]y[/link] :smile: \\x1b[2J \\u202e\n"


def test_a_traceback_is_clean(sortal):
    outcome = sortal("show", "\x1b[2J.sortal", "--debug")
    assert outcome.code == 2
    assert not UNSAFE.search(outcome.err)


def test_long_names_are_cut(sortal, tmp_path):
    data = tmp_path / "a.csv"
    data.write_text(f"a,{'x' * 300_000}\n1,2\n")
    for options in (["--target", "y"], ["--target", "y" * 100_000], ["--target", "a", "--ignore", "z" * 100_000]):
        outcome = sortal("audit", data, *options)
        assert (outcome.code, len(outcome.err) < 1_200) == (2, True)


def test_load_says_it_in_python(tmp_path):
    path = tmp_path / "x\x1b[2J.sortal"
    path.write_bytes(b"no zip")
    with pytest.raises(ValueError) as refusal:
        load(path)
    assert not UNSAFE.search(str(refusal.value))
