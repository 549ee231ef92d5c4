"""The trip as a page: who hears what and when, and what is on disk meanwhile."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.artifact.model import Model, load
from sortal.core.errors import DataError, InputError
from sortal.core.interval import Estimate
from sortal.core.recipe import Recipe
from sortal.core.schema import Column, Schema
from sortal.core.task import Task
from sortal.data.ledger import Seal
from sortal.data.read import Source
from sortal.decide.policy import Decision
from sortal.engine import Program
from sortal.evaluate.figures import figures
from sortal.evaluation import evaluate, score_labelled
from sortal.record.events import RunObserver
from sortal.record.fresh import judge
from sortal.workflow import next_folder, train_into

pytestmark = pytest.mark.usefixtures("all_hurried")

RECIPE = Recipe.of("Churn", models=("logistic",), budget=3_600.0)


class Witness(RunObserver):
    """Notes what it hears, and what it sees on disk meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[str] = []
        self.opens: dict[str, int] = {}

    def phase(self, name):
        self.events.append(name)
        partial = list(self.folder.glob(".run.partial-*"))
        if partial and (partial[0] / "ledger.jsonl").exists():
            self.opens[name] = Seal(partial[0]).opens
        assert not (self.folder / "run").exists()

    def framed(self, data, columns, task, split):
        self.events.append(f"framed {split.train} and {split.test} rows")

    def audited(self, findings, timed_out):
        self.events.append("audited")


@pytest.fixture
def rows(churn):
    return churn.head(300)


