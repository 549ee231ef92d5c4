"""The command line beside the trip itself: help, names, streams, and the same bytes for the same seed."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

import sortal as package
from sortal.cli import MANY_OBJECTS
from sortal.core.errors import DataError, ParityError
from sortal.core.recipe import Recipe

QUICK = ("--models", "lightgbm", "--budget", "1h")


@pytest.fixture(scope="module")
def small(churn, tmp_path_factory):
    """400 rows and five columns of the example; runs on it are short."""
    path = tmp_path_factory.mktemp("small") / "small.csv"
    columns = ["Partner", "tenure", "Contract", "PaymentMethod", "MonthlyCharges", "Churn"]
    churn.head(400).select(columns).write_csv(path)
    return path


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help_says_what_there_is(sortal, arguments):
    outcome = sortal(*arguments)
    assert (outcome.code, outcome.err) == (0, "")
    for command in ("train", "predict", "evaluate", "show", "audit", "demo"):
        assert command in outcome.out


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "show", "audit", "demo"])
def test_every_command_explains_itself(sortal, command):
    outcome = sortal(command, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"sortal {command}" in outcome.out


def test_debug_shows_where_an_error_comes_from(sortal):
    outcome = sortal("show", "nowhere.sortal", "--debug")
    assert outcome.code == 2
    assert "Traceback" in outcome.err
    assert outcome.err.endswith("sortal: the model file 'nowhere.sortal' cannot be read: no such file or directory\n")


@pytest.mark.usefixtures("hurried")
def test_runs_are_numbered_where_no_folder_is_given(sortal, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert sortal("train", small, "--target", "Churn", "--models", "logistic", "--budget", "1h").code == 0
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["small-1", "small-2"]


@pytest.mark.usefixtures("hurried")
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(sortal, small, tmp_path):
    def train(name, seed):
        outcome = sortal("train", small, "--target", "Churn", *QUICK, "--seed", seed, "--out", tmp_path / name)
        assert (outcome.code, outcome.err) == (0, "")
        return {p.name: p.read_bytes() for p in (tmp_path / name).iterdir() if p.suffix in (".sortal", ".parquet")}

    one, two, other = train("one", 1), train("two", 1), train("other", 2)
    assert one == two
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one)


def test_files_larger_than_a_batch_are_scored_as_if_read_at_once(sortal, churn_run, churn, tmp_path):
    repeats = 55
    pl.concat([churn] * repeats).write_csv(tmp_path / "large.csv")
    (tmp_path / "parts").mkdir()
    for i in range(2):
        churn.write_csv(tmp_path / "parts" / f"{i}.csv")
    once = score(sortal, churn_run, tmp_path / "parts" / "0.csv", tmp_path / "once.parquet")
    large = score(sortal, churn_run, tmp_path / "large.csv", tmp_path / "large.parquet")
    parts = score(sortal, churn_run, tmp_path / "parts", tmp_path / "parts.parquet")
    assert large.height == repeats * churn.height > 65_536
    assert large.equals(pl.concat([once] * repeats))
    assert parts.equals(pl.concat([once] * 2))


def score(sortal, churn_run, data, out):
    outcome = sortal("predict", churn_run.model, data, "-o", out)
    assert (outcome.code, outcome.err) == (0, "")
    output = pl.read_parquet(out)
    assert f"{output.height:,} rows scored" in outcome.out
    return output


def test_an_output_that_exists_is_replaced(sortal, churn_run, churn_csv, tmp_path):
    out = tmp_path / "scored.csv"
    out.write_text("old")
    assert sortal("predict", churn_run.model, churn_csv, "-o", out).code == 0
    assert pl.read_csv(out).height == 1_200
    assert list(tmp_path.iterdir()) == [out]


def test_rows_without_the_target_and_with_more_columns_in_another_order(sortal, churn_run, churn, churn_csv, tmp_path):
    expected = score(sortal, churn_run, churn_csv, tmp_path / "whole.parquet")
    names = [name for name in reversed(churn.columns) if name not in ("Churn", "customerID")]
    churn.select(*names, pl.lit("new").alias("more")).write_parquet(tmp_path / "new.parquet")
    output = score(sortal, churn_run, tmp_path / "new.parquet", tmp_path / "found.parquet")
    assert output.columns[: len(names) + 1] == [*names, "more"]
    assert output["probability_Yes"].equals(expected["probability_Yes"])


def test_values_that_training_never_saw_are_scored_and_said(sortal, churn_run, churn, tmp_path):
    odd_rows = churn.head(3).with_columns(Contract=pl.lit("Decade"), PaymentMethod=pl.lit(""), tenure=pl.lit("1e6"))
    odd_rows.write_csv(tmp_path / "odd.csv")
    outcome = sortal("predict", churn_run.model, tmp_path / "odd.csv", "-o", tmp_path / "odd.parquet", "--warnings")
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        "sortal: not as in training: 'tenure': all values lie outside 1 to 72, about the range in training, such as "
        "1,000,000",
        "sortal: not as in training: 'Contract': none of its 3 values was seen in training, such as 'Decade'",
        "sortal: not as in training: 'PaymentMethod': all values are missing, 0 % in training",
    ]
    output = pl.read_parquet(tmp_path / "odd.parquet")
    assert output["probability_Yes"].is_between(0, 1).all()
    assert output["warnings"].str.contains("'Contract': 'Decade' was never seen in training", literal=True).all()


def test_evaluate_never_says_as_promised_of_rows_unlike_those_of_training(sortal, churn_run, churn, tmp_path):
    """Another spelling of every category, and numbers a thousand times too small."""
    churn.reverse().write_csv(tmp_path / "as_before.csv")
    odd_rows = churn.with_columns(
        pl.col("Contract", "PaymentMethod").str.to_uppercase(), pl.col("tenure").cast(pl.Float64) / 1000
    )
    odd_rows.write_csv(tmp_path / "odd.csv")
    before, after = (sortal("evaluate", churn_run.model, tmp_path / f"{name}.csv") for name in ("as_before", "odd"))
    assert "not as in training" not in before.out
    assert "as promised" in before.out
    assert "as promised" not in after.out
    for text in (after.out, sortal("evaluate", churn_run.model, tmp_path / "odd.csv", "--json").out):
        words = " ".join(text.split())
        assert "'Contract': none of its 1,200 values was seen in training" in words
        assert "'tenure': " in words


def test_a_column_may_be_missing_where_that_is_allowed(sortal, churn_run, churn, tmp_path):
    churn.drop("tenure").write_csv(tmp_path / "less.csv")
    for command in ("predict", "evaluate"):
        refusal = sortal(command, churn_run.model, tmp_path / "less.csv")
        assert refusal.code == 2
        assert "no column 'tenure'" in refusal.err
        assert "--allow-missing" in refusal.err
        outcome = sortal(command, churn_run.model, tmp_path / "less.csv", "--allow-missing")
        assert outcome.code == 0
        assert "no column 'tenure', which the model reads" in outcome.err + outcome.out
        assert "as promised" not in outcome.out


@pytest.mark.parametrize(
    ("labels", "positive", "classes"),
    [
        (["0", "1"], "1", ["0", "1"]),
        (["10", "9"], "9", ["9", "10"]),
        (["True", "False"], "True", ["False", "True"]),
        (["=1+1", "a;b"], "=1+1", ["=1+1", "a;b"]),
        (["ja, sicher", "nein\n"], "nein", ["ja, sicher", "nein"]),
    ],
)
@pytest.mark.usefixtures("hurried")
def test_labels_of_any_text_and_the_positive_class(sortal, tmp_path, labels, positive, classes):
    data, out = tmp_path / "data.csv", tmp_path / "run"
    x = np.random.default_rng(1).normal(size=(2, 300))
    above = x[0] + x[1] / 2 > 0
    pl.DataFrame({"x": x[0], "y": [labels[int(a)] for a in above]}).write_csv(data)
    options = ["--target", "y", "--positive", positive, "--models", "logistic", "--budget", "1h", "--out", out]
    record = sortal("train", data, *options, "--json").json
    tidy = [label.strip() for label in labels]
    assert record["task"]["classes"] == classes
    assert record["task"]["positive"] == positive
    assert sortal("predict", out / "model.sortal", data, "-o", tmp_path / "scored.csv").code == 0
    decided = pl.read_csv(tmp_path / "scored.csv", infer_schema=False)["decision"]
    assert (decided == pl.Series([tidy[int(a)] for a in above])).mean() > 0.7
    assert sortal("evaluate", out / "model.sortal", data, "--json").json["rows"] == 300


@pytest.mark.usefixtures("hurried")
def test_costs_move_the_threshold_and_nothing_else(sortal, small, tmp_path):
    def train(name, *options):
        options = (*options, "--models", "logistic", "--budget", "1h", "--out", tmp_path / name)
        return sortal("train", small, "--target", "Churn", *options, "--json").json

    plain, costly = train("plain"), train("costly", "--cost", "fp=1,fn=3")
    assert (plain["decision"]["kind"], plain["decision"]["threshold"]) == ("argmax", None)
    assert costly["decision"]["threshold"] == pytest.approx(1 / 4)
    scores = [{row["name"]: row["mean"] for row in run["leaderboard"]} for run in (plain, costly)]
    assert scores[0]["logistic"] == scores[1]["logistic"]


def test_audit_tells_people_and_machines_the_same(sortal, small):
    outcome = sortal("audit", small, "--target", "Churn")
    report = sortal("audit", small, "--target", "Churn", "--json").json
    assert (outcome.code, outcome.err) == (0, "")
    assert "\x1b" not in outcome.out
    assert report["data"]["rows"] == 400
    assert all(finding["code"] in outcome.out for finding in report["findings"])


def test_the_module_runs_as_the_command_does():
    process = subprocess.run([sys.executable, "-m", "sortal.cli"], capture_output=True, text=True, check=True)
    assert "train" in process.stdout


def test_a_process_ends_without_searching_its_modules_for_garbage():
    code = """
