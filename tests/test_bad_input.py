"""Whatever is wrong with what was handed in: one clear sentence, exit code 2, and nothing is written."""

from __future__ import annotations

import json
import os
import pickle
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sortal as sortal_package

ROWS = 60
QUICK = ("--models", "logistic", "--budget", "1h")
RNG = np.random.default_rng(0)
GOOD = {
    "x": [f"{value:.3f}" for value in RNG.normal(size=ROWS)],
    "y": [f"{value:.3f}" for value in RNG.normal(size=ROWS)],
    "city": [("Ulm", "Bonn", "Kiel")[i % 3] for i in range(ROWS)],
    "churn": [("no", "no", "yes")[i * 7 % 3] for i in range(ROWS)],
    "size": [("small", "medium", "large", "huge")[i % 4] for i in range(ROWS)],
}


@pytest.fixture
def table(tmp_path):
    """``table(x=[...])`` is a file of good rows with other columns x; None leaves a column out."""

    def write(name="data.csv", rows=ROWS, **columns) -> Path:
        data = {n: values[:rows] for n, values in {**GOOD, **columns}.items() if values is not None}
        frame = pl.DataFrame(data)
        path = tmp_path / name
        frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)
        return path

    return write


@pytest.fixture
def refusal(sortal, tmp_path):
    """Run a command that has to be refused; gives the sentence."""

    def run(*arguments) -> str:
        before = contents(tmp_path)
        outcome = sortal(*arguments)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert re.fullmatch(r"sortal: [^\n]+\n", outcome.err), outcome.err
        assert "Traceback" not in outcome.err
        assert contents(tmp_path) == before
        return outcome.err.removeprefix("sortal: ").strip()

    return run


@pytest.fixture
def train(refusal, tmp_path):
    """Run a training that has to be refused; gives the sentence."""

    def run(data, *options, target="churn") -> str:
        return refusal("train", data, "--target", target, "--budget", "1h", "--out", tmp_path / "run", *options)

    return run


