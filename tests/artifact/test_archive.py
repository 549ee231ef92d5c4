from __future__ import annotations

import hashlib
import io
import json
import pickle
import stat
import struct
import tempfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.artifact import archive
from sortal.artifact.model import Model, load
from sortal.artifact.store import load_contents
from sortal.core.errors import ArtifactError, OptionError
from sortal.core.schema import Column, Schema
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.engine import Program

Members = dict[str, bytes]


def small_model() -> Model:
    arrays = {"coef": np.array([[0.5]]), "intercept": np.array([0.25])}
    steps = (
        Program("table", steps=(Program("number", {"column": "x"}),)),
        Program("fill", {}, {"value": np.array([1.0]), "indicator": np.zeros(0, dtype=np.int32)}),
        Program("linear", {"link": "sigmoid"}, arrays),
    )
    return Model(
        schema=Schema((Column("x", "number"), Column("y", "category", "target"))),
        task=Task("y", ("a", "b"), (0.5, 0.5), "b", "log_loss", ("log_loss",), ()),
        decision=Decision("argmax", ("a", "b")),
        program=Program("chain", steps=steps),
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    """The bytes of a good model file."""
    path = tmp_path_factory.mktemp("whole") / "m.sortal"
    small_model().save(path)
    return path.read_bytes()


def members_of(whole: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        return {name: file.read(name) for name in file.namelist()}


def listed(members: Members) -> Members:
    """The same members with a manifest that lists them as they are."""
    manifest = json.loads(members["manifest.json"])
    others = [name for name in members if name != "manifest.json"]
    manifest["members"] = [
        {"name": name, "sha256": hashlib.sha256(members[name]).hexdigest(), "size": len(members[name])}
        for name in others
    ]
    return {**members, "manifest.json": json.dumps(manifest).encode()}


def zipped(members: Members, change: Callable[[zipfile.ZipInfo], None] = lambda entry: None) -> bytes:
    """A zip of the members; ``change`` may alter the entries before they are written."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            change(entry)
            out.writestr(entry, content)
    return file.getvalue()


def refused(content: bytes) -> str:
    """The one sentence with which a file is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.sortal"
        path.write_bytes(content)
        with pytest.raises(ArtifactError) as caught:
            load(path)
    message = str(caught.value)
    assert message.startswith("m.sortal")
    assert "\n" not in message
    assert len(message) < 300
    return message


def same(a: object, b: object) -> bool:
    """Equal, arrays included."""
    if isinstance(a, Program) and isinstance(b, Program):
        return (
            (a.op, dict(a.settings), a.arrays.keys()) == (b.op, dict(b.settings), b.arrays.keys())
            and all(np.array_equal(a.arrays[k], b.arrays[k]) for k in a.arrays)
            and len(a.steps) == len(b.steps)
            and all(map(same, a.steps, b.steps))
        )
    return a == b


PARTS = ("schema", "task", "decision", "program", "metrics", "profile", "scores", "card", "golden", "version")


def refused_or_equal(content: bytes, whole: bytes) -> bool:
    """True if refused; else the contents must be what they were."""
    with tempfile.TemporaryDirectory() as folder:
        path, original = Path(folder) / "m.sortal", Path(folder) / "whole.sortal"
        path.write_bytes(content)
        original.write_bytes(whole)
        expected = load_contents(original)
        try:
            found = load(path)
        except ArtifactError:
            return True
    assert all(same(getattr(found, part), getattr(expected, part)) for part in PARTS)
    return False


@settings(max_examples=400)
@given(data=st.data())
def test_a_changed_byte_is_refused_or_means_nothing(whole, data):
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    refused_or_equal(bytes(changed), whole)


@settings(max_examples=150)
@given(data=st.data())
def test_a_file_that_is_cut_off_is_refused(whole, data):
    assert refused_or_equal(whole[: data.draw(st.integers(0, len(whole) - 1))], whole)


def test_every_changed_byte_of_the_content_is_noticed(whole):
    """All but the last of a packed member: the bits that fill it up mean nothing."""
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        entries = file.infolist()
    for entry in entries:
        start = entry.header_offset + 30 + len(entry.filename)
        for at in range(start, start + entry.compress_size - 1, 23):
            changed = bytearray(whole)
            changed[at] ^= 0x10
            assert refused_or_equal(bytes(changed), whole), (entry.filename, at - start)


def test_every_field_of_the_directory_is_looked_at(whole):
    """Of the first member, of the last, and of the end; but for who wrote them and the rights of a file."""
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        names = [entry.filename for entry in file.infolist()]
    ends = len(whole) - 22
    first = struct.unpack_from("<I", whole, ends + 16)[0]
    last = ends - 46 - len(names[-1])
    places = [start + at for start in (first, last) for at in range(46) if at not in (4, 5, *range(36, 42))]
    for at in (*places, *range(ends, len(whole))):
        for bit in (0x01, 0x80):
            changed = bytearray(whole)
            changed[at] ^= bit
            assert refused_or_equal(bytes(changed), whole), at


def test_equal_contents_give_equal_bytes(whole, tmp_path):
    small_model().save(tmp_path / "again.sortal")
    assert (tmp_path / "again.sortal").read_bytes() == whole
    names = list(members_of(whole))
    assert names == sorted(names)


def test_a_zip_of_the_same_members_by_another_program_is_read(whole, tmp_path):
    (tmp_path / "m.sortal").write_bytes(zipped(members_of(whole)))
    assert load(tmp_path / "m.sortal").task.classes == ("a", "b")


def test_members_that_are_not_packed_are_read_and_held_to_their_sums(whole, tmp_path):
    def stored(entry: zipfile.ZipInfo) -> None:
        entry.compress_type = zipfile.ZIP_STORED

    content = zipped(members_of(whole), stored)
    (tmp_path / "m.sortal").write_bytes(content)
    (tmp_path / "whole.sortal").write_bytes(whole)
    found, expected = load(tmp_path / "m.sortal"), load(tmp_path / "whole.sortal")
    assert all(same(getattr(found, part), getattr(expected, part)) for part in PARTS)
    for at in range(40, content.index(b"PK\x01\x02"), 97):
        changed = bytearray(content)
        changed[at] ^= 0x10
        assert refused_or_equal(bytes(changed), whole), at


@pytest.mark.parametrize("name", ["../evil.json", "/etc/evil.json", "arrays\\00000.npy", "arrays/", "a/b.json", "x.PY"])
def test_a_member_outside_the_file_or_of_another_kind(whole, name):
    assert "has a name that no model file needs" in refused(zipped(listed({**members_of(whole), name: b"{}"})))


def test_a_link(whole):
    def link(entry: zipfile.ZipInfo) -> None:
        entry.create_system = 3
        entry.external_attr = 0o120777 << 16 if entry.filename == "card.json" else 0o100644 << 16

    assert "'card.json' is a link or a folder" in refused(zipped(members_of(whole), link))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression(whole, method):
    def compress(entry: zipfile.ZipInfo) -> None:
        entry.compress_type = method

    assert "compressed in another way" in refused(zipped(members_of(whole), compress))


def test_an_encrypted_member(whole):
    content = bytearray(zipped(members_of(whole)))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert "is encrypted" in refused(bytes(content))


def test_two_members_of_one_name(whole):
    file = io.BytesIO(whole)
    with zipfile.ZipFile(file, "a") as out, pytest.warns(UserWarning, match="Duplicate"):
        out.writestr("card.json", b"{}")
    assert "two members of the same name" in refused(file.getvalue())


def test_members_that_the_manifest_does_not_list_or_that_are_gone(whole):
    members = members_of(whole)
    assert "has 'extra.json', which its manifest does not list" in refused(zipped({**members, "extra.json": b"{}"}))
    del members["card.json"]
    assert "lacks 'card.json'" in refused(zipped(members))
    assert "has no card.json" in refused(zipped(listed(members)))
    del members["manifest.json"]
    assert "has no manifest.json" in refused(zipped(members))


def test_a_member_that_was_exchanged(whole):
    members = members_of(whole)
    card = members["card.json"]
    assert "has another SHA-256" in refused(zipped({**members, "card.json": b" " * len(card)}))
    assert "has another size" in refused(zipped({**members, "card.json": card + b" "}))


def test_a_bomb(whole, monkeypatch):
    bomb = {**members_of(whole), "arrays/00009.npy": bytes(40_000_000)}
    assert "would unpack to 40,0" in refused(zipped(listed(bomb)))
    monkeypatch.setattr(archive, "MOST_JSON_BYTES", 1_000_000)
    assert "bytes of JSON" in refused(zipped(listed({**members_of(whole), "card.json": bytes(1_000_001)})))
    monkeypatch.setattr(archive, "MOST_MEMBERS", 5)
    assert "more than 5 members" in refused(whole)
    monkeypatch.setattr(archive, "MOST_BYTES", 100)
    assert "more than the 100 of any model" in refused(whole)


@pytest.mark.parametrize(("beyond", "safe"), [(0, True), (1, False)])
def test_what_unpacks_to_so_many_times_its_size_is_a_bomb(whole, monkeypatch, beyond, safe):
    """Where it is more than what every file may unpack to, and never more than the most."""
    file = zipped(listed({**members_of(whole), "arrays/00009.npy": bytes(60_000)}))
    with zipfile.ZipFile(io.BytesIO(file)) as opened:
        unpacked = sum(entry.file_size for entry in opened.infolist())
    monkeypatch.setattr(archive, "FREE_BYTES", unpacked - beyond)
    monkeypatch.setattr(archive, "MOST_RATIO", 1)
    assert ("would unpack to" in refused(file)) != safe
    monkeypatch.setattr(archive, "MOST_RATIO", 1_000)
    assert "would unpack to" not in refused(file)
    monkeypatch.setattr(archive, "MOST_BYTES", max(unpacked - beyond, len(file)))
    assert ("would unpack to" in refused(file)) != safe


def test_a_size_that_lies(whole):
    """The central directory tells a small size of a member that unpacks to more."""
    content = bytearray(zipped(members_of(whole)))
    at = content.index(b"PK\x01\x02")
    size = struct.unpack_from("<I", content, at + 24)[0]
    struct.pack_into("<I", content, at + 24, size - 1)
    refused(bytes(content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no sortal model"),
        (b"age,city\n1,Ulm\n", "no sortal model"),
        (pickle.dumps({"a": 1}), "no sortal model"),
        (zipped({"readme.txt": b"hello"}), "has a name that no model file needs"),
        (zipped({"a.json": b"{}"}), "has no manifest.json"),
        (zipped({"manifest.json": b"[1]"}), "manifest.json does not fit"),
        (zipped({"manifest.json": b"[" * 100_000}), "manifest.json does not fit"),
        (zipped({"manifest.json": b'{"format": "zip", "protocol": 1, "sortal": "1"}'}), "its format is 'zip'"),
    ],
)
def test_other_files(content, message):
    assert message in refused(content)


def test_bytes_before_after_or_beside_the_archive(whole):
    assert "no sortal model" in refused(b"#!/bin/sh\n" + whole)
    assert "bytes after its end" in refused(whole + b"\n")
    assert "bytes after its end" in refused(whole[:-2] + struct.pack("<H", 3) + b"abc")


def put_together(
    parts: list[tuple[str, bytes, bytes, int]], before: bytes = b"", gap: bytes = b"", extra: bytes = b""
) -> bytes:
    """A zip by hand, of names, the bytes as they are packed and unpacked, and the size that is told of them."""
    body, directory = before, b""
    for name, packed, content, size in parts:
        at, named = len(body), name.encode()
        told = (20, 0, 8, 0, 33, zlib.crc32(content), len(packed), size, len(named), len(extra))
        body += struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", *told) + named + extra + packed + gap
        fields = (b"PK\x01\x02", 20, *told, 0, 0, 0, 0o100644 << 16, at)
        directory += struct.pack("<4sHHHHHHIIIHHHHHII", *fields) + named + extra
    count = len(parts)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + end


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def parts_of(whole: bytes) -> list[tuple[str, bytes, bytes, int]]:
    return [(name, deflated(content), content, len(content)) for name, content in members_of(whole).items()]


def test_the_zip_by_hand_is_read(whole, tmp_path):
    (tmp_path / "m.sortal").write_bytes(put_together(parts_of(whole)))
    assert load(tmp_path / "m.sortal").task.classes == ("a", "b")


@pytest.mark.parametrize("told", [0, 4, 99_999])
def test_a_member_that_inflates_to_more_than_it_says_is_not_inflated(whole, told):
    bomb = ("card.json", deflated(bytes(200_000_000)), b"{}", told)
    content = put_together([bomb if name == "card.json" else (name, *more) for name, *more in parts_of(whole)])
    manifest = listed({**members_of(whole), "card.json": bytes(told)})["manifest.json"]
    parts = [
        (n, deflated(manifest), manifest, len(manifest)) if n == "manifest.json" else (n, *more)
        for n, *more in parts_of(whole)
    ]
    content = put_together([bomb if name == "card.json" else (name, *more) for name, *more in parts])
    tracemalloc.start()
    message = refused(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert f"card.json does not unpack to the {told:,} bytes" in message
    assert peak < 5_000_000


def test_a_rest_behind_the_packed_bytes_of_a_member(whole):
    parts = [(name, packed + b"rest", content, size) for name, packed, content, size in parts_of(whole)]
    assert "does not unpack" in refused(put_together(parts))
    parts = [(name, packed[:-1], content, size) for name, packed, content, size in parts_of(whole)]
    assert "does not unpack" in refused(put_together(parts))


def test_bytes_that_belong_to_no_member(whole):
    parts = parts_of(whole)
    assert "no sortal model" in refused(put_together(parts, before=b"MZ"))
    assert "between its members" in refused(put_together(parts, before=b"PK\x03\x04" + bytes(26)))
    assert "between its members" in refused(put_together(parts, gap=b"x"))
    assert "extra fields" in refused(put_together(parts, extra=b"\x01\x00\x00\x00"))


def test_an_archive_that_is_appended_to_another(whole):
    other = zipped({"a.json": b"{}"})
    for content in (whole + whole, other + whole, whole + other):
        assert "between its parts" in refused(content)


def test_a_remark_on_the_archive_or_on_a_member(whole):
    file = io.BytesIO(whole)
    with zipfile.ZipFile(file, "a") as out:
        out.comment = b"hello"
    assert "bytes after its end" in refused(file.getvalue())

    def remark(entry: zipfile.ZipInfo) -> None:
        entry.comment = b"hello"

    assert "is damaged" in refused(zipped(members_of(whole), remark))


def test_a_directory_that_says_other_things_than_the_members(whole):
    start = whole.index(b"PK\x01\x02")
    for at in (8, 10, 12, 14, 16, 20, 24, 28, 42, 46):
        changed = bytearray(whole)
        changed[start + at] ^= 1
        assert "damaged" in refused(bytes(changed))


def test_an_unknown_protocol_tells_who_wrote_it_and_what_can_be_read(whole):
    manifest = {"format": "sortal model", "protocol": 7, "sortal": "9.2.0", "parts": "of another shape"}
    message = refused(zipped({**members_of(whole), "manifest.json": json.dumps(manifest).encode()}))
    assert "written by sortal 9.2.0 with protocol 7" in message
    assert "reads protocol 1;" in message


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(ArtifactError, match=r"none\.sortal' cannot be read: no such file or directory$"):
        load(tmp_path / "none.sortal")
    with pytest.raises(ArtifactError, match="directory"):
        load(tmp_path)


def npy(array: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def header(shape: str, descr: str = "'<f8'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(np.array([print], dtype=object), allow_pickle=True), "another form"),
        (npy(np.zeros(1, dtype=[("a", "<f8")])), "another form"),
        (npy(np.zeros(1, dtype=">f8")), "another form"),
        (npy(np.zeros(1, dtype=complex)), "another form"),
        (npy(np.asfortranarray(np.zeros((2, 2)))), "another form"),
        (npy(np.zeros(1), version=(2, 0)), "no array|another form"),
        (npy(np.zeros(3))[:-1], "shape that does not fit"),
        (npy(np.zeros(3)) + b"x", "shape that does not fit"),
        (header("(10**9,)"), "another form"),
        (header("(1000000000,)"), "shape that does not fit"),
        (header("(-1,)") + bytes(8), "another form"),
        (header("(1,)", "print('x')") + bytes(8), "another form"),
        (header("(3)") + bytes(24), "another form"),
        (header("(1, 1, 1,)") + bytes(8), "another form"),
        (header("(True,)") + bytes(8), "another form"),
        (header("(1,)", "'<f8' if 1 else 0") + bytes(8), "another form"),
        (header("(1,)", "'<f8', 'descr': '<f8'") + bytes(8), "another form"),
        (header("(" + "1, " * 70 + ")") + bytes(8), "shape that does not fit|another form|together"),
        (header("(0, 99999999999)"), "together"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "another form"),
        (b"", "no array"),
        (pickle.dumps(1), "no array"),
    ],
)
def test_arrays_that_are_not_plain_numbers(whole, content, message):
    found = refused(zipped(listed({**members_of(whole), "arrays/00000.npy": content})))
    assert any(part in found for part in message.split("|")), found


def changed_program(whole: bytes, change: Callable[[dict], object]) -> bytes:
    members = members_of(whole)
    program = json.loads(members["program.json"])
    changed = change(program)
    return zipped(listed({**members, "program.json": json.dumps(changed or program).encode()}))


def nested(levels: int) -> dict:
    program = {"op": "chain", "settings": {}, "arrays": {}, "steps": []}
    for _ in range(levels):
        program = {"op": "chain", "settings": {}, "arrays": {}, "steps": [program]}
    return program


def test_programs_that_do_not_fit(whole):
    first = "arrays/00000.npy"
    assert "name its arrays once" in refused(changed_program(whole, lambda p: p["steps"][1]["arrays"].clear()))
    twice = changed_program(whole, lambda p: p["steps"][0]["arrays"].update(x=first))
    assert "name its arrays once" in refused(twice)
    outside = changed_program(whole, lambda p: p["steps"][1]["arrays"].update(value="../../etc/passwd"))
    assert "name its arrays once" in refused(outside)
    assert "nested deeper" in refused(changed_program(whole, lambda p: nested(100)))
    assert "program.json does not fit" in refused(changed_program(whole, lambda p: {"op": 3}))
    assert "unknown program op 'import'" in refused(changed_program(whole, lambda p: p["steps"][0].update(op="import")))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schema.json", {"columns": [{"name": "x", "kind": 1}]}),
        ("task.json", {"target": "y"}),
        ("decision.json", {"kind": "threshold", "classes": ["a", "b"]}),
        ("decision.json", {"kind": "oracle", "classes": ["a", "b"]}),
        ("golden.json", {"rows": [{"x": [1]}]}),
        ("card.json", [1]),
        ("metrics.json", {"test": {"log_loss": 0.3}}),
        ("metrics.json", {"test": {"log_loss": {"value": "x", "low": None, "high": None}}}),
    ],
)
def test_values_of_another_type(whole, name, value):
    changed = listed({**members_of(whole), name: json.dumps(value).encode()})
    assert f"its {name} does not fit" in refused(zipped(changed))


def test_a_manifest_that_does_not_fit_is_told_with_the_place():
    assert "(Expected `int`, got `str` - at `$.protocol`)" in refused(
        zipped({"manifest.json": b'{"format": "sortal", "protocol": "1", "sortal": "1.0"}'})
    )


@pytest.mark.parametrize("kind", ["colour", "os:system", "sortal.core.kinds.number", ""])
def test_a_kind_is_looked_up_and_never_imported_by_its_name(whole, kind):
    schema = json.dumps({"columns": [{"name": "x", "kind": kind}]}).encode()
    found = refused(zipped(listed({**members_of(whole), "schema.json": schema})))
    assert f"column 'x' is of kind {kind!r}, which is not installed here" in found


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"a": 1e999}',
        b'{"a": NaN}',
        b'{"a": ' + b"9" * 5_000 + b"}",
        b'{"a": ' + b"[" * 100_000,
        b"",
    ],
    ids=["UTF-8", "surrogate", "infinite", "NaN", "digits", "depth", "nothing"],
)
@pytest.mark.parametrize("name", ["card.json", "manifest.json", "program.json"])
def test_bytes_that_are_no_json(whole, name, content):
    members = {**members_of(whole), name: content}
    refused(zipped(members if name == "manifest.json" else listed(members)))


