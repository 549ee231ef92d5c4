"""What one request may ask for, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """``head``: bytes of a request before its body, with at most so many ``headers``; ``head_seconds``: in which these
    have to come; ``idle_seconds``: after which a connection is closed on which nothing is asked. ``body``: bytes of a
    request, and ``bodies`` of all that are being read or answered; ``rows`` of a request, and ``figures``:
    probabilities of its answer; ``text``: letters of one text, or of an image in base64, and ``value`` of any other
    value; ``pixels`` of an image; ``seconds``: in which a body has to come; ``threads``: requests that take long and
    are worked on at once, and ``waiting`` for one of them; ``errors``: that a refusal names.

    How deep JSON is nested needs no limit here: msgspec stops at Python's, and no value of a row is nested.
    """

    head: int = 2**15  # four lines as long as Apache and nginx allow one
    headers: int = 100  # as Apache has it
    head_seconds: float = 10.0
    idle_seconds: float = 75.0  # longer than proxies keep a connection (nginx, load balancers: 60): theirs is the end
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
