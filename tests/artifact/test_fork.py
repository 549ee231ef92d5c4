"""A process that was forked after polars had computed scores what needs no polars, and says of the rest that it
cannot."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

PREPARED = """
import datetime as dt, multiprocessing, os, sys, warnings
from concurrent.futures import ProcessPoolExecutor
import numpy as np, pandas as pd, polars as pl, pyarrow as pa
import sortal
from sortal.core.errors import ForkError, DataError

warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads, which is what is tested
model = sortal.load(sys.argv[1])
ROW = {"age": "30", "city": "Ulm", "member": "yes", "since": "2021-03-05"}
ROWS = [ROW, {**ROW, "age": None, "city": "x"}, {**ROW, "since": "2021-03-05 10:00", "member": "No"}] * 500
COLUMNS = {name: [row[name] for row in ROWS] for name in ROW}
TYPED = {**COLUMNS, "age": [None if a is None else int(a) for a in COLUMNS["age"]], "since": [dt.date(2021, 3, 5)] * len(ROWS)}
TABLES = {"dict": ROW, "records": ROWS, "columns": COLUMNS, "pandas": pd.DataFrame(TYPED), "arrow": pa.table(TYPED),
          "numpy": {"age": np.arange(2000.0), "city": np.array(["Ulm", "x"] * 1000), "member": np.ones(2000, bool),
                    "since": np.arange("2000-01-01", "2005-06-23", dtype="M8[D]")}}

def answers(name):
    rows = TABLES[name]
    return [model.predict_proba(rows).tobytes(), model.predict(rows).tolist(), model.decide(rows).tolist(),
            repr(model.compare(rows)), model.odd_values(rows)]

def refusals():
    messages = []
    for rows in (pl.DataFrame(COLUMNS), {"age": pl.Series([1])}, pl.DataFrame(COLUMNS).lazy()):
        try:
            model.predict_proba(rows)
        except ForkError as error:
            assert isinstance(error, RuntimeError)
            messages.append(str(error))
    return messages

def file_refused(path):
    from sortal.data.read import read
    try:
        read(path)
    except ForkError as error:
        return str(error)

EXPECTED = {name: answers(name) for name in TABLES}
assert model.predict_proba(pl.DataFrame(COLUMNS)).tobytes() == EXPECTED["columns"][0]  # the threads of polars run now
"""


def run(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", PREPARED + textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture
def model_file(model, tmp_path):
    model.save(tmp_path / "m.sortal")
    return tmp_path / "m.sortal"


def test_a_forked_child_scores_to_the_bit(model_file):
    output = run(
        """
        pid = os.fork()
        if pid == 0:
            try:
                for name in TABLES:
                    assert answers(name) == EXPECTED[name], name
                os._exit(7)
            finally:
                os._exit(1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """,
        model_file,
    )
    assert output == "7\n"


def test_processes_that_fork_and_pools_of_them_score_to_the_bit(model_file):
    output = run(
        """
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(dict(zip(TABLES, pool.map(answers, TABLES))) == EXPECTED)
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
            print(dict(zip(TABLES, pool.map(answers, TABLES))) == EXPECTED)
            print(*pool.submit(refusals).result(), sep="\\n")
        """,
        model_file,
    )
    assert output.splitlines()[:2] == ["True", "True"]
    messages = output.splitlines()[2:]
    assert len(messages) == 3
    assert all(
        'start processes by "spawn" or "forkserver", or give the model dicts' in sentence for sentence in messages
    )


def test_faults_are_named_in_a_forked_child_as_in_its_parent(model_file):
    output = run(
        """
        def message_of(rows):
            try:
                model.predict_proba(rows)
            except DataError as error:
                return str(error)

        BAD = [{**ROW, "age": "old"}, {**ROW, "age": [1]}, {**ROW, "age": 1e300}, {"Age": 1, **{k: v for k, v in ROW.items() if k != "age"}},
               {"other": 1}, {**ROW, "since": "March"}, {**ROW, "age": dt.timedelta(1)}, {**ROW, "city": b"x"}, {"age": [1], "city": "x"}]
        before = list(map(message_of, BAD))
        with multiprocessing.get_context("fork").Pool(1) as pool:
            print(None in before, pool.map(message_of, BAD) == before)
        """,
        model_file,
    )
    assert output == "False True\n"


def test_a_file_in_a_forked_child_is_refused_in_a_sentence(model_file, tmp_path):
    (tmp_path / "rows.csv").write_text("age,city\n1,Ulm\n")
    output = run(
        """
        with multiprocessing.get_context("fork").Pool(1) as pool:
            print(pool.apply(file_refused, [sys.argv[2]]))
        """,
        model_file,
        tmp_path / "rows.csv",
    )
    assert "rows.csv" in output
    assert '"spawn" or "forkserver"' in output


WITHOUT = """
import multiprocessing, sys
import polars
import sortal

def score(path):
    import polars as pl
    return sortal.load(path).predict_proba(pl.DataFrame({"age": [1.0], "city": ["Ulm"], "member": [True], "since": [None]})).shape

with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.apply(score, [sys.argv[1]]))
"""

LEAN = """
import sys
import sortal

model = sortal.load(sys.argv[1])
row = {"age": 3, "city": "Ulm", "member": "yes", "since": "2020-02-29"}
model.predict(row), model.decide([row]), model.compare(row), model.odd_values(row)
print({"polars", "narwhals", "pandas", "pyarrow"} & set(sys.modules))
"""


def test_polars_serves_a_forked_child_whose_parent_only_imported_it(model_file):
    command = [sys.executable, "-c", WITHOUT, str(model_file)]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout == "(1, 2)\n"


def test_a_row_is_scored_without_importing_polars(model_file):
    command = [sys.executable, "-c", LEAN, str(model_file)]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout == "set()\n"
