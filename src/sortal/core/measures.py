"""What is measured of texts and images, of which each is its own: so they are compared with those of training."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sortal.core import image_measures, text_measures
from sortal.core.kinds import kind_of

FIRST = (text_measures.CHARACTERS, image_measures.BRIGHTNESS)
"""The measure that also tells of missing values."""
_KINDS: Mapping[str, Mapping[str, str]] = {"text": text_measures.KINDS, "image": image_measures.KINDS}


def kinds_of(kind: str) -> Mapping[str, str]:
    """The measures of a kind of column by name, and what kind of column each would be; empty where it is compared
    itself.
    """
    return _KINDS.get(kind_of(kind).encoding, {})


def measure_values(kind: str, values: Any, usual: Collection[str]) -> Mapping[str, Any]:
    """By name, what is measured of each value. ``usual``: the words that were usual in training."""
    if kind_of(kind).encoding == "text":
        return text_measures.measures(values, usual)
    return image_measures.measures(values)
