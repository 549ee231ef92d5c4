from __future__ import annotations

from sortal.training.zoo import BASELINES, baselines, zoo


def names(models, imbalanced):
    return [candidate.name for candidate in zoo(models, imbalanced)]


def test_the_baselines_are_always_tried():
    assert [c.name for c in baselines()] == list(BASELINES)
    assert all(c.baseline and c.balance == "none" for c in baselines())


def test_the_zoo_tries_what_is_named():
    assert names(("lightgbm",), False) == ["lightgbm", "lightgbm small"]
    assert names(("xgboost",), True) == ["xgboost", "xgboost focal"]


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
