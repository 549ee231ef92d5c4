"""Ways to spoil values as JSON and TOML know them."""

from __future__ import annotations

import copy
import re
from random import Random
from typing import Any

PAYLOADS = (
    *("\x1b[2J\x1b[31mred", "\x9b31mred", "\x1b]0;title\x07", "\u202egpj.exe", "\u2066a\u2069", "two\nlines", "a\rb"),
    *("\x00", "\x7f", "\x85", "\u2028", "\ud800", "\udfff.csv", "\u200b", "\ufeff"),
)
"""Texts that must not reach a terminal as they are."""
WRITABLE = tuple(text for text in PAYLOADS if not re.search("[\ud800-\udfff]", text))
"""Those that UTF-8 has bytes for."""
TEXTS = ("", " ", "x", "yes", "no", "nan", "inf", "1e999", "../../etc/passwd", "%s%n", "[bold]x[/bold]", "x" * 100_000)
NUMBERS = (
    *(0, 1, -1, 2, 3, 255, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 10**400),
    *(0.0, -0.0, 0.5, 1.0, 1.5, -1e-9, 1e-320, 1e308, -1e308, float("nan"), float("inf"), float("-inf")),
)
MANY = (20, 300, 5_000)
DEEP = 3_000


def odd(rng: Random, *, null: bool = True) -> Any:
    """A value that nobody expected."""
    match rng.randrange(10):
        case 0 | 1 | 2:
            return rng.choice(NUMBERS)
        case 3 | 4:
            return rng.choice(TEXTS)
        case 5 | 6:
            return rng.choice(PAYLOADS)
        case 7:
            return rng.choice([True, False, [], {}, None if null else 0])
        case 8:
            return rng.choice([[[]], {"": {}}, [0] * rng.choice(MANY), {str(i): i for i in range(rng.choice(MANY))}])
        case _:
            return rng.choice([["x", "x"], [1, "x"], {"x": 1}, {"x": [1]}])


def spoiled(rng: Random, tree: Any, *, null: bool = True) -> Any:
    """A copy with one change, anywhere. ``null``: whether there may be nulls."""
    root = [copy.deepcopy(tree)]
    holder, key = _place(rng, root)
    value = holder[key]
    match rng.randrange(12):
        case 0 | 1:
            holder[key] = odd(rng, null=null)
        case 2 | 3 | 4 | 5:
            holder[key] = _near(rng, value, null)
        case 6 if holder is not root:
            del holder[key]
        case 7:
            other, at = _place(rng, root)
            holder[key] = copy.deepcopy(other[at])
        case 8 if isinstance(holder, dict):
            holder[str(odd(rng)) if rng.random() < 0.5 else f"{key}_"] = (
                holder.pop(key) if rng.random() < 0.5 else value
            )
        case 9:
            holder[key] = rng.choice([[value], {"x": value}, [value, value]])
        case 10 if isinstance(holder, list) and holder is not root:
            rng.shuffle(holder)
        case _ if isinstance(value, list) and value:
            holder[key] = value * rng.choice([2, 3, *MANY][: 3 if len(value) > 50 else 5])
        case _:
            holder[key] = odd(rng, null=null)
    return root[0]


def _place(rng: Random, root: list[Any]) -> tuple[Any, Any]:
    """A container and a key in it."""
    holder, key = root, 0
    while isinstance(holder[key], dict | list) and holder[key]:
        inner = holder[key]
        if rng.random() < 0.15:
            break
        holder, key = inner, rng.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
    return holder, key


def _near(rng: Random, value: Any, null: bool) -> Any:
    """A value like this one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice(
            [
                value + 1,
                value - 1,
                -value,
                value * 2,
                float(value) if abs(value) < 10**300 else value,
                rng.choice(NUMBERS),
            ]
        )
    if isinstance(value, float):
        return rng.choice(
            [value + 1, -value, value * rng.uniform(0, 3), value + rng.gauss(0, 1), 1 - value, rng.choice(NUMBERS)]
        )
    if isinstance(value, str):
        text = rng.choice(PAYLOADS + TEXTS)
        return rng.choice([value + text, text + value, value[:-1], value.upper(), value * 2, text, text])
    if isinstance(value, list) and value:
        return rng.choice([value[:-1], value[1:], value[::-1], [*value, value[0]], value[:1]])
    return odd(rng, null=null)
