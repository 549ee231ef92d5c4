from __future__ import annotations

from sortal.core import registry
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
    found, load = names((), False), registry.load
    assert found[:2] == ["lightgbm", "catboost"]
    assert set(found) == {label for label, _, _ in PORTFOLIO}
    names_of = registry.names
    monkeypatch.setattr(registry, "names", lambda group: [*names_of(group), "aardvark"])
    monkeypatch.setattr(registry, "load", lambda group, name: load(group, "tree" if name == "aardvark" else name))
    assert names((), False) == [*found, "aardvark"]
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
    found = {c.name: c.family for c in zoo((), False, ("text",), "texts")}
    assert list(found)[4:7] == ["lightgbm", "lightgbm without texts", "svm on texts alone"]
    assert [found[name].view.columns for name in list(found)[4:8]] == ["all", "others", "items", "all"]
    assert {**vars(found["svm"].view), "columns": "items"} == vars(found["svm on texts alone"].view)
    assert not any("texts" in name for name in names((), False))
    assert [c.name for c in zoo(("svm",), False, mixed="images")] == ["svm", "svm on images alone"]
