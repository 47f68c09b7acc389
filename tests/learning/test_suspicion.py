"""Old labels that look wrong are found by a model that has not learnt them."""

from model.judgements import Gesture, Kind
from model.labels import seed_taxonomy
from model.learning.dataset import seed_messages
from model.learning.suspicion import note_suspicions, suspicious
from model.schema import Message, Source
from model.store.store import Store

NAMES = seed_taxonomy().names


def test_what_was_labelled_wrongly_is_doubted_before_what_was_not() -> None:
    """People's time goes to the mistakes: among the first twenty of 300 messages, most of twelve that were spoilt."""
    judged = list(seed_messages()[:300])
    spoilt = range(7, 300, 25)
    for at in spoilt:
        wrong = "prestamo" if "prestamo" not in judged[at].labels else "app"
        judged[at] = judged[at].model_copy(update={"labels": (wrong,)})
    found = suspicious(judged, seed_messages()[300:700], NAMES)
    first = [at for at, _, _ in found[:20]]
    assert len(set(spoilt) & set(first)) >= 8


def test_what_looks_wrong_is_kept_and_nothing_is_said_while_little_is_judged(sqlite_store: Store) -> None:
    """What people said stays as they said it."""
    store = sqlite_store
    for number, example in enumerate(seed_messages()[:35]):
        if number == 20:
            assert note_suspicions(store) == 0
        ts = f"17000000{number:02}.000001"
        store.messages.save(Message(channel="C1", ts=ts, user="U1", text=example.text, source=Source.CHANNEL))
        labels = ("comision",) if number == 3 else example.labels
        gesture = Gesture(user="U1", handle=f"h{number}", at=1700000100000000, kind=Kind.SET, labels=labels)
        store.gestures.add(gesture, channel="C1", item_ts=ts)
    before = store.gestures.history(4)
    assert note_suspicions(store) > 0
    kept = store.suspicions.of(4)
    assert kept
    assert all(each.label in NAMES for each in kept)
    assert store.gestures.history(4) == before
    assert store.reviews.suspects("U2", 5)
    assert note_suspicions(store) > 0  # replaced, not doubled
