from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bench import loss
from bench.loss import Case, Clients, Fate
from sortal.serve.log.address import open_store
from sortal.serve.log.records import LabelRecord, PredictionRecord


def fate(case: str = "SIGTERM", **others: Any) -> Fate:
    usual = {"rows": 9, "labels": 3, "refused": 0, "lost": 0, "lost_labels": 0, "twice": 0, "seconds": 0.0}
    return Fate(case, "SQLite", **{**usual, **others})


@pytest.mark.parametrize(
    ("result", "holds"),
    [
        (fate(), True),
        (fate(refused=9), True),
        (fate(lost=1, seconds=0.1), False),
        (fate(lost_labels=1), False),
        (fate(twice=1), False),
        (fate(rows=0), False),
        (fate(labels=0), False),
        (fate("kill -9", lost=5, seconds=0.9), True),
        (fate("kill -9", lost=5, seconds=1.1), False),
        (fate("kill -9", lost_labels=1), False),
    ],
)
def test_what_counts_as_lost(result: Fate, holds: bool) -> None:
    assert loss.outcome([result], []).holds is holds


def test_rows_that_were_answered_are_looked_for_in_the_log(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/served.db"
    store = open_store(url)
    store.add_predictions(
        [
            PredictionRecord(row, 1.0, "ab", "champion", {}, "a", (1.0,), "a", None, (), 0.0)
            for row in ("a", "b", "b", "unanswered")
        ]
    )
    store.add_labels([LabelRecord("a", "yes", 1.0), LabelRecord("c", "no", 1.0)])
    store.close()
    clients = Clients(0, rows={"a": 5.0, "b": 6.0, "c": 7.0, "d": 7.5}, labels={"a": "yes", "b": "no", "c": "no"})
    result = loss._compared(Case("kill -9", "SQLite", url, lambda _: None), clients, 8.0)
    assert (result.rows, result.lost, result.twice, result.seconds) == (4, 2, 1, 1.0)
    assert (result.labels, result.lost_labels) == (3, 1)


class RefusingHandler(BaseHTTPRequestHandler):
    """Refuses every second request."""

    protocol_version = "HTTP/1.1"
    n_requests = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        RefusingHandler.n_requests += 1
        self.send_response(200 if RefusingHandler.n_requests % 2 else 503)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_only_what_was_answered_with_200_counts() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), RefusingHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        clients = Clients(server.server_port)
        threads = clients.start()
        while clients.statuses.total() < 40:
            time.sleep(0.01)
        clients.ended.set()
        for thread in threads:
            thread.join()
        server.shutdown()
    assert len(clients.rows) == clients.statuses[200]
    assert clients.statuses[503] > 5
