"""Networks for texts as transformers saves them: its tokens and its vectors (``tools/make_networks.py`` wrote both)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sortal.core.errors import OptionError
from sortal.engine import compile
from sortal.engine.program import Program
from sortal.prepare import backbone

NETWORKS = Path(__file__).parent / "networks"
NAMES = ("bert-cased", "distilbert", "mpnet", "roberta", "xlm-roberta")


@pytest.mark.parametrize("name", NAMES)
def test_tokens_and_vectors_are_those_of_transformers(name: str) -> None:
    expected = json.loads((NETWORKS / name / "expected.json").read_text())
    own = backbone.read(str(NETWORKS / name))
    reader = Program("tokens", {**own.reader.settings, "column": "t"}, own.reader.arrays)
    for text, row, tokens in zip(
        expected["texts"], compile(reader)({"t": expected["texts"]}), expected["tokens"], strict=True
    ):
        assert row[row >= 0].astype(int).tolist() == tokens, text
    vectors = compile(own.program("t"))({"t": [*expected["texts"], None]})
    assert_allclose(vectors[:-1], expected["vectors"], atol=2e-5)
    assert np.isnan(vectors[-1]).all()


def test_how_many_tokens_stands_elsewhere_since_sentence_transformers_6(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    shutil.copytree(NETWORKS / "mpnet", folder)
    (folder / "sentence_bert_config.json").write_text('{"transformer_task": "feature-extraction"}')
    (folder / "modules.json").write_text('[{"type": "sentence_transformers.base.modules.transformer.Transformer"}]')
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 20}')
    assert " reads 20 tokens of a text" in backbone.read(str(folder)).note


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "roberta",
            {"pre_tokenizer": {"type": "Whitespace"}},
            "parts texts into byte pairs in another way than RoBERTa",
        ),
        ("roberta", {"post_processor": {"type": "TemplateProcessing", "single": []}}, "other tokens around a text"),
        ("xlm-roberta", {"pre_tokenizer": {"type": "Whitespace"}}, "into words in another way than at blanks"),
        ("xlm-roberta", {"normalizer": {"type": "Lowercase"}}, "has a step 'Lowercase', which is not run"),
        ("xlm-roberta", {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "table of characters"),
        (
            "xlm-roberta",
            {"normalizer": {"type": "Replace", "pattern": {"String": "``"}, "content": '"'}},
            "has a step 'Replace', which is not run",
        ),
        ("mpnet", {"post_processor": {"type": "BertProcessing"}}, "not the form of the library tokenizers"),
        ("mpnet", {"normalizer": {"type": "NFC"}}, "has a step 'NFC', which is not run"),
        ("mpnet", {"model": {"type": "WordLevel"}}, "no tokenizer.json of WordPiece, byte pairs or Unigram; AutoTok"),
        ("mpnet", {"model": {"type": "WordPiece", "vocab": {"a": 5}}}, "are not numbered from 0 without a gap"),
    ],
)
def test_rules_for_tokens_that_are_not_known_are_refused(tmp_path: Path, name: str, change: dict, message: str) -> None:
    folder = tmp_path / "net"
    shutil.copytree(NETWORKS / name, folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps({**tokenizer, **change}))
    with pytest.raises(OptionError, match=message):
        backbone.read(str(folder))
