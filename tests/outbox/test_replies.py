"""The replies process's rules where whole journeys cannot aim: what a dead one left, who counts, what Slack refuses."""

import logging
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from bot.local.ports import free_port
from bot.outbox import client as outgoing
from bot.outbox import digests, replies
from bot.settings import BotSettings
from bot.simulator.server import Simulator
from bot.simulator.workspace import Workspace
from bot.slack import people
from bot.slack.payloads import GESTURES
from model.judgements import Gesture, Kind
from model.labels import seed_taxonomy
from model.schema import Message, Prediction, Source
from model.store.predictions import NewPrediction
from model.store.replies import PENDING
from model.store.store import Store
from tests.town import wait_until

TEAM, CHANNEL = "T0SIMULADOR", "C0SIMUATENCION"
NAMES = seed_taxonomy().names
ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # what they ask the store is tested on both above


@pytest.fixture
def workspace(replies_slack: Simulator) -> Workspace:
    return replies_slack.workspace


def a_predicted_message(store: Store, ts: str) -> int:
    message = Message(channel=CHANNEL, ts=ts, user="U0SIMUANA", text="perdí la tarjeta", source=Source.CHANNEL)
    message_id, _ = store.messages.save(message)
    prediction = Prediction(version=1, base="mini", scores={"tarjeta": 0.9, "app": 0.2}, labels=("tarjeta",))
    store.predictions.save([NewPrediction(message_id, 1, prediction, 0.01)])
    return message_id


def said_by_ana(workspace: Workspace) -> str:
    return str(workspace.post_as_person(workspace.user("ana"), workspace.channel("atencion"), "perdí la tarjeta")["ts"])


def bots_posts(ts: str) -> list[str]:
    thread = outgoing.slack().conversations_replies(channel=CHANNEL, ts=ts)["messages"]
    return [message["ts"] for message in thread if message.get("bot_id")]


def test_a_reply_whose_process_died_before_recording_it_is_adopted(workspace: Workspace) -> None:
    """Killed between the post and its record: the next one must find it in the thread, not post a second."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(outgoing.store(), ts)
    assert outgoing.replies().claim(message_id, "dies", 0.0) is not None
    dead = outgoing.slack().chat_postMessage(
        channel=CHANNEL,
        thread_ts=ts,
        text="labels",
        metadata={"event_type": replies.METADATA, "event_payload": {"message": f"{TEAM}:{CHANNEL}:{ts}"}},
    )
    replies.reply(message_id)
    assert bots_posts(ts) == [dead["ts"]]
    assert outgoing.replies().ts_of(message_id) == dead["ts"]


@ON_SQLITE
def test_a_database_that_is_away_is_a_line_in_the_log_for_each_task(
    tmp_path: Path, replies_slack: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A backlog of thousands must not write thousands of tracebacks, in which nobody finds anything."""
    away = Store(f"postgresql+psycopg://beto@127.0.0.1:{free_port()}/beto", tmp_path)
    with monkeypatch.context() as here:
        here.setattr(outgoing, "store", lambda: away)
        outgoing.replies.cache_clear()
        result = replies.reply.apply((1,), throw=False)
    outgoing.replies.cache_clear()
    away.close()
    assert result.state == "FAILURE"
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [(record.name, bool(record.exc_info)) for record in told] == [("worker.app", False)]
    assert "bot.reply waits for the sweep: the database does not answer" in caplog.text
    assert "Traceback" not in caplog.text


