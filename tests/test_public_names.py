"""What others may rely on: names that change only with a line in the changelog."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
from typer.main import get_command

import sortal
from sortal.cli import app
from sortal.core import registry
from sortal.record.run import RunRecord


def test_the_public_face():
    assert sortal.__all__ == [
        "InputError",
        "Model",
        "Run",
        "SortalClassifier",
        "SortalError",
        "audit",
        "load",
        "train",
    ]
    assert all(callable(getattr(sortal, name)) for name in sortal.__all__)
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        _ = sortal.fit


def test_names_are_functions_whatever_was_imported_before():
    """A folder of the package with the name of a function would take its place."""
    code = (
        "import sortal.training.zoo, sortal.checks.audit, sortal; assert callable(sortal.train) and "
        "callable(sortal.audit)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_clock_of_a_budget_counts_the_imports():
    """They come with the call, not with the name."""
    code = "import sys, sortal; sortal.train; assert not {'polars', 'sortal.workflow', 'sortal.run'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_sortal_imports_nothing_heavy():
    code = "import sortal, sys; print(sorted({'numpy', 'polars', 'sklearn', 'rich', 'msgspec'} & set(sys.modules)))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("sortal.kinds", "boolean category datetime image number text"),
        (
            "sortal.preparers",
            "category datetime image.backbone image.colour image.embedding image.raster image.small_embedding image.thumbnail number "
            "text.backbone text.embedding text.topics text.words text.words_and_characters",
        ),
        (
            "sortal.models",
            "catboost catboost_prep cnn extra_trees forest kernel_svm lightgbm lightgbm_prep logistic logistic_images logistic_ngrams "
            "logistic_sentences logistic_small_images majority mlp svm tree xgboost",
        ),
        (
            "sortal.metrics",
            "accuracy average_precision balanced_accuracy brier ece expected_cost f1 fbeta fpr log_loss precision "
            "recall "
            "recall_at_precision roc_auc",
        ),
        ("sortal.calibrators", "beta isotonic matrix none platt quadratic temperature vector venn_abers"),
        (
            "sortal.checks",
            "A002 A003 A004 A101 A102 A103 A104 A105 A106 A201 A202 A203 A204 A205 A206 A207 A208 A209 A210 A301 "
            "A302 A303 A304 A305",
        ),
    ],
)
def test_what_is_registered(group, names):
    assert " ".join(registry.names(group)) == names


def test_the_keys_of_run_json():
    assert {field.name for field in dataclasses.fields(RunRecord)} == {
        "protocol",
        "sortal_version",
        "seed",
        "data",
        "columns",
        "task",
        "audit",
        "audit_skipped",
        "verification",
        "split",
        "baselines",
        "leaderboard",
        "selection",
        "imbalance",
        "calibration",
        "decision",
        "sets",
        "test",
        "nested",
        "confusion",
        "per_class",
        "importance",
        "permutation",
        "examples",
        "slices",
        "timing",
        "ledger",
        "artifact",
        "checklist",
    }


FRAME_OPTIONS = (
    "--target --metric --cost --cost-column --reject-cost --precision --recall --fpr --confidence --capacity --f1 "
    "--f-beta "
    "--sets --positive --kind --missing --ignore --time --group --slice --weight --split --seed --smallest-count --private "
    "--recipe --out --strict --json "
)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (
            "train",
            FRAME_OPTIONS
            + "--select --models --backbone --embed-backbone --max-latency --max-size --budget --effort --device --resume",
        ),
        ("predict", "--out --allow-missing --warnings --verify"),
        ("evaluate", "--sealed --slice --allow-missing --verify --json"),
        ("show", "--verify --json"),
        ("pick", "--out"),
        ("sign", "--key"),
        ("audit", FRAME_OPTIONS + "--fix"),
        ("demo", "--budget --out"),
    ],
)
def test_commands_and_their_options(command, options):
    parameters = get_command(app).commands[command].params
    names = [option for p in parameters for option in p.opts if option.startswith("--")]
    assert sorted(names) == sorted(options.split())
