"""One post that answers many messages of a channel together, where more of them wait than Slack lets us answer in time."""

import logging
import uuid
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.outbox.client import (
    AGAIN_S,
    LEASE_S,
    NO_UNFURL,
    AmbiguousResult,
    RateLimited,
    delete_message,
    labels,
    replies,
    settings,
    slack,
    store,
    workspace,
)
from bot.views import blocks
from bot.views.texts import load_texts
from model.store.pending import RETRY_AFTER_S
from model.store.replies import PENDING
from worker.app import app

log = logging.getLogger(__name__)

DIGEST = "beto_digest"


def digest(channel: str, message_ids: list[int]) -> list[int]:
    """One post in the channel tells the labels of these messages, and each of them counts as answered by it.

    Returns those that want a look of their own at once.
    """
    owner = uuid.uuid4().hex
    claims = [claim for each in message_ids if (claim := replies().claim(each, owner, LEASE_S)) is not None]
    # One that may stand in its thread already is looked for, one by one.
    fit = [claim for claim in claims if claim.reply_ts is None and not claim.orphaned and claim.prediction is not None]
    alone = [claim.message.id for claim in claims if claim not in fit]
    for claim in claims:
        if claim not in fit:
            replies().release(claim.message.id, owner, retry_in_s=0, in_doubt=claim.orphaned)
    if not fit:
        return alone
    together = [claim.message.id for claim in fit]
    replies().note_digest(together, PENDING)
    try:
        posted = slack().chat_postMessage(channel=channel, **_digest_post(together), **NO_UNFURL)
    except RateLimited:
        replies().note_digest(together, None)
        for claim in fit:
            replies().release(claim.message.id, owner, retry_in_s=RETRY_AFTER_S)
        return alone
    except SlackApiError:  # what each of them is refused for, each finds out
        replies().note_digest(together, None)
        for claim in fit:
            replies().release(claim.message.id, owner, retry_in_s=RETRY_AFTER_S)
        return alone + together
    except AmbiguousResult as error:
        for claim in fit:
            replies().release(claim.message.id, owner, retry_in_s=AGAIN_S, in_doubt=True)
        log.warning("the digest of %s: %s", channel, error)
        return alone
    for claim in fit:
        recorded = replies().record(
            claim.message.id, owner, state=claim.message.state, reply_ts=None, digest_ts=str(posted["ts"])
        )
        if recorded == "moved on":
            alone.append(claim.message.id)
    return alone


@app.task(name="bot.digest")
def redraw_digest(channel: str, digest_ts: str, message_ts: str) -> None:
    """The post that answered this message with others tells of those that it still answers; it is gone where there are none."""
    try:
        if digest_ts == PENDING:  # whoever posted it died, or had no answer
            newer = slack().conversations_history(channel=channel, oldest=message_ts, limit=200, include_all_metadata=True)
            found = next((str(each["ts"]) for each in newer["messages"] if message_ts in _digested(each)), None)
            if found is None:
                return
            digest_ts = found
        if message_ids := replies().digest(channel, digest_ts):
            slack().chat_update(channel=channel, ts=digest_ts, **_digest_post(message_ids))
        else:
            delete_message(channel, digest_ts)
    except (RateLimited, AmbiguousResult) as later:
        seconds = later.retry_after_s if isinstance(later, RateLimited) else AGAIN_S
        redraw_digest.apply_async((channel, digest_ts, message_ts), countdown=seconds)


def _digested(message: dict[str, Any]) -> list[str]:
    """The ts of each message that this one of Slack's answers as a digest."""
    metadata = message.get("metadata") or {}
    return str(metadata["event_payload"]["messages"]).split() if metadata.get("event_type") == DIGEST else []


def _digest_post(message_ids: list[int]) -> dict[str, Any]:
    taxonomy, texts = labels().current(), load_texts(settings().language)
    lines, stamps = [], []
    for message_id in message_ids:
        stored, prediction = store().messages.get(message_id), store().predictions.latest(message_id)
        if stored is None or prediction is None or stored.deleted:
            continue
        message = stored.message
        stamps.append(message.ts)
        link = f"{workspace()['url']}archives/{message.channel}/p{message.ts.replace('.', '')}"
        shown = () if message.blind else taxonomy.read(prediction).labels
        words = blocks.escape(" ".join(message.text.split())[:60]).replace("|", " ") or "…"
        told = "…" if message.blind else blocks.names(shown, taxonomy, texts)
        lines.append(texts("digest.line", link=f"<{link}|{words}>", labels=told))
    text, shown_blocks = blocks.digest(lines, texts)
    return {
        "text": text,
        "blocks": shown_blocks,
        "metadata": {"event_type": DIGEST, "event_payload": {"messages": " ".join(stamps)}},
    }
