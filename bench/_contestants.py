"""One contestant of ``bench quality`` or ``bench kinds``, in a process and an environment of its own: it fits on one
file, and says what it makes of another.

    python bench/_contestants.py NAME TRAIN.parquet TEST.parquet TARGET --budget 60 --seed 0 --work FOLDER

Leaves ``answer.json`` and ``probability.npy`` in the folder. Nothing of sortal is imported but by its own contestant,
so that this file runs in the environment of any peer.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORES = 2
ROWS_ALONE, FIRST_ROWS = 40, 5
"""Rows that are asked for one at a time; the first ones warm up."""


@dataclass(frozen=True)
class Fitted:
    """``probability``: from a frame to its (n, K) probabilities, columns by ``classes``. ``artifact``: the file or
    folder that a person would ship. ``note``: which model it is.
    """

    probability: Callable[[Any], Any]
    classes: list[str]
    artifact: Path
    note: str = ""


@dataclass(frozen=True)
class Problem:
    """``train``: a pandas frame with the ``target`` as text."""

    train: Any
    target: str
    budget: float
    seed: int
    work: Path

    @property
    def features(self) -> Any:
        return self.train.drop(columns=self.target)

    @property
    def labels(self) -> Any:
        return self.train[self.target]


def sortal(problem: Problem) -> Fitted:
    """All rows to learn from, as the peers have it: the test of this benchmark is the other file."""
    import sortal

    out = problem.work / "run"
    run = sortal.train(problem.train, problem.target, budget=problem.budget, seed=problem.seed, split="100/0", out=out)
    candidates = ", ".join(row.name for row in run.record.leaderboard if row.selected)
    return Fitted(run.model.predict_proba, list(map(str, run.model.classes_)), out / "model.sortal", candidates)


def autogluon(problem: Problem, preset: str) -> Fitted:
    predictor_class = importlib.import_module("autogluon.tabular").TabularPredictor
    work = problem.work / "model"
    predictor = predictor_class(label=problem.target, path=str(work), eval_metric="log_loss", verbosity=0)
    predictor.fit(problem.train, presets=preset, time_limit=problem.budget, num_cpus=CORES)
    predictor.persist()
    labels = list(predictor.class_labels)
    return Fitted(lambda rows: predictor.predict_proba(rows)[labels].to_numpy(), labels, work, predictor.model_best)


def autogluon_multimodal(problem: Problem) -> Fitted:
    """Texts and images as they are, in bytes the latter."""
    predictor_class = importlib.import_module("autogluon.multimodal").MultiModalPredictor
    work = problem.work / "model"
    predictor = predictor_class(label=problem.target, path=str(work), eval_metric="log_loss", verbosity=0)
    predictor.fit(problem.train, time_limit=problem.budget, seed=problem.seed)
    labels = list(map(str, predictor.class_labels))
    return Fitted(lambda rows: predictor.predict_proba(rows, as_pandas=False), labels, work)


def flaml(problem: Problem) -> Fitted:
    auto = importlib.import_module("flaml").AutoML()
    encode = _codes(problem.features)
    auto.fit(
        encode(problem.features),
        problem.labels,
        task="classification",
        metric="log_loss",
        time_budget=problem.budget,
        n_jobs=CORES,
        seed=problem.seed,
        verbose=0,
    )
    artifact = _pickled(problem.work, auto)
    return Fitted(
        lambda rows: auto.predict_proba(encode(rows)), list(auto.classes_), artifact, str(auto.best_estimator)
    )


def lightautoml(problem: Problem) -> Fitted:
    presets = importlib.import_module("lightautoml.automl.presets.tabular_presets")
    task_class = importlib.import_module("lightautoml.tasks").Task
    classes = sorted(problem.labels.unique())
    rows = problem.train.copy()
    rows[problem.target] = problem.labels.map({label: code for code, label in enumerate(classes)})
    auto = presets.TabularAutoML(
        # Of two classes its own metric is ROC-AUC, by which models are weighted; of more it is the log-loss anyway.
        task=task_class("binary", metric="logloss") if len(classes) == 2 else task_class("multiclass"),
        timeout=problem.budget,
        cpu_limit=CORES,
        reader_params={"n_jobs": CORES, "random_state": problem.seed},
    )
    auto.fit_predict(rows, roles={"target": problem.target}, verbose=0)
    mapping = getattr(auto.reader, "class_mapping", None)
    order = (
        [classes[int(code)] for code, _ in sorted(mapping.items(), key=lambda pair: pair[1])] if mapping else classes
    )

    def probability(table: Any) -> Any:
        numpy = importlib.import_module("numpy")
        data = auto.predict(table).data
        return numpy.column_stack([1 - data[:, 0], data[:, 0]]) if len(classes) == 2 else data

    return Fitted(probability, order, _pickled(problem.work, auto))


def mljar(problem: Problem) -> Fitted:
    work = problem.work / "model"
    auto = importlib.import_module("supervised.automl").AutoML(
        results_path=str(work),
        mode="Compete",
        total_time_limit=round(problem.budget),
        eval_metric="logloss",
        n_jobs=CORES,
        random_state=problem.seed,
        verbose=0,
        explain_level=0,
    )
    auto.fit(problem.features, problem.labels)
    return Fitted(auto.predict_proba, sorted(problem.labels.unique()), work)


def hist_gradient_boosting(problem: Problem) -> Fitted:
    """scikit-learn's, with its defaults and early stopping: what a person has without any of this."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    encode = _codes(problem.features)
    model = HistGradientBoostingClassifier(
        early_stopping=True, random_state=problem.seed, categorical_features="from_dtype"
    )
    narrow = _few_levels(encode(problem.features))
    model.fit(narrow(encode(problem.features)), problem.labels)
    artifact = _pickled(problem.work, model)
    return Fitted(lambda rows: model.predict_proba(narrow(encode(rows))), list(model.classes_), artifact)


