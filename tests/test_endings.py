"""What a person sees when a command ends, whatever it ends by."""

from __future__ import annotations

import pytest
import typer

from sortal.core.errors import DataError
from sortal.endings import INTERRUPTED, finish


def raising(error: BaseException, cause: BaseException | None = None) -> int:
    raise error from cause


@pytest.mark.parametrize(
    ("error", "cause", "code", "message"),
    [
        (typer.Abort(), KeyboardInterrupt(), INTERRUPTED, "sortal: interrupted; nothing was written\n"),
        (KeyboardInterrupt(), None, INTERRUPTED, "sortal: interrupted; nothing was written\n"),
        (
            typer.Abort(),
            EOFError("marshal data too short"),
            1,
            "sortal: a bug of sortal: EOFError: marshal data too short; --debug shows where\n",
        ),
        (
            ZeroDivisionError("0 / 0"),
            None,
            1,
            "sortal: a bug of sortal: ZeroDivisionError: 0 / 0; --debug shows where\n",
        ),
        (DataError("the table has no rows"), None, 2, "sortal: the table has no rows\n"),
    ],
)
def test_it_ends_with_a_sentence_and_a_code(error, cause, code, message, capsys) -> None:
    with pytest.raises(SystemExit) as ending:
        finish(lambda: raising(error, cause), debug=False, own_process=False)
    assert ending.value.code == code
    assert capsys.readouterr().err == message