def test_labels_that_cannot_be_had(whole):
    members = members_of(whole)
    task = {**json.loads(members["task.json"]), "label_type": "int"}
    assert "does not fit together" in refused(zipped(listed({**members, "task.json": json.dumps(task).encode()})))


def test_what_hardly_packs_is_stored_and_read_back(tmp_path):
    noise, zeros = np.random.default_rng(0).bytes(2**20), bytes(2**20)
    members = {"arrays/00000.npy": noise, "arrays/00001.npy": zeros}
    archive.write(tmp_path / "m.sortal", members, "1")
    with zipfile.ZipFile(tmp_path / "m.sortal") as file:
        methods = {each.filename: each.compress_type for each in file.infolist()}
    assert methods["arrays/00000.npy"] == zipfile.ZIP_STORED
    assert methods["arrays/00001.npy"] == zipfile.ZIP_DEFLATED
    assert archive.read(tmp_path / "m.sortal")[1] == members


def entry(name: str = "card.json", **more: int) -> archive._Entry:
    plain = {"flags": 0, "method": zipfile.ZIP_DEFLATED, "crc": 0, "packed": 1, "size": 1, "mode": 0o100644, "start": 0}
    return archive._Entry(name, **(plain | more))


@pytest.mark.parametrize(
    ("member", "objection"),
    [
        (entry(), ""),
        (entry(mode=0), ""),
        (entry(method=zipfile.ZIP_STORED), ""),
        (entry("arrays/00000.npy", size=1 << 29), ""),
        (entry("arrays/0000.npy"), "has a name that no model file needs"),
        (entry("card.json.json"), "has a name that no model file needs"),
        (entry(mode=0o040755), "is a link or a folder"),
        (entry(mode=0o120777), "is a link or a folder"),
        (entry(flags=1), "is encrypted"),
        (entry(flags=9), "is encrypted"),
        (entry(flags=8), "is compressed in another way than model files are"),
        (entry(method=12), "is compressed in another way than model files are"),
        (entry(size=1 << 24), ""),
        (entry(size=(1 << 24) + 1), "would unpack to 16,777,217 bytes of JSON"),
        (entry("program.json", size=1 << 26), ""),
        (entry("profile.json", size=(1 << 26) + 1), "would unpack to 67,108,865 bytes of JSON"),
    ],
)
def test_why_a_member_is_not_unpacked(member, objection):
    assert archive._objection(member) == objection


