"""Networks for texts as transformers and sentence-transformers save them, as ONNX networks and what parts their texts.

All are a BERT in their layers, and differ in where weights and sizes stand, in where places begin and in tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sortal.engine.onnx import MOST_TOKENS, PLACES, TOKENS
from sortal.engine.onnx_file import Graph
from sortal.engine.onnx_shapes import trace
from sortal.engine.program import Array, Program
from sortal.prepare import bert, tokenizer_file
from sortal.prepare.checkpoint import CONFIG, WEIGHTS, count, description, weights

USUAL_TOKENS = 128
"""Of a text, where the folder says nothing: as many as most networks for sentences were trained with."""
LENGTHS = (MOST_TOKENS, 192, 128, 96, 64)
"""Of a text, the most tokens that are read: as many as the network was trained with and as fit into a second."""


MOST_OPERATIONS = 10**9
"""Of a text: a second, of which a network of the size of BERT base takes .8 for 128 tokens, as a bound."""


@dataclass(frozen=True)
class Layout:
    """``prefix``: before names of weights, where a class is around the network. ``names``: parts of names, and those
    of BERT. ``sizes``: names in the description, by those of BERT. ``first``: places before that of the first token.
    """

    prefix: str
    names: tuple[tuple[str, str], ...] = ()
    sizes: Mapping[str, str] = field(default_factory=dict)
    first: int = 0


_ROBERTA = Layout("roberta.", first=2)
LAYOUTS: Mapping[str, Layout] = {
    "bert": Layout("bert."),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "distilbert": Layout(
        "distilbert.",
        (
            ("transformer.layer.", "encoder.layer."),
            ("attention.q_lin", "attention.self.query"),
            ("attention.k_lin", "attention.self.key"),
            ("attention.v_lin", "attention.self.value"),
            ("attention.out_lin", "attention.output.dense"),
            ("sa_layer_norm", "attention.output.LayerNorm"),
            ("ffn.lin1", "intermediate.dense"),
            ("ffn.lin2", "output.dense"),
            ("output_layer_norm", "output.LayerNorm"),
        ),
        {
            "num_hidden_layers": "n_layers",
            "num_attention_heads": "n_heads",
            "hidden_size": "dim",
            "hidden_act": "activation",
        },
    ),
    "mpnet": Layout(
        "mpnet.",
        (
            ("attention.attn.q.", "attention.self.query."),
            ("attention.attn.k.", "attention.self.key."),
            ("attention.attn.v.", "attention.self.value."),
            ("attention.attn.o.", "attention.output.dense."),
            ("attention.LayerNorm", "attention.output.LayerNorm"),
            ("encoder.relative_attention_bias", "relative_attention_bias"),
        ),
        first=2,
    ),
}
"""By what the description calls the network (``model_type``)."""


def text_network(path: Path, config: dict[str, Any]) -> tuple[Program, Graph, int]:
    """What parts a text into tokens, the network, and how many tokens it reads.

    Raises ValueError, in a few words, for what is not run, and KeyError for weights that are not there.
    """
    layout = LAYOUTS[config["model_type"]]
    shape = _shape(path, config, layout)
    try:
        tensors = _named(weights(path), layout)
        graph = bert.network(tensors, shape)
        if more := sorted(name for name in tensors if name[0].isdigit() and name not in graph.constants):
            raise ValueError(f"it is no plain {config['model_type']}: it has weights {more[0]!r}")
        places = count(config, "max_position_embeddings") - layout.first
        most = _fitting(graph, min(_most_tokens(path), MOST_TOKENS, places))
        return tokenizer_file.reader(path, most), graph, most
    except (TypeError, AttributeError):
        raise ValueError(f"{CONFIG} or another description in it has not the form of transformers") from None
    except IndexError:
        raise ValueError(f"a tensor in {WEIGHTS} has another shape than that of a {config['model_type']}") from None


def _shape(path: Path, config: dict[str, Any], layout: Layout) -> bert.BertShape:
    settings = {**config, **{name: config.get(other) for name, other in layout.sizes.items()}}
    if (settings.get("hidden_act") or "gelu") != "gelu":
        raise ValueError(f"its layers have the activation {settings['hidden_act']!r}, and those with 'gelu' are run")
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ValueError(f"its places are {config['position_embedding_type']!r}, and those that are 'absolute' are run")
    layers, heads, width = (
        count(settings, name, layout.sizes.get(name, name))
        for name in ("num_hidden_layers", "num_attention_heads", "hidden_size")
    )
    pooling, unit = _pooling(path)
    epsilon = float(config.get("layer_norm_eps", 1e-12))
    return bert.BertShape(layers, heads, width, epsilon, pooling, unit, layout.first)


def _pooling(path: Path) -> tuple[bert.Pooling, bool]:
    """What sentence-transformers makes of the vectors of tokens, and whether of length one; without a word of that,
    their mean, and so.
    """
    pooling, unit = description(path, "1_Pooling/config.json"), True
    modes = {name.removeprefix("pooling_mode_") for name, value in pooling.items() if value is True} - {
        "include_prompt"
    }
    modes = {str(pooling["pooling_mode"])} if "pooling_mode" in pooling else modes  # sentence-transformers since 6
    first, mean = {"cls_token", "cls"}, {"mean_tokens", "mean"}
    if pooling and (len(modes) != 1 or not modes <= first | mean):
        raise ValueError("1_Pooling/config.json asks for another vector than the mean of all tokens, or the first")
    modules = description(path, "modules.json")
    if modules:
        kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
        if unknown := [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]:
            raise ValueError(f"modules.json has a module {unknown[0]!r}, which is not run")
        unit = "Normalize" in kinds
    return "first" if modes & first else "mean", unit


def _named(tensors: dict[str, Array], layout: Layout) -> dict[str, Array]:
    """Weights by the names that BERT has for them."""
    by_name = {}
    for source_name, array in tensors.items():
        name = source_name.removeprefix(layout.prefix)
        for part, other in layout.names:
            name = name.replace(part, other)
        by_name[name.removeprefix("encoder.layer.")] = array
    return by_name


def _most_tokens(path: Path) -> int:
    """As many as it was trained with: sentence-transformers says that here or, since 6, there."""
    max_length = description(path, "sentence_bert_config.json").get("max_seq_length")
    if max_length is None and (path / "modules.json").is_file():
        max_length = description(path, "tokenizer_config.json").get("model_max_length")
    return int(max_length or USUAL_TOKENS)


def _fitting(graph: Graph, most: int) -> int:
    """As many tokens, or as fit into a second. Raises ValueError where that are too few to tell anything."""
    lengths = (most, *(length for length in LENGTHS if length < most))
    for length in lengths:
        try:
            if trace(graph, {TOKENS: (1, length), PLACES: (length,)}).operations <= MOST_OPERATIONS:
                return length
        except ValueError:  # it takes too much memory, or does not fit together at all
            if length == lengths[-1]:
                raise
    raise ValueError(f"it takes more than a second for {lengths[-1]} tokens of a text; give a smaller one")
