"""The whole trip, by the command line, on a sample of real rows."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from importlib.resources import files

import jsonschema
import numpy as np
import polars as pl
import pytest

import sortal as package
from sortal.data.ledger import Seal

FILES = {
    "model.sortal",
    "report.html",
    "run.json",
    "recipe.toml",
    "leaderboard.csv",
    "oof.parquet",
    "ledger.jsonl",
    "sealed",
}
TRAINING = {"sklearn", "scipy", "lightgbm", "xgboost", "catboost", "torch", "pandas", "matplotlib", "pyarrow"}
UNHURRIED = ("--budget", "1h", "--models", "svm")


def score(sortal, churn_run, data, out):
    assert sortal("predict", churn_run.model, data, "-o", out).code == 0
    return out


def test_a_run_folder_holds_what_it_should_and_nothing_else(churn_run):
    # What none is faster than is for the clock to say, and so whether another candidate is kept.
    has_front = any(row["file"] for row in json.loads((churn_run.folder / "run.json").read_text())["leaderboard"])
    assert {path.name for path in churn_run.folder.iterdir()} == FILES | ({"front"} if has_front else set())
    assert [path.name for path in churn_run.folder.parent.iterdir()] == [churn_run.folder.name]


def test_json_is_run_json_and_follows_its_schema(churn_run):
    schema = json.loads(files("sortal.record").joinpath("run.schema.json").read_text())
    record = json.loads(churn_run.output)
    jsonschema.validate(record, schema)
    assert record == churn_run.record


def test_the_record_agrees_with_itself(churn_run):
    record = churn_run.record
    split = record["split"]
    assert split["train"] + split["test"] == record["data"]["rows"] == 1_200
    assert record["task"]["cost"] == [[0, 1], [8, 0]]
    assert record["decision"]["threshold"] == pytest.approx(1 / 9)
    assert record["ledger"]["opens"] == 1
    assert record["artifact"]["parity"]["label_flips"] == 0
    assert record["artifact"]["sha256"] == hashlib.sha256(churn_run.model.read_bytes()).hexdigest()
    assert sum(map(sum, record["confusion"]["counts"])) == split["test"]
    winners = [row for row in record["leaderboard"] if row["selected"]]
    assert [row["name"] for row in winners] == [record["selection"]["chosen"]]
    assert {b["name"] for b in record["baselines"]} == {"majority", "logistic", "tree"}
    items = {item["item"]: item for item in record["checklist"]}
    for name in ("everything fitted on training rows only", "test opened once"):
        assert items[name]["status"] == "holds", (items[name], record["audit_skipped"], record["timing"])


def test_the_leaderboard_is_as_uncertain_as_its_rows(churn_run):
    """Folds are stratified, so that their scores of the majority are alike; fresh rows would have other shares of the
    classes.
    """
    oof = pl.read_parquet(churn_run.folder / "oof.parquet")
    row = next(row["score"] for row in churn_run.record["leaderboard"] if row["name"] == "majority")
    share = (oof["truth"] == "Yes").mean()
    loss = -np.log(np.where(oof["truth"] == "Yes", share, 1 - share))
    half_width = 1.96 * loss.std(ddof=1) / np.sqrt(len(loss))
    assert (row["high"] - row["low"]) / 2 == pytest.approx(half_width, rel=0.02)
    assert row["low"] < row["value"] < row["high"]


def test_the_test_compares_with_a_baseline_as_it_would_have_shipped(churn_run):
    """By hand: the class shares of all development rows, and the saved model, on the sealed rows."""
    sealed = pl.read_parquet(churn_run.folder / "sealed" / "test.parquet")
    oof = pl.read_parquet(churn_run.folder / "oof.parquet")
    yes, share = (sealed["Churn"] == "Yes").to_numpy(), (oof["truth"] == "Yes").mean()
    p = package.load(churn_run.model).predict_proba(sealed)[:, 1]
    gain = -np.log(np.where(yes, share, 1 - share)) + np.log(np.where(yes, p, 1 - p))
    majority = next(b for b in churn_run.record["baselines"] if b["name"] == "majority")
    assert majority["on_test"]["value"] == pytest.approx(gain.mean(), abs=1e-3)
    assert majority["on_test"]["low"] < majority["on_test"]["value"] < majority["on_test"]["high"]
    assert majority["margin"]["low"] > 0


def test_the_corrected_figure_is_that_of_what_ships(churn_run):
    selection = churn_run.record["selection"]
    gain = selection["refit_gain"]
    assert gain is not None
    calibration = churn_run.record["calibration"]
    calibration_gain = calibration["log_loss_after"] - calibration["log_loss_before"]
    assert (selection["calibration_gain"] or 0.0) == pytest.approx(calibration_gain)
    assert selection["refit_spread"] > 0
    figure = next(row["score"] for row in churn_run.record["leaderboard"] if row["selected"])
    assert figure == selection["corrected"]
    # The margin over a baseline is that of the same model, but of rows, where scores of folds are means.
    majority = next(b for b in churn_run.record["baselines"] if b["name"] == "majority")
    assert majority["margin"]["value"] == pytest.approx(
        majority["mean"] - selection["corrected"]["value"], abs=abs(gain) / 2
    )


def test_sealed_rows_are_nowhere_in_the_out_of_fold_predictions(churn_run):
    oof = pl.read_parquet(churn_run.folder / "oof.parquet")
    split = churn_run.record["split"]
    assert oof["row"].n_unique() == split["train"]
    assert pl.read_parquet(churn_run.folder / "sealed" / "test.parquet").height == split["test"]


def test_the_story_in_a_pipe_is_plain_text(sortal, churn_csv, tmp_path):
    outcome = sortal("train", churn_csv, "--target", "Churn", *UNHURRIED, "--out", tmp_path / "run")
    assert outcome.code == 0
    assert "\x1b" not in outcome.out
    assert "\r" not in outcome.out
    for word in ("sealed", "AUDIT", "TRAIN", "DECIDE", "TEST", "CHECKLIST", "customerID"):
        assert word in outcome.out


def test_predict_scores_every_row_in_order(sortal, churn_run, churn, churn_csv, tmp_path):
    output = pl.read_parquet(score(sortal, churn_run, churn_csv, tmp_path / "scored.parquet"))
    assert output["customerID"].to_list() == churn["customerID"].to_list()
    p = output["probability_Yes"]
    assert np.allclose(p + output["probability_No"], 1)
    assert output["prediction"].to_list() == ["Yes" if v > 0.5 else "No" for v in p]
    threshold = churn_run.record["decision"]["threshold"]
    assert output["decision"].to_list() == ["Yes" if v >= threshold else "No" for v in p]
    model = package.load(churn_run.model)
    assert np.array_equal(model.predict_proba(churn)[:, 1], p.to_numpy())
    row = churn.row(0, named=True)
    assert model.predict_proba(row)[0, 1] == pytest.approx(p[0], abs=1e-12)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "arrow"])
def test_every_format_says_the_same(sortal, churn_run, churn_csv, tmp_path, suffix):
    expected = pl.read_parquet(score(sortal, churn_run, churn_csv, tmp_path / "scored.parquet"))
    out = score(sortal, churn_run, churn_csv, tmp_path / f"scored.{suffix}")
    readers = {
        "csv": pl.read_csv,
        "tsv": lambda p: pl.read_csv(p, separator="\t"),
        "jsonl": pl.read_ndjson,
        "arrow": pl.read_ipc,
    }
    output = readers[suffix](out)
    assert output["decision"].to_list() == expected["decision"].to_list()
    assert np.allclose(output["probability_Yes"], expected["probability_Yes"], atol=1e-12)


def test_without_a_file_the_rows_go_to_the_screen(sortal, churn_run, churn_csv):
    outcome = sortal("predict", churn_run.model, churn_csv)
    assert outcome.code == 0
    assert pl.read_csv(outcome.out.encode()).height == 1_200


def test_fresh_rows_are_held_against_the_promise(sortal, churn_run, churn, tmp_path):
    churn.head(1_199).write_csv(fresh := tmp_path / "fresh.csv")
    report = sortal("evaluate", churn_run.model, fresh, "--json").json
    assert (report["rows"], report["trained_on"]) == (1_199, False)
    assert report["ledger"] is None
    auc = next(c for c in report["comparisons"] if c["metric"] == "roc_auc")
    assert auc["promised"]["value"] == pytest.approx(churn_run.record["test"]["roc_auc"]["value"])
    assert "as promised" in sortal("evaluate", churn_run.model, fresh).out


def test_the_data_of_training_is_known_again(sortal, churn_run, churn_csv, tmp_path):
    assert churn_run.record["data"]["sha256"] == hashlib.sha256(churn_csv.read_bytes()).hexdigest()
    copy = shutil.copy(churn_csv, tmp_path / "other name.csv")
    report = sortal("evaluate", churn_run.model, copy, "--json").json
    assert report["trained_on"]
    assert "as promised" not in {c["verdict"] for c in report["comparisons"]}
    assert "not fresh" in sortal("evaluate", churn_run.model, copy).out


@pytest.mark.parametrize("source", [("--sealed",), ("sealed/test.parquet",)])
def test_a_second_look_is_recorded_and_no_longer_blind(sortal, churn_run, tmp_path, source):
    folder = tmp_path / "copy"
    shutil.copytree(churn_run.folder, folder)
    arguments = [word if word.startswith("--") else folder / word for word in source]
    report = sortal("evaluate", folder / "model.sortal", *arguments, "--json").json
    assert (report["ledger"]["opens"], report["ledger"]["blind"]) == (2, False)
    figures = {c["metric"]: c["observed"] for c in report["comparisons"]}
    assert {name: churn_run.record["test"][name] for name in figures} == figures  # their intervals, too
    assert json.loads((folder / "run.json").read_bytes())["ledger"]["opens"] == 2
    assert Seal(folder).opens == 2


def test_a_ledger_that_lost_its_end_keeps_the_test_closed(sortal, churn_run, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(churn_run.folder, folder)
    ledger = folder / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().splitlines(keepends=True)[0])
    outcome = sortal("evaluate", folder / "model.sortal", "--sealed")
    assert outcome.code == 2
    assert "was cut or replaced" in outcome.err


def test_show_tells_of_the_model(sortal, churn_run):
    outcome = sortal("show", churn_run.model)
    assert outcome.code == 0
    assert all(word in outcome.out for word in ("Churn", "fp=1 fn=8", "tenure", "CHECKLIST", "sortal show --json"))
    report = sortal("show", churn_run.model, "--json").json
    assert "test opened once" in {item["item"] for item in report["card"]["checklist"]}
    assert report["task"]["classes"] == ["No", "Yes"]
    assert report["metrics"]["test"]["roc_auc"]["value"] == churn_run.record["test"]["roc_auc"]["value"]


@pytest.mark.parametrize("command", ["show", "predict"])
def test_scoring_and_showing_load_no_training_library(churn_run, churn_csv, tmp_path, command):
    arguments = ["show", str(churn_run.model)]
    if command == "predict":
        arguments = ["predict", str(churn_run.model), str(churn_csv), "-o", str(tmp_path / "scored.csv")]
    code = (
        f"import sys; from sortal.cli import main\nmain({arguments!r})\n"
        f"print('LOADED', sorted({TRAINING!r} & set(sys.modules)))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # scikit-learn is what `show` needs least: the metric names come from numpy-only modules.
    assert "LOADED []" in process.stdout


def test_a_recipe_repeats_its_run_byte_for_byte(sortal, churn_run, churn_csv, tmp_path):
    repeat = tmp_path / "again"
    recipe = churn_run.folder / "recipe.toml"
    assert sortal("train", churn_csv, "--recipe", recipe, "--out", repeat).code == 0
    assert (repeat / "model.sortal").read_bytes() == churn_run.model.read_bytes()
    assert (repeat / "recipe.toml").read_text() == recipe.read_text()


def test_audit_finds_a_copy_of_the_target(sortal, churn, tmp_path):
    file = tmp_path / "leak.csv"
    churn.with_columns(pl.col("Churn").replace({"Yes": "gone", "No": "here"}).alias("status")).write_csv(file)
    findings = sortal("audit", file, "--target", "Churn", "--json").json["findings"]
    assert (findings[0]["severity"], findings[0]["column"]) == ("severe", "status")
    assert "--ignore status" in sortal("audit", file, "--target", "Churn").out


def test_a_severe_finding_turns_the_checklist_red(sortal, churn, tmp_path):
    file = tmp_path / "leak.csv"
    churn.with_columns(pl.col("Churn").replace({"Yes": "gone", "No": "here"}).alias("status")).write_csv(file)
    record = sortal("train", file, "--target", "Churn", *UNHURRIED, "--out", tmp_path / "run", "--json").json
    item = next(i for i in record["checklist"] if i["item"] == "no column known only after the outcome")
    assert item["status"] == "fails"
    assert "status" in item["evidence"]


def weather(rows=300):
    """Three kinds of days by day, station and temperature; labels with characters that need care."""
    rng = np.random.default_rng(0)
    heat = rng.normal(15, 8, rows)
    kinds = np.digitize(heat + rng.normal(0, 3, rows), [10, 20])
    return pl.DataFrame(
        {
            "day": pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 1, 1) + pl.duration(days=rows - 1), eager=True),
            "sta[tion] <1>": [f"s{i}" for i in rng.integers(0, 40, rows)],
            'heat, "°C" = x': heat,
            "kind": [("cold <b>", "mild,é", "hot\"'")[k] for k in kinds],
        }
    )


@pytest.fixture(scope="module")
def weather_csv(tmp_path_factory):
    path = tmp_path_factory.mktemp("weather") / "weather.csv"
    weather().write_csv(path)
    return path


def test_more_classes_with_costs_from_a_file(sortal, weather_csv, tmp_path):
    costs = tmp_path / "costs.csv"
    labels = ["cold <b>", "mild,é", "hot\"'"]
    pl.DataFrame(
        {"true": labels, **{d: [0 if d == t else 3 if t == labels[2] else 1 for t in labels] for d in labels}}
    ).write_csv(costs)
    out = tmp_path / "run"
    record = sortal("train", weather_csv, "--target", "kind", "--cost", costs, *UNHURRIED, "--out", out, "--json").json
    assert record["decision"]["kind"] == "cost"
    assert set(record["task"]["classes"]) == set(labels)
    # The recipe repeats the run without the file.
    cost = tomllib.loads((out / "recipe.toml").read_text("utf-8"))["cost"]
    assert cost == {t: {d: 0 if d == t else 3 if t == labels[2] else 1 for d in labels} for t in labels}
    assert "expected_cost" in record["test"]
    html = (out / "report.html").read_text()
    assert "cold &lt;b&gt;" in html
    assert "cold <b>" not in html
    output = sortal("predict", out / "model.sortal", weather_csv).out
    assert set(pl.read_csv(output.encode())["decision"]) <= set(labels)


@pytest.mark.usefixtures("hurried")
def test_time_puts_the_newest_rows_into_the_test(sortal, weather_csv, tmp_path):
    out = tmp_path / "run"
    record = sortal("train", weather_csv, "--target", "kind", "--time", "day", *UNHURRIED, "--out", out, "--json").json
    sealed = pl.read_parquet(out / "sealed" / "test.parquet")
    assert sealed["day"].min() == sorted(weather()["day"].to_list())[-sealed.height].isoformat()
    assert record["split"]["column"] == "day"


@pytest.mark.usefixtures("hurried")
def test_group_keeps_groups_on_one_side(sortal, weather_csv, tmp_path):
    out, group = tmp_path / "run", "sta[tion] <1>"
    sortal("train", weather_csv, "--target", "kind", "--group", group, *UNHURRIED, "--out", out)
    sealed = set(pl.read_parquet(out / "sealed" / "test.parquet")[group])
    rows = pl.read_parquet(out / "oof.parquet")["row"]
    assert not sealed & set(weather()[rows.to_numpy() - 1][group])


@pytest.mark.usefixtures("hurried")
def test_a_valid_part_decides_where_one_is_asked_for(sortal, churn_csv, tmp_path):
    # A family that shares its view with a baseline: columns are selected once for both.
    options = ("--split", "70/15/15", "--f1", "--select", "8", "--budget", "1h", "--models", "logistic")
    record = sortal("train", churn_csv, "--target", "Churn", *options, "--out", tmp_path / "run", "--json").json
    assert [record["split"][part] for part in ("train", "valid", "test")] == [840, 180, 180]
    assert record["decision"]["kind"] == "f1"
    assert pl.read_parquet(tmp_path / "run" / "oof.parquet").height == 180
    assert 0 < record["decision"]["threshold"] < 1


@pytest.mark.parametrize(
    ("labels", "expected"), [([0, 1], {0, 1}), ([False, True], {False, True}), ([1.0, 2.0], {1.0, 2.0})]
)
@pytest.mark.usefixtures("hurried")
def test_labels_come_back_in_the_type_they_had(labels, expected):
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    rows = pl.DataFrame({"x": x, "y": [labels[int(v > 0)] for v in x + rng.normal(size=200) / 2]})
    run = package.train(rows, "y", models=["svm"], budget="1h")
    predictions = run.model.predict(rows)
    assert set(predictions.tolist()) == expected
    assert {type(v) for v in predictions.tolist()} == {type(labels[0])}
    assert 0.5 < run.test.roc_auc.value <= 1
    assert "CHECKLIST" in repr(run)
    assert run.leaderboard.height >= 4


@pytest.mark.usefixtures("hurried")
def test_rows_without_a_label_are_left_out_with_a_note(sortal, churn, tmp_path):
    file = tmp_path / "some.csv"
    churn.with_columns(pl.when(pl.int_range(pl.len()) < 100).then(None).otherwise("Churn").alias("Churn")).write_csv(
        file
    )
    part = churn.with_columns(
        pl.when(pl.int_range(pl.len()) < 100).then(None).otherwise(pl.col("Churn")).alias("Churn")
    )
    part.write_csv(file)
    record = sortal("train", file, "--target", "Churn", *UNHURRIED, "--out", tmp_path / "run", "--json").json
    assert record["data"]["rows"] == 1_100
    assert any("100 rows without" in note for note in record["data"]["notes"])


@pytest.mark.clock
def test_the_wall_clock_of_the_process_stays_within_the_budget(tmp_path):
    """On the whole example table, which takes longer than the budget would."""
    import time

    example = pl.read_csv("examples/churn.csv", infer_schema=False)
    file = tmp_path / "large.csv"
    pl.concat([example] * 6).with_columns(pl.int_range(pl.len()).cast(pl.String).alias("customerID")).write_csv(file)
    start = time.monotonic()
    command = [sys.executable, "-m", "sortal.cli", "train", str(file), "--target", "Churn", "--budget", "20s", "--json"]
    process = subprocess.run([*command, "--out", str(tmp_path / "run")], capture_output=True, text=True, check=True)
    wall = time.monotonic() - start
    assert json.loads(process.stdout)["timing"]["budget_seconds"] == 20
    assert wall <= 1.05 * 20
