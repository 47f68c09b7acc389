"""The baseline: TF-IDF and logistic regression, which a network must beat to be worth its cost."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.errors import BadData, BrokenVersion
from model.learning.evaluation import best_threshold
from model.schema import Example
from model.serving.calibration import Matrix
from model.serving.normalise import normalise

DESCRIPTION_FILE = "baseline.json"
WEIGHTS_FILE = "baseline.safetensors"
FORMER_NAMES = {DESCRIPTION_FILE: "floor.json", WEIGHTS_FILE: "floor.safetensors"}  # in the folders that 0.1.0 wrote

# Words and word pairs beside character pieces: the pieces forgive typos and missing accents.
_ANALYSERS: dict[str, dict[str, Any]] = {
    "words": {"analyzer": "word", "ngram_range": (1, 2)},
    "pieces": {"analyzer": "char_wb", "ngram_range": (2, 5)},
}
# 10: the best of 1, 4, 10 on MULTI3NLU++ banking (micro-F1 85.5, 86.6, 87.1).
_INVERSE_REGULARISATION = 10.0
_ENOUGH_TEXTS = 300  # from here on a term seen once is left out: half the size, and no worse


@dataclass(frozen=True)
class Baseline:
    """A fitted TF-IDF + logistic regression, one label against the rest, with one threshold from dev."""

    labels: tuple[str, ...]
    vectorizers: tuple[Any, ...]  # scikit-learn's TfidfVectorizer, in the order of _ANALYSERS
    weights: Matrix  # labels x terms
    bias: Matrix  # labels
    threshold: float

    def scores(self, texts: Sequence[str]) -> Matrix:
        """Return probabilities, texts x labels; not calibrated, since the classes were balanced in training."""
        if not texts:
            return np.zeros((0, len(self.labels)))
        logits = _features(self.vectorizers, texts) @ self.weights.T + self.bias
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float64)

    def predict(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the labels at or above the threshold for each text, strongest first."""
        return [
            tuple(self.labels[at] for at in np.argsort(-row, kind="stable") if row[at] >= self.threshold)
            for row in self.scores(texts)
        ]

    def weigh(self, piece: str) -> Matrix:
        """Return by how much one more `piece` of a text ("tarje", or "##tas" inside a word) raises each label's logit."""
        words, pieces = self.vectorizers
        plain = pieces.build_preprocessor()(piece.removeprefix("##"))
        spelled = plain if piece.startswith("##") else f" {plain}"
        shortest, longest = pieces.ngram_range
        terms = (
            spelled[at : at + size]
            for size in range(shortest, longest + 1)
            for at in range(len(spelled) - size + 1)
        )  # fmt: skip
        columns = [(pieces, pieces.vocabulary_.get(term), len(words.vocabulary_)) for term in terms]
        if not piece.startswith("##"):
            columns.append((words, words.vocabulary_.get(plain), 0))
        weight = np.zeros(len(self.labels))
        for vectorizer, column, before in columns:
            if column is not None:
                weight += vectorizer.idf_[column] * self.weights[:, before + column]
        return weight

    def save(self, folder: Path) -> None:
        """Write baseline.json (terms, labels, threshold) and baseline.safetensors (numbers) into `folder`."""
        from safetensors.numpy import save_file

        terms = {
            name: sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.get)
            for name, vectorizer in zip(_ANALYSERS, self.vectorizers, strict=True)
        }
        description = {"labels": self.labels, "threshold": self.threshold, "terms": terms}
        (folder / DESCRIPTION_FILE).write_text(json.dumps(description, ensure_ascii=False) + "\n", encoding="utf-8")
        tensors = {"weights": self.weights, "bias": self.bias}
        for name, vectorizer in zip(_ANALYSERS, self.vectorizers, strict=True):
            tensors[f"idf.{name}"] = vectorizer.idf_
        save_file({name: np.ascontiguousarray(t, np.float32) for name, t in tensors.items()}, folder / WEIGHTS_FILE)


