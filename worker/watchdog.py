"""A process that is alive and does nothing: it is noticed, and ends, so that whatever supervises it starts it again."""

import logging
import os
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
# Between the first sign and the end. The libraries mend most of it themselves: slack_sdk's aiohttp client has a new socket 6 to
# 16 s after it lost one, and Celery is back with Redis within seconds. Whoever ends the process sooner fights them.
GRACE_S = 60.0
# EX_TEMPFAIL of sysexits.h: starting again may help.
STUCK_STATUS = 75

Why = Callable[[], str | None]


class Watchdog:
    """Ends the process with STUCK_STATUS once `why_stuck` has named a reason at every look for GRACE_S seconds.

    It is a thread, since what stands still may be the event loop. Nothing is put in order before the end: what stands still
    cannot be waited for, and all that counts is in the database.
    """

    def __init__(self, why_stuck: Why, *, end: Callable[[int], object] = os._exit) -> None:
        self._why_stuck = why_stuck
        self._end = end
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Look every LOOK_EVERY_S seconds from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more: the process is told to stop, and ends by itself."""
        self._stop.set()

    def _watch(self) -> None:
        since: float | None = None
        while not self._stop.wait(min(LOOK_EVERY_S, GRACE_S / 4)):
            reason = self._look()
            if reason is None:
                since = None
                continue
            if since is None:
                since = time.monotonic()
                log.error("stuck, and ending in %.0f s unless it passes: %s", GRACE_S, reason)
            elif time.monotonic() - since >= GRACE_S and not self._stop.is_set():
                log.critical("ending with status %s, to be started again: %s", STUCK_STATUS, reason)
                logging.shutdown()
                self._end(STUCK_STATUS)
                return

    def _look(self) -> str | None:
        try:
            return self._why_stuck()
        except Exception:  # a look that fails is no sign of anything, and the thread must live to look again
            log.exception("cannot see whether the process is stuck")
            return None
