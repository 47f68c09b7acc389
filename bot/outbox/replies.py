"""The `replies` process: puts what is known about a message into its thread, once, whatever crashes."""

import logging
import threading
import time
import uuid
from http.client import HTTPException
from typing import Any

from celery import signals
from celery.canvas import Signature
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from bot.outbox.client import (
    AGAIN_S,
    CALL_WITHIN_S,
    LEASE_S,
    NO_UNFURL,
    PERMANENT_ERRORS,
    AmbiguousResult,
    RateLimited,
    delete_message,
    find_messages,
    gestures,
    labels,
    limiter,
    locks,
    replies,
    settings,
    slack,
    store,
    workspace,
)  # fmt: skip
from bot.outbox.digests import digest, redraw_digest
from bot.queues import REPLIES
from bot.slack import people
from bot.views import blocks
from bot.views.texts import Texts, load_texts
from model.errors import StoreUnavailable
from model.labels import Taxonomy
from model.schema import Message, Prediction, Source
from model.store.database import now
from model.store.gestures import Judged
from model.store.pending import RETRY_AFTER_S
from model.store.replies import Claim
from worker.app import app
from worker.process import consume
from worker.tasks import classify

log = logging.getLogger(__name__)

METADATA = "beto_reply"
QUESTION = "beto_question"
# What Slack refused is looked at again so much later.
REFUSED_AGAIN_S = 30.0
# A channel's line whose next task is lost with Redis or its process is begun anew by whoever comes after so long.
LINE_LOST_S = 10.0
# Messages that one post answers; each takes a line of some 150 characters, and Slack's blocks have 3,000.
DIGEST_OF = 40
SWEEP_EVERY_S = 5.0
# Between two drawings of the same reply. Slack allows an update about once a second, and people read no faster.
REDRAW_EVERY_S = 1.0
# A channel may want the emoji of at most so many labels, those with at least this probability.
SEEDS = 5
SEED_FROM = 0.15


def classify_and_reply(message_id: int, revision: int, *, lane: int = 0) -> Signature[None]:
    """The task that labels a message, with the reply to follow, in this lane of either queue (see `lanes`)."""
    signature: Signature[None] = classify.si(message_id, revision).set(priority=lane)
    signature.link(reply.si(message_id).set(priority=lane))
    return signature


@app.task(name="bot.reply")
def reply(message_id: int, *, in_line: bool = False) -> None:
    """The thread shows what the store knows of this message: one reply, or none where the message is gone.

    What must wait is on the queue again, or in its channel's line; nobody waits for it here. `in_line`: it is its turn.
    """
    owner = uuid.uuid4().hex
    while (claim := replies().claim(message_id, owner, LEASE_S)) is not None:
        if claim.drawn_at is not None and (early_s := REDRAW_EVERY_S - (now() - claim.drawn_at).total_seconds()) > 0:
            # Fifty people who react within a second are one redrawing, not fifty.
            replies().release(message_id, owner, retry_in_s=early_s + RETRY_AFTER_S, in_doubt=claim.orphaned)
            _come_back(message_id, early_s)
            return
        shown = _show(claim, owner, in_line=in_line)
        if shown is None:
            return
        reply_ts, asked = shown
        # Where this raises, the claim is left to expire: the next one looks first whether the post has arrived.
        recorded = replies().record(
            message_id, owner, state=claim.message.state, reply_ts=reply_ts, asked=asked, before=claim.reply_ts
        )
        if recorded == "surplus" and reply_ts is not None:
            try:
                delete_message(claim.message.message.channel, reply_ts)
            except AmbiguousResult as error:  # the next claim is in doubt, and looks at the thread
                log.warning("message %s has two replies: %s", message_id, error)
                return
            replies().release(message_id, owner, retry_in_s=0)
            continue
        if claim.digest_ts is not None:
            message = claim.message.message
            redraw_digest.delay(message.channel, claim.digest_ts, message.ts)
        if claim.reply_ts is None and reply_ts is not None:
            _seed(claim)
        if recorded == "shown":
            return


