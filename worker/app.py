"""The Celery application: routes and acknowledgement, the same for whoever publishes and whoever works.

The tasks of other packages name their queue themselves.
"""

import logging
from typing import Any

import celery
from celery import Celery

from model.errors import StoreUnavailable
from worker.broker import use_kept_clients
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)

INFERENCE = "inference"
TRAINING = "training"

_CONFIGURATION: dict[str, Any] = {
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,  # Redis may be away for hours; the store keeps what waits
    "broker_transport_options": {
        # Longer than any training, else Redis hands a running task to a second trainer.
        "visibility_timeout": 6 * 3600,
        # A task with priority 0, which its publisher chooses, is taken before those with 3, 6 and 9.
        "queue_order_strategy": "priority",
        "priority_steps": [0, 3, 6, 9],
        "socket_connect_timeout": 3,
        # A Redis that is frozen, or behind a cut cable, is away; consumers ask it every second anyway.
        "socket_timeout": 5,
        "socket_keepalive": True,
        # A publisher does not wait for Redis, what is not published is found by the sweep: kombu tries for four seconds.
        "max_retries": 0,
    },
    "task_publish_retry": False,
    "task_ignore_result": True,
    "task_store_errors_even_if_ignored": False,
    "task_serializer": "json",
    "accept_content": ["json"],
    # Done means acknowledged; every task may run twice and is written for it.
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    "worker_hijack_root_logger": False,
    "worker_enable_remote_control": True,
    "worker_send_task_events": False,
    "task_default_queue": INFERENCE,
    "task_routes": {
        "worker.classify": {"queue": INFERENCE},
        "worker.explain": {"queue": INFERENCE},
        "worker.train": {"queue": TRAINING},
    },
}


class App(Celery):
    """A Celery application with what its tasks work with.

    `context` is built by the process's composition root and put here before the first task runs.
    """

    context: Any = None


class Task(celery.Task):  # type: ignore[type-arg]  # generic for checkers alone
    """A task that fails while the database is away, with a line in the log and no traceback: the sweep sends it again."""

    throws = (StoreUnavailable,)

    def on_failure(self, exc: Exception, *_: Any) -> None:
        """Log the failures that are expected."""
        if isinstance(exc, self.throws):
            log.warning("%s waits for the sweep: %s", self.name, exc)


use_kept_clients()
app = App("beto", task_cls=Task)
app.add_defaults(lambda: _CONFIGURATION)


def configure(settings: WorkerSettings) -> None:
    """Point the application at the Redis of `settings`. Every process does so once, before it publishes or consumes."""
    app.conf.update(broker_url=settings.redis_url)


def context_of(task: "celery.Task[Any, Any]") -> Any:
    """Return what this process's composition root built for its tasks; RuntimeError where it built nothing."""
    if not isinstance(task.app, App) or task.app.context is None:
        raise RuntimeError(f"{task.name} runs in a process that has no context for tasks")
    return task.app.context
