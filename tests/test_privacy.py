"""What leaves with a model: nothing that fewer rows share than the smallest count, whatever file it might be in.

Each claim of docs/privacy.md has its test here, or is named there with the test that it has.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sortal
from sortal.artifact.store import Contents
from sortal.core.plan import Planned
from sortal.core.recipe import Recipe
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.data.problem import frame_problem
from sortal.record.run import RunRecord
from sortal.run import Run

N = 420
DOCUMENT = Path(__file__).parents[1] / "docs" / "privacy.md"


def people() -> pl.DataFrame:
    """Rows whose every column has something that few or single rows share: levels, numbers, extremes, dates, ids,
    texts.
    """
    rng = np.random.default_rng(7)
    score = rng.normal(50.0, 10.0, N)
    income = rng.lognormal(7.0, 1.0, N)
    income[[3, 4]] = 98_765_432.1234, -7_654_321.4321
    spending = np.where(rng.random(N) < 0.15, -999.0, rng.normal(100.0, 5.0, N))
    visits = rng.poisson(3.0, N).astype(float)
    visits[5] = 8_123.0
    rare_sum = np.full(N, np.nan)
    rare_sum[:3] = 4_711.25, 4_812.75, 4_913.125
    clinic = rng.choice(["north", "south", "east"], N).astype(object)
    clinic[[6, 200]] = "HIV clinic", "hiv Clinic"
    clinic[[100, 101, 102, 103]] = "Four Oaks"
    town = np.array([f"town {i % 60}" for i in range(N)], dtype=object)
    town[::7] = [f"hamlet {i}" for i in range(0, N, 7)]
    day = (np.datetime64("2020-01-01") + rng.integers(0, 900, N)).astype(str).astype(object)
    day[[8, 9]] = "1931-02-03", "2087-11-12"
    hour = [
        f"2021-03-{1 + i % 28:02}T{rng.integers(24):02}:{rng.integers(60):02}:{rng.integers(60):02}" for i in range(N)
    ]
    return pl.DataFrame(
        {
            "person": [f"P-{10_000_019 + 7_919 * i}" for i in range(N)],
            "number": [1_009 * i * i + 7 for i in rng.permutation(N).tolist()],
            "score": score,
            "income": income,
            "price": [f"{v:.3f}".replace(".", ",") for v in rng.uniform(1_000, 9_999, N)],
            "spent": spending,
            "visits": visits,
            "refund": rare_sum,
            "clinic": clinic.tolist(),
            "town": town.tolist(),
            "day": day.tolist(),
            "seen": hour,
            "almost": ["usual", *["usual"] * (N - 2), "confession"],
            "consent": ["yes"] * (N - 2) + ["no"] * 2,
            "smoker": rng.choice(["on", "off"], N).tolist(),
            "note": [f"case {i} of {rng.integers(10**6)} told us about number {31 * i + 5}" for i in range(N)],
            "outcome": np.where(score + rng.normal(0, 8, N) > 52, "ill", "well").tolist(),
        }
    )


TEXTS = ("person", "clinic", "town", "day", "seen", "price", "almost", "note")
NUMBERS = ("number", "score", "income", "spent", "visits", "refund")


NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:[eE][+-]?\d+)?")


def holdings(folder: Path, without: str = "sealed") -> Iterator[tuple[str, str, np.ndarray]]:
    """Of each file, and each member of an archive: its name, its text, and its numbers."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if name.split("/")[0] != without:
            yield from _contents(name, path.read_bytes())


def _contents(name: str, content: bytes) -> Iterator[tuple[str, str, np.ndarray]]:
    if content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from _contents(f"{name}/{member}", archive.read(member))
    elif content[:6] == b"\x93NUMPY":
        array = np.load(io.BytesIO(content), allow_pickle=False)
        yield name, "", np.asarray(array, dtype=np.float64).ravel()
    elif content[:4] == b"PAR1":
        frame = pl.read_parquet(io.BytesIO(content))
        numbers = [c.cast(pl.Float64).to_numpy() for c in frame.iter_columns() if c.dtype.is_numeric()]
        yield name, frame.write_csv(), np.concatenate([*numbers, []])
    else:
        text = content.decode("utf-8")
        plain_text = text.replace("&#39;", "'").replace("&quot;", '"').replace("&#34;", '"').replace("&amp;", "&")
        yield name, plain_text, np.array(list(_numbers(text)))


def _numbers(text: str) -> Iterator[float]:
    with suppress(ValueError):
        yield from _within(json.loads(text))
    for match in NUMBER.findall(text):
        yield float(match.replace(",", ""))