def fit_baseline(train: Sequence[Example], dev: Sequence[Example], labels: Sequence[str]) -> Baseline:
    """Fit on `train` and choose the threshold on `dev` (0.5 without dev); unknown labels of an example do not count.

    Raises BadData where `train` holds no word at all.
    """
    texts = [normalise(example.text) for example in train]
    vectorizers = tuple(_vectorizer(name, min_df=2 if len(texts) >= _ENOUGH_TEXTS else 1) for name in _ANALYSERS)
    try:
        for vectorizer in vectorizers:
            vectorizer.fit(texts)
    except ValueError:
        raise BadData(f"the {len(texts)} training messages hold no words to learn from") from None
    features = _features(vectorizers, texts)
    truth, known = truth_of(train, labels)
    models = [_fit_label(features[known[:, at] > 0], truth[known[:, at] > 0, at]) for at in range(len(labels))]
    weights = np.stack([weights for weights, _ in models])
    bias = np.array([bias for _, bias in models])
    baseline = Baseline(tuple(labels), vectorizers, weights, bias, threshold=0.5)
    if not dev:
        return baseline
    threshold = best_threshold(baseline.scores([example.text for example in dev]), *truth_of(dev, labels))
    return Baseline(baseline.labels, vectorizers, weights, bias, threshold)


def load_baseline(folder: Path) -> Baseline:
    """Load the baseline that `save` wrote into `folder`; raise BrokenVersion naming the file that is missing or altered."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    description_file, weights_file = _file(folder, DESCRIPTION_FILE), _file(folder, WEIGHTS_FILE)
    try:
        description = json.loads(description_file.read_text(encoding="utf-8"))
        labels, threshold = tuple(description["labels"]), float(description["threshold"])
        terms = {name: list(description["terms"][name]) for name in _ANALYSERS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenVersion(f"{description_file}: {error}") from error
    try:
        tensors = load_file(weights_file)
        vectorizers = tuple(_vectorizer(name, vocabulary=terms[name]) for name in _ANALYSERS)
        for name, vectorizer in zip(_ANALYSERS, vectorizers, strict=True):
            vectorizer.idf_ = tensors[f"idf.{name}"]
        weights, bias = tensors["weights"], tensors["bias"]
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise BrokenVersion(f"{weights_file}: {error}") from error
    if weights.shape != (len(labels), sum(map(len, terms.values()))) or bias.shape != (len(labels),):
        raise BrokenVersion(f"{weights_file}: its shapes do not fit {description_file.name}")
    return Baseline(labels, vectorizers, weights.astype(np.float64), bias.astype(np.float64), threshold)


def _file(folder: Path, name: str) -> Path:
    former = folder / FORMER_NAMES[name]
    return former if former.exists() else folder / name


def truth_of(examples: Sequence[Example], labels: Sequence[str]) -> tuple[Matrix, Matrix]:
    """Return (truth, known), examples x labels, 0 or 1: which labels apply, and for which of them that is known at all."""
    truth = np.array([[label in example.labels for label in labels] for example in examples], dtype=np.float64)
    known = np.array([[label not in example.unknown for label in labels] for example in examples], dtype=np.float64)
    shape = (len(examples), len(labels))
    return truth.reshape(shape), known.reshape(shape)


def _vectorizer(name: str, **settings: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        lowercase=True, strip_accents="unicode", sublinear_tf=True, dtype=np.float32, **_ANALYSERS[name], **settings
    )


def _features(vectorizers: Iterable[Any], texts: Sequence[str]) -> Any:
    """Return a sparse matrix, texts x terms."""
    from scipy.sparse import hstack

    normalised = [normalise(text) for text in texts]
    return hstack([vectorizer.transform(normalised) for vectorizer in vectorizers]).tocsr()


def _fit_label(features: Any, truth: Matrix) -> tuple[Matrix, float]:
    from sklearn.linear_model import LogisticRegression

    if not 0 < truth.sum() < len(truth):
        # One kind of answer only: always that one.
        return np.zeros(features.shape[1]), 10.0 if truth.any() else -10.0
    model = LogisticRegression(C=_INVERSE_REGULARISATION, class_weight="balanced", solver="liblinear", random_state=0)
    model.fit(features, truth)
    return model.coef_[0], float(model.intercept_[0])
