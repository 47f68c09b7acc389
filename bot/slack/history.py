"""A message's history in words: what each version said of it, and who said what."""

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.views import blocks
from bot.views.texts import Texts
from model.judgements import Gesture, Kind
from model.labels import Taxonomy
from model.store.gestures import OWN_WORDS

if TYPE_CHECKING:
    from bot.slack.app import Desk

# A longer message than this is cut by Slack; the newest lines are the ones asked about.
MOST_LINES = 30
_LINK = re.compile(r"/archives/([A-Z0-9]+)/p(\d{10})(\d{6})")


def told(gesture: Gesture, taxonomy: Taxonomy, texts: Texts) -> str:
    """What this gesture said, as a phrase that follows a name."""
    kinds = {Kind.LABEL: "label", Kind.CORRECT: "correct", Kind.WRONG: "wrong", Kind.NONE: "none", Kind.SET: "set"}
    what = texts(f"command.gesture_{kinds[gesture.kind]}", labels=blocks.names(gesture.labels, taxonomy, texts))
    return texts("command.gesture_withdrawn", what=what) if gesture.withdrawn else what


def read_link(text: str) -> tuple[str, str]:
    """(channel, ts) that a permalink names; two empty strings for anything else."""
    found = _LINK.search(text)
    return (found[1], f"{found[2]}.{found[3]}") if found else ("", "")


async def link_to(client: AsyncWebClient, channel: str, ts: str) -> str:
    """The message's permalink; a dash where it is gone."""
    try:
        return str((await client.chat_getPermalink(channel=channel, message_ts=ts))["permalink"])
    except (SlackApiError, OSError, aiohttp.ClientError):
        return "-"


async def tell(desk: "Desk", client: AsyncWebClient, message_id: int | None, *, asked_in: str) -> str:
    """The history as mrkdwn. A message of another workspace, or of a private place other than `asked_in`, is not told."""
    stored = None if message_id is None else await asyncio.to_thread(desk.store.messages.get, message_id)
    if stored is None:
        return desk.texts("command.history_none")
    if stored.message.channel != asked_in and not stored.message.channel.startswith("C"):
        return desk.texts("command.history_none")
    given = await asyncio.to_thread(desk.store.predictions.all_of, stored.id)
    said = await asyncio.to_thread(desk.gestures.history, stored.id)
    if stored.message.blind and not any(each.gesture.kind in OWN_WORDS for each in said):
        given = []
    lines = [
        (
            at.timestamp(),
            desk.texts(
                "command.history_prediction",
                at=_clock(at),
                base=blocks.escape(blocks.base_name(prediction.base)),
                version=prediction.version,
                labels=blocks.names(prediction.labels, desk.taxonomy, desk.texts),
            ),
        )
        for at, prediction in given
    ]
    for each in said:
        at = datetime.fromtimestamp(each.gesture.at / 1e6, UTC)
        line = desk.texts(
            "command.history_gesture",
            at=_clock(at),
            user=each.gesture.user,
            what=told(each.gesture, desk.taxonomy, desk.texts),
            stale=desk.texts("command.history_stale") if each.stale else "",
        )
        if each.note:
            line += desk.texts("command.history_note", note=blocks.escape(each.note))
        lines.append((at.timestamp(), line))
    link = await link_to(client, stored.message.channel, stored.message.ts)
    newest = [line for _, line in sorted(lines)][-MOST_LINES:]
    return "\n".join([desk.texts("command.history_title", link=link), *newest])


def _clock(moment: datetime) -> str:
    """In the reader's own time zone, as Slack shows dates; UTC where it cannot."""
    return f"<!date^{int(moment.timestamp())}^{{date_num}} {{time}}|{moment:%Y-%m-%d %H:%M} UTC>"
