"""The `replies` process: puts what is known about a message into its thread, once, whatever crashes."""

import logging
import threading
import uuid
from functools import cache
from typing import Any

from celery import signals
from celery.canvas import Signature
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler, ServerErrorRetryHandler
from slack_sdk.webhook import WebhookClient

from bot import blocks, people
from bot.settings import BotSettings
from bot.texts import load_texts
from model.errors import StoreUnavailable
from model.gestures import Gestures, Judged
from model.labelbook import LabelBook
from model.schema import Source
from model.store import RETRY_AFTER_S, Claim, Store, now
from worker.app import REPLIES, app
from worker.run import consume
from worker.tasks import classify

log = logging.getLogger(__name__)

METADATA = "beto_reply"
# Longer than a post with its retries; a claim that lives longer belongs to a dead process.
LEASE_S = 60.0
SWEEP_EVERY_S = 5.0
# Between two drawings of the same reply. Slack allows an update about once a second, and people read no faster.
REDRAW_EVERY_S = 1.0
# A channel may want the emoji of at most so many labels, those with at least this probability.
SEEDS = 5
SEED_FROM = 0.15
QUIET: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
# Slack will never take these, however often we try.
HOPELESS = {
    "account_inactive", "cant_update_message", "channel_not_found", "edit_window_closed", "is_archived", "message_not_found",
    "not_in_channel", "thread_not_found", "restricted_action", "token_revoked",
}  # fmt: skip


@cache
def store() -> Store:
    """This process's store."""
    return Store(settings().store_url, mask_personal=settings().mask_personal)


@cache
def settings() -> BotSettings:
    """This process's settings."""
    return BotSettings()


@cache
def gestures() -> Gestures:
    """What people said, in this process's store."""
    return Gestures(store())


@cache
def labels() -> LabelBook:
    """The labels of today, in this process's store."""
    return LabelBook(store())


@cache
def slack() -> WebClient:
    """This process's Slack client: waits out rate limits and server errors by itself."""
    token = settings().slack_bot_token.get_secret_value()
    client = WebClient(token=token, base_url=settings().slack_api_url, timeout=20)
    client.retry_handlers += [RateLimitErrorRetryHandler(max_retry_count=3), ServerErrorRetryHandler(max_retry_count=2)]
    return client


def classify_and_reply(message_id: int, revision: int, *, lane: int = 0) -> Signature[None]:
    """The task that labels a message, with the reply to follow, in this lane of either queue (see `lanes`)."""
    signature: Signature[None] = classify.si(message_id, revision).set(priority=lane)
    signature.link(reply.si(message_id).set(priority=lane))
    return signature


@app.task(name="bot.reply")
def reply(message_id: int) -> None:
    """The thread shows what the store knows of this message: one reply, or none where the message is gone."""
    owner = uuid.uuid4().hex
    while (claim := store().claim_reply(message_id, owner, LEASE_S)) is not None:
        if claim.drawn_at is not None and (early_s := REDRAW_EVERY_S - (now() - claim.drawn_at).total_seconds()) > 0:
            # Fifty people who react within a second are one redrawing, not fifty.
            store().release_reply(message_id, owner, retry_in_s=early_s + RETRY_AFTER_S)
            reply.apply_async((message_id,), countdown=early_s)
            return
        try:
            reply_ts, asked = _bring_up_to_date(claim)
        except SlackApiError as error:
            reason = error.response.get("error", "")
            if reason not in HOPELESS:
                # A clear no, so nothing was posted; the sweep tries again.
                store().release_reply(message_id, owner, retry_in_s=30.0)
                raise
            log.warning("message %s can have no reply: %s", message_id, reason)
            reply_ts, asked = claim.reply_ts, claim.asked
        # Any other exception leaves the claim to expire: the post may have arrived, and the next claim looks first.
        moved_on = store().record_reply(message_id, owner, state=claim.message.state, reply_ts=reply_ts, asked=asked)
        if claim.reply_ts is None and reply_ts is not None:
            _seed(claim)
        if not moved_on:
            return


