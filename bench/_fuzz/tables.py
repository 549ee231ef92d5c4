"""Spoilt data files of every format that is read."""

from __future__ import annotations

import bz2
import csv
import datetime as dt
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from bench._fuzz.trees import DEEP, PAYLOADS, TEXTS, WRITABLE, odd, spoiled

Rows = list[dict[str, Any]]
FORMATS = ("csv", "tsv", "semicolon", "json", "columns", "jsonl", "parquet", "arrow", "stream")
SUFFIX = {"semicolon": "csv", "columns": "json", "stream": "arrow"}
PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
LONG = 200_000
WIDE = 20_000


@dataclass(frozen=True)
class File:
    """A name and the bytes of a file."""

    name: str
    content: bytes


LARGEST = 2_000_000
"""Bytes of a table; what counts is how much a small file takes."""


def spoilt_table(rng: Random, frame: pl.DataFrame, bomb: bytes) -> File:
    """A file of some format with one or more changes; now and then with none. ``bomb``: a small gzip of very many
    lines.
    """
    kind = rng.choice(FORMATS)
    name = _name(rng, SUFFIX.get(kind, kind))
    if rng.random() < 0.01:
        return File(f"x.{rng.choice(['csv', 'jsonl'])}.gz", bomb)
    columnar = kind in ("parquet", "arrow", "stream")
    content = _columnar_or_plain(rng, kind, frame) if columnar else _text(rng, kind, frame.to_dicts())
    for _ in range(rng.choice([0, 1, 1, 1, 2])):
        content = _spoilt_bytes(rng, content, columnar)
    content = content[:LARGEST]
    if rng.random() < 0.12:
        ending = rng.choice(list(PACKERS))
        content = PACKERS[ending](content)
        name += rng.choice([ending, ending, ending, "", ".gz"])
        if rng.random() < 0.5:
            content = rng.choice([content[: rng.randrange(1, len(content))], content + content, content + b"x" * 9])
        if rng.random() < 0.2:
            content = _spoilt_bytes(rng, content, True)
    elif rng.random() < 0.03:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(rng.choice(["x.csv", "../x", "xl/x.xml", "\x1b[31m"]), content)
        content = file.getvalue()
    return File(name, content)


def bomb() -> bytes:
    """256 MiB of empty lines, and a line of 256 MiB, in a few hundred kB."""
    return gzip.compress(b"a,b\n" + b"\n" * 2**28, 1)


def _name(rng: Random, suffix: str) -> str:
    odd_name = rng.choice([p for p in WRITABLE if p != "\x00"] + ["\udcff"])
    return rng.choice(["x"] * 8 + ["*", "[a]", f"a{odd_name}b"]) + rng.choice(
        [f".{suffix}"] * 9 + [".csv", ".parquet", ".txt", "", ".json"]
    )


def _text(rng: Random, kind: str, rows: Rows) -> bytes:
    rows = _spoilt_rows(rng, rows) if rng.random() < 0.6 else rows
    if kind in ("json", "columns", "jsonl"):
        return _json(rng, kind, rows)
    names = list(rows[0]) if rows else ["a"]
    file = io.StringIO()
    mark = {"tsv": "\t", "semicolon": ";"}.get(kind, ",")
    out = csv.writer(
        file, delimiter=mark, lineterminator=rng.choice(["\n", "\n", "\r\n", "\r"]), quoting=rng.choice([0, 0, 1])
    )
    out.writerow(_spoilt_names(rng, names))
    for row in rows:
        out.writerow([*row.values()] + ["x"] * rng.choice([0] * 200 + [1, 5]))
    text = file.getvalue()
    if rng.random() < 0.15:
        at = rng.randrange(len(text) + 1)
        text = (
            text[:at]
            + rng.choice(
                [
                    '"',
                    '""',
                    "'",
                    "\n\n\n",
                    ",",
                    ";",
                    "\t",
                    "\\",
                    "#",
                    "x" * LONG,
                    '"' + "y" * LONG,
                    "\n" * 10_000,
                    "," * WIDE,
                ]
            )
            + text[at:]
        )
    encoding = rng.choice(["utf-8"] * 12 + ["utf-8-sig", "utf-16", "utf-16-le", "latin-1", "utf-32", "cp1252"])
    return text.encode(
        encoding, errors=rng.choice(["replace", "surrogatepass"]) if encoding.startswith("utf") else "replace"
    )


