"""The live version in memory: loaded, warmed up, and exchanged between two batches when another is promoted."""

import ctypes
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.errors import ModelError, StoreUnavailable
from model.schema import Prediction
from model.store.registry import Version
from model.store.runs import owner_name
from model.store.store import Store
from model.store.workers import BEAT_EVERY_S
from worker import metrics
from worker.batcher import Batcher
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from model.serving.classifier import Classifier, EncodedText

log = logging.getLogger(__name__)

# How often the host asks the store which version is live. One indexed row: nothing, even with ten workers.
LOOK_EVERY_S = 2.0
# How often it asks for what that version learnt meanwhile: people who have just corrected a message look at the next one.
REFIT_EVERY_S = 0.25
# A version that could not be loaded is tried again after 2, 4, 8 ... seconds: the folder may be mended, or a GPU have room again.
# Each try reads and hashes the whole folder.
LONGEST_PAUSE_S = 300.0
WARM_UP = ("Hola", "No puedo entrar a la app y necesito pagar la tarjeta hoy, ¿me ayudan por favor?")


@dataclass(frozen=True)
class Encoded:
    """A text as a version reads it, and which version."""

    classifier: "Classifier"
    text: "EncodedText"


@dataclass
class Refusal:
    """A version that could not be loaded: why, and when it is tried again, by the monotonic clock."""

    reason: str = ""
    tries: int = 0
    again_at: float = 0.0


class NoVersion(ModelError):
    """There is no version to serve yet: the first training is still under way, or has failed."""


