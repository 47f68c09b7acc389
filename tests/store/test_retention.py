"""A message that nobody needs any more goes as a whole, and what somebody needs stays."""

import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from bot.outbox.context import OutboxContext
from bot.outbox.erasure import ErasureSweep
from model.judgements import Gesture, Kind
from model.labels import seed_taxonomy
from model.reactions import Reaction
from model.schema import Message, Prediction, Source
from model.settings import ModelSettings
from model.store.database import now
from model.store.outbox_row import State, reply_key
from model.store.predictions import NewPrediction
from model.store.standing import Standing, microseconds
from model.store.standings import Span
from model.store.store import Store
from model.store.tables import (
    gestures,
    messages,
    metadata,
    mutes,
    outbox,
    predictions,
    review_cards,
    standing_labels,
    standings,
    training_texts,
    versions,
)
from tests.outbox_rows import answer
from tests.store.rows import everything

# All that may be kept of a message.
OF_A_MESSAGE = (messages, predictions, outbox, gestures, mutes, review_cards, standings, standing_labels)
LONG_AGO, MOST = 500, 10_000


def a_message(store: Store, ts: str, *, channel: str = "C1", days_ago: int = LONG_AGO, text: str = "") -> int:
    """A message that was labelled, answered, given to a reviewer and muted, and whose text is gone unless it is given."""
    said = Message(channel=channel, ts=ts, user="U1", text=text or "No me llega la tarjeta", source=Source.CHANNEL)
    message_id, _ = store.messages.save(said)
    scores = dict.fromkeys(seed_taxonomy().names, 0.1)
    store.predictions.save([NewPrediction(message_id, 1, Prediction(version=1, base="mini", scores=scores, labels=()), 0.1)])
    key = reply_key(message_id)
    claim = store.outbox.claim(key, "test", 60)
    assert claim is not None
    standing = Standing(microseconds(ts), ("tarjeta",))
    store.outbox.record(key, "test", wanted=claim.row.wanted, ts=f"{ts}5", standing=standing)
    long_ago = now() - timedelta(days=days_ago)
    with store.database.writing() as connection:
        connection.execute(messages.update().where(messages.c.id == message_id).values(received_at=long_ago, text=text))
        card = review_cards.insert().values(message_id=message_id, user="U3", reason="teaches", blind=False)
        times = {"given_at": long_ago, "claimed_until": long_ago, "ended_at": long_ago}
        connection.execute(card.values(outcome="skipped", **times))
        connection.execute(mutes.insert().values(channel=channel, ts=ts, user="U4", at=1, muted=True))
    return message_id


def judge(store: Store, ts: str) -> None:
    """Somebody judges, and the reply shows it."""
    gesture = Gesture(user="U2", handle=f"modal/{ts}", at=5, kind=Kind.SET, labels=("cajero",), via="modal")
    message_id, _ = store.gestures.add(gesture, channel="C1", item_ts=ts)
    assert message_id is not None
    answer(store, message_id, f"{ts}5")


def ids(store: Store) -> set[int]:
    with store.database.reading() as connection:
        return set(connection.execute(messages.select()).scalars())


def test_nothing_is_left_of_a_message_that_nobody_needs(store: Store) -> None:
    """The database stops growing: each of its rows goes, also of what people said of a text that is gone."""
    for ts in ("1.1", "1.2", "1.3"):
        a_message(store, ts)
    judge(store, "1.2")
    last = a_message(store, "9.1", days_ago=0, text="hoy")
    assert store.retention.remove(0, MOST) == 0
    assert store.retention.remove(LONG_AGO + 1, MOST) == 0
    assert store.retention.remove(LONG_AGO - 1, MOST, together=2) == 3
    assert ids(store) == {last}
    with store.database.reading() as connection:
        left = {table.name: len(connection.execute(table.select()).all()) for table in OF_A_MESSAGE}
    assert left == {table.name: 0 if table is gestures else 1 for table in OF_A_MESSAGE}
    assert store.messages.counts()["messages"] == 1
    counted = store.standings.count(Span(0, 10**15), seed_taxonomy())
    assert (counted.messages, counted.labels) == (1, {"tarjeta": 1})


