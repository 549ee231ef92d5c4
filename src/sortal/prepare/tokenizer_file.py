"""What parts texts into tokens, from the files of a folder: the ``tokenizer.json`` of the library ``tokenizers``, or
the ``vocab.txt`` of BERT. Op ``tokens`` does it; nothing of these files is run.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sortal.engine.program import Array, Program
from sortal.prepare.checkpoint import description

FILE = "tokenizer.json"
WANTED = {"WordPiece", "BPE", "Unigram"}
BLANKS = (" ", " {2,}", r"\s+")
"""Patterns of some blanks."""


def reader(path: Path, most: int) -> Program:
    """Op ``tokens`` for at most so many tokens. Raises ValueError, in a few words, for rules that it does not know."""
    try:
        return _reader(path, most)
    except (KeyError, TypeError, IndexError, AttributeError):
        raise ValueError(f"{FILE} has not the form of the library tokenizers") from None


def _reader(path: Path, most: int) -> Program:
    tokenizer = description(path, FILE)
    model = tokenizer.get("model", {})
    if (path / "vocab.txt").is_file() and model.get("type", "WordPiece") == "WordPiece":
        words = (path / "vocab.txt").read_bytes().replace(b"\r\n", b"\n").decode().removesuffix("\n").split("\n")
    elif model.get("type") in WANTED:
        words = _words(model)
    else:
        raise ValueError(
            f"it has no vocab.txt, and no {FILE} of WordPiece, byte pairs or Unigram; "
            "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) of transformers writes that"
        )
    settings: dict[str, Any] = {"most": most, **_special(tokenizer, words)}
    arrays = {"vocabulary": _lines(words)}
    kind = model.get("type", "WordPiece")
    if kind == "WordPiece":
        settings |= _wordpiece(path, tokenizer)
    elif kind == "BPE":
        settings |= {"split": "bytes", "blank": _blank(tokenizer)}
        arrays["merges"] = _lines([pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]])
    else:
        settings |= {"split": "unigram", "unknown": words[model["unk_id"]]}
        arrays |= _unigram(tokenizer)
    return Program("tokens", settings, arrays)


def _words(model: dict[str, Any]) -> list[str]:
    """In the order of their numbers."""
    if model["type"] == "Unigram":
        return [word for word, _ in model["vocab"]]
    words = sorted(model["vocab"], key=model["vocab"].__getitem__)
    if [model["vocab"][word] for word in words] != list(range(len(words))):
        raise ValueError(f"the words in {FILE} are not numbered from 0 without a gap")
    return words


def _lines(words: Sequence[str]) -> Array:
    if any("\n" in word for word in words):
        raise ValueError("it has a word with a line break in it")
    return np.frombuffer("\n".join(words).encode(), dtype=np.uint8)


def _special(tokenizer: dict[str, Any], words: Sequence[str]) -> dict[str, str]:
    """The words for the begin and the end of a text and for what is unknown, where they are not those of BERT."""
    begin, end = "[CLS]", "[SEP]"
    for processor in _parts(tokenizer.get("post_processor"), "processors"):
        if processor["type"] in ("RobertaProcessing", "BertProcessing"):
            begin, end = processor["cls"][0], processor["sep"][0]
        elif processor["type"] == "TemplateProcessing":
            names = [piece.get("SpecialToken", {}).get("id") for piece in processor["single"]]
            if len(names) != 3 or None in (names[0], names[2]) or names[1] is not None:
                raise ValueError(f"{FILE} puts other tokens around a text than one before and one after it")
            begin, end = names[0], names[2]
    vocabulary = set(words)
    if not tokenizer.get("post_processor") and begin not in vocabulary:
        begin, end = "<s>", "</s>"
    unknown = tokenizer.get("model", {}).get("unk_token") or ("[UNK]" if "[UNK]" in vocabulary else "<unk>")
    special = {"begin": begin, "end": end, "unknown": unknown}
    usual = {"begin": "[CLS]", "end": "[SEP]", "unknown": "[UNK]"}
    return {name: word for name, word in special.items() if usual[name] != word}


def _wordpiece(path: Path, tokenizer: dict[str, Any]) -> dict[str, bool]:
    lower = description(path, "tokenizer_config.json").get("do_lower_case", True)
    strips: Any = description(path, "tokenizer_config.json").get("strip_accents")
    for normalizer in _parts(tokenizer.get("normalizer"), "normalizers"):
        if normalizer["type"] != "BertNormalizer":
            raise ValueError(f"{FILE} has a step {normalizer['type']!r}, which is not run")
        lower, strips = normalizer.get("lowercase", lower), normalizer.get("strip_accents", strips)
    if strips is not None and strips != lower:
        raise ValueError("of upper case and accents its network reads one, and only networks for both or none are run")
    return {} if lower else {"lower": False}


def _blank(tokenizer: dict[str, Any]) -> bool:
    """Whether a text begins with a blank."""
    steps = list(_parts(tokenizer.get("pre_tokenizer"), "pretokenizers"))
    if [step["type"] for step in steps] != ["ByteLevel"] or tokenizer.get("normalizer"):
        raise ValueError(f"{FILE} parts texts into byte pairs in another way than RoBERTa, which is not run")
    return bool(steps[0].get("add_prefix_space", False))


def _unigram(tokenizer: dict[str, Any]) -> dict[str, Array]:
    """The scores of pieces, and what is written in the place of some characters."""
    if tokenizer["model"].get("byte_fallback") or tokenizer["model"].get("unk_id") is None:
        raise ValueError(f"{FILE} is of another unigram model than those of XLM-R, which is not run")
    if [step["type"] for step in _parts(tokenizer.get("pre_tokenizer"), "pretokenizers")] not in (
        ["WhitespaceSplit", "Metaspace"],
        ["Metaspace"],
    ):
        raise ValueError(f"{FILE} parts texts into words in another way than at blanks, which is not run")
    arrays: dict[str, Array] = {
        "score": np.array([score for _, score in tokenizer["model"]["vocab"]], dtype=np.float64)
    }
    for normalizer in _parts(tokenizer.get("normalizer"), "normalizers"):
        if normalizer["type"] == "Precompiled":
            try:
                table = base64.b64decode(normalizer["precompiled_charsmap"], validate=True)
            except binascii.Error:
                raise ValueError(f"the table of characters in {FILE} is not in base64") from None
            arrays["charsmap"] = np.frombuffer(table, dtype=np.uint8)
        elif not _is_of_blanks(normalizer):
            raise ValueError(f"{FILE} has a step {normalizer['type']!r}, which is not run")
    return arrays


def _is_of_blanks(step: dict[str, Any]) -> bool:
    """Whether a step only takes blanks away, at which words are parted anyway."""
    pattern = step.get("pattern", {})
    expression = pattern.get("Regex", pattern.get("String"))
    return step["type"] == "Strip" or (
        step["type"] == "Replace" and expression in BLANKS and step.get("content") in (" ", "▁")
    )


def _parts(step: Any, inner: str) -> Iterator[dict[str, Any]]:
    """A step of the file, or the steps that it is a sequence of."""
    if step:
        yield from step[inner] if step.get("type") == "Sequence" else [step]
