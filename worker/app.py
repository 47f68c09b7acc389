"""The Celery application: queues, routes and acknowledgement, the same for whoever publishes and whoever works."""

import logging
from typing import Any

import celery
from celery import Celery

from model.errors import StoreUnavailable
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)

INFERENCE = "inference"
REPLIES = "replies"
TRAINING = "training"


def _configuration() -> dict[str, Any]:
    settings = WorkerSettings()
    return {
        "broker_url": settings.redis_url,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # Redis may be away for hours; the store keeps what waits
        "broker_transport_options": {
            # Longer than any training, else Redis hands a running task to a second trainer.
            "visibility_timeout": 6 * 3600,
            # Lanes: a task with priority 0 is taken before those with 3, 6 and 9 (`bot.slack.priority`).
            "queue_order_strategy": "priority",
            "priority_steps": [0, 3, 6, 9],
            "socket_connect_timeout": 3,
            # A Redis that is frozen, or behind a cut cable, is away; consumers ask it every second anyway.
            "socket_timeout": 5,
            "socket_keepalive": True,
        },
        # A publisher does not wait for Redis: what is not published is found by the sweep.
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
            "worker.train": {"queue": TRAINING},
            "bot.*": {"queue": REPLIES},
        },
    }


class Task(celery.Task):  # type: ignore[type-arg]  # generic for checkers alone
    """A task that fails while the database is away, which is a line in the log and no traceback: the sweep brings it back."""

    throws = (StoreUnavailable,)

    def on_failure(self, exc: Exception, *_: Any) -> None:
        """The line is written."""
        if isinstance(exc, self.throws):
            log.warning("%s waits for the sweep: %s", self.name, exc)


app = Celery("beto", task_cls=Task)
# A promise: read when the configuration is first needed, not when this module is imported.
app.add_defaults(_configuration)