def needed_for(store: Store, message_id: int, ts: str, why: str) -> None:
    """Let something need a message."""
    if why == "its text is kept":
        with store.database.writing() as connection:
            connection.execute(messages.update().where(messages.c.id == message_id).values(text="guardado"))
    elif why == "it was edited since":
        with store.database.writing() as connection:
            at = int(now().timestamp() * 1e6)
            connection.execute(messages.update().where(messages.c.id == message_id).values(edited_at=at))
    elif why == "its reply is owed":
        gesture = Gesture(user="U2", handle="h", at=5, kind=Kind.CORRECT)
        store.gestures.add(gesture, channel="C1", item_ts=ts)
    elif why == "somebody is calling Slack for it":
        with store.database.writing() as connection:
            later = now() + timedelta(minutes=1)
            connection.execute(outbox.update().where(outbox.c.message_id == message_id).values(claimed_until=later))
    elif why == "a reviewer has it in hand":
        with store.database.writing() as connection:
            later = now() + timedelta(minutes=1)
            open_card = {"outcome": None, "claimed_until": later}
            connection.execute(review_cards.update().where(review_cards.c.message_id == message_id).values(**open_card))
    elif why == "it waits for its erasure":
        store.erasure.create_request(by="U1", message_id=message_id)
    elif why == "its author waits for theirs":
        store.erasure.create_request(by="U1", user="U1")
    elif why == "emoji of ours are to be taken off":
        store.messages.set_offered(message_id, {"credit_card": "tarjeta"})
        with store.database.writing() as connection:
            connection.execute(messages.update().where(messages.c.id == message_id).values(deleted_at=now()))
    else:
        assert why == "it is the newest"
        with store.database.writing() as connection:
            connection.execute(messages.delete().where(messages.c.id > message_id))


@pytest.mark.parametrize(
    "why",
    [
        "its text is kept", "it was edited since", "its reply is owed", "somebody is calling Slack for it",
        "a reviewer has it in hand", "it waits for its erasure", "its author waits for theirs",
        "emoji of ours are to be taken off", "it is the newest",
    ],
)  # fmt: skip
def test_what_somebody_needs_stays(store: Store, why: str) -> None:
    """Nothing that is owed, asked for or learnt from is lost to save room."""
    message_id = a_message(store, "1.1")
    a_message(store, "9.1", days_ago=0, text="hoy")
    needed_for(store, message_id, "1.1", why)
    assert store.retention.remove(400, MOST) == 0
    assert message_id in ids(store)


def test_a_digest_goes_with_the_last_that_it_answers(store: Store) -> None:
    """It answers sixty messages by one post; while one of them is there it can be rendered anew."""
    both = [a_message(store, ts) for ts in ("1.1", "1.2")]
    a_message(store, "9.1", days_ago=0, text="hoy")
    with store.database.writing() as connection:
        shown = {"kind": "digest", "channel": "C1", "state": State.SHOWN, "wanted": 1}
        digest = connection.execute(outbox.insert().values(key="digest:1", **shown).returning(outbox.c.id)).scalar_one()
        in_it = {"digest_id": digest, "state": State.IN_DIGEST, "ts": None}
        connection.execute(outbox.update().where(outbox.c.message_id.in_(both)).values(**in_it))
    assert store.retention.remove(400, most=1) == 1
    assert store.outbox.get("digest:1") is not None
    assert store.retention.remove(400, MOST) == 1
    assert store.outbox.get("digest:1") is None


def test_what_comes_after_a_message_was_removed_changes_nothing(store: Store) -> None:
    """Its reply stands in Slack for ever: people edit, delete, react and press its buttons years later."""
    now_us = int(now().timestamp() * 1e6)
    a_message(store, "1.1")
    newest = a_message(store, "9.2", days_ago=0, text="hoy")
    store.retention.remove(400, MOST)
    before = everything(store)
    assert store.messages.edit("C1", "1.1", "otro texto", now_us) is None
    assert store.messages.delete("C1", "1.1") is None
    for item_ts in ("1.1", "1.15"):
        reaction = Reaction(user="U2", handle="r", emoji="x", at=now_us, kind=Kind.WRONG, on_ours=True)
        assert store.gestures.add_reaction(reaction, channel="C1", item_ts=item_ts) == (None, False)
        click = Gesture(user="U2", handle="b", at=now_us, kind=Kind.CORRECT, via="button")
        assert store.gestures.add(click, channel="C1", item_ts=item_ts) == (None, False)
        assert store.gestures.is_forgotten("C1", item_ts, at=now_us)
    assert not store.gestures.is_forgotten("C1", "9.25", at=now_us)
    assert everything(store) == before
    assert newest in ids(store)


