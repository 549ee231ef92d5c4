"""Models are swapped and taken back under load: does a request fail, and is every answer that of one of the two?

In turn a model is swapped by a request, taken back, put in the place of the file, and taken back.
"""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from bench._load import Load, constant
from bench._outcome import Goal, Options, Outcome
from bench._service import Running, serving
from bench.serve import on_its_own_core, one_row, trained

SWAPS, FAST_SWAPS = 50, 8
RATE, FAST_RATE = 500.0, 100.0
"""Requests a second."""
APART = 0.4
"""Seconds between two swaps; one by its file takes up to half a second more to be noticed."""
SETTLED = 10.0
"""Seconds in which a swap has to show in an answer."""
TOKEN = "of-this-benchmark-alone"
BYTES = "application/octet-stream"
MODEL = re.compile(rb'"model":"([0-9a-f]{64})"')


@dataclass
class Swaps:
    """What came of the swaps: seconds until an answer was of the new model, and what failed."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


def run(options: Options) -> Outcome:
    count, rate = (FAST_SWAPS, FAST_RATE) if options.fast else (SWAPS, RATE)
    with tempfile.TemporaryDirectory() as scratch, on_its_own_core() as core:
        folder = Path(scratch)
        model, other = trained(folder)
        contents = (model.read_bytes(), other.read_bytes())
        (folder / "token").write_text(TOKEN)
        options_of = ("--log", f"sqlite:///{folder}/served.db", "--token-file", folder / "token", "--log-level", "info")
        models: Counter[str] = Counter()
        swaps = Swaps()
        with serving(model, *options_of, token=TOKEN, core=core) as running:
            thread = threading.Thread(target=_swap, args=(running, model, contents, count, swaps))
            load = _under_load(running, rate, thread, models)
            rest = running.stop()
    hashes = [sha256(content).hexdigest() for content in contents]
    return outcome(load, models, swaps, hashes, rest, count, rate)


def _under_load(running: Running, rate: float, swapping: threading.Thread, models: Counter[str]) -> Load:
    """What is asked while models are swapped, second by second until that is done."""

    def count_model(status: int, body: bytes) -> None:
        match = MODEL.search(body)
        models[match[1].decode() if match else f"none: {status}"] += 1

    requests = one_row([f"Authorization: Bearer {TOKEN}"])
    total = constant(running.port, requests, rate, 1.0, handler=count_model)
    swapping.start()
    while swapping.is_alive():
        total = total + constant(running.port, requests, rate, 2.0, handler=count_model)
    return total + constant(running.port, requests, rate, 1.0, handler=count_model)


def _swap(running: Running, model: Path, contents: Sequence[bytes], count: int, swaps: Swaps) -> None:
    hashes = [sha256(content).hexdigest() for content in contents]
    for number in range(count):
        how = ("by request", "back", "by file", "back")[number % 4]
        start = time.monotonic()
        if how == "by file":
            new = model.with_suffix(".new")
            new.write_bytes(contents[1])
            new.replace(model)
        else:
            path, body = ("/v1/admin/rollback", b"") if how == "back" else ("/v1/admin/model", contents[1])
            status = running.ask("POST", path, body, content_type=BYTES).status
            if status != 200:
                swaps.failed.append(f"{how}: {status}")
        if _answers(running, hashes[1 - number % 2]):
            swaps.seconds.setdefault(how, []).append(time.monotonic() - start)
        else:
            swaps.failed.append(f"{how}: no answer of it")
        time.sleep(APART)


def _answers(running: Running, sha: str) -> bool:
    """Whether a model answers, in some time."""
    until = time.monotonic() + SETTLED
    while time.monotonic() < until:
        if running.ask("GET", "/v2/health/ready").status == 200 and _champion(running) == sha:
            return True
        time.sleep(0.02)
    return False


def _champion(running: Running) -> str:
    match = re.search(rb'sha256="([0-9a-f]{64})"', running.ask("GET", "/metrics").body)
    return match[1].decode() if match else ""


def outcome(
    load: Load, models: Counter[str], swaps: Swaps, hashes: Sequence[str], rest: int, count: int, rate: float
) -> Outcome:
    others = sum(answers for model, answers in models.items() if model not in hashes)
    n_swaps = sum(map(len, swaps.seconds.values()))
    rows = [
        [how, str(len(seconds)), f"{sorted(seconds)[len(seconds) // 2]:.2f}", f"{max(seconds):.2f}"]
        for how, seconds in swaps.seconds.items()
    ]
    actual_rate, n_failed = load.rate, load.bad + load.unanswered
    return Outcome(
        title=f"{count} swaps and rollbacks under {rate:g} requests a second",
        columns=["swap", "times", "median s until it answers", "longest s"],
        rows=rows,
        goals=[
            Goal("no request fails", f"{n_failed} of {load.answered + n_failed:,} did", n_failed == 0),
            Goal("every answer is of one of the two models", f"{others} were not", others == 0),
            Goal(f"all {count} swaps were made", f"{n_swaps} were{_listed(swaps.failed)}", n_swaps == count),
            Goal("the service ends in peace", f"exit code {rest}", rest == 0),
        ],
        notes=[
            f"{actual_rate:,.0f} requests a second were answered; p50 {1e3 * load.quantile(0.5):.1f} ms, "
            f"p99 {1e3 * load.quantile(0.99):.1f} ms, longest {1e3 * load.quantile(1.0):.0f} ms",
            "answers by model: " + ", ".join(f"{name[:12]} {number:,}" for name, number in models.items()),
        ],
        figures=[
            {
                "rate": actual_rate,
                "bad": n_failed,
                "answered": load.answered,
                "p99": load.quantile(0.99),
                "swaps": n_swaps,
            },
        ],
    )


def _listed(failed: Sequence[str]) -> str:
    return f" ({', '.join(failed[:5])})" if failed else ""
