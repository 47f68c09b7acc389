"""`/beto rutas`: who makes routes, between which channels, what they are told before one is switched on, and who hears of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.slack.context import ListenerContext
from bot.slack.listeners.routes import REHEARSED, _rehearse
from bot.views import route_blocks
from bot.views.texts import load_texts
from model.networks import networks
from model.routes import Route
from model.schema import Message, Prediction, Source
from model.store.predictions import NewPrediction
from model.store.routes import StoredRoute
from model.store.store import Store
from model.store.tables import outbox
from tests.https import Hook, authority, hook
from tests.slack.dispatching import TEAM, a_context, dispatcher, published, slack
from tests.slack.telling import (
    ADMIN,
    GUEST,
    MEMBER,
    OUTSIDER,
    PRIVATE,
    PUBLIC,
    STRANGER,
    WATCHED,
    Told,
    a_command,
    rooms,
    store,
    told,
)

__all__ = ["published", "rooms", "slack", "store", "told"]

TEXTS = load_texts("es")
SECRET = "Zoraida ya no tiene la tarjeta"


@pytest.fixture
def context(told: Told, store: Store, tmp_path: Path, published: list[str]) -> ListenerContext:
    """Luis and María may make routes; Luis reads the private channel, María does not."""
    return a_context(told.slack, store, tmp_path, published, trainers=f"{MEMBER},{STRANGER},{GUEST},{OUTSIDER}")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority(tmp_path / "tls")))
    with hook(tmp_path / "tls") as made:
        yield made


async def send(context: ListenerContext, told: Told, home: Path, body: dict[str, Any]) -> str:
    answer = await dispatcher(told.slack, context.store, home, [], context=context)(body)
    assert answer.status == 200
    return str(answer.body)


def form(user: str, *, route: int | None = None, **chosen: Any) -> dict[str, Any]:
    """What Slack sends when somebody saves the form with these choices."""
    opened = {"channel": WATCHED} | ({"route": route} if route else {})
    values = {
        "labels": {"selected_options": [{"value": each} for each in chosen.get("labels", ["cajero"])]},
        "least": {"selected_option": {"value": chosen.get("least", "0.8")}},
        "channels": {"selected_conversations": chosen.get("channels", [WATCHED])},
        "card": {"selected_conversation": chosen.get("card", PUBLIC)},
        "people": {"selected_users": chosen.get("people", [])},
        "group": {"value": chosen.get("group")},
        "emoji": {"value": chosen.get("emoji")},
        "webhook": {"value": chosen.get("webhook")},
        "text": {"selected_options": []},
    }
    return {
        "type": "view_submission", "team": {"id": TEAM}, "user": {"id": user, "team_id": TEAM}, "api_app_id": "A1",
        "view": {
            "id": "V7", "type": "modal", "callback_id": route_blocks.ROUTE_VIEW, "private_metadata": json.dumps(opened),
            "state": {"values": {name: {name: value} for name, value in values.items()}},
        },
    }  # fmt: skip


def menu(user: str, act: str, route_id: int, view_id: str = "V1") -> dict[str, Any]:
    return {
        "type": "block_actions", "team": {"id": TEAM}, "user": {"id": user, "team_id": TEAM}, "api_app_id": "A1",
        "trigger_id": f"1.{act}", "container": {"type": "view", "view_id": view_id},
        "view": {"id": view_id, "root_view_id": view_id, "type": "modal", "callback_id": "",
                 "private_metadata": json.dumps({"channel": WATCHED})},
        "actions": [{"type": "overflow", "action_id": route_blocks.MENU, "block_id": "b", "action_ts": "9.9",
                     "selected_option": {"value": f"{act}:{route_id}"}}],
    }  # fmt: skip


def a_route(store: Store, **what: Any) -> StoredRoute:
    made = Route(**{"labels": ("cajero",), "channels": (WATCHED,), "card_in": PUBLIC, **what})
    route = store.routes.get(store.routes.add(made, by=MEMBER, told_in=WATCHED))
    assert route is not None
    return route


async def test_a_route_is_saved_switched_off_and_changed_likewise(
    context: ListenerContext, told: Told, store: Store, tmp_path: Path
) -> None:
    """Whoever makes one sees what it would have done before anybody is called by it."""
    assert await send(context, told, tmp_path, form(MEMBER, people=[ADMIN], group="<!subteam^S0SIMUEXPERTOS|@expertos>")) == ""
    (route,) = store.routes.all()
    assert route.status == "off"
    assert route.route.people == (ADMIN, "S0SIMUEXPERTOS")
    store.routes.change(route.id, by=MEMBER, status="on")
    await send(context, told, tmp_path, form(MEMBER, route=route.id, emoji=":eyes:", least="0.95"))
    (route,) = store.routes.all()
    assert (route.status, route.route.emoji, route.route.least) == ("off", "eyes", 0.95)


@pytest.mark.parametrize(
    ("chosen", "field", "key"),
    [
        ({"labels": []}, "labels", "wrong_labels"),
        ({"channels": []}, "channels", "wrong_channels"),
        ({"card": None}, "card", "wrong_card"),
        ({"webhook": "http://example.com/"}, "webhook", "wrong_webhook"),
        ({"webhook": "https://ana:clave@example.com/"}, "webhook", "wrong_webhook"),
        ({"channels": [PRIVATE]}, "channels", "wrong_unread"),  # María does not read it
        ({"card": PRIVATE}, "card", "wrong_unread"),
        ({"card": "C0SIMUGENERAL"}, "card", "wrong_outside"),  # the bot is not there
    ],
)
async def test_what_cannot_be_is_said_at_its_field_and_nothing_is_saved(
    chosen: dict[str, Any], field: str, key: str, context: ListenerContext, told: Told, store: Store, tmp_path: Path
) -> None:
    """A route must not carry what its maker may not read, nor to where they may not read it."""
    answered = json.loads(await send(context, told, tmp_path, form(STRANGER, **chosen)))
    assert answered["errors"] == {field: TEXTS(f"routes.{key}", bot="beto") if key == "wrong_outside" else TEXTS(f"routes.{key}")}
    assert store.routes.all() == []


@pytest.mark.parametrize("user", [GUEST, OUTSIDER, ADMIN], ids=["guest", "outsider", "not named"])
async def test_who_may_not_makes_none_and_switches_none(
    user: str, context: ListenerContext, told: Told, store: Store, tmp_path: Path
) -> None:
    """Also where somebody named a guest: a route says things in other people's channels."""
    assert "errors" in await send(context, told, tmp_path, form(user))
    assert store.routes.all() == []
    route = a_route(store)
    for act in ("on", "remove", "undo", "test"):
        await send(context, told, tmp_path, menu(user, act, route.id))
    assert store.routes.all() == [route]