@pytest.mark.parametrize(
    ("members", "size", "message"),
    [
        ([entry("manifest.json"), entry()], 10, None),
        ([entry()], 10, "m is no sortal model: it has no manifest.json"),
        ([entry("manifest.json"), entry(), entry()], 10, "m is unsafe: it has two members of the same name"),
        ([entry("manifest.json"), entry("x")], 10, "m is unsafe: member 'x' has a name that no model file needs"),
        ([entry("manifest.json", size=50), entry(size=50)], 10, None),  # what any file may unpack to
        ([entry("manifest.json", size=50), entry(size=51)], 10, "m is unsafe: its 10 bytes would unpack to 101"),
        ([entry("manifest.json", size=50), entry(size=70)], 30, None),  # four times its size
        ([entry("manifest.json", size=50), entry(size=71)], 30, "m is unsafe: its 30 bytes would unpack to 121"),
        ([entry("manifest.json", size=50), entry(size=100)], 99, None),  # and no more than any model
        ([entry("manifest.json", size=50), entry(size=101)], 99, "m is unsafe: its 99 bytes would unpack to 151"),
        ([entry("manifest.json"), entry("a.json"), entry("b.json")], 10, None),
        ([entry(f"{c}.json") for c in "abcd"], 10, "m is unsafe: it has more than 3 members"),
    ],
)
def test_what_a_file_may_unpack_to(members, size, message, monkeypatch):
    for name, value in {"FREE_BYTES": 100, "MOST_RATIO": 4, "MOST_BYTES": 150, "MOST_MEMBERS": 3}.items():
        monkeypatch.setattr(archive, name, value)
    if message is None:
        assert list(archive._audited(members, size, "m").values()) == members
    else:
        with pytest.raises(ArtifactError) as raised:
            archive._audited(members, size, "m")
        assert str(raised.value) == message


