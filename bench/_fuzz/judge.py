"""What sortal makes of a case, through the doors that a person uses: refused, right or a fault."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import numpy as np
import polars as pl
import typer

from bench._fuzz.guard import MEMORY, SECONDS, Peak, Screen, Timeout, Watch, noise, timed
from bench._fuzz.seeds import Seed
from sortal import cli, endings
from sortal.artifact.model import Model, load
from sortal.core.errors import InputError
from sortal.core.recipe import Recipe
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.data.problem import frame_problem
from sortal.data.read import batches, read

LONGEST = 2_000
"""Letters of a sentence for a person."""
UNSAFE = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
"""What a terminal, or who reads it, can be led astray by: controls, bidirectional overrides, separators, lone
surrogates."""
SCORED = 5
"""Rows that go in as Python objects."""


class Fault(Exception):  # noqa: N818 - the word of this package
    """What is neither a refusal nor right; the message is the class that it belongs to."""


@dataclass(frozen=True)
class Verdict:
    """``what`` says of a fault its class, of a refusal its sentence."""

    outcome: Literal["refused", "right", "fault"]
    what: str = ""
    detail: str = ""


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """A sentence that says no."""


@dataclass(frozen=True)
class Judge:
    """``watch``: over what a case does to the process. ``folder``: for files that come and go. ``nowhere``: a file
    number to write to.
    """

    watch: Watch
    folder: Path
    nowhere: int

    def verdict(self, try_case: Callable[[], None], seconds: float = SECONDS) -> Verdict:
        """Of one case, within its limits."""
        peak = Peak()
        try:
            with noise() as messages, timed(seconds):
                outcome = _outcome(try_case)
        except Timeout:
            return Verdict("fault", "timeout")
        if outcome.outcome != "fault" and (growth := peak.growth()) > MEMORY:
            return Verdict("fault", f"memory: {outcome.outcome}", f"{growth / 2**20:.0f} MiB")
        if outcome.outcome != "fault" and messages:
            return Verdict("fault", f"noise: {re.sub(r'[0-9]+', '#', messages[0])}"[:120], "; ".join(messages)[:400])
        return outcome

    def model(self, path: Path, seed: Seed, whole: bool = True) -> None:
        """A model file: loaded, shown, used on rows; evaluated and used on files where the ``whole`` of it is wanted.

        Raises Refused, Fault, or whatever went wrong.
        """
        with self._unharmed("load"):
            loaded = _answer(lambda: load(path))
        if isinstance(loaded, InputError):
            if whole:
                self._command("show", path)
                raise Fault("show takes what load refuses")
            raise Refused(str(loaded))
        self._command("show", path)
        text = repr(loaded)
        _check_screen("repr", text)
        self._score(loaded, _rows(seed.rows))
        if not whole:
            return
        self._command("show", path, "--json")
        for arguments in (
            ("evaluate", path, seed.rows),
            ("predict", path, seed.rows, "-o", self._fresh("scored.parquet")),
        ):
            with _may_refuse():
                self._command(*arguments)

    def table(self, path: Path, seed: Seed) -> None:
        """A data file: read at once and in batches, framed for training, scored and compared with a promise."""
        with self._unharmed("read"):
            source = _answer(lambda: read(path))
        if isinstance(source, InputError):
            self._command("evaluate", seed.model, path)
            raise Fault("evaluate takes what read refuses")
        frame = source.frame
        rows = sum(batch.height for batch in batches(path))
        if rows != frame.height:
            raise Fault(f"rows lost: {frame.height} at once, {rows} in batches")
        with _may_refuse():
            _allowed(lambda: frame_problem(path, GoalOptions("y"), RowOptions()))
        with _may_refuse():
            self._command("evaluate", seed.model, path)
        scored = self._fresh("scored.parquet")
        self._command("predict", seed.model, path, "-o", scored)
        scores = pl.read_parquet(scored)
        if scores.height != rows:
            raise Fault("rows lost by predict")
        names = [name for name in scores.columns if name.startswith("probability_") and name not in frame.columns]
        _check_probabilities(scores[names].to_numpy(), len(names))

    def recipe(self, path: Path, seed: Seed, frame: pl.DataFrame, use: Callable[[Recipe], None]) -> None:
        """A recipe: read, and used for training where nothing forbids it."""
        with self._unharmed("read"):
            recipe = _answer(lambda: Recipe.read(path))
        if isinstance(recipe, InputError):
            self._command("train", seed.rows, "--recipe", path)
            raise Fault("train takes what Recipe refuses")
        _allowed(lambda: frame_problem(frame, recipe.goal, recipe.rows))
        _allowed(lambda: use(recipe))

    def options(self, options: dict[str, Any], frame: pl.DataFrame, use: Callable[[Recipe], None]) -> None:
        """The same from Python."""
        recipe = _allowed(lambda: Recipe.from_options(options))
        _allowed(lambda: frame_problem(frame, recipe.goal, recipe.rows))
        _allowed(lambda: use(recipe))

    def _score(self, model: Model, rows: pl.DataFrame) -> None:
        """All rows as a table and a few as objects."""
        k = len(model.classes_)
        probability = _allowed(lambda: model.predict_proba(rows))
        _check_probabilities(probability, k)
        few = rows.head(SCORED).to_dicts()
        for door in (model.predict, model.decide, model.odd_values):
            with _may_refuse():
                if len(_allowed(lambda door=door: door(few))) != len(few):  # type: ignore[misc]
                    raise Fault(f"{door.__name__} loses rows")
        with _may_refuse():
            _allowed(lambda: model.decide(rows))
        _allowed(lambda: model.compare(rows))
        if model.sets is not None and model.predict_set(rows).shape != (len(rows), k):
            raise Fault("sets of another shape")

    def _fresh(self, name: str) -> Path:
        path = self.folder / name
        path.unlink(missing_ok=True)
        return path

    def _command(self, *arguments: object) -> Screen:
        """A command as a person runs it. Raises Refused with its sentence."""
        out, err = Screen(self.nowhere), Screen(self.nowhere)
        errors: list[BaseException] = []
        code: object = 0
        # Building the commands anew each time would take longer than what they do.
        with redirect_stdout(out), redirect_stderr(err), _errors_kept(errors), patch.object(cli, "app", _commands()):
            try:
                cli.main([str(argument) for argument in arguments])
            except SystemExit as end:
                code = end.code
        _check_screen(f"{arguments[0]}: stdout", "" if "--json" in arguments else out.text())
        _check_screen(f"{arguments[0]}: stderr", err.text())
        if code == 0:
            return out
        if code == 2 and errors and isinstance(errors[0], InputError):
            _check_sentence(str(errors[0]))
            raise Refused(str(errors[0]))
        raise errors[0] if errors else Fault(f"exit code {code}: {err.text()[:200]}")

    @contextmanager
    def _unharmed(self, what: str) -> Iterator[None]:
        try:
            with self.watch.looking() as events:
                yield
        finally:
            if events:
                raise Fault(f"{what} did: {events[0]}")


@cache
def _rows(path: Path) -> pl.DataFrame:
    return read(path).frame


@cache
def _commands() -> Any:
    return typer.main.get_command(cli.app)


@contextmanager
def _errors_kept(errors: list[BaseException]) -> Iterator[None]:
    """The error behind a sentence of the command line."""
    import sys

    end = endings._end

    def keep(*arguments: Any) -> Any:
        error = sys.exc_info()[1]
        errors.extend([error] if error is not None else [])
        return end(*arguments)

    endings._end = keep  # type: ignore[assignment]
    try:
        yield
    finally:
        endings._end = end


@contextmanager
def _may_refuse() -> Iterator[None]:
    with suppress(Refused):
        yield


def _answer(call: Callable[[], Any]) -> Any:
    """What a call gives, or the error by which it says no."""
    try:
        return call()
    except InputError as error:
        _check_sentence(str(error))
        return error


def _allowed(call: Callable[[], Any]) -> Any:
    """What a call gives. Raises Refused where it says no in a sentence."""
    try:
        return call()
    except InputError as error:
        _check_sentence(str(error))
        raise Refused(str(error)) from None


def _outcome(try_case: Callable[[], None]) -> Verdict:
    try:
        try_case()
    except Refused as error:
        return Verdict("refused", str(error))
    except Fault as error:
        return Verdict("fault", str(error))
    except Timeout as error:
        return Verdict("fault", f"timeout at {_place(error)}")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a panic of a library in Rust is no Exception
        return Verdict("fault", f"{type(error).__name__} at {_place(error)}", str(error)[:300])
    return Verdict("right")


def _place(error: BaseException) -> str:
    """The innermost line of sortal that an error came through."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/sortal/" in f.filename]
    if not frames:
        frames = traceback.extract_tb(error.__traceback__)[-1:]
    last = frames[-1]
    return f"{last.filename.rpartition('/sortal/')[2]}:{last.lineno} {last.name}"


def _check_screen(where: str, text: str) -> None:
    if (unsafe := UNSAFE.search(text)) is not None:
        raise Fault(f"{where}: U+{ord(unsafe[0]):04X} reaches the terminal")


def _check_sentence(text: str) -> None:
    if "\n" in text or UNSAFE.search(text):
        raise Fault("a sentence of several lines or with control characters")
    if len(text) > LONGEST:
        raise Fault("a sentence without end")
    if not text.strip():
        raise Fault("an empty sentence")


def _check_probabilities(probability: np.ndarray, classes: int) -> None:
    if probability.ndim != 2 or probability.shape[1] != classes:
        raise Fault(f"probabilities of {probability.ndim} dimensions or of other classes")
    if (
        not np.isfinite(probability).all()
        or (probability < 0).any()
        or (np.abs(probability.sum(axis=1) - 1) > 1e-6).any()
    ):
        raise Fault("numbers that are no probabilities")
