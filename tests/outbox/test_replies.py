"""The replies process's rules where whole journeys cannot aim: what a dead one left, who counts, what Slack refuses."""

import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.local.ports import free_port
from bot.locks import TtlLock
from bot.metrics import DISPUTES
from bot.outbox import replies
from bot.outbox import states as outbox_states
from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver, serve_line
from bot.outbox.judges import Judges
from bot.outbox.questions import QuestionWork
from bot.outbox.replies import ReplyWork
from bot.outbox.sweep import Sweeper, sweep
from bot.simulator.server import Simulator
from bot.simulator.workspace import Workspace
from model.judgements import Gesture, Kind
from model.labels import Label, LabelEvent, seed_taxonomy
from model.reactions import Signs
from model.schema import Message, Prediction, Source
from model.store.announcements import label_key
from model.store.database import now
from model.store.outbox_row import SETTLED, State, greeting_key, question_key, reply_key
from model.store.predictions import NewPrediction
from model.store.store import Store
from tests.broker import broker
from tests.outbox.replying import (
    CHANNEL,
    ON_SQLITE,
    a_predicted_message,
    bots_posts,
    judged,
    reply,
    reply_again,
    reply_now,
    row_of,
    said_by_ana,
)
from tests.town import wait_until
from worker.app import app

TEAM = "T0SIMULADOR"
NAMES = seed_taxonomy().names


def test_a_label_that_was_added_a_moment_ago_is_named_as_people_named_it(
    context: OutboxContext, workspace: Workspace, store_url: str, tmp_path: Path
) -> None:
    """A worker had learnt of it, and this process looked at the labels seconds before: it was shown as one that is no more."""
    assert "impresoras" not in context.store.labels.current().names
    label = Label(
        name="impresoras", title="Las impresoras", title_en="Printers", emoji="printer", description="La impresora, el tóner"
    )
    others = Store(store_url, tmp_path)
    others.labels.record(LabelEvent(kind="add", name=label.name, label=label, at=1, by="U0SIMUANA"))
    others.close()
    ts = said_by_ana(workspace)
    source = Message(channel=CHANNEL, ts=ts, user="U0SIMUANA", text="hojas atascadas", source=Source.CHANNEL)
    message_id, _ = context.store.messages.save(source)
    said = Prediction(version=1, base="mini", scores={"impresoras": 0.75}, labels=("impresoras",), learning=("impresoras",))
    context.store.predictions.save([NewPrediction(message_id, 1, said, 0.01)])
    reply_now(context, message_id)
    shown = workspace.channel("atencion").message(bots_posts(context, ts)[0])
    assert "Las impresoras" in shown["text"]


def test_a_reply_whose_process_died_before_recording_it_is_adopted(context: OutboxContext, workspace: Workspace) -> None:
    """Killed between the post and its record: the next one must find it in the thread, not post a second."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(context.store, ts)
    assert context.store.outbox.claim(reply_key(message_id), "dies", 0.0) is not None
    dead = context.slack.chat_postMessage(
        channel=CHANNEL,
        thread_ts=ts,
        text="labels",
        metadata={"event_type": ReplyWork.METADATA, "event_payload": {"message": f"{TEAM}:{CHANNEL}:{ts}"}},
    )
    reply(context, message_id)
    assert bots_posts(context, ts) == [dead["ts"]]
    assert context.store.outbox.reply_ts(message_id) == dead["ts"]


@ON_SQLITE
def test_a_database_that_is_away_is_a_line_in_the_log_for_each_task(
    context: OutboxContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A backlog of thousands must not write thousands of tracebacks, in which nobody finds anything."""
    away = Store(f"postgresql+psycopg://beto@127.0.0.1:{free_port()}/beto", tmp_path)
    monkeypatch.setattr(app, "context", replace(context, store=away))
    from bot.outbox import process

    result = process.deliver.apply(("reply:1",), throw=False)
    away.close()
    assert result.state == "FAILURE"
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [(record.name, bool(record.exc_info)) for record in told] == [("worker.app", False)]
    assert "bot.deliver waits for the sweep: the database does not answer" in caplog.text
    assert "Traceback" not in caplog.text


