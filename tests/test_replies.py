"""The replies process's rules where whole journeys cannot aim: what a dead one left, who counts, what Slack refuses."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import people, replies
from bot.payloads import GESTURES
from bot.settings import BotSettings
from bot.simulator.pytest_plugin import SimulatorThread
from bot.simulator.workspace import Workspace
from model.gestures import Gestures
from model.judgements import Gesture, Kind
from model.labels import seed_taxonomy
from model.schema import Message, Prediction, Source
from model.store import Labelled, Store

TEAM, CHANNEL = "T0SIMULADOR", "C0SIMUATENCION"
NAMES = seed_taxonomy().names


@pytest.fixture
def workspace(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str) -> Iterator[Workspace]:
    """This process is a replies process for the simulated Slack, in which the bot is a member of #atencion."""
    thread = SimulatorThread(rate_limits=False)
    settings = thread.environment | {
        "BETO_DATABASE_URL": store_url,
        "BETO_HOME": str(tmp_path),
        "BETO_REDIS_URL": redis_url,
        "BETO_EXPERTS": "S0SIMUEXPERTOS",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for cached in (replies.store, replies.settings, replies.gestures, replies.slack):
        cached.cache_clear()
    replies.app.conf.broker_url = redis_url  # read once a process, perhaps by an earlier test
    replies.store().migrate()
    town = thread.simulator.workspace
    town.join(town.channel("atencion"), town.user("beto"))
    yield town
    replies.store().close()
    for cached in (replies.store, replies.settings, replies.gestures, replies.slack):
        cached.cache_clear()
    thread.stop()


def a_predicted_message(store: Store, ts: str) -> int:
    message = Message(team=TEAM, channel=CHANNEL, ts=ts, user="U0SIMUANA", text="perdí la tarjeta", source=Source.CHANNEL)
    message_id, _ = store.save_message(message)
    prediction = Prediction(version=1, base="mini", scores={"tarjeta": 0.9, "app": 0.2}, labels=("tarjeta",))
    store.save_predictions([Labelled(message_id, 1, prediction, 0.01)])
    return message_id


def said_by_ana(workspace: Workspace) -> str:
    return str(workspace.post_as_person(workspace.user("ana"), workspace.channel("atencion"), "perdí la tarjeta")["ts"])


def bots_posts(ts: str) -> list[str]:
    thread = replies.slack().conversations_replies(channel=CHANNEL, ts=ts)["messages"]
    return [message["ts"] for message in thread if message.get("bot_id")]


def test_a_reply_whose_process_died_before_recording_it_is_adopted(workspace: Workspace) -> None:
    """Killed between the post and its record: the next one must find it in the thread, not post a second."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(replies.store(), ts)
    assert replies.store().claim_reply(message_id, "dies", 0.0) is not None
    dead = replies.slack().chat_postMessage(
        channel=CHANNEL,
        thread_ts=ts,
        text="labels",
        metadata={"event_type": replies.METADATA, "event_payload": {"message": f"{TEAM}:{CHANNEL}:{ts}"}},
    )
    replies.reply(message_id)
    assert bots_posts(ts) == [dead["ts"]]
    assert replies.store().reply_ts(message_id) == dead["ts"]


def test_the_same_task_twice_posts_once(workspace: Workspace) -> None:
    """Celery delivers at least once."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(replies.store(), ts)
    replies.reply(message_id)
    replies.reply(message_id)
    assert len(bots_posts(ts)) == 1


def test_a_channel_that_threw_the_bot_out_costs_no_endless_tries(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(replies.store(), ts)
    workspace.leave(workspace.channel("atencion"), workspace.user("beto"))
    with caplog.at_level(logging.WARNING):
        replies.reply(message_id)
    assert "can have no reply: not_in_channel" in caplog.text
    assert replies.store().message(message_id).owed == "nothing"


def test_the_sweep_sends_again_what_is_owed(workspace: Workspace, redis_url: str) -> None:
    """Whatever Redis lost is found in the database."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(replies.store(), ts)
    assert replies.sweep() == 0
    replies.store().release_reply(message_id, "nobody", retry_in_s=-1)
    assert replies.sweep() == 1
    assert replies.sweep() == 0


@pytest.mark.parametrize(
    ("settings", "user", "may_judge", "expert"),
    [
        ({}, "U0SIMULUIS", True, False),
        ({}, "U0SIMUCARLOS", False, False),
        ({}, "U0STRANGER", False, False),
        ({"guests_judge": True}, "U0SIMUCARLOS", True, False),
        ({"judges": "U0SIMUMARIA"}, "U0SIMULUIS", False, False),
        ({"judges": "U0SIMUMARIA"}, "U0SIMUMARIA", True, False),
        ({"judges": "S0SIMUEXPERTOS"}, "U0SIMUANA", True, True),
        ({}, "U0SIMUANA", True, True),
    ],
)
def test_who_may_judge(workspace: Workspace, settings: dict[str, object], user: str, may_judge: bool, expert: bool) -> None:
    """Everybody but guests and strangers, unless the setting names people or a group; experts are named too."""
    gestures = Gestures(replies.store())
    people.look_at(replies.slack(), gestures, BotSettings(**settings), team=TEAM, user=user)
    message_id = a_predicted_message(replies.store(), "1700000000.000100")
    said = Gesture(user=user, handle="h", at=1_800_000_000_000_000, kind=Kind.LABEL, labels=("app",))
    gestures.add(said, team=TEAM, channel=CHANNEL, item_ts="1700000000.000100")
    other = Gesture(user="U0SIMUMARIA", handle="h2", at=1_800_000_000_000_001, kind=Kind.NONE)
    gestures.note_person(TEAM, "U0SIMUMARIA", may_judge=True, expert=False)
    judged = gestures.judged(message_id, seed_taxonomy())
    assert (judged.strangers == ()) == may_judge
    if user != "U0SIMUMARIA":
        gestures.add(other, team=TEAM, channel=CHANNEL, item_ts="1700000000.000100")
        status = gestures.judged(message_id, seed_taxonomy()).state.labels["app"].status
        assert status == ("added" if expert else "disputed" if may_judge else "rejected")


def test_every_gesture_has_an_emoji_that_is_no_labels() -> None:
    """One tap must mean one thing."""
    assert all(seed_taxonomy().by_emoji(emoji) is None for emoji in GESTURES.values())
