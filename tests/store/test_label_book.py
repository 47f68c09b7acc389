"""Labels change: what was said of the old ones is kept and read in the names of today."""

from pathlib import Path

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
    judged = store.judged.of(message_id, taxonomy)
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
    assert any("app" in example.labels for example in data["train"])  # else there would be nothing to see
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
    others = [example for example in everything if not (example.id or "").startswith(("label:", "C1:"))]
    assert len(others) == 51
    assert [example for example in others if "cheque" not in example.unknown] == []
    descriptions = [example for example in data["train"] if (example.id or "").startswith("label:")]
    assert len(descriptions) == len(seed_taxonomy()) + 1


def test_examples_of_a_label_teach_it_and_say_nothing_of_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guideline's good and bad example are about one label; the test split never meets one of its own texts in training."""
    monkeypatch.setattr(retraining, "seed_messages", lambda: seed_messages()[:50])
    held_out = snapshot(store)["test"][0].text
    label = seed_taxonomy()["cuenta"].model_copy(update={"examples": ("mi saldo", held_out), "counterexamples": ("mi préstamo",)})
    store.labels.record(event("change", "cuenta", label=label))
    taught = [each for each in snapshot(store)["train"] if (each.id or "").startswith("label:")]
    assert [(each.text, each.labels) for each in taught] == [("mi saldo", ("cuenta",)), ("mi préstamo", ())]
    assert all(set(each.unknown) == set(seed_taxonomy().names) - {"cuenta"} for each in taught)


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


def number_of(store: Store) -> int:
    """The id of the newest change."""
    return store.labels.events()[-1][0]


def undo(number: int, at: int = LATER) -> LabelEvent:
    return LabelEvent(kind="undo", undoes=number, at=at, by="U1")


@pytest.mark.parametrize(
    "removal", [event("retire", "urgente"), event("merge", "urgente", into="reclamo")], ids=["retired", "merged"]
)
def test_a_label_that_comes_back_knows_what_was_said_of_it_and_nothing_of_the_time_between(
    store: Store, removal: LabelEvent
) -> None:
    """Who chose all labels while it was away did not say that it never applies."""
    before = said(store, Kind.SET, "urgente", at=LATER - 1, ts="1.1")
    between = said(store, Kind.SET, "app", at=LATER + 1, ts="1.2")
    after = said(store, Kind.SET, "app", at=LATER + 3, ts="1.3")
    store.labels.record(removal)
    taxonomy = store.labels.record(event("restore", "urgente", at=LATER + 2))
    assert [state_of(store, each, taxonomy)["urgente"] for each in (before, between, after)] == [True, None, False]
    assert state_of(store, before, taxonomy)["reclamo"] is False


def test_a_label_that_others_were_merged_into_is_spoken_of_afterwards(store: Store) -> None:
    """That the merged one is away says nothing of the one that stays."""
    after = said(store, Kind.SET, "app", at=LATER + 1)
    taxonomy = store.labels.record(event("merge", "comision", into="cuenta"))
    assert state_of(store, after, taxonomy)["cuenta"] is False


def test_a_label_whose_emoji_was_given_away_comes_back_with_another(store: Store) -> None:
    """Two labels with one emoji would both be meant by a reaction."""
    store.labels.record(event("retire", "urgente"))
    store.labels.record(event("add", "cheque", label=CHEQUE.model_copy(update={"emoji": "alarm_clock"})))
    with pytest.raises(BadData, match="share an emoji"):
        store.labels.record(event("restore", "urgente"))
    other = seed_taxonomy()["urgente"].model_copy(update={"emoji": "fire"})
    assert store.labels.record(event("restore", "urgente", label=other))["urgente"].emoji == "fire"


def test_the_labels_stand_in_the_order_that_was_chosen(store: Store) -> None:
    """What a team needs most is to be on top of every list."""
    names = tuple(sorted(seed_taxonomy().names))
    assert store.labels.record(event("order", "", names=names)).names == names
    with pytest.raises(BadData, match="each label once"):
        store.labels.record(event("order", "", names=names[1:]))


CHANGES = [
    event("add", "cheque", label=CHEQUE),
    event("change", "cuenta", label=seed_taxonomy()["cuenta"].model_copy(update={"name": "cuentas", "title": "Cuentas"})),
    event("merge", "comision", into="cuenta"),
    event("retire", "urgente"),
    event("order", "", names=tuple(sorted(seed_taxonomy().names))),
    event("empty", "", names=seed_taxonomy().names),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.kind)
def test_an_undone_change_has_never_been(store: Store, change: LabelEvent) -> None:
    """One tap takes a slip back, with all that was said of the label; the undoing can be undone, too."""
    message_id = said(store, Kind.SET, "comision", "urgente", "cuenta")
    store.labels.record(change)
    changed, number = store.labels.current(), number_of(store)
    taxonomy = store.labels.record(undo(number))
    assert taxonomy.labels == seed_taxonomy().labels
    assert {name for name, applies in state_of(store, message_id, taxonomy).items() if applies} == {
        "comision",
        "urgente",
        "cuenta",
    }
    assert store.labels.record(undo(number_of(store), at=LATER + 1)).labels == changed.labels


