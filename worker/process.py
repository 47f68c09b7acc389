"""What every process of ours shares: its log, its end with its parent, its health page, and how it consumes a queue."""

import ctypes
import importlib.util
import logging
import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Protocol

from celery import signals

from model.errors import BadSetting, StoreUnavailable
from worker import health
from worker.app import app, configure
from worker.consumer import Consumer
from worker.settings import WorkerSettings
from worker.watchdog import Watchdog

PR_SET_PDEATHSIG = 1
# What a process that was told to stop may take to finish what it has in hand. The rest is in the store, and the sweep finds it.
DRAIN_WITHIN_S = 15.0


class Pinged(Protocol):
    """A database that can be asked whether it answers."""

    def ping(self) -> None:
        """Ask the database; raise StoreUnavailable where it does not answer."""


def configure_logging() -> None:
    """Log one line per record on standard error, with the time; libraries from warnings on."""
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
    """Let the kernel end this process when the one that started it dies, however that one dies (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def need(process: str, extra: str, modules: Sequence[str]) -> None:
    """Raise BadSetting, naming the extra to install, where this Python lacks one of the `modules` that the process needs."""
    if missing := [name for name in modules if importlib.util.find_spec(name) is None]:
        raise BadSetting(f"`beto {process}` needs {', '.join(missing)}: pip install 'beto-bot[{extra}]'")


def database_away(store: Pinged) -> str | None:
    """Return "the database" where it does not answer, for a health page's `why_not_ready`; else None."""
    try:
        store.ping()
    except StoreUnavailable:
        return "the database"
    return None


def consume(
    settings: WorkerSettings,
    name: str,
    queue: str,
    arguments: Sequence[str],
    *,
    why_not_ready: health.Ready = lambda: None,
    why_stuck: health.Ready = lambda: None,
    longest_task_s: float = 0.0,
    details: Callable[[], dict[str, object]] = dict,
) -> None:
    """Consume `queue` as a Celery worker until told to stop, with a health page.

    It then finishes the tasks in hand, for at most DRAIN_WITHIN_S, and gives back to the queue what it has not begun.
    The process is ready when Celery has reached Redis, takes what is in the queue, and neither `why_stuck` nor `why_not_ready`
    names a reason. One that takes nothing, or whose `why_stuck` goes on to name a reason, ends (see `Watchdog`). No task takes
    longer than `longest_task_s`, if that is not 0.
    """
    configure_logging()
    configure(settings)
    ready = threading.Event()
    consumer = Consumer(queue, longest_task_s=longest_task_s)
    watchdog = Watchdog(lambda: (consumer.look() or why_stuck()) if ready.is_set() else None)
    signals.worker_shutting_down.connect(_end_in_time, weak=False)
    signals.worker_shutting_down.connect(lambda **_: watchdog.stop(), weak=False)
    signals.worker_ready.connect(lambda **_: ready.set(), weak=False)
    watchdog.start()
    health.serve(
        settings.health_port,
        name,
        lambda: (consumer.why_not_ready() or why_stuck() or why_not_ready()) if ready.is_set() else "Redis",
        host=settings.health_host,
        details=details,
    )
    app.worker_main(
        [
            "worker",
            "--queues",
            queue,
            "--hostname",
            node_name(name),
            "--loglevel",
            "WARNING",
            "--without-gossip",
            "--without-mingle",
            *arguments,
        ]
    )


def node_name(process: str) -> str:
    """Return a name for this process among all Celery consumers of the same Redis, which no other has.

    Two containers may share their hostname, and their process ids nearly always: Celery would read each other's control queue.
    """
    return f"{process}-{os.getpid()}-{uuid.uuid4().hex[:8]}@%h"


def _end_in_time(**_: object) -> None:
    timer = threading.Timer(DRAIN_WITHIN_S, os._exit, (0,))
    timer.daemon = True
    timer.start()