def test_the_same_task_twice_posts_once(context: OutboxContext, workspace: Workspace) -> None:
    """Celery delivers at least once."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(context.store, ts)
    reply(context, message_id)
    reply(context, message_id)
    assert len(bots_posts(context, ts)) == 1


def test_a_post_whose_answer_was_lost_is_found_and_not_repeated(context: OutboxContext, replies_slack: Simulator) -> None:
    """Slack has it, and our side heard of a broken connection: posting again by reflex would answer twice."""
    ts = said_by_ana(replies_slack.workspace)
    message_id = a_predicted_message(context.store, ts)
    replies_slack.faults.fail_next("chat.postMessage", "answer_lost")
    reply(context, message_id)
    assert context.store.outbox.reply_ts(message_id) is None
    reply(context, message_id)
    assert bots_posts(context, ts) == [context.store.outbox.reply_ts(message_id)]


def test_a_look_for_a_lost_post_that_fails_is_done_again_before_anything_is_posted(
    context: OutboxContext, replies_slack: Simulator
) -> None:
    """Two faults in a row: the doubt must outlive the second."""
    ts = said_by_ana(replies_slack.workspace)
    message_id = a_predicted_message(context.store, ts)
    replies_slack.faults.fail_next("chat.postMessage", "answer_lost")
    reply(context, message_id)
    replies_slack.faults.fail_next("conversations.replies", "ratelimited", retry_after_s=0)
    reply(context, message_id)
    reply_again(context, message_id)
    assert len(bots_posts(context, ts)) == 1


@pytest.mark.parametrize("fault", ["ratelimited", 503, "reset", "answer_lost", "internal_error"])
def test_a_reply_to_what_was_just_deleted_goes_even_if_slack_does_not_take_it_away_at_once(
    context: OutboxContext, replies_slack: Simulator, fault: str | int
) -> None:
    """Slack puts it into the channel itself; whoever is refused its removal must not forget it."""
    workspace = replies_slack.workspace
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(context.store, ts)
    channel = workspace.channel("atencion")
    workspace.delete(channel, ts, "U0SIMUANA")  # Slack knows, and its event is on its way to us
    replies_slack.faults.fail_next("chat.delete", fault, retry_after_s=0)
    reply(context, message_id)
    context.store.messages.delete(CHANNEL, ts)
    for _ in range(5):
        reply_again(context, message_id)
    assert not [each for each in channel.messages.values() if each.get("bot_id")]
    assert row_of(context, message_id).state in SETTLED


def frozen_while_it_renders(context: OutboxContext, message_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever renders the reply next stands still meanwhile, for so long that somebody else takes over and posts."""
    render = replies.render_reply

    def frozen(*args: Any, **more: Any) -> Any:
        monkeypatch.setattr(replies, "render_reply", render)
        with context.store.database.writing() as connection:  # the lease has run out
            connection.execute(text("update outbox set claimed_by = null, claimed_until = null"))
        reply(context, message_id)
        return render(*args, **more)

    monkeypatch.setattr(replies, "render_reply", frozen)


@pytest.mark.parametrize("fault", ["ratelimited", 503, "reset", "answer_lost", "internal_error"])
def test_of_two_replies_one_goes_even_if_slack_does_not_take_it_away_at_once(
    context: OutboxContext, replies_slack: Simulator, monkeypatch: pytest.MonkeyPatch, fault: str | int
) -> None:
    """The one who was frozen finds another's reply recorded, and is refused the removal of its own."""
    ts = said_by_ana(replies_slack.workspace)
    message_id = a_predicted_message(context.store, ts)
    frozen_while_it_renders(context, message_id, monkeypatch)
    replies_slack.faults.fail_next("chat.delete", fault, retry_after_s=0)
    reply(context, message_id)
    reply_now(context, message_id)
    assert bots_posts(context, ts) == [context.store.outbox.reply_ts(message_id)]


