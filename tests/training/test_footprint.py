"""What a fitted candidate takes, by a clock that goes by a second at each look."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sortal.core.packing import packed_size
from sortal.engine.program import Program
from sortal.training import footprint as module
from sortal.training.footprint import Footprint, footprint, packed_bytes

NUMBERS = np.random.default_rng(0).normal(size=500)


def of_arrays(op: str, **arrays: np.ndarray) -> Program:
    return Program(op, {}, arrays)


def size(*arrays: np.ndarray) -> int:
    return sum(packed_size(np.ascontiguousarray(array).tobytes()) for array in arrays)


def test_bytes_are_those_of_all_arrays_and_a_part_of_the_settings() -> None:
    zeros, settings = np.zeros(1000), {"names": ["a" * 50] * 100}
    inner = Program("linear", settings, {"weight": NUMBERS})
    outer = Program("chain", {}, {"bias": zeros}, (inner, of_arrays("step", cut=NUMBERS[:7])))
    text = len('{"names":[]}') + 100 * 52 + 99 + 2 * len("{}")
    assert packed_bytes(outer) == text // 4 + size(NUMBERS, zeros, NUMBERS[:7])


@pytest.mark.parametrize("networks", [True, False])
def test_networks_of_others_are_left_out_where_they_stay_beside_the_file(networks: bool) -> None:
    network = of_arrays("onnx", graph=NUMBERS)
    once = Program("once", {}, {"table": NUMBERS[:9]}, (Program("chain", {}, {}, (network,)),))
    own = of_arrays("onnx", graph=NUMBERS[:5])  # one that was trained here
    program = Program("chain", {}, {}, (once, own))
    arrays = [NUMBERS[:9], NUMBERS[:5], *([NUMBERS] if networks else [])]
    assert packed_bytes(program, networks) == (5 if networks else 4) * 2 // 4 + size(*arrays)


def test_bytes_that_pack_well_are_packed_as_a_whole_and_others_are_only_tried() -> None:
    assert module._times_as_many(of_arrays("x", a=NUMBERS[:10])) == 1.0
    assert module._times_as_many(Program("x")) == 0.0
    large = np.zeros(1 << 20)
    n_bytes = min(large.nbytes, module.PIECES * module.PIECE)
    assert module._times_as_many(of_arrays("x", a=large)) == pytest.approx(large.nbytes / n_bytes)
    noise = np.random.default_rng(0).integers(0, 256, 1 << 23, dtype=np.uint8)
    assert module._times_as_many(of_arrays("x", a=noise)) == 1.0


class Timed:
    """A pipeline of a program that counts its rows, and rows to score."""

    def __init__(self, step: float, rows: int, once: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[int] = []
        whole, fine = count(), count()
        clock = SimpleNamespace(monotonic=lambda: float(next(whole)), perf_counter=lambda: step * next(fine))
        monkeypatch.setattr(module, "time", clock)
        monkeypatch.setattr(module, "compile_program", lambda program: self._run)
        inner = Program("once") if once else Program("number")
        self.pipeline: Any = SimpleNamespace(program=lambda: Program("chain", {}, {"a": NUMBERS}, (inner,)))
        columns = SimpleNamespace(columns=lambda names: {"x": np.arange(float(self.n_taken))})
        table = SimpleNamespace(
            schema=SimpleNamespace(features=(SimpleNamespace(name="x"),)),
            take=lambda index: self._take(index, columns),
        )
        self.dev: Any = SimpleNamespace(table=table, networks=True)
        self.rows = np.arange(rows)

    def _take(self, index: np.ndarray, columns: Any) -> Any:
        self.n_taken = len(index)
        return columns

    def _run(self, columns: dict[str, np.ndarray]) -> None:
        self.batches.append(len(columns["x"]))

    def measure(self) -> Footprint:
        return footprint(self.pipeline, self.dev, self.rows)


@pytest.mark.parametrize(
    ("step", "rows", "alone", "together"),
    [
        (0.001, 400, 10, 300),
        (0.001, 40, 10, 40),
        (0.004, 400, 10, 125),  # half a second of rows
        (0.02, 400, 3, 25),  # no more than a twentieth of a second
        (1.0, 400, 1, 10),
    ],
)
def test_a_row_alone_is_timed_and_some_together(
    step: float, rows: int, alone: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = Timed(step, rows, False, monkeypatch)
    result = timed.measure()
    assert timed.n_taken == min(rows, 300)
    assert timed.batches == [1] * (1 + alone) + [together]
    assert result.single_row_seconds == pytest.approx(step)
    assert result.row_seconds == result.seen_row_seconds == pytest.approx(1 / min(together, rows))
    assert result.packed == packed_bytes(timed.pipeline.program())
    # The program, compiled twice, and all of its bytes three times: a second each.
    assert result.shipping_seconds == pytest.approx(1 + 2 * 1 + 3 * 1)


def test_what_remembers_rows_is_timed_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = Timed(0.001, 400, True, monkeypatch)
    result = timed.measure()
    assert timed.batches[-2:] == [300, 300]
    assert (result.row_seconds, result.seen_row_seconds) == pytest.approx((1 / 300, 1 / 300))


def test_of_a_few_rows_the_time_is_shared_by_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = Timed(1.0, 4, True, monkeypatch)
    result = timed.measure()
    assert timed.batches[-1] == 4
    assert (result.row_seconds, result.seen_row_seconds) == pytest.approx((1 / 4, 1 / 4))
