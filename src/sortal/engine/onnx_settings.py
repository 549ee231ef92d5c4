"""The inputs and settings of an operator in an ONNX network, read with their type and range."""

from __future__ import annotations

from collections.abc import Sequence

from sortal.engine.onnx_file import Node

MOST_SETTING = 4_096
"""Of strides, kernels, paddings and dilations."""


def inputs_of(node: Node, least: int, most: int | None = None) -> tuple[str, ...]:
    """The names of its inputs. Raises ValueError where they are not as many as it takes."""
    if not least <= len(node.inputs) <= (least if most is None else most):
        raise ValueError(f"has {len(node.inputs)} inputs")
    return node.inputs


def only(node: Node, *names: str) -> None:
    """Raises ValueError for a setting of another name."""
    for name in node.attributes:
        if name not in names:
            raise ValueError(f"has a setting {name[:40]!r}, which is not run")


def whole(node: Node, name: str, default: int, choices: Sequence[int] | None = None) -> int:
    """A setting that is a whole number, and one of the ``choices``."""
    value = node.attributes.get(name, default)
    if not isinstance(value, int) or (choices is not None and value not in choices):
        raise ValueError(f"setting {name!r} is {value!r}")
    return value


def wholes(node: Node, name: str, default: tuple[int, ...], least: int) -> tuple[int, ...]:
    """A setting of as many whole numbers as its default has, none of them below the ``least``."""
    value = node.attributes.get(name, default)
    fits = isinstance(value, tuple) and len(value) == len(default)
    if not isinstance(value, tuple) or not fits or not all(least <= number <= MOST_SETTING for number in value):
        raise ValueError(f"setting {name!r} is {value!r}")
    return value


def fractions(node: Node, *names: str) -> None:
    """Raises ValueError where one of these settings is no number."""
    for name in names:
        if not isinstance(node.attributes.get(name, 0.0), float):
            raise ValueError(f"setting {name!r} is no number")