def contents(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


# Files


def test_missing_file(train, table, tmp_path):
    table("churn.csv")
    assert "no file 'chrun.csv' in" in train(tmp_path / "chrun.csv")
    assert "did you mean 'churn.csv'?" in train(tmp_path / "chrun.csv")
    assert "no folder" in train(tmp_path / "nowhere" / "churn.csv")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "empty.csv is empty"),
        ("blank.csv", b"\n \n", "blank.csv is empty"),
        ("header.csv", b"x,churn\n", "has a header but no rows"),
        ("binary.csv", bytes(range(256)) * 40, "binary.csv"),
        ("noise.csv", np.random.default_rng(3).bytes(5_000), "noise.csv"),
        ("zeros.csv", bytes(1_000), "zeros.csv"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG image"),
        ("object.csv", pickle.dumps({"x": [1]}), "never loaded"),
        ("cut.parquet", b"PAR1" + bytes(100), "damaged or cut off"),
        ("text.parquet", b"x,churn\n1,yes\n", "its content is none"),
        ("page.csv", b"<!DOCTYPE html><html></html>", "a web page"),
        ("ragged.csv", b"x,churn\n1,yes\n2,no,5,6\n3,no\n" * 5, "ragged.csv"),
    ],
)
def test_a_file_that_is_no_table(train, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    sentence = train(tmp_path / name)
    assert message in sentence
    assert name in sentence


def test_a_folder_without_data(train, tmp_path):
    (tmp_path / "parts").mkdir()
    assert "holds no data files" in train(tmp_path / "parts")


def test_parts_that_differ(train, table, tmp_path):
    one, other = table("one.csv"), table("two.csv", city=None)
    assert "one.csv has a column 'city' that two.csv lacks" in train(one, other)


def test_one_row(train, table):
    assert "one class only" in train(table(rows=1))


def test_no_column_to_predict_from(train, table):
    only = dict.fromkeys(("x", "y", "city", "size"))
    assert "no column left to predict from: the target is its only column" in train(table(**only))
    empty = {**only, "x": [None] * ROWS}
    assert "x: all values are missing" in train(table(**empty))


# The target


def test_no_such_target(train, table):
    assert "no column 'chrun' in data.csv; did you mean 'churn'? (there are: x, y, city" in train(
        table(), target="chrun"
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["yes"] * ROWS, "has one class only ('yes' in 60 rows)"),
        ([None] * ROWS, "has no values: all 60 rows are missing"),
        (["", "NA", "?"] * 20, "has no values: all 60 rows are missing"),
        ([f"id{i}" for i in range(ROWS)], "has 60 distinct values in 60 rows"),
        (["yes"] + ["no"] * 59, "class 'yes' of the target 'churn' has one row"),
        ([f"{i / 7:.4f}" for i in range(ROWS)], "looks continuous: 60 distinct numbers in 60 rows"),
        ([str(100 + i // 2) for i in range(ROWS)], "bins cut at its quartiles"),
    ],
)
def test_a_target_that_cannot_be_learned(train, table, values, message):
    sentence = train(table(churn=values))
    assert message in sentence
    assert "'churn'" in sentence


def test_no_target_given(refusal, table, tmp_path):
    assert "--target" in refusal("train", table(), "--out", tmp_path / "run")


# The features


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_infinity(train, table, name):
    values = [None, float("nan"), 1.5, float("inf"), *range(ROWS - 4)]
    values = [None if v is None else float(v) for v in values]
    sentence = train(table(name, x=values))
    assert "column 'x' of " + name in sentence
    assert "(infinity) in row 4" in sentence


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cost", "fp=1"], "the cost of fn is not given; name both errors"),
        (["--cost", "fn=8"], "the cost of fp is not given"),
        (["--cost", "fp=1,fn=-8"], "the cost of fn is negative (-8)"),
        (["--cost", "fp=1,fn=much"], "which is not a number"),
        (["--cost", "fp=1,fn=nan"], "finite"),
        (["--cost", "fp=0,fn=0"], "every decision costs the same"),
        (["--cost", "fp=1,fn=1,fx=3"], "no outcome is called 'fx'"),
        (["--cost", "fp=1,fp=2,fn=1"], "given twice"),
        (["--cost", "8"], "neither like fp=1,fn=8 nor a file"),
        (["--cost", "nowhere.csv"], "'nowhere.csv'"),
        (["--budget", "0"], "--budget 0 leaves no time"),
        (["--budget", "-5s"], "--budget -5s is not a time"),
        (["--budget", "soon"], "--budget soon is not a time"),
        (["--positive", "maybe"], "'maybe' is no class of the target 'churn'; (there are: no, yes)"),
        (["--metric", "accuracee"], "did you mean 'accuracy'?"),
        (["--metric", "expected_cost"], "needs costs"),
        (["--models", "lightgmb"], "did you mean 'lightgbm' or 'lightgbm_prep'?"),
        (["--models", "perceptron"], "no model 'perceptron'"),
        (["--kind", "x=colour"], "no kind 'colour' (asked for column 'x')"),
        (["--kind", "z=number"], "no column 'z' in data.csv"),
        (["--kind", "city"], "should read COLUMN=KIND"),
        (["--kind", "city=number"], "column 'city' cannot be of kind number: row 1 holds 'Ulm'"),
        (["--kind", "churn=number"], "column 'churn' is the target, which is always a category"),
        (["--ignore", "z"], "no column 'z' in data.csv"),
        (["--ignore", "churn"], "cannot be both target and ignore"),
        (["--time", "city"], "column 'city' cannot be the time"),
        (["--time", "z"], "no column 'z' in data.csv"),
        (["--group", "z"], "no column 'z' in data.csv"),
        (["--group", "churn"], "cannot be both target and group"),
        (["--split", "70/30/20"], "'70/30/20'"),
        (["--split", "half"], "'half'"),
        (["--split", "0/100"], "'0/100'"),
        (["--split", "-5/105"], "'-5/105'"),
        (["--select", "0"], "select 0 is no number of columns"),
        (["--select", "-3"], "select -3 is no number of columns"),
        (["--seed", "-1"], "seed -1 is out of range"),
        (["--seed", "pi"], "'--seed'"),
        (["--f1", "--cost", "fp=1,fn=2"], "two different goals"),
    ],
)
def test_an_option_that_does_not_fit(train, table, options, message):
    assert message in train(table(), *options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cost", "fp=1,fn=8"], "fp and fn are the errors of two classes, but the target has 4"),
        (["--positive", "huge"], "a positive class needs two classes"),
        (["--f1"], "needs two classes"),
        (["--metric", "roc_auc", "--f1"], "two classes"),
        (["--metric", "recall_at_precision"], "is for two classes"),
    ],
)
def test_an_option_that_is_for_two_classes(train, table, options, message):
    assert message in train(table(), *options, target="size")


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ("truth,small,medium,large\nsmall,0,1,1\n", "lack"),
        ("truth,small,medium,large,tiny\nsmall,0,1,1,1\n", "'tiny'"),
        ("truth,small,medium\nsmall,0\n", "row 2"),
        ("truth,small,medium,large,huge\nsmall,0,1,1,inf\n", "finite"),
    ],
)
def test_a_cost_matrix_that_does_not_fit(train, table, tmp_path, matrix, message):
    (tmp_path / "costs.csv").write_text(matrix)
    assert message in train(table(), "--cost", tmp_path / "costs.csv", target="size")


