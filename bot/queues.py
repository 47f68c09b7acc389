"""Signatures of all tasks by name, each with its queue: who publishes one imports nothing of the process that runs it."""

from celery.canvas import Signature

from model.store.outbox_row import reply_key, report_key, status_key
from worker.app import INFERENCE, TRAINING, app

# The queue of the `replies` process.
REPLIES = "replies"


def deliver(key: str, *, in_turn: bool = False, priority: int = 0) -> Signature[None]:
    """Return the task that brings a row of the outbox up to date (`model.store.outbox` makes its key).

    `in_turn`: it is its turn in its channel's line.
    """
    named = {"in_turn": True} if in_turn else {}
    return _signature("bot.deliver", (key,), REPLIES, kwargs=named, priority=priority)


def reply(message_id: int, *, priority: int = 0) -> Signature[None]:
    """Return the task that brings the message's reply up to date."""
    return deliver(reply_key(message_id), priority=priority)


def classify_and_reply(message_id: int, revision: int, *, priority: int = 0) -> Signature[None]:
    """Return the task that predicts the message's labels, with its reply to follow; `priority` (0 first) holds for both."""
    signature = _signature("worker.classify", (message_id, revision), INFERENCE, priority=priority)
    signature.link(reply(message_id, priority=priority))
    return signature


def explain_and_show(key: str) -> Signature[None]:
    """Return the task that works out why, for this row, which is shown next; messages that come in go first."""
    signature = _signature("worker.explain", (key,), INFERENCE, priority=3)
    signature.link(deliver(key))
    return signature


def label_and_complete(key: str) -> Signature[None]:
    """Return the task that labels the text that a workflow waits for, which is told next."""
    signature = _signature("worker.step", (key,), INFERENCE)
    signature.link(deliver(key))
    return signature


def run_status(run_id: int) -> Signature[None]:
    """Return the task that shows how far the run is; it comes back by itself until the run is over."""
    return deliver(status_key(run_id))


def run_report(run_id: int) -> Signature[None]:
    """Return the task that brings the run's report up to date."""
    return deliver(report_key(run_id))


def serve_line(channel: str) -> Signature[None]:
    """Return the task that serves those who wait in this channel."""
    return _signature("bot.line", (channel,), REPLIES)


def seed(channel: str, ts: str, emoji: str) -> Signature[None]:
    """Return the task that puts the bot's own reaction on a message."""
    return _signature("bot.seed", (channel, ts, emoji), REPLIES)


def unseed(message_id: int) -> Signature[None]:
    """Return the task that takes the bot's own reactions off a message again."""
    return _signature("bot.unseed", (message_id,), REPLIES)


def train(run_id: int) -> Signature[None]:
    """Return the task that carries out the run."""
    return _signature("worker.train", (run_id,), TRAINING)


def _signature(name: str, arguments: tuple[object, ...], queue: str, **options: object) -> Signature[None]:
    # Immutable: a task that follows another does not get its result.
    signature: Signature[None] = app.signature(name, arguments, immutable=True, queue=queue, **options)
    return signature
