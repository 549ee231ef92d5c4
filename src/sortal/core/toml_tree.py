"""TOML from anybody: refused where it is none, is nested deep, or would take long to read."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from sortal.core.errors import OptionError
from sortal.core.plain import quoted

DEEPEST = 8
"""Tables and lists within each other; the plan of a recipe has four."""
_STRING = re.compile(r"""\"(?:[^"\\\n]++|\\.)*+\"?|'[^'\n]*+'?""")
"""Also one that does not end in its line: from each quote on it would be looked for again."""
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"")[ \t]*+\.[ \t]*+){64,}""")
"""A dotted key of very many parts, which Python's reader takes time for that grows with the square of them."""


def toml_tree(text: str, name: str) -> dict[str, Any]:
    """The tables of a TOML text; ``name`` is what messages call it. Raises OptionError, which names the key or the
    line.
    """
    what = f"{name} is not a recipe of sortal"
    if (long := _LONG_KEY.search(_STRING.sub('""', text))) is not None:
        raise OptionError(f"{what}: the key {quoted(long[0])} has very many parts")
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"{what}: {error}") from error
    except RecursionError:
        deep = max(text.splitlines(), key=lambda line: line.count("[") + line.count("{"))
        raise OptionError(f"{what}: {quoted(_key_of(deep))} is nested very deep") from None
    except ValueError:
        # Python reads no number of more than 4,300 digits.
        line = max(text.splitlines(), key=lambda line: sum(map(str.isdigit, line)))
        raise OptionError(f"{what}: {quoted(_key_of(line))} is a number of very many digits") from None
    for key, value in tree.items():
        if _depth(value) > DEEPEST:
            raise OptionError(f"{what}: {quoted(key)} is nested deeper than {DEEPEST} levels")
    return tree


def _key_of(line: str) -> str:
    return line.partition("=")[0].strip()


def _depth(value: Any) -> int:
    """How many tables and lists are within each other."""
    depth, level = 0, [value]
    while depth <= DEEPEST and any(isinstance(item, dict | list) for item in level):
        depth += 1
        inner = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)]
        level = [value for values in inner for value in values]
    return depth
