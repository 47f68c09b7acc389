"""Routes: a message whose labels lead somewhere gets there once, whatever dies, fails, hangs or lies; and never in a circle."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from bot.outbox import routing
from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver
from bot.outbox.routing import RouteWork
from bot.simulator.server import Simulator
from bot.simulator.workspace import Workspace
from model.judgements import Gesture, Kind
from model.routes import Route
from model.schema import Message, Prediction, Source
from model.store.database import now
from model.store.outbox_row import SETTLED, State, route_key, webhook_key
from model.store.predictions import NewPrediction
from model.store.tables import outbox, routes
from tests.https import Hook, authority, hook
from tests.outbox.replying import (
    CHANNEL,
    ON_SQLITE,
    a_predicted_message,
    bots_posts,
    emoji_on,
    judged,
    reply_again,
    reply_now,
    said_by_ana,
    tap,
)

CARDS = "C0SIMURECLAMOS"
INTO_LOOPBACK = pytest.mark.parametrize("replies_settings", [{"BETO_WEBHOOKS_INTO": "127.0.0.0/8,::1/128"}], indirect=True)


@pytest.fixture
def led(context: OutboxContext, replies_slack: Simulator) -> OutboxContext:
    """The bot is also where cards go; those who judge count."""
    workspace = replies_slack.workspace
    workspace.join(workspace.channel("reclamos"), workspace.user("beto"))
    for user in ("U0SIMULUIS", "U0SIMUANA"):
        context.store.people.save(user, may_judge=True, expert=False)
    return context


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority(tmp_path / "tls")))
    with hook(tmp_path / "tls") as made:
        yield made


def a_route(context: OutboxContext, **what: Any) -> int:
    """A route of #atencion that is on."""
    made = Route(**{"labels": ("tarjeta",), "channels": (CHANNEL,), "least": 0.8, **what})
    route_id = context.store.routes.add(made, by="U0SIMUANA", told_in=CHANNEL)
    context.store.routes.change(route_id, by="U0SIMUANA", status="on")
    return route_id


def cards(workspace: Workspace, channel: str = "reclamos") -> list[str]:
    """What cards say, the oldest first."""
    where = workspace.channel(channel)
    named = {ts for ts, each in where.metadata.items() if each.get("event_type") == RouteWork.METADATA}
    return [str(where.messages[ts]["text"]) for ts in sorted(where.messages) if ts in named]


def row(context: OutboxContext, key: str) -> Any:
    found = context.store.outbox.get(key)
    assert found is not None
    return found


def time_passes(context: OutboxContext) -> None:
    """What was rendered a moment ago was a while ago, and webhooks may be called again."""
    with context.store.database.writing() as connection:
        connection.execute(update(outbox).values(rendered_at=now() - timedelta(seconds=9)))
        connection.execute(update(routes).where(routes.c.try_at.is_not(None)).values(try_at=now() - timedelta(seconds=1)))


def go(context: OutboxContext, message_id: int, *keys: str) -> None:
    """The reply's task, and those that it publishes."""
    time_passes(context)
    reply_again(context, message_id)
    for key in keys:
        context.locks.unlock(f"deliver/{key}")
        deliver(context, key)


def test_a_message_with_the_label_gets_its_card_once_and_another_none(led: OutboxContext, workspace: Workspace) -> None:
    """A label that nobody acts upon is worth nothing; a card twice is a second alarm."""
    route_id = a_route(led, card_in=CARDS, people=("U0SIMULUIS", "S0SIMUEXPERTOS"))
    message_id = a_predicted_message(led.store, said_by_ana(workspace))
    key = route_key(route_id, message_id)
    for _ in range(3):
        go(led, message_id, key)
    assert len(cards(workspace)) == 1
    card = cards(workspace)[0]
    assert all(
        part in card for part in ("Tarjeta", "90", f"<#{CHANNEL}>", "/archives/", "<@U0SIMULUIS>", "<!subteam^S0SIMUEXPERTOS>")
    )
    assert "perdí la tarjeta" not in card  # who reads it there need not read #atencion
    other = a_predicted_message(led.store, said_by_ana(workspace))
    led.store.routes.change(route_id, by="U0SIMUANA", route=Route(labels=("app",), channels=(CHANNEL,), card_in=CARDS))
    led.store.routes.change(route_id, by="U0SIMUANA", status="on")
    go(led, other)
    assert led.store.outbox.get(route_key(route_id, other)) is None


