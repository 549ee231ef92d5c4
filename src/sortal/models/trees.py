"""Fitted trees of four libraries as ``forest`` programs, CatBoost's as ``oblivious`` ones.

Each converter reads the library's own description of its trees (never its pickle) and returns a program whose
probabilities equal the library's: to the last bits of a float64 sum for scikit-learn, LightGBM and CatBoost, to float32
rounding for XGBoost, which sums in float32. What a program cannot express is refused with a ``ValueError``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.engine.program import Array, Program

_NAN_ZERO = 2
"""Code of ``missing`` in engine/forest.py: a NaN is read as 0.0."""


@dataclass(frozen=True)
class _Tree:
    """One tree. Nodes count from 0, parents before children; ``left`` of a leaf is its row of ``value``."""

    feature: NDArray[np.int32]
    threshold: Array
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing: NDArray[np.uint8]
    value: NDArray[np.float64]
    category: NDArray[np.int64]
    bits: tuple[NDArray[np.uint32], ...] = ()


def from_sklearn(estimators: Sequence[Any], n_classes: int) -> Program:
    """The mean of scikit-learn's decision trees (``forest.estimators_``, or ``[tree]``).

    ``estimators``: fitted ``DecisionTreeClassifier`` or ``ExtraTreeClassifier``, of ``n_classes`` each.
    scikit-learn compares inputs rounded to float32 with float64 thresholds; thresholds rounded down to
    float32 decide the same for every float32 input, in half the space.

    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sortal.engine import compile
    >>> tree = DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1])
    >>> compile(from_sklearn([tree], 2))(np.array([[0.2], [0.7]]))
    array([[1., 0.],
           [0., 1.]])
    """
    trees = [_sklearn_tree(estimator.tree_, n_classes) for estimator in estimators]
    settings = {"compare": "<=", "input": "float32", "link": "mean"}
    return _forest(trees, np.full(len(trees), -1), np.zeros(n_classes), settings)


def _sklearn_tree(tree: Any, n_classes: int) -> _Tree:
    if tuple(tree.value.shape[1:]) != (1, n_classes):
        raise ValueError(f"a tree has leaves of shape {tree.value.shape[1:]}, not of {n_classes} classes")
    leaf = tree.children_left < 0
    left = np.where(leaf, np.cumsum(leaf) - 1, tree.children_left)
    return _Tree(
        feature=np.where(leaf, -1, tree.feature).astype(np.int32),
        threshold=np.where(leaf, np.float32(0), _floor_float32(tree.threshold)),
        left=left,
        right=np.where(leaf, 0, tree.children_right),
        missing=np.where(leaf, 0, tree.missing_go_to_left).astype(np.uint8),
        value=tree.value[leaf, 0, :],
        category=np.full(len(leaf), -1),
    )


def _floor_float32(x: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above x."""
    near = x.astype(np.float32)
    return np.where(near > x, np.nextafter(near, np.float32(-np.inf)), near)


def from_lightgbm(booster: Any, num_iteration: int | None = None) -> Program:
    """A LightGBM ``Booster`` with objective ``binary`` or ``multiclass``.

    ``num_iteration``: rounds to keep; None keeps ``best_iteration``, or all where there is none. Categorical
    splits and missing values are kept exactly; linear leaves, rf's averaged output and ``zero_as_missing``
    are refused.
    """
    text = booster.model_to_string(num_iteration=num_iteration)
    head, *blocks = text.split("end of trees")[0].split("\nTree=")
    header = _fields(head)
    objective, *options = header.get("objective", "custom").split()
    if objective not in ("binary", "multiclass") or "average_output" in head.splitlines():
        raise ValueError(f"LightGBM's objective {objective!r} (or its averaged output) cannot be exported")
    sums = int(header["num_tree_per_iteration"])
    trees = [_lightgbm_tree(_fields(block)) for block in blocks]
    steepness = float(dict(o.split(":") for o in options).get("sigmoid", 1)) if objective == "binary" else 1.0
    if steepness != 1.0:
        raise ValueError(f"LightGBM's sigmoid={steepness} cannot be exported; leave it at 1")
    link = "sigmoid" if objective == "binary" else "softmax"
    settings = {"compare": "<=", "input": "float64", "link": link}
    return _forest(trees, np.arange(len(trees)) % sums, np.zeros(sums), settings)


