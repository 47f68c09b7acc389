"""The `trainer` process: trains the first version, those that are asked for, and those that are due, one at a time."""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import billiard
from celery import signals
from celery.worker import state

from model.errors import BaseUnavailable, StoreUnavailable
from model.first_training import FirstTraining
from model.learning.hub import require_base
from model.store.runs import Runs
from worker import metrics
from worker.app import TRAINING, app
from worker.process import consume, database_away, die_with_parent, need
from worker.refitting import RefitKeeper
from worker.settings import WorkerSettings
from worker.tasks import TrainerContext, train

log = logging.getLogger(__name__)

# How often the trainer looks whether there is something to train.
LOOK_EVERY_S = 2.0
# Twelve beats of a run (`model.store.runs`) did not come.
HEARTBEAT_SILENT_S = 60.0
# A base that could not be had is asked for again after so long, then twice as long, and so on; a request of a few bytes.
ASK_AFTER_S = 15.0
ASK_AT_LEAST_EVERY_S = 300.0

Clock = Callable[[], float]


class RunKeeper:
    """Sees to it that runs go on: the first version's, those of processes that died, and those that are due by themselves."""

    def __init__(
        self, context: TrainerContext, *, require: Callable[[str], None] = require_base, clock: Clock = time.monotonic
    ) -> None:
        """`require` raises BaseUnavailable where a training could not have its base."""
        self.settings = context.settings
        self.store = context.store
        self.runs = context.store.runs
        self._require = require
        self._clock = clock
        self._published: int | None = None  # the newest run that this process sent to the queue for the first version
        self._told: int | None = None  # the newest run whose failure stands in the log
        self._asks = 0  # how often the base could not be had since a run failed for that
        self._ask_at = 0.0

    def keep(self, stop: threading.Event) -> None:
        """Look after the runs every LOOK_EVERY_S until `stop`; what goes wrong is logged, and looked at again."""
        while not stop.is_set():
            try:
                self.look()
            except StoreUnavailable as error:
                log.warning("runs are not looked after: %s", error)
            except Exception:  # kombu lets every transport's own exceptions through; the rows stay for the next round
                log.exception("a run could not be sent to the queue")
            stop.wait(LOOK_EVERY_S)

    def look(self) -> None:
        """Publish a task for each run that nobody works on, for the first version, and for a run that is due."""
        for run_id in self.runs.abandoned():
            log.info("run %s is taken up again", run_id)
            train.delay(run_id)
        first = self.store.first_training()
        if first is not None:
            self._look_after_first(first)
        elif (due := why_due(self.runs, self.settings)) is not None:
            run_id, new = self.runs.open("beto", channel=self.settings.retrain_channel or None)
            if new:
                log.info("run %s begins: %s", run_id, due)
                train.delay(run_id)

    def _look_after_first(self, first: FirstTraining) -> None:
        """See to it that the first version is trained, and trained again once there is hope after a failure."""
        run = first.run
        if not first.has_labels:
            return  # it begins with the first label
        if run is not None and not run.over:
            if run.id != self._published:  # an earlier process opened it: its task may be gone, and a second one does nothing
                self._publish(run.id)
        elif run is None or self._published is None or (run.status == "done" and run.dry):
            # Also after a failure or a cancellation: whoever starts this process again wants it tried.
            self._open()
        elif run.status == "failed":
            self._tell(first)
            if run.failure == "base":
                self._open_once_base_is_there()
            elif first.retry_at is not None and datetime.now(UTC) >= first.retry_at:
                self._open()

    def _open_once_base_is_there(self) -> None:
        if self._clock() < self._ask_at:
            return
        try:
            self._require(self.settings.base)
        except BaseUnavailable as error:
            pause_s = min(ASK_AFTER_S * 2**self._asks, ASK_AT_LEAST_EVERY_S)
            log.warning("the first version waits for its base, asked again in %.0f s: %s", pause_s, error)
            self._asks += 1
            self._ask_at = self._clock() + pause_s
        else:
            log.info("%s can be had now", self.settings.base)
            self._open()

    def _open(self) -> None:
        run_id, _ = self.runs.open("beto")
        log.info("no version is live: run %s trains the first one", run_id)
        self._publish(run_id)

    def _publish(self, run_id: int) -> None:
        train.delay(run_id)
        self._published, self._asks, self._ask_at = run_id, 0, self._clock() + ASK_AFTER_S

    def _tell(self, first: FirstTraining) -> None:
        run = first.run
        if run is None or run.id == self._told:
            return
        self._told = run.id
        if run.failure == "base":
            again = "it is tried again as soon as the base can be had"
        elif first.retry_at is None:
            again = "it is not tried again by itself: start the trainer again once the reason is gone"
        else:
            again = f"it is tried again at {first.retry_at:%H:%M} UTC"
        log.error("the first training failed, %s: %s", again, run.error)