def test_a_file_is_as_large_as_any_model_and_no_larger(tmp_path, monkeypatch):
    path = tmp_path / "m.sortal"
    path.write_bytes(b"12345")
    for most in (5, 4):
        monkeypatch.setattr(archive, "MOST_BYTES", most)
        if most == 5:
            assert archive._content(path) == b"12345"
        else:
            with pytest.raises(ArtifactError, match=r"^m\.sortal has 5 bytes, more than the 4 of any model$"):
                archive._content(path)


def test_who_approves_of_a_file_sees_all_of_its_bytes_before_anything_else(whole, tmp_path):
    seen: list[bytes] = []
    path = tmp_path / "m.sortal"
    path.write_bytes(whole)
    archive.read(path, seen.append)
    assert seen == [whole]

    def refuse(content: bytes) -> None:
        seen.append(content)
        raise OptionError("not this one")

    for content in (whole, b"no archive"):
        path.write_bytes(content)
        for reading in (archive.read, load_contents):
            with pytest.raises(OptionError, match="not this one"):
                reading(path, refuse)
            assert seen[-1] == content


def test_a_file_tells_nothing_of_who_wrote_it_and_when(tmp_path):
    archive.write(tmp_path / "m.sortal", {"b.json": b"{}", "a.json": b"[1]"}, "1.2")
    with zipfile.ZipFile(tmp_path / "m.sortal") as file:
        assert file.namelist() == ["a.json", "b.json", "manifest.json"]
        for member in file.infolist():
            assert (member.create_system, member.external_attr >> 16) == (3, stat.S_IFREG | 0o644)
            assert member.external_attr & 0xFFFF == 0
            assert (member.date_time, member.extra, member.comment) == ((1980, 1, 1, 0, 0, 0), b"", b"")
        manifest = json.loads(file.read("manifest.json"))
    assert [(m["name"], m["size"]) for m in manifest["members"]] == [("a.json", 3), ("b.json", 2)]
    assert [m["sha256"] for m in manifest["members"]] == [hashlib.sha256(c).hexdigest() for c in (b"[1]", b"{}")]
    assert (manifest["sortal"], manifest["format"], manifest["protocol"]) == ("1.2", "sortal model", 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda whole, end: whole[:end] + _counted(whole, end, 1), "its directory is cut off"),
        (lambda whole, end: whole[:end] + _counted(whole, end, -1), "there are bytes that belong to no member"),
    ],
)
def test_a_directory_of_another_length_than_it_says(whole, change, reason):
    with pytest.raises(ArtifactError) as raised:
        archive._entries(change(whole, len(whole) - 22), "m")
    assert str(raised.value) == f"m is damaged ({reason}); copy it again"


def _counted(whole: bytes, end: int, more: int) -> bytes:
    """The end of a zip that tells of so many members more."""
    mark, first, second, count, total, *rest = struct.unpack("<4sHHHHIIH", whole[end:])
    return struct.pack("<4sHHHHIIH", mark, first, second, count + more, total + more, *rest)
