"""Writes the tiny networks of ``tests/prepare/networks/``, and what the libraries transformers and tokenizers make of
some texts and images with them. Needs transformers, sentencepiece, protobuf and torch, which the tests do not:
python tools/make_networks.py
"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import sentencepiece
import torch
import transformers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FOLDER = Path(__file__).parents[1] / "tests" / "prepare" / "networks"
LEARNT = [
    "It was a good film, and the best of the year!",
    "The film's plot isn't new; they've seen 123 better ones.",
    "Ein schöner Film über Größe und Zufall, keine Frage.",
    "Der Film war schlecht. Der schlechteste des Jahres 2024.",
    "映画はとても良かったです。",
]
TEXTS = [
    *LEARNT,
    "",
    "  two  blanks\tand a tab\n and a line ",
    "I'll don't WE'RE naïve café e\u0301te\u0301 ﬁne ½ ² x_y a-b… “quoted” — 100% 12,345.67 😀 \u200d",
    "ÄÖÜ ß ŒUVRE Ångström çà ŁÓDŹ",
    "中文 and English, ไทย, हिन्दी, العربية",
    "a" * 150 + " " + "supercalifragilistic" * 3,
    "the film was good " * 20,
]
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
SIZES = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
PLACES = 76
"""Longer than where MPNet tells all distances apart."""


def wordpiece(special: list[str], lower: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(LEARNT, trainers.WordPieceTrainer(vocab_size=150, special_tokens=special))
    return tokenizer


def byte_pairs() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=ROBERTA, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(LEARNT * 3, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


def unigram() -> Tokenizer:
    """With a table of characters that SentencePiece made of a few rules, as XLM-R has a large one."""
    rules = {"ﬁ": "fi", "e\u0301": "é", "½": "1/2", "  ": " ", "²": "2", "…": "...", "\t": " ", "\n": " ", "\u200d": ""}
    table = "".join(
        f"{' '.join(f'{ord(c):X}' for c in a)}\t{' '.join(f'{ord(c):X}' for c in b)}\n" for a, b in rules.items()
    )
    (FOLDER / "rules.tsv").write_text(table)
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LEARNT * 5), model_writer=file, vocab_size=110, model_type="unigram",
        normalization_rule_tsv=str(FOLDER / "rules.tsv"), character_coverage=0.99, hard_vocab_limit=False,
    )  # fmt: skip
    (FOLDER / "rules.tsv").unlink()
    proto = sentencepiece_model_pb2.ModelProto.FromString(file.getvalue())
    pieces = [(piece.piece, piece.score) for piece in proto.pieces if piece.type == 1]
    special = [(word, 0.0) for word in ROBERTA[:4]]
    tokenizer = Tokenizer(models.Unigram([*special, *pieces, ("<mask>", 0.0)], unk_id=3, byte_fallback=False))
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in ROBERTA])
    tokenizer.normalizer = normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return tokenizer


def around(tokenizer: Tokenizer, processor: type, begin: str, end: str) -> Tokenizer:
    tokenizer.post_processor = processor((end, tokenizer.token_to_id(end)), (begin, tokenizer.token_to_id(begin)))
    return tokenizer


def save_weights(name: str, network: torch.nn.Module, spread: float) -> Path:
    """A folder anew, with normal weights."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, spread)
    network.eval().save_pretrained(folder)
    return folder


def save(name: str, tokenizer: Tokenizer, network: torch.nn.Module) -> None:
    folder = save_weights(name, network, spread=0.7)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": PLACES}))
    tokenizer.enable_truncation(PLACES)
    tokens = [tokenizer.encode(text).ids for text in TEXTS]
    with torch.no_grad():
        vectors = [network(torch.tensor([ids])).last_hidden_state[0].mean(dim=0) for ids in tokens]
    vectors = [[round(x, 6) for x in (v / v.norm()).tolist()] for v in vectors]
    content = {"texts": TEXTS, "tokens": tokens, "vectors": vectors}
    (folder / "expected.json").write_text(json.dumps(content, ensure_ascii=False) + "\n")


