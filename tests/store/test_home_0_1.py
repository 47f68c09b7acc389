"""A home of version 0.1, made by its own code (`home_0_1/make.py`): an upgrade loses nothing and says nothing twice."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from model.labels import seed_taxonomy
from model.reactions import Reaction
from model.schema import Message, Source
from model.store.outbox_row import SETTLED, Row, State, picture_key, question_key, reply_key, report_key, status_key
from model.store.store import Store
from tests.store.old_home import load

CHANNEL, OTHER = "C0SIMUATENCION", "C0SIMUFRAUDES"
# What was said in Slack before: it stands there, or was taken back.
ANSWERED = {1: "shown", 11: "gone", 13: "gone", 14: "shown", 17: "shown", 18: "shown", 19: "shown", 20: "gone", 21: "shown"}
DIGESTED = (6, 7)


def ts(number: int, part: int = 100) -> str:
    return f"{1_790_000_000 + number}.{part:06}"


@pytest.fixture
def upgraded(empty_url: str, tmp_path: Path) -> Iterator[Store]:
    load(empty_url)
    store = Store(empty_url, tmp_path)
    store.migrate()
    yield store
    store.close()


def row_of(store: Store, key: str) -> Row:
    row = store.outbox.get(key)
    assert row is not None, key
    return row


def state_of(store: Store, key: str) -> State:
    return row_of(store, key).state_at(datetime.now(UTC))


def test_every_message_judgement_run_and_version_is_still_there(upgraded: Store) -> None:
    """Who upgrades must not find that the bot has forgotten what a team taught it."""
    assert upgraded.messages.counts() == {"messages": 21, "prediction": 2, "reply": 8}
    taxonomy = upgraded.labels.current()
    assert taxonomy["app"].title == "Aplicación"
    assert taxonomy.names == seed_taxonomy().names
    judged = {each.row.id: each for each in upgraded.judged.messages(taxonomy)}
    assert set(judged) == {1, 8, 18, 21}
    assert judged[21].said[0].note == "visto con el equipo"
    assert upgraded.gestures.message_of(OTHER, ts(21, 500)) == 21
    assert upgraded.channels.mode(CHANNEL) == "auto"
    assert upgraded.channels.seeds(OTHER)
    assert upgraded.retention.kept_days(90, 365) == (365, 365)
    assert upgraded.erasure.pending() == [1]
    assert [version.number for version in upgraded.registry.all()] == [1, 2]
    live = upgraded.registry.live()
    assert live is not None
    assert live.number == 1
    statuses = [upgraded.runs.get(run_id) for run_id in range(1, 6)]
    assert [run.status for run in statuses if run is not None] == ["done", "done", "failed", "failed", "running"]
    assert upgraded.belongs_to("T0SIMULADOR") == "T0SIMULADOR"


def test_what_people_said_on_messages_themselves_stands_and_can_be_taken_back(upgraded: Store) -> None:
    """Where a gesture counts is decided from now on; last year's corrections were paid for by somebody."""
    assert [upgraded.channels.reactions(channel) for channel in (CHANNEL, OTHER)] == ["reply", "reply"]
    on_messages = {
        each.row.id: said
        for each in upgraded.judged.messages(upgraded.labels.current())
        for said in each.said
        if said.item_ts == each.row.ts and said.gesture.via == "reaction"
    }
    assert on_messages
    for message_id, said in on_messages.items():
        gesture = said.gesture
        back = Reaction(user=gesture.user, handle=gesture.handle, emoji="no-more", at=gesture.at + 1, withdrawn=True)
        assert upgraded.gestures.add_reaction(back, channel=said.channel, item_ts=said.item_ts) == (message_id, True)
        again = back.model_copy(update={"at": gesture.at + 2, "withdrawn": False, "kind": gesture.kind})
        seeds = upgraded.channels.seeds(said.channel)
        assert upgraded.gestures.add_reaction(again, channel=said.channel, item_ts=said.item_ts)[1] is seeds