def test_of_two_replies_the_later_takes_itself_away(
    context: OutboxContext, replies_slack: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was frozen for longer than its lease wakes up and posts: somebody else had taken over."""
    ts = said_by_ana(replies_slack.workspace)
    message_id = a_predicted_message(context.store, ts)
    frozen_while_it_renders(context, message_id, monkeypatch)
    reply(context, message_id)
    posted = [call.method for call in replies_slack.transcript if call.method in {"chat.postMessage", "chat.delete"}]
    assert posted == ["chat.postMessage", "chat.postMessage", "chat.delete"]
    assert bots_posts(context, ts) == [context.store.outbox.reply_ts(message_id)]
    assert row_of(context, message_id).claimed_by is None
    reply_now(context, message_id)
    assert row_of(context, message_id).state is State.SHOWN
    assert len(bots_posts(context, ts)) == 1


def test_an_older_drawing_that_comes_late_is_drawn_over(context: OutboxContext, workspace: Workspace) -> None:
    """The frozen one wakes up in the middle of a redrawing: the newer state had been shown already."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(context.store, ts)
    outbox, key = context.store.outbox, reply_key(message_id)
    reply(context, message_id)
    reply_ts, older = outbox.reply_ts(message_id), row_of(context, message_id).wanted
    judged(context.store, ts)
    newer = outbox.claim(key, "awake", 60)
    assert newer is not None
    assert outbox.record(key, "awake", wanted=newer.row.wanted, ts=reply_ts, before=reply_ts) == "recorded"
    assert row_of(context, message_id).state is State.SHOWN
    assert outbox.record(key, "frozen", wanted=older, ts=reply_ts, before=reply_ts) == "moved on"
    assert row_of(context, message_id).state is State.DUE


def test_a_reply_to_a_message_that_was_just_deleted_is_not_left_in_the_channel(
    context: OutboxContext, workspace: Workspace
) -> None:
    """Slack puts it into the channel itself, where everybody wonders what it is about."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(context.store, ts)
    workspace.delete(workspace.channel("atencion"), ts, "U0SIMUANA")
    reply(context, message_id)
    assert not [each for each in workspace.channel("atencion").messages.values() if each.get("bot_id")]
    assert row_of(context, message_id).state in SETTLED


def test_a_question_that_was_asked_and_not_recorded_is_not_asked_again(context: OutboxContext, replies_slack: Simulator) -> None:
    """Killed between the question and its record: the thread has it."""
    ts = said_by_ana(replies_slack.workspace)
    message_id = a_predicted_message(context.store, ts)
    judged(context.store, ts, "U0SIMULUIS", Kind.LABEL, labels=("app",))
    judged(context.store, ts, "U0SIMUMARIA", at=1)
    reply(context, message_id)
    replies_slack.faults.fail_next("chat.postMessage", "answer_lost")
    for _ in range(3):
        deliver(context, question_key(message_id, "app"))
    thread = context.slack.conversations_replies(channel=CHANNEL, ts=ts, include_all_metadata=True)["messages"]
    posted = [message["metadata"]["event_type"] for message in thread if message.get("bot_id")]
    assert posted == [ReplyWork.METADATA, QuestionWork.METADATA]
    question = context.store.outbox.get(question_key(message_id, "app"))
    assert question is not None
    assert question.state is State.SHOWN


@ON_SQLITE
def test_a_dispute_that_ended_before_it_was_asked_about_is_asked_about_when_it_comes_again(
    context: OutboxContext, workspace: Workspace
) -> None:
    """A question to a thread that agrees is noise; one that is never asked leaves the label open for ever."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(context.store, ts)
    judged(context.store, ts, "U0SIMULUIS", Kind.LABEL, labels=("app",))
    judged(context.store, ts, "U0SIMUMARIA", at=1)
    reply(context, message_id)
    judged(context.store, ts, "U0SIMUMARIA", at=2, kind=Kind.LABEL, labels=("app",))
    key = question_key(message_id, "app")
    deliver(context, key)
    assert context.store.outbox.get(key).state is State.GONE
    judged(context.store, ts, "U0SIMUMARIA", at=3)
    reply_now(context, message_id)
    # It was settled a moment ago, and is rendered again after REDRAW_EVERY_S at the earliest.
    wait_until(lambda: deliver(context, key) or context.store.outbox.get(key).state is State.SHOWN, 10, "the question is asked")
    assert len(bots_posts(context, ts)) == 2


@ON_SQLITE
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("majority", "Resuelto: este mensaje lleva :iphone:\N{NO-BREAK SPACE}*App y web*, según <@U0SIMUANA>, <@U0SIMULUIS>."),
        ("change", "Resuelto: este mensaje no lleva :iphone:\N{NO-BREAK SPACE}*App y web*, según <@U0SIMULUIS>, <@U0SIMUMARIA>."),
        ("taken back", "Ya no hay nada que decidir sobre :iphone:\N{NO-BREAK SPACE}*App y web*"),
        ("edited", "Ya no hay nada que decidir sobre :iphone:\N{NO-BREAK SPACE}*App y web*"),
        ("deleted", ""),
    ],
)
def test_the_question_about_a_dispute_is_closed_when_that_is_settled(
    context: OutboxContext, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, how: str, words: str
) -> None:
    """It stayed open for ever, so that people went on to answer what had been settled."""
    monkeypatch.setattr(outbox_states, "REDRAW_EVERY_S", 0.0)
    store, ts = context.store, said_by_ana(workspace)
    message_id = a_predicted_message(store, ts)
    key = question_key(message_id, "app")
    judged(store, ts, "U0SIMULUIS", Kind.LABEL, labels=("app",))
    judged(store, ts, "U0SIMUMARIA", at=1)

    def question() -> str:
        for each in (reply_key(message_id), key):
            deliver(context, each)
        row = store.outbox.get(key)
        assert row is not None
        assert row.state in SETTLED
        return "" if row.ts is None else workspace.channel("atencion").messages[row.ts]["text"]

    assert question().startswith("¿Lleva este mensaje")
    match how:
        case "majority":
            judged(store, ts, "U0SIMUANA", Kind.LABEL, at=2, labels=("app",))
        case "change":
            judged(store, ts, "U0SIMULUIS", at=2)
        case "taken back":
            judged(store, ts, "U0SIMULUIS", Kind.LABEL, labels=("app",), withdrawn=True)
            judged(store, ts, "U0SIMUMARIA", at=1, withdrawn=True)
        case "edited":
            store.messages.edit(CHANNEL, ts, "otra cosa", 1_900_000_000_000_009)
            prediction = Prediction(version=1, base="mini", scores={"app": 0.2}, labels=())
            store.predictions.save([NewPrediction(message_id, 2, prediction, 0.01)])
        case "deleted":
            workspace.delete(workspace.channel("atencion"), ts, "U0SIMUANA")
            store.messages.delete(CHANNEL, ts)
    assert question().startswith(words)
    assert (question() == "") == (how == "deleted")
    # And asked again by the same row, where somebody differs once more.
    if how == "change":
        judged(store, ts, "U0SIMULUIS", Kind.LABEL, at=3, labels=("app",))
        assert question().startswith("¿Lleva este mensaje")
        assert len(bots_posts(context, ts)) == 2