def _fields(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _lightgbm_tree(fields: Mapping[str, str]) -> _Tree:
    """A tree of LightGBM's text: inner nodes 0, 1, ..., leaves -1, -2, ... (here after the inner nodes)."""
    if fields.get("is_linear", "0") != "0":
        raise ValueError("LightGBM's linear_tree=True cannot be exported")

    def numbers(name: str, dtype: type) -> Array:
        return np.array(fields.get(name, "").split(), dtype=dtype)

    value = numbers("leaf_value", np.float64)
    leaves, inner = len(value), len(value) - 1
    kind = numbers("decision_type", np.int64)[:inner]
    categorical, goes_left, missing_type = kind & 1, (kind >> 1) & 1, (kind >> 2) & 3
    if (missing_type == 1).any():
        raise ValueError("LightGBM's zero_as_missing=True cannot be exported")

    def child(name: str) -> NDArray[np.int64]:
        node = numbers(name, np.int64)[:inner]
        return np.where(node >= 0, node, inner + ~node)

    threshold = numbers("threshold", np.float64)[:inner]
    bounds, words = numbers("cat_boundaries", np.int64), numbers("cat_threshold", np.uint32)
    blank = np.zeros(leaves, dtype=np.int64)
    return _Tree(
        feature=np.concatenate([numbers("split_feature", np.int32)[:inner], blank - 1]).astype(np.int32),
        threshold=np.concatenate([np.where(categorical, 0.0, threshold), blank]),
        left=np.concatenate([child("left_child"), np.arange(leaves)]),
        right=np.concatenate([child("right_child"), blank]),
        missing=np.concatenate([np.where(missing_type == 2, goes_left, _NAN_ZERO), blank]).astype(np.uint8),
        value=value[:, None],
        category=np.concatenate([np.where(categorical, threshold, -1), blank - 1]).astype(np.int64),
        bits=tuple(words[a:b] for a, b in pairwise(bounds)),
    )


def from_xgboost(booster: Any, n_classes: int, rounds: int | None = None) -> Program:
    """An XGBoost ``Booster`` (``gbtree``) with objective ``binary:logistic`` or ``multi:softprob``.

    ``rounds``: boosting rounds to keep (``best_iteration + 1`` after early stopping); None keeps all. The
    intercept (``base_score``: a probability of a binary model, else one margin for all or for each class)
    becomes ``base``. Categorical splits, vector leaves and dart are refused.
    """
    learner = json.loads(bytes(booster.save_raw(raw_format="json")))["learner"]
    objective, booster_kind = learner["objective"]["name"], learner["gradient_booster"]["name"]
    sums = {"binary:logistic": 1, "multi:softprob": n_classes}.get(objective, 0)
    classes = int(learner["learner_model_param"]["num_class"]) or 2
    if not sums or booster_kind != "gbtree" or classes != n_classes:
        raise ValueError(
            f"XGBoost's {booster_kind}, {objective!r} with {classes} classes, cannot be exported as {n_classes}"
        )
    model = learner["gradient_booster"]["model"]
    bounds = model["iteration_indptr"]
    keep = bounds[len(bounds) - 1 if rounds is None else min(rounds, len(bounds) - 1)]
    trees = [_xgboost_tree(tree) for tree in model["trees"][:keep]]
    intercept = json.loads(learner["learner_model_param"]["base_score"])
    base = np.array(intercept, dtype=np.float32).reshape(-1)
    if objective == "binary:logistic":
        base = -np.log(1 / base - 1)
    settings = {"compare": "<", "input": "float32", "link": "sigmoid" if sums == 1 else "softmax"}
    return _forest(trees, np.array(model["tree_info"][:keep]), np.broadcast_to(base, (sums,)), settings)


def _xgboost_tree(tree: Mapping[str, Any]) -> _Tree:
    if tree["categories_nodes"] or int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise ValueError("XGBoost's categorical splits and vector leaves cannot be exported")
    left, right = (np.array(tree[side], dtype=np.int64) for side in ("left_children", "right_children"))
    reachable = _reachable(left, right)
    number = np.cumsum(reachable) - 1
    left, right = left[reachable], right[reachable]
    leaf, condition = left < 0, np.array(tree["split_conditions"], dtype=np.float32)[reachable]
    return _Tree(
        feature=np.where(leaf, -1, np.array(tree["split_indices"])[reachable]).astype(np.int32),
        threshold=np.where(leaf, np.float32(0), condition),
        left=np.where(leaf, np.cumsum(leaf) - 1, number[left]),
        right=np.where(leaf, 0, number[right]),
        missing=np.where(leaf, 0, np.array(tree["default_left"])[reachable]).astype(np.uint8),
        value=condition[leaf, None].astype(np.float64),
        category=np.full(len(leaf), -1),
    )


def _reachable(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which nodes hang below the root; XGBoost keeps those that it has pruned."""
    reachable = np.zeros(len(left), dtype=bool)
    level = np.array([0])
    while len(level):
        reachable[level] = True
        inner = level[left[level] >= 0]
        level = np.concatenate([left[inner], right[inner]])
    return reachable


def from_catboost(model: Any, n_classes: int) -> Program:
    """A CatBoost classifier with loss function ``Logloss`` or ``MultiClass`` on numbers, with symmetric trees.

    Values are split as float32, and a missing one is below all others (``nan_mode`` Min). Categorical and text
    features, missing values above all others, and a start that is not zero are refused.
    """
    document = _catboost_json(model)
    scale, bias = document["scale_and_bias"]
    numbers = document["features_info"].get("float_features", [])
    if set(document["features_info"]) - {"float_features"} or any(
        f["nan_value_treatment"] == "AsTrue" for f in numbers
    ):
        raise ValueError("CatBoost's categorical features and nan_mode='Max' cannot be exported")
    if "oblivious_trees" not in document:
        raise ValueError("CatBoost's trees other than symmetric ones cannot be exported")
    if scale != 1 or any(bias):
        raise ValueError("CatBoost's boost_from_average=True cannot be exported")
    symmetric_trees, sums = document["oblivious_trees"], 1 if n_classes == 2 else n_classes
    splits = [tree.get("splits") or [] for tree in symmetric_trees]
    depth = max(map(len, splits))
    feature = np.zeros((len(symmetric_trees), depth), dtype=np.int32)
    threshold = np.full((len(symmetric_trees), depth), np.inf, dtype=np.float32)
    value = np.zeros((len(symmetric_trees), 2**depth, sums), dtype=np.float32)
    for number, (tree, levels) in enumerate(zip(symmetric_trees, splits, strict=True)):
        feature[number, : len(levels)] = [level["float_feature_index"] for level in levels]
        threshold[number, : len(levels)] = [level["border"] for level in levels]
        value[number, : 2 ** len(levels)] = np.reshape(tree["leaf_values"], (-1, sums))
    return Program("oblivious", arrays={"feature": feature, "threshold": threshold, "value": value})


def _catboost_json(model: Any) -> Any:
    """CatBoost's own description of a model, which it writes to files only."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        return json.loads(path.read_bytes())


def _forest(trees: Sequence[_Tree], output: Array, base: Array, settings: Mapping[str, str]) -> Program:
    """All trees in one set of arrays; leaves with equal values share a row."""
    if not trees:
        raise ValueError("a forest needs at least one tree")
    first_node = _starts(len(tree.feature) for tree in trees)
    first_leaf = _starts(len(tree.value) for tree in trees)
    first_set = _starts(len(tree.bits) for tree in trees)
    value, row = np.unique(np.concatenate([t.value for t in trees]), axis=0, return_inverse=True)
    bits = [words for tree in trees for words in tree.bits]

    def joined(part: Any) -> Array:
        return np.concatenate([part(tree, i) for i, tree in enumerate(trees)]).astype(np.int32)

    def left(tree: _Tree, i: int) -> Array:
        leaf = tree.feature < 0
        at_leaf = row.reshape(-1)[np.where(leaf, tree.left + first_leaf[i], 0)]
        return np.where(leaf, at_leaf, tree.left + first_node[i])

    arrays = {
        "root": first_node[:-1].astype(np.int32),
        "feature": np.concatenate([tree.feature for tree in trees]),
        "threshold": np.concatenate([tree.threshold for tree in trees]),
        "left": joined(left),
        "right": joined(lambda tree, i: np.where(tree.feature < 0, 0, tree.right + first_node[i])),
        "missing": np.concatenate([tree.missing for tree in trees]),
        "category": joined(lambda tree, i: np.where(tree.category < 0, -1, tree.category + first_set[i])),
        "category_start": _starts(len(words) for words in bits),
        "category_bits": np.concatenate([np.zeros(0, dtype=np.uint32), *bits]),
        "value": value,
        "output": output.astype(np.int32),
        "base": base.astype(np.float64),
    }
    return Program("forest", settings, arrays)


def _starts(lengths: Iterator[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *lengths], dtype=np.int64)
