"""How much a program may cost. Whatever file it comes from, what is above a limit is refused before it runs.

The yardstick is a generous ensemble, 100 classes x 1,000 trees of 31 leaves on 5,000 columns: 40 million numbers, 5,000
steps, 1e8 operations a call and 2e7 a row. An operation computes one number, and takes about a nanosecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sortal.engine.program import Program

DEEPEST = 32
"""Programs within programs; those that sortal writes have three levels, and five where they average several members."""
MOST_STEPS = 50_000
"""Programs in one: ten for each of 5,000 columns."""
MOST_NUMBERS = 2**27
"""In all arrays of a program: a gibibyte of float64, three times the yardstick."""
BYTES_A_NUMBER = 40
"""What compiling takes at most for each of them, beside the tables of trees: measured at 23 for the nodes of trees,
less elsewhere."""
TABLED = 2**25
"""Numbers in the tables that make the trees of one forest fast, a quarter of a gibibyte; trees that would need more are
walked."""

CALL = 1_000
"""Operations that a call into numpy counts for: a microsecond."""
MOST_CALL = 10**9
"""Operations of a call, however few its rows: a second, and ten times the yardstick."""
MOST_ROW = 4 * 10**9
"""Operations a row: four seconds. An ensemble of four members, each with a network of the size of BERT base, takes
three; what two members have in common is computed once, and counted twice."""
MOST_ROOM = 2**28
"""Bytes that one row takes while it is scored: 5,000 columns take half a megabyte."""
SLICE = 2**30
"""Bytes that rows may take that are scored at once; more rows are scored one slice after another."""
MOST_TABLES = 2**31
"""Bytes of the tables of all forests together: eight of the largest."""
MOST_BUILD = 2 * 10**10
"""Operations that their tables take to make: twenty seconds, and twice what one forest may take."""

LARGEST = 1e100
"""Of parameters and of numbers between steps, so that no sum of products overflows. Tables hold none beyond 3.4e38."""


@dataclass(frozen=True)
class Cost:
    """What scoring takes at most: operations of a ``call`` and of every ``row``, and ``room``, the bytes of a row,
    result included.

    ``build``: operations that making the tables of trees takes beforehand, and ``tables``: the bytes of these.

    >>> Cost(call=2_000, row=10) + Cost(call=1_000, room=8)
    Cost(call=3000, row=10, room=8, build=0, tables=0)
    """

    call: int = 0
    row: int = 0
    room: int = 0
    build: int = 0
    tables: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.call + other.call,
            self.row + other.row,
            self.room + other.room,
            self.build + other.build,
            self.tables + other.tables,
        )

    def check(self, op: str) -> None:
        """Raises ValueError, with the name of the op, where the cost is above a limit."""
        limits = (
            ("operations a call", self.call, MOST_CALL),
            ("operations a row", self.row, MOST_ROW),
            ("bytes a row", self.room, MOST_ROOM),
            ("operations to compile", self.build, MOST_BUILD),
            ("bytes of tables", self.tables, MOST_TABLES),
        )
        for what, value, most in limits:
            if value > most:
                takes = float(min(value, 10**30))  # a count in a file may be larger than any float
                raise ValueError(f"program op '{op}': takes {takes:.3g} {what}, more than the {most:.3g} of any model")


def check_size(program: Program) -> None:
    """Raises ValueError for more levels, steps or numbers than any model has; nothing has been built yet."""
    steps = numbers = depth = 0
    networks: set[tuple[int, int]] = set()
    level: Sequence[Program] = (program,)
    while level:
        depth += 1
        steps += len(level)
        numbers += sum(_numbers(inner, networks) for inner in level)
        for what, value, most in (
            ("levels", depth, DEEPEST),
            ("steps", steps, MOST_STEPS),
            ("numbers", numbers, MOST_NUMBERS),
        ):
            if value > most:
                raise ValueError(f"a program has {value:,} {what}, more than the {most:,} of any model")
        level = [inner for outer in level for inner in outer.steps]


def _numbers(program: Program, networks: set[tuple[int, int]]) -> int:
    """In its arrays: of a network, which is bytes, an eighth of them; of one at a place in ``networks``, none."""
    if program.op != "onnx":
        return sum(array.size for array in program.arrays.values())
    places = {(array.ctypes.data, array.nbytes) for array in program.arrays.values()} - networks
    networks |= places
    return sum(nbytes // 8 for _, nbytes in places)
