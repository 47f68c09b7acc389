"""The screen of `/beto watch`: three choices, what each looks like, when nothing is posted; who chooses, and who is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.slack.listeners import showing as listener
from bot.views import showing_blocks
from bot.views.texts import load_texts
from model.showing import Rest, Showing
from model.store.outbox_row import change_key
from model.store.store import Store
from tests.slack.dispatching import TEAM, a_context, dispatcher, inside, patient, published, slack, store
from tests.town import SimulatorThread

__all__ = ["inside", "patient", "published", "slack", "store"]

CHANNEL = "C0SIMUATENCION"
GUEST, MEMBER = "U0SIMUCARLOS", "U0SIMULUIS"
TEXTS = load_texts("es")


def submission(user: str, **chosen: Any) -> dict[str, Any]:
    """What Slack sends when somebody saves the screen with these choices."""
    values = {
        "display": {"selected_option": {"value": chosen.get("display", "emoji")}},
        "delay": {"selected_option": {"value": chosen.get("delay", "5")}},
        "rest_begins": {"selected_time": chosen.get("begins")},
        "rest_ends": {"selected_time": chosen.get("ends")},
        "zone": {"value": chosen.get("zone", "America/Guayaquil")},
    }
    return {
        "type": "view_submission", "team": {"id": TEAM}, "user": {"id": user, "team_id": TEAM}, "api_app_id": "A1",
        "view": {
            "id": "V7", "type": "modal", "callback_id": showing_blocks.SHOWING_VIEW,
            "private_metadata": json.dumps({"channel": CHANNEL}),
            "state": {"values": {name: {name: value} for name, value in values.items()}},
        },
    }  # fmt: skip


async def save(slack: SimulatorThread, store: Store, home: Path, published: list[str], user: str, **chosen: Any) -> str:
    context = a_context(slack, store, home, published)
    return str((await dispatcher(slack, store, home, published, context=context)(submission(user, **chosen))).body)


async def test_a_member_chooses_and_the_channel_is_told(
    inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """All in it must know what they will see, who chose it, and how it is undone."""
    await save(inside, store, tmp_path, published, MEMBER, begins="22:00", ends="07:00")
    rest = Rest("22:00", "07:00", "America/Guayaquil")
    assert store.channels.showing(CHANNEL) == Showing("emoji", 5, rest)
    row = store.outbox.get(change_key("V7"))
    assert row is not None
    assert row.content["text"] == "showing.told"
    told = TEXTS("showing.told", **row.content["values"])
    assert all(part in told for part in (f"<@{MEMBER}>", "5 minutos", "22:00", "07:00", "/beto watch", "/beto unwatch"))
    await save(inside, store, tmp_path, published, MEMBER, begins="22:00", ends="07:00")
    assert published == ["bot.deliver"]  # nothing changed, so there is nothing to tell


@pytest.mark.parametrize(
    ("chosen", "error"),
    [
        ({"begins": "22:00"}, "showing.wrong_hours"),
        ({"begins": "07:00", "ends": "07:00"}, "showing.wrong_hours"),
        ({"begins": "22:00", "ends": "07:00", "zone": "Quito"}, "showing.wrong_zone"),
        ({"begins": "22:00", "ends": "07:00", "zone": "../../etc/passwd"}, "showing.wrong_zone"),
    ],
)
async def test_what_cannot_be_is_said_at_its_field_and_nothing_changes(
    chosen: dict[str, Any], error: str, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    answered = await save(inside, store, tmp_path, published, MEMBER, **chosen)
    assert json.loads(answered)["response_action"] == "errors"
    assert TEXTS(error) in json.loads(answered)["errors"].values()
    assert (store.channels.showing(CHANNEL), published) == (Showing(), [])


async def test_a_guest_chooses_nothing(inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]) -> None:
    assert (
        TEXTS("command.guest")
        in json.loads(await save(inside, store, tmp_path, published, GUEST))["view"]["blocks"][0]["text"]["text"]
    )
    assert (store.channels.showing(CHANNEL), published) == (Showing(), [])


@pytest.mark.parametrize(("word", "display"), [("hilo", "thread"), ("EMOJI", "emoji"), ("callado", "quiet"), ("quiet", "quiet")])
async def test_a_word_chooses_without_the_screen(
    word: str, display: str, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    body = {
        "command": "/beto", "text": f"watch {word}", "team_id": TEAM, "channel_id": CHANNEL, "user_id": MEMBER,
        "trigger_id": "9.9", "response_url": "http://127.0.0.1:1/",
    }  # fmt: skip
    response = await dispatcher(inside, store, tmp_path, published)(body)
    assert store.channels.mode(CHANNEL) == "auto"
    assert store.channels.showing(CHANNEL).display == display
    assert TEXTS(f"showing.is_{display}") in str(response.body)
    answered = str((await dispatcher(inside, store, tmp_path, published)(body | {"text": "watch <todo>"})).body)
    assert "&lt;todo&gt;" in answered
    assert set(listener.WORDS_OF_DISPLAYS.values()) == {"thread", "emoji", "quiet"}
