"""The command line beside the trip itself: help, names, streams, and the same bytes for the same seed."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from sortal.core.recipe import Recipe

QUICK = ("--models", "lightgbm", "--budget", "1h")


@pytest.fixture(scope="module")
def small(churn, tmp_path_factory):
    """400 rows of the example; runs on it are short."""
    path = tmp_path_factory.mktemp("small") / "small.csv"
    churn.head(400).write_csv(path)
    return path


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help_says_what_there_is(sortal, arguments):
    told = sortal(*arguments)
    assert (told.code, told.err) == (0, "")
    for command in ("train", "predict", "evaluate", "show", "audit", "demo"):
        assert command in told.out


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "show", "audit", "demo"])
def test_every_command_explains_itself(sortal, command):
    told = sortal(command, "--help")
    assert (told.code, told.err) == (0, "")
    assert f"sortal {command}" in told.out


def test_debug_shows_where_an_error_comes_from(sortal):
    told = sortal("show", "nowhere.sortal", "--debug")
    assert told.code == 2
    assert "Traceback" in told.err
    assert told.err.endswith("sortal: the model file 'nowhere.sortal' cannot be read: no such file or directory\n")


def test_runs_are_numbered_where_no_folder_is_given(sortal, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert sortal("train", small, "--target", "Churn", "--models", "logistic", "--budget", "1h").code == 0
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["small-1", "small-2"]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(sortal, small, tmp_path):
    def trained(name, seed):
        told = sortal("train", small, "--target", "Churn", *QUICK, "--seed", seed, "--out", tmp_path / name)
        assert (told.code, told.err) == (0, "")
        return {p.name: p.read_bytes() for p in (tmp_path / name).iterdir() if p.suffix in (".sortal", ".parquet")}

    one, two, other = trained("one", 1), trained("two", 1), trained("other", 2)
    assert one == two
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one)


def test_files_larger_than_a_batch_are_scored_as_if_read_at_once(sortal, trained, churn, tmp_path):
    repeats = 60
    pl.concat([churn] * repeats).write_csv(tmp_path / "large.csv")
    (tmp_path / "parts").mkdir()
    for i in range(2):
        churn.write_csv(tmp_path / "parts" / f"{i}.csv")
    once = scored(sortal, trained, tmp_path / "parts" / "0.csv", tmp_path / "once.parquet")
    large = scored(sortal, trained, tmp_path / "large.csv", tmp_path / "large.parquet")
    parts = scored(sortal, trained, tmp_path / "parts", tmp_path / "parts.parquet")
    assert large.height == repeats * churn.height > 65_536
    assert large.equals(pl.concat([once] * repeats))
    assert parts.equals(pl.concat([once] * 2))


def scored(sortal, trained, data, out):
    told = sortal("predict", trained.model, data, "-o", out)
    assert (told.code, told.err) == (0, "")
    found = pl.read_parquet(out)
    assert f"{found.height:,} rows scored" in told.out
    return found


def test_an_output_that_exists_is_replaced(sortal, trained, churn_csv, tmp_path):
    out = tmp_path / "scored.csv"
    out.write_text("old")
    assert sortal("predict", trained.model, churn_csv, "-o", out).code == 0
    assert pl.read_csv(out).height == 1_200
    assert list(tmp_path.iterdir()) == [out]


def test_rows_without_the_target_and_with_more_columns_in_another_order(sortal, trained, churn, churn_csv, tmp_path):
    whole = scored(sortal, trained, churn_csv, tmp_path / "whole.parquet")
    names = [name for name in reversed(churn.columns) if name not in ("Churn", "customerID")]
    churn.select(*names, pl.lit("new").alias("more")).write_parquet(tmp_path / "new.parquet")
    found = scored(sortal, trained, tmp_path / "new.parquet", tmp_path / "found.parquet")
    assert found.columns[: len(names) + 1] == [*names, "more"]
    assert found["probability_Yes"].equals(whole["probability_Yes"])


def test_values_that_training_never_saw_are_scored(sortal, trained, churn, tmp_path):
    odd = churn.head(3).with_columns(Contract=pl.lit("Decade"), PaymentMethod=pl.lit(""), tenure=pl.lit("1e6"))
    odd.write_csv(tmp_path / "odd.csv")
    found = scored(sortal, trained, tmp_path / "odd.csv", tmp_path / "odd.parquet")
    assert found["probability_Yes"].is_between(0, 1).all()


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


def test_costs_move_the_threshold_and_nothing_else(sortal, small, tmp_path):
    def train(name, *options):
        options = (*options, "--models", "logistic", "--budget", "1h", "--out", tmp_path / name)
        return sortal("train", small, "--target", "Churn", *options, "--json").json

    plain, costly = train("plain"), train("costly", "--cost", "fp=1,fn=3")
    assert (plain["decision"]["kind"], plain["decision"]["threshold"]) == ("argmax", None)
    assert costly["decision"]["threshold"] == pytest.approx(1 / 4)
    scores = [{row["name"]: row["mean"] for row in run["leaderboard"]} for run in (plain, costly)]
    assert scores[0]["logistic"] == scores[1]["logistic"]


def test_audit_tells_people_and_machines_the_same(sortal, churn_csv):
    told = sortal("audit", churn_csv, "--target", "Churn")
    found = sortal("audit", churn_csv, "--target", "Churn", "--json").json
    assert (told.code, told.err) == (0, "")
    assert "\x1b" not in told.out
    assert found["data"]["rows"] == 1_200
    assert all(finding["code"] in told.out for finding in found["findings"])


def test_the_module_runs_as_the_command_does():
    done = subprocess.run([sys.executable, "-m", "sortal.cli"], capture_output=True, text=True, check=True)
    assert "train" in done.stdout


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
        told = sortal("audit", leaky, "--target", "Churn", "--ignore", "part", *options)
        assert told.code == code
        assert "status is the target under another name" in " ".join(told.out.split())
    assert told.err == "sortal: the audit found something severe (--strict)\n"
    assert sortal("audit", churn_csv, "--target", "Churn", "--strict").code == 0


def test_a_split_that_was_told_is_kept_and_checked(sortal, leaky, tmp_path):
    told = sortal(
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
    assert told.code == 3
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (record["split"]["train"], record["split"]["test"]) == (500, 60)
    [copies] = [f for f in record["audit"] if f["code"] == "A002"]
    assert (copies["severity"], copies["evidence"]["rows"]) == ("severe", 60)
    [item] = [i for i in record["checklist"] if i["item"] == "parts share no rows, groups or time"]
    assert item["status"] == "fails"


def test_fix_writes_a_recipe_that_leaves_severe_columns_out(sortal, leaky, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = sortal("audit", leaky, "--target", "Churn", "--ignore", "part", "--fix")
    assert told.code == 0
    recipe = Recipe.read(tmp_path / "recipe.toml")
    assert recipe.ignore == ("part", "status")
    assert f"sortal train {leaky} --recipe recipe.toml" in " ".join(told.out.split())
    again = sortal("audit", leaky, "--target", "Churn", "--ignore", "part", "--ignore", "status", "--fix", "--json")
    assert again.json["findings"] is not None
    assert Recipe.read(tmp_path / "recipe.toml") == recipe
    refused = sortal("audit", leaky, "--target", "Partner", "--fix")
    assert (refused.code, "predicts 'Churn'; move it away" in refused.err) == (2, True)


def test_a_second_look_is_a_finding(sortal, small, tmp_path):
    run = tmp_path / "run"
    assert sortal("train", small, "--target", "Churn", *QUICK, "--out", run).code == 0
    for looks in (2, 3):
        assert sortal("evaluate", run / "model.sortal", "--sealed").code == 0
        audit = json.loads((run / "run.json").read_text())["audit"]
        assert [f["evidence"]["opens"] for f in audit if f["code"] == "A005"] == [looks]


def test_fix_leaves_out_all_columns_that_are_missing_together(sortal, churn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = pl.when(pl.col("Churn") == "Yes").then(pl.lit("there"))
    rng = np.random.default_rng(0)
    numbers = {name: pl.Series(rng.normal(size=churn.height)) for name in ("date", "sum")}
    filled = [pl.when(pl.col("Churn") == "Yes").then(v).alias(name) for name, v in numbers.items()]
    churn.with_columns(*filled, here.alias("who")).write_csv("later.csv")
    assert sortal("audit", "later.csv", "--target", "Churn", "--fix").code == 0
    assert {"date", "sum"} <= set(Recipe.read(tmp_path / "recipe.toml").ignore)