def _spoilt_names(rng: Random, names: list[str]) -> list[str]:
    names = list(names)
    if rng.random() < 0.15:
        names[rng.randrange(len(names))] = rng.choice(
            [*PAYLOADS, *TEXTS, *names, "x" * 1_000, "*", "^.*$", "probability_yes"]
        )
    if rng.random() < 0.02:
        names += rng.choice([["a"] * WIDE, [f"c{i}" for i in range(WIDE)], [""] * 300])
    return names


def _spoilt_rows(rng: Random, rows: Rows) -> Rows:
    rows = [dict(row) for row in rows]
    for _ in range(rng.choice([1, 1, 5, 40])):
        row = rng.choice(rows)
        name = rng.choice(list(row))
        match rng.randrange(6):
            case 0:
                row[name] = odd(rng)
            case 1:
                row[name] = rng.choice(
                    [
                        "2024-13-45",
                        "0000-00-00",
                        "9999-12-31",
                        "1e5",
                        "1,5",
                        "(3)",
                        "50%",
                        "-",
                        "NULL",
                        "999999999999-01-01",
                    ]
                )
            case 2:
                for other in rows:
                    other[name] = rng.choice([None, row[name]])
            case 3:
                row[name] = rng.choice(PAYLOADS)
            case 4:
                rows = rng.choice([rows * 3, rows[:1], rows[: rng.randrange(len(rows))] or rows, rows[::-1]])
            case _:
                rng.shuffle(rows)
    return rows


