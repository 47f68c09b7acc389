"""Which messages teach most when somebody judges them. Pure, and without numpy: the processes that talk to Slack ask it."""

import math
import re
from collections.abc import Collection, Mapping, Sequence

_WORD = re.compile(r"\w+")


def uncertainty(scores: Mapping[str, float]) -> float:
    """Return how much is unknown of a message's labels, in nats: the entropy of each label's calibrated probability, summed.

    Of what was tried (docs/benchmarks.md) nothing needs fewer judgements; weighing rare labels more needs more.
    """
    return sum(_entropy(probability) for probability in scores.values())


def most_teaching(texts: Sequence[str], values: Sequence[float], most: int, *, known: Collection[str] = ()) -> list[int]:
    """Return the places of at most `most` texts, in the order to judge them: of high value, and unlike those before.

    A text is worth its value times one minus its likeness to the likest text that is chosen or `known`: the share of the
    words of both that are in both (Jaccard). What is `known` was judged since the values were computed.
    """
    words = [_words(text) for text in texts]
    worth = list(values)
    for text in known:
        _make_unlike(worth, values, words, _words(text))
    chosen: list[int] = []
    while len(chosen) < min(most, len(texts)):
        best = max((at for at in range(len(texts)) if at not in chosen), key=lambda at: worth[at])
        chosen.append(best)
        _make_unlike(worth, values, words, words[best])
    return chosen


def _make_unlike(worth: list[float], values: Sequence[float], words: Sequence[frozenset[str]], said: frozenset[str]) -> None:
    for at, own in enumerate(words):
        if shared := len(own & said):
            worth[at] = min(worth[at], values[at] * (1 - shared / (len(own) + len(said) - shared)))


def _entropy(probability: float) -> float:
    if not 0 < probability < 1:
        return 0.0
    return -probability * math.log(probability) - (1 - probability) * math.log(1 - probability)


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))
