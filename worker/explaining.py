"""Why the live version gives a text its labels: worked out in the worker, one at a time, beside the messages that come in."""

import threading
import time
from typing import TYPE_CHECKING

from model.schema import Explanation
from model.store.explanations import AskedText
from model.store.store import Store
from worker.host import Host

if TYPE_CHECKING:
    from model.serving.nearest import NearestTexts

# Of the messages that people judged, the newest are compared: 5,000 take some 0.1 s, and 8 MB.
COMPARED = 5000
# More than are shown, since not everybody may see all of them.
NEAR = 20


class Explainer:
    """Explains texts by the version that the host serves; any thread may ask, and one is answered at a time."""

    def __init__(self, store: Store, host: Host) -> None:
        self._store = store
        self._host = host
        self._turn = threading.Lock()  # messages are labelled meanwhile, by the other cores
        self._nearest: NearestTexts | None = None

    def explain(self, asked: AskedText, timeout_s: float) -> Explanation:
        """Return why; NoVersion where none is loaded within so many seconds, TimeoutError where others took longer."""
        deadline = time.monotonic() + timeout_s
        self._host.wait(timeout_s)
        if not self._turn.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
            raise TimeoutError("other explanations took too long")
        try:
            return self._explain(asked)
        finally:
            self._turn.release()

    def _explain(self, asked: AskedText) -> Explanation:
        from model.serving.explanation import explain  # numpy, in this process only
        from model.serving.nearest import Candidate, NearestTexts

        classifier = self._host.classifier
        carried = explain(classifier, asked.text)
        if self._nearest is None:
            self._nearest = NearestTexts()
        judged = [Candidate(*row) for row in self._store.explanations.judged_texts(COMPARED) if row[0] != asked.message_id]
        prediction = carried.prediction
        return Explanation(
            version=prediction.version,
            base=prediction.base,
            corrections=prediction.corrections,
            revision=asked.revision,
            labels=carried.labels(classifier.labels),
            known_from=carried.known_from,
            near=tuple(self._nearest.nearest(asked.text, judged, NEAR)),
            in_parts=carried.in_parts,
            truncated=prediction.truncated,
        )
