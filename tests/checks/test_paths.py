"""A105: names, paths and ids of rows that tell the class, and those that do not."""

from __future__ import annotations

import uuid
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sortal.checks.context import AuditContext
from sortal.checks.finding import Finding, NotApplicable
from sortal.checks.paths import check, parts_of
from sortal.core.frame import conform
from sortal.core.infer import infer
from sortal.core.table import Table
from sortal.testing.checks import clean

N = 400
CODES = np.random.default_rng(0).integers(2, size=N)
LABELS = ("cat", "dog", "bird")


def findings(
    names: object, codes: NDArray[np.int64] = CODES, ignore: tuple[str, ...] = (), seed: int = 0
) -> list[Finding]:
    raw = pl.DataFrame({"name": names, "x": np.random.default_rng(1).normal(size=len(codes))})
    raw = raw.with_columns(pl.Series("target", [LABELS[code] for code in codes]))
    schema = infer(raw, "target", ignore=ignore)
    table = Table(schema, conform(raw, schema), np.arange(len(codes)))
    result = check.find(AuditContext(table, codes, LABELS[: int(codes.max()) + 1], seed, raw=raw))
    return [] if isinstance(result, NotApplicable) else result


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        ("data/{label}s/{i:04}.jpg", "second folder"),
        ("{label}_{i}", "first word"),
        ("img-{i:05}-{label}.png", "second word"),
        ("{code}{i:05}", "first number"),
        ("scan_{code}_{i}.dcm", "first number"),
        (r"C:\\scans\\{label}\\{i}.tif", "folder"),
        ("run {i} {label}", "word"),
    ],
)
def test_a_part_of_a_name_that_goes_with_the_class(pattern: str, part: str) -> None:
    serial = np.random.default_rng(2).permutation(N)
    names = [pattern.format(label=LABELS[c], code=c, i=i) for i, c in zip(serial, CODES, strict=True)]
    if pattern.startswith("run"):
        names = [name.replace(" ", "/") for name in names]
    (finding,) = findings(names)
    assert part in str(finding.evidence["part"])
    assert finding.column == "name"
    assert finding.severity == "warning"
    assert "no model sees it" in finding.message
    assert finding.evidence["roc_auc"] > 0.99  # type: ignore[operator]


def test_words_say_which_value_goes_with_which_class() -> None:
    (finding,) = findings([f"{'pos' if c else 'neg'}_{i}" for i, c in enumerate(CODES)])
    assert finding.message.startswith(
        (
            "name tells the class: its first word neg is 100 % 'cat'",
            "name tells the class: its first word pos is 100 % 'dog'",
        )
    )


def test_numbers_that_run_on_within_classes() -> None:
    order = np.argsort(np.argsort(CODES, kind="stable"))
    (finding,) = findings(1000 + order)
    assert (finding.severity, finding.evidence["part"]) == ("severe", "its size")
    assert "for 'cat' and 1," in finding.message
    assert "--ignore name" in finding.fix
    assert findings([f"P{1000 + i}" for i in order])[0].severity == "warning"
    assert findings(np.random.default_rng(5).permutation(N)) == []


def test_three_classes_and_a_part_that_tells_mostly() -> None:
    codes = np.random.default_rng(0).integers(3, size=900)
    rng = np.random.default_rng(1)
    noisy_codes = np.where(rng.random(900) < 0.3, rng.integers(3, size=900), codes)
    assert len(findings([f"{LABELS[c]}/{i}.png" for i, c in enumerate(noisy_codes)], codes)) == 1
    weak = np.where(rng.random(900) < 0.8, rng.integers(3, size=900), codes)
    assert findings([f"{LABELS[c]}/{i}.png" for i, c in enumerate(weak)], codes) == []


def test_people_with_one_class_are_groups() -> None:
    person = np.arange(N) // 8
    codes = np.random.default_rng(3).integers(2, size=N // 8)[person]
    (finding,) = findings([f"phon_R01_S{p:02}_{i % 8}" for i, p in enumerate(person)], codes)
    assert "are of one class" in finding.message
    assert "--group" in finding.fix


def test_what_a_person_left_out_is_not_looked_at() -> None:
    names = [f"{LABELS[c]}_{i}" for i, c in enumerate(CODES)]
    assert findings(names)
    assert findings(names, ignore=("name",)) == []


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["uuid", "serial", "path", "plate", "mail"]))
def test_names_without_the_class_are_silent(seed: int, kind: str) -> None:
    rng = Random(seed)
    draw = {
        "uuid": lambda i: str(uuid.UUID(int=rng.getrandbits(128))),
        "serial": lambda i: f"A{i:06}",
        "path": lambda i: f"{rng.choice('abc')}/{rng.choice(['left', 'right'])}/{i}.jpg",
        "plate": lambda i: f"{rng.choice('ABCDEF')}{rng.choice('KLM')}-{rng.randint(100, 99999)}",
        "mail": lambda i: f"user{rng.randint(1, 10**6)}@{rng.choice(['x.org', 'y.com'])}",
    }[kind]
    codes = np.random.default_rng(seed).integers(2, size=N)
    assert findings([draw(i) for i in range(N)], codes, seed=seed % 1000) == []


def test_sentences_and_amounts_are_no_names() -> None:
    sentences = [f"the {LABELS[c]} has number {i} and is here" for i, c in enumerate(CODES)]
    assert findings(sentences) == []
    table, codes = clean(0)
    assert check.find(AuditContext(table, codes, ["no", "yes"], raw=table.frame)) == NotApplicable(
        "no column of names, paths or ids"
    )


def test_digits_of_any_script_are_numbers():
    values = pl.Series(["a５", "b７", "c\u0663\u0664", "d²"] * 5)
    numbers = {part.what: part.values for part in parts_of(values)}
    assert numbers["its first number"].to_list()[:4] == [5.0, 7.0, 34.0, None]


def test_texts_without_blanks_are_no_names():
    texts = [f"房间{i}很大床有{i % 7}米宽整体感觉经济实惠不错" for i in range(200)]
    frame = pl.DataFrame({"text": texts, "y": ["a", "b"] * 100})
    schema = infer(frame, "y")
    assert schema["text"].format == "unspaced"
    table = Table(schema, conform(frame, schema), np.arange(200))
    context = AuditContext(table, np.arange(200) % 2, ["a", "b"], raw=frame)
    assert check.find(context) == NotApplicable("no column of names, paths or ids")
