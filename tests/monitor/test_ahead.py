"""Rows that another process reads are those that this one would read."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sortal.core.errors import DataError
from sortal.core.schema import Column, Schema
from sortal.monitor.ahead import AHEAD, ReadAhead

COLUMNS = Schema((Column("age", "number"), Column("city", "category")))
BLOCKS = [[json.dumps({"age": at + 0.5, "city": "Bern" if at % 2 else None}) for at in range(n)] for n in (3, 4, 5)]


def test_many_rows_are_read_by_a_process_as_few_are_here() -> None:
    with ReadAhead(COLUMNS) as here, ReadAhead(COLUMNS, few=3) as ahead:
        read = [
            [reader.read(block, '["city"]' if at == 2 else "[]") for at, block in enumerate(BLOCKS)]
            for reader in (here, ahead)
        ]
        assert (here.blocks, ahead.blocks) == (0, AHEAD)
        for block, one, other in zip(BLOCKS, *read, strict=True):
            ours, theirs = one.result().columns, other.result().columns
            assert list(ours) == list(theirs)
            np.testing.assert_array_equal(ours["age"], [at + 0.5 for at in range(len(block))])
            np.testing.assert_array_equal(ours["age"], theirs["age"])
            assert all(list(ours[name]) == list(theirs[name]) for name in ours)
        assert list(read[1][2].result().columns) == ["age"]
        with pytest.raises(DataError, match="'old'"):
            ahead.read(['{"age": "old"}'], "[]").result()
