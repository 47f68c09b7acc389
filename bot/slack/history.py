"""A message's history in words: what each version predicted of it, and who said what."""

import asyncio
import re
from datetime import UTC, datetime

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.context import ListenerContext
from bot.slack.payloads.payload import MessageRef
from bot.views import blocks, label_names, reply_blocks
from bot.views.texts import Texts
from model.gesture_handles import denied_label
from model.judgements import Gesture, Kind
from model.labels import Taxonomy
from model.schema import Message
from model.store.judged_messages import OWN_WORDS

# A longer message than this is cut by Slack; the newest lines are the ones asked about.
MOST_LINES = 30
_LINK = re.compile(r"/archives/([A-Z0-9]+)/p(\d{10})(\d{6})")
# How each kind of gesture is called in the locale files.
GESTURE_KEYS = {
    Kind.LABEL: "command.gesture_label",
    Kind.CORRECT: "command.gesture_correct",
    Kind.WRONG: "command.gesture_wrong",
    Kind.NONE: "command.gesture_none",
    Kind.SET: "command.gesture_set",
}


def phrase(gesture: Gesture, taxonomy: Taxonomy, texts: Texts) -> str:
    """Return what this gesture said, as a phrase that follows a name."""
    denied = denied_label(gesture.handle)
    key, labels = (GESTURE_KEYS[gesture.kind], gesture.labels) if denied is None else ("command.gesture_not", (denied,))
    what = texts(key, labels=label_names.names(labels, taxonomy, texts))
    return texts("command.gesture_withdrawn", what=what) if gesture.withdrawn else what


def read_link(text: str) -> MessageRef | None:
    """Return the message that a permalink names; None for anything else."""
    found = _LINK.search(text)
    return MessageRef(found[1], f"{found[2]}.{found[3]}") if found else None


async def link_to(client: AsyncWebClient, channel: str, ts: str) -> str:
    """Return the message's permalink; a dash where it is gone."""
    try:
        return str((await client.chat_getPermalink(channel=channel, message_ts=ts))["permalink"])
    except (SlackApiError, OSError, aiohttp.ClientError):
        return "-"


async def named(context: ListenerContext, message: Message) -> str:
    """Return "this message", as a link to it where it still stands."""
    link, words = await link_to(context.slack, message.channel, message.ts), context.texts("command.this_message")
    return words if link == "-" else f"<{link}|{words}>"


async def tell(context: ListenerContext, message_id: int | None, *, asked_by: str) -> str:
    """Return the history as mrkdwn: of what this person may see, and with notes where they may judge."""
    store, texts = context.store, context.texts
    stored = None if message_id is None else await asyncio.to_thread(store.messages.get, message_id)
    if stored is None or not await context.visibility.may_see(asked_by, stored.message):
        return texts("command.history_none")
    message = stored.message
    if stored.deleted:
        return texts("command.history_erased")
    taxonomy = await context.taxonomy()
    predicted = await asyncio.to_thread(store.predictions.all_of, stored.id)
    said = await asyncio.to_thread(store.gestures.history, stored.id)
    with_notes = any(each.note for each in said) and await context.visibility.may_judge(asked_by)
    if message.blind and not any(each.gesture.kind in OWN_WORDS for each in said):
        predicted = []
    lines = [
        (
            at.timestamp(),
            texts(
                "command.history_prediction",
                at=blocks.moment(at),
                base=blocks.escape(reply_blocks.base_name(prediction.base)),
                version=prediction.version,
                labels=label_names.names(prediction.labels, taxonomy, texts),
            ),
        )
        for at, prediction in predicted
    ]
    for each in said:
        at = datetime.fromtimestamp(each.gesture.at / 1e6, UTC)
        line = texts(
            "command.history_gesture",
            at=blocks.moment(at),
            user=each.gesture.user,
            what=phrase(each.gesture, taxonomy, texts),
            stale=texts("command.history_stale") if each.stale else "",
        )
        if each.note and with_notes:
            line += texts("command.history_note", note=blocks.escape(each.note))
        lines.append((at.timestamp(), line))
    if not lines:
        return texts("command.history_empty")
    newest = [line for _, line in sorted(lines)][-MOST_LINES:]
    return "\n".join([texts("command.history_title", message=await named(context, message)), *newest])
