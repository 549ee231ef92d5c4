from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench import ablation, honesty, quality
from bench._outcome import Options
from bench._result_store import ResultStore


def test_a_file_gives_back_what_was_finished_and_no_line_that_was_cut_short(tmp_path) -> None:
    file = tmp_path / "finished.jsonl"
    first = ResultStore(file)
    first["a, 1"] = {"loss": 0.25, "none": None, "nan": math.nan}
    first["b"] = [1, "two"]
    content = file.read_bytes()
    file.write_bytes(content + b'["c", {"lo')
    second = ResultStore(file)
    assert second["a, 1"]["loss"] == 0.25
    assert second["a, 1"]["none"] is None
    assert math.isnan(second["a, 1"]["nan"])
    assert second["b"] == [1, "two"]
    assert "c" not in second
    second["c"] = 3
    assert file.read_bytes() == content + b'["c", 3]\n'
    assert ResultStore(file)["c"] == 3


def test_without_a_file_results_are_in_memory_alone(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = ResultStore(None)
    store["a"] = 1
    assert "a" in store
    assert store["a"] == 1
    assert "a" not in ResultStore(None)
    assert not list(tmp_path.iterdir())


def test_quality_plays_again_only_what_is_not_finished(tmp_path, monkeypatch) -> None:
    names: list[str] = []

    def play(match: quality.Match, name: str, python: Path, budget: float, work: Path) -> quality.Result:
        names.append(name)
        if len(names) == 2:
            raise KeyboardInterrupt
        return quality.Result(match.table, name, seconds=1.0, log_loss=0.1 * len(names), megabytes=1.0, row_seconds=1.0)

    monkeypatch.setattr(quality, "play", play)
    options = Options(fast=True, resume=tmp_path / "finished.jsonl")
    with pytest.raises(KeyboardInterrupt):
        quality.run(options)
    assert names == ["sortal", "hgb"]
    figures = quality.run(options).figures
    assert names == ["sortal", "hgb", "hgb", "sortal", "hgb"]
    assert [figure["log_loss"] for figure in figures] == pytest.approx([0.1, 0.3, 0.4, 0.5])
    quality.run(replace(options, fast=True))
    assert len(names) == 5


def test_another_budget_is_another_match(tmp_path, monkeypatch) -> None:
    budgets = []

    def play(match: quality.Match, name: str, python: Path, budget: float, work: Path) -> quality.Result:
        budgets.append(budget)
        return quality.Result(match.table, name, seconds=1.0, log_loss=0.1, megabytes=1.0, row_seconds=1.0)

    monkeypatch.setattr(quality, "play", play)
    for budget in (20.0, 30.0):
        monkeypatch.setattr(quality, "FAST_BUDGET", budget)
        quality.run(Options(fast=True, resume=tmp_path / "finished.jsonl"))
    assert budgets == [20.0] * 4 + [30.0] * 4


def test_ablation_and_honesty_take_what_is_finished_and_train_nothing(tmp_path) -> None:
    file = tmp_path / "finished.jsonl"
    job = ablation.Job("t", Path("train"), Path("test"), "y", "ensemble", budget=12.0, seed=0, rows=1_000)
    loss = ablation.Loss("t", 0, "ensemble", 0.5, "lightgbm")
    claim = honesty.Claim("300 rows", "t", "test: accuracy", 0.5, 0.4, None, 0.45)
    store = ResultStore(file)
    store[job.key] = asdict(loss)
    store["300 rows, 0"] = [[asdict(claim)], ""]
    store["300 rows, 1"] = [[], "refused"]
    copy = ResultStore(file)
    assert ablation._losses([job], copy) == [loss]
    assert honesty._claims([(None, "300 rows", 0), (None, "300 rows", 1)], copy) == ([claim], ["refused"])
