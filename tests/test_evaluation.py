"""Scoring labelled rows that came later."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "sortal.training",
    "sortal.models",
    "sortal.prepare",
    "sortal.workflow",
    "sklearn",
    "matplotlib",
    "lightgbm",
    "xgboost",
)


@pytest.mark.parametrize("command", ["evaluate", "predict", "show"])
def test_what_only_scores_loads_nothing_that_trains(churn_run, tmp_path: Path, command: str) -> None:
    """In a process of its own, from the command line to the last figure."""
    rows = Path(__file__).parent.parent / "examples" / "churn.csv"
    words = [command, str(churn_run.model), *([] if command == "show" else [str(rows)])]
    if command == "predict":
        words += ["-o", str(tmp_path / "out.csv")]
    code = (
        f"import sys; from sortal.cli import main\ntry:\n    main({words!r})\nexcept SystemExit as end:\n    assert "
        "not end.code\n"
        f"modules = [m for m in {HEAVY!r} if m in sys.modules]\nassert not modules, modules"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
