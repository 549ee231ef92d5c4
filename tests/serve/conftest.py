"""What the tests of serving share: a model of every kind of column, and requests to the application in this process."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st

from bench import _service
from sortal.artifact.model import Model
from sortal.core.images import sample_image
from sortal.serve.app import App
from sortal.serve.deployment import Deployment, ServedModel
from sortal.serve.log.records import LabelReceipt, LabelRecord, PredictionRecord
from sortal.serve.service import Service
from tests.serve.every_kind import a_model

SHA256 = "ab" * 32


PHOTO = b64encode(sample_image(0)).decode()

_numbers = st.one_of(
    st.integers(-5, 120),
    st.integers(-(2**140), 2**140),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1e39, -1e39, 0.1, -0.0, 2**63, 2**127]),
)
_texts = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.sampled_from(["", "NA", "None", " 12 ", "1.5", "1,5", "1e3", "inf", "nan", "yes", "NO", "true", "TRUE", "0"]),
    st.sampled_from(
        ["2020-02-29", "2020-02-30", "2020-01-01T12:30:00", "0000-00-00", "Bonn", "Ulm", "bonn", "good bad"]
    ),
)
_anything = st.one_of(st.none(), st.booleans(), _numbers, _texts)
_photos = st.sampled_from(
    [None, PHOTO, b64encode(sample_image(1)).decode(), "data:image/png;base64," + PHOTO, "", "NA"]
)
_COLUMNS = dict.fromkeys(("age", "city", "member", "since", "note", "unread"), _anything) | {"photo": _photos}
_likely_rows = st.fixed_dictionaries(
    {},
    optional={
        "age": st.one_of(st.none(), _numbers),
        "city": st.one_of(st.sampled_from(["Bonn", "Ulm", " Ulm", "1"]), st.integers(0, 3), st.floats(0, 2)),
        "member": st.one_of(st.booleans(), st.sampled_from(["yes", "no", "1", "maybe"])),
        "since": st.sampled_from(["2020-02-29", "2020-01-01T12:30:00", "2020-01-01 12:30", None]),
        "note": st.text("good bad late", max_size=20),
        "photo": _photos,
    },
)
_rows = st.one_of(_likely_rows, st.fixed_dictionaries({}, optional=_COLUMNS))


@pytest.fixture(scope="session")
def any_row() -> st.SearchStrategy[dict[str, Any]]:
    """Rows of JSON: half of them likely, half of any value in any column."""
    return _rows


@dataclass(frozen=True)
class Answer(_service.Answer):
    """What came back."""

    def error_of(self, row: int, field: str) -> Any:
        """What is said of one field of one row."""
        return next(error for error in self.json["errors"] if (error["row"], error["field"]) == (row, field))


@dataclass(frozen=True)
class Counts:
    queued: int


@dataclass
class MemoryLog:
    """A log in memory: what a store does with labels, in the fewest lines."""

    records: list[PredictionRecord] = field(default_factory=list)
    label_records: dict[str, LabelRecord] = field(default_factory=dict)

    def put(self, records: Sequence[PredictionRecord]) -> None:
        self.records += records

    def labels(self, records: Sequence[LabelRecord]) -> Future[LabelReceipt]:
        rows = {record.row_id for record in self.records}
        new = [record for record in records if record.row_id not in self.label_records]
        self.label_records |= {record.row_id: record for record in new}
        future: Future[LabelReceipt] = Future()
        n_unmatched = sum(record.row_id not in rows for record in new)
        future.set_result(LabelReceipt(len(new), len(records) - len(new), n_unmatched))
        return future

    def counts(self) -> Counts:
        return Counts(0)


Message = dict[str, Any]


def _call(
    app: App,
    method: str,
    path: str,
    body: bytes | Sequence[bytes] = b"",
    headers: Mapping[str, str] | None = None,
    pause: float = 0.0,
) -> Answer:
    address, _, query = path.partition("?")
    pieces = [body] if isinstance(body, bytes) else list(body)
    waiting = [
        {"type": "http.request", "body": piece, "more_body": at + 1 < len(pieces)} for at, piece in enumerate(pieces)
    ]
    messages: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(pause)
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)

    all_headers = {"content-type": "application/json", **(headers or {})}
    scope = {
        "type": "http",
        "method": method,
        "path": address,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in all_headers.items()],
    }
    asyncio.run(app(scope, receive, send))
    start, end = messages
    names = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], names, end["body"])


Ask = Callable[..., Answer]


@pytest.fixture(scope="session")
def model() -> Model:
    """Columns of all kinds, and some that are not read."""
    return a_model()


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


def _deployment_of(model: Model) -> Deployment:
    return Deployment(ServedModel("churn", SHA256, model))


@pytest.fixture(scope="session")
def call() -> Ask:
    """``call(app, method, path, body, headers)``: a body in pieces comes with a ``pause`` before each."""
    return _call


@pytest.fixture(scope="session")
def deployment() -> Callable[[Model], Deployment]:
    """``deployment(model)``"""
    return _deployment_of


ClientOf = Callable[..., Ask]


@pytest.fixture
def client_of(log: MemoryLog) -> ClientOf:
    """``client_of(model)("POST", "/v1/predict", {"row": {...}})``: bytes are sent as they are, all else as JSON."""

    def of_model(model: Model, used_log: MemoryLog | None = log) -> Ask:
        app = App(Service(_deployment_of(model), log=used_log))

        def ask(method: str, path: str, body: Any = b"", headers: Mapping[str, str] | None = None) -> Answer:
            return _call(app, method, path, body if isinstance(body, bytes) else json.dumps(body).encode(), headers)

        return ask

    return of_model


@pytest.fixture
def ask(model: Model, client_of: ClientOf) -> Ask:
    """``client_of`` of the model of every kind."""
    return client_of(model)