def test_an_existing_out(refusal, table, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("keep")
    sentence = refusal("train", table(), "--target", "churn", "--out", tmp_path / "run")
    assert "run' exists already; choose another name or remove it" in sentence


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "show", "audit"])
def test_a_mistake_in_the_usage(refusal, command):
    assert f"see sortal {command} --help" in refusal(command)
    assert "no such option: --nonsense" in refusal(command, "--nonsense")


def test_no_such_command(refusal):
    assert "did you mean 'train', 'retrain'?" in refusal("trian").lower()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no recipe can be read from"),
        (b"\xff\xfe", "no recipe can be read from"),
        (b"target = ", "is not a recipe of sortal"),
        (b"seed = 1\n", "is not a recipe of sortal"),
        (b'target = "churn"\nseed = "one"\n', "is not a recipe of sortal"),
        (b'target = "churn"\nbudget = -1.0\n', "budget"),
        (b'target = "churn"\ntraget = "chrun"\n', "traget"),
    ],
)
def test_an_unreadable_recipe(refusal, table, tmp_path, content, message):
    path = tmp_path / "recipe.toml"
    if content is not None:
        path.write_bytes(content)
    sentence = refusal("train", table(), "--recipe", path, "--out", tmp_path / "run")
    assert message in sentence
    assert "recipe.toml" in sentence


def test_a_recipe_and_other_options(refusal, table, tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('target = "churn"\nseed = 2\n')
    sentence = refusal("train", table(), "--recipe", path, "--f1", "--seed", 3, "--out", tmp_path / "run")
    assert "--seed contradicts recipe.toml, which says seed = 2; leave one of them out" in sentence


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--target", "chrun"], "did you mean 'churn'?"), (["--target", "churn", "--time", "city"], "cannot be the time")],
)
def test_an_audit_that_cannot_be(refusal, table, options, message):
    assert message in refusal("audit", table(), *options)


# Model files


def damaged_versions(content: bytes) -> dict[str, bytes]:
    copy = bytearray(content)
    copy[len(content) // 3] ^= 1
    return {
        "empty": b"",
        "truncated": content[: len(content) // 2],
        "cut at the end": content[:-1],
        "changed byte": bytes(copy),
        "something else": b"customerID,gender\n1,Female\n",
    }


def rewrite(model: Path, path: Path, change) -> None:
    """The members of a model file, changed, in a zip that is well formed."""
    with zipfile.ZipFile(model) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in change(members).items():
            archive.writestr(name, content)


def with_protocol(members):
    manifest = {**json.loads(members["manifest.json"]), "protocol": 99}
    return {**members, "manifest.json": json.dumps(manifest).encode()}


COMMANDS = {
    "show": lambda model, data, folder: ("show", model),
    "predict": lambda model, data, folder: ("predict", model, data, "-o", folder / "scored.csv"),
    "evaluate": lambda model, data, folder: ("evaluate", model, data),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("damage", list(damaged_versions(bytes(100))))
def test_a_damaged_model_file(refusal, churn_run, churn_csv, tmp_path, command, damage):
    path = tmp_path / "m.sortal"
    path.write_bytes(damaged_versions(churn_run.model.read_bytes())[damage])
    assert "m.sortal" in refusal(*COMMANDS[command](path, churn_csv, tmp_path))


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_protocol(refusal, churn_run, churn_csv, tmp_path, command):
    path = tmp_path / "m.sortal"
    rewrite(churn_run.model, path, with_protocol)
    sentence = refusal(*COMMANDS[command](path, churn_csv, tmp_path))
    assert "m.sortal" in sentence
    assert "protocol 99" in sentence


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["../outside.json", "/etc/outside.json", "arrays/../../x.npy", "C:\\x.json"])
def test_a_path_outside_of_the_model_file(refusal, churn_run, churn_csv, tmp_path, command, name):
    path = tmp_path / "m.sortal"
    rewrite(churn_run.model, path, lambda members: {**members, name: b"{}"})
    assert "m.sortal is unsafe" in refusal(*COMMANDS[command](path, churn_csv, tmp_path))


@pytest.mark.parametrize("command", COMMANDS)
def test_no_model_file(refusal, churn_csv, tmp_path, command):
    assert "nowhere.sortal" in refusal(*COMMANDS[command](tmp_path / "nowhere.sortal", churn_csv, tmp_path))
    assert str(tmp_path) in refusal(*COMMANDS[command](tmp_path, churn_csv, tmp_path))


def test_a_model_in_the_place_of_the_data(refusal, churn_run):
    assert "a sortal model" in refusal("predict", churn_run.model, churn_run.model)


# Prediction and evaluation


@pytest.fixture
def rows(churn, tmp_path):
    """``rows(gender=...)`` is a file of the example rows with changed columns; None leaves a column out."""

    def write(name="rows.csv", **columns) -> Path:
        frame = churn.drop(n for n, value in columns.items() if value is None)
        frame = frame.with_columns(**{n: value for n, value in columns.items() if value is not None})
        frame.write_csv(tmp_path / name)
        return tmp_path / name

    return write


def second(column: str, value: str) -> pl.Expr:
    return pl.when(pl.int_range(pl.len()) == 1).then(pl.lit(value)).otherwise(pl.col(column))


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"tenure": None}, "has no column 'tenure', which the model needs"),
        ({"tenure": second("tenure", "long")}, "column 'tenure'"),
        ({"tenure": second("tenure", "inf")}, "(infinity) in row 2"),
    ],
)
def test_rows_that_do_not_fit_the_model(refusal, churn_run, rows, tmp_path, command, columns, message):
    data = rows(**columns)
    sentence = refusal(*COMMANDS[command](churn_run.model, data, tmp_path))
    assert message in sentence
    assert "rows.csv" in sentence


