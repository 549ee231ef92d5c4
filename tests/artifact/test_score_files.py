"""From files to files: no row and no value is lost on the way, and what was unusual is said."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from sortal.artifact.model import Model
from sortal.artifact.score import score_file
from sortal.core.errors import DataError
from sortal.data.read import read
from sortal.data.write import SUFFIXES

ROWS = pl.DataFrame(
    {
        "age": ["30", "", "50"],
        "city": ["Ulm", "Bonn", "Rom"],
        "member": ["yes", "no", ""],
        "since": ["2020-01-31", "2019-05-01", "2021-12-24"],
    }
)


@pytest.fixture
def model_file(model: Model, tmp_path: Path) -> Path:
    model.save(tmp_path / "m.sortal")
    return tmp_path / "m.sortal"


@pytest.mark.parametrize("suffix", [*SUFFIXES, None])
def test_parts_with_columns_in_another_order(
    suffix: str | None, model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ROWS.write_csv(tmp_path / "1.csv")
    ROWS.select(ROWS.columns[::-1]).write_csv(tmp_path / "2.csv")
    ROWS.select(sorted(ROWS.columns, reverse=True)).write_ndjson(tmp_path / "3.jsonl")
    out = tmp_path / f"out{suffix or '.csv'}"
    paths = [str(tmp_path / name) for name in ("1.csv", "2.csv", "3.jsonl")]
    assert score_file(model_file, paths, out if suffix else None).rows == 9
    if suffix is None:
        out.write_text(capsys.readouterr().out)
    output = read(out).frame.cast(pl.String).with_columns(pl.col(ROWS.columns).fill_null(""))
    assert output.columns[:4] == ROWS.columns
    assert output[:3].equals(output[3:6])
    assert output[:3].equals(output[6:])
    assert output[:3].select(ROWS.columns).equals(ROWS)


@pytest.mark.parametrize("first", ['{"city": "Ulm"}', '{"age": 30, "city": "Ulm"}'])
def test_an_absent_key_is_missing_whatever_its_neighbours_hold(first: str, model_file: Path, tmp_path: Path) -> None:
    alone_path, beside_path = tmp_path / "alone.jsonl", tmp_path / "beside.jsonl"
    alone_path.write_text(first)
    beside_path.write_text(first + '\n{"age": 1, "city": "Bonn", "member": "no", "since": "2020-01-31"}')
    p = []
    for path in (alone_path, beside_path):
        score_file(model_file, [str(path)], tmp_path / "out.parquet")
        p.append(read(tmp_path / "out.parquet").frame["probability_yes"][0])
    assert p[0] == p[1]
    notes = score_file(model_file, [str(alone_path)], None).notes
    assert "no column 'member', which the model reads: taken as missing in all rows" in notes


def test_columns_that_a_file_with_a_header_lacks_are_refused(model_file: Path, tmp_path: Path) -> None:
    ROWS.drop("age").write_csv(tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"t.csv has no column 'age'"):
        score_file(model_file, [str(tmp_path / "t.csv")], None)


def test_what_was_unusual_about_a_file_is_noted(model_file: Path, tmp_path: Path) -> None:
    text = ROWS.write_csv(separator=";")
    (tmp_path / "t.csv").write_bytes((text + text).encode().replace(b"Rom", b"K\xf6ln"))
    result = score_file(model_file, [str(tmp_path / "t.csv")], tmp_path / "out.csv")
    assert result.rows == 6
    assert result.notes[:3] == [
        "not UTF-8 (see line 4): read as Windows-1252",
        "fields are separated by ';'",
        "1 row is the header again: left out",
    ]


def test_the_screen_gets_all_rows_or_none(model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text(ROWS.write_csv() + '"30,Ulm,yes,2020-01-31\n')
    with pytest.raises(DataError, match="line 5: a quote is opened and never closed"):
        score_file(model_file, [str(tmp_path / "t.csv")], None)
    assert capsys.readouterr().out == ""