import atexit, gc, sys
atexit.register(lambda: print(gc.get_freeze_count() > 10_000, gc.get_threshold()[0]))
sys.argv = ["sortal", "--version"]
from sortal.cli import main
main()
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.split()[-2:] == ["True", str(MANY_OBJECTS)]


@pytest.fixture(scope="module")
def leaky(churn, tmp_path_factory):
    """The example with its target once more, and a split that a person made, with copies on both sides."""
    path = tmp_path_factory.mktemp("leaky") / "leaky.csv"
    frame = churn.head(500).with_columns(status=pl.col("Churn").replace({"Yes": "gone", "No": "here"}))
    frame = pl.concat([frame, frame.head(60)])
    frame.with_columns(part=pl.Series(["train"] * 500 + ["test"] * 60)).write_csv(path)
    return path


def test_strict_tells_a_program_that_something_is_severe(sortal, leaky, churn_csv):
    for options, code in (((), 0), (("--strict",), 3)):
        outcome = sortal("audit", leaky, "--target", "Churn", "--ignore", "part", *options)
        assert outcome.code == code
        assert "status is the target under another name" in " ".join(outcome.out.split())
    assert outcome.err == "sortal: the audit found something severe (--strict)\n"
    assert sortal("audit", churn_csv, "--target", "Churn", "--strict").code == 0


