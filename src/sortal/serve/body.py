"""Bodies of JSON, read strictly: what another reader would read otherwise is refused."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from sortal.serve.http import HttpError

T = TypeVar("T")


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """The value that a body holds, of the type of the decoder. Raises HttpError for another, and for no JSON at all.

    NaN, infinities, numbers beyond a float, halves of characters and bytes that are no UTF-8 are no JSON.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise HttpError(422, "The body is not what is expected", _detail(error), code="invalid-body") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise HttpError(400, "The body is no JSON", _detail(error), code="malformed-json") from None


def _detail(error: Exception) -> str:
    """What msgspec says, which names places and types, never values; nothing of other errors."""
    if isinstance(error, RecursionError):
        return "It is nested too deep"
    return str(error) if isinstance(error, msgspec.MsgspecError) else "It is no UTF-8, or holds a number without end"


def refuse_repeated_names(body: bytes, names: int) -> None:
    """Raises HttpError where an object of the body has a name twice, of which readers take the first, the last or none.

    ``names``: how many names the objects hold that were read from it. Every name has a colon, and all other colons
    stand in texts: with as many colons as names there is none twice. Else the body is read once more.
    """
    if body.count(b":") == names:
        return
    try:
        json.loads(body, object_pairs_hook=_once)
    except _RepeatedError:
        raise HttpError(
            400, "The body names a field twice", "An object has every name once", code="repeated-name"
        ) from None
    except (ValueError, RecursionError) as error:  # msgspec has read it: what else may be wrong is for Python's reader
        raise HttpError(400, "The body is no JSON", code="malformed-json") from error


class _RepeatedError(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _RepeatedError
    return fields
