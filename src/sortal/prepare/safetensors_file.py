"""Weights in a file of safetensors (https://github.com/huggingface/safetensors): a header of JSON, then plain numbers.

There is no code in such a file, and none is needed to read it.
"""

from __future__ import annotations

from math import prod

import msgspec
import numpy as np

from sortal.engine.program import Array

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
"""Bytes of a number, by the names that a file has for fractions."""
MOST_HEADER = 2**25
"""Bytes: a third of what the library for this format reads."""


class _Tensor(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


_HEADER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TENSOR = msgspec.json.Decoder(_Tensor)


def read_tensors(content: bytes | memoryview) -> dict[str, Array]:
    """The tensors of fractions by name, in 32 bits; whole numbers, which count or enumerate, are passed over. Tensors
    of 32 bits stay where they are in ``content``.

    Raises ValueError, in a few words, for what is no such file.
    """
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(len(content) - 8, MOST_HEADER):
        raise ValueError("is no file of safetensors")
    try:
        header = _HEADER.decode(content[8 : 8 + length])
        header.pop("__metadata__", None)
        tensors = {name: _TENSOR.decode(entry) for name, entry in header.items()}
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise ValueError("is no file of safetensors: its header does not fit") from None
    numbers = memoryview(content)[8 + length :]
    return {name: _array(name, tensor, numbers) for name, tensor in tensors.items() if tensor.dtype in SIZES}


def _array(name: str, tensor: _Tensor, numbers: memoryview) -> Array:
    start, stop = tensor.data_offsets
    if min(tensor.shape, default=0) < 0 or not 0 <= start <= stop <= len(numbers):
        raise ValueError(f"has a tensor {name[:80]!r} that is not in it")
    if stop - start != prod(tensor.shape) * SIZES[tensor.dtype]:
        raise ValueError(f"has a tensor {name[:80]!r} whose shape does not fit its bytes")
    raw = numbers[start:stop]
    if tensor.dtype == "BF16":  # the upper half of a number of 32 bits
        whole = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        whole = np.frombuffer(raw, f"<f{SIZES[tensor.dtype]}").astype(np.float32, copy=False)
    return whole.reshape(tensor.shape)
