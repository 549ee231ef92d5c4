"""Signatures of model files (ed25519): who has the public key can tell whether a file is the one that was signed.

The hashes in a model file guard against accidents: whoever changes it on purpose writes them anew. A signature lies
beside the file, as ``model.sortal.sig``, and cannot be made without the private key. It covers every byte of the file,
and so what its card says of the run: the figures of the test, the hash of the sealed rows and the head of the ledger.

Keys are PEM files, as ``openssl genpkey -algorithm ed25519`` makes them, or OpenSSH's. The package ``cryptography``
does the work; sortal needs it for nothing else, so it is an extra.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sortal.core.errors import ArtifactError, OptionError
from sortal.data.whole import replacing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SUFFIX = ".sig"
MOST_BYTES = 1 << 16
"""Of a key or a signature; they have a few hundred."""
_CONTEXT = b"sortal model file, protocol 1\n"
"""Begins what is signed, so that a signature of anything else with the same key is none of a model."""


@dataclass(frozen=True)
class Signature:
    """The content of a signature file. ``sha256``: of the model file; ``key``: the public one; ``signature``: of both
    in hex.
    """

    format: Literal["sortal-signature"]
    protocol: Literal[1]
    sha256: str
    key: str
    signature: str


def signature_of(model_file: Path) -> Path:
    """Where the signature of a model file lies."""
    return model_file.with_name(model_file.name + SUFFIX)


def sign(model_file: Path, key_file: Path) -> Path:
    """Write the signature of a model file beside it, and return its path.

    Raises OptionError for a key that cannot sign, OutputError where the signature cannot be written.
    """
    _need_cryptography()
    key = _private(key_file)
    digest = hashlib.sha256(model_file.read_bytes()).hexdigest()
    signed = key.sign(_CONTEXT + digest.encode())
    signature = Signature("sortal-signature", 1, digest, key.public_key().public_bytes_raw().hex(), signed.hex())
    path = signature_of(model_file)
    with replacing(path, sparing=[model_file, key_file]) as partial:
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(signature)) + b"\n")
    return path


def check(content: bytes, model_file: Path, key_file: Path) -> None:
    """Raises ArtifactError where these bytes of a model file were not signed with the private key of this public
    one.
    """
    _need_cryptography()
    from cryptography.exceptions import InvalidSignature

    key, path = _public(key_file), signature_of(model_file)
    try:
        signature = msgspec.json.decode(_content(path), type=Signature)
        signed = bytes.fromhex(signature.signature)
    except OSError as error:
        raise ArtifactError(f"{model_file.name} has no signature {path.name} beside it ({error.strerror})") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise ArtifactError(f"{path.name} is no signature of sortal ({error})") from None
    digest = hashlib.sha256(content).hexdigest()
    try:
        key.verify(signed, _CONTEXT + digest.encode())
    except InvalidSignature:
        why = f"{path.name} is not of this file and this key"
        if signature.sha256 != digest:
            why = f"the file was changed after {path.name} was made, or is another"
        elif signature.key != key.public_bytes_raw().hex():
            why = f"{path.name} was made with another key than that of {key_file.name}"
        raise ArtifactError(f"{model_file.name} is not as it was signed: {why}; it is not used") from None


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES)


def _private(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = _key(path, "private")
    if not isinstance(key, Ed25519PrivateKey):
        raise OptionError(f"{path.name} is no private ed25519 key; {_MAKE}")
    return key


def _public(path: Path) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = _key(path, "public")
    if not isinstance(key, Ed25519PublicKey):
        raise OptionError(f"{path.name} is no public ed25519 key; {_MAKE}")
    return key


_MAKE = "make a pair: openssl genpkey -algorithm ed25519 -out key.pem; openssl pkey -in key.pem -pubout -out public.pem"


def _key(path: Path, kind: Literal["private", "public"]) -> Any:
    """The key in a file, of whatever algorithm."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as form

    try:
        content = _content(path)
        if kind == "public":
            return (
                form.load_ssh_public_key(content) if content.startswith(b"ssh-") else form.load_pem_public_key(content)
            )
        ssh = b"BEGIN OPENSSH" in content
        return (form.load_ssh_private_key if ssh else form.load_pem_private_key)(content, password=None)
    except OSError as error:
        raise OptionError(f"the key {str(path)!r} cannot be read ({error.strerror})") from None
    except TypeError:
        raise OptionError(
            f"the key {path.name} has a passphrase, which sortal does not ask for; give one without: openssl pkey "
            f"-in {path.name}"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise OptionError(f"{path.name} is no {kind} ed25519 key; {_MAKE}") from None


def _need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise OptionError(
            "signatures need the package cryptography, which is an extra: pip install 'sortal[sign]'"
        ) from None
