"""Networks that stand beside a model file and not in it (``--embed-backbone no``), so that many models share one.

The model names a network by the SHA-256 of its bytes, and gets no other one. It is looked for in the folder of the
model file, and in those that ``SORTAL_NETWORKS`` names.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path

from sortal.core.errors import ArtifactError
from sortal.data.whole import replacing
from sortal.engine.onnx import MOST_GRAPH

FOLDERS = "SORTAL_NETWORKS"
"""The variable that names folders, parted as those of PATH."""
REFERENCE = re.compile(r"networks/([0-9a-f]{64})")
"""What stands for such a network where else the name of a member stands."""


def put(content: bytes, folder: Path) -> str:
    """Write a network beside a model file, unless it is there already. What names it in the model file.

    Raises OutputError where it cannot be written.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    path = folder / file_name(sha256)
    if not (path.is_file() and path.stat().st_size == len(content) and _sha256(path) == sha256):
        with replacing(path) as aside:
            aside.write_bytes(content)
    return f"networks/{sha256}"


def find(reference: str, model_file: Path) -> bytes:
    """The network that a model file names. Raises ArtifactError, with what to do, where it is not there or another."""
    sha256 = reference.rpartition("/")[2]
    name, file = file_name(sha256), model_file.name
    others = [Path(folder) for folder in os.environ.get(FOLDERS, "").split(os.pathsep) if folder]
    path = next((folder / name for folder in (model_file.parent, *others) if (folder / name).is_file()), None)
    if path is None:
        raise ArtifactError(
            f"{file} needs the network {name}, which is not beside it, and in no folder that {FOLDERS} names; copy it "
            "from where the model was trained"
        )
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MOST_GRAPH else b""
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ArtifactError(f"{file} needs the network {str(path)!r}, which cannot be read: {reason}") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactError(
            f"{file} needs the network {name}, and {str(path)!r} was changed: it has another SHA-256; copy it anew"
        )
    return content


def look_in(folder: Path) -> None:
    """Find networks in this folder, too, from now on in this process: for copies of a model file that lie elsewhere."""
    os.environ[FOLDERS] = os.pathsep.join([*filter(None, [os.environ.get(FOLDERS)]), str(folder.resolve())])


def copy_beside(model_file: Path, folder: Path) -> None:
    """Copy the networks that lie beside a model file to the folder of a copy of it, unless they are there already."""
    for network in model_file.parent.glob(file_name("*")):
        if not (folder / network.name).is_file():
            with replacing(folder / network.name) as aside:
                shutil.copyfile(network, aside)


def file_name(sha256: str) -> str:
    """Of the file that holds the network."""
    return f"network-{sha256[:16]}.onnx"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
