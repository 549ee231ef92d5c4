"""Signatures: who changed the file, the signature or the key is found out; what is no key is told."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

import sortal as library
from sortal.artifact.card import Card, Data
from sortal.artifact.model import Model
from sortal.artifact.sign import MOST_BYTES, check, sign, signature_of
from sortal.core.errors import ArtifactError, OptionError, OutputError
from sortal.core.schema import Column, Schema
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.engine import Program
from tests.conftest import Sortal

PEM, SSH, RAW = form.Encoding.PEM, form.Encoding.OpenSSH, form.PublicFormat.SubjectPublicKeyInfo


def write_pair(folder: Path, name: str = "key") -> tuple[Path, Path]:
    """A private and a public key, as openssl writes them."""
    key, private, public = Ed25519PrivateKey.generate(), folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(PEM, RAW))
    return private, public


@pytest.fixture
def model(tmp_path: Path) -> Path:
    program = Program(
        "chain",
        steps=(
            Program("table", steps=(Program("number", {"column": "x"}),)),
            Program("fill", {}, {"value": np.zeros(1), "indicator": np.array([], dtype=np.int32)}),
            Program("linear", {"link": "sigmoid"}, {"coef": np.array([[0.5]]), "intercept": np.zeros(1)}),
        ),
    )
    Model(
        schema=Schema((Column("x", "number"), Column("y", "category", "target"))),
        task=Task("y", ("no", "yes"), (0.5, 0.5), "yes", "log_loss", (), ()),
        decision=Decision("argmax", ("no", "yes"), "yes"),
        program=program,
    ).save(tmp_path / "m.sortal")
    return tmp_path / "m.sortal"


def test_what_was_signed_is_loaded(model: Path, tmp_path: Path) -> None:
    private, public = write_pair(tmp_path)
    assert sign(model, private) == signature_of(model) == tmp_path / "m.sortal.sig"
    assert library.load(model, verify=public).classes_.tolist() == ["no", "yes"]
    assert library.load(str(model), verify=str(public)).classes_.tolist() == ["no", "yes"]


def test_the_signature_can_be_checked_with_other_tools(model: Path, tmp_path: Path) -> None:
    import hashlib

    private, _ = write_pair(tmp_path)
    document = json.loads(sign(model, private).read_bytes())
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert document["sha256"] == digest
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(document["key"]))
    key.verify(bytes.fromhex(document["signature"]), b"sortal model file, protocol 1\n" + digest.encode())


@given(st.data())
@settings(max_examples=100)
def test_any_changed_byte_is_found_out(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("signed")
    private, public = write_pair(folder)
    model = folder / "m.sortal"
    model.write_bytes(b"any bytes, which are not looked into")
    signature = sign(model, private)
    check(model.read_bytes(), model, public)
    part = data.draw(st.sampled_from(["model", "signature"]))
    content = model.read_bytes() if part == "model" else bytes.fromhex(json.loads(signature.read_bytes())["signature"])
    place = data.draw(st.integers(0, len(content) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
    content = content[:place] + bytes([other]) + content[place + 1 :]
    if part == "signature":
        forgery = json.loads(signature.read_bytes()) | {"signature": content.hex()}
        signature.write_text(json.dumps(forgery))
        content = model.read_bytes()
    with pytest.raises(ArtifactError, match=r"m\.sortal is not as it was signed"):
        check(content, model, public)


def test_a_file_that_was_written_anew_is_found_out(model: Path, tmp_path: Path) -> None:
    """With hashes that are right: those guard against accidents only."""
    private, public = write_pair(tmp_path)
    sign(model, private)
    new_model = library.load(model)
    card = Card(seed=1, data=Data("a.csv", 9, 7), chosen="svm")
    object.__setattr__(new_model, "card", card)
    new_model.save(model)
    library.load(model)
    with pytest.raises(
        ArtifactError, match=r"the file was changed after m\.sortal\.sig was made, or is another; it is not used"
    ):
        library.load(model, verify=public)
    sign(model, write_pair(tmp_path, "other")[0])
    with pytest.raises(ArtifactError, match=r"was made with another key than that of key\.pub"):
        library.load(model, verify=public)


def test_a_forged_signature_that_names_the_key_and_the_file_is_found_out(model: Path, tmp_path: Path) -> None:
    private, public = write_pair(tmp_path)
    own = json.loads(sign(model, private).read_bytes())
    forgery = json.loads(sign(model, write_pair(tmp_path, "other")[0]).read_bytes()) | {"key": own["key"]}
    signature_of(model).write_text(json.dumps(forgery))
    with pytest.raises(ArtifactError, match="is not of this file and this key"):
        library.load(model, verify=public)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"format":"other"}', b"[" * 50_000, b"x" * 100_000])
def test_what_is_no_signature(content: bytes, model: Path, tmp_path: Path) -> None:
    _, public = write_pair(tmp_path)
    with pytest.raises(ArtifactError, match=r"m\.sortal has no signature m\.sortal\.sig beside it"):
        library.load(model, verify=public)
    signature_of(model).write_bytes(content)
    with pytest.raises(ArtifactError, match=r"m\.sortal\.sig is no signature of sortal"):
        library.load(model, verify=public)


def test_keys_of_ssh(model: Path, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "id").write_bytes(key.private_bytes(PEM, form.PrivateFormat.OpenSSH, form.NoEncryption()))
    (tmp_path / "id.pub").write_bytes(key.public_key().public_bytes(SSH, form.PublicFormat.OpenSSH) + b" ann@home\n")
    sign(model, tmp_path / "id")
    library.load(model, verify=tmp_path / "id.pub")


def test_keys_that_are_none(model: Path, tmp_path: Path) -> None:
    private, public = write_pair(tmp_path)
    large = rsa.generate_private_key(65537, 2048)
    (tmp_path / "rsa.pem").write_bytes(large.private_bytes(PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    (tmp_path / "rsa.pub").write_bytes(large.public_key().public_bytes(PEM, RAW))
    (tmp_path / "text").write_text("no key")
    locked_key = Ed25519PrivateKey.generate().private_bytes(
        PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"word")
    )
    (tmp_path / "locked.pem").write_bytes(locked_key)
    for name in ("rsa.pem", "text", public.name, model.name):
        with pytest.raises(OptionError, match="is no private ed25519 key; make a pair: openssl"):
            sign(model, tmp_path / name)
    with pytest.raises(OptionError, match="has a passphrase"):
        sign(model, tmp_path / "locked.pem")
    for name in ("rsa.pub", "text", private.name, model.name):
        with pytest.raises(OptionError, match="is no public ed25519 key; make a pair: openssl"):
            library.load(model, verify=tmp_path / name)
    with pytest.raises(OptionError, match=r"the key .*missing' cannot be read"):
        library.load(model, verify=tmp_path / "missing")
    assert not signature_of(model).exists()


def test_a_signature_replaces_no_key(model: Path, tmp_path: Path) -> None:
    private, _ = write_pair(tmp_path)
    key = private.rename(signature_of(model))
    with pytest.raises(OutputError, match="is being read"):
        sign(model, key)


def test_without_the_extra(model: Path, tmp_path: Path) -> None:
    """Everything else works without the package, and signatures say what is needed."""
    private, public = write_pair(tmp_path)
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from pathlib import Path; import sortal; from sortal.artifact.sign import sign\n"
        f"sortal.load({str(model)!r})\n"
        f"for act in (lambda: sortal.load({str(model)!r}, verify={str(public)!r}), lambda: "
        f"sign(Path({str(model)!r}), Path({str(private)!r}))):\n"
        "    try: act()\n"
        "    except sortal.InputError as error: print(error)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    message = "signatures need the package cryptography, which is an extra: pip install 'sortal[sign]'"
    assert process.stdout.splitlines() == [message, message]


def test_by_the_command_line(model: Path, tmp_path: Path, sortal: Sortal) -> None:
    private, public = write_pair(tmp_path)
    data = tmp_path / "data.csv"
    data.write_text("x,y\n1,yes\n-1,no\n")
    outcome = sortal("sign", model, "--key", private)
    assert (outcome.code, outcome.out) == (
        0,
        f"signed: {signature_of(model)}; to check: sortal show {model} --verify PUBLIC_KEY\n",
    )
    for others in ([], [data]):
        assert sortal("predict" if others else "show", model, *others, "--verify", public).code == 0
    other = shutil.copy(model, tmp_path / "other.sortal")
    for arguments in (["show", other], ["predict", other, data], ["evaluate", other, data]):
        outcome = sortal(*arguments, "--verify", public)
        assert (outcome.code, outcome.err) == (
            2,
            "sortal: other.sortal has no signature other.sortal.sig beside it (No such file or directory)\n",
        )
    assert sortal("sign", data, "--key", private).code == 2


@pytest.mark.parametrize(("blanks", "is_read"), [(1_000, True), (MOST_BYTES, False)])
def test_of_a_signature_and_of_a_key_no_more_is_read_than_they_have(
    blanks: int, is_read: bool, model: Path, tmp_path: Path
) -> None:
    private, public = write_pair(tmp_path)
    path = sign(model, private)
    path.write_bytes(b" " * blanks + path.read_bytes())
    if is_read:
        check(model.read_bytes(), model, public)
    else:
        with pytest.raises(ArtifactError, match=r"^m\.sortal\.sig is no signature of sortal \("):
            check(model.read_bytes(), model, public)
    private.write_bytes(b"\n" * blanks + private.read_bytes())
    path.unlink()
    if is_read:
        sign(model, private)
    else:
        with pytest.raises(OptionError, match=r"^key\.pem is no private ed25519 key; make a pair: "):
            sign(model, private)
    assert path.exists() == is_read