def test_steps_are_heard_in_order_and_the_test_stays_closed_until_its_step(rows, tmp_path):
    witness = Witness(tmp_path)
    record = train_into(tmp_path / "run", rows, RECIPE, witness, time.monotonic())
    steps = ["READ", "framed 255 and 45 rows", "AUDIT", "audited", "TRAIN", "FINALIZE", "TEST", "REPORT"]
    assert witness.events == steps
    assert witness.opens == dict.fromkeys(["AUDIT", "TRAIN", "FINALIZE", "TEST"], 0) | {"REPORT": 1}
    assert [phase.name for phase in record.timing.phases] == ["start", *(s.lower() for s in steps if s.isupper())]
    assert sum(phase.seconds for phase in record.timing.phases) == pytest.approx(record.timing.wall_seconds)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("step", ["READ", "TRAIN", "FINALIZE", "REPORT"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_whatever_goes_wrong_leaves_nothing(rows, tmp_path, step, error):
    class Trouble(RunObserver):
        def phase(self, name):
            if name == step:
                raise error("trouble")

    with pytest.raises(error, match="trouble"):
        train_into(tmp_path / "deep" / "run", rows, RECIPE, Trouble(), time.monotonic())
    assert list(tmp_path.iterdir()) == []


def test_the_record_on_disk_is_the_record_that_is_returned(rows, tmp_path):
    record = train_into(tmp_path / "run", rows, RECIPE, RunObserver(), time.monotonic())
    assert (tmp_path / "run" / "run.json").read_bytes() == record.to_json()
    model = load(tmp_path / "run" / "model.sortal")
    assert set(model.metrics) == {"out-of-fold", "test"}
    sealed = pl.read_parquet(tmp_path / "run" / "sealed" / "test.parquet")
    assert sealed.columns == rows.columns
    assert record.split.test == sealed.height == sum(map(sum, record.confusion.counts)) == 45
    assert [sum(row) for row in record.confusion.counts] == [
        (sealed["Churn"] == label).sum() for label in record.task.classes
    ]


def test_a_run_may_be_moved(rows, tmp_path):
    train_into(tmp_path / "run", rows, RECIPE, RunObserver(), time.monotonic())
    (tmp_path / "run").rename(tmp_path / "moved")
    evaluation = evaluate(tmp_path / "moved" / "model.sortal", [], sealed=True)
    assert evaluation.ledger is not None
    assert evaluation.ledger.opens == 2


def test_unlabelled_rows_are_left_out_of_an_evaluation(churn_run, churn, tmp_path):
    half_labelled = churn.with_columns(Churn=pl.when(pl.int_range(pl.len()) % 2 == 0).then("Churn"))
    half_labelled.write_csv(tmp_path / "half.csv")
    churn.gather_every(2).write_csv(tmp_path / "labelled.csv")
    one, other = (evaluate(churn_run.model, [str(tmp_path / name)]) for name in ("half.csv", "labelled.csv"))
    assert one.rows == other.rows == 600
    assert one.comparisons == other.comparisons


def test_a_copy_of_the_sealed_rows_counts_as_a_look(churn_run, tmp_path):
    """By its content, wherever it lies."""
    import shutil

    run = shutil.copytree(churn_run.folder, tmp_path / "run")
    copy = shutil.copy(run / "sealed" / "test.parquet", tmp_path / "innocent.parquet")
    evaluation = evaluate(run / "model.sortal", [copy])
    assert evaluation.ledger is not None
    assert (evaluation.ledger.opens, evaluation.ledger.blind) == (2, False)
    assert Seal(run).entries[-1].reason == "sortal evaluate"


def test_a_model_that_got_worse_is_told(churn_run, churn, tmp_path):
    flipped_labels = churn.with_columns(Churn=pl.col("Churn").replace({"Yes": "No", "No": "Yes"}))
    flipped_labels.write_csv(tmp_path / "swapped.csv")
    evaluation = evaluate(churn_run.model, [str(tmp_path / "swapped.csv")])
    assert {"roc_auc", "log_loss", "accuracy", "expected_cost"} <= set(evaluation.worse)


def a_model() -> Model:
    """Reads two numbers, and knows the column of groups."""
    program = Program(
        "chain",
        steps=(
            Program("table", steps=(Program("number", {"column": "age"}), Program("number", {"column": "fee"}))),
            Program("fill", {}, {"value": np.zeros(2), "indicator": np.array([], dtype=np.int32)}),
            Program("linear", {"link": "sigmoid"}, {"coef": np.array([[0.1, 0.2]]), "intercept": np.zeros(1)}),
        ),
    )
    columns = (Column("age", "number"), Column("fee", "number"), Column("shop", "category", "group"))
    task = Task("y", ("no", "yes"), (0.5, 0.5), "yes", "log_loss", (), ())
    return Model(
        schema=Schema((*columns, Column("y", "category", "target"))),
        task=task,
        decision=Decision("argmax", task.classes, "yes"),
        program=program,
        metrics={"test": {"accuracy": Estimate(0.5, 0.0, 1.0)}},
    )


def test_groups_and_missing_columns_reach_the_judgement():
    """Rows of one group vary together, unlabelled rows are counted, and what was allowed to be missing is known."""
    model = a_model()
    rows = pl.DataFrame({"shop": ["a", "b", "a", "c"], "y": ["yes", None, "no", "no"], "age": [1.0, 2.0, None, -4.0]})
    result = score_labelled(model, Source(rows, "new.csv"), "fresh", allow_missing=True)
    assert (groups := result.predictions.groups).tolist() == [groups[0], groups[0], groups[2]]
    assert groups[0] != groups[2]
    assert (result.unlabelled, result.absent) == (1, ("fee",))
    assert result.predictions.rows.tolist() == [0, 2, 3]
    assert result.predictions.truth.tolist() == [1, 0, 0]
    np.testing.assert_allclose(result.columns["age"], [1.0, np.nan, -4.0])
    np.testing.assert_allclose(result.predictions.probability[:, 1], 1 / (1 + np.exp([-0.1, 0.0, 0.4])))
    with pytest.raises(DataError, match="no column 'fee'"):
        score_labelled(model, Source(rows, "new.csv"), "fresh")


labels = st.lists(st.sampled_from(["yes", "no", "maybe", "Yes", None]), min_size=1, max_size=12)


@given(labels)
@settings(max_examples=25)
def test_rows_of_no_class_are_left_out_and_said(labels: list[str | None]) -> None:
    """Figures are those without them, and nothing is simply as promised; where no label is a class, it is refused."""
    model, rng = a_model(), np.random.default_rng(0)
    frame = pl.DataFrame({"age": rng.normal(size=len(labels)), "fee": rng.normal(size=len(labels)), "y": labels})
    known_rows = frame.filter(pl.col("y").is_in(["yes", "no"]))
    strange = [label for label in labels if label in ("maybe", "Yes")]
    if not known_rows.height:
        with pytest.raises(InputError, match=r"none of its classes|no row of new\.csv has a label"):
            score_labelled(model, Source(frame.cast({"y": pl.String}), "new.csv"), "fresh")
        return
    fresh = score_labelled(model, Source(frame, "new.csv"), "fresh")
    whole, without = (
        judge("m", model, score_labelled(model, Source(f, "new.csv"), "fresh")) for f in (frame, known_rows)
    )
    assert (whole.rows, whole.of_no_class, whole.unlabelled) == (known_rows.height, len(strange), labels.count(None))
    assert [(c.metric, c.observed) for c in whole.comparisons] == [(c.metric, c.observed) for c in without.comparisons]
    np.testing.assert_array_equal(fresh.raw["age"], known_rows["age"])
    notes = [note.partition(":")[0] for note in whole.notes if "of no class of the model" in note]
    rows_are = "1 row is" if len(strange) == 1 else f"{len(strange)} rows are"
    assert notes == [f"{rows_are} of no class of the model (such as {name!r})" for name in strange[:1]]
    [verdict] = [c.verdict for c in whole.comparisons if c.metric == "accuracy"]
    assert verdict == ("with reservation" if strange else "as promised")


def test_the_next_free_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert next_folder(["data/churn.2024.csv"]) == Path("runs", "churn-1")
    Path("runs", "churn-1").mkdir(parents=True)
    assert next_folder(["data/churn.csv", "more.csv"]) == Path("runs", "churn-2")
    assert next_folder([".hidden"]) == Path("runs", "run-1")


@pytest.mark.clock
def test_the_time_of_a_row_is_what_whoever_asks_for_one_waits(rows, tmp_path):
    """Through the door, not of the program alone: a dict, as a user has it, to its probabilities."""
    record = train_into(tmp_path / "run", rows, RECIPE, RunObserver(), time.monotonic())
    model, row, seconds = load(tmp_path / "run" / "model.sortal"), rows.row(0, named=True), []
    for _ in range(50):
        start = time.perf_counter()
        model.predict_proba(row)
        seconds.append(time.perf_counter() - start)
    assert 0.5 < record.artifact.row_microseconds / (1e6 * np.median(seconds)) < 2
    assert record.artifact.row_microseconds > record.chosen.program_microseconds


def test_the_test_is_told_from_how_many_rows_its_shares_of_classes_are(churn_run):
    """Nothing but its interval differs from that of rows that came one by one, and it is narrower."""
    model, record = load(churn_run.model), churn_run.record
    sealed = Source(pl.read_parquet(churn_run.folder / "sealed" / "test.parquet"), "the sealed test")
    rows = score_labelled(model, sealed, "test").predictions
    decided = model.decision.decide(rows)
    by_row = figures(model.task, rows, decided, record["seed"])
    for name in ("log_loss", "average_precision", "expected_cost"):
        stratified, simple = record["test"][name], by_row[name]
        assert stratified["value"] == pytest.approx(simple.value)
        assert 0.5 < (stratified["high"] - stratified["low"]) / (simple.high - simple.low) < 0.995
