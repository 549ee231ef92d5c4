"""Lines to rows: where a field ends when it is in quotes, and whether a quote was meant as one.

The rule is RFC 4180's. A field that begins with a quote ends with one, and quotes within it are doubled; it may hold
separators and newlines. In any other field a quote is a letter. What breaks the rule is an error that names the line,
never a guess, because a guess can swallow rows.

What keeps the rule can still be no quotation: two ditto marks, or ``"7`` here and ``7"`` ten lines below, read as one
field of eleven lines. ``in_doubt`` says when that is so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from typing import NamedTuple

from sortal.core.errors import DataError
from sortal.data.limits import LONGEST_LINE

NUMBERS = 0.9
"""The share of a column's values that look like numbers or dates, above which a word there says: this is no row."""

_NUMBER = re.compile(r"\W*\d[\d\W]*")


@dataclass(frozen=True, slots=True)
class Row:
    """``line`` is the number of the first of its ``lines`` in the file; ``quoted`` has the positions of the values in
    quotes.
    """

    line: int
    lines: Sequence[str]
    values: list[str]
    quoted: Sequence[int]

    @property
    def blank(self) -> bool:
        return len(self.values) == 1 and not self.quoted and not self.values[0].strip()


@cache
def _quoted(separator: str) -> re.Pattern[str]:
    """A field in quotes from its first quote to the separator, or to the end of the row."""
    return re.compile(rf' *+"((?:[^"]++|"")*+)" *+(?:({re.escape(separator)})|\r?\Z)')


_OPEN = re.compile(r' *+"')
_WITHIN = re.compile(r'(?:[^"]++|"")*+')
"""What stands in quotes, up to the one that closes them."""


class _MisquotedError(Exception):
    """A field in quotes goes on after the quote that closes it."""


class Fields(NamedTuple):
    """The values of a row, the positions of those in quotes, and the text of a last field whose quote is still open."""

    values: list[str]
    quoted: Sequence[int] = ()
    open: str | None = None


def split(text: str, separator: str, alone: bool = False) -> Fields:
    """The fields of a line. With ``alone`` it is taken as a row for itself: a quote that is not closed in it is a
    letter.
    """
    if '"' not in text:
        return Fields(text.removesuffix("\r").split(separator))
    values: list[str] = []
    quoted: list[int] = []
    at = 0
    while True:
        if match := _quoted(separator).match(text, at):
            quoted.append(len(values))
            values.append(match[1].replace('""', '"'))
            ends, after = match[2] is None, match.end()
        else:
            if not alone and (mark := _OPEN.match(text, at)):
                within = _WITHIN.match(text, mark.end())
                if within is None or within.end() < len(text):
                    raise _MisquotedError
                return Fields(values, quoted, within[0])
            end = text.find(separator, at)
            ends, after = end < 0, end + 1
            values.append(text[at:].removesuffix("\r") if ends else text[at:end])
        if ends:
            return Fields(values, quoted)
        at = after


def rows(lines: Iterable[str], separator: str, name: str, first_line: int = 1) -> Iterator[Row]:
    """The rows of a text, given line by line. Raises DataError where a quote is not closed, or not at the end of a
    field.

    >>> [row.values for row in rows(['a,"b', 'c"', '1,5" pipe'], ",", "t.csv")]
    [['a', 'b\\nc'], ['1', '5" pipe']]
    """
    source = iter(lines)
    number = first_line
    for line in source:
        source_lines = [line]
        try:
            fields = split(line, separator)
            if fields.open is not None:
                fields = _to_the_end(fields, source, source_lines, separator)
        except _MisquotedError:
            raise (_not_closed if len(source_lines) > 1 else _misquoted)(name, number) from None
        if fields.open is not None:
            raise _not_closed(name, number)
        yield Row(number, source_lines, fields.values, fields.quoted)
        number += len(source_lines)