CONTESTANTS: dict[str, Callable[[Problem], Fitted]] = {
    "sortal": sortal,
    "hgb": hist_gradient_boosting,
    "autogluon medium": lambda problem: autogluon(problem, "medium_quality"),
    "autogluon best_v150": lambda problem: autogluon(problem, "best_v150"),
    "autogluon multimodal": autogluon_multimodal,
    "flaml": flaml,
    "lightautoml": lightautoml,
    "mljar": mljar,
}


def _codes(features: Any) -> Callable[[Any], Any]:
    """Texts as pandas categories with the levels of ``features``, and times as seconds, for peers that want numbers."""
    import pandas as pd

    types = pd.api.types
    times = [name for name in features if types.is_datetime64_any_dtype(features[name])]
    texts = [name for name in features if name not in times and not types.is_numeric_dtype(features[name])]
    levels = {name: sorted(features[name].dropna().astype(str).unique()) for name in texts}

    def encode(rows: Any) -> Any:
        rows = rows.copy()
        for name in times:
            rows[name] = rows[name].astype("int64") / 1e9
        for name in texts:
            words = rows[name].astype(str).where(rows[name].notna(), None)
            rows[name] = pd.Categorical(words, categories=levels[name])
        return rows

    return encode


def _few_levels(features: Any) -> Callable[[Any], Any]:
    """Categories of more levels than scikit-learn's boosting has bins for, as their codes."""
    wide = [
        name
        for name in features
        if str(features[name].dtype) == "category" and len(features[name].cat.categories) > 254
    ]
    return lambda rows: rows.assign(**{name: rows[name].cat.codes for name in wide})


def _pickled(work: Path, model: Any) -> Path:
    joblib = importlib.import_module("joblib")
    joblib.dump(model, work / "model.joblib")
    return work / "model.joblib"


def _bytes(artifact: Path) -> int:
    files = artifact.rglob("*") if artifact.is_dir() else [artifact]
    return sum(file.stat().st_size for file in files if file.is_file())


def _row_seconds(fitted: Fitted, rows: Any) -> float:
    """Median over single rows, as a frame of one row."""
    seconds = []
    for number in range(ROWS_ALONE):
        row = rows.iloc[[number % len(rows)]]
        start = time.perf_counter()
        fitted.probability(row)
        seconds.append(time.perf_counter() - start)
    seconds = sorted(seconds[FIRST_ROWS:])
    return seconds[len(seconds) // 2]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=CONTESTANTS)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("target")
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    import numpy as np
    import pandas as pd

    train, test = (pd.read_parquet(file) for file in (args.train, args.test))
    problem = Problem(train, args.target, args.budget, args.seed, args.work)
    # The imports of a contestant count, since a person waits for them; pandas is there already, as for everybody.
    start = time.monotonic()
    fitted = CONTESTANTS[args.name](problem)
    seconds = time.monotonic() - start
    rows = test.drop(columns=args.target)
    np.save(args.work / "probability.npy", np.asarray(fitted.probability(rows), dtype=np.float64))
    answer = {
        "classes": [str(label) for label in fitted.classes],
        "seconds": seconds,
        "row_seconds": _row_seconds(fitted, rows),
        "bytes": _bytes(fitted.artifact),
        "note": fitted.note,
    }
    (args.work / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
