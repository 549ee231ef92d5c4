"""A203, A209 and A210 of images: what their order, their size and format, and their names say."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from sortal.auditing import context_of
from sortal.checks import hidden_time, image_form, image_owners, order
from sortal.checks.context import AuditContext
from sortal.checks.finding import NotApplicable
from sortal.core.disclosure import OPEN
from sortal.core.schema import Column, Schema
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.core.table import Table
from sortal.data.problem import frame_problem
from sortal.data.split import Parts

EACH = 80


def picture(colour: np.ndarray, rng: np.random.Generator, size: tuple[int, int] = (12, 10), form: str = "PNG") -> bytes:
    pixels = np.clip(colour + rng.normal(0, 12, (10, 12, 3)), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(file, form)
    return file.getvalue()


def context(images: list[bytes], codes: np.ndarray, names: list[str] | None = None) -> AuditContext:
    frame = pl.DataFrame({"image": images})
    table = Table(Schema((Column("image", "image"),)), frame, np.arange(len(images)))
    name_frame = pl.DataFrame() if names is None else pl.DataFrame({"image": names})
    return AuditContext(table, codes, ["cat", "dog"], names=name_frame)


def pictures(sizes: list[tuple[int, int]], forms: list[str], seed: int = 0) -> list[bytes]:
    rng = np.random.default_rng(seed)
    grey = np.full(3, 128.0)
    return [picture(grey, rng, size, form) for size, form in zip(sizes, forms, strict=True)]


CODES = np.arange(2 * EACH) % 2


class TestForm:
    @pytest.mark.parametrize("seed", range(3))
    def test_sizes_drawn_for_all_alike_are_no_finding(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        sizes = [(int(w), int(h)) for w, h in rng.integers(8, 40, (2 * EACH, 2))]
        forms = rng.choice(["PNG", "JPEG"], 2 * EACH).tolist()
        assert image_form.find(context(pictures(sizes, forms), CODES)) == []

    @pytest.mark.parametrize(
        ("sizes", "forms", "form"),
        [
            ({0: (12, 10), 1: (20, 10)}, {0: "PNG", 1: "PNG"}, "shape"),
            ({0: (12, 10), 1: (12, 20)}, {0: "PNG", 1: "PNG"}, "height"),
            ({0: (12, 10), 1: (12, 10)}, {0: "PNG", 1: "JPEG"}, "format"),
        ],
    )
    def test_classes_of_two_sources_are_told_apart(self, sizes, forms, form: str) -> None:
        kinds = [k if i % 20 else 1 - k for i, k in enumerate(CODES.tolist())]  # one of twenty is of the other source
        images = pictures([sizes[k] for k in kinds], [forms[k] for k in kinds])
        [finding] = image_form.find(context(images, CODES))
        assert finding.evidence["roc_auc"] == pytest.approx(0.95, abs=0.03)
        assert finding.severity == ("severe" if finding.evidence["roc_auc"] >= 0.95 else "warning")
        assert form in ("shape", "height", "format")
        assert (finding.evidence["form"] == "format") == (form == "format")

    def test_the_ending_of_a_name_is_that_of_the_file(self) -> None:
        images = pictures([(12, 10)] * (2 * EACH), ["PNG"] * (2 * EACH))
        names = [f"photos/{i}.{'JPG' if k else 'png'}" for i, k in enumerate(CODES.tolist())]
        [finding] = image_form.find(context(images, CODES, names))
        assert (finding.evidence["form"], finding.severity) == ("ending", "severe")
        assert image_form.find(context(images, CODES, [f"{i}.png" for i in range(2 * EACH)])) == []

    def test_without_images_there_is_nothing_to_look_at(self) -> None:
        table = Table(Schema((Column("x", "number"),)), pl.DataFrame({"x": [1.0] * 60}), np.arange(60))
        assert image_form.find(AuditContext(table, np.arange(60) % 2, ["a", "b"])) == NotApplicable(
            "no column of images"
        )


def of_owners(owners: int, distance: float, seed: int = 0) -> tuple[list[bytes], list[str]]:
    """Ten images of each, whose colours lie so far apart from owner to owner."""
    rng = np.random.default_rng(seed)
    images, names = [], []
    for owner in range(owners):
        colour = 128 + rng.normal(0, distance, 3)
        for number in range(10):
            images.append(picture(colour, rng))
            names.append(f"scans/p{owner:03d}_{number}.png")
    return images, names


class TestOwners:
    @pytest.mark.parametrize("seed", range(3))
    def test_images_of_one_person_are_found_by_their_names(self, seed: int) -> None:
        images, names = of_owners(20, distance=30, seed=seed)
        [finding] = image_owners.find(context(images, np.random.default_rng(seed).integers(0, 2, 200), names))
        assert (finding.severity, finding.evidence["groups"]) == ("warning", 20)
        assert finding.evidence["between_groups"] > 0.6
        assert abs(finding.evidence["between_classes"]) < 0.2

    @pytest.mark.parametrize("seed", range(3))
    def test_names_that_say_nothing_of_what_is_seen_are_none(self, seed: int) -> None:
        images, names = of_owners(20, distance=0, seed=seed)
        assert image_owners.find(context(images, np.arange(200) % 2, names)) == []
        alike, _ = of_owners(20, distance=30, seed=seed)
        shuffled_names = np.random.default_rng(seed).permutation(names).tolist()
        assert image_owners.find(context(alike, np.arange(200) % 2, shuffled_names)) == []

    def test_numbered_files_and_names_of_classes_are_none(self) -> None:
        images, _ = of_owners(20, distance=30)
        codes = np.arange(200) // 100
        numbered_names = [f"img_{i:04d}.png" for i in range(200)]
        assert image_owners.find(context(images, codes, numbered_names)) == []
        classes = [f"{'cat' if k == 0 else 'dog'}.{i}.png" for i, k in enumerate(codes.tolist())]
        assert image_owners.find(context(images, codes, classes)) == []

    def test_names_have_to_be_there(self) -> None:
        images, names = of_owners(20, distance=30)
        assert image_owners.find(context(images, np.arange(200) % 2)) == NotApplicable("no images that came by name")
        full_context = context(images, np.arange(200) % 2, names)
        short = replace(
            full_context,
            table=full_context.table.take(np.arange(50)),
            codes=full_context.codes[:50],
            names=full_context.names[:50],
        )
        assert isinstance(image_owners.find(short), NotApplicable)


def test_a_folder_has_no_order_and_its_images_have_their_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in ("train", "valid", "test"):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(20):
                (tmp_path / part / name / f"{name}_{i}.png").write_bytes(picture(np.full(3, 128.0), rng))
    (tmp_path / "train" / "cat" / "cat_7.png").write_bytes(b"nothing")
    problem = frame_problem(tmp_path, GoalOptions("label"), RowOptions())
    assert len(problem.names) == len(problem.codes) == 119
    assert sum(name.endswith("cat_7.png") for name in problem.names["image"].to_list()) == 2
    assert all(
        name.count(f"/{part}/")
        for part, name in zip(["test"] * 40 + ["train"] * 39, problem.names["image"][:79], strict=True)
    )
    every = np.arange(119)
    audit_context = context_of(problem, Parts(every, every[:0], every[:0], "all"), problem, 0, OPEN)
    assert not audit_context.ordered
    assert isinstance(order.find(audit_context), NotApplicable)
    assert isinstance(hidden_time.find(audit_context), NotApplicable)
    [finding] = order.find(replace(audit_context, ordered=True))
    assert finding.code == "A203"
