"""What every process of ours shares: its end with its parent, its health page, and how it consumes a queue."""

import ctypes
import importlib.util
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from celery import signals
from celery.apps import worker as celery_worker
from prometheus_client.registry import Collector

from model.errors import BadSetting, StoreUnavailable
from worker import health, metrics, traces
from worker.app import app, configure
from worker.consumer import Consumer
from worker.logs import configure_logging
from worker.settings import WorkerSettings
from worker.watchdog import Watchdog

PR_SET_PDEATHSIG = 1
# What a process that was told to stop may take to finish what it has in hand. The rest is in the store, and the sweep finds it.
DRAIN_WITHIN_S = 15.0


class Pinged(Protocol):
    """A database that can be asked whether it answers."""

    def ping(self) -> None:
        """Ask the database; raise StoreUnavailable where it does not answer."""


def die_with_parent() -> None:
    """Let the kernel end this process when the one that started it dies, however that one dies (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def need(process: str, extra: str, modules: Sequence[str]) -> None:
    """Raise BadSetting, naming the extra to install, where this Python lacks one of the `modules` that the process needs."""
    if missing := [name for name in modules if not _is_installed(name)]:
        raise BadSetting(f"`beto {process}` needs {', '.join(missing)}: pip install 'beto-bot[{extra}]'")


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of what is above it
        return False


def trace(process: str, settings: WorkerSettings) -> None:
    """Send traces from now on where the settings say where to; BadSetting where this Python cannot."""
    if settings.otlp_endpoint:
        need(process, "traces", traces.MODULES)
        traces.send_to(settings.otlp_endpoint, process)


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
    measured: Sequence[Collector] = (),
) -> None:
    """Consume `queue` as a Celery worker until told to stop, with a health page.

    It then finishes the tasks in hand, for at most DRAIN_WITHIN_S, and gives back to the queue what it has not begun.
    The process is ready when Celery has reached Redis, takes what is in the queue, and neither `why_stuck` nor `why_not_ready`
    names a reason. One that takes nothing, or whose `why_stuck` goes on to name a reason, ends (see `Watchdog`). No task takes
    longer than `longest_task_s`, if that is not 0. `measured` is shown to Prometheus.
    """
    configure_logging(name, settings.log)
    trace(name, settings)
    configure(settings)
    ready = threading.Event()
    measure_tasks()
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
        measured=measured,
    )
    # What it would print, when it begins and when it ends, is no line of a log.
    celery_worker.safe_say = lambda *_: None  # type: ignore[attr-defined]  # the stubs leave it out
    app.worker_main(
        [
            "--quiet",
            "worker",
            "--queues",
            queue,
            "--hostname",
            node_name(name),
            "--loglevel",  # of the root, which is ours too
            "INFO",
            "--without-gossip",
            "--without-mingle",
            *arguments,
        ]
    )


def measure_tasks() -> None:
    """Measure each task that runs in a thread of this process: how it ended, and how long it took."""
    running = threading.local()

    def begin(**_: object) -> None:
        running.since = time.perf_counter()

    def end(task: Any = None, state: str | None = None, **_: object) -> None:
        name = getattr(task, "name", "") or "unknown"
        metrics.TASK_SECONDS.labels(name).observe(time.perf_counter() - running.since)
        metrics.TASKS.labels(name, "done" if state == "SUCCESS" else "failed").inc()

    signals.task_prerun.connect(begin, weak=False)
    signals.task_postrun.connect(end, weak=False)


def node_name(process: str) -> str:
    """Return a name for this process among all Celery consumers of the same Redis, which no other has.

    Two containers may share their hostname, and their process ids nearly always: Celery would read each other's control queue.
    """
    return f"{process}-{os.getpid()}-{uuid.uuid4().hex[:8]}@%h"


def _end_in_time(**_: object) -> None:
    timer = threading.Timer(DRAIN_WITHIN_S, os._exit, (0,))
    timer.daemon = True
    timer.start()
