"""The trainer's thread that keeps the live version up to date with what people judge."""

import logging
import threading
import time
from typing import TYPE_CHECKING

from model.errors import ModelError, StoreUnavailable
from model.store.store import Store

if TYPE_CHECKING:
    from model.learning.light_fit import LightParts, Reading
    from model.learning.refit import Refitter
    from model.serving.corrections import Corrections

log = logging.getLogger(__name__)

# How often it looks whether something was judged, and how long nothing more must come before it fits: people who choose three
# labels make three gestures. Whoever judges without a break waits for LATEST_S at most.
LOOK_EVERY_S = 0.2
CALM_S = 0.15
LATEST_S = 0.8
# Where the last refit took longer, the texts that were judged do not wait for the next one, which goes on in a thread.
LONG_S = 0.2
# Whoever takes longer has died.
LEASE_S = 120.0
_HALF = 24  # letters of a fingerprint: two stand for one where a fit and the texts are not of the same moment


class _Fit(threading.Thread):
    """A fit that takes its time."""

    def __init__(self, refitter: "Refitter", reading: "Reading", claim: int, learnt: str) -> None:
        super().__init__(name="fit", daemon=True)
        self.refitter, self.claim, self.learnt = refitter, claim, learnt
        self.parts: LightParts | None = None
        self.error: Exception | None = None
        self.took_s = 0.0
        self._reading = reading

    def run(self) -> None:
        """Fit, and keep what goes wrong for whoever asks for the parts."""
        began = time.monotonic()
        try:
            self.parts = self.refitter.fit(self._reading)
        except Exception as error:
            self.error = error
        self.took_s = time.monotonic() - began


class RefitKeeper:
    """Refits the live version soon after each judgement; of several trainers one does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._done = ("", 0)  # what there was to learn from when this process looked last, and for which version
        self._refitter: Refitter | None = None
        self._rests_on: object = None
        self._took_s = 0.0  # the last fit
        self._texts_of: tuple[int, str] | None = None  # what there was to learn from when texts were made last, for a version
        self._fit: _Fit | None = None  # under way, beside the texts
        self._rests_until = 0.0  # before that no other begins
        self._seen: tuple[tuple[str, int], float, float] | None = None  # what waits, since when, and when it changed last

    def keep(self, stop: threading.Event) -> None:
        """Look every LOOK_EVERY_S until `stop`; what goes wrong is logged, and tried again."""
        while not stop.is_set():
            pause_s = LOOK_EVERY_S
            try:
                self.look()
            except StoreUnavailable as error:
                log.warning("nothing is learnt at once: %s", error)
                pause_s = 5.0
            except ModelError as error:
                log.error("nothing is learnt at once: %s", error)
                pause_s = 30.0
            except Exception:  # the thread must live to look again
                log.exception("nothing is learnt at once")
                pause_s = 30.0
            stop.wait(pause_s)
        if self._fit is not None:
            self._fit.join()

    def look(self) -> None:
        """Refit the live version where something was judged, and nothing more has come for a moment."""
        self._take_fit()
        live = self._store.registry.live()
        if live is None:
            return
        waits = (self._store.refits.learnable(), live.number)
        if waits == self._done:
            self._seen = None
            return
        moment = time.monotonic()
        first, changed = (moment, moment) if self._seen is None else self._seen[1:]
        if self._seen is None or self._seen[0] != waits:
            changed = moment
        self._seen = waits, first, changed
        if (moment - changed >= CALM_S or moment - first >= LATEST_S) and self._refit(live.number, waits[0]):
            self._done, self._seen = waits, None

    def _refit(self, number: int, learnt: str) -> bool:
        """Refit the version, unless that is done; False where it is under way, or another process claimed it."""
        from model.learning.refit import Refitter  # scikit-learn, in this process only once there is something to fit

        refits = self._store.refits
        if refits.is_made(number, learnt):
            return True
        version = self._store.registry.get(number)
        if version is None:
            return False
        self._store.labels.read_anew()  # what is to be learnt may be of a label that was added a moment ago
        rests_on = (number, refits.basis())
        if self._refitter is None or self._rests_on != rests_on:
            # After an erasure, too: what was fitted before knows words of what is gone.
            self._refitter, self._rests_on, self._took_s = Refitter(self._store, version), rests_on, 0.0
        if self._took_s > LONG_S:
            self._fit_beside(self._refitter, learnt)
            return False
        if (refit_id := refits.claim(number, learnt, LEASE_S)) is None:
            return False
        began = time.monotonic()
        made = self._refitter.refit()
        self._took_s = time.monotonic() - began
        self._save(refit_id, None if made is None else made.corrections, None if made is None else made.losses)
        return True

    def _fit_beside(self, refitter: "Refitter", learnt: str) -> None:
        """Let the texts themselves count at once, and fit in a thread, which rests as long as its last fit took."""
        refits, number = self._store.refits, refitter.version.number
        reading = None
        if self._texts_of != (number, learnt):
            if (texts_id := refits.claim(number, f"texts of {learnt}", LEASE_S)) is not None:
                reading = refitter.read()
                self._save(texts_id, refitter.corrections(reading))
            self._texts_of = number, learnt
        if self._fit is not None or time.monotonic() < self._rests_until:
            return
        if (claim := refits.claim(number, f"fit from {learnt}", LEASE_S)) is not None:
            self._fit = _Fit(refitter, reading or refitter.read(), claim, learnt)
            self._fit.start()

    def _take_fit(self) -> None:
        """Serve what was fitted in the thread, with the texts that are judged by now."""
        fit, refits = self._fit, self._store.refits
        if fit is None or fit.is_alive():
            return
        self._fit, self._took_s, self._rests_until = None, fit.took_s, time.monotonic() + fit.took_s
        if fit.error is not None:
            raise fit.error
        if fit.refitter is not self._refitter or fit.parts is None:  # what it rests on is gone
            return
        number, learnt = fit.refitter.version.number, refits.learnable()
        made = learnt if learnt == fit.learnt else f"{fit.learnt[:_HALF]} texts {learnt[:_HALF]}"
        if (refit_id := refits.claim(number, made, LEASE_S)) is not None:
            self._save(refit_id, fit.refitter.corrections(fit.refitter.read()), fit.parts.losses)
            refits.save(fit.claim, None, corrections=0)  # after the newer row, which serves

    def _save(self, refit_id: int, made: "Corrections | None", losses: tuple[float, float] | None = None) -> None:
        if made is None:
            self._store.refits.save(refit_id, None, corrections=0)
            return
        self._store.refits.save(refit_id, made.to_bytes(), corrections=made.count, losses=losses)
        log.info("%s corrections count, the last fit took %.2f s", made.count, self._took_s)