def _within(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _within(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


@dataclass(frozen=True)
class Rare:
    """What fewer than five rows hold."""

    texts: frozenset[str]
    numbers: np.ndarray

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Rare:
        texts = {text for name in TEXTS for text in rare_values(frame[name])}
        numbers = {
            float(v) for name in NUMBERS for v in rare_values(frame[name].fill_nan(None).drop_nulls()) if abs(v) > 100
        }
        numbers |= {float(v) for v in rare_values(frame["score"])}
        numbers |= {float(v.replace(",", ".")) for v in frame["price"]}
        # Whole days come about as means of days; a second of a day does not.
        seconds = {float(np.datetime64(v, "s").astype(int)) for v in [*frame["seen"], "1931-02-03", "2087-11-12"]}
        return cls(frozenset(texts), np.array(sorted(numbers | seconds | {1e6 * s for s in seconds})))

    def within(self, folder: Path, without: str = "sealed") -> dict[str, list[object]]:
        """What of it stands where."""
        by_file: dict[str, list[object]] = {}
        for name, text, numbers in holdings(folder, without):
            with np.errstate(over="ignore"):
                single = numbers.astype(np.float32)
            values = [t for t in self.texts if t in text]
            values += [
                v for v in self.numbers if (numbers == v).any() or (abs(v) < 1e6 and (single == np.float32(v)).any())
            ]
            values += [v for v in self.numbers if v > 1e5 and f"{v:,.0f}" in text]
            if values:
                by_file[name] = values
        return by_file


def rare_values(values: pl.Series) -> list[object]:
    counts = values.alias("value").value_counts(name="rows")
    return [value for value, rows in counts.iter_rows() if rows < 5]


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return people()


RUN_OPTIONS: dict[str, dict[str, object]] = {"usual": {}, "private": {"private": True}, "open": {"smallest_count": 1}}
PLAN = tuple(
    Planned(name, (effort,) * 15)
    for name, effort in (("majority", {}), ("xgboost", {"rounds": 12, "learning_rate": 0.15}))
)
"""One model, of the family that keeps most of its rows, in the folds that so few rows get."""
SLOW = ("A101", "A102", "A104", "A106", "A205", "A206", "A207", "A208")
"""Checks that quote nothing."""


@pytest.fixture(scope="module")
def folders(frame, tmp_path_factory) -> dict[str, Path]:
    """Runs on the same file: as usual, privately, and with every value named."""
    home = tmp_path_factory.mktemp("runs")
    data = home / "people.csv"
    frame.write_csv(data, separator=";")
    for name, options in RUN_OPTIONS.items():
        recipe = Recipe.of("outcome", plan=PLAN, unchecked=SLOW, budget=3600.0, **options)
        (home / f"{name}.toml").write_text(recipe.to_toml())
        sortal.train(str(data), recipe=home / f"{name}.toml", out=home / name)
    return {name: home / name for name in RUN_OPTIONS}


def test_it_is_looked_for_in_a_model_that_has_looked_at_the_rows(folders):
    records = [RunRecord.from_json((folder / "run.json").read_bytes()) for folder in folders.values()]
    assert {record.chosen.name for record in records} == {"xgboost"}


def test_what_few_rows_hold_is_in_no_file_but_the_sealed_one_and_the_page_of_examples(frame, folders):
    rare = Rare.of(frame)
    assert len(rare.texts) > 2_000
    assert set(rare.within(folders["usual"])) == {"examples.html"}
    assert rare.within(folders["private"]) == {}
    assert set(rare.within(folders["usual"], without="")) == {"sealed/test.parquet", "examples.html"}


def test_the_page_of_examples_shows_texts_and_nothing_else_of_a_row(frame, folders):
    """None of the test, and none of a private run."""
    notes = set(frame["note"])
    assert set(Rare.of(frame).within(folders["usual"])["examples.html"]) <= notes
    sealed = set(pl.read_parquet(folders["usual"] / "sealed" / "test.parquet")["note"])
    page = (folders["usual"] / "examples.html").read_text()
    assert not any(note in page for note in sealed)
    assert stat.S_IMODE((folders["usual"] / "examples.html").stat().st_mode) == 0o600
    assert not (folders["private"] / "examples.html").exists()


def test_without_a_smallest_count_it_is_there_and_would_have_been_found(frame, folders):
    by_file = Rare.of(frame).within(folders["open"])
    assert {"model.sortal/profile.json", "model.sortal/program.json", "run.json", "report.html"} <= set(by_file)
    texts = {str(value) for values in by_file.values() for value in values}
    assert {"HIV clinic", "Four Oaks", "confession", "98765432.1234", "-7654321.4321"} <= texts


def test_a_private_run_quotes_no_value_however_many_rows_hold_it(frame, folders):
    common = ["north", "south", "usual", "town 1", "-999"]
    files = {name: text for name, text, _ in holdings(folders["private"])}
    quotes = [
        name for name, text in files.items() if any(f"{value!r}" in text or f" {value}" in text for value in common)
    ]
    assert quotes == []
    names = {name for name, text, _ in holdings(folders["usual"]) if "'usual'" in text or "usual in all" in text}
    assert {"run.json", "report.html", "model.sortal/card.json"} <= names
    model = sortal.load(folders["private"] / "model.sortal")
    assert "north" in model.profile["clinic"].levels  # what scores rows has to know them
    assert model.schema["smoker"].levels == ("off", "on")


def test_a_private_run_has_no_rows_and_no_numbers_of_rows(folders):
    assert (folders["usual"] / "oof.parquet").exists()
    assert not (folders["private"] / "oof.parquet").exists()
    usual, private = (RunRecord.from_json((folders[n] / "run.json").read_bytes()) for n in ("usual", "private"))
    assert {finding.code for finding in private.audit} == {finding.code for finding in usual.audit}
    assert [c.levels for c in usual.columns if c.name == "smoker"] == [("off", "on")]
    assert all(column.levels == () for column in private.columns)
    assert any("such as rows" in finding.message for finding in usual.audit)
    for finding in private.audit:
        assert "such as" not in finding.message
        assert all(isinstance(figure, int | float) for figure in finding.evidence.values())
        assert all(name in finding.message for name in finding.columns)


def test_only_the_owner_reads_the_sealed_rows(folders):
    for folder in folders.values():
        assert stat.S_IMODE((folder / "sealed").stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "sealed" / "test.parquet").stat().st_mode) == 0o600


def test_a_copy_of_a_run_guards_them_as_well(folders):
    run = Run.__new__(Run)
    run.__setstate__({"temporary": False, "files": {"sealed/test.parquet": b"rows"}})
    assert stat.S_IMODE((run.folder / "sealed").stat().st_mode) == 0o700
    assert stat.S_IMODE((run.folder / "sealed" / "test.parquet").stat().st_mode) == 0o600
    shutil.rmtree(run.folder.parent)


def test_a_rare_value_is_scored_as_one_never_seen(frame, folders):
    model = sortal.load(folders["usual"] / "model.sortal")
    rows = frame[:50].drop("outcome")
    rare, unseen = (
        model.predict_proba(rows.with_columns(pl.lit(c).alias("clinic"), pl.lit(t).alias("town")))
        for c, t in (("HIV clinic", "hamlet 7"), ("Moon base", "Atlantis"))
    )
    assert (rare == unseen).all()
    odd = model.odd_values(rows.with_columns(pl.lit("HIV clinic").alias("clinic")))
    if "clinic" in model.reads.names:
        assert all("'clinic': 'HIV clinic' is rare or was never seen in training" in text for text in odd)


def test_columns_of_too_few_values_are_left_out_and_said(frame):
    columns = frame_problem(frame, GoalOptions("outcome"), RowOptions()).table.schema
    assert (columns["refund"].role, columns["consent"].role) == ("ignore", "ignore")
    assert "a value in 3 rows only, fewer than 5 (--smallest-count)" in columns["refund"].reason
    assert "no in 2 rows only, fewer than 5 (--smallest-count)" in columns["consent"].reason
    assert columns["consent"].levels == ()
    every = frame_problem(frame, GoalOptions("outcome"), RowOptions(smallest_count=1)).table.schema
    assert (every["refund"].role, every["consent"].role) == ("feature", "feature")


def test_a_class_of_few_rows_is_named_and_that_is_said():
    table = pl.DataFrame({"x": range(60), "y": ["a"] * 57 + ["rare illness"] * 3})
    assert any("'rare illness' (3 rows)" in note for note in frame_problem(table, GoalOptions("y"), RowOptions()).notes)
    assert not any(
        "named by the model" in note
        for note in frame_problem(table, GoalOptions("y"), RowOptions(smallest_count=3)).notes
    )


def test_an_audit_quotes_by_the_same_rule(frame, tmp_path, sortal):
    rows = frame[:160]
    rows.write_csv(tmp_path / "people.csv")
    rare = Rare.of(rows)
    for options, is_quoted in (((), True), (("--private",), False)):
        folder = tmp_path / f"found{len(options)}"
        folder.mkdir()
        outcome = sortal("audit", tmp_path / "people.csv", "--target", "outcome", *options, "-o", folder / "found.json")
        assert outcome.code == 0
        assert rare.within(folder) == {}
        assert ("'usual'" in outcome.out) == is_quoted
        assert not any(text in outcome.out for text in rare.texts)


def test_the_classifier_keeps_to_it_too(frame, tmp_path):
    X = frame.select("score", "income", "clinic", "town").to_pandas()
    classifier = sortal.SortalClassifier(models="tree", budget="20s").fit(X, frame["outcome"].to_numpy())
    classifier.model_.save(tmp_path / "model.sortal")
    assert Rare.of(frame).within(tmp_path) == {}


def test_a_smallest_count_is_a_number_of_rows():
    with pytest.raises(sortal.InputError, match="smallest count 0 is no number of rows"):
        Recipe.of("y", smallest_count=0)


def test_the_page_names_every_part_of_a_model_and_every_file_of_a_run(folders):
    page = DOCUMENT.read_text("utf-8")
    members = {f"`{part.name}`" for part in fields(Contents) if part.name not in ("version", "embedded")}
    files = {f"`{path.name}`" for path in folders["usual"].iterdir() if path.is_file()} | {"`sealed/`"}
    assert {name for name in members | files if name not in page} == set()
