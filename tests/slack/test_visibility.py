"""Who reads what, at the borders: members who never joined, guests who did, notes, and what is remembered of Slack's answers.

The table of every surface and every person who may not read is in `test_leaks`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.settings import BotSettings
from bot.slack.context import slack_client
from bot.slack.visibility import KNOWN_FOR_S, Visibility
from bot.views import blocks, erasure_blocks, reply_blocks
from model.schema import Message, Source
from model.store.store import Store
from tests.slack.dispatching import TEAM, a_context, dispatcher, published, slack
from tests.slack.telling import (
    ADMIN,
    GUEST,
    MEMBER,
    NOTE,
    PRIVATE,
    PUBLIC,
    SECRETS,
    STRANGER,
    WATCHED,
    Told,
    ask,
    button,
    command,
    rooms,
    store,
    told,
    view,
)

__all__ = ["published", "rooms", "slack", "store", "told"]


async def test_a_public_channels_message_is_told_to_full_members_who_never_joined(
    told: Told, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Slack shows it to them, too."""
    told.slack.as_person("maria", lambda maria: maria.kick("reclamos", "maria"))
    try:
        answered = await ask(command("historial {link}"), told, store, tmp_path, published, channel=PUBLIC, user=STRANGER)
        assert "Fraude" in answered
        assert NOTE in answered
    finally:
        told.slack.as_person("ana", lambda ana: ana.invite("reclamos", "maria"))


async def test_notes_are_told_to_those_who_may_judge(told: Told, store: Store, tmp_path: Path, published: list[str]) -> None:
    """A guest who is in the channel reads its labels; the note is for whoever reviews them."""
    told.slack.as_person("ana", lambda ana: ana.invite("reclamos", "carlos"))
    try:
        answered = await ask(command("historial {link}"), told, store, tmp_path, published, channel=PUBLIC, user=GUEST)
        assert "Fraude" in answered
        assert NOTE not in answered
    finally:
        told.slack.as_person("ana", lambda ana: ana.kick("reclamos", "carlos"))


async def test_a_guests_modal_says_at_once_that_their_word_does_not_count(
    told: Told, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """It took the work, closed, and dropped it."""
    told.slack.as_person("ana", lambda ana: ana.invite("reclamos", "carlos"))
    try:
        guest = await ask(button(reply_blocks.EDIT_ACTION), told, store, tmp_path, published, channel=PUBLIC, user=GUEST)
        member = await ask(button(reply_blocks.EDIT_ACTION), told, store, tmp_path, published, channel=PUBLIC, user=MEMBER)
    finally:
        told.slack.as_person("ana", lambda ana: ana.kick("reclamos", "carlos"))
    assert "tus correcciones no cuentan" in guest
    assert member.count("tus correcciones no cuentan") == guest.count("tus correcciones no cuentan")  # nothing new


async def test_who_may_erase_what_they_cannot_read_is_told_nothing_of_it(
    told: Told, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Whoever looks after the data must be able to erase, and that must not be a way to read."""
    asked = await ask(
        command("olvida {link}"), told, store, tmp_path, published, channel=PRIVATE, user=STRANGER, trainers=STRANGER
    )
    assert "¿Olvido el mensaje de ese enlace?" in asked
    context = a_context(told.slack, store, tmp_path, published, trainers=STRANGER)
    await dispatcher(told.slack, store, tmp_path, published, context=context)(
        view(erasure_blocks.FORGET_VIEW, "")(told, "", STRANGER, 1)
    )
    stored = store.messages.get(1)
    assert stored is not None
    assert stored.deleted
    assert [secret for secret in SECRETS if secret in told.text()] == []
    assert "correcciones" not in told.text().partition("Lo estoy borrando")[2]


@pytest.mark.parametrize("source", [Source.COMMAND, Source.DIRECT])
async def test_what_somebody_asked_alone_is_theirs_alone(source: Source, told: Told) -> None:
    """The labels of `/beto clasifica` are for its person, also where others read the channel."""
    visibility = a_visibility(told)
    channel = WATCHED if source is Source.COMMAND else "D1"
    message = Message(channel=channel, ts="1.1", user=MEMBER, text="x", source=source)
    assert await visibility.may_see(MEMBER, message)
    assert not await visibility.may_see(ADMIN, message)


def a_visibility(told: Told, clock: Callable[[], float] = lambda: 0.0) -> Visibility:
    environment = {name.lower(): value for name, value in told.slack.environment.items()}
    settings = BotSettings(**environment)  # type: ignore[arg-type]  # of many kinds
    return Visibility(slack_client(settings), settings, TEAM, clock)


async def test_what_slack_said_is_remembered_for_a_minute(told: Told) -> None:
    """Fifty looks are some calls, and whoever leaves stops reading soon."""
    moment = [0.0]
    visibility = a_visibility(told, lambda: moment[0])
    told.slack.as_person("ana", lambda ana: ana.invite("fraudes", "maria"))
    try:
        assert await visibility.reads(STRANGER, PRIVATE)
    finally:
        told.slack.as_person("maria", lambda maria: maria.kick("fraudes", "maria"))
    asked = len(told.slack.simulator.transcript)
    assert await visibility.reads(STRANGER, PRIVATE)
    assert len(told.slack.simulator.transcript) == asked
    moment[0] = KNOWN_FOR_S
    assert not await visibility.reads(STRANGER, PRIVATE)


@pytest.mark.parametrize("channel", ["C404", "D404", "G404"])
async def test_nobody_reads_a_channel_that_slack_does_not_tell_of(channel: str, told: Told) -> None:
    assert not await a_visibility(told).reads(ADMIN, channel)


async def test_a_warning_in_an_acknowledgement_is_in_words_until_slack_took_an_alert(
    told: Told, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Where Slack refuses a view in an acknowledgement it tells the person that something went wrong, and us nothing."""
    late = view(blocks.EDIT_VIEW, "what was there long ago")
    said = await ask(late, told, store, tmp_path, published, channel=PUBLIC, user=MEMBER)
    assert ":warning: Mientras tanto" in said
    assert '"alert"' not in said
