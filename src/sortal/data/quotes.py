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
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from typing import NamedTuple

from sortal.core.errors import DataError

LONGEST_ROW = 1 << 24
"""A row of more characters than this has a quote that is no quotation mark, or is never closed."""

NUMBERS = 0.9
"""The share of a column's values that look like numbers or dates, above which a word there says: this is no row."""

_NUMBER = re.compile(r"\W*\d[\d\W]*")


class Field(NamedTuple):
    """A value, and whether it stood in quotes."""

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Row:
    """``line`` is the number of the first of its ``lines`` in the file."""

    line: int
    lines: tuple[str, ...]
    fields: list[Field]

    @property
    def values(self) -> list[str]:
        return [field.text for field in self.fields]

    @property
    def blank(self) -> bool:
        return len(self.fields) == 1 and not self.fields[0].quoted and not self.fields[0].text.strip()


@cache
def _quoted(separator: str) -> re.Pattern[str]:
    """A field in quotes from its first quote to the separator, or to the end of the row."""
    return re.compile(rf' *+"((?:[^"]++|"")*+)" *+(?:({re.escape(separator)})|\r?\Z)')


_OPEN = re.compile(r' *+"(?:[^"]++|"")*+')


class _MisquotedError(Exception):
    """A field in quotes goes on after the quote that closes it."""


def split(text: str, separator: str, alone: bool = False) -> list[Field] | None:
    """The fields of a row, or None where a quote is still open at its end.

    With ``alone``, the text is taken as a row for itself: a quote that is not closed in it is a letter.
    """
    if '"' not in text:
        return [Field(value, False) for value in text.removesuffix("\r").split(separator)]
    fields, at = [], 0
    while True:
        if match := _quoted(separator).match(text, at):
            fields.append(Field(match[1].replace('""', '"'), True))
            ends, after = match[2] is None, match.end()
        else:
            if not alone and (begun := _OPEN.match(text, at)):
                if begun.end() == len(text):
                    return None
                raise _MisquotedError
            end = text.find(separator, at)
            ends, after = end < 0, end + 1
            fields.append(Field(text[at:].removesuffix("\r") if ends else text[at:end], False))
        if ends:
            return fields
        at = after


def rows(lines: Iterable[str], separator: str, name: str, first_line: int = 1) -> Iterator[Row]:
    """The rows of a text, given line by line. Raises DataError where a quote is not closed, or not at the end of a field.

    >>> [row.values for row in rows(['a,"b', 'c"', '1,5" pipe'], ",", "t.csv")]
    [['a', 'b\\nc'], ['1', '5" pipe']]
    """
    source = iter(lines)
    number = first_line
    for first in source:
        held, size = [first], len(first)
        try:
            fields = split(first, separator)
            while fields is None:
                line = next(source, None)
                if line is None or size > LONGEST_ROW:
                    raise _not_closed(name, number)
                held.append(line)
                size += len(line)
                # An even number of quotes leaves an open one open, or breaks the rule, which the end of the row shows.
                fields = split("\n".join(held), separator) if line.count('"') % 2 else None
        except _MisquotedError:
            raise (_not_closed if len(held) > 1 else _misquoted)(name, number) from None
        yield Row(number, tuple(held), fields)
        number += len(held)


def _not_closed(name: str, line: int) -> DataError:
    return DataError(f"{name}, line {line:,}: a quote is opened and never closed; remove or double it")


def _misquoted(name: str, line: int) -> DataError:
    return DataError(
        f"{name}, line {line:,}: a field goes on after the quote that closes it; double the quotes within a field in quotes"
    )


def doubtful(name: str, row: Row) -> DataError:
    """What to say of a row that is ``in_doubt``."""
    return DataError(
        f"{name}, line {row.line:,}: a quote is opened that is closed in line {row.line + len(row.lines) - 1:,}, but each line "
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
    def of(cls, lines: Iterable[str], separator: str, width: int, most: int = 10_000) -> Habits:
        """From the first lines of a file; rows over several lines are left out, as they are what is in question."""
        seen = list(islice(_plain_rows(lines, separator, width), most))
        columns = list(zip(*seen, strict=True)) or [()] * width
        return cls(
            len(seen),
            tuple(_are_numbers([field.text for field in column]) for column in columns),
            tuple(any(field.quoted for field in column) for column in columns),
            tuple(all(field.quoted for field in column) for column in columns),
        )


def _plain_rows(lines: Iterable[str], separator: str, width: int) -> Iterator[list[Field]]:
    try:
        for row in rows(lines, separator, ""):
            if len(row.lines) == 1 and len(row.fields) == width and not row.blank:
                yield row.fields
    except DataError:
        return  # the rows before the damage tell enough


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
    alone = [split(line, separator, alone=True) or [] for line in row.lines if line not in ("", "\r")]
    if any(len(fields) != width for fields in alone):
        return False
    known = habits()
    columns = [[field.text.strip().strip('"') for field in column] for column in zip(*alone, strict=True)]
    numbers = known.numbers if known.rows else tuple(map(_are_numbers, columns))
    if any(value and not _is_number(value) for k in range(width) if numbers[k] for value in columns[k]):
        return False
    over = [k for k, field in enumerate(row.fields) if field.quoted and "\n" in field.text]
    if not known.rows:
        return any(numbers) or _has_ditto_marks(row, over, separator)
    if all(known.all_quoted[k] for k in over):
        return False
    return any(numbers) or not all(known.some_quoted[k] for k in over) or _has_ditto_marks(row, over, separator)


def _has_ditto_marks(row: Row, over: Sequence[int], separator: str) -> bool:
    """Whether both quotes of a field stand alone between separators, which says: the same as above."""
    edges = (separator, "\n")
    return any(row.fields[k].text.startswith(edges) and row.fields[k].text.endswith(edges) for k in over)


def lines_of(blocks: Iterable[bytes]) -> Iterator[str]:
    """The lines of a text in UTF-8, without their newlines."""
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield from map(partial(str, encoding="utf-8"), whole)
    if rest:
        yield str(rest, "utf-8")
