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
def model_bytes(tmp_path_factory) -> bytes:
    """The bytes of a good model file."""
    path = tmp_path_factory.mktemp("whole") / "m.sortal"
    small_model().save(path)
    return path.read_bytes()


def members_of(model_bytes: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(model_bytes)) as file:
        return {name: file.read(name) for name in file.namelist()}


def with_manifest(members: Members) -> Members:
    """The same members with a manifest that lists them as they are."""
    manifest = json.loads(members["manifest.json"])
    others = [name for name in members if name != "manifest.json"]
    manifest["members"] = [
        {"name": name, "sha256": hashlib.sha256(members[name]).hexdigest(), "size": len(members[name])}
        for name in others
    ]
    return {**members, "manifest.json": json.dumps(manifest).encode()}


def zip_of(members: Members, change: Callable[[zipfile.ZipInfo], None] = lambda entry: None) -> bytes:
    """A zip of the members; ``change`` may alter the entries before they are written."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            change(entry)
            out.writestr(entry, content)
    return file.getvalue()


def refusal(content: bytes) -> str:
    """The one sentence with which a file is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.sortal"
        path.write_bytes(content)
        with pytest.raises(ArtifactError) as error:
            load(path)
    message = str(error.value)
    assert message.startswith("m.sortal")
    assert "\n" not in message
    assert len(message) < 300
    return message


def equal(a: object, b: object) -> bool:
    """Equal, arrays included."""
    if isinstance(a, Program) and isinstance(b, Program):
        return (
            (a.op, dict(a.settings), a.arrays.keys()) == (b.op, dict(b.settings), b.arrays.keys())
            and all(np.array_equal(a.arrays[k], b.arrays[k]) for k in a.arrays)
            and len(a.steps) == len(b.steps)
            and all(map(equal, a.steps, b.steps))
        )
    return a == b


PARTS = ("schema", "task", "decision", "program", "metrics", "profile", "scores", "card", "golden", "version")


def refused_or_equal(content: bytes, model_bytes: bytes) -> bool:
    """True if refused; else the contents must be what they were."""
    with tempfile.TemporaryDirectory() as folder:
        path, original = Path(folder) / "m.sortal", Path(folder) / "whole.sortal"
        path.write_bytes(content)
        original.write_bytes(model_bytes)
        expected = load_contents(original)
        try:
            model = load(path)
        except ArtifactError:
            return True
    assert all(equal(getattr(model, part), getattr(expected, part)) for part in PARTS)
    return False


@settings(max_examples=400)
@given(data=st.data())
def test_a_changed_byte_is_refused_or_means_nothing(model_bytes, data):
    at = data.draw(st.integers(0, len(model_bytes) - 1))
    copy = bytearray(model_bytes)
    copy[at] ^= data.draw(st.integers(1, 255))
    refused_or_equal(bytes(copy), model_bytes)


@settings(max_examples=150)
@given(data=st.data())
def test_a_file_that_is_cut_off_is_refused(model_bytes, data):
    assert refused_or_equal(model_bytes[: data.draw(st.integers(0, len(model_bytes) - 1))], model_bytes)


def test_every_changed_byte_of_the_content_is_noticed(model_bytes):
    """All but the last of a packed member: the bits that fill it up mean nothing."""
    with zipfile.ZipFile(io.BytesIO(model_bytes)) as file:
        entries = file.infolist()
    for entry in entries:
        start = entry.header_offset + 30 + len(entry.filename)
        for at in range(start, start + entry.compress_size - 1, 23):
            copy = bytearray(model_bytes)
            copy[at] ^= 0x10
            assert refused_or_equal(bytes(copy), model_bytes), (entry.filename, at - start)


def test_every_field_of_the_directory_is_looked_at(model_bytes):
    """Of the first member, of the last, and of the end; but for who wrote them and the rights of a file."""
    with zipfile.ZipFile(io.BytesIO(model_bytes)) as file:
        names = [entry.filename for entry in file.infolist()]
    ends = len(model_bytes) - 22
    first = struct.unpack_from("<I", model_bytes, ends + 16)[0]
    last = ends - 46 - len(names[-1])
    places = [start + at for start in (first, last) for at in range(46) if at not in (4, 5, *range(36, 42))]
    for at in (*places, *range(ends, len(model_bytes))):
        for bit in (0x01, 0x80):
            copy = bytearray(model_bytes)
            copy[at] ^= bit
            assert refused_or_equal(bytes(copy), model_bytes), at


