"""The trainer's thread that keeps the live version up to date with what people judge."""

import logging
import threading
import time

from model.errors import ModelError, StoreUnavailable
from model.store.store import Store

log = logging.getLogger(__name__)

# How often it looks whether something was judged, and how long nothing more must come before it fits: people who choose three
# labels make three gestures. Whoever judges without a break waits for LATEST_S at most.
LOOK_EVERY_S = 0.2
CALM_S = 0.3
LATEST_S = 1.0
# Where the last refit took longer, the texts that were judged do not wait for the next one.
LONG_S = 0.5
# Whoever takes longer has died.
LEASE_S = 120.0


class RefitKeeper:
    """Refits the live version soon after each judgement; of several trainers one does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._done = ("", 0)  # what there was to learn from when this process looked last, and for which version
        self._refitter: object = None
        self._rests_on: object = None
        self._took_s = 0.0  # the last refit
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

    def look(self) -> None:
        """Refit the live version where something was judged, and nothing more has come for a moment."""
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
        """Refit the version, unless that is done; False where another process claimed it, which may have died since."""
        from model.learning.refit import Refitter  # scikit-learn, in this process only once there is something to fit

        refits = self._store.refits
        if refits.is_made(number, learnt):
            return True
        version = self._store.registry.get(number)
        if version is None:
            return False
        self._store.labels.read_anew()  # what is to be learnt may be of a label that was added a moment ago
        rests_on = (number, refits.basis())
        if not isinstance(self._refitter, Refitter) or self._rests_on != rests_on:
            # After an erasure, too: what was fitted before knows words of what is gone.
            self._refitter, self._rests_on = Refitter(self._store, version), rests_on
        if self._took_s > LONG_S and (texts_id := refits.claim(number, f"texts of {learnt}", LEASE_S)) is not None:
            # The texts themselves count at once; what is fitted from them follows.
            texts = self._refitter.texts_alone()
            refits.save(texts_id, None if texts is None else texts.to_bytes(), corrections=0 if texts is None else texts.count)
        if (refit_id := refits.claim(number, learnt, LEASE_S)) is None:
            return False
        began = time.monotonic()
        made = self._refitter.refit()
        self._took_s = time.monotonic() - began
        if made is None:
            refits.save(refit_id, None, corrections=0)
            return True
        refits.save(refit_id, made.corrections.to_bytes(), corrections=made.corrections.count, losses=made.losses)
        log.info("version %s has learnt %s corrections, in %.2f s", number, made.corrections.count, self._took_s)
        return True