class Host:
    """Serves the live version from as many threads as there are cores. `start` once, in the process that will serve."""

    def __init__(self, store: Store, settings: WorkerSettings) -> None:
        from model.serving.engine import cores  # numpy, in this process only

        self.registry = store.registry
        self.settings = settings
        self._workers = store.workers
        self._refits = store.refits
        self._labels = store.labels
        self._refit = 0  # the id of the refit in memory
        self._name = owner_name()
        self._told: tuple[int, tuple[int, ...], float] = (-1, (), 0.0)  # what the store was told last, and when
        self._classifier: Classifier | None = None
        self._serving = 0  # the number of the version in memory
        self._refusals: dict[int, Refusal] = {}  # by version
        self._loaded = threading.Event()
        self._stop = threading.Event()
        self._batcher: Batcher[Encoded, tuple[Prediction, float]] = Batcher(
            self._answer,
            size=lambda encoded: min(len(encoded.text.ids), encoded.classifier.max_tokens),
            budget=1,
            threads=cores(),
        )
        self._watcher = threading.Thread(target=self._watch, name="version-watcher", daemon=True)

    def start(self) -> None:
        """Load the live version, and every later one, in a thread of its own."""
        self._watcher.start()

    def close(self) -> None:
        """Answer everything that was asked, and end the threads."""
        self._stop.set()
        self._batcher.close()
        if self._watcher.is_alive():
            self._watcher.join()

    def predict(self, text: str, timeout_s: float) -> tuple[Prediction, float]:
        """Return what the live version says of `text`, and the seconds that its batch took in the network.

        NoVersion where none was loaded within `timeout_s` seconds, TimeoutError where the answer took longer.
        """
        began = time.monotonic()
        self.wait(timeout_s)
        classifier = self.classifier
        # In the asker's thread: meanwhile the network is at work on others.
        [encoded] = classifier.encode([text])
        return self._batcher.ask(Encoded(classifier, encoded), timeout_s - (time.monotonic() - began))

    def wait(self, timeout_s: float) -> None:
        """Wait until a version is loaded; NoVersion where none is within so many seconds."""
        if not self._loaded.wait(timeout_s):
            raise NoVersion("no version is live yet: see `beto doctor`, or train one with `beto train`")

    def why_stuck(self) -> str | None:
        """Return which of the threads has ended that `close` did not end; None where all are alive."""
        if self._batcher.ended_threads:
            return f"{self._batcher.ended_threads} ended threads of the network's batcher"
        if self._watcher.ident is not None and not self._stop.is_set() and not self._watcher.is_alive():
            return "the ended thread that looks which version is live"
        return None

    @property
    def serving(self) -> int:
        """Return the number of the version in memory; 0 before the first is loaded."""
        return self._serving

    @property
    def corrections(self) -> int:
        """Return how many corrections answer beside what the version in memory has learnt."""
        corrections = None if self._classifier is None else self._classifier.corrections
        return 0 if corrections is None else corrections.count

    @property
    def classifier(self) -> "Classifier":
        """Return the version in memory; NoVersion before the first is loaded."""
        if self._classifier is None:
            raise NoVersion("no version is live yet: see `beto doctor`, or train one with `beto train`")
        return self._classifier

    def _answer(self, batch: Sequence[Encoded]) -> list[tuple[Prediction, float]]:
        classifier = batch[0].classifier
        if any(each.classifier is not classifier for each in batch):  # some were encoded before a promotion, some after
            return [answer for each in batch for answer in self._answer([each])]
        began, busy = time.perf_counter(), time.thread_time()
        predictions = classifier.predict_encoded([each.text for each in batch])
        seconds = time.perf_counter() - began
        metrics.NETWORK_CPU_SECONDS.inc(time.thread_time() - busy)
        metrics.BATCH_SECONDS.observe(seconds)
        metrics.BATCH_MESSAGES.observe(len(batch))
        metrics.BATCH_TOKENS.observe(sum(min(len(each.text.ids), classifier.max_tokens) for each in batch))
        return [(prediction, seconds) for prediction in predictions]

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._take_up_live()
                self._take_up_preferences()
                self._tell()
            except StoreUnavailable as error:
                log.warning("cannot see which version is live, version %s goes on serving: %s", self._serving, error)
            except Exception:  # a card that cannot be read, say: the thread must live to look again
                log.exception("cannot see which version is live, version %s goes on serving", self._serving)
            until = time.monotonic() + LOOK_EVERY_S
            while time.monotonic() < until and not self._stop.wait(REFIT_EVERY_S):
                self._take_up_refit()

    def _take_up_refit(self) -> None:
        """Serve with the newest refit of the version in memory; where it cannot be read, with what serves now."""
        if self._classifier is None:
            return
        try:
            refit = self._refits.newest(self._serving)
            wanted = 0 if refit is None else refit.id
            if wanted == self._refit:
                return
            content = self._refits.corrected(wanted) if refit is not None else None
            if refit is not None and content is None:
                return  # a newer one has taken its place
            from model.serving.corrections import read_corrections  # numpy, in this process only

            corrections = None if content is None else read_corrections(content)
            self._classifier, self._refit = self._classifier.corrected(corrections), wanted
        except StoreUnavailable as error:
            log.warning("what was judged lately is not known: %s", error)
        except Exception:  # the thread must live to look again
            log.exception("what was judged lately does not serve")

    def _take_up_preferences(self) -> None:
        """Serve with the thresholds of what people prefer of each label now."""
        if self._classifier is None:
            return
        preferences = self._labels.current().preferences(self._classifier.labels)
        if self._classifier.thresholds != self._classifier.card.thresholds_for(preferences):
            self._classifier = self._classifier.preferring(preferences)
            log.info("version %s serves with %s", self._serving, preferences or "no preferences")

    def _take_up_live(self) -> None:
        """Serve the newest promoted version that can be loaded."""
        for version in self.registry.promoted():
            if version.number == self._serving:
                return
            refusal = self._refusals.setdefault(version.number, Refusal())
            if time.monotonic() < refusal.again_at:
                continue
            try:
                self._load(version)
            except Exception as error:  # whatever the libraries stumble over: an older version must serve meanwhile
                self._refuse(version, refusal, error)
                continue
            del self._refusals[version.number]
            return

    def _tell(self) -> None:
        """Tell the store what is served, at once where that changed: people read there which version answers."""
        refused = tuple(sorted(number for number, refusal in self._refusals.items() if refusal.tries))
        *told, at = self._told
        if told != [self._serving, refused] or time.monotonic() - at > BEAT_EVERY_S:
            self._workers.beat(self._name, self._serving, refused)
            self._told = self._serving, refused, time.monotonic()

    def _load(self, version: Version) -> None:
        from model.serving import classifier  # numpy and more, in this process only

        loaded = classifier.load(version.folder, device=self.settings.device)
        loaded.predict(WARM_UP)
        # One assignment: a batch in hand ends with the old version, the next begins with the new one.
        self._classifier, self._serving, self._refit = loaded, version.number, 0
        self._batcher.budget = loaded.engine.pass_tokens
        self._loaded.set()
        _give_back_memory()
        log.info("version %s (%s, %s) serves", version.number, version.card.base, loaded.engine.form)

    def _refuse(self, version: Version, refusal: Refusal, error: Exception) -> None:
        """Try the version again later, and log why it does not serve: once for each reason."""
        pause_s = min(LOOK_EVERY_S * 2.0**refusal.tries, LONGEST_PAUSE_S)
        refusal.tries += 1
        refusal.again_at = time.monotonic() + pause_s
        reason = str(error) if isinstance(error, ModelError) else f"{type(error).__name__}: {error}"
        if reason != refusal.reason:
            refusal.reason = reason
            log.error("version %s is refused, the last good one serves; it is tried again later: %s", version.number, reason)


def _give_back_memory() -> None:
    """Give back what was needed to read a version, and what the one before it held; glibc keeps 60 MiB else."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)