@ON_SQLITE
@pytest.mark.parametrize(
    "not_taken",
    [
        {"least": 0.95},
        {"labels": ("app",)},  # predicted with 20 %
        {"channels": (CARDS,)},
    ],
    ids=["not sure enough", "another label", "another channel"],
)
def test_what_a_route_does_not_ask_for_does_not_take_it(
    not_taken: dict[str, Any], led: OutboxContext, workspace: Workspace
) -> None:
    route_id = a_route(led, card_in=CARDS, **not_taken)
    message_id = a_predicted_message(led.store, said_by_ana(workspace))
    go(led, message_id)
    assert led.store.outbox.get(route_key(route_id, message_id)) is None


@pytest.mark.parametrize("fault", ["ratelimited", 503, "reset", "answer_lost", "internal_error"])
def test_a_card_is_posted_once_whatever_slack_does(fault: str | int, led: OutboxContext, replies_slack: Simulator) -> None:
    """Two alarms for one fraud, or none: both end with people who trust no alarm."""
    route_id = a_route(led, card_in=CARDS)
    led.store.channels.set_showing(CHANNEL, "quiet")
    message_id = a_predicted_message(led.store, said_by_ana(replies_slack.workspace))
    replies_slack.faults.fail_next("chat.postMessage", fault, retry_after_s=0)
    for _ in range(4):
        go(led, message_id, route_key(route_id, message_id))
    assert len(cards(replies_slack.workspace)) == 1
    assert row(led, route_key(route_id, message_id)).state is State.SHOWN


def test_a_card_says_what_stands_in_the_end_also_where_it_was_so_before(led: OutboxContext, workspace: Workspace) -> None:
    """Somebody objects while the card is on its way, and takes that back: it said for ever that it is not theirs any more."""
    route_id = a_route(led, card_in=CARDS)
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(led.store, ts)
    key = route_key(route_id, message_id)
    go(led, message_id)  # the route is taken
    objection = Gesture(user="U0SIMULUIS", handle="no", at=1_900_000_000_000_000, kind=Kind.NONE)
    led.store.gestures.add(objection, channel=CHANNEL, item_ts=ts)
    deliver(led, key)
    assert "~" in cards(workspace)[0]
    taken_back = objection.model_copy(update={"at": objection.at + 1, "withdrawn": True})
    led.store.gestures.add(taken_back, channel=CHANNEL, item_ts=ts)
    go(led, message_id, key)
    assert len(cards(workspace)) == 1
    assert "~" not in cards(workspace)[0]


def test_a_card_waits_for_the_labels_of_a_text_that_was_changed(led: OutboxContext, workspace: Workspace) -> None:
    """Between an edit and its labels nothing is known of the message: that it leads there no more would be a guess."""
    route_id = a_route(led, card_in=CARDS)
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(led.store, ts)
    key = route_key(route_id, message_id)
    go(led, message_id)
    led.store.messages.edit(CHANNEL, ts, "perdí la tarjeta de débito", edited_at=1_800_000_000_000_000)
    deliver(led, key)
    assert not cards(workspace)
    prediction = Prediction(version=1, base="mini", scores={"tarjeta": 0.9, "app": 0.2}, labels=("tarjeta",))
    led.store.predictions.save([NewPrediction(message_id, 2, prediction, 0.01)])
    go(led, message_id, key)
    assert len(cards(workspace)) == 1
    assert "~" not in cards(workspace)[0]