def test_messages_are_removed_while_others_write_and_judge(store: Store) -> None:
    """Two processes sweep, and nobody stops writing for that: each old message goes once, and nothing else does."""
    old = [a_message(store, f"1.{n:06}", channel=f"C{n % 3}") for n in range(40)]
    wrong: list[BaseException] = []
    removed: list[int] = []
    written: list[int] = []

    def watched(run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:
            wrong.append(error)

    def sweep() -> None:
        removed.append(store.retention.remove(400, MOST, together=3))

    def write() -> None:
        for n in range(15):
            ts = f"5.{n:06}"
            said = Message(channel=f"C{n % 3}", ts=ts, user="U1", text="hola", source=Source.CHANNEL)
            written.append(store.messages.save(said)[0])
            gesture = Gesture(user="U2", handle=f"h{n}", at=microseconds(ts), kind=Kind.NONE)
            store.gestures.add(gesture, channel=f"C{n % 3}", item_ts=ts)

    threads = [threading.Thread(target=watched, args=(run,)) for run in (write, sweep, sweep)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    store.retention.remove(400, MOST)  # the newest of the old ones, and what a sweep found locked by the other
    assert ids(store) == set(written)
    assert sum(removed) <= len(old)


def test_the_sweep_goes_on_at_its_next_look_where_more_is_left(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an upgrade years may be left: the outbox's rows must not wait for that, nor the rest for another hour."""
    store = sqlite_store
    for n in range(3):
        a_message(store, f"1.{n:06}")
    last = a_message(store, "9.1", days_ago=0, text="hoy")
    monkeypatch.setattr("bot.outbox.erasure.REMOVED_AT_ONCE", 2)
    sweep = ErasureSweep(cast(OutboxContext, SimpleNamespace(store=store, settings=ModelSettings(), publish=lambda _: None)))
    left = []
    for _ in range(2):
        sweep.run()
        left.append(len(ids(store)))
    assert left == [2, 1]
    a_message(store, "8.1")
    a_message(store, "9.2", days_ago=0, text="hoy")
    sweep.run()
    assert len(ids(store) - {last}) == 2  # until the hour is over


def test_runs_do_not_wait_for_judgements_that_are_gone(store: Store) -> None:
    """Retraining counts what was judged since the last run; what was removed must not have to be given again first."""
    for ts in ("1.1", "1.2"):
        a_message(store, ts)
        judge(store, ts)
    a_message(store, "9.1", days_ago=0, text="hoy")
    run_id, _ = store.runs.open("U9")
    store.runs.start(run_id, "test")
    store.runs.note_version(run_id, "test", 1, 10)
    store.runs.close(run_id, "test", "done")
    assert store.retention.remove(400, MOST) == 2
    judge(store, "9.1")
    assert store.runs.new_judgements() == 1


def test_what_removed_versions_learnt_from_is_not_kept(store: Store) -> None:
    """It tells people which versions hold their words; folders that are gone hold none, and each training adds all of it."""
    run_ids = []
    for number in (1, 2):
        run_id, _ = store.runs.open("U9")
        store.runs.start(run_id, "test")
        run_ids.append(run_id)
        with store.database.writing() as connection:
            rows = [{"run_id": run_id, "text_id": f"C1:{n}.1"} for n in range(3)]
            connection.execute(training_texts.insert(), rows)
            removed = now() if number == 1 else None
            card = {"folder": f"v{number}", "card": {}, "created_at": now(), "removed_at": removed}
            connection.execute(versions.insert().values(number=number, run_id=run_id, **card))
        store.runs.close(run_id, "test", "done")
    under_way, _ = store.runs.open("U9")
    with store.database.writing() as connection:
        connection.execute(training_texts.insert().values(run_id=under_way, text_id="C1:1.1"))
    assert store.retention.forget_taught() == 3
    with store.database.reading() as connection:
        kept = {row.run_id for row in connection.execute(metadata.tables["training_texts"].select())}
    assert kept == {run_ids[1], under_way}
