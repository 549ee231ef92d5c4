"""A model that is asked beside the one that answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sortal.core.errors import StoreError
from sortal.serve import shadow as shadows
from sortal.serve.deployment import Deployment, read_model
from sortal.serve.limits import Limits
from sortal.serve.log.records import PredictionRecord
from sortal.serve.metrics import Metrics
from sortal.serve.service import Batch, Timing, score
from sortal.serve.shadow import Shadow
from tests.serve.conftest import KeptLog
from tests.serve.process import ROW, a_model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    a_model(intercept=1.0).save(tmp_path / "shadow.sortal")
    return tmp_path / "shadow.sortal"


Made = Callable[..., tuple[Shadow, Deployment, Metrics, KeptLog]]


@pytest.fixture
def made(path: Path) -> Made:
    def make(log: KeptLog | None = None) -> tuple[Shadow, Deployment, Metrics, KeptLog]:
        model, kept, metrics = read_model(path), log or KeptLog(), Metrics()
        deployment = Deployment(model, model)
        return Shadow(deployment, path, kept, metrics, Limits()), deployment, metrics, kept

    return make


def batches(count: int, rows: int = 2) -> list[Batch]:
    return [
        Batch([ROW | {"tenure": at} for _ in range(rows)], [f"{at}-{row}" for row in range(rows)])
        for at in range(count)
    ]


def test_rows_of_several_requests_get_what_each_would_alone(made: Made) -> None:
    shadow, deployment, metrics, log = made()
    for batch in batches(300):
        shadow.offer(batch)
    shadow.start()
    shadow.stop(30)
    assert metrics.shadow == {"scored": 600}
    assert {record.role for record in log.records} == {"shadow"}
    assert [record.row_id for record in log.records] == [name for batch in batches(300) for name in batch.ids]
    alone = [score(deployment.champion, batch, Limits(), Timing()) for batch in batches(300)]
    expected = [tuple(each) for scored in alone for each in scored.probabilities]
    assert [record.probabilities for record in log.records] == expected
    assert {record.model for record in log.records} == {deployment.champion.sha256}


def test_a_full_queue_drops_and_counts_and_does_not_wait(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadows, "MOST_WAITING", 10)
    shadow, _, metrics, log = made()
    for batch in batches(8):
        shadow.offer(batch)
    shadow.start()
    shadow.stop(30)
    assert metrics.shadow == {"scored": 10, "dropped": 6}
    assert 'outcome="dropped"' in metrics.text()
    assert len(log.records) == 10


def test_a_row_that_it_cannot_read_spoils_no_other(made: Made) -> None:
    shadow, _, metrics, log = made()
    good = batches(3)
    for batch in (good[0], Batch([{"tenure": "long"}], ["bad"]), good[1], good[2]):
        shadow.offer(batch)
    shadow.start()
    shadow.stop(30)
    assert metrics.shadow == {"scored": 6, "refused": 1}
    assert "bad" not in {record.row_id for record in log.records}


class FullLog(KeptLog):
    def put(self, records: Sequence[PredictionRecord]) -> None:
        raise StoreError("the log has no room")


def test_what_the_log_has_no_room_for_is_counted(made: Made) -> None:
    shadow, _, metrics, _ = made(FullLog())
    for batch in batches(3):
        shadow.offer(batch)
    shadow.start()
    shadow.stop(30)
    assert metrics.shadow == {"dropped": 6}


def test_rows_that_come_after_the_start_are_scored_too(made: Made) -> None:
    shadow, _, metrics, _ = made()
    shadow.start()
    for batch in batches(50):
        shadow.offer(batch)
        threading.Event().wait(0.001)
    shadow.stop(30)
    assert metrics.shadow == {"scored": 100}


def test_another_file_is_taken(made: Made, path: Path) -> None:
    shadow, deployment, _, _ = made()
    former = deployment.shadow
    path.write_bytes(b"half a model")
    shadow.look()
    assert deployment.shadow is former
    a_model(intercept=2.0).save(path)
    shadow.look()
    assert deployment.shadow is not None
    assert deployment.shadow.sha256 == read_model(path).sha256 != deployment.champion.sha256