def test_a_card_whose_process_died_before_it_was_recorded_is_found(led: OutboxContext, workspace: Workspace) -> None:
    route_id = a_route(led, card_in=CARDS)
    message_id = a_predicted_message(led.store, said_by_ana(workspace))
    key = route_key(route_id, message_id)
    go(led, message_id)
    assert led.store.outbox.claim(key, "dies", 0.0) is not None
    stored = led.store.messages.get(message_id)
    assert stored is not None
    led.slack.chat_postMessage(
        channel=CARDS,
        text="card",
        metadata={
            "event_type": RouteWork.METADATA,
            "event_payload": {"about": f"{led.team}:{CHANNEL}:{stored.message.ts}:{route_id}"},
        },
    )
    go(led, message_id, key)
    assert len(cards(workspace)) == 1
    assert "Tarjeta" in cards(workspace)[0]


def test_a_correction_takes_the_route_and_one_that_takes_it_back_mends_the_card(led: OutboxContext, workspace: Workspace) -> None:
    """Whoever was called must hear that it was not so; whoever was not called, must be."""
    route_id = a_route(led, labels=("fraude",), card_in=CARDS)
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(led.store, ts)
    key = route_key(route_id, message_id)
    go(led, message_id)
    assert led.store.outbox.get(key) is None
    judged(led.store, ts, kind=Kind.SET, labels=("fraude",), at=1)
    go(led, message_id, key)
    assert ["Fraude" in card for card in cards(workspace)] == [True]
    judged(led.store, ts, kind=Kind.SET, labels=("tarjeta",), at=2)
    go(led, message_id, key)
    assert len(cards(workspace)) == 1
    assert "~Ya no va aquí~" in cards(workspace)[0]
    assert "<@U0SIMULUIS>" in cards(workspace)[0]
    judged(led.store, ts, kind=Kind.SET, labels=("fraude",), at=3)
    go(led, message_id, key)
    assert ["Fraude" in card for card in cards(workspace)] == [True]


@ON_SQLITE
def test_what_was_corrected_before_the_card_was_posted_gets_none(led: OutboxContext, workspace: Workspace) -> None:
    route_id = a_route(led, card_in=CARDS)
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(led.store, ts)
    go(led, message_id)
    judged(led.store, ts, kind=Kind.NONE)
    go(led, message_id, route_key(route_id, message_id))
    assert (cards(workspace), row(led, route_key(route_id, message_id)).state) == ([], State.GONE)


def test_the_card_of_a_deleted_message_goes(led: OutboxContext, workspace: Workspace) -> None:
    """It links to nothing, and tells a label of what somebody took back."""
    route_id = a_route(led, card_in=CARDS)
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(led.store, ts)
    go(led, message_id, route_key(route_id, message_id))
    led.store.messages.delete(CHANNEL, ts)
    assert route_key(route_id, message_id) in {each.key for each in led.store.outbox.overdue()}
    go(led, message_id, route_key(route_id, message_id))
    assert cards(workspace) == []


@pytest.mark.parametrize("display", ["thread", "emoji", "quiet"])
def test_a_mention_stands_in_the_messages_thread_whatever_the_channel_shows(
    display: str, led: OutboxContext, workspace: Workspace
) -> None:
    """And where labels are shown by emoji, the reply too: whoever is called must see why."""
    led.store.channels.set_showing(CHANNEL, display, delay_minutes=60)  # type: ignore[arg-type]  # one of them
    route_id = a_route(led, people=("U0SIMULUIS",))
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(led.store, ts)
    go(led, message_id, route_key(route_id, message_id))
    assert ["<@U0SIMULUIS>" in card for card in cards(workspace, "atencion")] == [True]
    if display == "emoji":
        reply_now(led, message_id)
    assert len(bots_posts(led, ts)) == (2 if display == "emoji" else 1)


@ON_SQLITE
def test_an_emoji_of_a_route_is_put_once_and_says_no_label(led: OutboxContext, workspace: Workspace) -> None:
    """Whoever taps 👀 looks at it, and judges nothing."""
    a_route(led, emoji="eyes")
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(led.store, ts)
    for _ in range(2):
        go(led, message_id, f"emoji:{message_id}")
    assert list(emoji_on(workspace, ts)) == ["eyes"]
    assert not tap(led, ts, "eyes", None)


