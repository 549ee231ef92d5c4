"""``--backbone FOLDER``: a network of the user's own, trained elsewhere, that reads texts or images.

A folder as model hubs have them: ``config.json`` and ``model.safetensors`` of transformers, sentence-transformers or
timm (``text_checkpoints``, ``image_checkpoints``), or for images an ONNX file.
Nothing in it is run as code, and nothing is fetched from anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from sortal.core.errors import OptionError
from sortal.core.plain import quoted
from sortal.core.schema import Column
from sortal.engine import compile as compile_program
from sortal.engine.once import digest
from sortal.engine.onnx import network
from sortal.engine.onnx_file import Graph
from sortal.engine.program import Program
from sortal.prepare.checkpoint import CONFIG, WEIGHTS, description
from sortal.prepare.embedding import encoded
from sortal.prepare.half_precision import difference, halved, is_same
from sortal.prepare.image_checkpoints import TRANSFORMERS, exported_network, image_network, is_known
from sortal.prepare.text_checkpoints import LAYOUTS, text_network
from sortal.prepare.view import EncodedColumn, Labels, View

RUN = (
    f"what is run: for texts {', '.join(LAYOUTS)}; for images {', '.join(TRANSFORMERS)}, "
    "ViT, DeiT, ConvNeXt and ResNet of timm, or one ONNX file"
)
WHOLE = 2**27
"""Bytes of weights that are kept as they are; of more, 16 bits a number are."""
MOST_KEPT = 8
"""Networks in memory: more than anybody gives one run, and an end where a long process reads them again and again."""
MOST_DIFFERENCE = 0.01
"""Of the vectors of a network in 16 bits from those in 32, as a share of their length; .001 is usual."""


@dataclass(frozen=True)
class Backbone:
    """A network for a kind of column (``encoding``). ``reader``: the op, with its settings, that makes a value what the
    network takes, and its arrays. ``note``: what it is and how it is run, for people.
    """

    name: str
    encoding: Literal["text", "image"]
    reader: Program
    network: Program
    note: str

    def program(self, column: str) -> Program:
        """Of a column the vectors of its values, each made once."""
        settings = {**self.reader.settings, "column": column}
        reader = Program(self.reader.op, settings, self.reader.arrays)
        return Program("once", {"column": column}, steps=(reader.then(self.network),))

    @property
    def row_seconds(self) -> float:
        """What a value takes at most, by the operations that it costs."""
        return compile_program(self.network).step.cost.row * 1e-9


@dataclass(frozen=True)
class BackbonePreparer:
    """The numbers that the network in the view's folder makes of a text or an image."""

    def program(self, column: str, view: View) -> Program:
        return read(view.backbone).program(column)

    def fit(self, column: Column, values: Any, labels: Labels, view: View, seed: int) -> EncodedColumn:
        return encoded(column, self.program(column.name, view))


preparer = BackbonePreparer()


def read(folder: str) -> Backbone:
    """The network in a folder; read again only where a file in it has changed.

    Raises OptionError, with what to do, where there is none that is run.
    """
    path = Path(folder)
    if not path.is_dir():
        raise OptionError(
            f"--backbone {quoted(folder)} is no folder here, and no network is fetched from a hub: fetch it once (hf "
            f"download NAME --local-dir FOLDER), and give that folder"
        )
    files = sorted(file for file in (*path.glob("*"), *path.glob("1_Pooling/*")) if file.is_file())
    return _read(path, tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=MOST_KEPT)
def _read(path: Path, files: tuple[tuple[str, int, int], ...]) -> Backbone:
    """``files``: as they are now."""
    graphs = [Path(name) for name, *_ in files if name.endswith(".onnx")]
    config = description(path, CONFIG)
    try:
        whole = (path / WEIGHTS).is_file()
        if config.get("model_type") in LAYOUTS and whole:
            reader, graph, most = text_network(path, config)
            backbone = _backbone(path, "text", reader, graph, most, f"reads {most} tokens of a text")
        elif is_known(config) and whole:
            backbone = _of_images(path, *image_network(path, config))
        elif len(graphs) == 1:
            backbone = _of_images(path, *exported_network(path, graphs[0], config))
        else:
            kind = config.get("model_type", config.get("architecture"))
            what = f"its network is a {str(kind)[:40]!r}" if kind and whole else f"it has no {WEIGHTS} with a {CONFIG}"
            if any(path.glob("*.bin")) and not whole:
                what = (
                    f"its weights are in a file that could run code, which is not read; save_pretrained(FOLDER) of "
                    f"transformers writes {WEIGHTS}, without which it has no network"
                )
            raise ValueError(f"{what}, and {len(graphs)} ONNX files; {RUN}")
        compile_program(backbone.program("x"))
    except (ValueError, KeyError, OSError) as error:
        reason = f"lacks the weights {error}" if isinstance(error, KeyError) else str(error)
        raise OptionError(f"--backbone {quoted(str(path))} cannot be used: {reason}") from None
    return backbone


def _of_images(path: Path, graph: Graph, side: int) -> Backbone:
    reader = Program("raster", {"side": side, "read": "colour"})
    return _backbone(path, "image", reader, graph, 3 * side**2, f"reads images of {side} by {side} points")


def _backbone(
    path: Path, encoding: Literal["text", "image"], reader: Program, graph: Graph, columns: int, reads: str
) -> Backbone:
    """A network with weights of 32 bits, or, where they are many, of 16. Raises ValueError where these do not do."""
    size, precision = sum(array.nbytes for array in graph.constants.values()), ""
    if size > WHOLE:
        small = halved(graph)
        gap = 0.0 if is_same(graph, small) else difference(graph, small, columns)
        if not gap <= MOST_DIFFERENCE:
            raise ValueError(f"its vectors differ by {gap:.1%} in 16 bits from those in 32, for which it is too big")
        precision = f": vectors differ by {gap:.2%} from those in 32" if gap else ", as it was saved"
        graph, precision = small, f" in 16 bits{precision}"
    program = network(graph, columns)
    name = f"{path.resolve().name} {digest(program).hex()[:8]}"  # with other weights it is another network
    million = sum(array.size for array in graph.constants.values()) / 1e6
    megabytes = program.arrays["graph"].nbytes / 1e6
    note = f"backbone {name} {reads}, has {million:.3g} million weights and {megabytes:.3g} MB{precision}"
    return Backbone(name, encoding, reader, program, note)