def test_the_same_task_twice_posts_once(workspace: Workspace) -> None:
    """Celery delivers at least once."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(outgoing.store(), ts)
    replies.reply(message_id)
    replies.reply(message_id)
    assert len(bots_posts(ts)) == 1


def test_a_post_whose_answer_was_lost_is_found_and_not_repeated(replies_slack: Simulator) -> None:
    """Slack has it, and our side heard of a broken connection: posting again by reflex would answer twice."""
    ts = said_by_ana(replies_slack.workspace)
    message_id = a_predicted_message(outgoing.store(), ts)
    replies_slack.faults.fail_next("chat.postMessage", "answer_lost")
    replies.reply(message_id)
    assert outgoing.replies().ts_of(message_id) is None
    replies.reply(message_id)
    assert bots_posts(ts) == [outgoing.replies().ts_of(message_id)]


def test_a_look_for_a_lost_post_that_fails_is_done_again_before_anything_is_posted(replies_slack: Simulator) -> None:
    """Two faults in a row: the doubt must outlive the second."""
    ts = said_by_ana(replies_slack.workspace)
    message_id = a_predicted_message(outgoing.store(), ts)
    replies_slack.faults.fail_next("chat.postMessage", "answer_lost")
    replies.reply(message_id)
    replies_slack.faults.fail_next("conversations.replies", "ratelimited", retry_after_s=0)
    replies.reply(message_id)
    outgoing.locks().unlock(f"reply/{message_id}")
    replies.reply(message_id)
    assert len(bots_posts(ts)) == 1


@pytest.mark.parametrize("fault", ["ratelimited", 503, "reset", "answer_lost", "internal_error"])
def test_a_reply_to_what_was_just_deleted_goes_even_if_slack_does_not_take_it_away_at_once(
    replies_slack: Simulator, fault: str | int
) -> None:
    """Slack puts it into the channel itself; whoever is refused its removal must not forget it."""
    workspace = replies_slack.workspace
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(outgoing.store(), ts)
    channel = workspace.channel("atencion")
    workspace.delete(channel, ts, "U0SIMUANA")  # Slack knows, and its event is on its way to us
    replies_slack.faults.fail_next("chat.delete", fault, retry_after_s=0)
    replies.reply(message_id)
    outgoing.store().messages.delete(CHANNEL, ts)
    for _ in range(5):
        outgoing.locks().unlock(f"reply/{message_id}")
        replies.reply(message_id)
    assert not [each for each in channel.messages.values() if each.get("bot_id")]
    assert outgoing.store().messages.get(message_id).owed == "nothing"


@pytest.mark.parametrize("fault", ["ratelimited", 503, "reset", "answer_lost", "internal_error"])
def test_of_two_replies_one_goes_even_if_slack_does_not_take_it_away_at_once(
    replies_slack: Simulator, monkeypatch: pytest.MonkeyPatch, fault: str | int
) -> None:
    """The one who was frozen finds another's reply recorded, and is refused the removal of its own."""
    ts = said_by_ana(replies_slack.workspace)
    message_id = a_predicted_message(outgoing.store(), ts)
    draw = replies.draw

    def frozen(*args: Any) -> Any:
        monkeypatch.setattr(replies, "draw", draw)
        with outgoing.store().database.writing() as connection:  # the lease has run out
            connection.exec_driver_sql("update replies set claimed_by = null, claimed_until = null")
        replies.reply(message_id)
        return draw(*args)

    monkeypatch.setattr(replies, "draw", frozen)
    replies_slack.faults.fail_next("chat.delete", fault, retry_after_s=0)
    replies.reply(message_id)
    outgoing.locks().unlock(f"reply/{message_id}")
    wait_until(
        lambda: replies.reply(message_id) or outgoing.store().messages.get(message_id).owed == "nothing",
        10,
        "the doubt is settled",
    )
    assert bots_posts(ts) == [outgoing.replies().ts_of(message_id)]


def test_of_two_replies_the_later_takes_itself_away(workspace: Workspace) -> None:
    """A process that was frozen for longer than its lease wakes up and posts: somebody else had taken over."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(outgoing.store(), ts)
    claim = outgoing.replies().claim(message_id, "frozen", 0.0)
    assert claim is not None
    replies.reply(message_id)
    assert outgoing.replies().record(message_id, "frozen", state=claim.message.state, reply_ts="1.000001") == "surplus"
    assert bots_posts(ts) == [outgoing.replies().ts_of(message_id)]


def test_an_older_drawing_that_comes_late_is_drawn_over(workspace: Workspace) -> None:
    """The frozen one wakes up in the middle of a redrawing: the newer state had been shown already."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(outgoing.store(), ts)
    store = outgoing.store()
    replies.reply(message_id)
    reply_ts = outgoing.replies().ts_of(message_id)
    state = store.messages.get(message_id).state
    gesture = Gesture(user="U0SIMUMARIA", handle="h", at=1_900_000_000_000_000, kind=Kind.NONE)
    store.gestures.add(gesture, channel=CHANNEL, item_ts=ts)
    outgoing.replies().release(message_id, "nobody", retry_in_s=0)
    newer = outgoing.replies().claim(message_id, "awake", 60)
    assert (
        outgoing.replies().record(message_id, "awake", state=newer.message.state, reply_ts=reply_ts, before=reply_ts) == "shown"
    )
    assert outgoing.replies().record(message_id, "frozen", state=state, reply_ts=reply_ts, before=reply_ts) == "moved on"
    assert store.messages.get(message_id).owed == "reply"