def _json(rng: Random, kind: str, rows: Rows) -> bytes:
    if kind == "jsonl":
        lines = [json.dumps(row) for row in rows]
        for _ in range(rng.choice([0, 0, 1, 3])):
            line = rng.randrange(len(lines))
            lines[line] = rng.choice(
                [
                    *(
                        json.dumps(spoiled(rng, rows[line])),
                        "",
                        "x",
                        "[1]",
                        "null",
                        "{}",
                        lines[line][:-1],
                        lines[line] * 2,
                    ),
                    *("[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, '{"a":"\\ud800"}', '{"\\udfff":1}'),
                    json.dumps({str(i): i for i in range(WIDE)}) if rng.random() < 0.1 else "{}",
                    '{"a":"' + "x" * LONG + '"}',
                ]
            )
        return "\n".join(lines).encode()
    tree: Any = rows if kind == "json" else {name: [row.get(name) for row in rows] for name in rows[0]}
    for _ in range(rng.choice([0, 1, 1, 2])):
        tree = spoiled(rng, tree)
    text = json.dumps(tree, indent=rng.choice([None, 1]))
    if rng.random() < 0.05:
        text = text.replace(":", ":" + "[" * DEEP + "]" * DEEP + "," if rng.random() < 0.5 else ":{", 1)
    return text.encode()


def _columnar_or_plain(rng: Random, kind: str, frame: pl.DataFrame) -> bytes:
    """Some values fit into no file of a format; then the rows as they were."""
    try:
        return _columnar(rng, kind, frame, odd=True)
    except pa.ArrowInvalid:
        return _columnar(rng, kind, frame, odd=False)


def _columnar(rng: Random, kind: str, frame: pl.DataFrame, odd: bool) -> bytes:
    table = frame.to_arrow()
    if odd and rng.random() < 0.6:
        for _ in range(rng.choice([1, 1, 3])):
            column = _column(rng, table.num_rows)
            if rng.random() < 0.5:
                at = rng.randrange(table.num_columns)
                table = table.set_column(at, table.column_names[at], column)
            else:
                table = table.append_column(
                    rng.choice([*WRITABLE, "", "extra", "x" * LONG, *table.column_names]), column
                )
    file = io.BytesIO()
    if kind == "parquet":
        pa.parquet.write_table(
            table,
            file,
            compression=rng.choice(["NONE", "SNAPPY", "ZSTD", "GZIP"]),
            use_dictionary=rng.random() < 0.5,
            data_page_version=rng.choice(["1.0", "2.0"]),
            row_group_size=rng.choice([None, 7, 50]),
            use_deprecated_int96_timestamps=rng.random() < 0.1,
        )
        return file.getvalue()
    options = pa.ipc.IpcWriteOptions(compression=rng.choice([None, None, "zstd", "lz4"]))
    make = pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream
    with make(file, table.schema, options=options) as out:
        out.write_table(table, max_chunksize=rng.choice([None, 7, 50]))
    return file.getvalue()


_SENTINELS = (2**31 - 1, -(2**31), 0, 19_000)
_LARGE = (2**63 - 1, -(2**63), 0, 10**18, 1_700_000_000_000_000)


def _column(rng: Random, rows: int) -> pa.Array:
    """Values of a type that tables seldom have, or at its ends."""

    def many(values: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
        return pa.array([rng.choice([*values, None]) for _ in range(rows)]).cast(kind, safe=False)

    makers: tuple[Callable[[], pa.Array], ...] = (
        lambda: pa.array([rng.choice(_SENTINELS) for _ in range(rows)], pa.int32()).cast(pa.date32()),
        lambda: pa.array([rng.choice(_LARGE) for _ in range(rows)], pa.int64()).cast(
            pa.timestamp(rng.choice(["s", "ms", "us", "ns"]))
        ),
        lambda: pa.array([rng.choice(_LARGE) for _ in range(rows)], pa.int64()).cast(
            pa.timestamp("us", "Europe/Berlin")
        ),
        lambda: pa.array([rng.choice(_LARGE) for _ in range(rows)], pa.int64()).cast(
            pa.duration(rng.choice(["s", "ns"]))
        ),
        lambda: pa.array([rng.choice(_LARGE) for _ in range(rows)], pa.int64()),
        lambda: pa.array([rng.choice([0, 86_399_999_999, -5, 2**62]) for _ in range(rows)], pa.int64()).cast(
            pa.time64("us")
        ),
        lambda: pa.array([rng.choice([0, 2**64 - 1]) for _ in range(rows)], pa.uint64()),
        lambda: pa.array([Decimal(rng.choice(["0.5", "9" * 37, "-1"])) for _ in range(rows)], pa.decimal128(38, 1)),
        lambda: pa.array([rng.choice([float("nan"), float("inf"), 1e308, -1e308, 5e-324]) for _ in range(rows)]),
        lambda: pa.array([rng.choice([b"\xff\xfe", b"", b"x" * 99]) for _ in range(rows)], pa.binary()),
        lambda: pa.array([rng.choice([[], [1, 2], None]) for _ in range(rows)], pa.list_(pa.int64())),
        lambda: pa.array([{"a": 1, "b": {"c": rng.choice(["x", None])}} for _ in range(rows)]),
        lambda: pa.array([rng.choice(["a", "b", *WRITABLE]) for _ in range(rows)]).dictionary_encode(),
        lambda: pa.nulls(rows),
        lambda: pa.array([rng.choice([True, False, None]) for _ in range(rows)]),
        lambda: pa.array([rng.choice([dt.date(1, 1, 1), dt.date(9999, 12, 31)]) for _ in range(rows)]),
        lambda: pa.array([rng.choice(["x" * 10_000, "", *WRITABLE]) for _ in range(rows)], pa.large_string()),
        lambda: pa.array([1.5] * rows, pa.float32()),
        lambda: many((0, 1), pa.float16()) if rng.random() < 0.2 else pa.nulls(rows, pa.int8()),
    )
    return rng.choice(makers)()


def _spoilt_bytes(rng: Random, content: bytes, columnar: bool) -> bytes:
    """Bytes changed, lost or added; in files with a footer mostly there, where lengths and offsets stand."""
    if not content:
        return content
    last = len(content) - rng.randrange(1, min(len(content), 800) + 1)
    at = last if columnar and rng.random() < 0.6 else rng.randrange(len(content))
    match rng.randrange(7):
        case 0 | 1:
            changed = bytearray(content)
            for _ in range(rng.choice([1, 1, 2, 8])):
                changed[min(len(changed) - 1, at + rng.randrange(30))] = rng.choice(
                    [0, 1, 127, 128, 255, rng.randrange(256)]
                )
            return bytes(changed)
        case 2:
            size = rng.choice([4, 8])
            number = rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**64 - 1, len(content)]) % 2 ** (
                8 * size
            )
            return content[:at] + number.to_bytes(size, "little") + content[at + size :]
        case 3:
            return content[:at]
        case 4:
            return content[:at] + content[at + rng.randrange(1, 30) :]
        case 5:
            return content[:at] + rng.randbytes(rng.choice([1, 4, 100])) + content[at:]
        case _:
            return rng.choice(
                [
                    content + b"\x00" * 10,
                    b"\n" + content,
                    b"\xef\xbb\xbf" + content,
                    content[at:] + content[:at],
                    content * 2,
                ]
            )
