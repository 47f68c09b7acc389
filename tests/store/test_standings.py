"""What stands under the messages, counted: what is shown, noted with it, and in the labels of today."""

import random
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import inspect, text

from model.judgements import Gesture, Kind, fold
from model.labels import LabelEvent, seed_taxonomy
from model.schema import Message, Prediction, Source
from model.store import schema
from model.store.predictions import NewPrediction
from model.store.standing import Standing, microseconds
from model.store.standings import Span
from model.store.store import Store
from model.store.tables import standing_labels, standings, workspace
from tests.outbox_rows import reply_of

NAMES = seed_taxonomy().names
PEOPLE = ("U1", "U2", "U3")
ALWAYS = Span(0, 10**18)


def came(store: Store, number: int, labels: tuple[str, ...] = ("tarjeta",), channel: str = "C1") -> int:
    message = Message(
        channel=channel, ts=f"{1_700_000_000 + number}.000001", user="U1", text=f"texto {number}", source=Source.CHANNEL
    )
    message_id, _ = store.messages.save(message)
    said = Prediction(version=1, base="mini", scores=dict.fromkeys(labels, 0.9), labels=labels)
    store.predictions.save([NewPrediction(message_id, 1, said, 0.1)])
    return message_id


def show(store: Store, message_id: int) -> None:
    """As the `replies` process does."""
    row = reply_of(store, message_id)
    claim = store.outbox.claim(row.key, "test", 60)
    judged, stored = store.judged.of(message_id, store.labels.current()), store.messages.get(message_id)
    assert claim is not None
    assert judged is not None
    assert stored is not None
    ts = f"{stored.message.ts[:-1]}2"
    standing = Standing.of(stored, judged.state)
    store.outbox.record(row.key, "test", wanted=claim.row.wanted, ts=ts, before=row.ts, standing=standing)


def say(store: Store, number: int, labels: tuple[str, ...], *, user: str = "U1", at: int = 1, channel: str = "C1") -> None:
    gesture = Gesture(user=user, handle=f"{user}{number}", at=at, kind=Kind.SET, labels=labels)
    store.gestures.add(gesture, channel=channel, item_ts=f"{1_700_000_000 + number}.000001")


def test_counts_are_those_of_the_messages_by_pandas(store: Store) -> None:
    """The counts that a team plans by are those that anybody finds in what is stored."""
    chance = random.Random(7)
    rows = []
    for number in range(60):
        channel = chance.choice(["C1", "C2"])
        predicted = tuple(chance.sample(NAMES, chance.choice([0, 1, 1, 2])))
        message_id = came(store, number, predicted, channel)
        said = []
        for user in chance.sample(PEOPLE, chance.choice([0, 0, 1, 3])):
            labels = tuple(chance.sample(NAMES, chance.choice([0, 1, 2]))) if chance.random() < 0.6 else predicted
            say(store, number, labels, user=user, at=number + 1, channel=channel)
            said.append(Gesture(user=user, handle=f"{user}{number}", at=number + 1, kind=Kind.SET, labels=labels))
        show(store, message_id)
        state = fold(said, names=NAMES, predicted=predicted)
        rows.append({
            "at": number, "channel": channel, "labels": list(state.shown), "judged": bool(said),
            "corrected": bool(said) and set(state.shown) != set(predicted),
        })  # fmt: skip
    table = pd.DataFrame(rows)
    for channel in ("C1", "C2", None):
        for low, high in ((0, 60), (15, 38)):
            span = Span((1_700_000_000 + low) * 10**6, (1_700_000_000 + high) * 10**6)
            part = table[(table["at"] >= low) & (table["at"] < high)]
            part = part if channel is None else part[part["channel"] == channel]
            counted = store.standings.count(span, seed_taxonomy(), channel=channel)
            assert counted.messages == len(part)
            assert counted.judged == part["judged"].sum()
            assert counted.corrected == part["corrected"].sum()
            assert counted.unlabelled == (part["labels"].str.len() == 0).sum()
            assert dict(counted.labels) == part.explode("labels")["labels"].value_counts().to_dict()


def test_what_is_edited_taken_back_or_deleted_is_counted_as_it_stands(store: Store) -> None:
    message_id = came(store, 1)
    show(store, message_id)
    say(store, 1, ("app", "cuenta"))
    show(store, message_id)
    assert Counter(store.standings.count(ALWAYS, seed_taxonomy()).labels) == {"app": 1, "cuenta": 1}
    store.messages.delete("C1", "1700000001.000001")
    assert store.standings.count(ALWAYS, seed_taxonomy()).messages == 0


def test_it_is_counted_in_the_labels_of_today(store: Store) -> None:
    """Of two that were merged a message may carry both, and counts once; what carries only what is no more carries none."""
    for number, labels in enumerate([("app", "cuenta"), ("cuenta",), ("ahorro",), ("ahorro", "app")]):
        show(store, came(store, number, labels))
    store.labels.record(LabelEvent(kind="merge", name="cuenta", into="app", at=2, by="U1"))
    store.labels.record(LabelEvent(kind="retire", name="ahorro", at=3, by="U1"))
    taxonomy = store.labels.current()
    counted = store.standings.count(ALWAYS, taxonomy)
    assert (dict(counted.labels), counted.unlabelled) == ({"app": 3}, 1)
    assert store.standings.newest(ALWAYS, "C1", taxonomy, labels=["app"], most=9) == [4, 2, 1]


def test_what_was_answered_before_is_noted_afterwards_and_what_was_shown_since_is_newer(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever brings an old database finds last week in the summary, too; a process may die in between."""
    monkeypatch.setattr("model.store.standings.FORMER_AT_ONCE", 10)
    for number in range(25):
        came(store, number)
    show(store, 24)
    say(store, 23, ("app",))
    with store.database.writing() as connection:
        connection.execute(standing_labels.delete())
        connection.execute(standings.delete())
        connection.execute(store.database.insert_or_ignore(workspace).values(id=1))
        connection.execute(workspace.update().values(standings_from=26))
    looked_at = []
    while store.standings.has_former():
        looked_at.append(store.standings.note_former(seed_taxonomy()))
    assert looked_at == [10, 10, 5]
    assert dict(store.standings.count(ALWAYS, seed_taxonomy()).labels) == {"tarjeta": 24, "app": 1}


def test_the_schema_goes_back_and_forward_again(empty_url: str, tmp_path: Path) -> None:
    """What is derived may be lost; what people wrote may not."""
    with closing(Store(empty_url, tmp_path)) as store:
        store.migrate()
        came(store, 1)
        with store.database.migrating() as connection:
            schema.downgrade(connection, "0015")
            assert not {"standings", "standing_labels"} & set(inspect(connection).get_table_names())
            schema.upgrade(connection)
        with store.database.reading() as connection:
            assert connection.execute(text("select count(*) from messages")).scalar_one() == 1
            assert connection.execute(text("select standings_from from workspace")).scalar_one() == 2


def test_a_moment_of_slack_s_is_read_exactly() -> None:
    assert [microseconds(ts) for ts in ("1700000001.000001", "5.1", "7")] == [1_700_000_001_000_001, 5_100_000, 7_000_000]
    assert Span.between(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=1)).until % 10**6 == 0