def test_a_reply_to_a_message_that_was_just_deleted_is_not_left_in_the_channel(workspace: Workspace) -> None:
    """Slack puts it into the channel itself, where everybody wonders what it is about."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(outgoing.store(), ts)
    workspace.delete(workspace.channel("atencion"), ts, "U0SIMUANA")
    replies.reply(message_id)
    assert not [each for each in workspace.channel("atencion").messages.values() if each.get("bot_id")]
    assert outgoing.store().messages.get(message_id).owed == "nothing"


def test_a_question_that_was_asked_and_not_recorded_is_not_asked_again(replies_slack: Simulator) -> None:
    """Killed between the question and its record: the thread has it."""
    ts = said_by_ana(replies_slack.workspace)
    message_id = a_predicted_message(outgoing.store(), ts)
    for number, kind in enumerate((Kind.LABEL, Kind.NONE)):
        user = ("U0SIMULUIS", "U0SIMUMARIA")[number]
        gesture = Gesture(user=user, handle=f"h{number}", at=1_900_000_000_000_000 + number, kind=kind, labels=("app",))
        outgoing.store().gestures.add(gesture, channel=CHANNEL, item_ts=ts)
    replies_slack.faults.fail_next("conversations.replies", "internal_error")  # the look before the question
    with pytest.raises(SlackApiError):
        replies.reply(message_id)
    replies.reply(message_id)
    outgoing.replies().release(message_id, "nobody", retry_in_s=0)
    assert len(bots_posts(ts)) == 2  # the reply and one question
    posted = {post["metadata"]["event_type"] for post in with_metadata(ts)}
    assert posted == {replies.METADATA, replies.QUESTION}


def with_metadata(ts: str) -> list[dict[str, Any]]:
    thread = outgoing.slack().conversations_replies(channel=CHANNEL, ts=ts, include_all_metadata=True)["messages"]
    return [message for message in thread if message.get("bot_id")]


# More than Slack lets us say


@pytest.fixture
def busy(replies_slack: Simulator, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Six messages in a channel that may have no post for a while: (ts, id), oldest first."""
    monkeypatch.setenv("BETO_DIGEST_AFTER", "4")
    outgoing.settings.cache_clear()
    stamps = [said_by_ana(replies_slack.workspace) for _ in range(6)]
    found = [(ts, a_predicted_message(outgoing.store(), ts)) for ts in stamps]
    outgoing.limiter().block_method_for("chat.postMessage", 0.5)
    for _, message_id in found:
        replies.reply(message_id)
    wait_until(lambda: outgoing.limiter().take("chat.postMessage") == 0.0, 5, "Slack may be told something again")
    return found


def test_a_reply_that_must_wait_holds_no_claim_and_is_still_owed(busy: list[tuple[str, int]]) -> None:
    """Back-pressure: what cannot be said now is kept."""
    assert all(outgoing.store().messages.get(message_id).owed == "reply" for _, message_id in busy)
    assert outgoing.replies().line(CHANNEL, 9, newest_first=False) == [message_id for _, message_id in busy]
    assert outgoing.locks().is_locked(f"line/{CHANNEL}")


@ON_SQLITE
def test_a_channel_beyond_its_limit_gets_one_post_for_all_that_wait(busy: list[tuple[str, int]], workspace: Workspace) -> None:
    """Instead of silence for minutes, and of a flood that tells yesterday's labels."""
    replies.serve_line(CHANNEL)
    digests = [each for each in workspace.channel("atencion").messages.values() if each.get("bot_id")]
    assert len(digests) == 1
    assert all(f"/p{ts.replace('.', '')}" in str(digests[0]["blocks"]) for ts, _ in busy)
    assert [outgoing.store().messages.get(message_id).owed for _, message_id in busy] == ["nothing"] * 6
    for _, message_id in busy:
        replies.reply(message_id)
    assert all(bots_posts(ts) == [] for ts, _ in busy)


def test_a_message_in_a_digest_that_is_corrected_has_its_own_reply_instead(
    busy: list[tuple[str, int]], workspace: Workspace
) -> None:
    """The digest cannot show who said what; and no message is to be answered in two places."""
    replies.serve_line(CHANNEL)
    (ts, message_id), digest = (
        busy[0],
        next(each for each in workspace.channel("atencion").messages.values() if each.get("bot_id")),
    )
    gesture = Gesture(user="U0SIMULUIS", handle="h", at=1_900_000_000_000_000, kind=Kind.NONE)
    outgoing.store().gestures.add(gesture, channel=CHANNEL, item_ts=ts)
    reply_now(message_id)
    digests.redraw_digest(CHANNEL, digest["ts"], ts)
    assert len(bots_posts(ts)) == 1
    shown = str(workspace.channel("atencion").messages[digest["ts"]]["blocks"])
    assert f"/p{ts.replace('.', '')}" not in shown
    assert f"/p{busy[1][0].replace('.', '')}" in shown


