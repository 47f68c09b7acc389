"""Which texts are most like another: by the words and pieces of words that they share, the rarer the more."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.serving.lexical import phrases_in, pieces_in, plain
from model.serving.normalise import normalise

# Below this nobody sees what two texts have in common.
ALIKE_FROM = 0.2


@dataclass(frozen=True)
class Candidate:
    """A text that may be near, and which revision of which message it is."""

    message_id: int
    revision: int
    text: str


class NearestTexts:
    """Compares texts by the cosine of their TF-IDF (binary counts; the texts compared are the documents). For one thread.

    What it worked out of a text is kept while that is among the candidates; of the text itself nothing is.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, NDArray[np.int64]]] = {}

    def nearest(self, text: str, candidates: Sequence[Candidate], most: int) -> list[int]:
        """Return the ids of the candidates that are most like the text, the nearest first; of equals the newest first."""
        known, self._known = self._known, {}
        for each in candidates:
            found = known.get(each.message_id)
            fresh = found is not None and found[0] == each.revision
            self._known[each.message_id] = found if fresh and found is not None else (each.revision, _terms(each.text))
        if not candidates:
            return []
        own, rows = _terms(text), [self._known[each.message_id][1] for each in candidates]
        terms, columns = np.unique(np.concatenate([own, *rows]), return_inverse=True)
        weight = np.log(len(rows) / np.bincount(columns, minlength=len(terms))) + 1
        wanted = np.zeros(len(terms))
        wanted[columns[: len(own)]] = 1
        squares, shared = weight[columns] ** 2, (weight**2 * wanted)[columns]
        ends = np.cumsum([len(own), *(len(row) for row in rows)])
        total, common = (np.concatenate([[0.0], np.cumsum(values)])[ends] for values in (squares, shared))
        norms = np.sqrt(np.diff(total)) * np.sqrt(total[0])
        cosines = np.divide(np.diff(common), norms, out=np.zeros(len(rows)), where=norms > 0)
        order = sorted(range(len(rows)), key=lambda at: (-round(cosines[at], 6), -candidates[at].message_id))
        return [candidates[at].message_id for at in order[:most] if cosines[at] >= ALIKE_FROM]


def _terms(text: str) -> NDArray[np.int64]:
    simple = plain(normalise(text))
    return np.array(sorted({hash(term) for term in (*phrases_in(simple), *pieces_in(simple))}), np.int64)
