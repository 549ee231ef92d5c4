"""Columns of text that write one thing in several ways: spellings, broken letters, yes and no, dates, amounts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from sortal.core.disclosure import OPEN, Disclosure
from sortal.core.values import BLANKS, MISSING

_MOST_TEXTS = 20_000
"""Distinct texts, for speed: the most frequent ones."""
_LONGEST = 80
"""Characters of a level, for speed. Chosen, not measured: longer ones are texts, which nobody spells twice."""
_NEARLY_ALL = 0.95
"""Share of rows. Chosen, not measured: a column of dates or amounts may hold a few remarks."""
_SOME = 0.01
"""Share of rows of a way of writing. Chosen, not measured: rarer ones are slips."""
_LEAST_VALUES = 5
"""Distinct texts. Chosen, not measured: fewer may be levels that look like amounts."""
_FEWEST = 2
"""Rows in the rarer spellings. Chosen, not measured: a single one is a slip."""
_RARER_SHARE = 0.001
"""Share of rows in the rarer spellings. Chosen, not measured: less changes no model."""
_SHOWN = 3
"""Examples that the message names: as many as a line holds."""


@dataclass(frozen=True)
class Mixture:
    """What is mixed in a column. ``message`` goes on after its name; ``share`` of the rows is in the rarer way.

    ``doubtful``: it may as well be meant so.
    """

    kind: str
    message: str
    share: float
    fix: str
    doubtful: bool = False


@dataclass(frozen=True)
class Texts:
    """Distinct texts, the most frequent first, and their rows; and which of them may be quoted."""

    texts: Sequence[str]
    rows: Sequence[int]
    disclosure: Disclosure = OPEN

    @property
    def total(self) -> int:
        return sum(self.rows)


def mixed_texts(series: pl.Series, levels: bool, disclosure: Disclosure) -> list[Mixture]:
    """What is mixed in these texts, by those that may be quoted. ``levels``: they are levels of a category, so that
    spelling matters.

    Blanks around texts and marks of missing values do not count: they are read as what they are.
    """
    stripped = series.cast(pl.String).drop_nulls().str.strip_chars(BLANKS).alias("text")
    counts = stripped.to_frame().group_by("text").len("rows")
    counts = counts.filter(~pl.col("text").is_in(sorted(MISSING))).sort("rows", "text", descending=[True, False])
    counts = counts.head(_MOST_TEXTS)
    values = Texts(counts["text"].to_list(), counts["rows"].to_list(), disclosure)
    if not values.texts:
        return []
    mixtures = [_wrong_encoding(values)]
    looks: Sequence[Callable[[Texts], Mixture | None]] = (_yes_no, _dates, _amounts, *([_spellings] if levels else []))
    mixtures.append(next((mixture for look in looks if (mixture := look(values)) is not None), None))
    return [mixture for mixture in mixtures if mixture is not None]


def key(text: str) -> str:
    """What is left where context, accents, blanks and marks between letters do not count; marks beside digits do.

    >>> [key(text) for text in ("N.Y.", "ny", "São  Paulo", "sao-paulo", "A+", "a", "C#", "1.5", "<30")]
    ['ny', 'ny', 'saopaulo', 'saopaulo', 'A+', 'a', 'C#', '1.5', '<30']
    """
    plain = text
    if not text.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    if sum(map(str.isalpha, plain)) < 2:
        return text
    if any(map(str.isdigit, plain)):
        return re.sub(r"\s+", " ", plain).casefold() if _is_evenly_cased(plain) else text
    return re.sub(r"(?<=\w)[\s._'’/,&-]+(?=\w|$)", "", plain).casefold()


def _is_evenly_cased(text: str) -> bool:
    """Words in one case; not a code such as aB3xZ."""
    return all(word.islower() or word.isupper() or word.istitle() for word in re.findall(r"[^\W\d_]+", text))


def _spellings(values: Texts) -> Mixture | None:
    same: dict[str, list[tuple[str, int]]] = {}
    for text, rows in zip(values.texts, values.rows, strict=True):
        if len(text) <= _LONGEST:
            same.setdefault(key(text), []).append((text, rows))
    several = [spellings for spellings in same.values() if len(spellings) > 1]
    if not several:
        return None
    several.sort(key=lambda spellings: -spellings[1][1])
    rarer = sum(rows for spellings in several for _, rows in spellings[1:])
    if rarer < max(_FEWEST, _RARER_SHARE * values.total):
        return None
    quoted = [[text for text, rows in spellings if values.disclosure.quotes(rows)] for spellings in several]
    quoted = [texts for texts in quoted if texts][:_SHOWN]
    examples = "; ".join(", ".join(map(repr, texts[:_SHOWN])) for texts in quoted)
    more = f" and {len(several) - len(quoted)} more" if 0 < len(quoted) < len(several) else ""
    message = (
        f"spells {_plural(len(several), 'level')} in several ways{': ' if examples else ''}{examples}{more} "
        f"({_rows(rarer)} in the rarer ones)"
    )
    return Mixture("spellings", message, rarer / values.total, "write each level in one way")


def mended(text: str) -> str | None:
    """Text whose UTF-8 was once read as another encoding, put right; None for any other.

    >>> mended("CafÃ©"), mended("Café"), mended("SÃO"), mended("itâ€™s")
    ('Café', None, None, 'it’s')
    """
    if text.isascii():
        return None
    for encoding in ("cp1252", "latin-1"):
        try:
            right = text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        return right if right != text else None
    return None


def _wrong_encoding(values: Texts) -> Mixture | None:
    misreadings = [
        (text[:40], (right or text)[:40], rows)
        for text, rows in zip(values.texts, values.rows, strict=True)
        if not text.isascii() and ((right := mended(text[:200])) is not None or "\ufffd" in text)
    ]
    if not misreadings:
        return None
    rows = sum(rows for _, _, rows in misreadings)
    message = f"was read in a wrong encoding in {_rows(rows)}"
    if values.disclosure.quotes(misreadings[0][2]):
        text, right, _ = misreadings[0]
        message += f": {text!r} was {right!r}" if right != text else f": in {text!r} a letter is lost"
    return Mixture("encoding", message, rows / values.total, "read the file as UTF-8 where it comes from")


_YES = {"y": "letter", "yes": "word", "t": "t", "true": "true", "1": "digit", "1.0": "digit", "on": "on"}
_NO = {"n": "letter", "no": "word", "f": "t", "false": "true", "0": "digit", "0.0": "digit", "off": "on"}


def _yes_no(values: Texts) -> Mixture | None:
    """Yes and no, and nothing else, in more than one pair of words; single letters alone may be anything."""
    codings: dict[str, int] = {}
    for text, rows in zip(values.texts, values.rows, strict=True):
        coding = (_YES | _NO).get(text.lower())
        if coding is None:
            return None
        codings[coding] = codings.get(coding, 0) + rows
    words = {text.lower() for text in values.texts}
    both = words & _YES.keys() and words & _NO.keys()
    if len(codings) < 2 or not both or not codings.keys() & {"word", "true", "digit"}:
        return None
    rarer = values.total - max(codings.values())
    examples = ", ".join(map(repr, values.texts[:6]))
    message = f"says yes and no in {len(codings)} ways: {examples} ({_rows(rarer)} in the rarer ones)"
    return Mixture("yes and no", message, rarer / values.total, "write yes and no in one way")


_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_TIME = r"(?:[ T]\d{1,2}:\d\d.*)?"
_DATES = {
    "2020-12-31": rf"\d{{4}}-\d{{1,2}}-\d{{1,2}}{_TIME}",
    "2020/12/31": rf"\d{{4}}/\d{{1,2}}/\d{{1,2}}{_TIME}",
    "2020.12.31": rf"\d{{4}}\.\d{{1,2}}\.\d{{1,2}}{_TIME}",
    "31/12/2020": rf"(?:1[3-9]|2\d|3[01])/\d{{1,2}}/\d{{2,4}}{_TIME}",
    "12/31/2020": rf"\d{{1,2}}/(?:1[3-9]|2\d|3[01])/\d{{2,4}}{_TIME}",
    "31.12.2020": rf"\d{{1,2}}\.\d{{1,2}}\.\d{{2,4}}{_TIME}",
    "31-12-2020": rf"(?:1[3-9]|2\d|3[01])-\d{{1,2}}-\d{{2,4}}{_TIME}",
    "12-31-2020": rf"\d{{1,2}}-(?:1[3-9]|2\d|3[01])-\d{{2,4}}{_TIME}",
    "31 Dec 2020": rf"\d{{1,2}}[ -]{_MONTH}[ -,]*\d{{2,4}}{_TIME}",
    "Dec 31, 2020": rf"{_MONTH}\.? \d{{1,2}},? \d{{4}}{_TIME}",
}
_DOUBTFUL_DATE = re.compile(rf"\d{{1,2}}[/-]\d{{1,2}}[/-]\d{{2,4}}{_TIME}")
"""Day and month cannot be told apart: it says nothing of the way the others are written, and is a date all the same."""


def _dates(values: Texts) -> Mixture | None:
    patterns = {way: re.compile(pattern, re.IGNORECASE) for way, pattern in _DATES.items()}

    def way_of(text: str) -> str | None:
        way = next((way for way, pattern in patterns.items() if pattern.fullmatch(text)), None)
        return way or ("" if _DOUBTFUL_DATE.fullmatch(text) else None)

    return _ways(values, way_of, "dates", "dates in several ways", "write all dates as 2020-12-31")


_UNIT = (
    r"kg|g|mg|lbs?|oz|t|cm|mm|m|km|mi|ft|in|inch|yards?|l|ml|gal|°\s?[CF]|deg|h|hrs?|min|s|sec|ms|days?|weeks?|months?|"
    r"years?|yrs?|%|percent|k|usd|eur|gbp|chf|jpy|inr|\$|€|£|¥|₹"
)
_AMOUNT = re.compile(rf"([$€£¥₹]?)\s*[+-]?(\d[\d.,' \u00a0]*+)\s*+({_UNIT})?", re.IGNORECASE)


def _amounts(values: Texts) -> Mixture | None:
    """Amounts with several units, or with a point and with a comma before their last digits."""

    def way_of(text: str) -> str | None:
        match = _AMOUNT.fullmatch(text)
        if match is None or re.fullmatch(r"0\d+", text):
            return None
        sign, digits, unit = match[1], match[2].strip(), re.sub(r"\s", "", match[3] or "").lower()
        decimal = re.search(r"([.,])\d{1,2}$", digits)
        return f"{sign}1{decimal[1] + '5' if decimal else ''}{' ' + unit if unit else ''}"

    def mark(way: str | None) -> str | None:
        return None if way is None else way.replace(".5", "").replace(",5", "")

    units = _ways(
        values, lambda text: mark(way_of(text)), "amounts", "amounts in several units", "give all in one unit"
    )
    if units is not None:
        return units

    def decimals(text: str) -> str | None:
        way = way_of(text)
        return None if way is None else "1.5" if ".5" in way else "1,5" if ",5" in way else ""

    return _ways(values, decimals, "amounts", "numbers with a decimal point and with a comma", "write all with a point")


def _ways(values: Texts, way_of: Callable[[str], str | None], kind: str, what: str, fix: str) -> Mixture | None:
    """Nearly all texts fit one of several ways, each of which has a share. ``""`` fits and is no way of its own."""
    ways: dict[str, int] = {}
    misfits = 0
    for text, rows in zip(values.texts, values.rows, strict=True):
        way = way_of(text)
        if way is None:
            misfits += rows
            if misfits > (1 - _NEARLY_ALL) * values.total:
                return None
        else:
            ways[way] = ways.get(way, 0) + rows
    ways.pop("", None)
    common_ways = {way: rows for way, rows in ways.items() if rows >= max(2, _SOME * values.total)}
    if len(common_ways) < 2 or len(values.texts) < _LEAST_VALUES:
        return None
    rarer = values.total - misfits - max(common_ways.values())
    examples = ", ".join(
        f"like {way} in {_rows(rows)}" for way, rows in sorted(common_ways.items(), key=lambda pair: -pair[1])[:_SHOWN]
    )
    return Mixture(kind, f"has {what}: {examples}", rarer / values.total, fix)


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
