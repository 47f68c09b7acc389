"""Learning at once: what is light in the live version is fitted anew from everything that people judged, within a second.

The encoder is not touched. Where people judged the very same text, or one that nearly repeats it, what they said stands.
"""

from dataclasses import dataclass

from model.learning.judged import JudgedSoFar
from model.learning.light_fit import LightFitter, LightParts, Reading
from model.learning.texts_so_far import TextsSoFar
from model.serving.corrections import Corrections
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
        self._texts = TextsSoFar()

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
        texts = self._texts.read(reading.judged, reading.taxonomy, self._fitter.before.labels, parts.speaks)
        return Corrections(reading.new, texts, lexical=parts.lexical, head=parts.head, described=parts.described)
