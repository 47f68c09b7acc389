"""Learning at once: what is light in the live version is fitted anew from everything that people judged, within a second.

The encoder is not touched. Where people judged the very same text, or one that nearly repeats it, what they said stands.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from model.learning.judged import JudgedSoFar
from model.learning.light_fit import LightFitter, LightParts, Reading, columns_of
from model.schema import Example
from model.serving.corrections import Corrections
from model.serving.judged_texts import JudgedTexts, Sketch, gather, sketch
from model.store.registry import Version
from model.store.store import Store


@dataclass(frozen=True)
class Refitted:
    """What a refit gave: what is to be served, and the log loss of the lexical model before and after."""

    corrections: Corrections
    losses: tuple[float, float] | None


class Refitter:
    """Refits one version again and again: `fit` may go on in one thread while another one reads and asks what to serve."""

    def __init__(self, store: Store, version: Version) -> None:
        """Raise BrokenVersion where the version's lexical model cannot be read."""
        self.version = version
        self._store = store
        self._fitter = LightFitter(store, version)
        self._judged = JudgedSoFar(store)
        self._parts: LightParts | None = None
        self._said: dict[int, tuple[Example, Sketch, bytes]] = {}  # by message, with what was said for each label
        self._said_of: tuple[Any, ...] = ()  # the labels at which that holds

    def refit(self) -> Refitted | None:
        """Fit anew from what is judged now; None where nothing is, and the version was taught every label.

        Where the version has learnt from all of it, the texts are known again and nothing is fitted.
        """
        reading = self.read()
        parts = self.fit(reading)
        corrections = self.corrections(reading)
        return None if corrections is None else Refitted(corrections, parts.losses)

    def read(self) -> Reading:
        """Return what is judged now."""
        taxonomy = self._store.labels.current()
        until = self._store.registry.learnt_until(self.version.number).timestamp() * 1e6
        return Reading(taxonomy, until, self._judged.read(taxonomy))

    def fit(self, reading: Reading) -> LightParts:
        """Fit the light parts from what was read; from then on they are in `corrections`."""
        self._parts = self._fitter.fit(reading)
        return self._parts

    def corrections(self, reading: Reading) -> Corrections | None:
        """Return what was read with what was fitted last: in a moment, also where a fit takes many.

        None where nothing is judged, and the version was taught every label.
        """
        parts = self._parts or LightParts()
        if not reading.judged and parts.described is None:
            return None
        texts = self._judged_texts(reading, parts.speaks)
        return Corrections(reading.new, texts, lexical=parts.lexical, head=parts.head, described=parts.described)

    def _judged_texts(self, reading: Reading, speaks: tuple[str, ...]) -> JudgedTexts:
        taxonomy = reading.taxonomy
        labels = self._fitter.before.labels
        width = len(labels) + len(speaks)
        said_of = taxonomy.labels, taxonomy.renamed, taxonomy.absent, speaks
        if said_of != self._said_of:
            self._said, self._said_of = {}, said_of
        columns = columns_of(labels, taxonomy)
        for at, name in enumerate(speaks, start=len(labels)):
            columns.setdefault(name, []).append(at)
        before, self._said = self._said, {}
        for message_id, judged in reading.judged.items():
            known = before.get(message_id)
            if known is None or known[0] is not judged.example:  # most are as they were
                known = judged.example, sketch(judged.example.text), _said(judged.example, columns, width)
            self._said[message_id] = known
        examples, sketches, said = zip(*self._said.values(), strict=True) if self._said else ((), (), ())
        rows = np.frombuffer(b"".join(said), np.int8).reshape(len(said), width)
        return gather(sketches, rows, [example.id or "" for example in examples])


def _said(example: Example, columns: dict[str, list[int]], width: int) -> bytes:
    """Return what was said of each column as a signed byte: 1, -1, or 0 where nothing."""
    said = np.zeros(width, np.int8)
    for name, places in columns.items():
        if name not in example.unknown:
            said[places] = 1 if name in example.labels else -1
    return said.tobytes()
