"""How MLflow loads a model, without MLflow: it hands over a folder, and asks for tables of pandas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import sortal
from sortal.core.errors import ArtifactError
from sortal.export.pyfunc import _load_pyfunc
from tests.conftest import TrainedRun


def test_it_says_what_sortal_says_row_by_row(churn_run: TrainedRun, churn: pl.DataFrame) -> None:
    rows, own = churn.head(50).to_pandas(), sortal.load(churn_run.model)
    rows.index = pd.Index(range(100, 150))
    answers = _load_pyfunc(str(churn_run.folder)).predict(rows)
    assert list(answers) == ["prediction", "decision", "probability_No", "probability_Yes"]
    assert np.array_equal(answers[["probability_No", "probability_Yes"]], own.predict_proba(rows))
    assert answers["decision"].tolist() == own.decide(rows).tolist()
    assert answers.index.equals(rows.index)


def test_a_whole_number_and_its_text_are_the_same(churn_run: TrainedRun, churn: pl.DataFrame) -> None:
    model, rows = _load_pyfunc(str(churn_run.folder)), churn.head(50).to_pandas()
    numbers = rows.assign(tenure=rows["tenure"].astype(int))
    assert model.predict(rows).equals(model.predict(numbers))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.sortal").write_bytes(b"no model")
    with pytest.raises(ArtifactError):
        _load_pyfunc(str(tmp_path))
