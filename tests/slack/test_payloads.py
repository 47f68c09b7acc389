"""What is read of Slack's requests, and what is left alone."""

from typing import Any

import pytest
from pydantic import ValidationError

from bot.slack.payloads.events import Deletion, Edit, MessageChanged, MessageDeleted, MessageEvent, ReactionEvent
from bot.slack.payloads.interactions import ButtonClick, LabelSearch, MessageShortcut, SlashCommand
from bot.slack.payloads.parsing import Other, parse, parse_event
from bot.slack.payloads.payload import Payload
from bot.slack.payloads.views import ViewSubmission
from model.judgements import Kind
from model.labels import seed_taxonomy
from model.reactions import Signs
from model.schema import Message, Source

BOT = "UBETO"


def read(**event: Any) -> Message | Edit | Deletion | None:
    whole = {"type": "message", "channel": "C1", "channel_type": "channel", "user": "UANA", "ts": "1.1", "text": "hola", **event}
    try:
        parsed = parse_event(whole)
    except ValidationError:
        return None
    if isinstance(parsed, MessageEvent):
        return parsed.message(BOT)
    if isinstance(parsed, MessageChanged):
        return parsed.change(BOT)
    return parsed.deletion() if isinstance(parsed, MessageDeleted) else None


def test_a_persons_message_is_read_as_it_was_sent() -> None:
    assert read() == Message(channel="C1", ts="1.1", user="UANA", text="hola", source=Source.CHANNEL)


