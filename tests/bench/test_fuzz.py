"""Eight hundred spoilt model files, a hundred and fifty data files and a hundred recipes, always the same ones: refused
or right. ``make bench-fast`` tries more, and ``make fuzz`` as many as there is time for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from bench._fuzz.cases import Cases
from bench._fuzz.guard import FOLDER, Screen, Watch, timed
from bench._fuzz.judge import Fault, Judge, Refused, Verdict
from bench._fuzz.pool import Pool, Trial
from bench._fuzz.recipes import spoilt_recipe
from bench._fuzz.seeds import FEW, train_all
from bench._fuzz.worker import warm_up
from bench.fuzz import outcome
from sortal.artifact.model import load
from sortal.engine.run import _OPS, ops

WHOLE, TRAINED = 0.05, 0.0
"""Shares of the cases that go through all commands, and of the recipes that are trained with: those take most of the
time."""
COUNTS = {"model": 800, "data": 150, "recipe": 100}


@pytest.fixture(scope="module")
def cases(tmp_path_factory, all_hurried) -> Iterator[Cases]:
    seeds = train_all(tmp_path_factory.mktemp("seeds"), FEW)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        all_cases = Cases(seeds, Judge(Watch(), Path(folder), nowhere), trained=TRAINED, whole=WHOLE)
        warm_up(all_cases)
        yield all_cases
    os.close(nowhere)


@pytest.mark.parametrize(("kind", "count"), COUNTS.items())
def test_every_case_is_refused_or_right(cases, kind, count):
    trials = [Trial(kind, number, cases.verdict(kind, number)) for number in range(count)]
    result = outcome(trials)
    assert result.holds, str(result)
    assert {t.verdict.outcome for t in trials} == {"refused", "right"}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError("x"), "KeyError"),
        (Fault("rows lost"), "rows lost"),
        (MemoryError(), "MemoryError"),
        (SystemExit(1), "SystemExit"),
    ],
)
def test_what_goes_wrong_is_a_fault(cases, error, text):
    def fails() -> None:
        raise error

    verdict = cases.judge.verdict(fails)
    assert verdict.outcome == "fault"
    assert verdict.what.startswith(text)


def test_a_case_that_takes_long_or_much_or_writes_is_a_fault(cases, tmp_path):
    def endless() -> None:
        with timed(0.2):
            while True:
                pass

    def writes() -> None:
        with cases.judge._unharmed("load"):
            Path(tmp_path, "x").write_text("")

    def runs() -> None:
        with cases.judge._unharmed("load"):
            exec("1 + 1")  # noqa: S102

    def speaks() -> None:
        os.write(2, b"noise")

    assert cases.judge.verdict(endless).what.startswith("timeout")
    assert cases.judge.verdict(writes).what == "load did: open for writing x"
    assert cases.judge.verdict(runs).what.startswith("load did: compile")
    assert cases.judge.verdict(speaks).what == "noise: noise"

    def takes() -> None:
        bytearray(2**29)

    assert cases.judge.verdict(takes).what.startswith("memory")


def test_a_refusal_is_told_from_what_is_right(cases):
    def refuses() -> None:
        raise Refused("no")

    assert cases.judge.verdict(refuses) == Verdict("refused", "no")
    assert cases.judge.verdict(lambda: None) == Verdict("right")


def test_the_same_number_is_the_same_case():
    from random import Random

    assert [spoilt_recipe(Random(f"recipe {n}")) for n in range(50)] == [
        spoilt_recipe(Random(f"recipe {n}")) for n in range(50)
    ]


def test_a_screen_refuses_half_a_character():
    with pytest.raises(UnicodeEncodeError):
        Screen(1).write("\ud800")


def test_a_process_that_dies_is_a_fault_and_is_replaced(cases, monkeypatch, tmp_path):
    """Of a case of no kind the worker dies; the next one is tried all the same."""
    pool = Pool(cases.seeds[:1], 1, 0.0)
    trials = sorted(pool.run([("nosuch", 7, 8), ("recipe", 3, 5)]), key=lambda t: t.number)
    assert [(t.kind, t.number, t.verdict.outcome) for t in trials if t.kind == "nosuch"] == [("nosuch", 7, "fault")]
    assert [t.number for t in trials if t.kind == "recipe"] == [3, 4]


def test_no_op_is_left_out_of_what_is_spoilt(tmp_path):
    """What trained seeds have is that of their families; here is what those that are written have beside."""
    seeds = [seed for seed in train_all(tmp_path, ()) if load(seed.model).predict(pl.read_csv(seed.rows)).size]
    by_hand = frozenset.union(*(ops(load(seed.model).program) for seed in seeds))
    by_training = {
        "datetime",
        "focal",
        "forest",
        "fourier",
        "logit_affine",
        "lookup",
        "oblivious",
        "project",
        "quadratic",
    }
    by_training |= {"tfidf", "within"}
    images = {"pixels", "raster"}
    assert set(_OPS) == by_hand | by_training | images
