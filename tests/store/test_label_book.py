"""Labels change: what was said of the old ones is kept and read in the names of today."""

import pytest

from model.errors import BadData
from model.judgements import Gesture, Kind
from model.labels import Label, LabelEvent, Taxonomy, seed_taxonomy
from model.learning import retraining
from model.learning.dataset import seed_messages
from model.learning.retraining import snapshot
from model.schema import Example, Message, Prediction, Source
from model.store.store import Store
from model.text_key import text_key

CHEQUE = Label(name="cheque", title="Cheque", title_en="Cheque", emoji="memo", description="Cheques y chequeras.")
LATER = 2_000_000_000_000_000  # microseconds


def event(kind: str, name: str, at: int = LATER, **more: object) -> LabelEvent:
    return LabelEvent.model_validate({"kind": kind, "name": name, "at": at, "by": "U1", **more})


def said(store: Store, kind: Kind, *labels: str, at: int = 1, ts: str = "1.1") -> int:
    message = Message(channel="C1", ts=ts, user="U1", text=f"perdí mi chequera {ts}", source=Source.CHANNEL)
    message_id, _ = store.messages.save(message)
    gesture = Gesture(user="U1", handle=f"x/{ts}/{kind}/{labels}", at=at, kind=kind, labels=labels)
    store.gestures.add(gesture, channel="C1", item_ts=ts)
    return message_id


def state_of(store: Store, message_id: int, taxonomy: Taxonomy) -> dict[str, bool | None]:
    judged = store.gestures.judged(message_id, taxonomy)
    return {name: label.applies for name, label in judged.state.labels.items()}


def test_a_label_that_was_renamed_keeps_its_history(store: Store) -> None:
    """Judgements, imports and what older versions say."""
    message_id = said(store, Kind.LABEL, "cuenta")
    new = seed_taxonomy()["cuenta"].model_copy(update={"name": "cuentas", "title": "Cuentas"})
    taxonomy = store.labels.record(event("change", "cuenta", label=new))
    assert state_of(store, message_id, taxonomy)["cuentas"] is True
    assert "cuenta" not in taxonomy
    old = Prediction(version=1, base="mini", scores={"cuenta": 0.8, "app": 0.1}, labels=("cuenta",))
    assert taxonomy.read(old).labels == ("cuentas",)
    assert taxonomy.read(old).scores == {"cuentas": 0.8, "app": 0.1}
    assert any("cuentas" in example.labels for example in snapshot(store)["train"])


def test_merged_labels_speak_for_the_one_that_stays(store: Store) -> None:
    """A yes to either is a yes; of two probabilities the surer one counts."""
    message_id = said(store, Kind.SET, "comision")
    taxonomy = store.labels.record(event("merge", "comision", into="cuenta"))
    assert state_of(store, message_id, taxonomy)["cuenta"] is True
    old = Prediction(version=1, base="mini", scores={"cuenta": 0.2, "comision": 0.9}, labels=("comision",))
    assert taxonomy.read(old).scores == {"cuenta": 0.9}


def test_a_retired_label_is_trained_and_shown_no_more(store: Store) -> None:
    message_id = said(store, Kind.SET, "urgente", "app")
    taxonomy = store.labels.record(event("retire", "urgente"))
    assert "urgente" not in state_of(store, message_id, taxonomy)
    data = snapshot(store)
    assert not any("urgente" in (*example.labels, *example.unknown) for examples in data.values() for example in examples)


def test_nobody_has_said_anything_about_a_label_that_was_not_there(store: Store) -> None:
    """A "no label at all" of last year is no word on the label of today; one of tomorrow is."""
    before = said(store, Kind.NONE, at=LATER - 1, ts="1.1")
    after = said(store, Kind.NONE, at=LATER + 1, ts="1.2")
    taxonomy = store.labels.record(event("add", "cheque", label=CHEQUE))
    assert state_of(store, before, taxonomy)["cheque"] is None
    assert state_of(store, before, taxonomy)["app"] is False
    assert state_of(store, after, taxonomy)["cheque"] is False


def test_a_new_label_starts_with_its_name_and_description_and_what_people_judge(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was labelled before does not know it, and must not teach that it never applies."""
    monkeypatch.setattr(retraining, "seed_messages", lambda: seed_messages()[:50])
    store.examples.save([(text_key("hola"), Example(text="hola", labels=()))])
    store.labels.record(event("add", "cheque", label=CHEQUE, at=LATER))
    said(store, Kind.SET, "cheque", at=LATER + 1, ts="1.3")
    data = snapshot(store)
    everything = [example for examples in data.values() for example in examples]
    positives = [example for example in everything if "cheque" in example.labels]
    assert {example.text for example in positives} == {"Cheque: Cheques y chequeras.", "perdí mi chequera 1.3"}
    assert all("cheque" in each.unknown for each in everything if not (each.id or "").startswith(("label:", "C1:")))
    descriptions = [example for example in data["train"] if (example.id or "").startswith("label:")]
    assert len(descriptions) == len(seed_taxonomy()) + 1


@pytest.mark.parametrize(
    "wrong",
    [
        event("retire", "nadie"),
        event("add", "app", label=seed_taxonomy()["app"]),
        event("merge", "app", into="nadie"),
        event("merge", "app", into="app"),
        event("add", "otra", label=CHEQUE.model_copy(update={"name": "otra", "emoji": "iphone"})),
        event("change", "app", label=seed_taxonomy()["app"].model_copy(update={"name": "cuenta"})),
        event("add", "cheque"),
    ],
    ids=["unknown", "taken name", "merge into nothing", "merge into itself", "taken emoji", "renamed to another's", "no label"],
)
def test_a_change_that_cannot_be_is_refused_and_not_recorded(store: Store, wrong: LabelEvent) -> None:
    book = store.labels
    with pytest.raises(BadData):
        book.record(wrong)
    assert store.labels.current().names == seed_taxonomy().names


def test_a_name_that_was_once_used_is_never_used_for_something_else(store: Store) -> None:
    """Else last year's judgements would suddenly speak of another label."""
    book = store.labels
    book.record(event("retire", "urgente"))
    with pytest.raises(BadData, match="was"):
        book.record(event("add", "urgente", label=seed_taxonomy()["urgente"]))