def test_equal_contents_give_equal_bytes(model_bytes, tmp_path):
    small_model().save(tmp_path / "again.sortal")
    assert (tmp_path / "again.sortal").read_bytes() == model_bytes
    names = list(members_of(model_bytes))
    assert names == sorted(names)


def test_a_zip_of_the_same_members_by_another_program_is_read(model_bytes, tmp_path):
    (tmp_path / "m.sortal").write_bytes(zip_of(members_of(model_bytes)))
    assert load(tmp_path / "m.sortal").task.classes == ("a", "b")


def test_members_that_are_not_packed_are_read_and_held_to_their_sums(model_bytes, tmp_path):
    def store(entry: zipfile.ZipInfo) -> None:
        entry.compress_type = zipfile.ZIP_STORED

    content = zip_of(members_of(model_bytes), store)
    (tmp_path / "m.sortal").write_bytes(content)
    (tmp_path / "whole.sortal").write_bytes(model_bytes)
    model, expected = load(tmp_path / "m.sortal"), load(tmp_path / "whole.sortal")
    assert all(equal(getattr(model, part), getattr(expected, part)) for part in PARTS)
    for at in range(40, content.index(b"PK\x01\x02"), 97):
        copy = bytearray(content)
        copy[at] ^= 0x10
        assert refused_or_equal(bytes(copy), model_bytes), at


@pytest.mark.parametrize("name", ["../evil.json", "/etc/evil.json", "arrays\\00000.npy", "arrays/", "a/b.json", "x.PY"])
def test_a_member_outside_the_file_or_of_another_kind(model_bytes, name):
    assert "has a name that no model file needs" in refusal(
        zip_of(with_manifest({**members_of(model_bytes), name: b"{}"}))
    )


def test_a_link(model_bytes):
    def link(entry: zipfile.ZipInfo) -> None:
        entry.create_system = 3
        entry.external_attr = 0o120777 << 16 if entry.filename == "card.json" else 0o100644 << 16

    assert "'card.json' is a link or a folder" in refusal(zip_of(members_of(model_bytes), link))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression(model_bytes, method):
    def compress(entry: zipfile.ZipInfo) -> None:
        entry.compress_type = method

    assert "compressed in another way" in refusal(zip_of(members_of(model_bytes), compress))


def test_an_encrypted_member(model_bytes):
    content = bytearray(zip_of(members_of(model_bytes)))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert "is encrypted" in refusal(bytes(content))


def test_two_members_of_one_name(model_bytes):
    file = io.BytesIO(model_bytes)
    with zipfile.ZipFile(file, "a") as out, pytest.warns(UserWarning, match="Duplicate"):
        out.writestr("card.json", b"{}")
    assert "two members of the same name" in refusal(file.getvalue())


def test_members_that_the_manifest_does_not_list_or_that_are_gone(model_bytes):
    members = members_of(model_bytes)
    assert "has 'extra.json', which its manifest does not list" in refusal(zip_of({**members, "extra.json": b"{}"}))
    del members["card.json"]
    assert "lacks 'card.json'" in refusal(zip_of(members))
    assert "has no card.json" in refusal(zip_of(with_manifest(members)))
    del members["manifest.json"]
    assert "has no manifest.json" in refusal(zip_of(members))


def test_a_member_that_was_exchanged(model_bytes):
    members = members_of(model_bytes)
    card = members["card.json"]
    assert "has another SHA-256" in refusal(zip_of({**members, "card.json": b" " * len(card)}))
    assert "has another size" in refusal(zip_of({**members, "card.json": card + b" "}))


def test_a_bomb(model_bytes, monkeypatch):
    bomb = {**members_of(model_bytes), "arrays/00009.npy": bytes(40_000_000)}
    assert "would unpack to 40,0" in refusal(zip_of(with_manifest(bomb)))
    monkeypatch.setattr(archive, "MOST_JSON_BYTES", 1_000_000)
    assert "bytes of JSON" in refusal(zip_of(with_manifest({**members_of(model_bytes), "card.json": bytes(1_000_001)})))
    monkeypatch.setattr(archive, "MOST_MEMBERS", 5)
    assert "more than 5 members" in refusal(model_bytes)
    monkeypatch.setattr(archive, "MOST_BYTES", 100)
    assert "more than the 100 of any model" in refusal(model_bytes)


