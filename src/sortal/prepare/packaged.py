"""Weights that come in packages, found without importing these, and known by their SHA-256."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path


def packaged_file(package: str, file: str) -> Path | None:
    """Where the package has the file; None where it is not installed."""
    spec = find_spec(package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / file


def read_known(path: Path, sha256: str) -> bytes:
    """What is in the file. Raises ValueError where it is another than it was."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{path.name} is not the file of weights that it was: its SHA-256 differs")
    return content