def test_what_was_said_is_not_said_again(upgraded: Store) -> None:
    """Two replies to every message of a year, on the morning of an upgrade."""
    for message_id, state in ANSWERED.items():
        row = row_of(upgraded, reply_key(message_id))
        assert (row.state, row.retry_at) == (state, None), message_id
        assert upgraded.outbox.claim(row.key, "anybody", 60) is None
    for message_id in DIGESTED:
        row = row_of(upgraded, reply_key(message_id))
        assert row.state is State.IN_DIGEST
        assert row.digest_id is not None
        digest = row_of(upgraded, upgraded.outbox.key_of(row.digest_id) or "")
        assert (digest.state, digest.ts, digest.channel) == (State.SHOWN, ts(8, 900), CHANNEL)
        assert upgraded.outbox.members(digest) == [6, 7, 8]  # until the corrected one has its own reply
    assert row_of(upgraded, reply_key(18)).asked == {"app": ""}  # in dispute, and asked about
    for key in (status_key(1), picture_key(1), report_key(1), status_key(3)):
        row = row_of(upgraded, key)
        assert (row.state, row.retry_at) == (State.SHOWN, None)
    shown = upgraded.runs.shown_at(CHANNEL, ts(100, 700))
    assert shown is not None
    assert shown.id == 1
    assert upgraded.outbox.get(status_key(4)) is None  # nobody is to be told of it


def test_what_may_have_been_said_is_looked_for_first(upgraded: Store) -> None:
    """A process died in the middle of the upgrade's night: nobody knows what stands there."""
    for key in (reply_key(4), reply_key(9), reply_key(10), picture_key(2), report_key(2)):
        assert state_of(upgraded, key) is State.UNSURE, key
        claim = upgraded.outbox.claim(key, "anybody", 60)
        assert claim is not None
        assert claim.in_doubt
    pending = row_of(upgraded, f"digest:{CHANNEL}:pending")
    assert pending.state_at(datetime.now(UTC)) is State.UNSURE
    assert pending.content["messages"] == [ts(9), ts(10)]
    assert upgraded.outbox.members(pending) == []  # each has its own reply; where the digest stands, it goes


def test_what_was_not_said_yet_is_said(upgraded: Store) -> None:
    """The backlog of the upgrade's night must not be silence."""
    due = {row.key: row for row in upgraded.outbox.overdue()}
    for message_id in (2, 16):
        assert state_of(upgraded, reply_key(message_id)) is State.AWAITING_PREDICTION
        assert due[reply_key(message_id)].revision == (2 if message_id == 16 else 1)
    for key in (*map(reply_key, (3, 5, 8, 12, 15)), status_key(2), status_key(5)):
        assert key in due, key
        assert state_of(upgraded, key) is State.DUE
        claim = upgraded.outbox.claim(key, "anybody", 60)
        assert claim is not None
        assert not claim.in_doubt
    deleted = upgraded.messages.get(12)
    assert deleted is not None
    assert deleted.deleted
    assert row_of(upgraded, reply_key(12)).ts == ts(12, 500)
    command = upgraded.messages.get(15)
    assert command is not None
    assert command.message.response_url
    every = {*map(reply_key, (2, 3, 4, 5, 8, 9, 10, 12, 15, 16)), f"digest:{CHANNEL}:pending", status_key(5)}
    assert set(due) == every | {status_key(2), picture_key(2), report_key(2)}


def test_slacks_redelivery_after_the_upgrade_is_known(upgraded: Store) -> None:
    """Slack repeats events for an hour; what came before the upgrade must not be answered as new."""
    message = Message(channel=CHANNEL, ts=ts(1), user="U0SIMUANA", text="perdí la tarjeta 1", source=Source.CHANNEL)
    assert upgraded.messages.save(message) == (1, False)
    with upgraded.database.reading() as connection:
        kept = connection.execute(text("select count(*) from gestures")).scalar_one()
    history = upgraded.gestures.history(21)
    assert history
    for said in history:
        assert upgraded.gestures.add(said.gesture, channel=said.channel, item_ts=said.item_ts) == (21, False)
    with upgraded.database.reading() as connection:
        assert connection.execute(text("select count(*) from gestures")).scalar_one() == kept


def test_new_rows_follow_the_old_ones(upgraded: Store) -> None:
    """The ids of a table that was filled by the migration go on where it ended."""
    message = Message(channel=CHANNEL, ts=ts(999), user="U0SIMUANA", text="hola", source=Source.CHANNEL)
    message_id, new = upgraded.messages.save(message)
    assert (message_id, new) == (22, True)
    assert row_of(upgraded, reply_key(22)).state is State.AWAITING_PREDICTION
    assert upgraded.outbox.get(question_key(18, "app")) is None


def test_every_row_that_is_not_settled_will_be_looked_at_again(upgraded: Store) -> None:
    """A row without a time to be looked at is a reply that never comes."""
    with upgraded.database.reading() as connection:
        keys = connection.execute(text("select key from outbox")).scalars().all()
    for row in (row_of(upgraded, key) for key in keys):
        assert (row.retry_at is None) == (row.state in SETTLED), row
