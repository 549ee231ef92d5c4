"""Files that are no tables, by how they begin: each is called by its name, with what can be done."""

from __future__ import annotations

import re
from pathlib import Path

from sortal.core.errors import DataError

FOREIGN = {
    b"\xd0\xcf\x11\xe0": "an old Excel or Office file; save it as CSV",
    b"%PDF": "a PDF document; export the table as CSV",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"\x89HDF": "an HDF5 file; save the table as Parquet or CSV",
    b"Obj\x01": "an Avro file; save it as Parquet or CSV",
    b"ORC": "an ORC file; save it as Parquet or CSV",
    b"FEA1": "a Feather file of the first version; save it again as Feather 2 or Parquet",
    b"\x80\x04\x95": "a pickle, which can run code and is never loaded; save the table as Parquet or CSV",
    b"\x80\x05\x95": "a pickle, which can run code and is never loaded; save the table as Parquet or CSV",
    b"Rar!": "a RAR archive; unpack it",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"\x7fELF": "a program",
}


def refuse_foreign(path: Path, head: bytes) -> None:
    """Raises DataError where a file begins like one of another sort."""
    what = next((what for start, what in FOREIGN.items() if head.startswith(start)), None)
    if head.startswith(b"PK\x03\x04"):
        what = "a zip archive; unpack it"
        if path.suffix == ".sortal":
            what = "a sortal model"
        elif b"xl/" in head or b"[Content_Types].xml" in head:
            what = "an Excel workbook; save the sheet as CSV"
        elif b"opendocument.spreadsheet" in head:
            what = "an OpenDocument workbook; save the sheet as CSV"
    if re.match(rb"\s*<(!doctype html|html)", head, re.IGNORECASE):
        what = "a web page (a login or error page that was saved?); download the data itself"
    if what is not None:
        raise DataError(f"{path.name} is no table: it looks like {what}")
