"""Slack's dictionaries to our types. Pure; what cannot be read is None, never an exception."""

import hashlib
import json
import re
import time
from dataclasses import dataclass
from typing import Any, TypeGuard

from model.judgements import Gesture, Kind
from model.labels import Taxonomy, canonical_emoji
from model.schema import Message, Source

# A person's own words; every other subtype is Slack's or a bot's.
SPOKEN = {None, "file_share", "thread_broadcast", "me_message"}
# The emoji that speak of all labels at once; every label's own emoji is in the taxonomy.
GESTURES = {Kind.CORRECT: "white_check_mark", Kind.WRONG: "x", Kind.NONE: "no_entry_sign"}
# Slack sends at most this many characters of a message; anything longer is not Slack's.
LONGEST = 40_000
# What Slack could not deliver comes again after a minute and after five more: until then an edit or a deletion may come first.
OVERTAKEN_WITHIN_S = 600


# Slack's ids and times; the store's columns are no longer.
_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")


def is_id(value: object) -> TypeGuard[str]:
    """Whether this may be an id or a time of Slack's."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def section(body: object, *path: str) -> dict[str, Any]:
    """The dictionary at this place of a payload; an empty one where there is none."""
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body if isinstance(body, dict) else {}


def is_readable(body: dict[str, Any]) -> bool:
    """Whether a request holds all that a listener takes for granted; what does not is not Slack's, and is nobody's."""
    if not all(isinstance(body.get(name), dict | None) for name in ("team", "view", "container", "event")):
        return False
    if "command" in body:
        text = body.get("text")
        named = is_id(body.get("channel_id")) and is_id(body.get("user_id"))
        return named and (text is None or isinstance(text, str)) and _strings(body, "command", "trigger_id", "response_url")
    match body.get("type"):
        case "event_callback":
            event = section(body, "event")
            named_ids = {"member_joined_channel": ["channel"], "channel_id_changed": ["old_channel_id", "new_channel_id"]}
            wanted = named_ids.get(str(event.get("type")), ["user"] if event.get("type") == "app_home_opened" else [])
            return _strings(event, "type") and all(is_id(event.get(name)) for name in wanted)
        case "block_actions":
            container, actions = section(body, "container"), body.get("actions")
            # Only what stands on a message is ours.
            where = container.get("type") == "message" and all(
                is_id(container.get(name)) for name in ("channel_id", "message_ts")
            )
            pressed = (
                isinstance(actions, list) and len(actions) > 0 and all(_strings(each, "action_id", "type") for each in actions)
            )
            return where and pressed and is_id(section(body, "user").get("id")) and _strings(body, "trigger_id")
        case "view_submission":
            return is_id(section(body, "user").get("id")) and _is_readable_view(section(body, "view"))
        case "message_action":
            message = section(body, "message")
            named = all(is_id(each.get("id")) for each in (section(body, "user"), section(body, "channel")))
            in_thread = message.get("thread_ts") is None or is_id(message.get("thread_ts"))
            return (
                named and in_thread and is_id(message.get("ts")) and _strings(body, "callback_id", "trigger_id", "response_url")
            )
    return not {"actions", "view", "callback_id", "event"} & body.keys()  # the rest is acknowledged and forgotten


def _is_readable_view(view: dict[str, Any]) -> bool:
    try:
        metadata = json.loads(view.get("private_metadata") or "{}")
    except (TypeError, ValueError, RecursionError):
        return False
    message, person = section(metadata).get("message"), section(metadata).get("person")
    values = section(view, "state", "values")
    # Each block of ours holds one element of its own name.
    elements = {name: section(values, name, name) for name in values}
    chosen = [each for element in elements.values() for each in _list(element.get("selected_options"))]
    return (
        _strings(view, "id", "callback_id", "type")
        and isinstance(metadata, dict)
        and (message is None or (type(message) is int and 0 <= message < 2**31))
        and (person is None or is_id(person))
        and all(isinstance(element.get("value"), str | None) for element in elements.values())
        and all(isinstance(section(each).get("value"), str) for each in chosen)
    )


def _strings(body: object, *names: str) -> bool:
    values = [section(body).get(name) for name in names]
    return all(isinstance(value, str) and plain_text(value) == value for value in values)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def plain_text(text: str) -> str:
    """`text` as a database can keep it: without NULs (PostgreSQL takes none) and without halves of characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True)