def test_what_was_said_while_a_label_was_away_by_mistake_says_nothing_of_it(store: Store) -> None:
    """The label was on nobody's screen between the slip and its undoing."""
    between = said(store, Kind.SET, "app", at=LATER + 1)
    store.labels.record(event("retire", "urgente"))
    taxonomy = store.labels.record(undo(number_of(store), at=LATER + 2))
    assert state_of(store, between, taxonomy)["urgente"] is None


def test_what_a_later_change_rests_on_cannot_be_undone(store: Store) -> None:
    """The later one goes first; and nothing is undone twice, nor what never was."""
    store.labels.record(event("add", "cheque", label=CHEQUE))
    added = number_of(store)
    store.labels.record(event("merge", "cuenta", into="cheque"))
    for number, why in ((added, "needs the label"), (added + 7, "no change has the number")):
        with pytest.raises(BadData, match=why):
            store.labels.record(undo(number))
    store.labels.record(undo(number_of(store)))
    store.labels.record(undo(added))
    with pytest.raises(BadData, match="undone already"):
        store.labels.record(undo(added))
    assert store.labels.current().names == seed_taxonomy().names


def test_what_another_process_changed_is_known_after_a_restart(store: Store, store_url: str, tmp_path: Path) -> None:
    """The database is the truth: undone and brought-back labels are the same for who reads them for the first time."""
    store.labels.record(event("retire", "urgente"))
    store.labels.record(event("restore", "urgente", at=LATER + 1))
    store.labels.record(event("merge", "comision", into="cuenta", at=LATER + 2))
    store.labels.record(undo(number_of(store), at=LATER + 3))
    other = Store(store_url, tmp_path)
    ours, theirs = store.labels.current(), other.labels.current()
    other.close()
    assert (ours.labels, ours.absent, ours.renamed) == (theirs.labels, theirs.absent, theirs.renamed)


def test_what_is_preferred_is_chosen_in_chat_and_begins_with_the_setting(store_url: str, tmp_path: Path) -> None:
    """Who runs the bot sets what holds on the first day; what the team says after that counts more, and can be undone."""
    store = Store(store_url, tmp_path, preferences={"fraude": "recall", "app": "precision"})
    store.migrate()
    try:
        names = store.labels.current().names
        assert store.labels.current().preferences(names) == {"fraude": "recall", "app": "precision"}
        fraud = store.labels.recorded()["fraude"]
        assert fraud.prefer == ""  # what nobody has said is not recorded with the next change
        store.labels.record(event("change", "fraude", label=fraud.model_copy(update={"prefer": "balance"})))
        assert store.labels.current().preferences(names) == {"app": "precision"}
        [(number, _)] = store.labels.undoable()
        store.labels.record(event("undo", "", undoes=number))
        assert store.labels.current().preferences(names) == {"fraude": "recall", "app": "precision"}
    finally:
        store.close()


def test_a_version_reads_what_is_preferred_by_the_names_that_it_knows(store: Store) -> None:
    """It was trained before the label was renamed, and before another was merged into it."""
    fraud = seed_taxonomy()["fraude"].model_copy(update={"name": "estafa", "prefer": "recall"})
    store.labels.record(event("change", "fraude", label=fraud))
    taxonomy = store.labels.record(event("merge", "urgente", into="estafa"))
    assert taxonomy.preferences(["app", "fraude", "urgente", "nada"]) == {"fraude": "recall", "urgente": "recall"}


def test_a_preferred_label_that_there_is_not_is_told_with_the_likeliest(store_url: str, tmp_path: Path) -> None:
    """A slip would quietly change nothing."""
    store = Store(store_url, tmp_path, preferences={"Fraudes": "recall", "xyz": "precision", "urgente": "recall"})
    store.migrate()
    try:
        store.labels.record(event("merge", "urgente", into="fraude"))  # it was one: its preference is the other's
        slip, unknown = store.labels.preference_complaints()
        assert slip == "BETO_PREFER_RECALL names 'Fraudes', which is no label: is 'fraude' meant?"
        assert "'xyz', which is no label: there are: reclamo, tarjeta" in unknown
    finally:
        store.close()


OWN_FILE = """
labels:
  - name: impresoras
    title: Impresoras
    description: La impresora y el tóner.
  - fraude
"""


def test_a_team_begins_with_its_own_labels_and_changes_them_in_chat_from_then_on(store: Store, tmp_path: Path) -> None:
    """What people changed in Slack must not be undone by a file that was forgotten in the settings."""
    file = tmp_path / "labels.yaml"
    file.write_text(OWN_FILE, encoding="utf-8")
    assert store.begin_labels(file)
    assert store.labels.current().names == ("impresoras", "fraude")
    assert not store.begin_labels(file)
    store.labels.record(event("retire", "fraude"))
    file.write_text("labels: [", encoding="utf-8")  # it is not even read
    assert not store.begin_labels(file)
    assert store.labels.current().names == ("impresoras",)


def test_a_wrong_file_changes_nothing_and_says_on_which_line(store: Store, tmp_path: Path) -> None:
    """Whoever starts the bot for the first time mends it and starts again."""
    file = tmp_path / "labels.yaml"
    file.write_text(OWN_FILE + "  - title: Sin nombre\n", encoding="utf-8")
    with pytest.raises(BadData, match=r"labels.yaml, line 7, label 3: has no name"):
        store.begin_labels(file)
    assert store.labels.current().labels == seed_taxonomy().labels
    with pytest.raises(BadData, match="cannot be read"):
        store.begin_labels(tmp_path / "none.yaml")
    assert not store.begin_labels(None)
