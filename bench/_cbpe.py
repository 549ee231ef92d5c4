"""NannyML's CBPE, in an environment of its own: what it expects of periods whose probabilities come as JSON."""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
from typing import Any

FIGURES = ("accuracy", "roc_auc")


def main() -> None:
    os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
    nannyml, pandas = (importlib.import_module(name) for name in ("nannyml", "pandas"))
    warnings.filterwarnings("ignore")  # of few chunks, which matter to its thresholds alone
    request: dict[str, Any] = json.load(sys.stdin)
    estimator = nannyml.CBPE(
        y_pred_proba="p",
        y_pred="said",
        y_true="came",
        metrics=list(FIGURES),
        problem_type="classification_binary",
        chunk_size=request["period"],
    )
    estimator.fit(pandas.DataFrame(request["reference"]))
    # A period at a time: each is one chunk.
    frames = [
        estimator.estimate(pandas.DataFrame(period).drop(columns="came")).to_df() for period in request["periods"]
    ]
    print(json.dumps({name: [float(frame[(name, "value")].iloc[-1]) for frame in frames] for name in FIGURES}))


if __name__ == "__main__":
    main()
