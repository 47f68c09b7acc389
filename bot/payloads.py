"""Slack's dictionaries to our types. Pure; what cannot be read is None, never an exception."""

import hashlib
import time
from dataclasses import dataclass
from typing import Any

from model.judgements import Gesture, Kind
from model.labels import Taxonomy, canonical_emoji
from model.schema import Message, Source

# A person's own words; every other subtype is Slack's or a bot's.
SPOKEN = {None, "file_share", "thread_broadcast", "me_message"}
# The emoji that speak of all labels at once; every label's own emoji is in the taxonomy.
GESTURES = {Kind.CORRECT: "white_check_mark", Kind.WRONG: "x", Kind.NONE: "no_entry_sign"}
# Slack sends at most this many characters of a message; anything longer is not Slack's.
LONGEST = 40_000


@dataclass(frozen=True)
class Edit:
    """A message has another text now."""

    team: str
    channel: str
    ts: str
    text: str
    at: int  # Slack's time of the edit, microseconds


@dataclass(frozen=True)
class Deletion:
    """A message is gone."""

    team: str
    channel: str
    ts: str


def read_message(event: dict[str, Any], *, team: str, bot_user: str) -> Message | Edit | Deletion | None:
    """What a `message` or `app_mention` event says, or None for what is not ours to read.

    None for bots (ourselves among them), joins and other subtypes, and edits that left the text as it was
    (Slack sends those for every unfurl and thread reply).
    """
    channel = event.get("channel")
    if not isinstance(channel, str):
        return None
    match event.get("subtype"):
        case "message_changed":
            return _read_change(event, team, channel, bot_user)
        case "message_deleted":
            ts = event.get("deleted_ts")
            return Deletion(team, channel, ts) if isinstance(ts, str) else None
        case subtype if subtype not in SPOKEN:
            return None
    ts, user, text = event.get("ts"), event.get("user"), event.get("text")
    if event.get("bot_id") or not isinstance(user, str) or user == bot_user:
        return None
    if not isinstance(ts, str) or not isinstance(text, str):
        return None
    words = without_mention(text, bot_user)
    if event.get("channel_type") == "im":
        source = Source.DIRECT
    elif words != text or event.get("type") == "app_mention":
        source = Source.MENTION
    else:
        source = Source.CHANNEL
    thread_ts = event.get("thread_ts")
    return Message(
        team=team,
        channel=channel,
        ts=ts,
        user=user,
        text=words,
        source=source,
        thread_ts=thread_ts if isinstance(thread_ts, str) else None,
    )


def read_shortcut(body: dict[str, Any], *, team: str, bot_user: str) -> Message | None:
    """The message that a message shortcut was chosen on; also a bot's, since a person asked for it. None without text."""
    message, channel = body.get("message") or {}, (body.get("channel") or {}).get("id")
    text, ts = message.get("text"), message.get("ts")
    if not isinstance(channel, str) or not isinstance(ts, str) or not isinstance(text, str):
        return None
    words = without_mention(text, bot_user)
    if not words:
        return None
    thread_ts = message.get("thread_ts")
    return Message(
        team=team,
        channel=channel,
        ts=ts,
        user=str(message.get("user") or message.get("bot_id") or "unknown"),
        text=words,
        source=Source.SHORTCUT,
        thread_ts=thread_ts if isinstance(thread_ts, str) else None,
    )


def without_mention(text: str, bot_user: str) -> str:
    """`text` without the words that call the bot, without NULs (PostgreSQL keeps none), cut at Slack's own limit."""
    text = text.replace("\0", "")
    return (text.replace(f"<@{bot_user}>", " ").strip() if f"<@{bot_user}>" in text else text)[:LONGEST]


def _read_change(event: dict[str, Any], team: str, channel: str, bot_user: str) -> Edit | Deletion | None:
    message = event.get("message") or {}
    previous = event.get("previous_message") or {}
    ts, text = message.get("ts"), message.get("text")
    if not isinstance(ts, str):
        return None
    if message.get("subtype") == "tombstone":
        return Deletion(team, channel, ts)  # how Slack deletes a message that has a thread, as all that we answered have
    if message.get("bot_id") or message.get("user") == bot_user or not isinstance(text, str):
        return None
    if text == previous.get("text"):
        return None
    # `edited.ts` is cut to the second, so a reaction of the same second would seem to come after it.
    edited_ts = event.get("event_ts") or (message.get("edited") or {}).get("ts")
    return Edit(team, channel, ts, without_mention(text, bot_user), microseconds(edited_ts))


def read_reaction(event: dict[str, Any], *, taxonomy: Taxonomy, bot_user: str) -> tuple[str, str, Gesture] | None:
    """(channel, ts of the item, gesture) of a `reaction_added` or `reaction_removed` event.

    None for the bot's own reactions, for what is no message, and for emoji that mean nothing here.
    """
    item, user, name = event.get("item") or {}, event.get("user"), event.get("reaction")
    channel, item_ts = item.get("channel"), item.get("ts")
    if item.get("type") != "message" or not isinstance(channel, str) or not isinstance(item_ts, str):
        return None
    if not isinstance(user, str) or not isinstance(name, str) or user == bot_user:
        return None
    kind, labels = _meaning_of(name, taxonomy)
    if kind is None:
        return None
    return (
        channel,
        item_ts,
        Gesture(
            user=user,
            # The whole name, skin tone and all: Slack counts each tone as a reaction of its own.
            handle=f"reaction/{user}/{item_ts}/{name}"[:255],
            at=microseconds(event.get("event_ts")),
            kind=kind,
            labels=labels,
            withdrawn=event.get("type") == "reaction_removed",
        ),
    )


def microseconds(ts: object) -> int:
    """Slack's `1716400000.123456` as an integer, exactly; the present time for what is none."""
    seconds, _, fraction = str(ts).partition(".")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 12) or not (fraction.isascii() and fraction.isdigit()):
        return time.time_ns() // 1000
    return int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))


def _meaning_of(name: str, taxonomy: Taxonomy) -> tuple[Kind | None, tuple[str, ...]]:
    sign = canonical_emoji(name)
    for kind, emoji in GESTURES.items():
        if sign == canonical_emoji(emoji):
            return kind, ()
    label = taxonomy.by_emoji(name)
    return (None, ()) if label is None else (Kind.LABEL, (label.name,))


def is_drawn(message: Message, percent: float) -> bool:
    """Whether a message is among `percent` of all, by chance, and the same however often Slack sends it."""
    key = f"{message.team}:{message.channel}:{message.ts}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64 < percent / 100
