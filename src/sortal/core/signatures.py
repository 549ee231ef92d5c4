"""Functions that take ``**options`` and show each of them: to the command line, to ``help()``, to an editor in a
notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field
from inspect import Parameter, signature
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def takes(options: Iterable[Parameter]) -> Callable[[Function], Function]:
    """Show ``options`` in the place of the function's ``**options``, before its other keywords.

    >>> @takes([Parameter("seed", Parameter.KEYWORD_ONLY, default=0)])
    ... def train(data: str, *, threads: int = 2, **options: int) -> None: ...
    >>> print(signature(train))
    (data: str, *, seed=0, threads: int = 2) -> None
    """
    own_parameters = tuple(options)

    def show(function: Function) -> Function:
        own = signature(function, eval_str=True)
        parameters = [p for p in own.parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
        first = sum(p.kind is not Parameter.KEYWORD_ONLY for p in parameters)
        parameters[first:first] = own_parameters
        function.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return function

    return show


def keyword(option: Field[Any], annotation: object, default: object = MISSING) -> Parameter:
    """A field of a sheet as a keyword argument; the default is as a person writes it, unless given."""
    default_text = option.metadata["written"] if default is MISSING else default
    return Parameter(option.name, Parameter.KEYWORD_ONLY, default=default_text, annotation=annotation)