def save_images(name: str, network: torch.nn.Module, side: int) -> None:
    """With the vectors of four images of random points."""
    folder = save_weights(name, network, spread=0.5)
    content = {"size": {"height": side, "width": side}, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.25]}
    (folder / "preprocessor_config.json").write_text(json.dumps(content))
    points = torch.tensor(np.random.default_rng(0).random((4, 3, side, side)), dtype=torch.float32)
    mean, std = (torch.tensor(content[key]).reshape(1, 3, 1, 1) for key in ("image_mean", "image_std"))
    more = {"interpolate_pos_encoding": True} if name == "vit" else {}
    with torch.no_grad():
        states = network((points - mean) / std, **more).last_hidden_state
    vectors = states[:, :2].mean(dim=1) if name == "deit" else states[:, 0]
    if name == "convnext":
        with torch.no_grad():
            vectors = network((points - mean) / std).pooler_output
    content = {"vectors": [[round(x, 6) for x in vector.tolist()] for vector in vectors]}
    (folder / "expected.json").write_text(json.dumps(content) + "\n")


def images() -> None:
    sizes = {**SIZES, "image_size": 16, "patch_size": 4}
    save_images("vit", transformers.ViTModel(transformers.ViTConfig(**sizes), add_pooling_layer=False), 24)
    save_images("deit", transformers.DeiTModel(transformers.DeiTConfig(**sizes), add_pooling_layer=False), 16)
    sizes = {**sizes, "mlp_ratio": 2, "layerscale_value": 0.3}
    save_images("dinov2", transformers.Dinov2Model(transformers.Dinov2Config(**sizes)), 20)
    config = transformers.Dinov2WithRegistersConfig(**sizes, num_register_tokens=3)
    save_images("dinov2-registers", transformers.Dinov2WithRegistersModel(config), 16)
    config = transformers.ConvNextConfig(hidden_sizes=[4, 6, 8, 10], depths=[1, 2, 1, 1])
    save_images("convnext", transformers.ConvNextModel(config), 64)


def main() -> None:
    torch.manual_seed(0)
    texts()
    images()


def texts() -> None:
    cased = around(wordpiece(BERT, lower=False), processors.BertProcessing, "[CLS]", "[SEP]")
    config = transformers.BertConfig(vocab_size=cased.get_vocab_size(), max_position_embeddings=PLACES, **SIZES)
    save("bert-cased", cased, transformers.BertModel(config, add_pooling_layer=False))
    uncased = around(wordpiece(BERT, lower=True), processors.BertProcessing, "[CLS]", "[SEP]")
    config = transformers.DistilBertConfig(
        vocab_size=uncased.get_vocab_size(), max_position_embeddings=PLACES, dim=8, hidden_dim=12, n_layers=2, n_heads=2
    )
    save("distilbert", uncased, transformers.DistilBertModel(config))
    more = {"max_position_embeddings": PLACES + 2, "layer_norm_eps": 1e-5, **SIZES}
    words = around(wordpiece([*ROBERTA, "[UNK]"], lower=True), processors.RobertaProcessing, "<s>", "</s>")
    config = transformers.MPNetConfig(vocab_size=words.get_vocab_size(), **more)
    save("mpnet", words, transformers.MPNetModel(config, add_pooling_layer=False))
    pairs = byte_pairs()
    config = transformers.RobertaConfig(vocab_size=pairs.get_vocab_size(), type_vocab_size=1, **more)
    save("roberta", pairs, transformers.RobertaModel(config, add_pooling_layer=False))
    pieces = unigram()
    config = transformers.XLMRobertaConfig(vocab_size=pieces.get_vocab_size(), type_vocab_size=1, **more)
    save("xlm-roberta", pieces, transformers.XLMRobertaModel(config, add_pooling_layer=False))


if __name__ == "__main__":
    main()
