"""Who reads what: every surface that tells of a message, asked by people who may not read its channel, and by those who may."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bot.settings import BotSettings
from bot.slack.context import slack_client
from bot.slack.visibility import KNOWN_FOR_S, Visibility
from bot.views import blocks
from model.judgements import Gesture, Kind
from model.schema import Message, Prediction, Source
from model.store.predictions import NewPrediction
from model.store.store import Store
from tests.outbox_rows import answer
from tests.slack.dispatching import TEAM, a_context, dispatcher, published, slack
from tests.town import SimulatorThread

__all__ = ["published", "slack"]

PRIVATE, PUBLIC, WATCHED = "C0SIMUFRAUDES", "C0SIMURECLAMOS", "C0SIMUATENCION"
TS, REPLY_TS = "1716400000.000001", "1716400000.000002"
WORDS, NOTE = "Zoraida ya no tiene la tarjeta", "investigado: el primo"
GUEST, OUTSIDER, STRANGER, MEMBER, ADMIN = "U0SIMUCARLOS", "U2OUTSIDER", "U0SIMUMARIA", "U0SIMULUIS", "U0SIMUANA"
# What nobody may be told who does not read the channel: the words, a label, who judged, the note, the text's author.
SECRETS = (WORDS, "Cajero", "Fraude", NOTE, f"<@{MEMBER}>", f"<@{ADMIN}>")


@dataclass
class Told:
    """Everything that Slack was told, and that was answered, since."""

    slack: SimulatorThread
    url: str  # where answers by a response URL come
    answers: list[str]
    seen: int = 0

    def text(self) -> str:
        calls = list(self.slack.simulator.transcript)[self.seen :]
        return "\n".join([*self.answers, *(str(call.arguments) for call in calls if call.method != "chat.getPermalink")])


@pytest.fixture(scope="module")
def rooms(slack: SimulatorThread) -> SimulatorThread:
    """The bot is in the private channel, too."""
    slack.as_person("ana", lambda ana: ana.invite("fraudes", "beto"))
    slack.as_person("ana", lambda ana: ana.invite("reclamos", "beto"))
    return slack


@pytest.fixture
def told(rooms: SimulatorThread) -> Iterator[Told]:
    answers: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answers.append(str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Told(rooms, f"http://127.0.0.1:{server.server_port}/", answers, len(rooms.simulator.transcript))
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path)
    made.migrate()
    for channel in (PRIVATE, PUBLIC):
        message_id, _ = made.messages.save(Message(channel=channel, ts=TS, user=MEMBER, text=WORDS, source=Source.CHANNEL))
        said = Prediction(version=1, base="mini", scores={"cajero": 0.9}, labels=("cajero",))
        made.predictions.save([NewPrediction(message_id, 1, said, 0.1)])
        answer(made, message_id, REPLY_TS)
        gesture = Gesture(user=ADMIN, handle="h", at=1716400001000000, kind=Kind.SET, labels=("fraude",))
        made.gestures.add(gesture, channel=channel, item_ts=TS, note=NOTE)
    yield made
    made.close()


def a_command(words: str, told: Told, user: str) -> dict[str, Any]:
    return {
        "command": "/beto", "text": words, "team_id": TEAM, "channel_id": WATCHED, "user_id": user,
        "trigger_id": told.slack.simulator.apps[0].views.new_trigger(user), "response_url": told.url,
    }  # fmt: skip


def a_base(told: Told, user: str) -> dict[str, Any]:
    return {
        "team": {"id": TEAM}, "user": {"id": user, "team_id": TEAM}, "api_app_id": "A1", "response_url": told.url,
        "trigger_id": told.slack.simulator.apps[0].views.new_trigger(user),
    }  # fmt: skip


def link(channel: str) -> str:
    return f"https://x.slack.com/archives/{channel}/p{TS.replace('.', '')}"


def shortcut(name: str) -> Callable[[Told, str, str, int], dict[str, Any]]:
    return lambda told, channel, user, _: a_base(told, user) | {
        "type": "message_action", "callback_id": name, "channel": {"id": channel},
        "message": {"ts": TS, "text": "?", "user": MEMBER},
    }  # fmt: skip


def view(name: str, seen: str) -> Callable[[Told, str, str, int], dict[str, Any]]:
    return lambda told, _channel, user, message_id: a_base(told, user) | {
        "type": "view_submission",
        "view": {
            "id": "V1", "type": "modal", "callback_id": name,
            "private_metadata": json.dumps({"message": message_id} | ({"seen": seen} if seen else {})),
            "state": {"values": {"labels": {"labels": {"selected_options": [{"value": "ahorro"}]}}}},
        },
    }  # fmt: skip


def edit_button(told: Told, channel: str, user: str, _: int) -> dict[str, Any]:
    return a_base(told, user) | {
        "type": "block_actions", "channel": {"id": channel},
        "actions": [{"type": "button", "action_id": blocks.EDIT_ACTION, "block_id": "b", "action_ts": "9.9"}],
        "container": {"type": "message", "channel_id": channel, "message_ts": REPLY_TS},
    }  # fmt: skip


# Each surface that tells of a message: the request, and what it tells those who may read.
SURFACES: dict[str, tuple[Callable[[Told, str, str, int], dict[str, Any]], str]] = {
    "/beto historial": (lambda told, channel, user, _: a_command(f"historial {link(channel)}", told, user), "Fraude"),
    "/beto olvida": (lambda told, channel, user, _: a_command(f"olvida {link(channel)}", told, user), f"<@{MEMBER}>"),
    "the history shortcut": (shortcut("label_history"), "Fraude"),
    "the shortcut that labels": (shortcut("classify_message"), "ya tiene sus etiquetas"),
    "the shortcut that corrects": (shortcut("edit_labels"), WORDS),
    "the button that corrects": (edit_button, WORDS),
    "the sent modal": (view(blocks.EDIT_VIEW, "what was there long ago"), WORDS),
}


async def ask(
    surface: str, told: Told, store: Store, home: Path, published: list[str], *, channel: str, user: str, trainers: str = MEMBER
) -> str:
    message = store.messages.find(channel, TS)
    assert message is not None
    context = a_context(told.slack, store, home, published, trainers=trainers)
    response = await dispatcher(told.slack, store, home, published, context=context)(
        SURFACES[surface][0](told, channel, user, message.id)
    )
    assert response.status == 200
    return f"{response.body}\n{told.text()}"


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("user", [GUEST, OUTSIDER, STRANGER], ids=["guest", "outsider", "no member"])
async def test_a_private_channels_message_is_told_to_nobody_outside(
    surface: str, user: str, told: Told, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """926134d told a guest a private channel's note word for word: its id begins with C."""
    answered = await ask(surface, told, store, tmp_path, published, channel=PRIVATE, user=user)
    assert [secret for secret in SECRETS if secret in answered] == []
    assert SURFACES[surface][1] not in answered
    assert published == []
    assert len(store.gestures.history(1)) == 1


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("user", [GUEST, OUTSIDER], ids=["guest", "outsider"])
async def test_a_public_channels_message_is_told_to_no_guest_who_is_not_in_it(
    surface: str, user: str, told: Told, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Guests see the channels that they were invited to, and no others."""
    answered = await ask(surface, told, store, tmp_path, published, channel=PUBLIC, user=user)
    assert [secret for secret in SECRETS if secret in answered] == []
    assert SURFACES[surface][1] not in answered


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("channel", [PRIVATE, PUBLIC])
async def test_those_who_read_the_channel_are_told(
    surface: str, channel: str, told: Told, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Else the refusals above would show nothing."""
    assert SURFACES[surface][1] in await ask(surface, told, store, tmp_path, published, channel=channel, user=MEMBER)


async def test_a_public_channels_message_is_told_to_full_members_who_never_joined(
    told: Told, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Slack shows it to them, too."""
    told.slack.as_person("maria", lambda maria: maria.kick("reclamos", "maria"))
    try:
        answered = await ask("/beto historial", told, store, tmp_path, published, channel=PUBLIC, user=STRANGER)
        assert "Fraude" in answered
        assert NOTE in answered
    finally:
        told.slack.as_person("ana", lambda ana: ana.invite("reclamos", "maria"))


async def test_notes_are_told_to_those_who_may_judge(told: Told, store: Store, tmp_path: Path, published: list[str]) -> None:
    """A guest who is in the channel reads its labels; the note is for whoever reviews them."""
    told.slack.as_person("ana", lambda ana: ana.invite("reclamos", "carlos"))
    try:
        answered = await ask("/beto historial", told, store, tmp_path, published, channel=PUBLIC, user=GUEST)
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
        guest = await ask("the button that corrects", told, store, tmp_path, published, channel=PUBLIC, user=GUEST)
        member = await ask("the button that corrects", told, store, tmp_path, published, channel=PUBLIC, user=MEMBER)
    finally:
        told.slack.as_person("ana", lambda ana: ana.kick("reclamos", "carlos"))
    assert "tus correcciones no cuentan" in guest
    assert member.count("tus correcciones no cuentan") == guest.count("tus correcciones no cuentan")  # nothing new


async def test_who_may_erase_what_they_cannot_read_is_told_nothing_of_it(
    told: Told, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Whoever looks after the data must be able to erase, and that must not be a way to read."""
    asked = await ask("/beto olvida", told, store, tmp_path, published, channel=PRIVATE, user=STRANGER, trainers=STRANGER)
    assert "¿Olvido el mensaje de ese enlace?" in asked
    context = a_context(told.slack, store, tmp_path, published, trainers=STRANGER)
    await dispatcher(told.slack, store, tmp_path, published, context=context)(view(blocks.FORGET_VIEW, "")(told, "", STRANGER, 1))
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
