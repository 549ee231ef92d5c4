"""How a command ends: one sentence for a person on the standard error, and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import typer

from sortal.core.errors import InputError, SortalError
from sortal.core.interrupt import ended_by
from sortal.core.plain import sentence, visible

INTERRUPTED = 130
"""As a shell says it of a program that Ctrl-C has ended."""
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Every mistake in the options; typer gives a public name only to this kind of it."""


def finish(run: Callable[[], Any], *, debug: bool, own_process: bool) -> None:
    """Run a command, which may return an exit code; returns where all is well, and ends the process else.

    ``debug``: a person wants to see the traceback, too. ``own_process``: signals are for the command alone.
    """
    # A scheduler that ends a run leaves no half of it either.
    signals = (signal.SIGINT, signal.SIGTERM) if own_process else ()
    try:
        with ended_by(*signals):
            code = run()
            sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort) as error:
        if isinstance(error.__cause__, EOFError):  # for typer that is a person who is done
            _end(_bug(error.__cause__), 1, debug)
        code = INTERRUPTED
    except UsageError as error:
        _end(_usage(error), 2, debug)
    except SortalError as error:
        _end(str(error), 2 if isinstance(error, InputError) else 1, debug)
    except MemoryError:
        _end("not enough memory; use fewer columns (--ignore) or fewer rows", 2, debug)
    except OSError as error:
        _discard_output()
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        where = f" ({error.filename})" if error.filename else ""
        _end(f"the system refused{where}: {error.strerror or error}", 2, debug)
    except Exception as error:  # noqa: BLE001 - the last door: a person sees a sentence, not a traceback
        _end(_bug(error), 1, debug)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what a library in Rust raises is no Exception
            raise
        _end(f"a bug of polars: {error}; --debug shows where", 1, debug)
    if code == INTERRUPTED:
        _end("interrupted; nothing was written", INTERRUPTED, debug, at_once=own_process)
    if code:
        sys.exit(code)


def say(*notes: str) -> None:
    """What a person has to know beside a result, a sentence each."""
    for note in notes:
        print("sortal:", sentence(note), file=sys.stderr)


def _usage(error: Exception) -> str:
    """What typer says of a mistake in the options, and where to read on."""
    context = getattr(error, "ctx", None)
    message = error.format_message().strip().rstrip(".")  # type: ignore[attr-defined]
    return f"{message[:1].lower()}{message[1:]}; see {context.command_path if context else 'sortal'} --help"


def _bug(error: BaseException) -> str:
    return f"a bug of sortal: {type(error).__name__}: {error}; --debug shows where"


def _discard_output() -> None:
    """What could not be written to the screen or the pipe is not tried again when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _end(message: str, code: int, debug: bool, at_once: bool = False) -> NoReturn:
    if debug:
        print("\n".join(map(visible, traceback.format_exc().splitlines())), file=sys.stderr)
    say(message)
    if at_once:  # Python cannot end in peace where an extension module was interrupted while it was imported
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
