"""What only the operator of a service may ask: another model, and the former one back. Never without a token."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64decode
from collections.abc import Callable

from sortal.core.errors import ArtifactError, OutputError
from sortal.serve.http import HttpError, Request, Response
from sortal.serve.service import Service, Timing
from sortal.serve.swap import ModelFiles, NothingBeforeError, Swap, Swapped

LOGGER = logging.getLogger("sortal.serve")
SIGNATURE = "sortal-signature"
"""The header that holds the content of a signature file, in base64."""


async def replace(service: Service, request: Request, timing: Timing) -> Response:
    """``POST /v1/admin/model``"""
    swap = _swap(service)
    try:
        signature = b64decode(request.headers[SIGNATURE], validate=True) if SIGNATURE in request.headers else None
    except ValueError:
        raise HttpError(400, "The signature cannot be read", f"{SIGNATURE}: the .sig file in base64") from None
    files = ModelFiles(request.body, signature)
    return await _swap_response(lambda: swap.install(files))


async def roll_back(service: Service, request: Request, timing: Timing) -> Response:
    """``POST /v1/admin/rollback``"""
    return await _swap_response(_swap(service).roll_back)


def _swap(service: Service) -> Swap:
    if service.token is None:
        raise HttpError(403, "Models are swapped only where a token is needed", "Start the service with --token-file")
    if service.swap is None:
        raise HttpError(409, "This service has no model file that could be replaced")
    return service.swap


async def _swap_response(change: Callable[[], Swapped]) -> Response:
    """In a thread, as a model is audited, checked and proven first, while requests are answered."""
    try:
        return Response.json(await asyncio.to_thread(change))
    except ArtifactError as error:
        raise HttpError(422, "The model is not used", str(error)) from None
    except NothingBeforeError as error:
        raise HttpError(409, "There is no former model", str(error)) from None
    except (OutputError, OSError) as error:  # which may name folders
        LOGGER.error("the model file cannot be replaced", extra={"fields": {"why": str(error)}})
        raise HttpError(409, "The model file cannot be replaced", "The log of the service says why") from None
