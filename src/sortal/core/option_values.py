"""An option as a person writes it (``"2m"``, one name or several, a mapping or its texts), read into the value that a
sheet holds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sortal.core.errors import InputError, OptionError
from sortal.core.plain import quoted
from sortal.core.schema import column_name
from sortal.core.sheets import option_types
from sortal.core.task import Capacity

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


PART_WORDS = {
    "train": ("train", "training", "fit"),
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing", "holdout"),
}
"""What people call the parts; a "dev" set of the field is one to validate on."""


def read_option(name: str, value: object) -> Any:
    """The value that a sheet holds. Raises OptionError where ``value`` has another type.

    >>> read_option("budget", "2m"), read_option("ignore", " id")
    (120.0, ('id',))
    """
    try:
        return msgspec.convert(_READERS.get(name, _item)(value), option_types()[name], strict=False)
    except InputError:
        raise
    except msgspec.ValidationError as error:
        message = str(error).lower().replace(" | null", "").replace("`", "")
        raise OptionError(f"{name} cannot be {quoted(value)}: {message}") from None
    except (TypeError, AttributeError, ValueError, RecursionError):
        raise OptionError(
            f"{name} cannot be {quoted(value)}: a {type(value).__name__} is not how it is written"
        ) from None


def parse_budget(budget: str | float) -> float:
    """Seconds of a budget such as ``"90s"``, ``"2m"``, ``"1h"`` or a plain number of seconds.

    >>> parse_budget("2m"), parse_budget(45)
    (120.0, 45.0)
    """
    text = str(budget).strip().lower()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text)
    if match is None or match[2] not in _UNITS:
        raise OptionError(f"--budget {budget} is not a time; write for example 60s, 2m or 1h")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds <= 0 or math.isinf(seconds):
        raise OptionError(f"--budget {budget} leaves no time to train; write for example 60s, 2m or 1h")
    return seconds


_LATENCIES = {"us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0}
_SIZES = {"b": 1, "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000, "": 1}


def parse_latency(latency: str | float) -> float:
    """Seconds of a time such as ``"2ms"``, ``"500us"`` or a plain number of seconds.

    >>> parse_latency("2ms"), parse_latency(0.5)
    (0.002, 0.5)
    """
    seconds = _quantity(latency, _LATENCIES)
    if seconds is None or seconds <= 0:
        raise OptionError(f"--max-latency {quoted(latency)} is no time for a row; write for example 2ms or 500us")
    return seconds


def parse_size(size: str | float) -> int:
    """Bytes of a size such as ``"5MB"``, ``"200kB"`` or a plain number of bytes.

    >>> parse_size("5MB"), parse_size(1200)
    (5000000, 1200)
    """
    most = _quantity(size, _SIZES)
    if most is None or most < 1:
        raise OptionError(f"--max-size {quoted(size)} is no size of a file; write for example 5MB or 200kB")
    return int(most)


def _quantity(option: str | float, units: Mapping[str, float]) -> float | None:
    """A number with a unit; None where it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?(?:e[-+]?\d+)?)\s*([a-zµμ]*)", str(option).strip().lower())
    if match is None or match[2] not in units:
        return None
    value = float(match[1]) * units[match[2]]
    return value if math.isfinite(value) else None


def parse_capacity(capacity: str | float, rows: int) -> Capacity:
    """How many of a batch can be decided positive: a number (500) or a share (``"5%"``, .05).

    >>> parse_capacity("5%", 1_000), parse_capacity(20, 1_000)
    (Capacity(share=0.05, count=None), Capacity(share=0.02, count=20))
    """
    text = str(capacity).strip()
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = math.nan
    if 0 < number < 1:
        return Capacity(number)
    if number >= 1 and number.is_integer() and not text.endswith("%"):
        return Capacity(min(1.0, number / rows), int(number))
    raise OptionError(f"capacity {text} is no number of rows and no share; give for example 500 or 5%")


def parse_names(value: str | Sequence[str]) -> tuple[str, ...]:
    """Names as a sequence, or in one text with commas between them.

    >>> parse_names("lightgbm, svm"), parse_names(["svm"])
    (('lightgbm', 'svm'), ('svm',))
    """
    names = value.split(",") if isinstance(value, str) else value
    return tuple(stripped for name in names if (stripped := name.strip()))


