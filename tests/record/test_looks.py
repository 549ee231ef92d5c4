"""Which seal a file belongs to; what a look is asked and where it stands is in ``tests/test_looks.py``."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from sortal.core.errors import DataError, OptionError
from sortal.data.ledger import Seal
from sortal.record.looks import folder_of, seal_of

ROWS = pl.DataFrame({"x": [1.5, None, 3.0]})


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two runs that have sealed rows, and a table of nobody."""
    for name, rows in (("one", ROWS), ("two", ROWS.head(2))):
        Seal.close(tmp_path / name, rows, by="test")
        shutil.copy(tmp_path / name / "sealed" / "test.parquet", tmp_path / f"copy of {name}.parquet")
    ROWS.write_parquet(tmp_path / "plain.parquet")
    return tmp_path


def seal_for(runs: Path, *files: str, model: str = "one/model.sortal") -> Seal | None:
    return seal_of([str(runs / file) for file in files], runs / model)


def test_other_files_belong_to_none(runs: Path) -> None:
    assert seal_for(runs, "plain.parquet") is None
    assert seal_for(runs, "plain.parquet", "plain.parquet") is None
    assert seal_for(runs) is None


def test_sealed_rows_in_their_place_belong_to_the_run_there_whatever_the_model(runs: Path) -> None:
    for model in ("one/model.sortal", "two/model.sortal", "elsewhere.sortal"):
        assert seal_for(runs, "two/sealed/test.parquet", model=model) == Seal((runs / "two").resolve())


def test_a_copy_belongs_to_the_run_of_the_model_if_that_sealed_it(runs: Path) -> None:
    assert seal_for(runs, "copy of one.parquet") == Seal((runs / "one").resolve())
    (runs / "link.sortal").symlink_to(runs / "one" / "model.sortal")
    assert folder_of(runs / "link.sortal") == (runs / "one").resolve()
    assert seal_for(runs, "copy of one.parquet", model="link.sortal") == Seal((runs / "one").resolve())
    for file, model in (("copy of two.parquet", "one/model.sortal"), ("copy of one.parquet", "model.sortal")):
        with pytest.raises(DataError, match=rf"'.*{file}' is a copy of what a run has sealed, and not of the run in"):
            seal_for(runs, file, model=model)


@pytest.mark.parametrize("other", ["plain.parquet", "two/sealed/test.parquet"])
def test_sealed_rows_are_scored_alone(other: str, runs: Path) -> None:
    for files in (("one/sealed/test.parquet", other), (other, "one/sealed/test.parquet")):
        with pytest.raises(OptionError, match=r"^sealed rows are scored alone; leave the other files out$"):
            seal_for(runs, *files)
