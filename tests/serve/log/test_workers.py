"""Several workers, one log: nothing twice, nothing lost, figures that add up, and a crash that ends nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

from sortal.serve.log.store import LogStore
from tests.serve.process import PATIENCE, ROW, Running, a_model, serving

N_ROWS = 40


def figure(running: Running, name: str) -> dict[str, float]:
    """By worker."""
    lines = re.findall(
        rf'^sortal_{name}{{worker="(\d+)"}} ([\d.]+)$', running.ask("GET", "/metrics").body.decode(), re.MULTILINE
    )
    return {worker: float(value) for worker, value in lines}


def wait_for_sum(running: Running, name: str, total: float) -> dict[str, float]:
    """The others show their figures twice a second."""
    until = time.monotonic() + PATIENCE
    while sum((counts := figure(running, name)).values()) != total:
        assert time.monotonic() < until, counts
        time.sleep(0.05)
    return counts


def test_workers_share_a_log_and_one_that_crashes_beside_a_bad_file_is_replaced(
    tmp_path: Path, url: str, open_log: Callable[[str], LogStore]
) -> None:
    path = tmp_path / "churn.sortal"
    a_model().save(path)
    labels = json.dumps({"labels": [{"id": f"row-{at}", "label": "Yes"} for at in range(N_ROWS)]}).encode()
    with serving(path, "--log", url, "--workers", 2) as running:
        running.wait_for("ready", times=2)
        models = {running.predict(ROW, ids=[f"row-{at}"]).json["model"] for at in range(N_ROWS)}
        assert min(wait_for_sum(running, "rows_total", N_ROWS).values()) > 0
        wait_for_sum(running, "log_written", N_ROWS)
        first, second = (
            running.ask("POST", "/v1/labels", labels, content_type="application/json").json for _ in range(2)
        )
        assert (first["new"], first["unmatched"], second["new"], second["repeated"]) == (N_ROWS, 0, 0, N_ROWS)

        path.write_bytes(b"no model")
        running.wait_for("the new model file is not used; the former model goes on", times=2)
        crashed_pid = next(iter(figure(running, "rows_total")))
        os.kill(int(crashed_pid), signal.SIGKILL)
        running.wait_for("ready", times=3)
        assert "why" in running.wait_for("the model file is not used; the last model that answered goes on")
        answers = [running.predict(ROW, ids=[f"more-{at}"]) for at in range(N_ROWS)]
        assert {answer.status for answer in answers} == {200}
        assert {answer.json["model"] for answer in answers} == models
        assert crashed_pid in wait_for_sum(running, "rows_total", 2 * N_ROWS)
        assert running.stop() == 0
    rows = list(open_log(url).read())
    assert len({row.prediction.row_id for row in rows}) == len(rows) == 2 * N_ROWS
    assert sum(row.label is not None for row in rows) == N_ROWS
