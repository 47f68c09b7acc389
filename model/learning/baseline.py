"""The baseline: TF-IDF and logistic regression, which a network must beat to be worth its cost."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from model.errors import BadData
from model.learning.evaluation import best_threshold
from model.schema import Example
from model.serving.calibration import Matrix, sigmoid
from model.serving.lexical import LONGEST_PHRASE, LONGEST_PIECE, SHORTEST_PIECE, LexicalModel, load_lexical
from model.serving.normalise import normalise

_ANALYSERS: tuple[dict[str, Any], ...] = (
    {"analyzer": "word", "ngram_range": (1, LONGEST_PHRASE)},
    {"analyzer": "char_wb", "ngram_range": (SHORTEST_PIECE, LONGEST_PIECE)},
)
# 10: the best of 1, 4, 10 on MULTI3NLU++ banking (micro-F1 85.5, 86.6, 87.1).
_INVERSE_REGULARISATION = 10.0
_ENOUGH_TEXTS = 300  # from here on a term seen once is left out: half the size, and no worse
_MOST_TERMS = 200_000  # of either kind, the most frequent: so many fit a worker's memory beside the network, however many texts


@dataclass(frozen=True)
class Baseline:
    """The lexical model alone: logistic regression, one label against the rest, with one threshold from dev."""

    lexical: LexicalModel
    threshold: float

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the labels, in the order of the scores."""
        return self.lexical.labels

    def scores(self, texts: Sequence[str]) -> Matrix:
        """Return probabilities, texts x labels; not calibrated, since the classes were balanced in training."""
        return sigmoid(self.lexical.logits(texts))

    def predict(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the labels at or above the threshold for each text, strongest first."""
        return [
            tuple(self.labels[at] for at in np.argsort(-row, kind="stable") if row[at] >= self.threshold)
            for row in self.scores(texts)
        ]

    def save(self, folder: Path) -> None:
        """Write the lexical model's two files into `folder`, with the threshold."""
        self.lexical.save(folder, self.threshold)


def fit_baseline(
    train: Sequence[Example],
    dev: Sequence[Example],
    labels: Sequence[str],
    kind: Literal["logistic", "svc"] = "logistic",
    on_share: Callable[[float], None] = lambda _: None,
) -> Baseline:
    """Fit on `train` and choose the threshold on `dev` (0.5 without dev); unknown labels of an example do not count.

    `svc` is a linear support vector classifier: a yardstick only, since nothing makes probabilities of its margins. `on_share`
    is told how much of the work is done, 0..1. Raises BadData where `train` holds no word at all.
    """
    from scipy.sparse import hstack

    texts = [normalise(example.text) for example in train]
    vectorizers = [_vectorizer(analyser, min_df=2 if len(texts) >= _ENOUGH_TEXTS else 1) for analyser in _ANALYSERS]
    try:
        counted = [_counted(texts, on_share, at / 4, 1 / 4) for at in range(len(vectorizers))]
        found = [vectorizer.fit_transform(each) for vectorizer, each in zip(vectorizers, counted, strict=True)]
        features = hstack(found, format="csr")
        del found
    except ValueError:
        raise BadData(f"the {len(texts)} training messages hold no words to learn from") from None
    truth, known = truth_of(train, labels)
    with one_blas_thread():
        models = []
        for at in range(len(labels)):
            judged = known[:, at] > 0
            models.append(_fit_label(kind, features if judged.all() else features[judged], truth[judged, at]))
            on_share(0.5 + 0.5 * (at + 1) / len(labels))
    words, pieces = (sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__) for vectorizer in vectorizers)
    lexical = LexicalModel(
        tuple(labels),
        {term: at for at, term in enumerate(words)},
        {term: at for at, term in enumerate(pieces, start=len(words))},
        np.concatenate([vectorizer.idf_ for vectorizer in vectorizers]).astype(np.float32),
        np.stack([weights for weights, _ in models], axis=1).astype(np.float32),
        np.array([bias for _, bias in models], dtype=np.float32),
    )
    baseline = Baseline(lexical, threshold=0.5)
    if not dev:
        return baseline
    return replace(baseline, threshold=best_threshold(baseline.scores([e.text for e in dev]), *truth_of(dev, labels)))


def _counted(texts: Sequence[str], on_share: Callable[[float], None], before: float, part: float) -> Iterator[str]:
    """Yield the texts, and tell after every hundredth of them how much is done: `before`, and their share of `part`."""
    every = max(1, len(texts) // 100)
    for at, text in enumerate(texts, start=1):
        yield text
        if at % every == 0:
            on_share(before + part * at / len(texts))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS use one thread, for solvers that add up short vectors: a second one is waited for longer than it computes.

    Beside other work, fourteen labels on 1,455 messages took 10.1 s of CPU on two threads and 1.5 s on one (2 CPU cores, load
    15, 2026-11).
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def load_baseline(folder: Path) -> Baseline:
    """Load the baseline that `save` wrote into `folder`; raise BrokenVersion naming the file that is missing or altered."""
    return Baseline(*load_lexical(folder))


def truth_of(examples: Sequence[Example], labels: Sequence[str]) -> tuple[Matrix, Matrix]:
    """Return (truth, known), examples x labels, 0 or 1: which labels apply, and for which of them that is known at all."""
    truth = np.array([[label in example.labels for label in labels] for example in examples], dtype=np.float64)
    known = np.array([[label not in example.unknown for label in labels] for example in examples], dtype=np.float64)
    shape = (len(examples), len(labels))
    return truth.reshape(shape), known.reshape(shape)


def _vectorizer(analyser: dict[str, Any], **settings: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        lowercase=True,
        strip_accents="unicode",
        sublinear_tf=True,
        dtype=np.float32,
        max_features=_MOST_TERMS,
        **analyser,
        **settings,
    )


def _fit_label(kind: str, features: Any, truth: Matrix) -> tuple[Matrix, float]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    if not 0 < truth.sum() < len(truth):
        # One kind of answer only: always that one.
        return np.zeros(features.shape[1]), 10.0 if truth.any() else -10.0
    if kind == "svc":
        model = LinearSVC(C=1.0, class_weight="balanced", random_state=0)
    else:
        model = LogisticRegression(C=_INVERSE_REGULARISATION, class_weight="balanced", solver="liblinear", random_state=0)
    model.fit(features, truth)
    return model.coef_[0], float(model.intercept_[0])
