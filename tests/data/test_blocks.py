"""Files of text that end within a character."""

from __future__ import annotations

import codecs

import pytest

from sortal.core.errors import DataError
from sortal.data.read import read


@pytest.mark.parametrize("quoted", [False, True])
def test_a_file_that_ends_within_a_character_is_refused(tmp_path, quoted):
    path = tmp_path / "a.csv"
    mark = '"' if quoted else ""
    path.write_bytes(f"a,b\n1,{mark}Köln{mark}\n2,{mark}Größ".encode() + b"\xc3")
    with pytest.raises(DataError, match="cut off in the middle of a character, in line 3"):
        read(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_so_is_one_with_a_mark(tmp_path, encoding):
    path = tmp_path / "a.csv"
    text = "a,b\n1,Köln\n2,Größe"
    path.write_bytes(text.encode(encoding)[:-1] if encoding == "utf-16" else codecs.BOM_UTF8 + text.encode() + b"\xc3")
    with pytest.raises(DataError, match="cut off in the middle of a character, in line 3"):
        read(path)


def test_one_letter_of_an_older_encoding_at_the_end_is_read_in_it(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n1,x\n2,caf\xe9")
    source = read(path)
    assert source.frame.rows() == [("1", "x"), ("2", "café")]
    assert source.notes == ("not UTF-8 (see line 3): read as Windows-1252",)