@pytest.mark.parametrize(("beyond", "safe"), [(0, True), (1, False)])
def test_what_unpacks_to_so_many_times_its_size_is_a_bomb(model_bytes, monkeypatch, beyond, safe):
    """Where it is more than what every file may unpack to, and never more than the most."""
    file = zip_of(with_manifest({**members_of(model_bytes), "arrays/00009.npy": bytes(60_000)}))
    with zipfile.ZipFile(io.BytesIO(file)) as archive_file:
        n_bytes = sum(entry.file_size for entry in archive_file.infolist())
    monkeypatch.setattr(archive, "FREE_BYTES", n_bytes - beyond)
    monkeypatch.setattr(archive, "MOST_RATIO", 1)
    assert ("would unpack to" in refusal(file)) != safe
    monkeypatch.setattr(archive, "MOST_RATIO", 1_000)
    assert "would unpack to" not in refusal(file)
    monkeypatch.setattr(archive, "MOST_BYTES", max(n_bytes - beyond, len(file)))
    assert ("would unpack to" in refusal(file)) != safe


def test_a_size_that_lies(model_bytes):
    """The central directory tells a small size of a member that unpacks to more."""
    content = bytearray(zip_of(members_of(model_bytes)))
    at = content.index(b"PK\x01\x02")
    size = struct.unpack_from("<I", content, at + 24)[0]
    struct.pack_into("<I", content, at + 24, size - 1)
    refusal(bytes(content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no sortal model"),
        (b"age,city\n1,Ulm\n", "no sortal model"),
        (pickle.dumps({"a": 1}), "no sortal model"),
        (zip_of({"readme.txt": b"hello"}), "has a name that no model file needs"),
        (zip_of({"a.json": b"{}"}), "has no manifest.json"),
        (zip_of({"manifest.json": b"[1]"}), "manifest.json does not fit"),
        (zip_of({"manifest.json": b"[" * 100_000}), "manifest.json does not fit"),
        (zip_of({"manifest.json": b'{"format": "zip", "protocol": 1, "sortal": "1"}'}), "its format is 'zip'"),
    ],
)
def test_other_files(content, message):
    assert message in refusal(content)


def test_bytes_before_after_or_beside_the_archive(model_bytes):
    assert "no sortal model" in refusal(b"#!/bin/sh\n" + model_bytes)
    assert "bytes after its end" in refusal(model_bytes + b"\n")
    assert "bytes after its end" in refusal(model_bytes[:-2] + struct.pack("<H", 3) + b"abc")


def put_together(
    parts: list[tuple[str, bytes, bytes, int]], before: bytes = b"", gap: bytes = b"", extra: bytes = b""
) -> bytes:
    """A zip by hand, of names, the bytes as they are packed and unpacked, and the size that is told of them."""
    body, directory = before, b""
    for name, compressed, content, size in parts:
        at, name_bytes = len(body), name.encode()
        numbers = (20, 0, 8, 0, 33, zlib.crc32(content), len(compressed), size, len(name_bytes), len(extra))
        body += struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", *numbers) + name_bytes + extra + compressed + gap
        fields = (b"PK\x01\x02", 20, *numbers, 0, 0, 0, 0o100644 << 16, at)
        directory += struct.pack("<4sHHHHHHIIIHHHHHII", *fields) + name_bytes + extra
    count = len(parts)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + end


def deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def parts_of(model_bytes: bytes) -> list[tuple[str, bytes, bytes, int]]:
    return [(name, deflate(content), content, len(content)) for name, content in members_of(model_bytes).items()]


def test_the_zip_by_hand_is_read(model_bytes, tmp_path):
    (tmp_path / "m.sortal").write_bytes(put_together(parts_of(model_bytes)))
    assert load(tmp_path / "m.sortal").task.classes == ("a", "b")