def test_the_row_of_a_misfit_counts_from_the_start_of_the_file(refusal, churn_run, churn, tmp_path):
    late = pl.concat([churn] * 60)
    late = late.with_columns(tenure=pl.when(pl.int_range(pl.len()) == 70_000).then(pl.lit("x")).otherwise("tenure"))
    late.write_csv(tmp_path / "late.csv")
    assert "in row 70,001" in refusal("predict", churn_run.model, tmp_path / "late.csv", "-o", tmp_path / "scored.csv")


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("scored.xlsx", "names no format that can be written"),
        ("scored", "names no format that can be written"),
        ("nowhere/scored.csv", "there is no folder"),
        ("folder.csv", "is a folder"),
    ],
)
def test_an_output_that_cannot_be(refusal, churn_run, churn_csv, tmp_path, out, message):
    (tmp_path / "folder.csv").mkdir()
    assert message in refusal("predict", churn_run.model, churn_csv, "-o", tmp_path / out)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"Churn": None}, "has no column 'Churn'"),
        ({"Churn": pl.lit("Maybe")}, "holds 'Maybe', which is none of its classes"),
        ({"Churn": pl.lit("")}, "no row of rows.csv has a label in 'Churn'"),
    ],
)
def test_labels_that_cannot_be_evaluated(refusal, churn_run, rows, columns, message):
    assert message in refusal("evaluate", churn_run.model, rows(**columns))


def test_evaluate_needs_rows(refusal, churn_run, churn_csv):
    assert "--sealed" in refusal("evaluate", churn_run.model)
    assert "--sealed" in refusal("evaluate", churn_run.model, churn_csv, "--sealed")


def test_nothing_is_sealed_here(refusal, churn_run, tmp_path):
    shutil.copy(churn_run.model, tmp_path)
    assert "cannot be read" in refusal("evaluate", tmp_path / "model.sortal", "--sealed")


def test_a_ledger_that_was_changed_opens_nothing(refusal, churn_run, tmp_path):
    run = shutil.copytree(churn_run.folder, tmp_path / "run")
    ledger = run / "ledger.jsonl"
    ledger.write_text("".join(ledger.read_text().splitlines(keepends=True)[:-1]))
    assert "ledger" in refusal("evaluate", run / "model.sortal", "--sealed")
    ledger.write_text("")
    assert "ledger" in refusal("evaluate", run / "model.sortal", run / "sealed" / "test.parquet")


# The machine


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "sortal.cli", *map(str, arguments)]


