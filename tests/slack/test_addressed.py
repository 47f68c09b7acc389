"""What people write to the bot itself is answered, where they wrote it, and only once."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.slack.app import _who_am_i
from bot.views.texts import load_texts
from model.schema import Message, Prediction, Source
from model.store.outbox_row import greeting_key, help_key
from model.store.predictions import NewPrediction
from model.store.store import Store
from tests.slack.dispatching import TEAM, a_context, dispatcher, inside, patient, published, slack
from tests.town import SimulatorThread

__all__ = ["inside", "patient", "published", "slack"]

CHANNEL, MEMBER, TS, ROOT = "C0SIMUATENCION", "U0SIMULUIS", "1716400000.000009", "1716400000.000001"
TEXTS = load_texts("es")


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """What was answered in a thread."""
    made = sqlite_store
    message_id, _ = made.messages.save(Message(channel=CHANNEL, ts=ROOT, user=MEMBER, text="mi tarjeta", source=Source.CHANNEL))
    said = Prediction(version=1, base="mini", scores={"cajero": 0.9}, labels=("cajero",))
    made.predictions.save([NewPrediction(message_id, 1, said, 0.1)])
    return made


async def write(
    text: str, slack: SimulatorThread, store: Store, home: Path, published: list[str], *, direct: bool = False, **more: Any
) -> list[dict[str, Any]]:
    """What is shown to this person alone after they wrote this, which Slack tells as it does."""
    before = len(slack.simulator.transcript)
    dispatch = dispatcher(slack, store, home, published, context=a_context(slack, store, home, published))
    event = {"user": MEMBER, "ts": TS, "channel": "D1" if direct else CHANNEL, "text": text, **more}
    if direct:
        event["channel_type"] = "im"
    for kind in ("message",) if direct else ("message", "app_mention"):
        body = {"type": "event_callback", "team_id": TEAM, "api_app_id": "A1", "event": {"type": kind, **event}}
        assert (await dispatch(body)).status == 200
    calls = list(slack.simulator.transcript)[before:]
    return [call.arguments for call in calls if call.method == "chat.postEphemeral"]


@pytest.mark.parametrize("text", ["<@UBETO>", "<@UBETO> ayuda", "¿<@UBETO> qué puedes hacer?"])
async def test_a_mention_that_asks_for_help_gets_it_in_its_thread_once(
    text: str, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """`@beto` alone was answered by nothing at all. Slack tells of a mention twice."""
    assert await write(text, inside, store, tmp_path, published) == []
    row = store.outbox.get(help_key(CHANNEL, TS))
    assert row is not None
    assert (row.channel, row.thread_ts) == (CHANNEL, TS)
    assert row.content == {"text": "command.help", "values": {"bot": "beto"}}
    assert set(published) == {"bot.deliver"}
    assert store.messages.find(CHANNEL, TS) is None


@pytest.mark.parametrize("text", ["hola", "ayuda", "¿qué puedes hacer?"])
async def test_a_direct_message_that_asks_for_help_gets_it(
    text: str, slack: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """“hola” was labelled: Préstamo, 2 %."""
    await write(text, slack, store, tmp_path, published, direct=True)
    row = store.outbox.get(help_key("D1", TS))
    assert row is not None
    assert (row.thread_ts, row.content["text"]) == (None, "command.help")


async def test_a_direct_message_without_words_is_told_so(
    slack: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Somebody sent a picture, and nothing came back."""
    await write("", slack, store, tmp_path, published, direct=True)
    row = store.outbox.get(help_key("D1", TS))
    assert row is not None
    assert row.content["text"] == "ask.no_text"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<@UBETO> historial", "Cajero"),
        ("<@UBETO> estado", TEXTS("first.none")),
        ("<@UBETO> versiones", TEXTS("versions.none")),
        ("<@UBETO> watch", TEXTS("ask.is_command", word="watch")),
        ("<@UBETO> vuelve", TEXTS("ask.is_command", word="vuelve")),
        ("<@UBETO> historal", TEXTS("ask.likely", word="historal", likely="historial")),
    ],
)
async def test_a_word_of_ours_in_a_thread_is_answered_there_to_its_person_alone(
    text: str, told: str, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Slack allows no commands in a thread, where the labels are."""
    [shown] = await write(text, inside, store, tmp_path, published, thread_ts=ROOT)
    assert told in shown["text"]
    assert (shown["user"], shown["thread_ts"]) == (MEMBER, ROOT)
    assert published == []
    assert store.channels.mode(CHANNEL) == "mention"


async def test_a_mention_with_a_message_is_labelled(
    inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Else the above would show nothing."""
    shown = await write("<@UBETO> vuelve a fallar la app", inside, store, tmp_path, published)
    assert [each["text"] for each in shown] == [TEXTS("first.none")]  # no help: only that there is no version yet
    assert store.messages.find(CHANNEL, TS) is not None
    assert published == ["worker.classify"]


@pytest.mark.parametrize(("mode", "text"), [("auto", "greeting.watched"), ("mention", "greeting.invited")])
async def test_the_greeting_knows_what_was_asked_before_the_invitation(
    mode: Any, text: str, slack: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """After `/beto watch` and the invitation that it asked for, the greeting said “escribe `/beto watch`”."""
    store.channels.set_mode(CHANNEL, mode)
    joined = {"type": "member_joined_channel", "user": "UBETO", "channel": CHANNEL, "event_ts": "9.000001"}
    body = {"type": "event_callback", "team_id": TEAM, "api_app_id": "A1", "event": joined}
    await dispatcher(slack, store, tmp_path, published)(body)
    row = store.outbox.get(greeting_key(CHANNEL, "9.000001"))
    assert row is not None
    assert row.content["text"] == text


async def test_a_bot_that_the_workspace_renamed_is_called_so_everywhere(
    inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever installs the app may name it; "@beto" would lead to nobody."""
    installed = inside.simulator.apps[0]
    monkeypatch.setattr(installed, "user", replace(installed.user, name="etiquetas"))
    at_home = a_context(inside, store, tmp_path, published)
    _, name = await _who_am_i(at_home.settings)
    context = replace(at_home, bot_name=name)
    dispatch = dispatcher(inside, store, tmp_path, published, context=context)
    base = {"command": "/beto", "team_id": TEAM, "user_id": MEMBER, "trigger_id": "1.1", "response_url": "http://127.0.0.1:1/"}

    async def say(text: str, channel: str) -> str:
        return str((await dispatch(base | {"text": text, "channel_id": channel})).body)

    outside = "C0SIMUFRAUDES"
    told = [await say("", CHANNEL), *[await say(words, outside) for words in ("watch", "estado", "emoji on", "reentrena")]]
    opened = {"type": "app_home_opened", "user": MEMBER, "tab": "home"}
    await dispatch({"type": "event_callback", "team_id": TEAM, "api_app_id": "A1", "event": opened})
    told.append(str(inside.simulator.apps[0].views.home(MEMBER)))
    for each in told:
        assert "@etiquetas" in each
        assert "@beto" not in each
    # Its name alone, as people write it to somebody, asks for help.
    direct = {"type": "message", "user": MEMBER, "ts": TS, "channel": "D1", "channel_type": "im", "text": "¡Etiquetas!"}
    await dispatch({"type": "event_callback", "team_id": TEAM, "api_app_id": "A1", "event": direct})
    row = store.outbox.get(help_key("D1", TS))
    assert row is not None
    assert row.content == {"text": "command.help", "values": {"bot": "etiquetas"}}


async def test_nothing_is_kept_of_a_message_that_cannot_be_answered_where_it_stands(
    slack: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """ "Clasificar" where the bot is no member saved the text, and nobody ever heard of it again."""
    shortcut = {
        "type": "message_action", "callback_id": "classify_message", "team": {"id": TEAM},
        "user": {"id": MEMBER, "team_id": TEAM}, "channel": {"id": "C0SIMUGENERAL"}, "trigger_id": "1.1", "api_app_id": "A1",
        "message": {"ts": TS, "text": "perdí la tarjeta", "user": MEMBER}, "response_url": "http://127.0.0.1:1/",
    }  # fmt: skip
    await dispatcher(slack, store, tmp_path, published)(shortcut)
    assert store.messages.find("C0SIMUGENERAL", TS) is None
    assert published == []
