"""Rows that no service wrote: they are read as they are meant, or one sentence names the row and what it holds."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortal.core.errors import DataError
from sortal.monitor.state import State
from sortal.monitor.watch import Watcher
from sortal.retrain.cases import labelled_cases
from sortal.retrain.rows import new_rows
from sortal.serve.deployment import ServedModel
from sortal.serve.log.address import open_store
from sortal.serve.log.foreign import as_array
from sortal.serve.log.records import LabelRecord
from sortal.serve.log.rows import COLUMNS, READERS, UNREADABLE, answers_of, record_of, row_of
from sortal.serve.truth import judge_log
from tests.monitor.test_watch import NOW, SHA256, a_model, prediction

PIECES = ("1e999", "-1e999", "NaN", "Infinity", "nul", "1", '"a"', "{", "}", "[", "]", ",", ":", '"x"', "\\", "0.5")
texts = st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(max_size=8)
fields = st.sampled_from([name for name in READERS if name != "row_id"])


def stored(row_id: str, **others: str) -> tuple[Any, ...]:
    """A row as a store gives it, and some of its fields as another program wrote them."""
    by_name = {**dict(zip(COLUMNS, row_of(prediction(row_id, 1.0)), strict=True)), "label": '"yes"'} | others
    return (*by_name.values(), 2.0, 1)


@given(fields, texts)
def test_a_field_is_read_or_a_sentence_names_its_row(name: str, text: str) -> None:
    rows = [stored("a"), stored("odd one", **{name: text}), stored("b")]
    try:
        READERS[name](text)
    except UNREADABLE:
        with pytest.raises(DataError, match=r"^row 'odd one' of the log holds "):
            _ = [record_of(row) for row in rows]
        if name in ("redacted", "probabilities", "decision", "label"):  # what is looked at of many rows
            with pytest.raises(DataError, match=r"^row 'odd one' of the log holds "):
                answers_of(rows, SHA256)
    else:
        assert [record_of(row).prediction.row_id for row in rows] == ["a", "odd one", "b"]
        assert len(answers_of(rows, SHA256).probabilities) == 3


shares = st.floats(0, 1).map(lambda share: [share, 1 - share])


@given(st.lists(st.lists(st.floats(), max_size=3) | st.lists(st.floats(0, 1), max_size=3) | shares, max_size=4))
def test_probabilities_are_one_for_each_class(rows: list[list[float]]) -> None:
    def fits(its: list[float]) -> bool:
        return len(its) == 2 and min(its) >= 0 and abs(sum(its) - 1) < 1e-6

    odd = [f"r{at}" for at, its in enumerate(rows) if not fits(its)]
    ids = [f"r{at}" for at in range(len(rows))]
    if odd:
        with pytest.raises(DataError, match=f"^row '{odd[0]}' of the log holds .* where each of 2 classes has one"):
            as_array(ids, rows, 2)
    else:
        np.testing.assert_array_equal(as_array(ids, rows, 2), np.reshape(rows, (len(rows), 2)))


@pytest.mark.parametrize(
    ("field", "text", "what"),
    [
        ("inputs", '{"x": 1e999, "plan": "pro"}', "inf in 'x', which is no number that a model computes with"),
        ("inputs", '{"x": NaN}', "nan in 'x', which is no number that a model computes with"),
        ("inputs", '{"x": 4, "more": [-Infinity]}', "[-inf] in 'more', which is no number that a model computes with"),
        ("inputs", '{"x": 1e39}', "1e+39 in 'x', where a number up to 3.4e+38 is needed"),
        ("inputs", '{"x": "many"}', "'many' in 'x', where a number up to 3.4e+38 is needed"),
        ("inputs", "[]", "'[]' as inputs (Expected `object`, got `array`)"),
        ("probabilities", "[0.5]", "[0.5] as probabilities, where each of 2 classes has one, 1 in all"),
        ("probabilities", "[0.5,0.25]", "[0.5, 0.25] as probabilities, where each of 2 classes has one, 1 in all"),
        ("decision", '"often"', "'often' as decision, where a class is needed"),
    ],
)
def test_every_reader_of_a_log_names_the_row(tmp_path: Path, field: str, text: str, what: str) -> None:
    store = open_store(f"sqlite:///{tmp_path}/served.db")
    ids = [f"r{at}" for at in range(8)]
    inputs = [{"x": float(at), "plan": "pro" if at % 2 else "basic"} for at in range(8)]
    store.add_predictions([prediction(name, NOW - 100, inputs=its) for name, its in zip(ids, inputs, strict=True)])
    store.add_labels([LabelRecord(name, "yes", NOW - 50) for name in ids])
    with sqlite3.connect(tmp_path / "served.db") as foreign_program:
        foreign_program.execute(f"UPDATE predictions SET {field} = ? WHERE row_id = 'r5'", (text,))
    foreign_program.close()
    sentence = f"row 'r5' of the log holds {what}; no service writes that: correct the row, or delete it there"
    model = a_model()
    with pytest.raises(DataError) as of_monitor:
        Watcher.of(model).look(store, State(SHA256), NOW)
    assert str(of_monitor.value) == sentence
    if field != "decision":  # which figures of labels make anew
        assert judge_log(ServedModel("m", SHA256, model), store) == {"rows": 0, "note": f"no figures: {sentence}"}
    if field == "inputs":
        with pytest.raises(DataError) as of_retrain:
            new_rows(labelled_cases(store), [], model)
        assert str(of_retrain.value) == sentence
    store.close()
