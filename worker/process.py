"""How a Celery process of ours is started: logging, health page, pool and queues."""

import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

import billiard
from celery import signals

from worker import health
from worker.app import INFERENCE, TRAINING, app
from worker.settings import WorkerSettings

PR_SET_PDEATHSIG = 1
# What a process that was told to stop may take to finish what it has in hand. The rest is in the store, and the sweep finds it.
DRAIN_WITHIN_S = 15.0


def configure_logging() -> None:
    """One line per record on standard error, with the time; libraries from warnings on."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for chatty in (
        "slack_sdk",
        "slack_bolt",
        "aiohttp.access",
        "alembic",
        "celery.worker.strategy",
        "celery.app.trace",
    ):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def die_with_parent() -> None:
    """The kernel ends this process when the one that started it dies, however that one dies (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def consume(
    name: str,
    queue: str,
    arguments: list[str],
    *,
    why_not_ready: health.Ready = lambda: None,
    details: Callable[[], dict[str, object]] = dict,
) -> None:
    """A Celery worker consumes `queue` until it is told to stop.

    It then finishes the tasks in hand, for at most DRAIN_WITHIN_S, and gives back to the queue what it has not begun.
    """
    configure_logging()
    ready = threading.Event()
    signals.worker_shutting_down.connect(_end_in_time, weak=False)
    signals.worker_ready.connect(lambda **_: ready.set(), weak=False)
    settings = WorkerSettings()
    health.serve(
        settings.health_port,
        name,
        lambda: why_not_ready() if ready.is_set() else "Redis",
        host=settings.health_host,
        details=details,
    )
    app.worker_main(
        [
            "worker",
            "--queues",
            queue,
            "--hostname",
            f"{name}-{os.getpid()}@%h",
            "--loglevel",
            "WARNING",
            "--without-gossip",
            "--without-mingle",
            *arguments,
        ]
    )


def _end_in_time(**_: object) -> None:
    timer = threading.Timer(DRAIN_WITHIN_S, os._exit, (0,))
    timer.daemon = True
    timer.start()


def run_worker() -> None:
    """The `beto worker` process: many messages at a time in threads, one batcher and one network behind them."""
    from worker import tasks

    tasks.store().migrate()
    host = tasks.host()
    consume(
        "worker",
        INFERENCE,
        ["--pool", "threads", "--concurrency", str(WorkerSettings().concurrency)],
        why_not_ready=lambda: None if host.serving else "a live version",
        details=lambda: {"serving": host.serving},
    )
    host.close()


def run_trainer() -> None:
    """The `beto trainer` process: one training at a time, each in a child whose memory goes with it."""
    from worker import tasks

    tasks.store().migrate()
    stop = threading.Event()
    keeper: list[threading.Thread] = []

    def begin(**_: object) -> None:
        thread = threading.Thread(target=tasks.keep_runs_going, args=(stop,), name="runs", daemon=True)
        keeper.append(thread)
        thread.start()

    signals.worker_ready.connect(begin, weak=False)
    signals.worker_process_init.connect(_in_child, weak=False)
    signals.worker_shutting_down.connect(_end_training, weak=False)
    consume("trainer", TRAINING, ["--pool", "prefork", "--concurrency", "1", "--max-tasks-per-child", "1"])
    stop.set()


def _end_training(**_: object) -> None:
    """Who stops the trainer does not want to wait for minutes: the run is handed back, and the next start goes on."""
    for child in billiard.active_children():
        child.terminate()


def _in_child(**_: object) -> None:
    from worker import tasks

    die_with_parent()
    # An exception, so that the training can hand its run back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # Connections must not be shared across a fork.
    tasks.store.cache_clear()
