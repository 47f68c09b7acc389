"""What is read from Slack's dictionaries, and what is left alone."""

from typing import Any

import pytest

from bot.slack.payloads import Deletion, Edit, is_drawn, read_message, read_shortcut
from model.schema import Message, Source

BOT = "UBETO"


def read(**event: Any) -> Message | Edit | Deletion | None:
    whole = {"type": "message", "channel": "C1", "channel_type": "channel", "user": "UANA", "ts": "1.1", "text": "hola", **event}
    return read_message(whole, bot_user=BOT)


def test_a_persons_message_is_read_as_it_was_sent() -> None:
    assert read() == Message(channel="C1", ts="1.1", user="UANA", text="hola", source=Source.CHANNEL)


@pytest.mark.parametrize(
    ("event", "source", "text"),
    [
        ({"channel_type": "im"}, Source.DIRECT, "hola"),
        ({"text": "<@UBETO> no llega mi pago"}, Source.MENTION, "no llega mi pago"),
        ({"type": "app_mention", "text": "oye <@UBETO> mira"}, Source.MENTION, "oye   mira"),
        ({"text": "<@ULUIS> mira"}, Source.CHANNEL, "<@ULUIS> mira"),
    ],
)
def test_how_a_message_reaches_us_decides_its_source(event: dict[str, Any], source: Source, text: str) -> None:
    """The twin events of one mention must say the same, whichever comes first."""
    message = read(**event)
    assert isinstance(message, Message)
    assert (message.source, message.text) == (source, text)


@pytest.mark.parametrize(
    "event",
    [
        {"user": BOT},
        {"bot_id": "B1"},
        {"subtype": "bot_message", "user": None},
        {"subtype": "channel_join"},
        {"subtype": "channel_topic"},
        {"text": None},
        {"channel": None},
        {"ts": 1.5},
        {"user": {"id": "UANA"}},
    ],
)
def test_bots_joins_and_rubbish_are_left_alone(event: dict[str, Any]) -> None:
    """A bot that answers bots ends in a loop; a malformed event must not crash the listener."""
    assert read(**event) is None


def test_an_edit_counts_only_with_another_text() -> None:
    """Slack reports a change for unfurls and thread replies too; loops of 50 replies came from that."""
    new, old = {"ts": "1.1", "user": "UANA", "text": "adiós"}, {"ts": "1.1", "user": "UANA", "text": "hola"}
    edit = read(subtype="message_changed", message=new, previous_message=old, event_ts="7.000001")
    whole = Message(channel="C1", ts="1.1", user="UANA", text="adiós", source=Source.CHANNEL)
    assert edit == Edit("T1", "C1", "1.1", "adiós", 7_000_001, whole)
    assert read(subtype="message_changed", message=old, previous_message=old) is None
    assert read(subtype="message_changed", message={**new, "bot_id": "B1"}, previous_message=old) is None
    assert read(subtype="message_changed") is None


def test_both_ways_of_deleting_are_understood() -> None:
    """A message with a thread, as every answered one has, becomes a tombstone instead of going."""
    assert read(subtype="message_deleted", deleted_ts="1.1", event_ts="7.000001") == Deletion("T1", "C1", "1.1", 7_000_001)
    tombstone = {"ts": "1.1", "subtype": "tombstone", "text": "This message was deleted.", "user": "USLACKBOT"}
    assert read(subtype="message_changed", message=tombstone, event_ts="7.000001") == Deletion("T1", "C1", "1.1", 7_000_001)


def test_a_shortcut_reads_the_message_that_it_was_chosen_on() -> None:
    """People may ask about anything with a text, also a bot's message."""
    body = {"channel": {"id": "C1"}, "message": {"ts": "1.1", "text": "clave bloqueada", "bot_id": "B7"}}
    message = read_shortcut(body, bot_user=BOT)
    assert message is not None
    assert (message.source, message.user) == (Source.SHORTCUT, "B7")
    assert read_shortcut({"channel": {"id": "C1"}, "message": {"ts": "1.1", "text": ""}}, bot_user=BOT) is None
    assert read_shortcut({}, bot_user=BOT) is None


def test_a_few_messages_are_drawn_blind_and_always_the_same() -> None:
    """About the share that is set, and by no choice of anybody's."""
    drawn = [
        is_drawn(Message(channel="C1", ts=f"1700000000.{n:06d}", user="U1", text="hola", source=Source.CHANNEL), 2.0)
        for n in range(5000)
    ]
    assert 60 <= sum(drawn) <= 140
    again = Message(channel="C1", ts="1700000000.000007", user="U2", text="otra", source=Source.CHANNEL)
    assert is_drawn(again, 2.0) == drawn[7]
    assert not any(
        is_drawn(Message(channel="C1", ts=f"1.{n}", user="U1", text="x", source=Source.CHANNEL), 0) for n in range(500)
    )