def _show(claim: Claim, owner: str, *, in_line: bool) -> tuple[str | None, tuple[str, ...]] | None:
    """As `_bring_up_to_date`; None where it must be done later: the claim is given back, and somebody will come."""
    message_id = claim.message.id
    try:
        return _bring_up_to_date(claim, in_line=in_line)
    except RateLimited as wait:
        replies().release(message_id, owner, retry_in_s=wait.retry_after_s + RETRY_AFTER_S, in_doubt=claim.orphaned)
        if wait.method == "chat.postMessage" and _joins_line(claim):
            _line_up(claim.message.message.channel, wait.retry_after_s)
        else:
            _come_back(message_id, wait.retry_after_s)
    except AmbiguousResult as error:
        log.warning("message %s: %s", message_id, error)
        if not error.late:  # else the claim expires by itself: by then it has come, or never will
            # Another post may stand there, unless all that was tried was to redraw the one that we know.
            doubt = claim.orphaned or claim.reply_ts is None
            replies().release(message_id, owner, retry_in_s=AGAIN_S, in_doubt=doubt)
            _come_back(message_id, AGAIN_S)
    except SlackApiError as error:
        reason = error.response.get("error", "")
        if reason in PERMANENT_ERRORS:
            log.warning("message %s can have no reply: %s", message_id, reason)
            return claim.reply_ts, claim.asked
        # A clear no, so nothing was posted; the sweep tries again.
        replies().release(message_id, owner, retry_in_s=REFUSED_AGAIN_S, in_doubt=claim.orphaned)
        locks().lock(f"refused/{message_id}", REFUSED_AGAIN_S)
        raise
    return None


def _come_back(message_id: int, seconds: float) -> None:
    """The reply is looked at again in so many seconds, once, however many ask for it."""
    if locks().lock(f"reply/{message_id}", seconds):
        reply.apply_async((message_id,), countdown=seconds)


def _joins_line(claim: Claim) -> bool:
    """Whether what waits is the first reply in a thread: those of a channel are served in order."""
    return claim.reply_ts is None and not claim.orphaned


def _line_up(channel: str, seconds: float) -> None:
    """In so many seconds the next of the channel's line is served."""
    if locks().lock(f"line/{channel}", seconds + LINE_LOST_S):
        serve_line.apply_async((channel,), countdown=seconds)


@app.task(name="bot.line")
def serve_line(channel: str) -> None:
    """The next of those that wait in this channel, as many as a second allows, have their replies, or one post together."""
    locks().unlock(f"line/{channel}")
    most = max(settings().digest_after + 1, DIGEST_OF)
    waiting = replies().line(channel, most, newest_first=settings().newest_first)
    if settings().digest_after and len(waiting) > settings().digest_after:
        for each in digest(channel, waiting[:DIGEST_OF]):
            reply.apply_async((each,), {"in_line": True})
    else:
        following = [each for each in waiting if not locks().is_locked(f"refused/{each}")][: limiter().posts_a_second]
        for each in following:
            if locks().is_locked(f"line/{channel}"):  # one had to wait, and so have the others
                return
            try:
                reply(each, in_line=True)
            except SlackApiError as error:  # its log has it; the others must not wait for it
                log.warning("message %s was refused: %s", each, error.response.get("error"))
        if not following:
            return
    if len(waiting) > 1:
        _line_up(channel, limiter().post_every_s)


def _bring_up_to_date(claim: Claim, *, in_line: bool) -> tuple[str | None, tuple[str, ...]]:
    """Slack shows what the claim says; the ts of the reply (None: there is none) and the labels asked about."""
    message, began = claim.message.message, time.monotonic()
    key = f"{workspace()['team_id']}:{message.channel}:{message.ts}"
    thread = message.thread_ts or message.ts
    reply_ts = _only_reply(claim, thread, key)
    if claim.message.deleted:
        if reply_ts is not None:
            slack().chat_delete(channel=message.channel, ts=reply_ts)
        return None, ()
    assert claim.prediction is not None  # a reply is owed only once there is one
    taxonomy, texts = labels().current(), load_texts(settings().language)
    judged = _judged(claim.message.id, message.channel, thread)
    text, shown = draw(message, claim.prediction, judged, taxonomy, texts)
    if message.source is Source.COMMAND:
        _answer_command(message, text, shown)
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
        if not in_line and _joins_line(claim) and locks().is_locked(f"line/{message.channel}"):
            raise RateLimited("chat.postMessage", 1.0)  # others wait in this channel already
        if time.monotonic() - began > LEASE_S / 2:
            # We were frozen: somebody else may hold the claim by the time that Slack has the post.
            raise RateLimited("a new claim", AGAIN_S)
        posted = slack().chat_postMessage(thread_ts=thread, **post, **NO_UNFURL)
        reply_ts = str(posted["ts"])
        if posted["message"].get("thread_ts") != thread:
            # The message was deleted a moment ago, and Slack put the reply into the channel itself (slack-go#1571).
            delete_message(message.channel, reply_ts)
            return None, ()
    new = [label for label in judged.state.disputed if label not in claim.asked]
    if new:
        replies().note(claim.message.id, reply_ts)
    for label in new:
        question = blocks.dispute(label, judged.state.labels[label], taxonomy, texts)
        _ask_once(message.channel, thread, f"{key}:{label}", question)
    return reply_ts, (*claim.asked, *new)


