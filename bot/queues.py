"""Signatures of all tasks by name, each with its queue: who publishes one imports nothing of the process that runs it."""

from celery.canvas import Signature

from worker.app import INFERENCE, TRAINING, app

# The queue of the `replies` process.
REPLIES = "replies"


def reply(message_id: int, *, priority: int = 0) -> Signature[None]:
    """Return the task that brings the message's reply up to date."""
    return _signature("bot.reply", (message_id,), REPLIES, priority=priority)


def classify_and_reply(message_id: int, revision: int, *, priority: int = 0) -> Signature[None]:
    """Return the task that predicts the message's labels, with its reply to follow; `priority` (0 first) holds for both."""
    signature = _signature("worker.classify", (message_id, revision), INFERENCE, priority=priority)
    signature.link(reply(message_id, priority=priority))
    return signature


def run_status(run_id: int, token: str) -> Signature[None]:
    """Return the task that shows how far the run is until it is over; `token` is of `Runs.watch`."""
    return _signature("bot.run", (run_id, token), REPLIES)


def show_decision(run_id: int, decision: str, by: str) -> Signature[None]:
    """Return the task that shows under the run's report what `by` decided: `promoted` or `kept`."""
    return _signature("bot.decision", (run_id, decision, by), REPLIES)


def train(run_id: int) -> Signature[None]:
    """Return the task that carries out the run."""
    return _signature("worker.train", (run_id,), TRAINING)


def _signature(name: str, arguments: tuple[object, ...], queue: str, **options: object) -> Signature[None]:
    # Immutable: a task that follows another does not get its result.
    signature: Signature[None] = app.signature(name, arguments, immutable=True, queue=queue, **options)
    return signature
