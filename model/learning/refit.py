"""Learning at once: the live version's lexical model is fitted anew from everything that people judged, within a second.

The encoder is not touched. Where people judged the very same text, what they said stands. What a message of the dev or test
split says is known again and never learnt from, as in a training.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.labels import Taxonomy
from model.learning.baseline import load_baseline, one_blas_thread, truth_of
from model.learning.dataset import split_of
from model.learning.retraining import imported_examples, judged_example, shipped_examples
from model.schema import Example, Split
from model.serving.calibration import Matrix, calibrate, sigmoid
from model.serving.corrections import Corrections, Judged, Key, key_of
from model.serving.lexical import phrases_in, pieces_in, plain
from model.serving.mixture import load_mixture
from model.serving.normalise import normalise
from model.store.registry import Version
from model.store.store import Store
from model.text_key import text_key

log = logging.getLogger(__name__)

# The baseline's; from the weights that are there a second fit takes a few steps.
_INVERSE_REGULARISATION = 10.0
_MOST_STEPS = 100
_TOLERANCE = 1e-3
# In nats, relative: with a few dozen texts on dev less is chance.
_WORSE = 0.02


@dataclass(frozen=True)
class Refitted:
    """What a refit gave: what is to be served, and the log loss of the lexical model on dev before and after."""

    corrections: Corrections
    losses: tuple[float, float] | None


class Refitter:
    """Refits one version again and again; what did not change since the last time is not fitted again. For one thread."""

    def __init__(self, store: Store, version: Version) -> None:
        """Raise BrokenVersion where the version's lexical model cannot be read."""
        self.version = version
        self._store = store
        self._before = load_baseline(version.folder).lexical
        self._model = self._before
        self._serves = load_mixture(version.folder).lexical > 0
        self._rows: dict[str, tuple[NDArray[np.int64], Matrix]] = {}
        self._read: tuple[tuple[Any, ...], list[Example]] | None = None
        self._fitted: dict[int, bytes] = {}  # by column: what it was fitted on

    def refit(self) -> Refitted | None:
        """Fit anew from what is judged now; None where the version has learnt from all of it."""
        store, taxonomy = self._store, self._store.labels.current()
        until = store.registry.learnt_until(self.version.number).timestamp() * 1e6
        judged, count = [], 0
        for each in store.gestures.judged_messages(taxonomy):
            if (example := judged_example(each)) is not None:
                judged.append(example)
                count += any(said.gesture.at > until for said in each.said)
        if not count:
            return None
        said = self._said(judged, taxonomy)
        if not self._serves:
            return Refitted(Corrections(count, None, said), None)
        splits = store.examples.splits()
        known = [
            example
            for example in [*self._shipped(taxonomy), *imported_examples(store, taxonomy), *judged]
            if plain(normalise(example.text)).strip()
        ]
        by_split: dict[Split, list[Example]] = {"train": [], "dev": [], "test": []}
        for example in known:
            by_split[splits.get(text_key(example.text)) or split_of(example.text)].append(example)
        self._learn_terms([example.text for example in judged])
        self._fit(by_split["train"], taxonomy)
        losses = self._losses(by_split["dev"], taxonomy)
        if losses is not None and losses[1] > losses[0] * (1 + _WORSE):
            log.warning("what was judged makes the lexical model worse on dev (%.4f -> %.4f nats): it does not serve", *losses)
            return Refitted(Corrections(count, None, said), losses)
        return Refitted(Corrections(count, self._model, said), losses)

    def _shipped(self, taxonomy: Taxonomy) -> list[Example]:
        """Return the shipped messages, read once for each set of labels."""
        of = (taxonomy.labels, taxonomy.renamed, taxonomy.absent)
        if self._read is None or self._read[0] != of:
            self._read = of, shipped_examples(taxonomy)
        return self._read[1]

    def _said(self, judged: Sequence[Example], taxonomy: Taxonomy) -> dict[Key, Judged]:
        columns = self._columns(taxonomy)
        found: dict[Key, Judged] = {}
        for example in judged:
            said = {True: example.labels, False: [n for n in columns if n not in (*example.labels, *example.unknown)]}
            yes, no = (tuple(at for name in said[word] for at in columns.get(name, ())) for word in (True, False))
            found[key_of(example.text)] = Judged(yes, no, example.id)
        return found

    def _columns(self, taxonomy: Taxonomy) -> dict[str, list[int]]:
        """Return the columns of the labels that the version knows, by their names of today: of merged ones there are several."""
        columns: dict[str, list[int]] = {}
        for at, label in enumerate(self._before.labels):
            for name in taxonomy.today([label]):
                if name in taxonomy:
                    columns.setdefault(name, []).append(at)
        return columns

    def _learn_terms(self, texts: Sequence[str]) -> None:
        """Add the terms of these texts that the version has not met, as rare as a term can be.

        Texts that are known by then keep their features: where one of them has such a term, it was too rare to be kept.
        """
        words, pieces = dict(self._model.words), dict(self._model.pieces)
        at = len(self._model.idf)
        for text in texts:
            simple = plain(normalise(text))
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
            idf=np.concatenate([model.idf, np.full(new, model.idf.max(), np.float32)]),
            weights=np.concatenate([model.weights, np.zeros((new, len(model.labels)), np.float32)]),
        )

    def _features(self, texts: Sequence[str]) -> Any:
        from scipy.sparse import csr_matrix

        for text in texts:
            if text not in self._rows:
                parts = self._model.features(plain(normalise(text)))
                columns = np.concatenate([each for each, _ in parts]) if parts else np.zeros(0, np.int64)
                values = np.concatenate([each for _, each in parts]) if parts else np.zeros(0)
                self._rows[text] = columns, values
        rows = [self._rows[text] for text in texts]
        ends = np.cumsum([0, *(len(columns) for columns, _ in rows)])
        columns, values = (np.concatenate(each) for each in zip(*rows, strict=True))
        return csr_matrix((values, columns, ends), shape=(len(texts), len(self._model.idf)))

    def _fit(self, train: Sequence[Example], taxonomy: Taxonomy) -> None:
        from sklearn.linear_model import LogisticRegression

        texts = [example.text for example in train]
        features = self._features(texts)
        weights, bias = self._model.weights.copy(), self._model.bias.copy()
        names = {at: name for name, columns in self._columns(taxonomy).items() for at in columns}
        hashes = np.array([hash(text) for text in texts])
        truth, known = truth_of(train, [names.get(at, "") for at in range(len(self._before.labels))])
        for at in names:
            here = np.flatnonzero(known[:, at])
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
            with one_blas_thread():
                model.fit(features[here], wanted)
            weights[:, at], bias[at] = model.coef_[0], model.intercept_[0]
        self._model = replace(self._model, weights=weights, bias=bias)

    def _losses(self, dev: Sequence[Example], taxonomy: Taxonomy) -> tuple[float, float] | None:
        """Return the mean log loss on dev before and after, on the measure that fits before; None where dev cannot tell."""
        first = {name: columns[0] for name, columns in self._columns(taxonomy).items()}
        truth, known = truth_of(dev, list(first))
        if not 0 < (truth * known).sum() < known.sum():
            return None
        texts, columns = [example.text for example in dev], list(first.values())
        before, after = (model.logits(texts)[:, columns] for model in (self._before, self._model))
        scale, shift = calibrate(before, truth, known)
        return _loss(scale * before + shift, truth, known), _loss(scale * after + shift, truth, known)


def _loss(logits: Matrix, truth: Matrix, known: Matrix) -> float:
    scores = np.clip(sigmoid(logits), 1e-6, 1 - 1e-6)
    likelihood = np.where(truth > 0, scores, 1 - scores)
    return -float((np.log(likelihood) * known).sum() / known.sum())