def parse_texts(value: str | Iterable[object]) -> tuple[str, ...]:
    """Texts: one, or several."""
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def parse_yes(value: str | bool) -> bool:
    """Yes or no.

    >>> parse_yes("no"), parse_yes(True)
    (False, True)
    """
    answers = {"yes": True, "no": False, "true": True, "false": False}
    if isinstance(value, bool):
        return value
    if str(value).strip().lower() not in answers:
        raise OptionError(f"embed_backbone {quoted(value)} is neither yes nor no")
    return answers[str(value).strip().lower()]


def parse_paths(value: str | Path | Iterable[str | Path]) -> tuple[str, ...]:
    """Paths: one, or several.

    >>> parse_paths(Path("net")), parse_paths(["net", "other"])
    (('net',), ('net', 'other'))
    """
    return tuple(map(str, [value] if isinstance(value, str | Path) else value))


def parse_columns(value: object) -> tuple[str, ...]:
    """Names of columns: one, or several.

    >>> parse_columns("a"), parse_columns(["a", 3])
    (('a',), ('a', '3'))
    """
    return tuple(map(column_name, [value] if isinstance(value, str) or not isinstance(value, Iterable) else value))


def parse_pairs(value: Mapping[str, object] | str | Iterable[str]) -> tuple[str, ...]:
    """``fn=COLUMN`` texts, from a mapping or as they are.

    >>> parse_pairs({"fn": "amount"}), parse_pairs("fn=amount")
    (('fn=amount',), ('fn=amount',))
    """
    if isinstance(value, Mapping):
        return tuple(f"{cell}={column_name(name)}" for cell, name in value.items())
    pairs = [text.partition("=") for text in ([value] if isinstance(value, str) else value)]
    return tuple(f"{cell}{equals}{column_name(name)}" for cell, equals, name in pairs)


def plain_cost(cost: object) -> Any:
    """Costs as a sheet holds them: text, or text to Python's numbers.

    >>> plain_cost({0: {1: 2.5}, 1: {0: 1}})
    {'0': {'1': 2.5}, '1': {'0': 1}}
    """
    if isinstance(cost, str | Path):
        return str(cost)
    if not isinstance(cost, Mapping):
        raise OptionError(f'cost is {quoted(cost)}; give for example {{"fp": 1, "fn": 8}}')
    return {
        str(name): {str(decided): _item(amount) for decided, amount in value.items()}
        if isinstance(value, Mapping)
        else _item(value)
        for name, value in cost.items()
    }


def parse_kinds(value: Mapping[Any, str] | str | Sequence[str]) -> dict[str, str]:
    """Kinds by column, from a mapping or from ``COLUMN=KIND`` texts; a kind may have a format.

    >>> parse_kinds(["zip=category", "day=datetime:%d/%m/%Y"])
    {'zip': 'category', 'day': 'datetime:%d/%m/%Y'}
    """
    if isinstance(value, Mapping):
        return {column_name(name): str(kind) for name, kind in value.items()}
    texts = [value] if isinstance(value, str) else value
    pairs = [text.rpartition("=") for text in texts]
    for text, (column, _, kind) in zip(texts, pairs, strict=True):
        if not column or not kind:
            raise OptionError(f"--kind {text} should read COLUMN=KIND, for example zip=category")
    return {column_name(column): kind for column, _, kind in pairs}


def _item(value: Any) -> Any:
    """A number of numpy's as one of Python's."""
    return value.item() if hasattr(value, "item") else value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("target", "time", "group", "weight", "split"), column_name),
    "positive": str,
    "cost": plain_cost,
    "cost_column": parse_pairs,
    "kind": parse_kinds,
    "missing": parse_texts,
    "ignore": parse_columns,
    "slice": parse_columns,
    "models": parse_names,
    "backbone": parse_paths,
    "embed_backbone": parse_yes,
    "budget": parse_budget,
    "max_latency": parse_latency,
    "max_size": parse_size,
}
"""How an option is read that a person may write in several ways."""