@ON_SQLITE
def test_a_digest_whose_answer_was_lost_answers_nobody_twice(busy: list[tuple[str, int]], replies_slack: Simulator) -> None:
    """Nobody knows what it told: each message gets its own reply, and the digest goes."""
    replies_slack.faults.fail_next("chat.postMessage", "answer_lost")
    replies.serve_line(CHANNEL)
    channel = replies_slack.workspace.channel("atencion")
    digest = next(each["ts"] for each in channel.messages.values() if each.get("bot_id"))
    for ts, message_id in busy:
        reply_now(message_id)
        assert len(bots_posts(ts)) == 1
    digests.redraw_digest(CHANNEL, PENDING, busy[-1][0])
    assert digest not in channel.messages


@ON_SQLITE
def test_the_newest_comes_first_where_that_is_wanted(busy: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    """In a busy channel the question of this minute matters more than that of an hour ago."""
    monkeypatch.setenv("BETO_NEWEST_FIRST", "true")
    monkeypatch.setenv("BETO_DIGEST_AFTER", "0")
    outgoing.settings.cache_clear()
    monkeypatch.setattr(outgoing.limiter(), "posts_a_second", 1)
    replies.serve_line(CHANNEL)
    assert [len(bots_posts(ts)) for ts, _ in busy] == [0, 0, 0, 0, 0, 1]


@ON_SQLITE
def test_one_that_slack_refuses_does_not_stop_the_line(
    busy: list[tuple[str, int]], replies_slack: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that an administrator's rule forbids to answer must not silence the channel."""
    monkeypatch.setenv("BETO_DIGEST_AFTER", "0")
    outgoing.settings.cache_clear()
    replies_slack.faults.fail_next("chat.postMessage", "msg_blocks_too_long")
    monkeypatch.setattr(outgoing.limiter(), "posts_a_second", 1)
    replies.serve_line(CHANNEL)
    replies.serve_line(CHANNEL)
    assert [len(bots_posts(ts)) for ts, _ in busy] == [0, 1, 0, 0, 0, 0]


def reply_now(message_id: int) -> None:
    """As soon as a second has passed since it was drawn; nobody else waits in the channel."""
    outgoing.locks().unlock(f"line/{CHANNEL}")
    wait_until(
        lambda: replies.reply(message_id) or outgoing.store().messages.get(message_id).owed == "nothing", 10, "it is answered"
    )


def test_a_channel_that_threw_the_bot_out_costs_no_endless_tries(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(outgoing.store(), ts)
    workspace.leave(workspace.channel("atencion"), workspace.user("beto"))
    with caplog.at_level(logging.WARNING):
        replies.reply(message_id)
    assert "can have no reply: not_in_channel" in caplog.text
    assert outgoing.store().messages.get(message_id).owed == "nothing"


def test_the_sweep_sends_again_what_is_owed(workspace: Workspace, redis_url: str) -> None:
    """Whatever Redis lost is found in the database."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(outgoing.store(), ts)
    assert replies.sweep() == 0
    outgoing.replies().release(message_id, "nobody", retry_in_s=-1)
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
    gestures = outgoing.store().gestures
    people.look_at(outgoing.slack(), gestures, BotSettings(**settings), team=TEAM, user=user)
    message_id = a_predicted_message(outgoing.store(), "1700000000.000100")
    said = Gesture(user=user, handle="h", at=1_800_000_000_000_000, kind=Kind.LABEL, labels=("app",))
    gestures.add(said, channel=CHANNEL, item_ts="1700000000.000100")
    other = Gesture(user="U0SIMUMARIA", handle="h2", at=1_800_000_000_000_001, kind=Kind.NONE)
    gestures.save_person("U0SIMUMARIA", may_judge=True, expert=False)
    judged = gestures.judged(message_id, seed_taxonomy())
    assert (judged.strangers == ()) == may_judge
    if user != "U0SIMUMARIA":
        gestures.add(other, channel=CHANNEL, item_ts="1700000000.000100")
        status = gestures.judged(message_id, seed_taxonomy()).state.labels["app"].status
        assert status == ("added" if expert else "disputed" if may_judge else "rejected")


def test_every_gesture_has_an_emoji_that_is_no_labels() -> None:
    """One tap must mean one thing."""
    assert all(seed_taxonomy().by_emoji(emoji) is None for emoji in GESTURES.values())
