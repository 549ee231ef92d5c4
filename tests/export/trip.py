"""The trip of a run to MLflow and back, by MLflow's own client, in a process of its own: ``sortal export``, and then what
somebody who knows MLflow alone does with what came.

    python -m tests.export.trip RUN URI ROWS    # ROWS: a table that the model can read
"""

from __future__ import annotations

import json
import sys
import warnings
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

NAME, ALIAS = "churn", "champion"


def export(run: Path, uri: str) -> dict[str, Any]:
    """What ``sortal export --json`` says."""
    from sortal.cli import main

    output = StringIO()
    with redirect_stdout(output):
        main(["export", str(run), "--mlflow", uri, "--name", NAME, "--alias", ALIAS, "--json"])
    answer: dict[str, Any] = json.loads(output.getvalue())
    return answer


def check_run(run: Path, answer: dict[str, Any], mlflow: Any) -> None:
    """The figures are those of ``run.json``, and no file of single rows is there."""
    record = json.loads((run / "run.json").read_bytes())
    client = mlflow.MlflowClient()
    remote_run = client.get_run(answer["run_id"])
    assert remote_run.info.status == "FINISHED"
    assert remote_run.data.params["target"] == record["task"]["target"]
    for metric, figure in record["test"].items():
        for end, value in ((f"test/{metric}", figure["value"]), (f"test/{metric}.low", figure["low"])):
            assert value is None or remote_run.data.metrics[end] == value
    assert remote_run.data.tags["sortal.model_sha256"] == record["artifact"]["sha256"]
    assert remote_run.data.tags["sortal.data_sha256"] == record["data"]["sha256"]
    paths = {file.path for file in client.list_artifacts(answer["run_id"])}
    assert paths == {"report.html", "run.json", "recipe.toml", "leaderboard.csv", "model_card.md"}
    version = client.get_model_version_by_alias(NAME, ALIAS)
    assert str(version.version) == answer["version"]
    assert version.tags["sortal.model_sha256"] == record["artifact"]["sha256"]


def check_model(run: Path, rows: Path, mlflow: Any) -> None:
    """It says of rows, and of its own example, what sortal says, to the bit."""
    import pandas as pd

    import sortal

    own = sortal.load(run / "model.sortal")
    frame = pd.read_csv(rows)
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@{ALIAS}")
    answers = model.predict(frame)
    names = [f"probability_{label}" for label in own.classes_]
    assert np.array_equal(answers[names].to_numpy(), own.predict_proba(frame))
    assert answers["prediction"].tolist() == own.predict(frame).tolist()
    assert answers["decision"].tolist() == own.decide(frame).tolist()
    assert model.metadata.signature.inputs.input_names() == list(own.needs.names)
    assert model.metadata.signature.outputs.input_names() == list(answers.columns)
    assert len(model.predict(model.input_example)) == 1
    files = mlflow.artifacts.list_artifacts(f"models:/{NAME}@{ALIAS}")
    assert not [file.path for file in files if file.path.endswith((".pkl", ".pickle", ".joblib"))]


def trip(run: Path, uri: str, rows: Path) -> str:
    """Where the run is, as a person finds it."""
    answer = export(run, uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow

        mlflow.set_tracking_uri(uri)
        check_run(run, answer, mlflow)
        check_model(run, rows, mlflow)
    second = export(run, uri)
    assert (answer["version"], second["version"]) == ("1", "2")
    return str(answer["page"] or answer["model"])


if __name__ == "__main__":
    sys.stdout.write(trip(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
