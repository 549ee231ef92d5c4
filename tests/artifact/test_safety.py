"""What loading and scoring may do to a process: shown in processes of their own."""

from __future__ import annotations

import subprocess
import sys

import polars as pl
import pytest

LIBRARIES = (
    "sklearn",
    "scipy",
    "lightgbm",
    "xgboost",
    "catboost",
    "pandas",
    "matplotlib",
    "pyarrow",
    "torch",
    "joblib",
    "skrub",
)

LOAD_UNDER_WATCH = """
import sys
from sortal.artifact.model import load

modules_before, imports, violations = set(sys.modules), [], []

def watch(event, arguments):
    if event == "import" and arguments[0] not in modules_before:
        imports.append(arguments[0])
    if event.startswith(("pickle.", "marshal.", "os.system", "os.exec", "subprocess.", "socket.", "ctypes.")):
        violations.append(event)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        violations.append(f"open {arguments[0]} for writing")

sys.addaudithook(watch)
model = load(sys.argv[1])
print(violations, imports)
"""

SCORE_A_FILE = """
import sys
import polars as pl
from sortal.artifact.model import load

model = load(sys.argv[1])
print(len(model.predict_proba(pl.read_csv(sys.argv[2]))), len(model.decide({"age": 3, "city": "Ulm", "member": "yes",
      "since": "2020-02-29"})))
print(sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[3:])))
"""


def run(code: str, *arguments: object) -> list[str]:
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture
def model_file(model, tmp_path):
    model.save(tmp_path / "m.sortal")
    return tmp_path / "m.sortal"


def test_loading_imports_nothing_and_unpickles_nothing(model_file):
    assert run(LOAD_UNDER_WATCH, model_file) == ["[] []"]


def test_scoring_leaves_the_training_libraries_out(model_file, tmp_path):
    rows = {"age": [30, None], "city": ["Ulm", "x"], "member": ["yes", "no"], "since": ["2021-03-05", None]}
    pl.DataFrame(rows).write_csv(tmp_path / "rows.csv")
    assert run(SCORE_A_FILE, model_file, tmp_path / "rows.csv", *LIBRARIES) == ["2 1", "[]"]
