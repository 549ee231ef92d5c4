"""Spoilt recipes: as TOML, and as options from Python."""

from __future__ import annotations

from random import Random
from typing import Any

import tomli_w

from bench._fuzz.trees import DEEP, PAYLOADS, spoiled

PLAN = [{"name": "logistic", "efforts": [{}, {}, {}, {}, {}]}]
RECIPES: tuple[dict[str, Any], ...] = (
    {"target": "y", "metric": "roc_auc", "cost": "fp=1,fn=8", "seed": 3, "budget": 30.0, "plan": PLAN},
    {"target": "y", "precision": 0.7, "confidence": 0.9, "split": "60/20/20", "positive": "yes", "plan": PLAN},
    {
        "target": "y",
        "cost": {"no": {"no": 0, "yes": 1}, "yes": {"no": 8, "yes": 0.0}},
        "reject_cost": 0.5,
        "plan": PLAN,
    },
    {
        "target": "y",
        "capacity": "5%",
        "time": "since",
        "ignore": ["paid"],
        "weight": "paid",
        "plan": PLAN,
        "refit": False,
    },
    {
        "target": "y",
        "f_beta": 2.0,
        "group": "city",
        "select": 4,
        "kind": {"age": "number", "since": "datetime:%Y-%m-%d"},
    },
    {"target": "y", "sets": 0.8, "missing": ["NA", "-"], "models": ["lightgbm", "svm"], "f1": False, "seed": 1},
    {
        "target": "y",
        "cost": "fp=2",
        "cost_column": ["fn=paid"],
        "unchecked": ["A208"],
        "plan": [{"name": "tree", "efforts": [{}], "rows": 300}],
    },
    {
        "target": "y",
        "recall": 0.6,
        "fpr": 0.3,
        "plan": [{"name": "lightgbm", "efforts": [{"rounds": 3}, {"rounds": 2}]}],
    },
)


def spoilt_recipe(rng: Random) -> bytes:
    """A recipe as TOML with one or more changes."""
    tree = _spoilt_tree(rng)
    try:
        text = tomli_w.dumps(tree)
    except (TypeError, AttributeError, ValueError):
        text = tomli_w.dumps(rng.choice(RECIPES))
    if rng.random() < 0.15:
        text = _spoilt_text(rng, text)
    content = text.encode(errors="surrogatepass")
    if rng.random() < 0.05:
        at = rng.randrange(len(content) + 1)
        content = content[:at] + rng.choice([b"\xff", b"\x00", b"\xef\xbb\xbf", b"\r", b"\x1b[31m"]) + content[at:]
    return content


def spoilt_options(rng: Random) -> dict[str, Any]:
    """Options as a person may give them from Python, with one or more changes."""
    tree = _spoilt_tree(rng)
    return {str(name): value for name, value in tree.items()} if isinstance(tree, dict) else {"target": tree}


def _spoilt_tree(rng: Random) -> Any:
    tree: Any = rng.choice(RECIPES)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        tree = spoiled(rng, tree, null=False)
    return tree


def _spoilt_text(rng: Random, text: str) -> str:
    return rng.choice(
        [
            *(
                text + "x = " + "[" * DEEP + "]" * DEEP,
                text + "x = " + "{a = " * DEEP + "1" + "}" * DEEP,
                text[: rng.randrange(len(text) + 1)],
            ),
            *(
                f"{'a.' * DEEP}a = 1\n" + text,
                text + f"\n[{'a.' * DEEP}a]\nb = 1\n",
                text * 2,
                text + "\x00",
                text + rng.choice(PAYLOADS),
            ),
            *(
                f'{text}\n"{rng.choice(["unknown", "see", "budgets", "x" * 50_000])}" = 1\n',
                "target = 1979-05-27T07:32:00Z\n",
                "",
            ),
            *(
                'target = "y"\nignore = [' + '"a", ' * 200_000 + "]\n",
                f'target = "{"y" * 2_000_000}"\n',
                'target = "y"\nseed = ' + "9" * 5_000,
            ),
            *(
                f'target = "y"\nmodels = ["{rng.choice(["none", "LightGBM", "majority"])}"]\n',
                '\ufefftarget = "y"\n',
                "\n" * 100_000 + text,
            ),
        ]
    )