def test_a_split_that_was_told_is_kept_and_checked(sortal, leaky, tmp_path):
    outcome = sortal(
        "train",
        leaky,
        "--target",
        "Churn",
        "--split",
        "part",
        "--ignore",
        "status",
        *QUICK,
        "--strict",
        "--out",
        tmp_path / "run",
    )
    assert outcome.code == 3
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (record["split"]["train"], record["split"]["test"]) == (500, 60)
    [copies] = [f for f in record["audit"] if f["code"] == "A002"]
    assert (copies["severity"], copies["evidence"]["rows"]) == ("severe", 60)
    [item] = [i for i in record["checklist"] if i["item"] == "parts share no rows, groups or time"]
    assert item["status"] == "fails"


def test_fix_writes_a_recipe_that_leaves_severe_columns_out(sortal, leaky, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = sortal("audit", leaky, "--target", "Churn", "--ignore", "part", "--fix")
    assert outcome.code == 0
    recipe = Recipe.read(tmp_path / "recipe.toml")
    assert recipe.rows.ignore == ("part", "status")
    assert f"sortal train {leaky} --recipe recipe.toml" in " ".join(outcome.out.split())
    repeat = sortal("audit", leaky, "--target", "Churn", "--ignore", "part", "--ignore", "status", "--fix", "--json")
    assert "status" not in {name for finding in repeat.json["findings"] for name in finding["columns"]}
    assert Recipe.read(tmp_path / "recipe.toml") == recipe
    refusal = sortal("audit", leaky, "--target", "Partner", "--fix")
    assert (refusal.code, "predicts 'Churn'; move it away" in refusal.err) == (2, True)


@pytest.mark.usefixtures("hurried")
def test_a_second_look_is_a_finding(sortal, small, tmp_path):
    run = tmp_path / "run"
    assert sortal("train", small, "--target", "Churn", *QUICK, "--out", run).code == 0
    for looks in (2, 3):
        assert sortal("evaluate", run / "model.sortal", "--sealed").code == 0
        audit = json.loads((run / "run.json").read_text())["audit"]
        assert [f["evidence"]["opens"] for f in audit if f["code"] == "A005"] == [looks]


def test_fix_leaves_out_all_columns_that_are_missing_together(sortal, churn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mark = pl.when(pl.col("Churn") == "Yes").then(pl.lit("there"))
    rng = np.random.default_rng(0)
    numbers = {name: pl.Series(rng.normal(size=churn.height)) for name in ("date", "sum")}
    marked_columns = [pl.when(pl.col("Churn") == "Yes").then(v).alias(name) for name, v in numbers.items()]
    churn.with_columns(*marked_columns, mark.alias("who")).write_csv("later.csv")
    assert sortal("audit", "later.csv", "--target", "Churn", "--fix").code == 0
    assert {"date", "sum"} <= set(Recipe.read(tmp_path / "recipe.toml").rows.ignore)


def test_the_version(sortal):
    outcome = sortal("--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"sortal {package.__version__}\n", "")


def test_an_audit_is_kept_as_json(sortal, small, tmp_path):
    out = tmp_path / "found.json"
    outcome = sortal("audit", small, "--target", "Churn", "--f-beta", "2", "-o", out)
    assert (outcome.code, outcome.err) == (0, "")
    report = sortal("audit", small, "--target", "Churn", "--f-beta", "2", "--json").json
    assert json.loads(out.read_bytes()) == report
    assert (report["task"]["goal"], report["task"]["beta"]) == ("f1", 2.0)
    refusal = sortal("audit", small, "--target", "Churn", "-o", tmp_path / "found.html")
    assert (refusal.code, "call it found.json" in refusal.err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["found.json"]


def test_audit_and_train_seal_the_same_rows(sortal, small, tmp_path):
    """What is promised takes rows of its own, so that an audit without the promise sees others."""
    options = (small, "--target", "Churn", "--positive", "No", "--precision", "0.8", "--seed", "4", "--json")
    audited = sortal("audit", *options).json
    run = sortal("train", *options, "--models", "logistic", "--budget", "1h", "-o", tmp_path / "run").json
    for part in ("train", "valid", "test", "prevalence", "method"):
        assert audited["split"][part] == run["split"][part]
    assert audited["split"]["valid"] == 80
    assert audited["task"] == run["task"]


@pytest.mark.usefixtures("hurried")
def test_an_option_beside_the_recipe_of_a_run_makes_another_run(sortal, small, tmp_path):
    quick = ("--models", "logistic", "--budget", "1h")
    assert sortal("train", small, "--target", "Churn", *quick, "-o", tmp_path / "one").code == 0
    recipe = tmp_path / "one" / "recipe.toml"
    outcome = sortal("train", small, "--recipe", recipe, "--cost", "fp=1,fn=3", "-o", tmp_path / "two")
    assert outcome.code == 0
    assert outcome.err == f"sortal: {recipe} does not say all of that, so candidates are tried anew\n"
    record = json.loads((tmp_path / "two" / "run.json").read_text())
    assert record["decision"]["threshold"] == pytest.approx(1 / 4)
    assert Recipe.read(tmp_path / "two" / "recipe.toml").goal.cost == "fp=1,fn=3"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ParityError("it is not the same"), 1, "sortal: it is not the same\n"),
        (DataError("no such row"), 2, "sortal: no such row\n"),
        (BrokenPipeError(), 1, ""),
        (
            OSError(28, "No space left on device", "x.csv"),
            2,
            "sortal: the system refused (x.csv): No space left on device\n",
        ),
        (MemoryError(), 2, "sortal: not enough memory; use fewer columns (--ignore) or fewer rows\n"),
        (KeyError("k"), 1, "sortal: a bug of sortal: KeyError: 'k'; --debug shows where\n"),
    ],
)
def test_whose_fault_it_was_is_the_exit_code(sortal, monkeypatch, error, code, message):
    def fail(*arguments):
        raise error

    monkeypatch.setattr("sortal.artifact.model.load", fail)
    monkeypatch.setattr("sortal.endings._discard_output", lambda: None)
    outcome = sortal("show", "m.sortal")
    assert (outcome.code, outcome.err) == (code, message)
