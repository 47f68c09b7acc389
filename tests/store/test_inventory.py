"""The figures of what there is and what waits, on SQLite and on PostgreSQL."""

from datetime import timedelta

from model.judgements import Gesture, Kind
from model.schema import Message, Prediction, Progress, Source
from model.store.database import now
from model.store.outbox_row import State, reply_key
from model.store.predictions import NewPrediction
from model.store.store import Store
from model.store.tables import messages, runs


def save(store: Store, n: int) -> int:
    message = Message(channel="C1", ts=f"{n}.000001", user="U1", text="Se tragó mi tarjeta", source=Source.CHANNEL)
    return store.messages.save(message)[0]


def predict(store: Store, message_id: int) -> None:
    said = Prediction(version=1, base="mini", scores={"cajero": 0.9}, labels=("cajero",))
    store.predictions.save([NewPrediction(message_id, 1, said, 0.01)])


def test_what_waits_is_counted_by_what_it_waits_for(store: Store) -> None:
    """Whoever is called at night must see where messages stand: before the worker, before Slack, or refused."""
    waits, due, at_work, lost, shown, refused = (save(store, n) for n in range(1, 7))
    for each in (due, at_work, lost, shown, refused):
        predict(store, each)
    store.outbox.claim(reply_key(at_work), "somebody", 60)
    store.outbox.claim(reply_key(lost), "somebody", 0)
    for each, state in ((shown, State.SHOWN), (refused, State.REFUSED)):
        store.outbox.claim(reply_key(each), "somebody", 60)
        store.outbox.record(reply_key(each), "somebody", wanted=2, state=state, ts="7.1" if state is State.SHOWN else None)
    figures = store.inventory.read()
    ones = {State.AWAITING_PREDICTION, State.DUE, State.CLAIMED, State.UNSURE, State.REFUSED}
    assert figures.waiting == {state: int(state in ones) for state in figures.waiting}
    assert State.SHOWN not in figures.waiting
    assert (figures.messages, waits) == (6, 1)


def test_the_oldest_is_the_one_that_nobody_has_answered(store: Store) -> None:
    """A reply that is drawn anew after a month is no message that has waited for a month."""
    answered, unanswered = save(store, 1), save(store, 2)
    predict(store, answered)
    store.outbox.claim(reply_key(answered), "somebody", 60)
    store.outbox.record(reply_key(answered), "somebody", wanted=2, ts="7.1")
    with store.database.writing() as connection:
        for message_id, hours in ((answered, 700), (unanswered, 2)):
            then = now() - timedelta(hours=hours)
            connection.execute(messages.update().where(messages.c.id == message_id).values(received_at=then))
    store.gestures.add(Gesture(user="U1", handle="h", at=5, kind=Kind.NONE), channel="C1", item_ts="1.000001")
    figures = store.inventory.read()
    assert figures.waiting[State.DUE] == 1
    assert figures.oldest_s[State.DUE] == 0
    assert 7200 <= figures.oldest_s[State.AWAITING_PREDICTION] < 7300
    assert figures.gestures == figures.gestures_untrained == 1


def test_runs_and_workers_are_told_as_they_stand(store: Store) -> None:
    """A training that failed twice, one at work, and a worker that has not taken up the live version."""
    for _ in range(2):
        run_id, _ = store.runs.open("U1")
        store.runs.start(run_id, "somebody")
        store.runs.close(run_id, "somebody", "failed", error="no memory")
    store.workers.beat("a", 3)
    figures = store.inventory.read()
    assert (figures.failed_in_a_row, figures.runs, figures.progress, figures.silence_s) == (2, {"failed": 2}, None, 0)
    assert (figures.workers, figures.workers_behind, figures.live) == (1, 1, 0)
    run_id, _ = store.runs.open("U1")
    store.runs.start(run_id, "somebody")
    store.runs.beat(run_id, "somebody", Progress(stage="training", step=3, steps=12))
    with store.database.writing() as connection:
        connection.execute(runs.update().where(runs.c.id == run_id).values(beat_at=now() - timedelta(seconds=50)))
    figures = store.inventory.read()
    assert figures.progress == Progress(stage="training", step=3, steps=12)
    assert 50 <= figures.silence_s < 60
    assert figures.failed_in_a_row == 2  # until another one did better


def test_transactions_are_told_with_their_waits(store: Store) -> None:
    """Who waits for SQLite's one writer is slow for another reason than who asks too much."""
    told: list[tuple[str, bool, bool]] = []
    store.database.on_transaction = lambda access, wait_s, took_s: told.append((access, wait_s > 0, took_s > 0))
    store.ping()
    save(store, 1)
    assert told == [("read", True, True), ("write", True, True)]
    assert store.database.connections()[0] == 0
