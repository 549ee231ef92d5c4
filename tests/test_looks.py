"""Looks at sealed rows: by which doors, what is asked before, and what is noticed."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import sortal as library
from sortal.data.ledger import Seal


@pytest.fixture
def run(churn_run, tmp_path) -> Path:
    return shutil.copytree(churn_run.folder, tmp_path / "run")


@pytest.fixture
def refusal(sortal):
    """The sentence that a command is refused with."""

    def run(*arguments: object) -> str:
        outcome = sortal(*arguments)
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err.startswith("sortal: ")
        assert len(outcome.err.splitlines()) == 1
        return outcome.err

    return run


def n_looks(folder: Path) -> tuple[int, int]:
    """How often, by the ledger and by run.json."""
    return Seal(folder).opens, json.loads((folder / "run.json").read_bytes())["ledger"]["opens"]


@pytest.mark.parametrize("name", ["run/sealed/test.parquet", "copy.parquet", "renamed.csv"])
@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_scoring_sealed_rows_is_a_look(command, name, sortal, run, tmp_path):
    for copy in ("copy.parquet", "renamed.csv"):
        shutil.copy(run / "sealed" / "test.parquet", tmp_path / copy)
    outcome = sortal(command, run / "model.sortal", tmp_path / name)
    assert outcome.code == 0
    assert n_looks(run) == (2, 2)
    assert Seal(run).entries[-1].reason == f"sortal {command}"
    assert "the sealed test has now been opened twice" in outcome.out + outcome.err
    if command == "predict":
        assert pl.read_csv(outcome.out.encode()).height == pl.read_parquet(run / "sealed" / "test.parquet").height


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_a_look_reads_the_record_and_the_model_once(command, sortal, run, monkeypatch):
    """What is read twice may be two things."""
    reads, read_bytes = [], Path.read_bytes

    def read_and_count(file):
        reads.append(file.name)
        return read_bytes(file)

    monkeypatch.setattr(Path, "read_bytes", read_and_count)
    monkeypatch.setattr("sortal.record.looks.sha256_of", lambda path: pytest.fail(f"{path} is read once more"))
    assert sortal(command, run / "model.sortal", run / "sealed" / "test.parquet").code == 0
    assert [reads.count(name) for name in ("run.json", "model.sortal")] == [1, 1]


def test_the_predictions_of_sealed_rows_are_those_of_any_rows(sortal, run, tmp_path):
    pl.read_parquet(run / "sealed" / "test.parquet").write_parquet(tmp_path / "plain.parquet")
    one = sortal("predict", run / "model.sortal", run / "sealed" / "test.parquet").out
    assert one == sortal("predict", run / "model.sortal", tmp_path / "plain.parquet").out
    assert n_looks(run) == (2, 2)


def test_a_look_that_would_show_nothing_is_none(refusal, run, tmp_path):
    """What is wrong with the options is said before the rows are opened."""
    refusal("predict", run / "model.sortal", run / "sealed" / "test.parquet", "-o", tmp_path / "scored.xlsx")
    refusal("predict", run / "model.sortal", run / "sealed" / "test.parquet", "-o", tmp_path / "none" / "scored.csv")
    refusal("evaluate", run / "model.sortal", run / "sealed" / "test.parquet", "--sealed")
    refusal("evaluate", run / "model.sortal", run / "sealed" / "test.parquet", run / "oof.parquet")
    assert n_looks(run) == (1, 1)


@pytest.mark.parametrize("name", ["run/sealed/test.parquet", "run/sealed", "copy.parquet"])
@pytest.mark.parametrize("command", ["train", "audit"])
def test_nothing_is_learned_from_sealed_rows(command, name, refusal, run, tmp_path):
    shutil.copy(run / "sealed" / "test.parquet", tmp_path / "copy.parquet")
    message = refusal(command, tmp_path / name, "--target", "Churn", "--out", tmp_path / "new.json")
    assert "holds the sealed test of a run, and nothing may be learned from it" in message
    with pytest.raises(library.InputError, match="holds the sealed test"):
        getattr(library, command)(str(tmp_path / name), "Churn")
    assert n_looks(run) == (1, 1)
    assert not (tmp_path / "new.json").exists()


def swap_model(run: Path, tmp_path: Path) -> None:
    """The model of a run whose only difference is its seed."""
    model = library.load(run / "model.sortal")
    object.__setattr__(model, "card", replace(model.card, seed=99))
    model.save(run / "model.sortal")


def forget(run: Path, tmp_path: Path) -> None:
    """Two looks, the last of which is to be forgotten."""
    lines = (run / "ledger.jsonl").read_text().splitlines(keepends=True)
    (run / "ledger.jsonl").write_text("".join(lines[:-1]))


def lose_record(run: Path, tmp_path: Path) -> None:
    (run / "run.json").unlink()


def forget_and_lose_record(run: Path, tmp_path: Path) -> None:
    forget(run, tmp_path)
    lose_record(run, tmp_path)


def forget_all_and_restore_record(run: Path, tmp_path: Path) -> None:
    """As if the test had never been opened, with a run.json that says so."""
    first = (run / "ledger.jsonl").read_text().splitlines(keepends=True)[0]
    (run / "ledger.jsonl").write_text(first)
    record = json.loads((run / "run.json").read_bytes())
    record["ledger"] |= {"opens": 0, "head": json.loads(first)["hash"], "entries": []}
    (run / "run.json").write_text(json.dumps(record))


def begin_anew(run: Path, tmp_path: Path) -> None:
    """A ledger of the same rows that was never looked at, and a run.json to go with it."""
    rows = pl.read_parquet(run / "sealed" / "test.parquet")
    new_seal = Seal.close(tmp_path / "anew", rows.head(10), by="somebody")
    for name in ("ledger.jsonl", "sealed/test.parquet"):
        shutil.copy(new_seal.folder / name, run / name)
    record = json.loads((run / "run.json").read_bytes())
    record["ledger"] |= {"opens": 0, "head": new_seal.head, "entries": []}
    (run / "run.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (swap_model, r"model\.sortal is not the model of the run in .* \(SHA-256 \w{12}, run\.json says \w{12}\)"),
        (forget, r"was cut or replaced: the entry \w{12}, which run\.json knows, is gone"),
        (lose_record, r"run\.json' cannot be read"),
        (forget_and_lose_record, r"run\.json' cannot be read"),
        (forget_all_and_restore_record, r"was cut or replaced: the entry \w{12}, which the model knows, is gone"),
        (begin_anew, r"was cut or replaced: the entry \w{12}, which the model knows, is gone"),
        (lambda run, _: (run / "ledger.jsonl").unlink(), r"ledger\.jsonl cannot be read"),
        (lambda run, _: (run / "sealed" / "test.parquet").unlink(), r"test\.parquet cannot be read"),
        (lambda run, _: (run / "run.json").write_text("{}"), r"run\.json"),
    ],
)
def test_what_was_tampered_with_is_noticed(tamper, message, sortal, refusal, run, tmp_path):
    assert sortal("evaluate", run / "model.sortal", "--sealed").code == 0
    tamper(run, tmp_path)
    rows = run / "sealed" / "test.parquet"
    for look in (
        ["evaluate", run / "model.sortal", "--sealed"],
        *([["predict", run / "model.sortal", rows]] if rows.exists() else []),
    ):
        assert re.search(message, refusal(*look))
    ledger = run / "ledger.jsonl"
    assert not ledger.exists() or len(ledger.read_text().splitlines()) < 4


def test_the_model_of_another_run_opens_nothing(refusal, run, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(run / "model.sortal", other)
    swap_model(other, tmp_path)
    shutil.copy(run / "sealed" / "test.parquet", tmp_path / "copy.parquet")
    for rows, message in (
        (run / "sealed" / "test.parquet", "is not the model of the run"),
        (tmp_path / "copy.parquet", "is a copy of what"),
    ):
        for command in ("evaluate", "predict"):
            assert message in refusal(command, other / "model.sortal", rows)
    assert n_looks(run) == (1, 1)


def test_the_same_model_elsewhere_is_still_the_model(sortal, run, tmp_path):
    shutil.copy(run / "model.sortal", tmp_path / "deployed.sortal")
    assert sortal("evaluate", tmp_path / "deployed.sortal", run / "sealed" / "test.parquet").code == 0
    assert n_looks(run) == (2, 2)


def test_a_link_to_the_model_leads_to_its_run(sortal, run, tmp_path):
    (tmp_path / "current.sortal").symlink_to(run / "model.sortal")
    assert sortal("evaluate", tmp_path / "current.sortal", "--sealed").code == 0
    assert n_looks(run) == (2, 2)


def test_a_look_that_cannot_be_noted_shows_nothing(refusal, run, monkeypatch):
    """The look is in the ledger by then: rather one too many than one too few."""
    from sortal.core.errors import OutputError
    from sortal.record import looks

    def full(path: Path) -> None:
        raise OutputError(f"the disk is full: {path.name!r} could not be written; nothing was changed")

    monkeypatch.setattr(looks, "replacing", full)
    assert "'run.json' could not be written" in refusal("evaluate", run / "model.sortal", "--sealed")
    assert n_looks(run) == (2, 1)


def test_the_card_of_the_model_knows_the_ledger(sortal, run):
    card = sortal("show", run / "model.sortal", "--json").json["card"]["ledger"]
    entries = Seal(run).entries
    assert card == {"opens": 1, "head": entries[1].hash, "sealed": entries[0].sha256}
    assert json.loads((run / "run.json").read_bytes())["ledger"]["sealed"] == card["sealed"]


@pytest.mark.parametrize(
    "name", ["data.jsonl", "link.jsonl", "run/ledger.jsonl", "run/sealed/test.parquet", "run/sealed/new.csv"]
)
def test_predictions_replace_neither_data_nor_model_nor_ledger(name, refusal, run, churn, tmp_path):
    churn.head(20).write_ndjson(tmp_path / "data.jsonl")
    (tmp_path / "link.jsonl").hardlink_to(tmp_path / "data.jsonl")
    before = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    message = refusal("predict", run / "model.sortal", tmp_path / "data.jsonl", "-o", tmp_path / name)
    assert "is being read, and would be replaced" in message or "belongs to the sealed test" in message
    assert {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()} == before


def test_other_results_replace_nothing_that_is_read_either(refusal, run, churn, tmp_path):
    (tmp_path / "model.csv").hardlink_to(run / "model.sortal")
    churn.head(60).write_csv(tmp_path / "data.json")
    churn.head(60).write_json(tmp_path / "data.json")
    message = refusal("predict", run / "model.sortal", tmp_path / "data.json", "-o", tmp_path / "model.csv")
    assert "is being read" in message
    message = refusal("audit", tmp_path / "data.json", "--target", "Churn", "-o", tmp_path / "data.json")
    assert "is being read" in message


def test_parts_of_a_folder_are_not_replaced(refusal, run, churn, tmp_path):
    (tmp_path / "parts").mkdir()
    churn.head(20).write_csv(tmp_path / "parts" / "a.csv")
    message = refusal("predict", run / "model.sortal", tmp_path / "parts", "-o", tmp_path / "parts" / "a.csv")
    assert "is being read" in message
