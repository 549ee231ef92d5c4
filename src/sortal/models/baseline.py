"""The baselines that nobody may lose to: the shares of the classes, whatever the row says, and a shallow tree."""

from __future__ import annotations

import sys
from typing import Any

from sortal.models import trees
from sortal.models.constant import class_shares
from sortal.models.family import SIMPLE_ROWS, Family, FitRequest, Fitted, Settings, Work
from sortal.prepare.view import View


def _fit_majority(request: FitRequest, settings: Settings) -> Fitted:
    return class_shares(request)


def _fit_tree(request: FitRequest, settings: Settings) -> Fitted:
    from sklearn.tree import DecisionTreeClassifier

    rows = request.train
    leaf = int(settings.get("min_samples_leaf", max(5, len(rows.y) // 500)))
    tree = DecisionTreeClassifier(
        max_depth=int(settings.get("max_depth", 5)), min_samples_leaf=leaf, random_state=request.seed
    ).fit(rows.X, rows.y, sample_weight=rows.weight)
    _smooth(tree, request.n_classes)
    return Fitted(
        predict_proba=tree.predict_proba,
        program=lambda: trees.from_sklearn([tree], request.n_classes),
        importance=tree.feature_importances_,
    )


def _smooth(tree: Any, n_classes: int) -> None:
    """Laplace's rule in the leaves: one row more of every class, so that a pure leaf of a few rows is not certain.

    Provost & Domingos (2003), "Tree induction for probability-based ranking".
    """
    rows = tree.tree_.weighted_n_node_samples[:, None, None]
    tree.tree_.value[...] = (tree.tree_.value * rows + 1) / (rows + n_classes)


majority = Family(
    "majority",
    # It looks at no column, so that nothing is worth learning of one: it has to be there at once, without any library.
    View("raw", "codes", many=sys.maxsize, texts="words", images="colour", columns="one"),
    complexity=0,
    fit=_fit_majority,
    most_rows=SIMPLE_ROWS,
    work=Work(fixed=0.02, row=5e-7),
    baseline="majority class",
)
tree = Family(
    "tree",
    View("imputed", "codes", images="colour"),
    complexity=2,
    fit=_fit_tree,
    most_rows=SIMPLE_ROWS,
    work=Work(fixed=0.02, row=5e-6),
)