@ON_SQLITE
def test_nothing_of_ours_and_nothing_that_is_private_takes_a_route(led: OutboxContext, workspace: Workspace) -> None:
    """A card in a watched channel that somebody asks about would lead to a card about a card, and so on for ever."""
    for channel in (CHANNEL, "D0ANA"):
        a_route(led, card_in=CARDS, channels=(channel,))
    made = []
    for number, (channel, user, source) in enumerate(
        [(CHANNEL, led.bot_user, Source.SHORTCUT), (CHANNEL, "U0SIMUANA", Source.COMMAND), ("D0ANA", "U0SIMUANA", Source.DIRECT)]
    ):
        message = Message(channel=channel, ts=f"1.{number}", user=user, text="perdí la tarjeta", source=source)
        message_id, _ = led.store.messages.save(message)
        said = Prediction(version=1, base="mini", scores={"tarjeta": 0.9}, labels=("tarjeta",))
        led.store.predictions.save([NewPrediction(message_id, 1, said, 0.01)])
        made.append(message_id)
        reply_again(led, message_id)
    with led.store.database.reading() as connection:
        assert connection.execute(text("select count(*) from outbox where kind = 'route'")).scalar_one() == 0


@ON_SQLITE
def test_a_blind_messages_card_tells_no_label(led: OutboxContext, workspace: Workspace) -> None:
    """It is the one measure in which nobody is led; and the person whom it concerns is called all the same."""
    route_id = a_route(led, card_in=CARDS, people=("U0SIMULUIS",))
    message = Message(
        channel=CHANNEL, ts=said_by_ana(workspace), user="U0SIMUANA", text="perdí la tarjeta", source=Source.CHANNEL
    )
    message_id, _ = led.store.messages.save(message.model_copy(update={"blind": True}))
    said = Prediction(version=1, base="mini", scores={"tarjeta": 0.9}, labels=("tarjeta",))
    led.store.predictions.save([NewPrediction(message_id, 1, said, 0.01)])
    go(led, message_id, route_key(route_id, message_id))
    assert ["Tarjeta" in card for card in cards(workspace)] == [False]
    assert "<@U0SIMULUIS>" in cards(workspace)[0]


@ON_SQLITE
@INTO_LOOPBACK
@pytest.mark.parametrize("statuses", [[], [500], [429, 503], [302]], ids=["well", "fails", "fails twice", "redirects"])
def test_a_webhook_is_taken_once_and_called_with_the_same_key_until_then(
    statuses: list[int], led: OutboxContext, workspace: Workspace, server: Hook
) -> None:
    """The other side may have taken what looks like a failure: by the key it knows that."""
    server.statuses[:] = statuses
    server.location = "https://127.0.0.1/"
    route_id = a_route(led, webhook=server.url)
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(led.store, ts)
    key = webhook_key(route_id, message_id)
    for _ in range(len(statuses) + 2):
        go(led, message_id, key)
    assert row(led, key).state is State.SHOWN
    assert len(server.heard) == len(statuses) + 1
    bodies = server.bodies()
    assert len({each["idempotency_key"] for each in bodies} | {headers["idempotency-key"] for headers, _ in server.heard}) == 1
    told = bodies[-1]
    assert (told["type"], told["channel"], told["ts"], told["route"]) == ("beto_route", CHANNEL, ts, route_id)
    assert told["labels"] == [{"name": "tarjeta", "title": "Tarjeta", "probability": 0.9}]
    assert "text" not in told
    assert led.store.routes.get(route_id).failing_since is None  # type: ignore[union-attr]  # it is there