@pytest.mark.parametrize(
    ("event", "source", "text"),
    [
        ({"channel_type": "im"}, Source.DIRECT, "hola"),
        ({"text": "<@UBETO> no llega mi pago"}, Source.MENTION, "no llega mi pago"),
        ({"type": "app_mention", "text": "oye <@UBETO> mira"}, Source.MENTION, "oye   mira"),
        ({"text": "<@ULUIS> mira"}, Source.CHANNEL, "<@ULUIS> mira"),
        ({"text": "medio \ud800 carácter\0"}, Source.CHANNEL, "medio ? carácter"),
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
    assert edit == Edit("C1", "1.1", "adiós", 7_000_001, whole)
    assert read(subtype="message_changed", message=old, previous_message=old) is None
    assert read(subtype="message_changed", message={**new, "bot_id": "B1"}, previous_message=old) is None
    assert read(subtype="message_changed") is None


def test_both_ways_of_deleting_are_understood() -> None:
    """A message with a thread, as every answered one has, becomes a tombstone instead of going."""
    assert read(subtype="message_deleted", deleted_ts="1.1", event_ts="7.000001") == Deletion("C1", "1.1", 7_000_001)
    tombstone = {"ts": "1.1", "subtype": "tombstone", "text": "This message was deleted.", "user": "USLACKBOT"}
    assert read(subtype="message_changed", message=tombstone, event_ts="7.000001") == Deletion("C1", "1.1", 7_000_001)


def a_reaction(**event: Any) -> dict[str, Any]:
    item = {"type": "message", "channel": "C1", "ts": "1.1"}
    return {"type": "reaction_added", "user": "UANA", "reaction": "x", "item": item, "event_ts": "7.000001", **event}


def test_a_reaction_names_what_taking_it_back_withdraws() -> None:
    """The handle is kept for ever: an undo of last year's reaction must still find it."""
    parsed = parse_event(a_reaction(reaction="pray::skin-tone-4"))
    assert isinstance(parsed, ReactionEvent)
    found = parsed.reaction(seed_taxonomy(), Signs(), BOT)
    assert found is not None
    place, made = found
    assert place == ("C1", "1.1")
    assert made.handle == "reaction/UANA/1.1/pray::skin-tone-4"
    assert (made.at, made.kind, made.labels, made.withdrawn) == (7_000_001, Kind.LABEL, ("agradecimiento",), False)
    taken_back = parse_event(a_reaction(type="reaction_removed", reaction="pray::skin-tone-4"))
    assert isinstance(taken_back, ReactionEvent)
    again = taken_back.reaction(seed_taxonomy(), Signs(), BOT)
    assert again is not None
    assert (again[1].handle, again[1].withdrawn) == (made.handle, True)


@pytest.mark.parametrize("event", [{"user": BOT}, {"item": {"type": "file", "file": "F1"}}])
def test_reactions_of_ours_and_on_files_are_left_alone(event: dict[str, Any]) -> None:
    """The bot's own emoji, wherever it put them, are nobody's opinion."""
    parsed = parse_event(a_reaction(**event))
    assert isinstance(parsed, ReactionEvent)
    assert parsed.reaction(seed_taxonomy(), Signs(), BOT) is None


@pytest.mark.parametrize(("item_user", "on_ours"), [(BOT, True), ("ULUIS", False), (None, False)])
def test_slack_says_whether_a_reaction_is_on_a_post_of_ours(item_user: str | None, on_ours: bool) -> None:
    """A webhook's post has nobody; our own replies always have the bot."""
    parsed = parse_event(a_reaction(**({"item_user": item_user} if item_user else {})))
    assert isinstance(parsed, ReactionEvent)
    found = parsed.reaction(seed_taxonomy(), Signs(), BOT)
    assert found is not None
    assert found[1].on_ours is on_ours


@pytest.mark.parametrize(
    ("emoji", "says"),
    [
        ("pizza", (None, ())), ("white_check_mark", (None, ())), ("yes", (Kind.CORRECT, ())), ("x", (Kind.WRONG, ())),
        ("zero", (Kind.NONE, ())), ("credit_card", (None, ())), ("visa", (Kind.LABEL, ("tarjeta",))),
        ("mega", (Kind.LABEL, ("reclamo",))), ("YES::skin-tone-2", (Kind.CORRECT, ())),
    ],
)  # fmt: skip
def test_a_workspaces_own_emoji_say_what_it_set(emoji: str, says: tuple[Kind | None, tuple[str, ...]]) -> None:
    """And what was replaced says nothing any more."""
    parsed = parse_event(a_reaction(reaction=emoji))
    assert isinstance(parsed, ReactionEvent)
    found = parsed.reaction(seed_taxonomy().with_emoji({"tarjeta": "visa"}), Signs(correct="yes", none="zero"), BOT)
    assert found is not None
    assert (found[1].kind, found[1].labels) == says


def a_shortcut(**message: Any) -> dict[str, Any]:
    return {
        "type": "message_action", "callback_id": "classify_message", "user": {"id": "UANA"}, "channel": {"id": "C1"},
        "message": {"ts": "1.1", **message}, "trigger_id": "1.2", "response_url": "https://hooks.example/1",
    }  # fmt: skip


def test_a_shortcut_reads_the_message_that_it_was_chosen_on() -> None:
    """People may ask about anything with a text, also a bot's message."""
    parsed = parse(a_shortcut(text="clave bloqueada", bot_id="B7"))
    assert isinstance(parsed, MessageShortcut)
    message = parsed.message(BOT)
    assert message is not None
    assert (message.source, message.user) == (Source.SHORTCUT, "B7")
    without_text = parse(a_shortcut(text=""))
    assert isinstance(without_text, MessageShortcut)
    assert without_text.message(BOT) is None


A_CLICK = {
    "type": "block_actions", "user": {"id": "UANA"}, "trigger_id": "1.2",
    "container": {"type": "message", "channel_id": "C1", "message_ts": "1.1"},
    "actions": [{"type": "button", "action_id": "labels_correct", "action_ts": "7.000001"}],
}  # fmt: skip
A_SUBMISSION = {
    "type": "view_submission", "user": {"id": "UANA"},
    "view": {
        "id": "V1", "type": "modal", "callback_id": "labels_view", "private_metadata": '{"message": 7, "seen": "abc"}',
        "state": {"values": {
            "labels": {"labels": {"selected_options": [{"value": "ahorro"}]}}, "note": {"note": {"value": " lo llamé "}},
        }},
    },
}  # fmt: skip
A_COMMAND = {
    "command": "/beto", "text": "watch", "channel_id": "C1", "user_id": "UANA", "trigger_id": "1.2",
    "response_url": "https://hooks.example/1",
}  # fmt: skip


A_SEARCH = {
    "type": "block_suggestion", "user": {"id": "UANA"}, "container": {"type": "view", "view_id": "V1"},
    "action_id": "labels", "block_id": "labels", "value": "tarj\0eta", "view": A_SUBMISSION["view"],
}  # fmt: skip


def test_a_search_is_read_as_what_was_typed() -> None:
    """It comes at every pause of somebody who types, and must be answered at once."""
    search = parse(A_SEARCH)
    assert isinstance(search, LabelSearch)
    assert (search.action_id, search.typed, search.user) == ("labels", "tarjeta", "UANA")


def test_clicks_submissions_and_commands_are_read_once_and_whole() -> None:
    """A listener that had to look into the dictionary again could fail where nobody looks."""
    click, submission, command = parse(A_CLICK), parse(A_SUBMISSION), parse(A_COMMAND)
    assert isinstance(click, ButtonClick)
    assert (click.ref, click.user, click.at) == (("C1", "1.1"), "UANA", 7_000_001)
    assert isinstance(submission, ViewSubmission)
    assert (submission.opened.message, submission.opened.seen) == (7, "abc")
    assert (submission.chosen, submission.note) == (("ahorro",), "lo llamé")
    assert isinstance(command, SlashCommand)
    assert (command.channel, command.text) == ("C1", "watch")


@pytest.mark.parametrize(
    "body",
    [
        A_CLICK | {"actions": []},
        A_CLICK | {"container": {"type": "view", "view_id": "V1"}},
        A_CLICK | {"user": "UANA"},
        A_SUBMISSION | {"view": None},
        A_SUBMISSION | {"view": A_SUBMISSION["view"] | {"private_metadata": "{"}},  # type: ignore[operator]  # a dictionary, seen above
        A_SUBMISSION | {"view": A_SUBMISSION["view"] | {"private_metadata": '{"message": 4294967296}'}},  # type: ignore[operator]  # likewise
        A_SEARCH | {"value": None},
        A_SEARCH | {"user": "UANA"},
        A_COMMAND | {"channel_id": "C" * 33},
        A_COMMAND | {"type": "event_callback"},
        A_COMMAND | {"trigger_id": "1\0"},
        {"type": "event_callback", "event": None},
        {"type": "event_callback", "event": {"type": "reaction_added"}},
        {"type": "view_closed", "view": {}},
        {"type": "shortcut", "callback_id": 7},
        {"team": "T1", "type": "event_callback"},
    ],
)
def test_what_lacks_what_slack_always_sends_is_not_read(body: dict[str, Any]) -> None:
    """It is nobody's that we serve, and must not reach Bolt or a listener, which would fail on it."""
    assert parse(body) is None


@pytest.mark.parametrize(
    "body",
    [
        {"type": "event_callback", "event": {"type": "team_join", "user": {"id": "U1"}}},
        {"type": "event_callback", "event": {"type": "message", "subtype": "channel_topic", "channel": "C1"}},
        {"type": "url_verification", "challenge": "x"},
        {"ssl_check": "1"},
    ],
)
def test_what_nobody_listens_to_is_read_as_such(body: dict[str, Any]) -> None:
    """It is acknowledged without a line in the log: a workspace says such things all day."""
    assert type(parse(body)) is Other


def test_no_error_of_a_payload_quotes_what_people_wrote() -> None:
    """Errors end up in logs."""
    with pytest.raises(ValidationError) as refused:
        parse_event({"type": "message", "channel": "C1", "ts": {"x": "hunter2"}, "text": ["hunter2"]})
    assert "hunter2" not in str(refused.value)
    assert "hooks.example" not in repr(parse(A_COMMAND)) + repr(parse(a_shortcut(text="x")))


def test_every_payload_refuses_to_be_changed() -> None:
    """One request is handed from the edge to whoever listens; nobody may write into it on the way."""
    for model in Payload.__subclasses__():
        assert model.model_config["frozen"], model
