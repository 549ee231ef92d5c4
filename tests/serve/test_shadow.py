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
from tests.serve.conftest import MemoryLog
from tests.serve.process import ROW, a_model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    a_model(intercept=1.0).save(tmp_path / "shadow.sortal")
    return tmp_path / "shadow.sortal"


MakeShadow = Callable[..., tuple[Shadow, Deployment, Metrics, MemoryLog]]


@pytest.fixture
def make_shadow(path: Path) -> MakeShadow:
    def make(log: MemoryLog | None = None) -> tuple[Shadow, Deployment, Metrics, MemoryLog]:
        model, used_log, metrics = read_model(path), log or MemoryLog(), Metrics()
        deployment = Deployment(model, model)
        return Shadow(deployment, path, used_log, metrics, Limits()), deployment, metrics, used_log

    return make


def batches(count: int, rows: int = 2) -> list[Batch]:
    return [
        Batch([ROW | {"tenure": at} for _ in range(rows)], [f"{at}-{row}" for row in range(rows)])
        for at in range(count)
    ]


def test_rows_of_several_requests_get_what_each_would_alone(make_shadow: MakeShadow) -> None:
    shadow, deployment, metrics, log = make_shadow()
    for batch in batches(300):
        shadow.offer(batch)
    shadow.start()
    shadow.stop(30)
    assert metrics.shadow == {"scored": 600}
    assert {record.role for record in log.records} == {"shadow"}
    assert [record.row_id for record in log.records] == [name for batch in batches(300) for name in batch.ids]
    separate_scores = [score(deployment.champion, batch, Limits(), Timing()) for batch in batches(300)]
    expected = [tuple(p) for scores in separate_scores for p in scores.probabilities]
    assert [record.probabilities for record in log.records] == expected
    assert {record.model for record in log.records} == {deployment.champion.sha256}


def test_a_full_queue_drops_and_counts_and_does_not_wait(
    make_shadow: MakeShadow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadows, "MOST_WAITING", 10)
    shadow, _, metrics, log = make_shadow()
    for batch in batches(8):
        shadow.offer(batch)
    shadow.start()
    shadow.stop(30)
    assert metrics.shadow == {"scored": 10, "dropped": 6}
    assert 'outcome="dropped"' in metrics.text()
    assert len(log.records) == 10


def test_a_row_that_it_cannot_read_spoils_no_other(make_shadow: MakeShadow) -> None:
    shadow, _, metrics, log = make_shadow()
    good_batches = batches(3)
    for batch in (good_batches[0], Batch([{"tenure": "long"}], ["bad"]), good_batches[1], good_batches[2]):
        shadow.offer(batch)
    shadow.start()
    shadow.stop(30)
    assert metrics.shadow == {"scored": 6, "refused": 1}
    assert "bad" not in {record.row_id for record in log.records}


class FullLog(MemoryLog):
    def put(self, records: Sequence[PredictionRecord]) -> None:
        raise StoreError("the log has no room")


def test_what_the_log_has_no_room_for_is_counted(make_shadow: MakeShadow) -> None:
    shadow, _, metrics, _ = make_shadow(FullLog())
    for batch in batches(3):
        shadow.offer(batch)
    shadow.start()
    shadow.stop(30)
    assert metrics.shadow == {"dropped": 6}


def test_rows_that_come_after_the_start_are_scored_too(make_shadow: MakeShadow) -> None:
    shadow, _, metrics, _ = make_shadow()
    shadow.start()
    for batch in batches(50):
        shadow.offer(batch)
        threading.Event().wait(0.001)
    shadow.stop(30)
    assert metrics.shadow == {"scored": 100}


def test_another_file_is_taken(make_shadow: MakeShadow, path: Path) -> None:
    shadow, deployment, _, _ = make_shadow()
    former = deployment.shadow
    path.write_bytes(b"half a model")
    shadow.look()
    assert deployment.shadow is former
    a_model(intercept=2.0).save(path)
    shadow.look()
    assert deployment.shadow is not None
    assert deployment.shadow.sha256 == read_model(path).sha256 != deployment.champion.sha256
