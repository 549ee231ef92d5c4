"""A distribution of somebody else's adds a kind, a family, a metric and a check by its entry points alone, and brings
an executor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sortal
from sortal.core.errors import ArtifactError

PLUGIN = Path(__file__).parent / "toy_plugin"
GROUPS = {
    "sortal.kinds": "colour",
    "sortal.models": "nearest_mean",
    "sortal.metrics": "matthews",
    "sortal.checks": "T901",
}
CHECKS = {
    "sortal.kinds": "check_kind(found, ['#FF8800', '#00aa00', '#ff8800'])",
    "sortal.models": "check_family(found)",
    "sortal.metrics": "check_metric(found)",
    "sortal.checks": "check_check(found)",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the plug-in as an installer would leave it there."""
    folder = tmp_path_factory.mktemp("site")
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shutil.copy(PLUGIN / "toy_plugin.py", folder)
    info = folder / f"toy_plugin-{project['version']}.dist-info"
    info.mkdir()
    about = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    points = [
        line
        for group, names in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {place}" for name, place in names.items()))
    ]
    (info / "METADATA").write_text(about, encoding="utf-8")
    (info / "entry_points.txt").write_text("\n".join(points) + "\n", encoding="utf-8")
    return folder


def python(site: Path, *arguments: str) -> str:
    """Standard output of a fresh interpreter that finds the plug-in."""
    process = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_without_the_plugin_nothing_of_it_is_there() -> None:
    from sortal.core import registry

    for group, name in GROUPS.items():
        assert name not in registry.names(group)  # type: ignore[arg-type]


def test_with_it_each_part_is_registered_beside_the_built_in_ones(site: Path) -> None:
    code = f"""
import json
from sortal.core import registry
print(json.dumps({{group: registry.names(group) for group in {list(GROUPS)}}}))
"""
    names = json.loads(python(site, "-c", code))
    for group, name in GROUPS.items():
        assert name in names[group]
        assert len(names[group]) > 1


def test_each_part_meets_the_requirements(site: Path) -> None:
    checks = "".join(
        f"""
found = registry.load({group!r}, {GROUPS[group]!r})
requirements = list(testing.{check})
for requirement in requirements:
    requirement()
print(len(requirements))
"""
        for group, check in CHECKS.items()
    )
    code = f"from sortal import testing\nfrom sortal.core import registry\n{checks}"
    counts = python(site, "-W", "error", "-c", code).split()
    assert len(counts) == len(GROUPS)
    assert all(int(count) > 3 for count in counts)


def test_all_of_them_make_the_whole_trip(site: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    answer = np.where(x[:, 0] + rng.normal(size=400) > 0, "yes", "no")
    paint = np.where(rng.random(400) < np.where(answer == "yes", 0.7, 0.3), "#FF8800", "#00aaFF")
    table = {
        "first": x[:, 0],
        "second": x[:, 1],
        "former target": rng.normal(size=400),
        "paint": paint,
        "answer": answer,
    }
    data, out = str(tmp_path / "data.csv"), tmp_path / "run"
    pl.DataFrame(table).write_csv(data)
    code = f"""
import json
import polars as pl
import sortal
from toy_plugin import LastFirst
executor = LastFirst()
options = dict(kind={{"paint": "colour"}}, models="nearest_mean", metric="matthews", budget="10m")
run = sortal.train({data!r}, "answer", **options, executor=executor, out={str(out)!r})
again = sortal.train({data!r}, "answer", recipe=run.folder / "recipe.toml")
rows = pl.read_csv({data!r})
print(json.dumps({{
    "folds": [job.fold for job in executor.jobs],
    "data": len(set(map(id, executor.data))),
    "same": run.model.predict_proba(rows).tolist() == again.model.predict_proba(rows).tolist(),
}}))
"""
    fits = json.loads(python(site, "-c", code))
    record = json.loads((out / "run.json").read_bytes())
    row = next(row for row in record["leaderboard"] if row["family"] == "nearest_mean")
    assert row["metric"] == record["task"]["metric"] == "matthews"
    assert row["mean"] > 0.3
    assert [f["column"] for f in record["audit"] if f["code"] == "T901"] == ["former target"]
    assert {"name": "paint", "kind": "colour", "role": "feature"}.items() <= record["columns"][3].items()
    folds = record["split"]["folds"] * record["split"]["repeats"]
    of_halves = record["split"]["folds"] - 1 if record["selection"]["refit_gain"] is not None else 0
    assert len(fits["folds"]) == (folds - 1) * len(record["leaderboard"]) + of_halves > 0
    assert min(fits["folds"]) > 0
    assert fits["data"] == 1
    assert fits["same"], "a recipe repeats the run, wherever its fits ran"

    model, rows = str(out / "model.sortal"), [{"first": 0.1, "paint": "#ff8800"}, {"first": 0.1, "paint": "#FF8800"}]
    code = f"""
import json
import pandas as pd
import sortal
model, rows = sortal.load({model!r}), {rows}
by_row = [model.predict_proba(row)[0].tolist() for row in rows]
print(json.dumps([by_row, model.predict_proba(pd.DataFrame(rows), allow_missing=True).tolist()]))
try:
    model.predict_proba({{"paint": "red"}})
except sortal.SortalError as error:
    print(error)
"""
    figures, refusal = python(site, "-c", code).splitlines()
    by_row, by_table = json.loads(figures)
    assert by_row[0] == by_row[1] == by_table[0] == by_table[1]
    assert "holds 'red' in row 1, where a colour such as #ff8800 is needed" in refusal
    pl.DataFrame(rows).write_csv(tmp_path / "rows.csv")
    scores = tmp_path / "scores.csv"
    python(
        site, "-m", "sortal.cli", "predict", model, str(tmp_path / "rows.csv"), "--allow-missing", "--out", str(scores)
    )
    by_file = pl.read_csv(scores)
    assert by_file["probability_yes"].to_list() == pytest.approx([by_row[0][1]] * 2, abs=1e-12)
    fresh = json.loads(python(site, "-m", "sortal.cli", "evaluate", model, data, "--json"))
    (matthews,) = (entry for entry in fresh["comparisons"] if entry["metric"] == "matthews")
    assert matthews["observed"]["value"] > 0.3
    assert "colour" in python(site, "-m", "sortal.cli", "show", model)
    with pytest.raises(ArtifactError, match="column 'paint' is of kind 'colour', which is not installed here"):
        sortal.load(model)
