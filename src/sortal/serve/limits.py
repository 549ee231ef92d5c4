"""What one request may ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """``body``: bytes of a request; ``rows`` of it; ``text``: letters of one value, base64 of images included;
    ``depth``: how deep JSON may be nested; ``seconds``: in which a body has to come.
    """

    body: int = 16 * 2**20
    rows: int = 10_000
    text: int = 12 * 2**20
    depth: int = 8
    seconds: float = 10.0
