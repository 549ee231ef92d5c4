"""How MLflow loads a model of sortal: the module that the file ``MLmodel`` of a logged model names.

Its name and ``_load_pyfunc`` are a contract: models that were logged name them. No pickle is read, and no code but
this: what MLflow hands over is the ``.sortal`` file, which is audited and proven as always.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sortal.artifact.model import Model, load
from sortal.artifact.score import columns_of, values_of
from sortal.filing import MODEL_FILE


class Predictor:
    """What MLflow asks for predictions."""

    def __init__(self, model: Model) -> None:
        self.sortal_model = model

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> Any:
        """The columns that ``sortal predict`` writes, as a table of pandas: the rows are one batch."""
        import pandas as pd

        model = self.sortal_model
        values = values_of(model, model.answer(model_input))
        index = getattr(model_input, "index", None)
        return pd.DataFrame(dict(zip(columns_of(model), values, strict=True)), index=index)


def _load_pyfunc(path: str) -> Predictor:
    """``path``: the folder that holds the model file, and what it needs beside it."""
    return Predictor(load(Path(path) / MODEL_FILE))
