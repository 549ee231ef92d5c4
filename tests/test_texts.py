"""The whole trip with a column of texts: alone, and beside numbers and categories."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import sortal
from sortal.artifact.attribution import word_effects
from sortal.core.door import rows_of
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.data.problem import frame_problem
from sortal.data.read import read
from sortal.engine.run import reads
from sortal.report.examples import render_examples

ROWS = 260


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """The class follows from a word, and where the text is missing or says nothing from the price."""
    rng = np.random.default_rng(0)
    is_good = rng.random(ROWS) < 0.5
    has_word = rng.random(ROWS) < 0.8
    words = [
        " ".join(rng.permutation([("Wunderbär" if g else "furchtbar") if s else "<br>", *(f"wort{i}" for i in r)]))
        for g, s, r in zip(is_good, has_word, rng.integers(0, 30, (ROWS, 6)), strict=True)
    ]
    return pl.DataFrame(
        {
            "review": [None if i % 25 == 3 else word for i, word in enumerate(words)],
            "price": np.where(is_good, 1.0, -1.0) + rng.normal(size=ROWS),
            "shop": rng.choice(["north", "south"], ROWS),
            "label": np.where(is_good, "good", "bad"),
        }
    )


@pytest.fixture(scope="module")
def run(table: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> sortal.Run:
    models = ["logistic_ngrams", "kernel_svm"]
    return sortal.train(table, "label", models=models, budget="1h", out=tmp_path_factory.mktemp("texts") / "run")


def test_text_number_and_category_are_all_read(run: sortal.Run) -> None:
    kinds = {column.name: (column.kind, column.role) for column in run.model.schema.columns}
    assert kinds["review"] == ("text", "feature")
    assert set(run.model.reads.names) == {"review", "price", "shop"}
    names = run.leaderboard["name"].to_list()
    assert {"logistic_ngrams", "kernel_svm", "logistic", "tree", "majority"} <= set(names)
    assert names.index("logistic_ngrams") < names.index("majority")
    assert run.test.log_loss.value < 0.35
    assert any(op == "tfidf" for op, _ in reads(run.model.program))


def test_what_columns_weigh_says_that_the_text_tells_most(run: sortal.Run) -> None:
    assert run.record.importance is not None
    assert run.record.importance.columns[0].column == "review"


def test_the_same_rows_get_the_same_numbers_from_every_door(run: sortal.Run, table: pl.DataFrame, tmp_path) -> None:
    rows = table.drop("label")
    expected = run.model.predict_proba(rows)
    table.drop("label").write_csv(tmp_path / "rows.csv")
    from_file = run.model.predict_proba(read(tmp_path / "rows.csv").frame)
    assert_array_equal(from_file, expected)
    for other in (rows.to_pandas(), rows.to_arrow(), rows.to_dicts(), rows.to_dict(as_series=False)):
        assert_allclose(run.model.predict_proba(other), expected, rtol=0, atol=1e-15)
    single = np.vstack([run.model.predict_proba(row) for row in rows.head(5).to_dicts()])
    assert_allclose(single, expected[:5], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "text", [None, "", " ", "unseen", "x" * 1_000_000, "wort1 " * 200_000, "<p>" * 9, "房间很大", "\x00", 17, True]
)
def test_any_text_is_scored(run: sortal.Run, text: object) -> None:
    p = run.model.predict_proba({"review": text, "price": 0.5, "shop": "north"})
    assert_allclose(p.sum(), 1.0)


def test_the_columns_add_what_was_put_into_them(run: sortal.Run) -> None:
    importances = {column.column: column for column in run.record.permutation.columns}
    assert next(iter(importances)) == "review"
    assert set(importances) == {"review", "price", "shop"}
    assert 0 < importances["review"].low < importances["review"].value < importances["review"].high
    assert run.model.card.details["permutation"]["columns"][0]["column"] == "review"


def test_words_without_which_the_model_would_say_something_else_are_marked(
    run: sortal.Run, table: pl.DataFrame
) -> None:
    code = run.model.classes_.tolist().index("good")
    row = rows_of({"review": "wort1 Wunderbär wort2 wort3", "price": 0.0, "shop": "north"}, run.model.reads)
    spans, effect = word_effects(run.model, row, "review", code)
    assert spans == [(0, 5), (6, 15), (16, 21), (22, 27)]
    assert effect.argmax() == 1
    assert effect[1] > 0.5
    without = run.model.predict_proba({"review": "wort1   wort2 wort3", "price": 0.0, "shop": "north"})[0, code]
    p = run.model.predict_proba({"review": "wort1 Wunderbär wort2 wort3", "price": 0.0, "shop": "north"})[0, code]
    assert_allclose(effect[1], np.log(p / (1 - p)) - np.log(without / (1 - without)), atol=1e-9)
    assert_allclose(word_effects(run.model, row, "review", 1 - code)[1], -effect, atol=1e-9)


def test_examples_are_shown_on_a_page_of_their_own(run: sortal.Run, table: pl.DataFrame) -> None:
    page, examples = (run.folder / "examples.html").read_text(), run.record.examples
    assert (examples.part, examples.file) == ("out-of-fold", "examples.html")
    assert examples.wrong >= len(examples.mistakes) > 0
    labels = table["label"].to_list()
    for example in (*examples.mistakes, *examples.uncertain):
        assert example.truth == labels[example.row - 1]
        assert f"row {example.row}" in page
        assert (text := table["review"][example.row - 1]) is None or text.split()[-1] in page
    assert "<mark class=" in page
    assert not any(review and review in (run.folder / "report.html").read_text() for review in table["review"])


def test_what_there_is_no_time_for_is_shown_without_marks(run: sortal.Run, table: pl.DataFrame) -> None:
    problem = frame_problem(table, GoalOptions("label"), RowOptions())
    times: list[float] = []

    def twice(seconds: float) -> bool:
        times.append(seconds)
        return len(times) <= 2

    page, examples = render_examples(run.record, run.model, problem, twice), run.record.examples
    n_examples = len(examples.mistakes) + len(examples.uncertain)
    assert f"{n_examples - 2} examples without marks: no time left" in page
    assert len(times) == n_examples
    assert times[0] == 0.0 < times[1] <= times[2]
    assert all(f"row {example.row}" in page for example in (*examples.mistakes, *examples.uncertain))


def test_a_private_run_shows_no_examples(table: pl.DataFrame, tmp_path) -> None:
    private = sortal.train(table, "label", models=["logistic"], budget="1h", private=True, out=tmp_path / "run")
    assert private.record.examples is None
    assert not (private.folder / "examples.html").exists()