def why_due(runs: Runs, settings: WorkerSettings, moment: datetime | None = None) -> str | None:
    """Return why a run should begin by itself now, or None where it should not or one is open already."""
    last = runs.last()
    if last is None or not last.over:
        return None
    if settings.retrain_after and (new := runs.new_judgements()) >= settings.retrain_after:
        # A run that failed is not repeated until there is more to learn from.
        if last.status == "failed" and new < 2 * settings.retrain_after:
            return None
        return f"{new} new judgements"
    hours = ((moment or datetime.now(UTC)) - last.requested_at).total_seconds() / 3600
    if settings.retrain_every_h and hours >= settings.retrain_every_h and runs.new_judgements():
        return f"{hours:.0f} hours since the last run"
    return None


def why_stuck(context: TrainerContext, *threads: threading.Thread, busy: bool) -> str | None:
    """Return what of this process has come to an end unseen: one of its threads, or the heartbeat of the run at work.

    `busy`: a child of this process is at work.
    """
    for thread in threads:
        if thread.ident is not None and not thread.is_alive():
            return f"the ended thread that looks after {thread.name}"
    try:
        run = context.store.runs.last() if busy else None
    except StoreUnavailable:
        return None  # nobody can beat now
    if run is None or run.status != "running" or run.beat_at is None or run.cancelled_by is not None:
        return None
    silent_s = (datetime.now(UTC) - run.beat_at).total_seconds()
    return f"the heartbeat of run {run.id}, which came last {silent_s:.0f} s ago" if silent_s >= HEARTBEAT_SILENT_S else None


def run_trainer() -> None:
    """Train until told to stop, each run in a child whose memory goes with it."""
    need("trainer", "model", ("torch", "transformers", "onnx", "sklearn", "scipy"))
    settings = WorkerSettings()
    context = TrainerContext.open(settings)
    context.store.migrate()
    context.store.begin_labels(settings.labels_file)
    metrics.watch_database(context.store.database)
    stop = threading.Event()
    keeper = threading.Thread(target=RunKeeper(context).keep, args=(stop,), name="runs", daemon=True)
    refitting = threading.Thread(target=RefitKeeper(context.store).keep, args=(stop,), name="refits", daemon=True)

    def begin_in_child(**_: object) -> None:
        die_with_parent()
        # An exception, so that the training can hand its run back.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        app.context = TrainerContext.open(settings)

    def begin(**_: object) -> None:
        keeper.start()
        refitting.start()

    signals.worker_ready.connect(begin, weak=False)
    signals.worker_process_init.connect(begin_in_child, weak=False)
    signals.worker_shutting_down.connect(_end_training, weak=False)
    consume(
        settings,
        "trainer",
        TRAINING,
        ["--pool", "prefork", "--concurrency", "1", "--max-tasks-per-child", "1"],
        why_not_ready=lambda: database_away(context.store),
        why_stuck=lambda: why_stuck(context, keeper, refitting, busy=bool(state.active_requests)),
    )
    stop.set()


def _end_training(**_: object) -> None:
    """Stop the child: whoever stops the trainer does not want to wait for minutes. The run is handed back, and goes on later."""
    for child in billiard.active_children():
        child.terminate()
