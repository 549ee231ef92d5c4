"""What one request may ask for, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """``body``: bytes of a request, and ``bodies`` of all that are being read or answered; ``rows`` of a request, and
    ``figures``: probabilities of its answer; ``text``: letters of one text, or of an image in base64, and ``value`` of
    any other value; ``pixels`` of an image; ``seconds``: in which a body has to come; ``threads``: requests that take
    long and are worked on at once, and ``waiting`` for one of them; ``errors``: that a refusal names.

    How deep JSON is nested needs no limit here: msgspec stops at Python's, and no value of a row is nested.
    """

    body: int = 16 * 2**20
    bodies: int = 64 * 2**20
    rows: int = 10_000
    figures: int = 1_000_000
    text: int = 12 * 2**20
    value: int = 4_096
    pixels: int = 50_000_000
    seconds: float = 10.0
    threads: int = 2
    waiting: int = 64
    errors: int = 50