def _to_the_end(fields: Fields, source: Iterator[str], source_lines: list[str], separator: str) -> Fields:
    """The fields of a row that goes on over the next lines, which are taken from ``source`` to ``held``."""
    values, quoted, last = list(fields.values), list(fields.quoted), fields.open
    while last is not None:
        texts, size = [last], 0
        for line in source:
            source_lines.append(line)
            within = line[: match.end()] if (match := _WITHIN.match(line)) else ""
            texts.append(within)
            size += len(line)
            if len(within) < len(line) or size > LONGEST_LINE:
                break
        else:
            return Fields(values, quoted, last)
        # The quote that closes the field is split off with the rest of the line, after an opening one.
        rest = split('"' + line[len(within) :], separator)
        if not rest.values:
            return Fields(values, quoted, last)
        quoted += [len(values) + position for position in rest.quoted]
        values += ["\n".join(texts).replace('""', '"'), *rest.values[1:]]
        last = rest.open
    return Fields(values, quoted)


def _not_closed(name: str, line: int) -> DataError:
    return DataError(f"{name}, line {line:,}: a quote is opened and never closed; remove or double it")


def _misquoted(name: str, line: int) -> DataError:
    return DataError(
        f"{name}, line {line:,}: a field goes on after the quote that closes it; double the quotes within a field in "
        "quotes"
    )


def doubtful(name: str, row: Row) -> DataError:
    """What to say of a row that is ``in_doubt``."""
    return DataError(
        f"{name}, line {row.line:,}: a quote is opened that is closed in line {row.line + len(row.lines) - 1:,}, but "
        "each line "
        "could be a row for itself; double the quotes if they are letters, or put all values of the column in quotes"
    )


@dataclass(frozen=True)
class Habits:
    """How a file is written, seen on rows of one line each. By column: whether it holds numbers (or dates), whether
    some value of it stands in quotes, and whether all do."""

    rows: int
    numbers: tuple[bool, ...]
    some_quoted: tuple[bool, ...]
    all_quoted: tuple[bool, ...]

    @classmethod
    def of(cls, lines: Iterable[str], separator: str, width: int, most: int = 2_000) -> Habits:
        """From the first rows of a file; those over several lines are left out, as they are what is in question."""
        sample: list[Row] = []
        with suppress(DataError):  # the rows before the damage tell enough
            for row in islice(rows(lines, separator, ""), most):
                sample += [row] if len(row.lines) == 1 and len(row.values) == width and not row.blank else []
        return cls(
            len(sample),
            tuple(_are_numbers([row.values[k] for row in sample]) for k in range(width)),
            tuple(any(k in row.quoted for row in sample) for k in range(width)),
            tuple(all(k in row.quoted for row in sample) for k in range(width)),
        )


def _are_numbers(values: Sequence[str]) -> bool:
    present = [value for text in values if (value := text.strip())]
    return bool(present) and sum(map(_is_number, present)) >= NUMBERS * len(present)


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def in_doubt(row: Row, separator: str, width: int, habits: Callable[[], Habits]) -> bool:
    """Whether quotes that are closed some lines below might be letters, so that the field swallows rows.

    Only where each line, its open quotes taken as letters, is a row of the right width. A text in which that is
    chance shows it: a word stands where the column holds numbers; or other values of the column are quoted as well.
    """
    if len(row.lines) == 1:
        return False
    alone: list[list[str]] = []
    for line in row.lines:
        if line in ("", "\r"):
            continue
        values = split(line, separator, alone=True).values
        if len(values) != width:
            return False
        alone.append(values)
    file_habits = habits()
    columns = [[value.strip().strip('"') for value in column] for column in zip(*alone, strict=True)]
    numbers = file_habits.numbers if file_habits.rows else tuple(map(_are_numbers, columns))
    if any(value and not _is_number(value) for k in range(width) if numbers[k] for value in columns[k]):
        return False
    over = [k for k in row.quoted if "\n" in row.values[k]]
    ditto = any(_is_ditto(row.values[k], separator) for k in over)
    if not file_habits.rows:
        return any(numbers) or ditto
    if all(file_habits.all_quoted[k] for k in over):
        return False
    return any(numbers) or not all(file_habits.some_quoted[k] for k in over) or ditto


def _is_ditto(value: str, separator: str) -> bool:
    """Whether both quotes around stand alone between separators, which says: the same as above."""
    edges = {value[0], value[-1]}
    return separator in edges and edges <= {separator, "\n"}


def lines_of(blocks: Iterable[bytes]) -> Iterator[str]:
    """The lines of a text in UTF-8, without their newlines."""
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield from map(partial(str, encoding="utf-8"), whole)
    if rest:
        yield str(rest, "utf-8")