@pytest.mark.parametrize("size", [0, 4, 99_999])
def test_a_member_that_inflates_to_more_than_it_says_is_not_inflated(model_bytes, size):
    bomb = ("card.json", deflate(bytes(200_000_000)), b"{}", size)
    content = put_together([bomb if name == "card.json" else (name, *rest) for name, *rest in parts_of(model_bytes)])
    manifest = with_manifest({**members_of(model_bytes), "card.json": bytes(size)})["manifest.json"]
    parts = [
        (n, deflate(manifest), manifest, len(manifest)) if n == "manifest.json" else (n, *rest)
        for n, *rest in parts_of(model_bytes)
    ]
    content = put_together([bomb if name == "card.json" else (name, *rest) for name, *rest in parts])
    tracemalloc.start()
    message = refusal(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert f"card.json does not unpack to the {size:,} bytes" in message
    assert peak < 5_000_000


def test_a_rest_behind_the_packed_bytes_of_a_member(model_bytes):
    parts = [(name, compressed + b"rest", content, size) for name, compressed, content, size in parts_of(model_bytes)]
    assert "does not unpack" in refusal(put_together(parts))
    parts = [(name, compressed[:-1], content, size) for name, compressed, content, size in parts_of(model_bytes)]
    assert "does not unpack" in refusal(put_together(parts))


def test_bytes_that_belong_to_no_member(model_bytes):
    parts = parts_of(model_bytes)
    assert "no sortal model" in refusal(put_together(parts, before=b"MZ"))
    assert "between its members" in refusal(put_together(parts, before=b"PK\x03\x04" + bytes(26)))
    assert "between its members" in refusal(put_together(parts, gap=b"x"))
    assert "extra fields" in refusal(put_together(parts, extra=b"\x01\x00\x00\x00"))


def test_an_archive_that_is_appended_to_another(model_bytes):
    other = zip_of({"a.json": b"{}"})
    for content in (model_bytes + model_bytes, other + model_bytes, model_bytes + other):
        assert "between its parts" in refusal(content)


def test_a_remark_on_the_archive_or_on_a_member(model_bytes):
    file = io.BytesIO(model_bytes)
    with zipfile.ZipFile(file, "a") as out:
        out.comment = b"hello"
    assert "bytes after its end" in refusal(file.getvalue())

    def remark(entry: zipfile.ZipInfo) -> None:
        entry.comment = b"hello"

    assert "is damaged" in refusal(zip_of(members_of(model_bytes), remark))


def test_a_directory_that_says_other_things_than_the_members(model_bytes):
    start = model_bytes.index(b"PK\x01\x02")
    for at in (8, 10, 12, 14, 16, 20, 24, 28, 42, 46):
        copy = bytearray(model_bytes)
        copy[start + at] ^= 1
        assert "damaged" in refusal(bytes(copy))


def test_an_unknown_protocol_tells_who_wrote_it_and_what_can_be_read(model_bytes):
    manifest = {"format": "sortal model", "protocol": 7, "sortal": "9.2.0", "parts": "of another shape"}
    message = refusal(zip_of({**members_of(model_bytes), "manifest.json": json.dumps(manifest).encode()}))
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
def test_arrays_that_are_not_plain_numbers(model_bytes, content, message):
    reason = refusal(zip_of(with_manifest({**members_of(model_bytes), "arrays/00000.npy": content})))
    assert any(part in reason for part in message.split("|")), reason


def changed_program(model_bytes: bytes, change: Callable[[dict], object]) -> bytes:
    members = members_of(model_bytes)
    program = json.loads(members["program.json"])
    new_program = change(program)
    return zip_of(with_manifest({**members, "program.json": json.dumps(new_program or program).encode()}))


def nest(levels: int) -> dict:
    program = {"op": "chain", "settings": {}, "arrays": {}, "steps": []}
    for _ in range(levels):
        program = {"op": "chain", "settings": {}, "arrays": {}, "steps": [program]}
    return program


def test_programs_that_do_not_fit(model_bytes):
    first = "arrays/00000.npy"
    assert "name its arrays once" in refusal(changed_program(model_bytes, lambda p: p["steps"][1]["arrays"].clear()))
    twice = changed_program(model_bytes, lambda p: p["steps"][0]["arrays"].update(x=first))
    assert "name its arrays once" in refusal(twice)
    outside = changed_program(model_bytes, lambda p: p["steps"][1]["arrays"].update(value="../../etc/passwd"))
    assert "name its arrays once" in refusal(outside)
    assert "nested deeper" in refusal(changed_program(model_bytes, lambda p: nest(100)))
    assert "program.json does not fit" in refusal(changed_program(model_bytes, lambda p: {"op": 3}))
    assert "unknown program op 'import'" in refusal(
        changed_program(model_bytes, lambda p: p["steps"][0].update(op="import"))
    )


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
def test_values_of_another_type(model_bytes, name, value):
    members = with_manifest({**members_of(model_bytes), name: json.dumps(value).encode()})
    assert f"its {name} does not fit" in refusal(zip_of(members))


def test_a_manifest_that_does_not_fit_is_told_with_the_place():
    assert "(Expected `int`, got `str` - at `$.protocol`)" in refusal(
        zip_of({"manifest.json": b'{"format": "sortal", "protocol": "1", "sortal": "1.0"}'})
    )


@pytest.mark.parametrize("kind", ["colour", "os:system", "sortal.core.kinds.number", ""])
def test_a_kind_is_looked_up_and_never_imported_by_its_name(model_bytes, kind):
    schema = json.dumps({"columns": [{"name": "x", "kind": kind}]}).encode()
    message = refusal(zip_of(with_manifest({**members_of(model_bytes), "schema.json": schema})))
    assert f"column 'x' is of kind {kind!r}, which is not installed here" in message


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
def test_bytes_that_are_no_json(model_bytes, name, content):
    members = {**members_of(model_bytes), name: content}
    refusal(zip_of(members if name == "manifest.json" else with_manifest(members)))


def test_labels_that_cannot_be_had(model_bytes):
    members = members_of(model_bytes)
    task = {**json.loads(members["task.json"]), "label_type": "int"}
    assert "does not fit together" in refusal(
        zip_of(with_manifest({**members, "task.json": json.dumps(task).encode()}))
    )


def test_what_hardly_packs_is_stored_and_read_back(tmp_path):
    noise, zeros = np.random.default_rng(0).bytes(2**20), bytes(2**20)
    members = {"arrays/00000.npy": noise, "arrays/00001.npy": zeros}
    archive.write(tmp_path / "m.sortal", members, "1")
    with zipfile.ZipFile(tmp_path / "m.sortal") as file:
        methods = {member.filename: member.compress_type for member in file.infolist()}
    assert methods["arrays/00000.npy"] == zipfile.ZIP_STORED
    assert methods["arrays/00001.npy"] == zipfile.ZIP_DEFLATED
    assert archive.read(tmp_path / "m.sortal")[1] == members


def entry(name: str = "card.json", **options: int) -> archive._Entry:
    defaults = {
        "flags": 0,
        "method": zipfile.ZIP_DEFLATED,
        "crc": 0,
        "packed": 1,
        "size": 1,
        "mode": 0o100644,
        "start": 0,
    }
    return archive._Entry(name, **(defaults | options))


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
        with pytest.raises(ArtifactError) as error:
            archive._audited(members, size, "m")
        assert str(error.value) == message


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


def test_who_approves_of_a_file_sees_all_of_its_bytes_before_anything_else(model_bytes, tmp_path):
    contents: list[bytes] = []
    path = tmp_path / "m.sortal"
    path.write_bytes(model_bytes)
    archive.read(path, contents.append)
    assert contents == [model_bytes]

    def refuse(content: bytes) -> None:
        contents.append(content)
        raise OptionError("not this one")

    for content in (model_bytes, b"no archive"):
        path.write_bytes(content)
        for reader in (archive.read, load_contents):
            with pytest.raises(OptionError, match="not this one"):
                reader(path, refuse)
            assert contents[-1] == content


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
        (lambda model_bytes, end: model_bytes[:end] + _with_count(model_bytes, end, 1), "its directory is cut off"),
        (
            lambda model_bytes, end: model_bytes[:end] + _with_count(model_bytes, end, -1),
            "there are bytes that belong to no member",
        ),
    ],
)
def test_a_directory_of_another_length_than_it_says(model_bytes, change, reason):
    with pytest.raises(ArtifactError) as error:
        archive._entries(change(model_bytes, len(model_bytes) - 22), "m")
    assert str(error.value) == f"m is damaged ({reason}); copy it again"


def _with_count(model_bytes: bytes, end: int, extra: int) -> bytes:
    """The end of a zip that tells of so many members more."""
    mark, first, second, count, total, *rest = struct.unpack("<4sHHHHIIH", model_bytes[end:])
    return struct.pack("<4sHHHHIIH", mark, first, second, count + extra, total + extra, *rest)
