"""Files that are no tables are called by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from sortal.core.errors import DataError
from sortal.data.foreign import FOREIGN, refuse_foreign


@pytest.mark.parametrize(("start", "description"), FOREIGN.items(), ids=map(ascii, FOREIGN))
def test_a_file_is_known_by_its_first_bytes_alone(start: bytes, description: str) -> None:
    with pytest.raises(DataError) as excinfo:
        refuse_foreign(Path("folder/t.csv"), start + b"\nmore,of\nthe,same\n")
    assert str(excinfo.value) == f"t.csv is no table: it looks like {description}"
    refuse_foreign(Path("t.csv"), start[:-1])
    refuse_foreign(Path("t.csv"), b"x" + start)


@pytest.mark.parametrize(
    ("name", "head", "description"),
    [
        ("t.csv", b"PK\x03\x04 data.csv", "a zip archive; unpack it"),
        ("m.sortal", b"PK\x03\x04 xl/ card.json", "a sortal model"),
        ("t.csv", b"PK\x03\x04 xl/workbook.xml", "an Excel workbook; save the sheet as CSV"),
        ("t.csv", b"PK\x03\x04 [Content_Types].xml", "an Excel workbook; save the sheet as CSV"),
        (
            "t.csv",
            b"PK\x03\x04 application/vnd.oasis.opendocument.spreadsheet",
            "an OpenDocument workbook; save the sheet as CSV",
        ),
        *(
            ("t.csv", head, "a web page (a login or error page that was saved?); download the data itself")
            for head in (b"<html>", b"<!doctype html>", b"  \n<!DOCTYPE HTML><html>", b"<HTML lang=en>")
        ),
    ],
)
def test_archives_and_pages(name: str, head: bytes, description: str) -> None:
    with pytest.raises(DataError) as excinfo:
        refuse_foreign(Path(name), head)
    assert str(excinfo.value) == f"{name} is no table: it looks like {description}"


@pytest.mark.parametrize("head", [b"a,b\n1,<html>\n", b"html,xl/\n", b"xl/workbook.xml\n", b"x PK\x03\x04", b""])
def test_a_table_that_speaks_of_such_files_is_one(head: bytes) -> None:
    refuse_foreign(Path("m.sortal"), head)
    refuse_foreign(Path("t.csv"), head)
