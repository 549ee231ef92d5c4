"""One peer of ``bench serve``, in a process and an environment of its own.

    python bench/_serve_peers.py NAME MODEL.sortal TABLE.csv TARGET PORT WORK

``fastapi`` is FastAPI and pydantic around sortal's own scorer, ``fastapi sklearn`` around a pipeline of scikit-learn on
a pandas row, ``mlflow`` is ``mlflow models serve`` on the model. None of them logs anything.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Scorer = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def fastapi(model: Path, table: Path, target: str, port: int, work: Path) -> None:
    import sortal

    loaded = sortal.load(model)
    names = loaded.task.classes

    def score(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        answers = loaded.answer(rows)
        columns = (answers.labels.tolist(), answers.probabilities.tolist(), answers.decisions.tolist())
        return [
            {"label": label, "probabilities": dict(zip(names, probabilities, strict=True)), "decision": decision}
            for label, probabilities, decision in zip(*columns, strict=True)
        ]

    _serve({c.name: float if c.kind == "number" else str for c in loaded.needs.columns}, score, port)


def fastapi_sklearn(model: Path, table: Path, target: str, port: int, work: Path) -> None:
    import pandas as pd
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = pd.read_csv(table, na_values=[" "]).drop(columns="customerID")
    rows, labels = frame.drop(columns=target), frame[target]
    numbers = make_column_selector(dtype_include="number")
    prepare = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
    )
    pipeline = make_pipeline(prepare, LogisticRegression(max_iter=1_000)).fit(rows, labels)
    names = pipeline.classes_.tolist()

    def score(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        probabilities = pipeline.predict_proba(pd.DataFrame(records, columns=rows.columns))
        columns = (probabilities.argmax(axis=1).tolist(), probabilities.tolist())
        return [
            {"label": names[at], "probabilities": dict(zip(names, p, strict=True)), "decision": names[at]}
            for at, p in zip(*columns, strict=True)
        ]

    kinds = {name: float if rows[name].dtype.kind in "if" else str for name in rows.columns}
    _serve(kinds, score, port)


def _serve(kinds: dict[str, type], score: Scorer, port: int) -> None:
    fast, pydantic, uvicorn = (importlib.import_module(name) for name in ("fastapi", "pydantic", "uvicorn"))
    row = pydantic.create_model("Row", **{name: (kind | None, None) for name, kind in kinds.items()})
    request_model = pydantic.create_model("Asked", rows=(list[row], ...))
    prediction = pydantic.create_model(
        "Prediction", label=(str, ...), probabilities=(dict[str, float], ...), decision=(str, ...)
    )
    response_model = pydantic.create_model("Answered", predictions=(list[prediction], ...))
    app = fast.FastAPI()

    async def predict(body: Any) -> Any:
        return {"predictions": score([record.model_dump() for record in body.rows])}

    predict.__annotations__ = {"body": request_model, "return": response_model}
    app.post("/v1/predict")(predict)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def mlflow(model: Path, table: Path, target: str, port: int, work: Path) -> None:
    """The model as a Python function, which is how MLflow serves what it does not know."""
    flow = importlib.import_module("mlflow")
    code = work / "mlflow_model.py"
    code.write_text(
        "import mlflow\n"
        "class Sortal(mlflow.pyfunc.PythonModel):\n"
        "    def load_context(self, context):\n"
        "        import sortal\n"
        "        self.model = sortal.load(context.artifacts['model'])\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        answers = self.model.answer(model_input)\n"
        "        return [{'label': label, 'probabilities': p, 'decision': d} for label, p, d in zip(\n"
        "            answers.labels.tolist(), answers.probabilities.tolist(), answers.decisions.tolist())]\n"
        "mlflow.models.set_model(Sortal())\n"
    )
    saved = work / "mlflow_model"
    flow.pyfunc.save_model(str(saved), python_model=str(code), artifacts={"model": str(model)}, pip_requirements=[])
    words = ["models", "serve", "-m", str(saved), "-p", str(port), "--env-manager", "local", "--workers", "1"]
    scripts = Path(sys.executable).parent
    os.environ["PATH"] = os.pathsep.join([str(scripts), os.environ.get("PATH", "")])
    os.execv(scripts / "mlflow", ["mlflow", *words])


PEERS = {"fastapi": fastapi, "fastapi sklearn": fastapi_sklearn, "mlflow": mlflow}


if __name__ == "__main__":
    name, model, table, target, port, work = sys.argv[1:]
    PEERS[name](Path(model), Path(table), target, int(port), Path(work))
