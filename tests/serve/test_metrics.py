"""Counts as Prometheus reads them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sortal.serve.metrics import BUCKETS, Metrics

LINE = re.compile(r'sortal_\w+\{(?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)+\} (\+?[\d.e+-]+)')


def samples(text: str) -> dict[str, float]:
    """Every line by what stands before its value, without the process."""
    lines = [re.sub(r',?worker="\d+"', "", line) for line in text.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_requests_rows_decisions_and_warnings_are_counted(ask: Any) -> None:
    ask("POST", "/v1/predict", {"rows": [{"age": 40, "city": "Ulm"}, {"age": 400, "city": "Ulm"}]})
    ask("POST", "/v1/predict", {"row": {"age": "x"}})
    ask("GET", "/nothing/secret")
    answer = ask("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    figures = samples(answer.body.decode())
    assert figures['sortal_requests_total{method="POST",route="/v1/predict",status="200"}'] == 1
    assert figures['sortal_requests_total{method="POST",route="/v1/predict",status="422"}'] == 1
    assert figures['sortal_requests_total{method="GET",route="(none)",status="404"}'] == 1
    assert figures["sortal_rows_total{}"] == 2
    assert sum(value for name, value in figures.items() if "decisions_total" in name) == 2
    assert figures["sortal_row_warnings_total{}"] == 2
    assert figures['sortal_stage_seconds_total{stage="score"}'] > 0
    assert figures["sortal_log_queued{}"] == 0
    assert "secret" not in answer.body.decode()


def test_every_line_is_of_the_format() -> None:
    metrics = Metrics()
    metrics.add_request("GET", "/a", 200, 0.003)
    metrics.add_rows(['a "quoted"\n\\ class'], 0)
    for line in metrics.text({"queued": 3}, {"name": "m"}).splitlines():
        assert LINE.fullmatch(line) or re.fullmatch(r"# (HELP|TYPE) sortal_\w+ .+", line), line


def test_buckets_are_cumulative_and_end_with_all() -> None:
    metrics = Metrics()
    for seconds in (0.0005, 0.0006, 0.3, 99):
        metrics.add_request("GET", "/a", 200, seconds)
    figures = samples(metrics.text())
    counts = [figures[f'sortal_request_seconds_bucket{{route="/a",le="{bound}"}}'] for bound in (*BUCKETS, "+Inf")]
    assert counts[0] == 1
    assert counts == sorted(counts)
    assert counts[-1] == figures['sortal_request_seconds_count{route="/a"}'] == 4
    assert figures['sortal_request_seconds_sum{route="/a"}'] == 0.0005 + 0.0006 + 0.3 + 99


def test_rows_of_several_threads_are_all_counted() -> None:
    metrics = Metrics()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: metrics.add_rows(["yes", "no"], 1), range(2_000)))
    assert (metrics.rows, metrics.warnings, dict(metrics.decisions)) == (4_000, 2_000, {"yes": 2_000, "no": 2_000})
