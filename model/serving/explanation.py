"""Why a version gives a text its labels: how much each of its words raises each label.

The lexical model's share is exact: its logit is a sum over words. The encoder's is by occlusion: what its logit loses when the
word is left out. Both are weighed as the version's mixture weighs them, and so is a light head that was fitted since.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.schema import Carried, Prediction, Span
from model.serving.calibration import Matrix
from model.serving.classifier import Classifier, cut
from model.serving.engine import PACK, packs
from model.serving.normalise import normalise

# Tokens that go through the network for one text, in all. 3,000 are a second of e5's shape on a CPU core. Longer texts are left
# out piece by piece, at least in so many.
BUDGET = 3000
FEWEST_PIECES = 6
# So many words are named at most, the heaviest first, and none that weighs less than this share of the heaviest.
MOST_NAMED = 4
NAMED_FROM = 0.25
# In calibrated logits: what weighs less moves a probability by less than two points.
LEAST = 0.08


@dataclass(frozen=True)
class CarriedText:
    """A text's normalised words, and by how much each raises each label's calibrated logit, words x labels."""

    words: tuple[str, ...]
    carried: Matrix
    prediction: Prediction  # of the version alone, whatever people said of the same text elsewhere
    known_from: str | None  # where they said it
    in_parts: bool

    def labels(self, names: Sequence[str]) -> tuple[Carried, ...]:
        """Return what carries each label; `names` are the version's, in its order."""
        return tuple(
            Carried(
                label=name,
                score=self.prediction.scores[name],
                given=name in self.prediction.labels,
                words=tuple(_named(weights, self.words)),
                against=tuple(_named(-weights, self.words)),
            )
            for name, weights in zip(names, self.carried.T, strict=True)
        )


def explain(classifier: Classifier, text: str) -> CarriedText:
    """Return what carries the labels of a text, any text."""
    [encoded] = classifier.encode([text])
    [told] = classifier.predict_encoded([encoded])
    [prediction] = [told] if told.known_from is None else classifier.predict_encoded([replace(encoded, judged=None)])
    words = normalise(text).split()
    carried: Matrix = np.zeros((len(words), len(classifier.labels)))
    if (lexical := classifier.serving_lexical) is not None:
        carried += classifier.mixture.lexical * lexical.carried_by(words)
    if (head := classifier.serving_head) is not None:
        carried *= 1 - head.share
    in_parts = False
    if (classifier.mixture.encoder or head is not None) and words:
        effects, in_parts = _occluded(classifier, words)
        carried[: len(effects)] += effects
    return CarriedText(tuple(words), carried, prediction, told.known_from, in_parts)


def _occluded(classifier: Classifier, words: Sequence[str]) -> tuple[Matrix, bool]:
    """Return what the network's share loses without each word that it reads, words x labels, and whether it was done in pieces.

    What it loses without a piece of several words is shared evenly by them.
    """
    lengths = [len(each.ids) - 2 for each in classifier.tokenizer.encode_batch_fast(list(words))]
    read = list(words[: int(np.searchsorted(np.cumsum(lengths), classifier.max_tokens - 2, side="right")) or 1])
    tokens = sum(lengths[: len(read)]) + 2
    pieces = min(len(read), max(BUDGET // tokens, FEWEST_PIECES))
    ends = np.linspace(0, len(read), pieces + 1).round().astype(int)
    without = [" ".join([*read[:begin], *read[end:]]) for begin, end in itertools.pairwise(ends)]
    texts = [" ".join(read), *without]
    ids = [cut(each.ids, classifier.max_tokens) for each in classifier.tokenizer.encode_batch_fast(texts)]
    logits: Matrix = np.zeros((len(ids), len(classifier.labels)))
    for batch in packs([len(each) for each in ids], tokens=PACK):  # one after the other: others' messages go between
        logits[batch] = _network_share(classifier, [ids[at] for at in batch])
    sizes = np.diff(ends)
    return np.repeat((logits[0] - logits[1:]) / sizes[:, None], sizes, axis=0), pieces < len(read)


def _network_share(classifier: Classifier, ids: Sequence[list[int]]) -> Matrix:
    """Return what the encoder, and a light head on what its base makes of the texts, add to the version's logits."""
    head = classifier.serving_head
    if head is None:
        return classifier.mixture.encoder * classifier.engine.logits(ids)
    logits, meanings = classifier.engine.logits_and_meanings(ids)
    return head.mixed(classifier.mixture.encoder * logits, meanings)


def _named(weights: Matrix, words: Sequence[str]) -> Iterator[Span]:
    """Yield the words to name, those beside each other together, the heaviest first."""
    heaviest = sorted(range(len(words)), key=lambda at: -weights[at])
    heaviest = [at for at in heaviest if any(char.isalnum() for char in words[at])][:MOST_NAMED]
    if not heaviest or weights[heaviest[0]] < LEAST:
        return
    named = sorted(at for at in heaviest if weights[at] >= max(LEAST, NAMED_FROM * weights[heaviest[0]]))
    spans: list[list[int]] = []
    for at in named:
        if spans and spans[-1][-1] == at - 1:
            spans[-1].append(at)
        else:
            spans.append([at])
    for span in sorted(spans, key=lambda span: -max(weights[at] for at in span)):
        yield span[0], span[-1] + 1
