"""What was judged is read once, and is what reading all of it anew would give."""

import pytest

from model.judgements import Gesture, Kind
from model.labels import LabelEvent
from model.learning.judged import JudgedSoFar
from model.schema import Message, Prediction, Source
from model.store.predictions import NewPrediction
from model.store.store import Store


def judge(store: Store, ts: str, *labels: str, user: str = "U1", at: int = 10, withdrawn: bool = False) -> None:
    gesture = Gesture(user=user, handle=f"h/{ts}", at=at, kind=Kind.SET, labels=labels, withdrawn=withdrawn)
    store.gestures.add(gesture, channel="C1", item_ts=ts)


def test_whatever_happens_meanwhile_it_is_what_a_new_reader_reads(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a hundred thousand judged messages a trainer reads a few after each judgement; it must miss nothing."""
    monkeypatch.setattr("model.store.judged_messages.LATE_GESTURES", 0)
    kept = JudgedSoFar(store)

    def both(messages: int) -> None:
        taxonomy = store.labels.current()
        now = kept.read(taxonomy)
        assert now == JudgedSoFar(store).read(taxonomy)
        assert len(now) == messages

    both(0)
    for number in range(4):
        store.messages.save(Message(channel="C1", ts=f"{number}.1", user="U9", text=f"texto {number}", source=Source.CHANNEL))
    both(0)
    judge(store, "0.1", "ahorro")
    judge(store, "1.1", "urgente", user="U2")
    both(2)
    judge(store, "2.1", "ahorro")
    judge(store, "9.1", "ahorro")  # its message comes later
    both(3)
    judge(store, "0.1", at=11, withdrawn=True)
    both(2)
    judge(store, "0.1", "urgente", at=12)
    store.messages.edit("C1", "2.1", "texto nuevo", edited_at=20)
    both(2)
    known = store.refits.learnable()
    store.messages.edit("C1", "0.1", "texto que Slack contó más tarde", edited_at=15)  # than the other one's, which came after it
    both(1)
    assert known != store.refits.learnable()
    store.messages.delete("C1", "0.1")
    both(1)
    store.people.save("U2", may_judge=False, expert=False)
    both(0)
    judge(store, "3.1", "ahorro")
    store.labels.record(LabelEvent(kind="merge", name="ahorro", into="cuenta", at=30, by="U1"))
    both(1)
    assert next(iter(kept.read(store.labels.current()).values())).example.labels == ("cuenta",)


@pytest.mark.parametrize("on", ["message", "reply"])
def test_what_was_said_before_its_message_or_reply_is_recorded_is_learnt(
    store: Store, on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may die between a post and its record, and people react to what they see, also to much else meanwhile."""
    monkeypatch.setattr("model.store.judged_messages.LATE_GESTURES", 0)
    monkeypatch.setattr("model.store.refits.LATE_GESTURES", 0)
    kept, message = JudgedSoFar(store), Message(channel="C1", ts="9.1", user="U9", text="texto", source=Source.CHANNEL)
    if on == "reply":
        store.messages.save(message)
    judge(store, "9.1" if on == "message" else "9.2", "ahorro")
    judge(store, "7.1", "ahorro")
    known = store.refits.learnable()
    assert not kept.read(store.labels.current())
    if on == "message":
        store.messages.save(message)
    else:
        store.outbox.record("reply:1", "nobody", wanted=1, ts="9.2")
    assert known != store.refits.learnable()
    assert len(kept.read(store.labels.current())) == 1


@pytest.mark.parametrize("edited", [False, True])
def test_what_was_said_before_the_networks_word_is_learnt_once_that_is_there(
    store: Store, monkeypatch: pytest.MonkeyPatch, *, edited: bool
) -> None:
    """ "All of this is right", said while the workers were down, is about what they say when they are back."""
    monkeypatch.setattr("model.store.judged_messages.LATE_GESTURES", 0)
    kept, taxonomy = JudgedSoFar(store), store.labels.current()
    message_id, _ = store.messages.save(Message(channel="C1", ts="9.1", user="U9", text="texto", source=Source.CHANNEL))
    if edited:
        store.messages.edit("C1", "9.1", "texto nuevo", edited_at=5)
    store.gestures.add(Gesture(user="U1", handle="ok", at=10, kind=Kind.CORRECT), channel="C1", item_ts="9.1")
    assert not kept.read(taxonomy)  # nor is it "no label applies"
    known = store.refits.learnable()
    word = Prediction(version=1, base="mini", scores=dict.fromkeys(taxonomy.names, 0.1), labels=("ahorro",))
    assert store.predictions.save([NewPrediction(message_id, 1 + edited, word, 0.0)]) == [True]
    after = kept.read(taxonomy)
    assert known != store.refits.learnable()
    assert [each.example.labels for each in after.values()] == [("ahorro",)]