async def test_who_reads_not_all_of_its_channels_switches_no_route_and_reads_of_it_nothing(
    context: ListenerContext, told: Told, store: Store, tmp_path: Path
) -> None:
    """María may make routes; that one leads from a channel which she does not read."""
    route = a_route(store, channels=(PRIVATE,), webhook="https://example.com/")
    await send(context, told, tmp_path, a_command("rutas", told, STRANGER, PUBLIC))
    await send(context, told, tmp_path, menu(STRANGER, "on", route.id))
    assert store.routes.all() == [route]
    assert [secret for secret in (PRIVATE, SECRET, route.secret) if secret in told.text()] == []


async def test_a_switch_is_told_in_all_its_channels_and_names_none_that_is_private_elsewhere(
    context: ListenerContext, told: Told, store: Store, tmp_path: Path
) -> None:
    """Whose messages are followed must know it; and #reclamos must not learn that there is a #fraudes."""
    route = a_route(store, channels=(PRIVATE, WATCHED))
    await send(context, told, tmp_path, menu(MEMBER, "on", route.id))
    assert [each.status for each in store.routes.all()] == ["on"]
    with store.database.reading() as connection:
        rows = connection.execute(outbox.select().where(outbox.c.kind == "announcement")).all()
    assert {row.channel for row in rows} == {PRIVATE, WATCHED, PUBLIC}
    for row in rows:
        assert row.content["text"] == "routes.told_on"
        assert f"<@{MEMBER}>" in row.content["values"]["user"]
        if row.channel != PRIVATE:
            assert PRIVATE not in row.content["values"]["what"]
    await send(context, told, tmp_path, menu(MEMBER, "undo", route.id))
    assert [each.status for each in store.routes.all()] == ["off"]


def test_a_rehearsal_counts_the_last_hundred_messages_of_its_channels(context: ListenerContext, store: Store) -> None:
    for number in range(REHEARSED + 5):
        message = Message(channel=WATCHED, ts=f"7.{number:03}", user=MEMBER, text=f"mensaje {number}", source=Source.CHANNEL)
        message_id, _ = store.messages.save(message)
        label = "cajero" if number % 2 else "app"
        said = Prediction(version=1, base="mini", scores={label: 0.9}, labels=(label,))
        store.predictions.save([NewPrediction(message_id, 1, said, 0.1)])
    found, among, links = _rehearse(context, a_route(store).route, store.labels.current())
    assert (found, among, len(links)) == (50, 100, 3)
    assert "mensaje 103" in links[0]


async def test_the_test_button_calls_the_webhook_and_says_what_came_of_it(
    context: ListenerContext, told: Told, store: Store, tmp_path: Path, server: Hook
) -> None:
    """Nobody wants to wait for a fraud to learn that the address is wrong; and it may not reach inside either."""
    route = a_route(store, webhook=server.url)
    await send(context, told, tmp_path, menu(MEMBER, "test", route.id))
    assert server.heard == []  # loopback: not without BETO_WEBHOOKS_INTO
    context.settings.__dict__["webhook_networks"] = networks("127.0.0.0/8,::1/128")
    await send(context, told, tmp_path, menu(MEMBER, "test", route.id))
    assert [body["type"] for body in server.bodies()] == ["beto_route_test"]
