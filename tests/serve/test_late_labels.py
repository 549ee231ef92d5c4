"""``sortal label``: late labels from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from sortal.serve import late_labels
from sortal.serve.log.address import open_store
from sortal.serve.log.records import Label, PredictionRecord
from tests.conftest import Sortal, TrainedRun

LogOf = Callable[..., str]


@pytest.fixture
def log_of(tmp_path: Path) -> LogOf:
    """The address of a log in which rows r0, r1, ... were predicted to be these classes."""

    def write(*classes: Label) -> str:
        url = f"sqlite:///{tmp_path}/served.db"
        store = open_store(url)
        store.add_predictions(
            [
                PredictionRecord(f"r{at}", float(at), "ab", "champion", {}, label, (1.0,), label, None, (), 0.0)
                for at, label in enumerate(classes)
            ]
        )
        store.close()
        return url

    return write


def labels_of(url: str) -> list[Any]:
    store = open_store(url)
    labels = [row.label and row.label.label for row in store.read()]
    store.close()
    return labels


def test_labels_of_a_file_meet_their_rows_and_conflicts_are_told(sortal: Sortal, log_of: LogOf, tmp_path: Path) -> None:
    url, file = log_of("yes", "no", "no"), tmp_path / "late.csv"
    file.write_text("id,label\nr0, yes \nr2,no\nr9,yes\nr1,\n,no\nr2,maybe\n")
    result = sortal("label", url, file)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "6 rows: 3 new labels (1 of rows that the log does not know yet); 0 were known already",
        "2 rows have no id or no label and were left out",
        "1 contradict a label that is known, which stays:",
        "  r2: 'no' is known, 'maybe' was given",
    ]
    assert labels_of(url) == ["yes", None, "no"]
    second = sortal("label", url, file, "--json").json
    assert second == {
        "rows": 6,
        "blank": 2,
        "new": 0,
        "repeated": 3,
        "unmatched": 0,
        "conflicts": [{"row_id": "r2", "known": "no", "given": "maybe"}],
    }


def test_labels_of_a_large_file_come_when_they_are_stored(
    sortal: Sortal, log_of: LogOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch looks while they are being stored: none of them may be older than what it has looked at."""
    url, file, clock = log_of(*["yes"] * 5), tmp_path / "late.csv", iter([100.0, 200.0, 300.0])
    file.write_text("id,label\n" + "".join(f"r{at},yes\n" for at in range(5)))
    monkeypatch.setattr(late_labels, "TOGETHER", 2)
    monkeypatch.setattr(late_labels, "time", SimpleNamespace(time=lambda: next(clock)))
    sortal("label", url, file)
    monkeypatch.undo()
    store = open_store(url)
    assert [row.label and row.label.time for row in store.read()] == [100.0, 100.0, 200.0, 200.0, 300.0]
    store.close()


@pytest.mark.parametrize(
    ("prediction", "text", "label"),
    [(1, "1.0", 1), (1, "2", 2), (1.5, "2", 2.0), (True, "true", True), (True, "0", False), ("1", "2", "2")],
)
def test_a_label_has_the_type_of_the_predictions(
    sortal: Sortal, log_of: LogOf, tmp_path: Path, prediction: Label, text: str, label: Label
) -> None:
    url, file = log_of(prediction), tmp_path / "late.tsv"
    file.write_text(f"row\ttruth\nr0\t{text}\n")
    assert sortal("label", url, file, "--id", "row", "--label", "truth").code == 0
    assert [(type(value), value) for value in labels_of(url)] == [(type(label), label)]


def test_columns_of_numbers_in_a_parquet_file(sortal: Sortal, tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/served.db", tmp_path / "late.parquet"
    store = open_store(url)
    store.add_predictions([PredictionRecord("7", 1.0, "ab", "champion", {}, 1, (1.0,), 1, None, (), 0.0)])
    pl.DataFrame({"id": [7, 8], "label": [0, None]}).write_parquet(file)
    assert sortal("label", url, file, "--json").json["new"] == 1
    assert labels_of(url) == [0]


def test_classes_of_the_model_that_was_served(sortal: Sortal, churn_run: TrainedRun, tmp_path: Path) -> None:
    """With it labels can come first, and what is no class is refused, with all of the file."""
    url, file = f"sqlite:///{tmp_path}/served.db", tmp_path / "late.csv"
    open_store(url).close()
    file.write_text("id,label\na,Yes\n")
    assert "name the model: --model FILE" in sortal("label", url, file).err
    assert sortal("label", url, file, "--model", churn_run.model, "--json").json["unmatched"] == 1
    file.write_text("id,label\nb,No\nc,yep\n")
    refusal = sortal("label", url, file, "--model", churn_run.model)
    assert (refusal.code, refusal.out) == (2, "")
    assert "a label of late.csv is 'yep', no class of the model; " in refusal.err
    file.write_text("id,label\nb,No\n")
    assert sortal("label", url, file, "--model", churn_run.model, "--json").json["new"] == 1


@pytest.mark.parametrize(
    ("log", "content", "message"),
    [
        ("sqlite:///{}/none.db", "id,label\na,yes\n", "there is no log"),
        ("served.db", "id,label\na,yes\n", "a log is kept at sqlite:///FILE.db or postgresql://"),
        ("sqlite:///{}/late.csv", "id,label\na,yes\n", "file is not a database"),
        (None, "id,lable\na,yes\n", "no column 'label' in late.csv; did you mean 'lable'?"),
        (None, "id,label\na,one\n", "a label of late.csv is 'one', and classes in the log are of type int"),
        (None, f"id,label\n{'x' * 2000},1\n", "a row id has at most 1,024 bytes"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(
    sortal: Sortal, log_of: LogOf, tmp_path: Path, log: str | None, content: str, message: str
) -> None:
    url = log_of(1) if log is None else log.format(tmp_path)
    (tmp_path / "late.csv").write_text(content)
    result = sortal("label", url, tmp_path / "late.csv")
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert not (tmp_path / "none.db").exists()