@ON_SQLITE
def test_a_dispute_is_counted_when_it_is_asked_about_and_when_it_is_settled_however_often_it_is_drawn(
    context: OutboxContext, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked less settled are the disputes that are open: each redrawing counted as one more that was settled."""
    monkeypatch.setattr(outbox_states, "REDRAW_EVERY_S", 0.0)
    store, ts = context.store, said_by_ana(workspace)
    message_id = a_predicted_message(store, ts)
    steps = [DISPUTES.labels(step) for step in ("asked", "settled")]
    before = [step._value.get() for step in steps]

    def counted() -> list[float]:
        for each in (reply_key(message_id), question_key(message_id, "app")):
            deliver(context, each)
        return [step._value.get() - was for step, was in zip(steps, before, strict=True)]

    judged(store, ts, "U0SIMULUIS", Kind.LABEL, labels=("app",))
    judged(store, ts, "U0SIMUMARIA", at=1)
    assert counted() == [1, 0]
    judged(store, ts, "U0SIMUANA", at=2)
    assert counted() == [1, 1]
    judged(store, ts, "U0SIMULUIS", at=3)
    assert counted() == [1, 1]  # drawn with one name more
    judged(store, ts, "U0SIMULUIS", Kind.LABEL, at=4, labels=("app",))
    judged(store, ts, "U0SIMUANA", at=2, withdrawn=True)
    assert counted() == [2, 1]


@ON_SQLITE
def test_a_question_that_shows_what_was_so_for_a_moment_is_rendered_again(
    context: OutboxContext, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply never showed that moment, so for it nothing has changed; the question would go on saying that it is settled."""
    monkeypatch.setattr(outbox_states, "REDRAW_EVERY_S", 0.0)
    store, ts = context.store, said_by_ana(workspace)
    message_id = a_predicted_message(store, ts)
    key = question_key(message_id, "app")
    judged(store, ts, "U0SIMULUIS", Kind.LABEL, labels=("app",))
    judged(store, ts, "U0SIMUMARIA", at=1)
    for each in (reply_key(message_id), key):
        deliver(context, each)
    # They change places: the question is due.
    judged(store, ts, "U0SIMULUIS", at=2)
    judged(store, ts, "U0SIMUMARIA", Kind.LABEL, at=2, labels=("app",))
    deliver(context, reply_key(message_id))
    judged(store, ts, "U0SIMUANA", Kind.LABEL, at=3, labels=("app",))
    deliver(context, key)
    judged(store, ts, "U0SIMUANA", Kind.LABEL, at=3, labels=("app",), withdrawn=True)
    for each in (reply_key(message_id), key):
        deliver(context, each)
    question = store.outbox.get(key)
    assert question is not None
    assert question.ts is not None
    assert workspace.channel("atencion").messages[question.ts]["text"].startswith("¿Lleva este mensaje")


# More than Slack lets us say


BUSY = pytest.mark.parametrize("replies_settings", [{"BETO_DIGEST_AFTER": "4"}], indirect=True)


@pytest.fixture
def busy(context: OutboxContext, workspace: Workspace) -> list[tuple[str, int]]:
    """Six messages in a channel that may have no post for a while: (ts, id), oldest first."""
    stamps = [said_by_ana(workspace) for _ in range(6)]
    found = [(ts, a_predicted_message(context.store, ts)) for ts in stamps]
    context.limiter.block_method_for("chat.postMessage", 0.5)
    for _, message_id in found:
        reply(context, message_id)
    wait_until(lambda: context.limiter.take("chat.postMessage") == 0.0, 5, "Slack may be told something again")
    return found


def states(context: OutboxContext, busy: list[tuple[str, int]]) -> list[State]:
    return [row_of(context, message_id).state for _, message_id in busy]


def digests(workspace: Workspace) -> list[dict[str, Any]]:
    """What the bot has posted in the channel itself."""
    found = workspace.channel("atencion").messages.values()
    return [each for each in found if each.get("bot_id") and not each.get("thread_ts")]


def digest_of(context: OutboxContext, message_id: int) -> str:
    """The key of the digest that answers this message."""
    row_id = row_of(context, message_id).digest_id
    assert row_id is not None
    key = context.store.outbox.key_of(row_id)
    assert key is not None
    return key


@BUSY
def test_a_reply_that_must_wait_holds_no_claim_and_is_still_due(context: OutboxContext, busy: list[tuple[str, int]]) -> None:
    """Back-pressure: what cannot be said now is kept."""
    assert states(context, busy) == [State.WAITING_TURN] * 6
    keys = [reply_key(message_id) for _, message_id in busy]
    assert context.store.outbox.line(CHANNEL, 9, newest_first=False) == keys
    assert context.locks.is_locked(f"line/{CHANNEL}")


@BUSY
@ON_SQLITE
def test_a_channel_beyond_its_limit_gets_one_post_for_all_that_wait(
    context: OutboxContext, busy: list[tuple[str, int]], workspace: Workspace
) -> None:
    """Instead of silence for minutes, and of a flood that tells yesterday's labels."""
    serve_line(context, CHANNEL)
    (digest,) = digests(workspace)
    assert all(f"/p{ts.replace('.', '')}" in str(digest["blocks"]) for ts, _ in busy)
    assert states(context, busy) == [State.IN_DIGEST] * 6
    for _, message_id in busy:
        reply(context, message_id)
    assert all(bots_posts(context, ts) == [] for ts, _ in busy)


@BUSY
def test_a_message_in_a_digest_that_is_corrected_has_its_own_reply_instead(
    context: OutboxContext, busy: list[tuple[str, int]], workspace: Workspace
) -> None:
    """The digest cannot show who said what; and no message is to be answered in two places."""
    serve_line(context, CHANNEL)
    (ts, message_id), (digest,) = busy[0], digests(workspace)
    key = digest_of(context, message_id)
    judged(context.store, ts)
    reply_now(context, message_id)
    digest_row = context.store.outbox.get(key)
    assert digest_row is not None
    assert digest_row.state is State.DUE  # in the transaction that recorded the reply: Redis is only the road
    wait_until(lambda: deliver(context, key) or context.store.outbox.get(key).state is State.SHOWN, 5, "the digest is rendered")
    assert len(bots_posts(context, ts)) == 1
    shown = str(workspace.channel("atencion").messages[digest["ts"]]["blocks"])
    assert f"/p{ts.replace('.', '')}" not in shown
    assert f"/p{busy[1][0].replace('.', '')}" in shown


@BUSY
@ON_SQLITE
@pytest.mark.parametrize("fault", ["internal_error", "ratelimited", 503, "answer_lost"])
def test_a_digest_that_could_not_be_rendered_anew_is_rendered_later(
    context: OutboxContext, busy: list[tuple[str, int]], replies_slack: Simulator, fault: str | int
) -> None:
    """The message is deleted, and a line with its words stays before everybody's eyes for ever."""
    serve_line(context, CHANNEL)
    (ts, message_id), (digest,) = busy[0], digests(replies_slack.workspace)
    key = digest_of(context, message_id)
    context.store.messages.delete(CHANNEL, ts)
    row = context.store.outbox.get(key)
    assert row is not None
    assert row.state is State.DUE
    replies_slack.faults.fail_next("chat.update", fault, retry_after_s=0)
    wait_until(lambda: deliver(context, key) or context.store.outbox.get(key).state is State.SHOWN, 5, "the digest is rendered")
    assert f"/p{ts.replace('.', '')}" not in str(replies_slack.workspace.channel("atencion").messages[digest["ts"]]["blocks"])


@BUSY
@ON_SQLITE
def test_a_digest_whose_answer_was_lost_is_found_and_answers_nobody_twice(
    context: OutboxContext, busy: list[tuple[str, int]], replies_slack: Simulator
) -> None:
    """Nobody knows whether it stands there: it is looked for."""
    replies_slack.faults.fail_next("chat.postMessage", "answer_lost")
    serve_line(context, CHANNEL)
    (digest,) = digests(replies_slack.workspace)
    key = digest_of(context, busy[0][1])
    assert context.store.outbox.get(key).ts is None
    deliver(context, key)
    assert context.store.outbox.get(key).ts == digest["ts"]
    assert len(digests(replies_slack.workspace)) == 1
    assert all(bots_posts(context, ts) == [] for ts, _ in busy)


@BUSY
@ON_SQLITE
def test_a_digest_that_slack_refuses_leaves_each_message_to_its_own_reply(
    context: OutboxContext, busy: list[tuple[str, int]], replies_slack: Simulator
) -> None:
    """One line that Slack does not take must not silence forty messages."""
    replies_slack.faults.fail_next("chat.postMessage", "invalid_blocks")
    serve_line(context, CHANNEL)
    assert digests(replies_slack.workspace) == []
    for ts, message_id in busy:
        reply_now(context, message_id)
        assert len(bots_posts(context, ts)) == 1


@BUSY
@ON_SQLITE
def test_a_digest_that_answers_nobody_any_more_goes(
    context: OutboxContext, busy: list[tuple[str, int]], workspace: Workspace
) -> None:
    """An empty list in the channel is noise."""
    serve_line(context, CHANNEL)
    key = digest_of(context, busy[0][1])
    for ts, _ in busy:
        context.store.messages.delete(CHANNEL, ts)
    wait_until(lambda: deliver(context, key) or context.store.outbox.get(key).state is State.GONE, 5, "the digest is gone")
    assert digests(workspace) == []


def without_digests(context: OutboxContext, **settings: object) -> OutboxContext:
    return replace(context, settings=context.settings.model_copy(update={"digest_after": 0, **settings}))


@ON_SQLITE
def test_the_newest_comes_first_where_that_is_wanted(
    context: OutboxContext, busy: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a busy channel the question of this minute matters more than that of an hour ago."""
    monkeypatch.setattr(context.limiter, "posts_a_second", 1)
    serve_line(without_digests(context, newest_first=True), CHANNEL)
    assert [len(bots_posts(context, ts)) for ts, _ in busy] == [0, 0, 0, 0, 0, 1]


@ON_SQLITE
def test_one_that_slack_refuses_does_not_stop_the_line(
    context: OutboxContext, busy: list[tuple[str, int]], replies_slack: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that an administrator's rule forbids to answer must not silence the channel."""
    monkeypatch.setattr(context.limiter, "posts_a_second", 1)
    replies_slack.faults.fail_next("chat.postMessage", "msg_blocks_too_long")
    for _ in range(2):
        serve_line(without_digests(context), CHANNEL)
    assert [len(bots_posts(context, ts)) for ts, _ in busy] == [0, 1, 0, 0, 0, 0]


# What Slack does not take


@pytest.mark.parametrize("error", ["token_revoked", "account_inactive", "invalid_auth", "internal_error"])
@ON_SQLITE
def test_a_refusal_that_will_pass_loses_no_reply(context: OutboxContext, replies_slack: Simulator, error: str) -> None:
    """Somebody renews the token: what was said meanwhile is answered then."""
    ts = said_by_ana(replies_slack.workspace)
    message_id = a_predicted_message(context.store, ts)
    replies_slack.faults.fail_next("chat.postMessage", error)
    reply(context, message_id)
    row = row_of(context, message_id)
    assert (row.state, row.reason, row.retry_at is None) == (State.DUE, error, False)
    reply(context, message_id)
    assert len(bots_posts(context, ts)) == 1


def test_a_channel_that_the_bot_is_not_in_costs_few_tries_and_no_reply(
    context: OutboxContext, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    """Thrown out, and invited again an hour later: what was said meanwhile is answered then."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(context.store, ts)
    workspace.leave(workspace.channel("atencion"), workspace.user("beto"))
    for _ in range(3):
        reply(context, message_id)
    assert caplog.text.count(f"reply:{message_id} is refused: not_in_channel") == 1
    row = row_of(context, message_id)
    assert row.state is State.REFUSED
    assert row.retry_at is not None
    assert row.retry_at - now() > timedelta(minutes=59)
    workspace.join(workspace.channel("atencion"), workspace.user("beto"))
    assert context.store.outbox.announce(greeting_key(CHANNEL, "1.2"), CHANNEL, "greeting.invited")
    assert row_of(context, message_id).state is State.DUE
    assert not context.store.outbox.announce(greeting_key(CHANNEL, "1.2"), CHANNEL, "greeting.invited")
    wait_until(lambda: reply(context, message_id) or len(bots_posts(context, ts)) == 1, 5, "it is answered")


@ON_SQLITE
def test_what_slack_will_never_take_is_tried_once(context: OutboxContext, replies_slack: Simulator) -> None:
    """An archived channel with a year of messages must not cost calls for ever."""
    message_id = a_predicted_message(context.store, said_by_ana(replies_slack.workspace))
    replies_slack.faults.fail_next("chat.postMessage", "is_archived")
    for _ in range(3):
        reply(context, message_id)
    row = row_of(context, message_id)
    assert (row.state, row.reason, row.retry_at) == (State.REFUSED, "is_archived", None)
    assert not context.store.outbox.overdue()


@ON_SQLITE
def test_a_reaction_on_a_text_that_expired_unpredicted_ends(context: OutboxContext, workspace: Workspace) -> None:
    """It was tried again for ever, with a traceback every minute."""
    ts = said_by_ana(workspace)
    message = Message(channel=CHANNEL, ts=ts, user="U0SIMUANA", text="perdí la tarjeta", source=Source.CHANNEL)
    message_id, _ = context.store.messages.save(message)
    with context.store.database.writing() as connection:
        connection.execute(text("update messages set received_at = :then"), {"then": now() - timedelta(days=99)})
    assert context.store.retention.expire(90, 90) == 1
    judged(context.store, ts)
    reply(context, message_id)
    row = row_of(context, message_id)
    assert (row.state, row.retry_at) == (State.GONE, None)
    with context.store.database.writing() as connection:  # as an older version left it
        connection.execute(text("update outbox set state = 'due', retry_at = :now"), {"now": now()})
    reply(context, message_id)
    assert row_of(context, message_id).state is State.GONE
    assert bots_posts(context, ts) == []


# The sweep


def overdue(context: OutboxContext) -> None:
    """Everything that waits has waited for long."""
    with context.store.database.writing() as connection:
        statement = text("update outbox set retry_at = :then where retry_at is not null")
        connection.execute(statement, {"then": now() - timedelta(minutes=1)})
    context.locks.unlock("sweep")


def test_the_sweep_sends_again_what_is_due(context: OutboxContext, workspace: Workspace) -> None:
    """Whatever Redis lost is found in the database."""
    a_predicted_message(context.store, said_by_ana(workspace))
    assert sweep(context) == 0
    overdue(context)
    assert sweep(context) == 1
    context.locks.unlock("sweep")
    assert sweep(context) == 0


@ON_SQLITE
def test_while_redis_is_away_nothing_counts_as_tried(
    context: OutboxContext, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    """An hour's outage must not make everything wait for five minutes more."""
    message_id = a_predicted_message(context.store, said_by_ana(workspace))
    overdue(context)
    before = row_of(context, message_id)
    with broker(nowhere := f"redis://127.0.0.1:{free_port()}/0"):
        assert sweep(replace(context, locks=TtlLock(nowhere))) == 0
    assert row_of(context, message_id) == before
    assert "the sweep could not publish" in caplog.text


@ON_SQLITE
def test_an_erasure_request_that_fails_keeps_nobody_else_waiting(
    context: OutboxContext, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One person's right to be forgotten must not hang on another's odd row."""
    erasure = context.store.erasure
    message_ids = [a_predicted_message(context.store, said_by_ana(workspace)) for _ in range(2)]
    for message_id in message_ids:
        erasure.create_request(by="U0SIMUANA", message_id=message_id)
    with context.store.database.writing() as connection:
        connection.execute(text("update erasure_requests set requested_at = :then"), {"then": now() - timedelta(minutes=5)})
        connection.execute(text("update erasure_requests set message_id = null, versions = 'null' where id = 1"))
    Sweeper(context).look()
    assert "erasure request 1 could not be executed" in caplog.text
    assert context.store.messages.get(message_ids[1]).deleted
    assert erasure.pending() == [1]


# Who counts


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
def test_who_may_judge(context: OutboxContext, settings: dict[str, object], user: str, may_judge: bool, expert: bool) -> None:
    """Everybody but guests and strangers, unless the setting names people or a group; experts are named too."""
    gestures = context.store.gestures
    judges(context, **settings).look_at(user)
    message_id = a_predicted_message(context.store, "1700000000.000100")
    said = Gesture(user=user, handle="h", at=1_800_000_000_000_000, kind=Kind.LABEL, labels=("app",))
    gestures.add(said, channel=CHANNEL, item_ts="1700000000.000100")
    other = Gesture(user="U0SIMUMARIA", handle="h2", at=1_800_000_000_000_001, kind=Kind.NONE)
    context.store.people.save("U0SIMUMARIA", may_judge=True, expert=False)
    judged = context.store.judged.of(message_id, seed_taxonomy())
    assert (judged.strangers == ()) == may_judge
    if user != "U0SIMUMARIA":
        gestures.add(other, channel=CHANNEL, item_ts="1700000000.000100")
        status = context.store.judged.of(message_id, seed_taxonomy()).state.labels["app"].status
        assert status == ("added" if expert else "disputed" if may_judge else "rejected")


def judges(context: OutboxContext, **settings: object) -> Judges:
    """As they are with other settings."""
    return Judges(context.slack, context.store.people, context.settings.model_copy(update=settings), TEAM)


@ON_SQLITE
def test_a_group_that_does_not_exist_is_empty_and_told_once(
    context: OutboxContext, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    """A typing error in BETO_JUDGES stopped every reply that somebody had corrected."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(context.store, ts)
    mistyped = replace(context, judges=judges(context, judges="S0TYPO"))
    for at, user in enumerate(("U0SIMULUIS", "U0SIMUMARIA")):
        judged(context.store, ts, user, at=at)
    reply(mistyped, message_id)
    assert len(bots_posts(context, ts)) == 1
    assert caplog.text.count("S0TYPO, which does not exist") == 1


@ON_SQLITE
@pytest.mark.parametrize("fault", ["internal_error", "ratelimited", 503, "answer_lost"])
def test_who_could_not_be_told_that_they_do_not_count_costs_no_reply(
    context: OutboxContext, replies_slack: Simulator, fault: str | int
) -> None:
    """The labels matter to everybody."""
    ts = said_by_ana(replies_slack.workspace)
    message_id = a_predicted_message(context.store, ts)
    judged(context.store, ts, "U0SIMUCARLOS")
    replies_slack.faults.fail_next("chat.postEphemeral", fault)
    reply(context, message_id)
    assert len(bots_posts(context, ts)) == 1
    assert row_of(context, message_id).state is State.SHOWN


def test_every_gesture_has_an_emoji_that_is_no_labels() -> None:
    """One tap must mean one thing."""
    assert all(seed_taxonomy().by_emoji(emoji) is None for _, emoji in Signs())


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_change_is_told_where_every_message_is_labelled(context: OutboxContext, replies_slack: Simulator) -> None:
    """With the row saved by whoever changed it, the sweep finds it, and the channel reads who did what."""
    context.store.channels.set_mode(CHANNEL, "auto")
    context.store.labels.record(LabelEvent(kind="retire", name="app", at=1, by="U0SIMUANA"))
    deliver(context, label_key(1, CHANNEL))
    row = context.store.outbox.get(label_key(1, CHANNEL))
    assert row is not None
    assert row.ts is not None
    posted = replies_slack.workspace.channel(CHANNEL).messages[row.ts]
    assert posted["text"] == "La etiqueta «App y web» ya no se usa. La retiró <@U0SIMUANA>: para recuperarla, pídanselo."


@ON_SQLITE
def test_only_labels_with_an_emoji_are_offered_by_one(
    context: OutboxContext, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reaction without a name is refused, and the task that asked for it would be a traceback."""
    bare = Label(name="cheque", title="Cheques", title_en="Cheques", emoji="", description="")
    context.store.labels.record(LabelEvent(kind="add", name="cheque", label=bare, at=1, by="U1"))
    context.store.channels.set_seeds(CHANNEL, True)
    published: list[tuple[str, tuple[object, ...]]] = []
    monkeypatch.setattr(
        OutboxContext, "publish", lambda _, signature, **__: published.append((signature.task, tuple(signature.args)))
    )
    ts = said_by_ana(workspace)
    message = Message(channel=CHANNEL, ts=ts, user="U0SIMUANA", text="perdí la chequera", source=Source.CHANNEL)
    message_id, _ = context.store.messages.save(message)
    likely = Prediction(version=1, base="mini", scores={"cheque": 0.9, "tarjeta": 0.8, "app": 0.01}, labels=("cheque",))
    context.store.predictions.save([NewPrediction(message_id, 1, likely, 0.01)])
    reply(context, message_id)
    assert [arguments for task, arguments in published if task == "bot.seed"] == [(CHANNEL, ts, "credit_card")]
    [post] = [each for each in workspace.channel("atencion").messages.values() if each.get("bot_id")]
    assert "*Cheques*" in str(post["blocks"])
    assert "::" not in str(post["blocks"])
