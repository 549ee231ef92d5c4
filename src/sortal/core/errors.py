"""Every error that a person can meet, as one tree.

    SortalError
    ├── InputError            the caller's data or options; the command line exits with 2
    │   ├── DataError         a file or a table cannot be used
    │   ├── TaskError         the target, the classes, the metric or the costs do not fit
    │   ├── OptionError       an option or a name is not known, or contradicts another
    │   ├── ArtifactError     a model file is damaged, foreign or unsafe
    │   ├── OutputError       a result cannot be written (it exists, the disk is full)
    │   └── StoreError        the log of a service cannot be opened, read or written
    ├── ForkError             a forked process cannot compute with polars; give it other tables, or start it otherwise
    └── ParityError           an exported model does not reproduce the trained one; our bug, exits with 1

A message is one sentence (two at most) that says what is wrong, where (file, column, row), and what to do. What it
quotes may come from anybody's file: it is shown as ``core.plain`` shows it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from sortal.core.plain import LONGEST_VALUE, quoted, sentence, short


class SortalError(Exception):
    """Base of all errors that sortal raises on purpose.

    >>> str(DataError("no column 'a\\x1b[31m' in\\nx.csv"))
    "no column 'a\\\\x1b[31m' in x.csv"
    """

    def __str__(self) -> str:
        return sentence(super().__str__())


class InputError(SortalError, ValueError):
    """What was handed in cannot be used. Also a ``ValueError``, as scikit-learn's users expect."""


class DataError(InputError):
    """A file or a table cannot be used."""


class TaskError(InputError):
    """The target, the classes, the metric or the costs do not fit the data."""


class OptionError(InputError):
    """An option or a name is not known, or contradicts another."""


class ArtifactError(InputError):
    """A model file is damaged, foreign or unsafe."""


class OutputError(InputError):
    """A result cannot be written."""


class StoreError(InputError):
    """The log of a service cannot be opened, read or written."""


class ForkError(SortalError, RuntimeError):
    """A forked process cannot compute with polars, whose threads stayed behind in its parent."""


class ParityError(SortalError):
    """An exported model does not reproduce the model that was trained."""


def did_you_mean(name: str, candidates: Iterable[str], most: int = 12) -> str:
    """A hint that names near and known names, to end an error message with.

    >>> did_you_mean("chrun", ["id", "age", "churn"])
    "did you mean 'churn'? (there are: id, age, churn)"
    """
    names = list(candidates)
    by_text = {short(n, LONGEST_VALUE).casefold(): n for n in reversed(names[:MOST_NAMES])}
    near = difflib.get_close_matches(short(name, LONGEST_VALUE).casefold(), by_text, n=2, cutoff=0.6)
    examples = names if len(names) <= most else [*names[: most - 1], "...", names[-1]]
    question = "did you mean " + " or ".join(quoted(by_text[n]) for n in near) + "? " if near else ""
    return f"{question}(there are: {', '.join(short(n, LONGEST_VALUE) for n in examples)})"


MOST_NAMES = 5_000
"""Names that one is compared with; a message about a table of more columns may lack a hint."""
