"""Weights in a file of PyTorch, read without PyTorch: tensors of numbers and nothing else."""

from __future__ import annotations

import collections
import io
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np

from sortal.engine.program import Array

_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]


def read_weights(content: bytes) -> dict[str, Array]:
    """The tensors of a state dict, by name, of a file as PyTorch wrote it before version 1.6.

    Only what such a file needs is ever built, whatever it asks for: the file is to be a known one all the same. Raises
    ValueError for another.
    """
    file = io.BytesIO(content)
    try:
        _Reader(file).load(), _Reader(file).load(), _Reader(file).load()  # a mark, a version, and the machine
        tensors = _Reader(file).load()
        storages = {}
        for key, dtype in _order(_Reader(file).load(), tensors):
            count = int.from_bytes(file.read(8), "little")
            storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype=dtype)
        return {name: _tensor(rebuilt, storages) for name, rebuilt in tensors.items()}
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"no file of weights: {error}") from None


def _order(keys: list[str], tensors: dict[str, tuple[Any, ...]]) -> list[tuple[str, np.dtype[Any]]]:
    dtypes = {storage.key: storage.dtype for storage, *_ in tensors.values()}
    return [(key, dtypes[key]) for key in keys]


def _tensor(rebuilt: tuple[Any, ...], storages: dict[str, Array]) -> Array:
    storage, offset, size, stride, *_ = rebuilt
    flat = storages[storage.key][offset:]
    steps = tuple(step * storage.dtype.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(flat, size, steps, writeable=False).copy()


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *arguments: arguments
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, storage: Any) -> _Storage:
        _, dtype, key, *_ = storage
        return _Storage(key, dtype)