def limit_file_size(size: int) -> None:
    """Files may have this many bytes: for whoever writes, the disk is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [2_000, 16_000, 30_000])
def test_a_full_disk_while_training(churn_csv, tmp_path, size):
    """Too small for the sealed rows, for the model, and for the report, also where there is no time for its figures."""
    out = tmp_path / "run"
    options = ["--target", "Churn", "--models", "logistic", "--budget", "20s", "--out", out]
    process = subprocess.run(
        command("train", churn_csv, *options, "--json"),
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},  # or what it compiles is cut off, for all that come later
        preexec_fn=partial(limit_file_size, size),
        check=False,
    )
    assert (process.returncode, process.stdout) == (2, "")
    assert re.fullmatch(r"sortal: [^\n]*(full|larger than is allowed|too large)[^\n]*\n", process.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl", ".arrow"])
def test_a_full_disk_while_predicting(churn_run, churn_csv, tmp_path, suffix):
    process = subprocess.run(
        command("predict", churn_run.model, churn_csv, "-o", tmp_path / f"scored{suffix}"),
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},  # or what it compiles is cut off, for all that come later
        preexec_fn=partial(limit_file_size, 2_000),
        check=False,
    )
    assert (process.returncode, process.stdout) == (2, "")
    assert re.fullmatch(r"sortal: [^\n]*(full|larger than is allowed)[^\n]*\n", process.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_full_screen(churn_run, churn_csv):
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            command("predict", churn_run.model, churn_csv), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert process.returncode == 2
    assert re.fullmatch(r"sortal: [^\n]*No space left on device\n", process.stderr)


def test_a_reader_that_has_seen_enough(churn_run, churn_csv):
    """``sortal predict ... | head``."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.run(
        command("predict", churn_run.model, churn_csv), stdout=write_end, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write_end)
    assert (process.returncode, process.stderr) == (1, "")


@pytest.mark.parametrize(("interrupt", "delay"), [(signal.SIGINT, 0.0), (signal.SIGINT, 1.0), (signal.SIGTERM, 1.0)])
def test_an_interrupted_run_leaves_nothing(churn_csv, tmp_path, interrupt, delay):
    """While rows are audited, before a model is in hand (then the run is finished with it), and by a scheduler."""
    out = tmp_path / "run"
    process = subprocess.Popen(
        command("train", churn_csv, "--target", "Churn", "--budget", "60s", "--out", out),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".run.partial-*/ledger.jsonl")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(delay)
    process.send_signal(interrupt)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "sortal: interrupted; nothing was written\n"
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_leaves_files_that_the_next_one_names(sortal, churn_run, churn_csv, tmp_path):
    """It could not clean up. What it left is for its owner alone, and nobody but the owner removes it."""
    process = subprocess.Popen(
        command("train", churn_csv, "--target", "Churn", "--budget", "60s", "--out", tmp_path / "run"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (ledgers := list(tmp_path.glob(".run.partial-*/ledger.jsonl"))):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (folder,) = (ledger.parent for ledger in ledgers)
    score = ("predict", churn_run.model, churn_csv, "-o", tmp_path / "scored.csv")
    assert sortal(*score).err == ""
    process.kill()
    process.wait()
    outcome = sortal(*score)
    assert outcome.code == 0
    assert outcome.err.startswith(f"sortal: {str(folder)!r} was left unfinished by a process that was killed")
    assert len(outcome.err.splitlines()) == 1
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "sealed" / "test.parquet").exists()


# What looks bad and is not


@pytest.mark.usefixtures("hurried")
def test_nan_and_blanks_are_missing_values(sortal, table, tmp_path):
    holes = [None, "NaN", "nan", "NA", "?"] * 2 + GOOD["x"][10:]
    outcome = sortal("train", table(x=holes), "--target", "churn", *QUICK, "--out", tmp_path / "run", "--json")
    column = next(c for c in outcome.json["columns"] if c["name"] == "x")
    assert (column["kind"], column["missing"]) == ("number", pytest.approx(10 / ROWS))


@pytest.mark.usefixtures("hurried")
def test_a_column_of_mixed_types_is_a_category_with_a_reason(sortal, table, tmp_path):
    values = ["12", "3.5", "unknown", "2024-01-01"] * 15
    outcome = sortal("train", table(x=values), "--target", "churn", *QUICK, "--out", tmp_path / "run", "--json")
    column = next(c for c in outcome.json["columns"] if c["name"] == "x")
    assert (column["kind"], column["role"]) == ("category", "feature")
    assert "30 of 60 are numbers, but 'unknown' is not" in column["reason"]


@pytest.mark.clock
def test_five_thousand_columns_fit_into_the_budget():
    rng = np.random.default_rng(0)
    numbers = {f"n{j}": rng.normal(size=300) for j in range(4_500)}
    letters = {f"c{j}": rng.choice(list("abcd"), size=300) for j in range(500)}
    truth = np.where(numbers["n0"] + rng.normal(size=300) > 0, "yes", "no")
    run = sortal_package.train({**numbers, **letters, "y": truth}, "y", budget="20s")
    assert len(run.record.columns) == 5_001
    assert run.record.timing.wall_seconds <= 1.05 * 20
