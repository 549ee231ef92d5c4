"""What goes wrong in polars behind the one door is an error, and nothing else of the standard error is lost."""

from __future__ import annotations

import os
import threading

import polars as pl
import pytest

from sortal.data import untrusted as module
from sortal.data.untrusted import quiet, untrusted

PANIC = b"\nthread 'polars-0' panicked at somewhere:\n"


def stderr_of(capfd: pytest.CaptureFixture[str]) -> str:
    return capfd.readouterr().err


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (b"", ""),
        (b"a word\n", "a word\n"),
        (PANIC + b"and more", ""),
        (b"before" + PANIC + b"between" + PANIC, "before"),
        (b"a thread 'of' words", "a thread 'of' words"),
        (b"x" * 200_000, "x" * 200_000),
    ],
)
def test_all_but_a_panic_is_shown_at_the_end(output: bytes, expected: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = descriptors()
    for _ in range(2):
        with quiet():
            at = 0
            while at < len(output):
                at += os.write(2, output[at:])
            assert stderr_of(capfd) == ""
        assert stderr_of(capfd) == expected
    assert descriptors() == before


def test_blocks_within_each_other_are_shown_when_the_last_ends(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        os.write(2, b"one ")
        with quiet():
            os.write(2, b"two ")
        os.write(2, b"three")
        assert stderr_of(capfd) == ""
    assert stderr_of(capfd) == "one two three"
    os.write(2, b"four")
    assert stderr_of(capfd) == "four"


def test_so_are_those_of_other_threads(capfd: pytest.CaptureFixture[str]) -> None:
    start, end = threading.Event(), threading.Event()

    def other() -> None:
        with quiet():
            start.set()
            end.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    start.wait(10)
    with quiet():
        os.write(2, b"said")
    assert stderr_of(capfd) == ""
    end.set()
    thread.join()
    assert stderr_of(capfd) == "said"


def test_an_error_in_a_block_ends_it(capfd: pytest.CaptureFixture[str]) -> None:
    for block in (quiet, untrusted):
        with pytest.raises(ZeroDivisionError), block():
            os.write(2, b"said") / 0
        assert stderr_of(capfd) == "said"


@pytest.mark.parametrize(("text", "message"), [("out of range", "out of range"), ("", "polars gave up")])
def test_a_panic_becomes_an_error(text: str, message: str) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match=f"^{message}$") as excinfo, untrusted():
        raise pl.exceptions.PanicException(text)
    assert excinfo.value.__cause__ is None
    assert excinfo.value.__suppress_context__


def test_where_nothing_can_be_withheld_it_is_shown(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def no_room() -> int:
        raise OSError

    before = descriptors()
    monkeypatch.setattr(module, "_nameless_file", no_room)
    with quiet():
        os.write(2, b"said")
        assert stderr_of(capfd) == "said"
    monkeypatch.undo()
    assert descriptors() == before
    with quiet():
        os.write(2, b"again")
        assert stderr_of(capfd) == ""
    assert stderr_of(capfd) == "again"


def test_a_system_without_files_in_memory_has_others(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with quiet():
        os.write(2, b"said")
        assert stderr_of(capfd) == ""
    assert stderr_of(capfd) == "said"
