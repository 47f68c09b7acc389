"""The live version in memory: loaded, warmed up, and exchanged between two batches when another is promoted."""

import ctypes
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.errors import BrokenVersion, ModelError, StoreUnavailable
from model.schema import Prediction
from model.store.registry import Registry
from model.store.store import Store
from worker.batcher import Batcher
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from model.serving.classifier import Classifier

log = logging.getLogger(__name__)

# How often the host asks the store which version is live. One indexed row: nothing, even with ten workers.
LOOK_EVERY_S = 2.0
WARM_UP = ("Hola", "No puedo entrar a la app y necesito pagar la tarjeta hoy, ¿me ayudan por favor?")


@dataclass(frozen=True)
class Encoded:
    """A text's tokens, and whose tokens they are."""

    classifier: "Classifier"
    ids: list[int]


class NoVersion(ModelError):
    """There is no version to serve yet: the first training is still under way, or has failed."""


class Host:
    """Serves the live version from as many threads as there are cores. `start` once, in the process that will serve."""

    def __init__(self, store: Store, settings: WorkerSettings) -> None:
        from model.serving.engine import cores  # numpy, in this process only

        self.registry = Registry(store, settings.home_folder)
        self.settings = settings
        self._classifier: Classifier | None = None
        self._serving = 0  # the number of the version in memory
        self._refused: set[int] = set()
        self._loaded = threading.Event()
        self._stop = threading.Event()
        self._batcher: Batcher[Encoded, tuple[Prediction, float]] = Batcher(
            self._answer, size=lambda encoded: min(len(encoded.ids), encoded.classifier.max_tokens), budget=1, threads=cores()
        )
        self._watcher = threading.Thread(target=self._watch, name="version-watcher", daemon=True)

    def start(self) -> None:
        """The live version is being loaded, and every later one will be; returns at once."""
        self._watcher.start()

    def close(self) -> None:
        """Everything asked is answered and the threads have ended."""
        self._stop.set()
        self._batcher.close()
        if self._watcher.is_alive():
            self._watcher.join()

    def predict(self, text: str, timeout_s: float) -> tuple[Prediction, float]:
        """What the live version says of `text`, and the seconds that its micro-batch took in the network."""
        began = time.monotonic()
        if not self._loaded.wait(timeout_s):
            raise NoVersion("no version is live yet: see `beto doctor`, or train one with `beto train`")
        classifier = self._classifier
        assert classifier is not None  # it was loaded
        # In the asker's thread: meanwhile the network is at work on others.
        [ids] = classifier.encode([text])
        return self._batcher.ask(Encoded(classifier, ids), timeout_s - (time.monotonic() - began))

    @property
    def serving(self) -> int:
        """The number of the version in memory; 0 before the first is loaded."""
        return self._serving

    def wait(self, timeout_s: float) -> bool:
        """Whether a version was in memory within `timeout_s` seconds."""
        return self._loaded.wait(timeout_s)

    def _answer(self, batch: Sequence[Encoded]) -> list[tuple[Prediction, float]]:
        classifier = batch[0].classifier
        if any(each.classifier is not classifier for each in batch):  # some were encoded before a promotion, some after
            return [answer for each in batch for answer in self._answer([each])]
        began = time.perf_counter()
        predictions = classifier.predict_encoded([each.ids for each in batch])
        seconds = time.perf_counter() - began
        return [(prediction, seconds) for prediction in predictions]

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._take_up_live()
            except StoreUnavailable as error:
                log.warning("cannot see which version is live, version %s goes on serving: %s", self._serving, error)
            except Exception:  # a GPU without room, say: the thread must live to try again
                log.exception("the live version cannot be taken up, version %s goes on serving", self._serving)
            self._stop.wait(LOOK_EVERY_S)

    def _take_up_live(self) -> None:
        """The newest promoted version that is sound is in memory; a broken one is refused once, aloud."""
        from model.serving import classifier  # numpy and more, in this process only

        for version in self.registry.promoted():
            if version.number == self._serving:
                return
            if version.number in self._refused:
                continue
            try:
                loaded = classifier.load(version.folder, device=self.settings.device)
            except BrokenVersion as error:
                self._refused.add(version.number)
                log.error("version %s is refused, the last good one serves: %s", version.number, error)
                continue
            loaded.predict(WARM_UP)
            # One assignment: a batch in hand ends with the old version, the next begins with the new one.
            self._classifier, self._serving = loaded, version.number
            self._batcher.budget = loaded.engine.pass_tokens
            self._loaded.set()
            _give_back_memory()
            log.info("version %s (%s, %s) serves", version.number, version.card.base, loaded.engine.form)
            return


def _give_back_memory() -> None:
    """What was needed to read a version, and what the one before it held, is the system's again (glibc keeps 60 MiB else)."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)