@ON_SQLITE
@INTO_LOOPBACK
def test_a_webhook_that_has_failed_for_a_day_is_given_up_and_that_is_told(
    led: OutboxContext, workspace: Workspace, server: Hook
) -> None:
    """It would be called for ever, and whoever relies on it would never know."""
    server.answers = 500
    route_id = a_route(led, webhook=server.url)
    message_id = a_predicted_message(led.store, said_by_ana(workspace))
    key = webhook_key(route_id, message_id)
    go(led, message_id, key)
    waits = led.store.routes.get(route_id)
    assert waits is not None
    assert waits.try_at is not None
    deliver(led, key)
    assert len(server.heard) == 1  # not before its time, whoever looks
    with led.store.database.writing() as connection:
        connection.execute(update(routes).values(failing_since=now() - timedelta(days=1)))
    go(led, message_id, key)
    go(led, message_id, key)
    given_up = led.store.routes.get(route_id)
    assert given_up is not None
    assert (given_up.status, row(led, key).state, len(server.heard)) == ("off", State.GONE, 2)
    told = [each.key for each in led.store.outbox.overdue() if each.key.startswith("route_off:")]
    assert len(told) == 1
    deliver(led, told[0])
    assert any(f"ruta {route_id}" in str(each["text"]) for each in workspace.channel("atencion").messages.values())


@ON_SQLITE
@INTO_LOOPBACK
def test_webhooks_that_hang_leave_threads_for_what_people_wait_for(
    led: OutboxContext, workspace: Workspace, server: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight threads that all wait for somebody else's server are a bot that says nothing."""
    route_id = a_route(led, webhook=server.url)
    message_id = a_predicted_message(led.store, said_by_ana(workspace))
    monkeypatch.setattr(routing, "_CALLS", type("NoneFree", (), {"acquire": lambda *_, **__: False})())
    go(led, message_id, webhook_key(route_id, message_id))
    assert server.heard == []
    assert row(led, webhook_key(route_id, message_id)).state is State.DUE


@ON_SQLITE
def test_a_webhook_of_a_private_network_is_never_called(led: OutboxContext, workspace: Workspace, server: Hook) -> None:
    route_id = a_route(led, webhook=server.url)
    message_id = a_predicted_message(led.store, said_by_ana(workspace))
    go(led, message_id, webhook_key(route_id, message_id))
    assert server.heard == []
    assert led.store.routes.get(route_id).failing_since is not None  # type: ignore[union-attr]  # it is there


@pytest.mark.parametrize("what", ["switched off", "removed"])
def test_what_is_switched_off_takes_nothing_any_more_and_undo_brings_it_back(
    what: str, led: OutboxContext, workspace: Workspace
) -> None:
    route_id = a_route(led, card_in=CARDS)
    standing = a_predicted_message(led.store, said_by_ana(workspace))
    go(led, standing, route_key(route_id, standing))
    first = a_predicted_message(led.store, said_by_ana(workspace))
    go(led, first)  # its card is not posted yet
    led.store.routes.change(route_id, by="U0SIMULUIS", status="off" if what == "switched off" else "removed")
    go(led, first, route_key(route_id, first))
    go(led, standing, route_key(route_id, standing))  # what stands there stays true
    second = a_predicted_message(led.store, said_by_ana(workspace))
    go(led, second)
    posted = led.store.outbox.get(route_key(route_id, standing))
    assert posted is not None
    assert posted.content["stands"]
    workspace.delete(workspace.channel("reclamos"), str(posted.ts), led.bot_user)
    assert (cards(workspace), led.store.outbox.get(route_key(route_id, second))) == ([], None)
    back = led.store.routes.undo(route_id, by="U0SIMUANA")
    assert back is not None
    assert back.status == "on"
    third = a_predicted_message(led.store, said_by_ana(workspace))
    go(led, third, route_key(route_id, third))
    assert len(cards(workspace)) == 1
    assert row(led, route_key(route_id, third)).state in SETTLED


@ON_SQLITE
def test_a_guests_correction_takes_no_route(led: OutboxContext, workspace: Workspace) -> None:
    """Whose word does not count calls nobody; Slack is asked who they are, before anything is taken."""
    route_id = a_route(led, labels=("fraude",), card_in=CARDS)
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(led.store, ts)
    judged(led.store, ts, user="U0SIMUCARLOS", kind=Kind.SET, labels=("fraude",))
    go(led, message_id)
    assert led.store.outbox.get(route_key(route_id, message_id)) is None
