"""Slack's dictionaries to our types. Pure; what cannot be read is None, never an exception."""

from dataclasses import dataclass
from typing import Any

from model.schema import Message, Source

# A person's own words; every other subtype is Slack's or a bot's.
SPOKEN = {None, "file_share", "thread_broadcast", "me_message"}
# Slack sends at most this many characters of a message; anything longer is not Slack's.
LONGEST = 40_000


@dataclass(frozen=True)
class Edit:
    """A message has another text now."""

    team: str
    channel: str
    ts: str
    text: str


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
    return Edit(team, channel, ts, without_mention(text, bot_user))
