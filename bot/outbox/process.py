"""The `replies` process: says to Slack what is pending, once, whatever crashes. Its tasks, and how it is built."""

import logging
import threading

import celery
from celery import signals
from slack_sdk.errors import SlackApiError

from bot import metrics, queues
from bot.errors import StartRefused, refusal
from bot.outbox import executor
from bot.outbox.client import CONNECTIONS_KEPT
from bot.outbox.context import OutboxContext, build_context
from bot.outbox.states import NOT_THERE, PERMANENT_ERRORS, AmbiguousResult, RateLimited
from bot.outbox.sweep import Sweeper
from bot.settings import BotSettings
from model.store.store import Store
from worker.app import INFERENCE, TRAINING, app, configure, context_of
from worker.inventory import InventoryCollector
from worker.logs import configure_logging
from worker.metrics import watch_database
from worker.process import consume, database_away

log = logging.getLogger(__name__)

# Each call to Slack ends within CALL_WITHIN_S (20 s), and no row takes more than some ten of them.
LONGEST_TASK_S = 600.0


@app.task(name="bot.deliver", bind=True)
def deliver(self: "celery.Task[..., None]", key: str, *, in_turn: bool = False) -> None:
    """Bring what Slack shows of this row up to date (see `executor.deliver`)."""
    context: OutboxContext = context_of(self)
    executor.deliver(context, key, in_turn=in_turn)


@app.task(name="bot.line", bind=True)
def serve_line(self: "celery.Task[..., None]", channel: str) -> None:
    """Serve those that wait in this channel (see `executor.serve_line`)."""
    context: OutboxContext = context_of(self)
    executor.serve_line(context, channel)


@app.task(name="bot.seed", bind=True)
def seed(self: "celery.Task[..., None]", channel: str, ts: str, emoji: str) -> None:
    """Put the bot's own reaction on a message; it is no judgement of anybody's."""
    put_reaction(context_of(self), channel, ts, emoji)


def put_reaction(context: OutboxContext, channel: str, ts: str, emoji: str) -> None:
    """Put the bot's own reaction on a message that is still there, or see to it that somebody does when Slack allows it."""
    stored = context.store.messages.find(channel, ts)
    if stored is not None and stored.deleted:
        return  # it was erased meanwhile, and an emoji would tell its label
    try:
        context.slack.reactions_add(channel=channel, timestamp=ts, name=emoji)
    except RateLimited as wait:
        context.publish(queues.seed(channel, ts, emoji), countdown_s=wait.retry_after_s)
    except AmbiguousResult as error:  # one tap less; not worth another try
        log.info("%s", error)
    except SlackApiError as error:
        # A workspace may not have the emoji that the setting or the label names.
        known = {"already_reacted", "invalid_name", "message_not_found", "too_many_reactions", *PERMANENT_ERRORS, *NOT_THERE}
        if refusal(error) not in known:
            raise


@app.task(name="bot.unseed", bind=True)
def unseed(self: "celery.Task[..., None]", message_id: int) -> None:
    """Take the bot's own reactions off a message that was erased."""
    take_reactions_off(context_of(self), message_id)


def take_reactions_off(context: OutboxContext, message_id: int) -> None:
    """Take the bot's own reactions off a message, which tell its labels; those that Slack does not take off now, later."""
    stored = context.store.messages.get(message_id)
    if stored is None:
        return
    left = dict(stored.offered)
    try:
        for emoji in stored.offered:
            _take_off(context, stored.message.channel, stored.message.ts, emoji)
            del left[emoji]
    except RateLimited as wait:
        context.publish(queues.unseed(message_id), countdown_s=wait.retry_after_s)
    except AmbiguousResult as error:  # the sweep finds what is left
        log.info("%s", error)
    except SlackApiError as error:
        log.warning("the emoji on message %s are not taken off yet: %s", message_id, refusal(error))
    finally:
        context.store.messages.set_offered(message_id, left)


def _take_off(context: OutboxContext, channel: str, ts: str, emoji: str) -> None:
    try:
        context.slack.reactions_remove(channel=channel, timestamp=ts, name=emoji)
    except SlackApiError as error:
        if refusal(error) not in {"no_reaction", "invalid_name", *PERMANENT_ERRORS}:
            raise


def run_replies() -> None:
    """Say to Slack what is pending, until told to stop. StartRefused where the token or the database is of another workspace."""
    settings = BotSettings()
    if not settings.slack_bot_token.get_secret_value():
        raise StartRefused(
            "SLACK_BOT_TOKEN is missing: copy the one that begins with xoxb- from your app's page, OAuth & Permissions"
        )
    store = Store(
        settings.store_url,
        settings.home_folder,
        mask_personal=settings.mask_personal,
        label_emoji=settings.label_emoji_by_name,
        preferences=settings.preferences,
    )
    configure_logging("replies", settings.log)
    configure(settings)
    store.migrate()
    watch_database(store.database)
    app.context = context = build_context(settings, store, wait=threading.Event().wait)
    sweeper = Sweeper(context)
    signals.worker_ready.connect(lambda **_: sweeper.start(), weak=False)
    consume(
        settings,
        "replies",
        queues.REPLIES,
        ["--pool", "threads", "--concurrency", str(CONNECTIONS_KEPT)],
        why_not_ready=lambda: database_away(store),
        why_stuck=sweeper.why_stuck,
        longest_task_s=LONGEST_TASK_S,
        measured=(
            metrics.SLACK,
            metrics.OUTBOX,
            InventoryCollector(store.inventory, (INFERENCE, queues.REPLIES, TRAINING)),
        ),
    )
    sweeper.stop()
    store.close()
