"""A run and its model for a tracking server of MLflow, by MLflow's own client (the extra ``mlflow``)."""

from __future__ import annotations

import io
import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sortal.artifact import networks
from sortal.artifact.model import Model
from sortal.artifact.score import columns_of
from sortal.core.errors import OptionError, OutputError
from sortal.core.kinds import kind_of
from sortal.data.whole import temporary_folder
from sortal.engine.run import ops
from sortal.export import pyfunc
from sortal.export.summary import CARD_FILE, MOST_LETTERS, Summary
from sortal.filing import MODEL_FILE
from sortal.version import __version__

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

NEEDED = "MLflow's client is an extra: pip install 'sortal[mlflow]'"
MANNERS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""Of its client, unless the environment says otherwise: by itself it tries for minutes to reach a server that is not
there, prints in the midst of ``--json``, and tells its makers that it was used.
"""


@dataclass(frozen=True)
class Destination:
    """``uri``: of the tracking server. ``name``: of the registered model that gets a version, and ``alias`` of that
    version.
    """

    uri: str
    experiment: str
    name: str | None = None
    alias: str | None = None


@dataclass(frozen=True)
class Logged:
    """What MLflow calls the run, its page, the model as ``mlflow.pyfunc.load_model`` takes it, and the version that was
    registered.
    """

    run_id: str
    page: str | None
    model: str
    version: str | None = None


def send(summary: Summary, destination: Destination) -> Logged:
    """Raises OptionError where the client is not installed, OutputError where the server does not take all of it: then
    the run stands there as failed.
    """
    if find_spec("mlflow") is None or find_spec("pandas") is None:
        raise OptionError(NEEDED)
    with _client(destination.uri) as mlflow:
        mlflow.set_experiment(destination.experiment)
        with mlflow.start_run(run_name=summary.name, description=summary.card[:MOST_LETTERS]) as run:
            mlflow.set_tags(dict(summary.tags))
            mlflow.log_params(dict(summary.parameters))
            mlflow.log_metrics(dict(summary.figures))
            mlflow.log_text(summary.card, CARD_FILE)
            for file in summary.files:
                mlflow.log_artifact(str(file))
            model = _log_model(mlflow, summary)
            version = (
                None
                if destination.name is None
                else _register(mlflow, model, destination.name, destination.alias, summary.tags)
            )
        return Logged(run.info.run_id, _page(destination.uri, run), model, version)


def _log_model(mlflow: Any, summary: Summary) -> str:
    """The model file, and the networks beside it, as a model of MLflow; its URI."""
    import pandas as pd

    home = temporary_folder()
    try:
        folder = home.path / "sortal"
        folder.mkdir()
        shutil.copyfile(summary.model_file, folder / MODEL_FILE)
        networks.copy_beside(summary.model_file, folder)
        example = None if summary.example is None else pd.DataFrame([summary.example], dtype=object)
        info = mlflow.pyfunc.log_model(
            name="model",
            loader_module=pyfunc.__name__,
            data_path=str(folder),
            signature=signature_of(summary.model),
            input_example=example,
            pip_requirements=requirements(summary.model),
            metadata={"kinds": {column.name: column.kind for column in summary.model.needs.columns}},
        )
    finally:
        home.remove()
    return str(info.model_uri)


def _register(mlflow: Any, uri: str, name: str, alias: str | None, tags: Mapping[str, str]) -> str:
    with redirect_stderr(io.StringIO()):  # it says there what is said below
        version = mlflow.register_model(uri, name, tags=dict(tags)).version
    if alias is not None:
        mlflow.MlflowClient().set_registered_model_alias(name, alias, version)
    return str(version)


def signature_of(model: Model) -> ModelSignature:
    """Columns by name, of any type: what a value means is decided at sortal's own door, where 3, 3.0 and "3" are the
    same number. MLflow's types would refuse whole numbers where a column has others, too.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    answers = columns_of(model)
    inputs = [ColSpec(AnyType(), name) for name in model.needs.names]
    outputs = [ColSpec(DataType.double if n.startswith("probability_") else AnyType(), n) for n in answers]
    return ModelSignature(Schema(inputs), Schema(outputs))


def requirements(model: Model) -> list[str]:
    """What has to be installed where the model is loaded."""
    images = any(kind_of(column.kind).storage == "bytes" for column in model.needs.columns)
    extra = "[image]" if images or "onnx" in ops(model.program) else ""
    return [f"sortal{extra}>={__version__}", "pandas"]


@contextmanager
def _client(uri: str) -> Iterator[Any]:
    """MLflow's module, for one server."""
    for name, value in MANNERS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of types of its own, and of those that no type is named for
        import mlflow
        from mlflow.exceptions import MlflowException

        logger = logging.getLogger("mlflow")
        former, level = mlflow.get_tracking_uri(), logger.level
        logger.setLevel(logging.ERROR)
        try:
            mlflow.set_tracking_uri(uri)
            yield mlflow
        except MlflowException as error:
            raise OutputError(_refusal(str(error), uri)) from None
        finally:
            mlflow.set_tracking_uri(former)
            logger.setLevel(level)


def _refusal(message: str, uri: str) -> str:
    """A sentence of what MLflow said, without a password."""
    place = _place(uri)
    if "failed with exception" in message:  # of the connection, and then its whole history
        return f"no tracking server of MLflow answers at {place}; is it running, and is this its address?"
    secret, at, _ = urlsplit(uri).netloc.rpartition("@")
    return f"MLflow at {place} did not take the run: {message.replace(secret + at, '') if at else message}"


def _place(uri: str) -> str:
    """Where a server is, without a password.

    >>> _place("https://me:secret@tracking.example:8080/mlflow"), _place("sqlite:///runs.db")
    ('https://tracking.example:8080/mlflow', 'sqlite:///runs.db')
    """
    parts = urlsplit(uri)
    return uri if "@" not in parts.netloc else parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _page(uri: str, run: Any) -> str | None:
    """Where a person looks at the run; None where there is no server."""
    if not uri.startswith(("http://", "https://")):
        return None
    return f"{_place(uri).rstrip('/')}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
