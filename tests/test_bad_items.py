"""Whatever is wrong with images and texts that were handed in: what cannot be used is named, the rest is used."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sortal as sortal_package
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.data import images
from sortal.data.problem import Problem, frame_problem
from sortal.data.row_sample import RowLimit
from tests.conftest import Sortal
from tests.core.test_images import bomb
from tests.test_images import picture


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., Path]:
    """``photos("cat/1.png", "dog/2.png", other={"cat/3.png": b"..."})`` is a folder with these images in it."""

    def make(*names: str, other: dict[str, bytes] | None = None) -> Path:
        contents = {name: picture(name[:3] if "/" in name else "cat", i + 1) for i, name in enumerate(names)}
        for name, content in {**contents, **(other or {})}.items():
            file = tmp_path / "photos" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return tmp_path / "photos"

    return make


def of_classes(*classes: str, per_class: int = 12) -> list[str]:
    return [f"{name}/{i}.png" for name in classes for i in range(per_class)]


def problem_of(data: object, target: str = "label", **options: object) -> Problem:
    return frame_problem(data, GoalOptions(target), RowOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["1.png", "2.png"], "holds images, but not in folders of classes; make one for each class, or give a table"),
        (of_classes("cat"), "has one class only"),
        (
            ["cat/1.png", *of_classes("dog")],
            "class 'cat' of the target 'label' has one row, which cannot be both learned and tested",
        ),
    ],
)
def test_a_folder_that_cannot_be_learned_from(photos, names: list[str], message: str, sortal: Sortal, tmp_path) -> None:
    outcome = sortal("train", photos(*names), "--budget", "1h", "--out", tmp_path / "run")
    assert (outcome.code, outcome.out) == (2, "")
    assert re.fullmatch(r"sortal: [^\n]+\n", outcome.err)
    assert message in outcome.err
    assert not (tmp_path / "run").exists()


def test_an_empty_folder_and_one_that_is_not_there(photos, sortal: Sortal, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert "holds no data files" in sortal("train", tmp_path / "photos", "--target", "y", "--out", tmp_path / "run").err
    assert "no file 'photo' in" in sortal("train", tmp_path / "photo", "--target", "y", "--out", tmp_path / "run").err
    message = f"sortal: there is no file and no folder {str(tmp_path / 'photo')!r}\n"
    assert sortal("train", tmp_path / "photo", "--out", tmp_path / "run").err == message


def test_a_class_of_one_image_is_left_out_and_named(photos) -> None:
    problem = problem_of(photos(*of_classes("cat", "dog"), "emu/1.png"))
    assert problem.task.classes == ("cat", "dog")
    (note,) = problem.notes
    assert note.startswith("1 class of 'label' has one row (row 25), which cannot be both learned and tested")


def test_what_cannot_be_read_is_counted_and_left_out(photos) -> None:
    bad_files = {
        "cat/a.png": b"",
        "cat/b.jpg": b"no image",
        "dog/c.png": picture("dog", 1)[:60],
    }
    problem = problem_of(photos(*of_classes("cat", "dog"), other=bad_files))
    assert len(problem.codes) == 24
    (note,) = problem.notes
    assert note.startswith("image: 3 images cannot be read: ")
    assert note.endswith("their rows were left out")
    for name, reason in (
        ("a.png", "no image"),
        ("b.jpg", "no image"),
        ("c.png", "damaged or cut off"),
    ):
        assert re.search(rf"/{name}' in row \d+ \({reason}\)", note), name


def test_a_bomb_is_one_of_them(photos) -> None:
    problem = problem_of(photos(*of_classes("cat", "dog"), other={"dog/d.png": bomb(50_000, 50_000)}))
    assert len(problem.codes) == 24
    assert problem.notes[0].endswith("(more than 89,478,485 pixels); its row was left out")


def test_names_of_files_of_which_some_are_nowhere(photos, tmp_path: Path) -> None:
    names = [f"photos/{name}" for name in of_classes("cat", "dog")]
    photos(*of_classes("cat", "dog"))
    rows = pl.DataFrame(
        {
            "photo": [*names, "photos/gone.png", "/nowhere/at/all.png"],
            "label": [name[7:10] for name in [*names, names[0], names[-1]]],
        }
    )
    rows.write_csv(tmp_path / "rows.csv")
    problem = problem_of(tmp_path / "rows.csv")
    assert len(problem.codes) == 24
    assert problem.notes == (
        "photo: 2 images cannot be read: 'photos/gone.png' in row 25 (no such file), '/nowhere/at/all.png' "
        "in row 26 (no such file); their rows were left out",
    )


WORDS = {"good": "a really fine thing", "bad": "an utterly awful thing"}


def reviews(rows: int = 120) -> dict[str, list[object]]:
    rng = np.random.default_rng(0)
    labels = rng.choice(list(WORDS), rows).tolist()
    return {"review": [f"{WORDS[label]} no {i} {rng.integers(9)}" for i, label in enumerate(labels)], "label": labels}


def test_a_text_of_a_megabyte_is_read_in_bounded_time(tmp_path: Path, sortal: Sortal) -> None:
    table = reviews()
    table["review"][7] = f"{WORDS[str(table['label'][7])]} " * 60_000
    assert len(str(table["review"][7])) > 1_000_000
    pl.DataFrame(table).write_csv(tmp_path / "rows.csv")
    run = sortal_package.train(tmp_path / "rows.csv", "label", models=["logistic"], budget="1h", out=tmp_path / "run")
    assert run.test.accuracy.value > 0.9
    start = time.perf_counter()
    (label,) = run.model.predict({"review": ["an utterly awful thing " * 60_000]})
    assert label == "bad"
    assert time.perf_counter() - start < 5  # 20,000 characters of it take milliseconds
    assert (
        sortal("predict", tmp_path / "run" / "model.sortal", tmp_path / "rows.csv", "--out", tmp_path / "out.csv").code
        == 0
    )


def test_texts_of_mixed_types_are_what_they_are_as_text() -> None:
    table = reviews()
    for row, value in {3: 12, 4: None, 5: 1.5, 6: True, 8: datetime.date(2026, 11, 28), 9: ""}.items():
        table["review"][row] = value
    problem = problem_of(table)
    assert problem.table.schema["review"].kind == "text"
    assert problem.table["review"][3:10].to_list()[:1] == ["12"]
    assert problem.table["review"].null_count() in (1, 2)
    assert problem.table["review"][8] == "2026-11-28"


def test_markup_and_nothing_but_blanks_are_texts() -> None:
    table = reviews()
    table["review"][3], table["review"][4] = "<p>&nbsp;<b>" * 100, " \t\n "
    assert problem_of(table).table.schema["review"].kind == "text"


def test_of_more_images_than_there_is_time_for_some_are_drawn(photos, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = photos(*of_classes("cat", "dog", per_class=60), other={"cat/a.png": b""})
    assert len(problem_of(folder).codes) == 120
    clock = iter([100.0, 106.4])  # 64 images, a tenth of a second each
    monkeypatch.setattr(images.time, "monotonic", lambda: next(clock))
    problem = frame_problem(
        folder, GoalOptions("label"), RowOptions(), RowLimit(lambda rows, columns: rows, seconds=8.05)
    )
    assert 78 <= len(problem.codes) <= 80  # one may be the one that cannot be read
    assert len(np.unique(problem.table.rows)) == len(problem.codes)
    assert problem.table["image"].null_count() == 0
    assert problem.sampled == 80
    assert problem.notes[0].startswith("80 of 121 rows are used, drawn at random within each class")
    names = problem.names["image"].to_list()
    assert [images.canonical_or_none(name) for name in names] == problem.table["image"].to_list()
