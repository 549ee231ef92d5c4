"""What workers of one service have in common: figures, and the last model that answered."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from sortal.core.errors import ArtifactError
from sortal.serve.deployment import Deployment
from sortal.serve.metrics import Metrics
from sortal.serve.shared import Shared
from sortal.serve.swap import Swap
from tests.serve.process import a_model


def test_a_worker_that_ended_leaves_its_counts_and_no_more(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    metrics, shared = Metrics(), Shared(tmp_path)
    metrics.add_rows(["yes", "no", "yes"], 1)
    figures = metrics.families({"queued": 2.0}, {})
    for process in (1, child.pid):
        (tmp_path / f"{process}.figures").write_bytes(msgspec.json.encode(figures))
    shared.show(figures)
    text = metrics.text({"queued": 2.0}, others=shared.others())
    counts = re.findall(r'^sortal_decisions_total\{decision="yes",worker="\d+"\} (\d+)$', text, re.MULTILINE)
    assert counts == ["2", "2", "2"]
    assert len(re.findall(r"^sortal_log_queued\{", text, re.MULTILINE)) == 2
    assert text.count("# TYPE sortal_decisions_total counter") == 1
    assert not list(tmp_path.glob("*.part"))


def test_a_worker_that_starts_beside_a_bad_file_takes_the_last_model_that_answered(tmp_path: Path) -> None:
    path = tmp_path / "churn.sortal"
    (tmp_path / "shared").mkdir()
    shared = Shared(tmp_path / "shared")
    path.write_bytes(b"none")
    with pytest.raises(ArtifactError):
        shared.champion(path, None)
    a_model().save(path)
    champion, source = shared.champion(path, None)
    assert source == path
    Swap(Deployment(champion), path, shared=shared)
    content = path.read_bytes()
    for spoil in (lambda: path.write_bytes(content[:-50]), path.unlink):
        spoil()
        fallback, source = shared.champion(path, None)
        assert (fallback.name, fallback.sha256) == ("churn", champion.sha256)
        swap = Swap(deployment := Deployment(fallback), path, shared=shared, source=source)
        swap.look()
        assert deployment.champion is fallback
    a_model(intercept=-2.0).save(path)
    swap.look()
    assert deployment.champion.sha256 != champion.sha256
    assert (tmp_path / "churn.previous.sortal").read_bytes() == content
    assert (tmp_path / "shared" / "churn.sortal").read_bytes() == path.read_bytes()
