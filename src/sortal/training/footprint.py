"""What a fitted candidate takes where it is used: seconds for a row, and bytes in a model file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import msgspec
import numpy as np

from sortal.core.packing import PIECE, PIECES, is_packed, packed_size
from sortal.engine import compile as compile_program
from sortal.engine.once import made_anew
from sortal.engine.program import Program
from sortal.engine.run import ops
from sortal.training.candidate import Development, Index, Pipeline

TIMED_ROWS, MOST_SECONDS_ALONE, TIMES = 300, 0.05, 10
FEWEST_ROWS, MOST_SECONDS_MANY = 10, 0.5
"""Rows that are scored together: fewer where a row alone takes long."""
TEXT = 4
"""Times that settings pack: names of columns and categories, mostly."""
COMPILED, FILED = 2, 3
"""How often the program of a model is compiled until it has shipped (to be saved, and as it was read back), and how
often all its bytes are packed or unpacked (saved, read back, and saved once more with its figures)."""


@dataclass(frozen=True)
class Footprint:
    """``row_seconds``: scoring one row of many through the program; ``single_row_seconds``: one row alone;
    ``seen_row_seconds``: one of many that was scored before; ``shipping_seconds``: what making the program, its file
    and the proof of both takes; ``packed``: about the bytes of the program in a file.
    """

    row_seconds: float
    single_row_seconds: float
    seen_row_seconds: float
    shipping_seconds: float
    packed: int


def footprint(pipeline: Pipeline, dev: Development, rows: Index) -> Footprint:
    """Of the program that a pipeline becomes; a row alone is the median of ten, of fewer where a row takes long."""
    start = time.monotonic()
    program = pipeline.program()
    converting = time.monotonic() - start
    run = compile_program(program)
    compiling = time.monotonic() - start - converting
    names = [c.name for c in dev.table.schema.features]
    columns = dev.table.take(rows[:TIMED_ROWS]).columns(names)
    one = {name: values[:1] for name, values in columns.items()}
    alone: list[float] = []
    with made_anew():
        run(one)  # what is made once for all rows is made here
        while len(alone) < TIMES and sum(alone) < MOST_SECONDS_ALONE:
            start = time.perf_counter()
            run(one)
            alone.append(time.perf_counter() - start)
        count = max(FEWEST_ROWS, min(len(rows), TIMED_ROWS, int(MOST_SECONDS_MANY / median(alone))))
        batch = {name: values[:count] for name, values in columns.items()}
        start = time.monotonic()
        run(batch)
        many = (time.monotonic() - start) / min(count, len(rows))
    start = time.monotonic()
    seen_row_seconds = many
    if "once" in ops(program):
        run(batch)
        seen_row_seconds = (time.monotonic() - start) / min(count, len(rows))
    start = time.monotonic()
    packed = packed_bytes(program, dev.networks)
    packing = (time.monotonic() - start) * _times_as_many(program)
    return Footprint(many, median(alone), seen_row_seconds, converting + COMPILED * compiling + FILED * packing, packed)


def packed_bytes(program: Program, networks: bool = True) -> int:
    """About what a program takes in a model file; the same for equal programs. ``networks``: with those that others
    trained.

    >>> packed_bytes(Program("constant", arrays={"probability": np.zeros(1_000_000)})) < 100_000
    True
    """
    programs = list(_all(program, networks))
    texts = sum(len(msgspec.json.encode(inner.settings)) for inner in programs)
    arrays = (array for inner in programs for array in inner.arrays.values())
    return texts // TEXT + sum(packed_size(np.ascontiguousarray(array).tobytes()) for array in arrays)


def _times_as_many(program: Program) -> float:
    """Of the bytes that are packed to tell how well they pack, all that are packed then."""
    arrays = [np.ascontiguousarray(array).tobytes() for inner in _all(program) for array in inner.arrays.values()]
    sample_sizes = [min(len(content), PIECES * PIECE) for content in arrays]
    packed = [len(content) if is_packed(content) else 0 for content in arrays]
    return sum(map(max, packed, sample_sizes)) / max(sum(sample_sizes), 1)


def _all(program: Program, networks: bool = True, once: bool = False) -> Iterator[Program]:
    """A program and all of its steps; without ``networks``, but for those in an op ``once``."""
    once = once or program.op == "once"
    if networks or not (once and program.op == "onnx"):
        yield program
    for step in program.steps:
        yield from _all(step, networks, once)