class Edit:
    """A message has another text now."""

    channel: str
    ts: str
    text: str
    at: int  # Slack's time of the edit, microseconds
    whole: Message | None = None  # as it is now, for whoever has not heard of it yet


@dataclass(frozen=True)
class Deletion:
    """A message is gone."""

    channel: str
    ts: str
    at: int  # Slack's time of the deletion, microseconds


def read_message(event: dict[str, Any], *, bot_user: str) -> Message | Edit | Deletion | None:
    """What a `message` or `app_mention` event says, or None for what is not ours to read.

    None for bots (ourselves among them), joins and other subtypes, and edits that left the text as it was
    (Slack sends those for every unfurl and thread reply).
    """
    channel = event.get("channel")
    if not is_id(channel):
        return None
    match event.get("subtype"):
        case "message_changed":
            return _read_change(event, channel, bot_user)
        case "message_deleted":
            ts = event.get("deleted_ts")
            return Deletion(channel, ts, microseconds(event.get("event_ts"))) if is_id(ts) else None
        case None | str() as subtype if subtype in SPOKEN:
            pass
        case _:
            return None
    ts, user, text = event.get("ts"), event.get("user"), event.get("text")
    if event.get("bot_id") or not is_id(user) or user == bot_user or not is_id(ts) or not isinstance(text, str):
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
        channel=channel,
        ts=ts,
        user=user,
        text=words,
        source=source,
        thread_ts=thread_ts if is_id(thread_ts) else None,
    )


def read_shortcut(body: dict[str, Any], *, bot_user: str) -> Message | None:
    """The message that a message shortcut was chosen on; also a bot's, since a person asked for it. None without text."""
    message, channel = section(body, "message"), section(body, "channel").get("id")
    text, ts = message.get("text"), message.get("ts")
    if not is_id(channel) or not is_id(ts) or not isinstance(text, str):
        return None
    words = without_mention(text, bot_user)
    if not words:
        return None
    thread_ts, user = message.get("thread_ts"), message.get("user") or message.get("bot_id")
    return Message(
        channel=channel,
        ts=ts,
        user=user if is_id(user) else "unknown",
        text=words,
        source=Source.SHORTCUT,
        thread_ts=thread_ts if is_id(thread_ts) else None,
    )


def without_mention(text: str, bot_user: str) -> str:
    """`text` without the words that call the bot, as a database can keep it, cut at Slack's own limit."""
    text = plain_text(text)
    return (text.replace(f"<@{bot_user}>", " ").strip() if f"<@{bot_user}>" in text else text)[:LONGEST]


def _read_change(event: dict[str, Any], channel: str, bot_user: str) -> Edit | Deletion | None:
    message, previous = section(event, "message"), section(event, "previous_message")
    ts, text = message.get("ts"), message.get("text")
    if not is_id(ts):
        return None
    if message.get("subtype") == "tombstone":
        # How Slack deletes a message that has a thread, as all that we answered have.
        return Deletion(channel, ts, microseconds(event.get("event_ts")))
    if message.get("bot_id") or message.get("user") == bot_user or not isinstance(text, str):
        return None
    if text == previous.get("text"):
        return None
    # `edited.ts` is cut to the second, so a reaction of the same second would seem to come after it.
    edited_ts = event.get("event_ts") or section(message, "edited").get("ts")
    whole = read_message({**message, "channel": channel, "channel_type": event.get("channel_type")}, bot_user=bot_user)
    return Edit(
        channel,
        ts,
        without_mention(text, bot_user),
        microseconds(edited_ts),
        whole if isinstance(whole, Message) else None,
    )


def may_overtake(change: Edit | Deletion) -> bool:
    """Whether the message that changed is so young that the news of it may still be on its way."""
    return change.at - microseconds(change.ts) < OVERTAKEN_WITHIN_S * 1_000_000


def read_reaction(event: dict[str, Any], *, taxonomy: Taxonomy, bot_user: str) -> tuple[str, str, Gesture] | None:
    """(channel, ts of the item, gesture) of a `reaction_added` or `reaction_removed` event.

    None for the bot's own reactions, for what is no message, and for emoji that mean nothing here.
    """
    item, user, name = section(event, "item"), event.get("user"), event.get("reaction")
    channel, item_ts = item.get("channel"), item.get("ts")
    if item.get("type") != "message" or not is_id(channel) or not is_id(item_ts):
        return None
    if not is_id(user) or not isinstance(name, str) or user == bot_user:
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
    key = f"{message.channel}:{message.ts}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64 < percent / 100
