"""Whether a Celery consumer still takes what stands in its queue.

After Redis was away, Celery can be connected and take nothing (celery#10205, #8030, #8091, #7705); nothing of its own tells.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from celery import signals
from celery.worker import state
from kombu.exceptions import ChannelError

from worker.app import app

log = logging.getLogger(__name__)

# A queue from which nobody here has taken anything for so long, though no task is at work.
UNTAKEN_S = 60.0


class Consumer:
    """Compares what waits in the queue with what this process takes. `look` is called every few seconds by one thread.

    A queue that grows while tasks are at work is load, not deafness: more processes help, starting again does not. Only where
    tasks of this process cannot take longer than `longest_task_s` (0: they can), those that do are taken for stuck.
    """

    def __init__(self, queue: str, *, longest_task_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._longest_task_s = longest_task_s
        self._clock = clock
        self._progress_at = clock()
        self._accepted = 0  # by the pool, since the process began
        self._at_work = False
        self.redis_away = False
        self.untaken: str | None = None
        signals.task_received.connect(self._note, weak=False)

    def look(self) -> str | None:
        """Return why the consumer is deaf or stuck; None where it is not, or where Redis cannot be asked."""
        moment = self._clock()
        active = set(state.active_requests)
        accepted = state.all_total_count[0]
        # A task that ended is progress too: the next one has had no time yet.
        if accepted != self._accepted or (self._at_work and not active):
            self._progress_at = moment
        self._accepted, self._at_work = accepted, bool(active)
        try:
            waiting = queue_length(self._queue)
        except Exception as error:  # kombu lets every transport's own exceptions through
            if not self.redis_away:
                log.warning("Redis cannot be asked how long the queue %s is: %r", self._queue, error)
            self.redis_away, self.untaken = True, None
            # What waits there cannot be known, and Celery has to find its way back first.
            self._progress_at = moment
            return None
        self.redis_away = False
        # Handed to this process, and never begun: its pool is what stands still.
        waiting += len(set(state.reserved_requests) - active)
        since_s = moment - self._progress_at
        patience_s = max(self._longest_task_s, UNTAKEN_S) if active else UNTAKEN_S
        stuck = waiting > 0 and since_s >= patience_s and (not active or self._longest_task_s > 0)
        self.untaken = f"{waiting} tasks in the queue {self._queue}, none taken for {since_s:.0f} s" if stuck else None
        return self.untaken

    def why_not_ready(self) -> str | None:
        """Return what the last look found."""
        return "Redis" if self.redis_away else self.untaken

    def _note(self, **_: object) -> None:
        self._progress_at = self._clock()


def queue_length(queue: str) -> int:
    """Return how many tasks wait in the queue, of every priority; raise what the transport raises where Redis is away.

    Each time over a connection of its own: those that the consumer holds may be the ones that have gone dead.
    """
    with app.connection_for_read() as connection:
        connection.connect()
        channel: Any  # kombu's stubs know less of it than its documentation
        with connection.channel() as channel:
            try:
                return int(channel.queue_declare(queue, passive=True).message_count)
            except ChannelError:  # kombu's word for an empty one
                return 0
