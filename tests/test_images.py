"""The whole trip with images: a folder of class folders, and tables with names, bytes and base64 of them."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import sortal
from sortal.artifact.attribution import field_effects
from sortal.cli import main
from sortal.core.door import rows_of
from sortal.core.errors import DataError, OptionError, TaskError
from sortal.data.read import read
from sortal.engine.run import reads
from sortal.evaluation import evaluate

COLOURS = {"cat": (190, 90, 40), "dog": (60, 100, 190), "emu": (90, 190, 60)}
EACH = 30
OPTIONS = {"models": ["logistic"], "split": "80/20", "budget": "1h"}


def picture(name: str, seed: int) -> bytes:
    rng = np.random.default_rng([seed, *map(ord, name)])
    pixels = np.clip(rng.normal(0, 70, (10, 12, 3)) + np.array(COLOURS[name]), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((300, 250) if seed % 9 == 0 else (12, 10)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = tmp_path_factory.mktemp("images") / "photos"
    for name in COLOURS:
        (photos / name).mkdir(parents=True)
        for seed in range(EACH):
            (photos / name / f"{seed}.png").write_bytes(picture(name, seed))
    (photos / "cat" / "broken.jpg").write_bytes(picture("cat", 1)[:90])
    return photos


@pytest.fixture(scope="module")
def run(folder: Path) -> sortal.Run:
    return sortal.train(folder, out=folder.parent / "run", **OPTIONS)


def test_a_folder_needs_no_target(run: sortal.Run) -> None:
    assert run.model.task.target == "label"
    assert run.model.task.classes == tuple(COLOURS)
    assert {column.name: column.kind for column in run.model.schema.columns} == {"image": "image", "label": "category"}
    assert any(op == "pixels" for op, _ in reads(run.model.program))
    assert run.test.accuracy.value > 0.8


def test_what_cannot_be_read_is_named_and_left_out(run: sortal.Run) -> None:
    assert run.record.data.rows == len(COLOURS) * EACH
    (note,) = [note for note in run.record.data.notes if "cannot be read" in note]
    assert note.startswith("image: 1 image cannot be read: '...")
    assert note.endswith("/photos/cat/broken.jpg' in row 31 (damaged or cut off); its row was left out")


def test_no_bytes_are_shown_and_no_image_leaves_with_the_model(run: sortal.Run, folder: Path) -> None:
    files = folder.parent / "run"
    texts = [(files / name).read_text() for name in ("report.html", "run.json", "recipe.toml", "leaderboard.csv")]
    assert not any("x89PNG" in text for text in texts)
    assert not any(picture("cat", seed)[:60] in (files / "model.sortal").read_bytes() for seed in range(EACH))


def test_sealed_rows_hold_the_images_themselves(run: sortal.Run, folder: Path) -> None:
    sealed = pl.read_parquet(folder.parent / "run" / "sealed" / "test.parquet")
    assert sealed.schema["image"] == pl.Binary
    small = {picture(name, seed) for name in COLOURS for seed in range(EACH) if seed % 9}
    images = sealed["image"].to_list()
    assert {image for image in images if image.startswith(b"\x89PNG")} <= small
    assert all(image.startswith((b"\x89PNG", b"\xff\xd8\xff")) for image in images)


def test_the_same_picture_has_the_same_probabilities_from_every_door(run: sortal.Run, folder: Path, tmp_path) -> None:
    names = [str(folder / name / f"{seed}.png") for seed in (0, 9, 4) for name in COLOURS]
    images = [Path(name).read_bytes() for name in names]
    texts = [base64.b64encode(image).decode() for image in images]
    expected = run.model.predict_proba(pl.DataFrame({"image": images}))
    assert len(np.unique(expected, axis=0)) == len(images)
    pl.DataFrame({"image": images}).write_parquet(tmp_path / "bytes.parquet")
    pl.DataFrame({"image": [str(Path(name).relative_to(folder)) for name in names]}).write_csv(folder / "names.csv")
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"image": text}) + "\n" for text in texts))
    for file in (tmp_path / "bytes.parquet", tmp_path / "texts.jsonl", folder / "names.csv"):
        main(
            ["predict", str(folder.parent / "run" / "model.sortal"), str(file), "--out", str(tmp_path / "out.parquet")]
        )
        output = pl.read_parquet(tmp_path / "out.parquet")
        assert_array_equal(output.select(pl.col(f"probability_{name}") for name in COLOURS).to_numpy(), expected)
        assert output["image"].to_list() == read(file).frame["image"].to_list()
    (folder / "names.csv").unlink()
    for column in (names, texts, images, [f"data:image/png;base64,{text}" for text in texts], list(map(Path, names))):
        assert_array_equal(run.model.predict_proba({"image": column}), expected)
        assert_array_equal(run.model.predict_proba([{"image": value} for value in column]), expected)
    assert_array_equal(run.model.predict_proba({"image": [*names[:2], *images[2:4], *texts[4:]]}), expected)
    single = np.vstack([run.model.predict_proba({"image": image}) for image in images])
    assert_allclose(single, expected, rtol=0, atol=1e-12)


def test_what_cannot_be_read_is_missing_with_a_warning(run: sortal.Run, folder: Path, capsys) -> None:
    with pytest.warns(UserWarning, match=r"^image: 1 image cannot be read: 'nowhere.png' in row 2 \(no such file\)$"):
        p = run.model.predict_proba({"image": [picture("dog", 100), "nowhere.png", None]})
    assert_array_equal(p[1], p[2])
    assert_allclose(p.sum(axis=1), 1)
    main(["predict", str(folder.parent / "run" / "model.sortal"), str(folder), "--out", str(folder.parent / "out.csv")])
    assert "sortal: image: 1 image cannot be read: '" in capsys.readouterr().err


def test_what_is_odd_about_an_image(run: sortal.Run) -> None:
    white = io.BytesIO()
    Image.new("L", (40, 4), 255).save(white, "PNG")
    (warnings,) = run.model.odd_values({"image": white.getvalue()})
    assert [text.partition(":")[0] for text in warnings] == ["'image', brightness", "'image', width to height"]
    assert run.model.odd_values({"image": None}) == [["'image': is missing, and never was in training"]]
    assert run.model.odd_values({"image": picture("dog", 100)}) == [[]]
    (shift,) = run.model.compare({"image": [white.getvalue()] * 60})[:1]
    assert shift.message.startswith("'image', brightness: all values lie outside")


def test_evaluate_and_show(run: sortal.Run, folder: Path, capsys) -> None:
    model = str(folder.parent / "run" / "model.sortal")
    main(["evaluate", model, str(folder)])
    main(["show", model])
    output = capsys.readouterr().out
    assert "photos: 91 labelled rows scored" in output
    assert "image   image" in output


def test_the_images_of_training_are_known_again_whatever_they_are_called(
    run: sortal.Run, folder: Path, tmp_path: Path
) -> None:
    """In their folder, another one, and a table of their bytes; not where one is another image, or has another class."""
    model, source = folder.parent / "run" / "model.sortal", read(folder)
    files = [folder / name for name in source.frame["image"]]
    renamed = tmp_path / "renamed"
    for at, (file, label) in enumerate(zip(files, source.frame["label"], strict=True)):
        (renamed / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, renamed / label / f"{at:03}{file.suffix}")
    table = pl.DataFrame({"image": [file.read_bytes() for file in files], "label": source.frame["label"]})
    table.write_parquet(tmp_path / "bytes.parquet")
    for data in (folder, renamed, tmp_path / "bytes.parquet"):
        assert evaluate(model, [str(data)]).trained_on
    table[1:].write_parquet(tmp_path / "others.parquet")
    swapped = table.with_columns(image=table["image"].set(pl.int_range(len(table), eager=True) == 0, table["image"][1]))
    swapped.write_parquet(tmp_path / "swapped.parquet")
    relabelled = table.with_columns(label=pl.Series(["dog", *table["label"][1:]]))
    relabelled.write_parquet(tmp_path / "relabelled.parquet")
    nothing = table.with_columns(image=pl.lit(b"no image"))
    nothing.write_parquet(tmp_path / "nothing.parquet")
    for name in ("others", "swapped", "relabelled", "nothing"):
        assert not evaluate(model, [str(tmp_path / f"{name}.parquet")]).trained_on


def test_a_table_of_names_is_the_same_data_as_a_folder(run: sortal.Run, folder: Path) -> None:
    rows = [(f"photos/{name}/{seed}.png", name) for name in COLOURS for seed in range(EACH)]
    pl.DataFrame(rows, schema=["photo", "label"], orient="row").write_csv(folder.parent / "pictures.csv")
    report = sortal.audit(folder.parent / "pictures.csv", "label")
    assert report.columns[0].kind == "image"
    assert report.data.rows == len(rows)


def test_copies_are_found_whatever_they_are_called(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "photos")
    for seed in range(1, 9):
        shutil.copy(folder / "cat" / f"{seed}.png", tmp_path / "photos" / "cat" / f"again{seed}.png")
    codes = [finding.code for finding in sortal.audit(tmp_path / "photos").findings]
    assert "A201" in codes


def test_given_parts_are_used_where_they_are_asked_for(folder: Path, tmp_path: Path) -> None:
    for part, seeds in (("train", range(20)), ("test", range(20, EACH))):
        for name in COLOURS:
            (tmp_path / "data" / part / name).mkdir(parents=True)
            for seed in seeds:
                shutil.copy(folder / name / f"{seed}.png", tmp_path / "data" / part / name)
    by_part = sortal.audit(tmp_path / "data", split="part")
    assert (by_part.split.train, by_part.split.test) == (60, 30)
    at_random = sortal.audit(tmp_path / "data", split="80/20")
    assert at_random.split.test == 18
    part = next(column for column in at_random.columns if column.name == "part")
    assert part.role == "ignore"


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["cat/1.png", "cat/2.png"], TaskError, "has one class only"),
        (["1.png", "2.png"], DataError, "not in folders of classes"),
        (["cat/1.jpg", "dog/2.jpg", "cat/3.jpg", "dog/4.jpg"], DataError, "no image of photos can be read"),
    ],
)
def test_folders_that_cannot_be_learned_from(names: list[str], error: type[Exception], message: str, tmp_path) -> None:
    for i, name in enumerate(names):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture("cat", i + 1) if name.endswith("png") else b"no picture")
    with pytest.raises(error, match=message) as excinfo:
        sortal.train(tmp_path / "photos", out=tmp_path / "run", budget="1h")
    assert "\n" not in str(excinfo.value)


def test_names_of_files_that_are_nowhere(tmp_path: Path) -> None:
    pl.DataFrame({"photo": [f"{i}.png" for i in range(30)], "label": ["a", "b"] * 15}).write_csv(tmp_path / "rows.csv")
    with pytest.raises(DataError, match=r"photo: names of image files, of which none is there in .* or in the working"):
        sortal.train(tmp_path / "rows.csv", "label", out=tmp_path / "run")


def test_without_pillow_one_sentence_says_what_to_install(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    rows = {"photo": [b"\x89PNG..."] * 20, "label": ["a", "b"] * 10}
    with pytest.raises(OptionError, match=r"images need Pillow.*pip install 'sortal\[image\]'"):
        sortal.train(rows, "label", out=tmp_path / "run")


def test_examples_show_small_pictures_and_what_speaks_for_the_decision(run: sortal.Run, folder: Path) -> None:
    page, examples = (folder.parent / "run" / "examples.html").read_text(), run.record.examples
    all_examples = [*examples.mistakes, *examples.uncertain]
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', page)
    assert len(all_examples) < len(pictures) <= 2 * len(all_examples)
    assert all(max(Image.open(io.BytesIO(base64.b64decode(text))).size) == 128 for text in pictures)
    assert len(page) < 500_000
    for example in all_examples:
        assert f"row {example.row}" in page
    assert re.search(r"(cat|dog|emu)/\d+\.png", page)


def test_a_part_that_tells_the_class_speaks_for_it(run: sortal.Run, tmp_path: Path) -> None:
    """Blue, with a red corner: without the corner it is a dog all the more."""
    pixels = np.full((70, 70, 3), COLOURS["dog"], dtype=np.uint8)
    pixels[:30, :30] = COLOURS["cat"]
    Image.fromarray(pixels).save(tmp_path / "one.png")
    row = rows_of({"image": str(tmp_path / "one.png")}, run.model.reads)
    dog = run.model.classes_.tolist().index("dog")
    effects = field_effects(run.model, row, "image", dog)
    assert effects.shape == (7, 7)
    assert effects[:3, :3].mean() < 0 < effects[4:, 4:].mean()