def _bring_up_to_date(claim: Claim) -> tuple[str | None, tuple[str, ...]]:
    """Slack shows what the claim says; the ts of the reply (None: there is none) and the labels asked about."""
    message = claim.message.message
    key = f"{message.team}:{message.channel}:{message.ts}"
    thread = message.thread_ts or message.ts
    reply_ts = claim.reply_ts
    if claim.orphaned and message.source is not Source.COMMAND:
        reply_ts = find_message(message.channel, thread, METADATA, "message", key)
    if claim.message.deleted:
        if reply_ts is not None:
            slack().chat_delete(channel=message.channel, ts=reply_ts)
        return None, ()
    assert claim.prediction is not None  # a reply is owed only once there is one
    taxonomy, texts = labels().current(), load_texts(settings().language)
    judged = _judged(claim.message.id, message.channel, thread)
    private = message.source is Source.COMMAND
    if message.blind and not judged.state.judges:
        text, shown = blocks.blind(texts)
    else:
        prediction = taxonomy.read(claim.prediction)
        older = set(prediction.scores) != set(taxonomy.names)
        text, shown = blocks.reply(
            prediction, judged.state, taxonomy, texts, stale=judged.stale, buttons=not private, older=older
        )
    if private:
        if message.response_url:
            WebhookClient(message.response_url, timeout=10).send(text=text, blocks=shown, response_type="ephemeral")
        return None, ()
    post: dict[str, Any] = {
        "channel": message.channel,
        "text": text,
        "blocks": shown,
        "metadata": {"event_type": METADATA, "event_payload": {"message": key}},
    }
    if reply_ts is not None:
        slack().chat_update(ts=reply_ts, **post)
    else:
        reply_ts = str(slack().chat_postMessage(thread_ts=thread, **post, **QUIET)["ts"])
    new = [label for label in judged.state.disputed if label not in claim.asked]
    for label in new:
        question = blocks.dispute(label, judged.state.labels[label], taxonomy, texts)
        slack().chat_postMessage(channel=message.channel, thread_ts=thread, text=question, **QUIET)
    return reply_ts, (*claim.asked, *new)


def _judged(message_id: int, channel: str, thread: str) -> Judged:
    """What people said of the message; who of them counts was looked up before, and the others are told once."""
    taxonomy = labels().current()
    judged = gestures().judged(message_id, taxonomy)
    assert judged is not None  # its reply is claimed
    if judged.unknown_people:
        stored = store().message(message_id)
        assert stored is not None
        for user in judged.unknown_people:
            people.look_at(slack(), gestures(), settings(), team=stored.message.team, user=user)
        judged = gestures().judged(message_id, taxonomy)
        assert judged is not None
    for user in judged.strangers:
        stored = store().message(message_id)
        if stored is not None and gestures().take_telling(stored.message.team, user):
            refused = load_texts(settings().language)("judge.refused")
            try:
                slack().chat_postEphemeral(channel=channel, user=user, thread_ts=thread, text=refused)
            except SlackApiError as error:  # they may have left; the labels matter more
                log.info("could not tell %s that their corrections do not count: %s", user, error.response["error"])
    return judged


def _seed(claim: Claim) -> None:
    """The likeliest labels' emoji are on the message, where the channel wants that: a correction is one tap then."""
    message = claim.message.message
    if claim.prediction is None or message.blind or not store().seeds(message.team, message.channel):
        return
    taxonomy = labels().current()
    scores = taxonomy.read(claim.prediction).scores
    likely = sorted((name for name in scores if name in taxonomy and scores[name] >= SEED_FROM), key=lambda name: -scores[name])
    for name in likely[:SEEDS]:
        seed.delay(message.channel, message.ts, taxonomy[name].emoji)


# Slack allows about 50 a minute (tier 3), and redrawing needs reactions.get's share of it too.
@app.task(name="bot.seed", rate_limit="40/m")
def seed(channel: str, ts: str, emoji: str) -> None:
    """The bot's own reaction is on the message; it is no judgement of anybody's."""
    try:
        slack().reactions_add(channel=channel, timestamp=ts, name=emoji)
    except SlackApiError as error:
        if error.response.get("error") not in {"already_reacted", "message_not_found", "too_many_reactions", *HOPELESS}:
            raise


def find_message(channel: str, thread: str, kind: str, name: str, value: str) -> str | None:
    """The ts of our message in the thread whose metadata is of this kind and says so: posted by who did not live to record it."""
    cursor = ""
    while True:
        page = slack().conversations_replies(channel=channel, ts=thread, include_all_metadata=True, limit=200, cursor=cursor)
        for message in page["messages"]:
            metadata = message.get("metadata") or {}
            if metadata.get("event_type") == kind and metadata.get("event_payload", {}).get(name) == value:
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
    from bot import privacy, reports  # which need this module's client and store

    store().migrate()
    stop = threading.Event()

    def sweep_until_stopped() -> None:
        while not stop.wait(SWEEP_EVERY_S):
            try:
                found = sweep()
                reports.sweep()
                privacy.sweep()
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
