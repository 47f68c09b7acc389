"""A channel uses some of the labels: what is predicted and asked there is of those, what was judged stays as it was said."""

from model.judgements import Gesture, Kind, LabelState
from model.labels import LabelEvent, seed_taxonomy
from model.schema import Message, Prediction, Source
from model.store.predictions import NewPrediction
from model.store.store import Store

BOT_SAID = ("fraude", "app")  # in the labels' order


def message(store: Store, ts: str) -> int:
    message_id, _ = store.messages.save(Message(channel="C1", ts=ts, user="U1", text="hola", source=Source.CHANNEL))
    scores = dict.fromkeys(seed_taxonomy().names, 0.1) | dict.fromkeys(BOT_SAID, 0.9)
    said = Prediction(version=1, base="mini", scores=scores, labels=BOT_SAID)
    store.predictions.save([NewPrediction(message_id, 1, said, 0.1)])
    return message_id


def say(store: Store, ts: str, kind: Kind, *labels: str, user: str = "U2", at: int = 2) -> None:
    gesture = Gesture(user=user, handle=f"h{user}{at}", at=at, kind=kind, labels=labels)
    store.gestures.add(gesture, channel="C1", item_ts=ts)


def states(store: Store, message_id: int) -> dict[str, LabelState]:
    judged = store.judged.of(message_id, store.labels.recorded())
    assert judged is not None
    return dict(judged.state.labels)


def shown(store: Store, message_id: int) -> tuple[str, ...]:
    judged = store.judged.of(message_id, store.labels.recorded())
    assert judged is not None
    return judged.state.shown


def test_only_what_the_channel_uses_is_said_there(store: Store) -> None:
    """A team that talks about cards is not shown forty labels of others."""
    message_id = message(store, "1.1")
    assert store.channels.set_labels("C1", ("app", "cuenta"))
    judged = store.judged.of(message_id, seed_taxonomy())
    assert judged is not None
    assert judged.prediction is not None
    assert judged.state.shown == judged.prediction.labels == ("app",)
    assert set(judged.prediction.scores) == {"app", "cuenta"}
    assert not store.channels.set_labels("C1", ("app", "cuenta"))
    assert store.channels.set_labels("C1", None)
    assert shown(store, message_id) == BOT_SAID


def test_who_speaks_there_says_nothing_of_labels_that_stood_on_nobodys_screen(store: Store) -> None:
    """Else a channel about cards would teach that fraud never occurs."""
    store.channels.set_labels("C1", ("app", "cuenta"))
    spoken = (("1.1", Kind.CORRECT, ()), ("1.2", Kind.WRONG, ()), ("1.3", Kind.SET, ("cuenta",)), ("1.4", Kind.NONE, ()))
    for ts, kind, labels in spoken:
        message_id = message(store, ts)
        say(store, ts, kind, *labels)
        said = states(store, message_id)
        assert said["fraude"].applies is None
        assert said["app"].applies is (kind is Kind.CORRECT)
    store.channels.set_labels("C1", None)
    assert states(store, 1)["fraude"].applies is None  # what they said then is as they said it
    assert [each.state.unknown.count("fraude") for each in store.judged.messages(seed_taxonomy())] == [1] * 4


def test_what_was_judged_before_stays_and_can_be_contradicted(store: Store) -> None:
    message_id = message(store, "1.1")
    say(store, "1.1", Kind.SET, "fraude")
    store.channels.set_labels("C1", ("app", "cuenta"))
    assert shown(store, message_id) == ("fraude",)
    say(store, "1.1", Kind.SET, "app", user="U3", at=3)
    assert states(store, message_id)["fraude"].status == "disputed"  # it stood there, and they took it off


def test_a_chosen_label_is_followed_when_it_is_renamed(store: Store) -> None:
    store.channels.set_labels("C1", ("app",))
    label = seed_taxonomy()["app"].model_copy(update={"name": "web"})
    store.labels.record(LabelEvent(kind="change", name="app", label=label, at=1, by="U1"))
    assert shown(store, message(store, "1.1")) == ("web",)
