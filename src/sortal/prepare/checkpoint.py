"""Files in a folder that holds a network: descriptions in JSON, and weights in safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sortal.core.errors import OptionError
from sortal.core.plain import quoted
from sortal.engine.onnx import MOST_GRAPH
from sortal.engine.program import Array
from sortal.prepare.safetensors_file import read_tensors

CONFIG, WEIGHTS = "config.json", "model.safetensors"
MOST_JSON = 2**26
"""Bytes of a description; a tokenizer has some megabytes, and seventeen where it reads a hundred languages."""
MOST_WEIGHTS = 2 * MOST_GRAPH
"""Bytes of a file of weights: what has 32 bits there is kept in 16."""


def description(path: Path, name: str) -> Any:
    """What a description says; nothing where there is none."""
    file = path / name
    if not file.is_file():
        return {}
    if file.stat().st_size > MOST_JSON:
        raise OptionError(f"--backbone {quoted(str(path))}: {name} has more than {MOST_JSON:,} bytes")
    try:
        fields = msgspec.json.decode(file.read_bytes())
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise OptionError(f"--backbone {quoted(str(path))}: {name} is no JSON ({str(error)[:100]})") from None
    if not isinstance(fields, dict) and name != "modules.json":
        raise OptionError(f"--backbone {quoted(str(path))}: {name} is no JSON object")
    return fields


def count(config: dict[str, Any], name: str, called: str = "") -> int:
    """A number of things that the description gives. Raises ValueError, with what it is ``called`` there, where it does
    not.
    """
    value = config.get(name)
    if type(value) is not int or value < 1:
        raise ValueError(f"{CONFIG} does not say {called or name}")
    return value


def weights(path: Path) -> dict[str, Array]:
    """The weights by name; those of 32 bits stay in the file until they are used. Raises ValueError for too many."""
    file = path / WEIGHTS
    _check_size(file, MOST_WEIGHTS)
    return read_tensors(np.memmap(file, np.uint8, "r").data if file.stat().st_size else b"")


def content(file: Path) -> bytes:
    """All of a file. Raises ValueError for one that is larger than any network that is run."""
    _check_size(file, MOST_GRAPH)
    return file.read_bytes()


def _check_size(file: Path, most: int) -> None:
    if (size := file.stat().st_size) > most:
        raise ValueError(f"{file.name} has {size:,} bytes, more than the {most:,} of a network that is run")