def _only_reply(claim: Claim, thread: str, key: str) -> str | None:
    """The ts of the reply in the thread, which has no other of ours to this message; looked for where that is in doubt."""
    message = claim.message.message
    if not claim.orphaned or message.source is Source.COMMAND:
        return claim.reply_ts
    found = find_messages(message.channel, thread, METADATA, "message", key)
    reply_ts = claim.reply_ts or next(iter(found), None)
    for surplus in found:
        if surplus != reply_ts:
            delete_message(message.channel, surplus)
    return reply_ts


def _answer_command(message: Message, text: str, shown: list[blocks.Block]) -> None:
    """The person who gave the command reads this, alone, unless it was too long ago."""
    if not message.response_url:
        return
    try:
        answer = WebhookClient(message.response_url, timeout=10).send(text=text, blocks=shown, response_type="ephemeral")
    except (OSError, HTTPException) as error:
        raise AmbiguousResult("response_url", error) from None
    if answer.status_code >= 500 or answer.status_code == 429:
        raise AmbiguousResult("response_url", answer.status_code)


def _ask_once(channel: str, thread: str, key: str, question: str) -> None:
    """The question stands in the thread; whoever died after asking has not recorded it."""
    if not find_messages(channel, thread, QUESTION, "about", key):
        metadata = {"event_type": QUESTION, "event_payload": {"about": key}}
        slack(CALL_WITHIN_S).chat_postMessage(channel=channel, thread_ts=thread, text=question, metadata=metadata, **NO_UNFURL)


def draw(
    message: Message, prediction: Prediction, judged: Judged, taxonomy: Taxonomy, texts: Texts
) -> tuple[str, list[blocks.Block]]:
    """The reply that shows this: its text for notifications, and its blocks."""
    if message.blind and not judged.state.judges:
        return blocks.blind(texts)
    read = taxonomy.read(prediction)
    older = set(read.scores) != set(taxonomy.names)
    private = message.source is Source.COMMAND
    return blocks.reply(read, judged.state, taxonomy, texts, stale=judged.stale, buttons=not private, older=older)


def _judged(message_id: int, channel: str, thread: str) -> Judged:
    """What people said of the message; who of them counts was looked up before, and the others are told once."""
    taxonomy = labels().current()
    judged = gestures().judged(message_id, taxonomy)
    assert judged is not None  # its reply is claimed
    if judged.unknown_people:
        stored = store().messages.get(message_id)
        assert stored is not None
        for user in judged.unknown_people:
            people.look_at(slack(), gestures(), settings(), team=workspace()["team_id"], user=user)
        judged = gestures().judged(message_id, taxonomy)
        assert judged is not None
    for user in judged.strangers:
        stored = store().messages.get(message_id)
        if stored is not None and gestures().take_telling(user):
            refused = load_texts(settings().language)("judge.refused")
            try:
                slack().chat_postEphemeral(channel=channel, user=user, thread_ts=thread, text=refused)
            except (SlackApiError, RateLimited, AmbiguousResult) as error:  # they may have left; the labels matter more
                log.info("could not tell %s that their corrections do not count: %s", user, error)
    return judged


def _seed(claim: Claim) -> None:
    """The likeliest labels' emoji are on the message, where the channel wants that: a correction is one tap then."""
    message = claim.message.message
    if claim.prediction is None or message.blind or not store().channels.seeds(message.channel):
        return
    taxonomy = labels().current()
    scores = taxonomy.read(claim.prediction).scores
    likely = sorted((name for name in scores if name in taxonomy and scores[name] >= SEED_FROM), key=lambda name: -scores[name])
    for name in likely[:SEEDS]:
        seed.delay(message.channel, message.ts, taxonomy[name].emoji)


@app.task(name="bot.seed")
def seed(channel: str, ts: str, emoji: str) -> None:
    """The bot's own reaction is on the message; it is no judgement of anybody's."""
    try:
        slack().reactions_add(channel=channel, timestamp=ts, name=emoji)
    except RateLimited as wait:
        seed.apply_async((channel, ts, emoji), countdown=wait.retry_after_s)
    except AmbiguousResult as error:  # one tap less; not worth another try
        log.info("%s", error)
    except SlackApiError as error:
        if error.response.get("error") not in {"already_reacted", "message_not_found", "too_many_reactions", *PERMANENT_ERRORS}:
            raise


def sweep() -> int:
    """What was saved and is owed something for too long is on the queues again; how many."""
    waiting = store().messages.waiting()
    for message_id, owed in waiting:
        if owed == "reply":
            reply.delay(message_id)
            continue
        stored = store().messages.get(message_id)
        if stored is not None:
            classify_and_reply(message_id, stored.revision).apply_async()
    return len(waiting)


def run_replies() -> None:
    """The `beto replies` process, with the periodic sweep in a thread of its own."""
    from bot.outbox import erasure as privacy  # which need this module's client and store
    from bot.outbox import reports

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
    consume(settings(), "replies", REPLIES, ["--pool", "threads", "--concurrency", "8"])
    stop.set()
