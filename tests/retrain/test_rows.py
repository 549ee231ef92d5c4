"""Images of a log beside those of files: one is the other, whatever it is called."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from sortal.artifact.model import load
from sortal.data.read import read
from sortal.retrain.registry import Registry
from sortal.retrain.rows import new_rows, old_rows
from sortal.serve.log.address import open_store
from sortal.serve.log.records import LabelRecord, PredictionRecord
from tests.conftest import UNHURRIED, Sortal
from tests.retrain.test_cases import case, rows_of

pytest.importorskip("PIL")
pytestmark = pytest.mark.usefixtures("all_hurried")
DIGITS = Path(__file__).parents[2] / "examples" / "digits.zip"
SWAPPED_LABELS = {"0": "1", "1": "0"}


@pytest.fixture(scope="module")
def digits() -> pl.DataFrame:
    """Noughts and ones."""
    rows = read(DIGITS).frame.filter(pl.col("label").is_in(["0", "1"]))
    return rows.sample(fraction=1, shuffle=True, seed=0)


@pytest.fixture(scope="module")
def folder(digits: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first sixty of them as a table of names beside the files."""
    home = tmp_path_factory.mktemp("digits")
    for at, image in enumerate(digits["image"][:60]):
        (home / f"{at}.png").write_bytes(image)
    names = pl.DataFrame({"image": [f"{at}.png" for at in range(60)], "label": digits["label"][:60]})
    names.write_csv(home / "digits.csv")
    return home


@pytest.fixture(scope="module")
def run(folder: Path, all_hurried: None) -> Path:
    from sortal.cli import main

    options = ("--target", "label", "--models", "tree", "--budget", UNHURRIED, "--out", str(folder / "run"), "--json")
    main(["train", str(folder / "digits.csv"), *options])
    return folder / "run"


def test_the_same_image_comes_from_the_log_as_from_its_file(folder: Path, run: Path, digits: pl.DataFrame) -> None:
    model, source = load(run / "model.sortal"), read(folder / "digits.csv")
    old = old_rows(source, model)
    assert (source.frame["image"].dtype, old["image"].dtype) == (pl.String, pl.Binary)
    encoded_images = [base64.b64encode(image).decode() for image in digits["image"]]
    old_case, new_case = case(1.0, "0", image=encoded_images[0]), case(2.0, "1", image=encoded_images[70])
    cases = [old_case, new_case]
    fresh = rows_of(cases, model, old)
    assert fresh["image"][0] == old["image"][0]
    judge_rows, notes = new_rows(cases, [old], model)
    assert judge_rows == [new_case]
    assert notes[0].startswith("1 labelled rows judge nothing")


def test_images_that_cannot_be_read_are_said(folder: Path, run: Path, tmp_path: Path) -> None:
    for name in ("0.png", "1.png"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "1.png").write_bytes(b"no image")
    pl.DataFrame({"image": ["0.png", "1.png"], "label": ["0", "1"]}).write_csv(tmp_path / "two.csv")
    messages: list[str] = []
    old = old_rows(read(tmp_path / "two.csv"), load(run / "model.sortal"), messages.append)
    assert old["image"].null_count() == 1
    assert "1.png" in messages[0]


def log_answers(url: str, models: Registry, images: Sequence[bytes], labels: Sequence[str]) -> None:
    """A log in which the champion answered, one image a second, and labels came."""
    version, store, now = models.aliases.champion, open_store(url), time.time()
    answers = models.model(version).model.answer({"image": list(images)})
    rows = zip(images, answers.labels.tolist(), answers.probabilities.tolist(), strict=True)
    store.add_predictions(
        [
            PredictionRecord(
                *(f"{at}", now + at, version, "champion", {"image": base64.b64encode(image).decode()}),
                *(label, tuple(probability), label, None, (), 0.001),
            )
            for at, (image, label, probability) in enumerate(rows)
        ]
    )
    store.add_labels([LabelRecord(f"{at}", label, now + 1_000) for at, label in enumerate(labels)])
    store.close()


def test_a_model_of_images_is_retrained_from_a_log(
    tmp_path: Path, folder: Path, run: Path, digits: pl.DataFrame, sortal: Sortal
) -> None:
    """The classes have changed places: only what learns from the log alone can know."""
    models, url = tmp_path / "models", f"sqlite:///{tmp_path}/served.db"
    assert sortal("registry", models, "--add", run).code == 0
    later = digits[60:]
    swapped_labels = [SWAPPED_LABELS[label] for label in later["label"]]
    log_answers(url, Registry(models), later["image"].to_list(), swapped_labels)
    result = sortal("retrain", models, "--data", folder / "digits.csv", "--log", url, "--json")
    assert result.code == 0, result.err
    assert (result.json["used"], result.json["fresh"]) == ("fresh", later.height // 2)
    verdict = result.json["verdict"]
    assert verdict["challenger"] < 0.3 < 0.7 < verdict["champion"]
    reads = load(models / "champion.sortal").reads
    assert [(column.name, column.kind) for column in reads.columns] == [("image", "image")]
