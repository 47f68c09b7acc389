"""`/beto etiqueta 7d`: who may have a channel's past labelled, how far back, and who is told."""

from pathlib import Path
from typing import Any

import pytest

from bot.slack.listeners.backfills import read_span
from bot.views.texts import load_texts
from model.store.outbox_row import Kind
from model.store.store import Store
from model.store.tables import outbox
from tests.slack.dispatching import TEAM, a_context, dispatcher, inside, patient, published, slack, store
from tests.town import SimulatorThread, publish_version

__all__ = ["inside", "patient", "published", "slack", "store"]

CHANNEL, OUTSIDE, DIRECT = "C0SIMUATENCION", "C0SIMURECLAMOS", "D0SIMU00001"
GUEST, MEMBER = "U0SIMUCARLOS", "U0SIMULUIS"
TEXTS = load_texts("es")


@pytest.fixture
def say(inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str], trained_version: Path) -> Any:
    """What `/beto etiqueta WORDS` answers this person."""
    publish_version(store, trained_version)
    dispatch = dispatcher(inside, store, tmp_path, published, context=a_context(inside, store, tmp_path, published))

    async def answer(words: str, user: str = MEMBER, channel: str = CHANNEL, trigger: str = "1.1") -> str:
        body = {
            "command": "/beto", "text": f"etiqueta {words}", "channel_id": channel, "user_id": user, "team_id": TEAM,
            "trigger_id": trigger, "response_url": "http://127.0.0.1:1/", "api_app_id": "A1",
        }  # fmt: skip
        return str((await dispatch(body)).body)

    return answer


def rows(store: Store, kind: Kind) -> list[Any]:
    with store.database.reading() as connection:
        return list(connection.execute(outbox.select().where(outbox.c.kind == kind)))


async def test_a_member_begins_it_the_channel_is_told_and_one_goes_on_at_a_time(say: Any, store: Store) -> None:
    """It reads what colleagues wrote: they are told who asked, and how it is stopped."""
    assert TEXTS("backfill.begun") in await say("7d")
    assert TEXTS("backfill.begun") in await say("7d")  # the same command, sent twice
    (row,) = rows(store, Kind.BACKFILL)
    assert (row.channel, row.content["channel"]) == (MEMBER, CHANNEL)
    assert float(row.content["before"]) - float(row.content["oldest"]) == pytest.approx(7 * 86_400)
    (told,) = rows(store, Kind.ANNOUNCEMENT)
    assert told.content["text"] == "backfill.told"
    assert f"<@{MEMBER}>" in TEXTS("backfill.told", **told.content["values"])
    assert TEXTS("backfill.goes_on") in await say("3d", trigger="2.2")
    assert TEXTS("backfill.goes_on") in await say("")
    assert TEXTS("backfill.stopped") in await say("para")
    assert store.backfills.running(CHANNEL) is None
    assert TEXTS("backfill.none") in await say("para")
    assert TEXTS("backfill.begun") in await say("12h", trigger="3.3")


@pytest.mark.parametrize(
    ("words", "more", "key", "values"),
    [
        ("7d", {"user": GUEST}, "command.guest", {}),
        ("7d", {"channel": DIRECT}, "command.direct", {}),
        ("7d", {"channel": OUTSIDE}, "command.chosen_outside", {"bot": "beto"}),
        ("ayer", {}, "backfill.unknown", {"word": "ayer", "most": 90}),
        ("0d", {}, "backfill.unknown", {"word": "0d", "most": 90}),
        ("5 semanas", {}, "backfill.too_long", {"most": 30}),  # texts are kept for thirty days
        ("", {}, "backfill.none", {}),
    ],
)
async def test_who_may_not_and_what_cannot_be_is_told(
    words: str, more: dict[str, str], key: str, values: dict[str, Any], say: Any, store: Store
) -> None:
    """Nobody begins by accident to read months of a channel."""
    assert TEXTS(key, **values) in await say(words, **more)
    assert rows(store, Kind.BACKFILL) == []


def test_a_span_is_read_as_people_write_it() -> None:
    """Hours, days and weeks, in both languages."""
    hour, day = 3600, 86_400
    spans = {"12h": 12 * hour, "1 hora": hour, "7d": 7 * day, "7 días": 7 * day, "3 days": 3 * day, "2 semanas": 14 * day}
    assert {written: read_span(written) for written in spans} == spans
    assert read_span("2w") == 14 * day
    for none in ("", "7", "d", "-3d", "7 meses", "7d hoy"):
        assert read_span(none) is None


async def test_whoever_asked_stops_it_by_the_button_of_its_post(
    say: Any, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Nobody else's click stops it, whatever it says that it stands on."""
    await say("7d", trigger="9.9")
    (row,) = rows(store, Kind.BACKFILL)
    with store.database.writing() as connection:
        connection.execute(outbox.update().where(outbox.c.key == row.key).values(ts="5.000005"))
    dispatch = dispatcher(inside, store, tmp_path, published, context=a_context(inside, store, tmp_path, published))
    for user, goes_on in ((GUEST, True), (MEMBER, False)):
        body = {
            "type": "block_actions", "team": {"id": TEAM}, "user": {"id": user, "team_id": TEAM}, "trigger_id": "1.1",
            "api_app_id": "A1", "container": {"type": "message", "channel_id": DIRECT, "message_ts": "5.000005"},
            "channel": {"id": DIRECT}, "response_url": "http://127.0.0.1:1/",
            "actions": [{"type": "button", "action_id": "backfill_stop", "block_id": "b", "action_ts": "9.9"}],
        }  # fmt: skip
        assert (await dispatch(body)).status == 200
        assert (store.backfills.running(CHANNEL) is not None) is goes_on
    assert published[-1] == "bot.deliver"
