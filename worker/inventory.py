"""What there is, read from the database and Redis for whoever scrapes this process: at most every few seconds."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from prometheus_client import Metric

from model.errors import StoreUnavailable
from model.store.inventory import Figures, Inventory
from worker import metrics
from worker.consumer import queue_length

log = logging.getLogger(__name__)

# However often somebody scrapes. A database or a Redis that hangs holds up no scrape for longer than the second.
LOOK_EVERY_S = 5.0
LOOK_WITHIN_S = 1.0
# What can be told while the database is away.
WITHOUT_DATABASE = {"beto_database_up", "beto_redis_up", "beto_queue_tasks"}


class InventoryCollector:
    """Shows `metrics.INVENTORY` as it was at most LOOK_EVERY_S before; nothing is read while nobody scrapes.

    What cannot be known is not shown: while the database does not answer, `beto_database_up` is 0, and of what is in it
    there is nothing.
    """

    def __init__(
        self,
        inventory: Inventory,
        queues: Sequence[str],
        *,
        length: Callable[[str], int] = queue_length,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inventory = inventory
        self._queues = queues
        self._length = length
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._looking: threading.Thread | None = None
        self._shown: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        """Return what the last look saw, after a new one where that is due."""
        with self._lock:
            is_due = self._clock() - self._looked_at >= LOOK_EVERY_S
            if is_due and (self._looking is None or not self._looking.is_alive()):
                self._looked_at = self._clock()
                self._looking = threading.Thread(target=self._look, name="inventory", daemon=True)
                self._looking.start()
            looking = self._looking
        if looking is not None:
            looking.join(LOOK_WITHIN_S)
        return self._shown

    def _look(self) -> None:
        is_known = False
        try:
            self._look_at_redis()
            is_known = self._look_at_database()
        except Exception:  # nobody else would log it
            log.exception("what there is cannot be shown")
        # All at once: a scrape sees one look, never half of two.
        found = metrics.INVENTORY.collect()
        self._shown = list(found) if is_known else [each for each in found if each.name in WITHOUT_DATABASE]

    def _look_at_redis(self) -> None:
        metrics.REDIS_UP.set(0)
        metrics.QUEUE_TASKS.clear()
        try:
            lengths = {queue: self._length(queue) for queue in self._queues}
        except Exception as error:  # kombu lets every transport's own exceptions through
            log.info("Redis cannot be asked how long the queues are: %r", error)
            return
        for queue, tasks in lengths.items():
            metrics.QUEUE_TASKS.labels(queue).set(tasks)
        metrics.REDIS_UP.set(1)

    def _look_at_database(self) -> bool:
        metrics.DATABASE_UP.set(0)
        try:
            figures = self._inventory.read()
        except StoreUnavailable as error:
            log.info("the database cannot be asked what there is: %s", error)
            return False
        _show(figures)
        metrics.DATABASE_UP.set(1)
        return True


def _show(figures: Figures) -> None:
    for state, rows in figures.waiting.items():
        metrics.OUTBOX_ROWS.labels(state.value).set(rows)
    for state, age_s in figures.oldest_s.items():
        metrics.OUTBOX_OLDEST_SECONDS.labels(state.value).set(age_s)
    metrics.MESSAGES.set(figures.messages)
    metrics.GESTURES.set(figures.gestures)
    metrics.GESTURES_UNTRAINED.set(figures.gestures_untrained)
    metrics.WORKERS.set(figures.workers)
    metrics.WORKERS_BEHIND.set(figures.workers_behind)
    metrics.VERSION_LIVE.set(figures.live)
    for status, runs in figures.runs.items():
        metrics.RUNS.labels(status).set(runs)
    metrics.RUNS_FAILED_IN_A_ROW.set(figures.failed_in_a_row)
    metrics.TRAINING_PROGRESS.clear()
    if (progress := figures.progress) is not None:
        metrics.TRAINING_PROGRESS.labels(progress.stage).set(progress.step / progress.steps if progress.steps else 0.0)
    metrics.TRAINING_SILENCE_SECONDS.set(figures.silence_s)
