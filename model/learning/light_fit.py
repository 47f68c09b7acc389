"""Fitting what is light in a version: its lexical model, a head on what the base makes of a text, and labels by their names."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model.labels import Taxonomy
from model.learning.baseline import load_baseline, one_blas_thread, truth_of
from model.learning.dataset import split_of
from model.learning.descriptions import BACKGROUND, Describer, sample, unknown_labels, written
from model.learning.judged import Judged
from model.learning.light_head import best_cut, fit_head
from model.learning.retraining import imported_examples, shipped_examples
from model.schema import Example
from model.serving.calibration import Matrix, calibrate, sigmoid
from model.serving.described import Described
from model.serving.head import Head
from model.serving.lexical import LexicalModel, phrases_in, pieces_in, plain
from model.serving.mixture import load_mixture
from model.serving.normalise import normalise
from model.store.registry import Version
from model.store.store import Store
from model.text_key import text_key

if TYPE_CHECKING:
    from model.serving.classifier import Classifier

log = logging.getLogger(__name__)

# The baseline's; from the weights that are there a second fit takes a few steps.
_INVERSE_REGULARISATION = 10.0
_MOST_STEPS = 100
_TOLERANCE = 1e-4
# In nats, relative: less is no matter.
_WORSE = 0.02
# The head makes half as much of a label's logit as its judgements are new among all that it was learnt from, and so many more: a
# few judgements tell nothing, and what was fine-tuned knows more of a message. Below the least it would cost time for nothing.
_NOTHING_NEW = 5
_TRUST = 0.5
_LEAST_SHARE = 0.02
# Its cut is sought again once there are so many times as many texts.
_GROWN = 1.1
# A head of some hundred weights a label has enough of so many texts: the newest.
_MOST_FITTED = 5_000


Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """What was judged at a moment: the labels, until when the version has learnt, and by message what people said."""

    taxonomy: Taxonomy
    until: float  # microseconds
    judged: Mapping[int, Judged]

    @property
    def new(self) -> int:
        """Return how many judged messages the version has not learnt from."""
        return sum(each.at > self.until for each in self.judged.values())


@dataclass(frozen=True)
class LightParts:
    """What was fitted: each None where it does not serve; and the log loss of the lexical model before and after."""

    lexical: LexicalModel | None = None
    head: Head | None = None
    described: Described | None = None
    losses: tuple[float, float] | None = None

    @property
    def speaks(self) -> tuple[str, ...]:
        """Return the labels that speak by what is written of them."""
        return () if self.described is None else self.described.speaks


@dataclass(frozen=True)
class _Known:
    """What there is to learn from: `train`, of which the last `new` were judged since the version was trained, and `check`."""

    train: list[Example]
    new: int
    check: list[Example]


class LightFitter:
    """Fits the light parts of one version again and again; what did not change is not fitted again. For one thread."""

    def __init__(self, store: Store, version: Version) -> None:
        """Raise BrokenVersion where the version's lexical model cannot be read."""
        self.version = version
        self._store = store
        self.before = load_baseline(version.folder).lexical
        self._model = self.before
        self._serves = load_mixture(version.folder).lexical > 0
        self._learnt_dev = bool(version.card.settings.get("learns_dev_too"))
        self._classifier: Classifier | None = None
        self._head: Head | None = None
        self._cut = (0.5, 0)  # the head's best one, and of how many texts
        self._meanings: dict[str, NDArray[np.float16]] = {}
        self._plain: dict[str, str] = {}
        self._rows: dict[str, tuple[NDArray[np.int64], Matrix]] = {}
        self._read: tuple[tuple[Any, ...], list[Example]] | None = None
        self._terms_of: set[str] = set()  # the texts whose terms were added
        self._fitted: dict[int, bytes] = {}  # by column: what it was fitted on
        self._describer = Describer(version.folder)
        self._background: list[str] = []

    def fit(self, reading: Reading) -> LightParts:
        """Fit anew from what is judged; where the version has learnt from all of it, nothing is fitted."""
        taxonomy = reading.taxonomy
        parts = LightParts(described=self._describe(reading))
        if not reading.new or not self._serves:
            return parts
        known = self._known(reading)
        self._learn_terms([each.example.text for each in reading.judged.values()])
        self._fit(known, taxonomy)
        losses = self._losses(known.check, taxonomy)
        means = None if losses is None else (float(losses[0].mean()), float(losses[1].mean()))
        if losses is not None and means is not None and _is_worse(*losses):
            log.warning("what was judged makes the lexical model worse on dev (%.4f -> %.4f nats): it does not serve", *means)
            return replace(parts, losses=means)
        return replace(parts, lexical=self._model, head=self._fit_head(known, taxonomy), losses=means)

    def _describe(self, reading: Reading) -> Described | None:
        """Return what lets labels speak that the version was not taught, by what is written of them and judged so far."""
        taxonomy, until = reading.taxonomy, reading.until
        speaks = unknown_labels(taxonomy, self.version.card)
        if not speaks or not self._describer.can:
            return None
        if not self._background:  # the measure of what is usual stays the same while this version serves
            recent = [text for _, text in self._store.messages.recent_texts(BACKGROUND)]
            shipped = [example.text for example in self._shipped(taxonomy)]
            self._background = [*sample(recent, BACKGROUND), *sample(shipped, BACKGROUND)][:BACKGROUND]
        splits = self._store.examples.splits()
        before = [
            *imported_examples(self._store, taxonomy),
            *(each.example for each in reading.judged.values() if each.at <= until),
        ]
        learnt = [each for each in before if (splits.get(text_key(each.text)) or split_of(each.text)) == "train"]
        learnt += [each.example for each in reading.judged.values() if each.at > until]
        return self._describer.describe(taxonomy, speaks, self._background, learnt)

    def _known(self, reading: Reading) -> _Known:
        """Divide what is known: the splits are those of trainings, but what was judged since the version was made is learnt.

        A version is checked on dev, or, where it has learnt from dev too, on test: on what neither it nor the refit learns
        from. The next training begins anew, so its test split stays one that it knows nothing of.
        """
        taxonomy, judged, until = reading.taxonomy, reading.judged, reading.until
        splits = self._store.examples.splits()
        names = set(taxonomy.names)
        old, new, check = [], [], []
        past = [each.example for each in judged.values() if each.at <= until]
        for example in [*self._shipped(taxonomy), *imported_examples(self._store, taxonomy), *past]:
            if names.issubset(example.unknown) or not self._has_words(example.text):
                continue
            split = splits.get(text_key(example.text)) or split_of(example.text)
            if split == ("test" if self._learnt_dev else "dev"):
                check.append(example)
            elif split in (("train", "dev") if self._learnt_dev else ("train",)):
                old.append(example)
        new = [each.example for each in judged.values() if each.at > until and self._has_words(each.example.text)]
        return _Known([*old, *new], len(new), check)

    def _has_words(self, text: str) -> bool:
        return bool(self._plain_of(text).strip())

    def _plain_of(self, text: str) -> str:
        if text not in self._plain:
            self._plain[text] = plain(normalise(text))
        return self._plain[text]

    def _shipped(self, taxonomy: Taxonomy) -> list[Example]:
        """Return the shipped messages, read once for each set of labels."""
        of = (taxonomy.labels, taxonomy.renamed, taxonomy.absent)
        if self._read is None or self._read[0] != of:
            self._read = of, shipped_examples(taxonomy)
        return self._read[1]

    def _learn_terms(self, texts: Sequence[str]) -> None:
        """Add the terms of these texts that the version has not met, as rare as a term can be.

        Texts that nobody judged have none of them: where one has such a term, it was too rare to be kept.
        """
        if not self._terms_of.issubset(texts):  # terms of what was taken back would weigh on
            self._model, self._rows, self._fitted, self._terms_of = self.before, {}, {}, set()
        words, pieces = dict(self._model.words), dict(self._model.pieces)
        at = len(self._model.idf)
        for text in texts:
            if text in self._terms_of:
                continue
            self._terms_of.add(text)
            self._rows.pop(text, None)
            simple = self._plain_of(text)
            for term in phrases_in(simple):
                at += words.setdefault(term, at) == at
            for term in pieces_in(simple):
                at += pieces.setdefault(term, at) == at
        if (new := at - len(self._model.idf)) == 0:
            return
        model = self._model
        self._model = replace(
            model,
            words=words,
            pieces=pieces,
            added=np.arange(at) >= len(self.before.idf),
            idf=np.concatenate([model.idf, np.full(new, model.idf.max(), np.float32)]),
            weights=np.concatenate([model.weights, np.zeros((new, len(model.labels)), np.float32)]),
        )

    def _features(self, texts: Sequence[str]) -> Any:
        from scipy.sparse import csr_matrix

        for text in texts:
            if text not in self._rows:
                model = self._model if text in self._terms_of else self.before
                parts = model.features(self._plain_of(text))
                columns = np.concatenate([each for each, _ in parts]) if parts else np.zeros(0, np.int64)
                values = np.concatenate([each for _, each in parts]) if parts else np.zeros(0)
                self._rows[text] = columns, values
        rows = [self._rows[text] for text in texts]
        ends = np.cumsum([0, *(len(columns) for columns, _ in rows)])
        columns, values = (np.concatenate(each) for each in zip(*rows, strict=True))
        return csr_matrix((values, columns, ends), shape=(len(texts), len(self._model.idf)))

    def _fit(self, known: _Known, taxonomy: Taxonomy) -> None:
        """Fit the columns of labels of which something new is known; the others are as the version has them."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        texts = [example.text for example in known.train]
        features = self._features(texts)
        weights, bias = self._model.weights.copy(), self._model.bias.copy()
        names = {at: name for name, columns in columns_of(self.before.labels, taxonomy).items() for at in columns}
        hashes = np.array([hash(text) for text in texts])
        truth, is_known = truth_of(known.train, [names.get(at, "") for at in range(len(self.before.labels))])
        for at in names:
            here = np.flatnonzero(is_known[:, at])
            if not is_known[len(texts) - known.new :, at].any():
                if self._fitted.pop(at, None) is not None:
                    weights[:, at], bias[at] = 0, self.before.bias[at]
                    weights[: len(self.before.idf), at] = self.before.weights[:, at]
                continue
            wanted = truth[here, at]
            # Terms are added at the end, so what was fitted on the same texts needs nothing new.
            on = hashes[here].tobytes() + wanted.tobytes()
            if self._fitted.get(at) == on or not 0 < wanted.sum() < len(wanted):
                continue
            self._fitted[at] = on
            model = LogisticRegression(
                C=_INVERSE_REGULARISATION, class_weight="balanced", max_iter=_MOST_STEPS, tol=_TOLERANCE, warm_start=True
            )
            model.classes_, model.coef_, model.intercept_ = np.array([0.0, 1.0]), weights[None, :, at].astype(float), bias[[at]]
            with one_blas_thread(), warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # so many steps are enough where nothing fits well
                model.fit(features[here], wanted)
            weights[:, at], bias[at] = model.coef_[0], model.intercept_[0]
        self._model = replace(self._model, weights=weights, bias=bias)

    def _fit_head(self, known: _Known, taxonomy: Taxonomy) -> Head | None:
        """Fit the head; None where the version's engine gives no meanings, or too little is new to be worth the time."""
        columns = columns_of(self.before.labels, taxonomy)
        names = {at: name for name, of in columns.items() for at in of}
        _, is_known = truth_of(known.train, [names.get(at, "") for at in range(len(self.before.labels))])
        is_known[:, [at for at in range(len(self.before.labels)) if at not in names]] = 0
        split = len(known.train) - known.new
        old, new = is_known[:split].sum(axis=0), is_known[split:].sum(axis=0)
        share = (_TRUST * new / (new + old + _NOTHING_NEW)).astype(np.float32)
        share[share < _LEAST_SHARE] = 0
        if not share.any():
            return None
        # What the labels are called and said to mean is learnt as the training learns it: worth most where messages are few.
        lessons = [
            Example(text=text, labels=(label.name,))
            for label in taxonomy
            if label.name in columns
            for text in dict.fromkeys(written(label))
        ]
        examples = [*lessons, *known.train[-_MOST_FITTED:]]
        meanings = self._meanings_of([example.text for example in examples])
        if meanings is None:
            return None
        truth, is_known = truth_of(examples, [names.get(at, "") for at in range(len(self.before.labels))])
        is_known[:, [at for at in range(len(self.before.labels)) if at not in names]] = 0
        self._head = fit_head(meanings, truth, is_known, share, self._head)
        if len(examples) > _GROWN * self._cut[1]:
            self._cut = best_cut(meanings, truth, is_known, len(lessons)), len(examples)
        # The head's best cut is to lie where the version's is.
        moved = _logit(float(np.mean(list(self.version.card.thresholds.values())))) - _logit(self._cut[0])
        return replace(self._head, bias=self._head.bias + np.float32(moved))

    def _meanings_of(self, texts: Sequence[str]) -> Matrix | None:
        """Return what the base makes of these texts, each worked out once; None where the engine does not give it."""
        from model.serving import classifier

        if self._classifier is None:
            self._classifier = classifier.load(self.version.folder, device="cpu")
        engine = self._classifier.engine
        if not engine.width:
            return None
        if missing := [text for text in dict.fromkeys(texts) if text not in self._meanings]:
            ids = [classifier.cut(each.ids, self._classifier.max_tokens) for each in self._classifier.encode(missing)]
            self._meanings.update(zip(missing, engine.logits_and_meanings(ids)[1].astype(np.float16), strict=True))
        return np.array([self._meanings[text] for text in texts], dtype=np.float64)

    def _losses(self, dev: Sequence[Example], taxonomy: Taxonomy) -> tuple[Vector, Vector] | None:
        """Return the log loss of each of these texts before and after, on the measure that fits before.

        None where they cannot tell.
        """
        first = {name: columns[0] for name, columns in columns_of(self.before.labels, taxonomy).items()}
        truth, known = truth_of(dev, list(first))
        if not 0 < (truth * known).sum() < known.sum():
            return None
        texts, columns = [example.text for example in dev], list(first.values())
        before, after = (model.logits(texts)[:, columns] for model in (self.before, self._model))
        scale, shift = calibrate(before, truth, known)
        return _losses(scale * before + shift, truth, known), _losses(scale * after + shift, truth, known)


def columns_of(labels: Sequence[str], taxonomy: Taxonomy) -> dict[str, list[int]]:
    """Return where these labels of a version stand, by their names of today: of merged ones there are several."""
    columns: dict[str, list[int]] = {}
    for at, label in enumerate(labels):
        for name in taxonomy.today([label]):
            if name in taxonomy:
                columns.setdefault(name, []).append(at)
    return columns


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def _losses(logits: Matrix, truth: Matrix, known: Matrix) -> Vector:
    """Return the mean log loss of each text, over all that is known; those of which nothing is known count nothing."""
    scores = np.clip(sigmoid(logits), 1e-6, 1 - 1e-6)
    likelihood = np.where(truth > 0, scores, 1 - scores)
    found: Vector = -(np.log(likelihood) * known).sum(axis=1) * len(known) / known.sum()
    return found


def _is_worse(before: Vector, after: Vector) -> bool:
    """Return whether the second are worse: by more than a trifle, and by more than chance makes of so few texts."""
    more = after - before
    return bool(more.mean() > _WORSE * before.mean() and more.mean() > 2 * more.std() / np.sqrt(len(more)))
