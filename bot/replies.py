"""The `replies` process: puts what is known about a message into its thread, once, whatever crashes."""

import logging
import threading
import uuid
from functools import cache

from celery import signals
from celery.canvas import Signature
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler, ServerErrorRetryHandler
from slack_sdk.webhook import WebhookClient

from bot import blocks
from bot.settings import BotSettings
from bot.texts import load_texts
from model.errors import StoreUnavailable
from model.labels import seed_taxonomy
from model.schema import Source
from model.store import Claim, Store
from worker.app import REPLIES, app
from worker.run import consume
from worker.tasks import classify

log = logging.getLogger(__name__)

METADATA = "beto_reply"
# Longer than a post with its retries; a claim that lives longer belongs to a dead process.
LEASE_S = 60.0
SWEEP_EVERY_S = 5.0
# Slack will never take these, however often we try.
HOPELESS = {
    "account_inactive", "cant_update_message", "channel_not_found", "edit_window_closed", "is_archived", "message_not_found",
    "not_in_channel", "thread_not_found", "restricted_action", "token_revoked",
}  # fmt: skip


@cache
def store() -> Store:
    """This process's store."""
    return Store(BotSettings().store_url)


@cache
def slack() -> WebClient:
    """This process's Slack client: waits out rate limits and server errors by itself."""
    settings = BotSettings()
    client = WebClient(token=settings.slack_bot_token.get_secret_value(), base_url=settings.slack_api_url, timeout=20)
    client.retry_handlers += [RateLimitErrorRetryHandler(max_retry_count=3), ServerErrorRetryHandler(max_retry_count=2)]
    return client


def classify_and_reply(message_id: int, revision: int) -> Signature[None]:
    """The task that labels a message, with the reply to follow."""
    signature: Signature[None] = classify.si(message_id, revision)
    signature.link(reply.si(message_id))
    return signature


@app.task(name="bot.reply")
def reply(message_id: int) -> None:
    """The thread shows what the store knows of this message: one reply, or none where the message is gone."""
    owner = uuid.uuid4().hex
    while (claim := store().claim_reply(message_id, owner, LEASE_S)) is not None:
        try:
            reply_ts = _bring_up_to_date(claim)
        except SlackApiError as error:
            reason = error.response.get("error", "")
            if reason not in HOPELESS:
                # A clear no, so nothing was posted; the sweep tries again.
                store().release_reply(message_id, owner, retry_in_s=30.0)
                raise
            log.warning("message %s can have no reply: %s", message_id, reason)
            reply_ts = claim.reply_ts
        # Any other exception leaves the claim to expire: the post may have arrived, and the next claim looks first.
        moved_on = store().record_reply(message_id, owner, state=claim.message.state, reply_ts=reply_ts)
        if not moved_on:
            return


def _bring_up_to_date(claim: Claim) -> str | None:
    """Slack shows what the claim says; the ts of the reply, None where there is none."""
    message = claim.message.message
    key = f"{message.team}:{message.channel}:{message.ts}"
    thread = message.thread_ts or message.ts
    reply_ts = claim.reply_ts
    if claim.orphaned and message.source is not Source.COMMAND:
        reply_ts = _find_in_thread(message.channel, thread, key)
    if claim.message.deleted:
        if reply_ts is not None:
            slack().chat_delete(channel=message.channel, ts=reply_ts)
        return None
    assert claim.prediction is not None  # a reply is owed only once there is one
    settings = BotSettings()
    text, shown = blocks.reply(claim.prediction, seed_taxonomy(), load_texts(settings.language))
    if message.source is Source.COMMAND:
        if message.response_url:
            WebhookClient(message.response_url, timeout=10).send(text=text, blocks=shown, response_type="ephemeral")
        return None
    metadata = {"event_type": METADATA, "event_payload": {"message": key}}
    if reply_ts is not None:
        slack().chat_update(channel=message.channel, ts=reply_ts, text=text, blocks=shown, metadata=metadata)
        return reply_ts
    posted = slack().chat_postMessage(
        channel=message.channel,
        thread_ts=thread,
        text=text,
        blocks=shown,
        metadata=metadata,
        unfurl_links=False,
        unfurl_media=False,
    )
    return str(posted["ts"])


def _find_in_thread(channel: str, thread: str, key: str) -> str | None:
    """The ts of the reply that an earlier claim posted and did not live to record."""
    cursor = ""
    while True:
        page = slack().conversations_replies(channel=channel, ts=thread, include_all_metadata=True, limit=200, cursor=cursor)
        for message in page["messages"]:
            metadata = message.get("metadata") or {}
            if metadata.get("event_type") == METADATA and metadata.get("event_payload", {}).get("message") == key:
                return str(message["ts"])
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return None


def sweep() -> int:
    """What was saved and is owed something for too long is on the queues again; how many."""
    waiting = store().waiting()
    for message_id, owed in waiting:
        if owed == "reply":
            reply.delay(message_id)
            continue
        stored = store().message(message_id)
        if stored is not None:
            classify_and_reply(message_id, stored.revision).apply_async()
    return len(waiting)


def run_replies() -> None:
    """The `beto replies` process, with the periodic sweep in a thread of its own."""
    store().migrate()
    stop = threading.Event()

    def sweep_until_stopped() -> None:
        while not stop.wait(SWEEP_EVERY_S):
            try:
                found = sweep()
            except StoreUnavailable as error:
                log.warning("the sweep waits for the database: %s", error)
            except Exception:  # the thread must outlive a Redis that is away; the rows stay for the next round
                log.exception("the sweep could not publish")
            else:
                if found:
                    log.info("the sweep sent %s messages again", found)

    sweeper = threading.Thread(target=sweep_until_stopped, name="sweep", daemon=True)
    signals.worker_ready.connect(lambda **_: sweeper.start(), weak=False)
    consume("replies", REPLIES, ["--pool", "threads", "--concurrency", "8"])
    stop.set()
