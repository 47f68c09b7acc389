"""The slack side names tasks that it does not import: each of those names must be a task, on the queue where it is served."""

import importlib
import inspect

import pytest
import redis
from celery.canvas import Signature
from kombu import Connection
from kombu.exceptions import OperationalError

from bot import queues
from bot.local.ports import free_port
from tests.broker import broker
from worker.app import app

for module in ("bot.outbox.process", "worker.tasks"):  # all tasks that there are
    importlib.import_module(module)
MADE = {
    name: function(
        *range(1, 1 + sum(each.default is inspect.Parameter.empty for each in inspect.signature(function).parameters.values()))
    )
    for name, function in vars(queues).items()
    if inspect.isfunction(function) and function.__module__ == queues.__name__ and not name.startswith("_")
}


@pytest.mark.parametrize("name", MADE)
def test_every_signature_is_of_a_task_that_takes_its_arguments(name: str) -> None:
    """A misspelt name would be found by whoever waits for an answer."""
    signature: Signature[None] | None = MADE[name]
    while signature is not None:
        assert signature.immutable
        task = app.tasks[signature.task]
        inspect.signature(task.run).bind(*signature.args)
        links = signature.options.get("link") or []
        signature = links[0] if links else None


@pytest.mark.parametrize("name", MADE)
def test_every_task_arrives_on_its_own_queue(name: str, redis_url: str) -> None:
    """By name alone: nobody who publishes has the task's own settings."""
    signature = MADE[name]
    queue = signature.options["queue"]
    redis_url = redis_url.removesuffix("/0") + "/6"  # of its own: what other tests left on the queue would arrive first
    with redis.Redis.from_url(redis_url) as shared:
        shared.flushdb()
    with broker(redis_url):  # as a process does that never imported the task
        app.send_task(signature.task, signature.args, **signature.options)
    with Connection(redis_url) as connection:
        arrived = connection.SimpleQueue(queue)
        message = arrived.get(timeout=10)
        assert message.headers["task"] == signature.task
        message.ack()
        arrived.close()


def test_whoever_publishes_does_not_wait_for_a_redis_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row is saved, and the sweep finds it; kombu would sleep and try again, in a thread that others wait for."""
    slept: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", slept.append)
    with broker(f"redis://127.0.0.1:{free_port()}/0"), pytest.raises(OperationalError):
        queues.reply(1).apply_async()
    assert slept == []


def test_tasks_go_to_the_broker_that_is_named_whatever_was_published_before(redis_url: str) -> None:
    """Celery keeps the connections that it made first; a test's that found nobody failed those after it in the same process."""
    redis_url = redis_url.removesuffix("/0") + "/6"
    signature = queues.reply(1)
    with redis.Redis.from_url(redis_url) as shared, broker(f"redis://127.0.0.1:{free_port()}/0"):
        shared.flushdb()
        with pytest.raises(OperationalError):
            signature.apply_async()
        with broker(redis_url):
            signature.apply_async()
            assert shared.llen(signature.options["queue"]) == 1
        with pytest.raises(OperationalError):
            signature.apply_async()
        assert shared.llen(signature.options["queue"]) == 1
