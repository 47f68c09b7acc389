"""Whatever becomes of the labels while messages and gestures come: nothing is lost, and nothing is said of the wrong label."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.errors import BadData
from model.judgements import Gesture, Kind
from model.labels import Label, LabelEvent, Taxonomy, seed_taxonomy
from model.schema import Message, Prediction, Source
from model.store.predictions import NewPrediction
from model.store.store import Store

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["message", "said", "rename", "merge", "retire", "restore", "add", "undo", "order", "empty"]),
        st.integers(0, 10**6),
    ),
    min_size=4,
    max_size=14,
)


class Model:
    """What must be true, told in the simplest way: each label is one thing for ever, whatever it is called."""

    def __init__(self) -> None:
        self.at = 10**15
        self.said: dict[int, str] = {}  # by message: the name that was said yes to

    def next(self) -> int:
        self.at += 1_000_000
        return self.at


def event_of(what: str, rng: random.Random, taxonomy: Taxonomy, store: Store, at: int) -> LabelEvent | None:
    """A change that somebody may ask for; some cannot be, as when two people are at it."""
    names, former = list(taxonomy.names), list(taxonomy.former)
    made = {"at": at, "by": "U1"}
    match what:
        case "add":
            name = f"nueva_{at}"
            label = Label(name=name, title=name, title_en=name, emoji="", description="Nueva.")
            return LabelEvent(kind="add", name=name, label=label, **made)
        case "rename" if names:
            label = taxonomy[rng.choice(names)]
            return LabelEvent(kind="change", name=label.name, label=label.model_copy(update={"name": f"otra_{at}"}), **made)
        case "merge" if len(names) > 1:
            one, other = rng.sample(names, 2)
            return LabelEvent(kind="merge", name=one, into=other, **made)
        case "retire" if names:
            return LabelEvent(kind="retire", name=rng.choice(names), **made)
        case "restore" if former:
            return LabelEvent(kind="restore", name=rng.choice(former), **made)
        case "order" if names:
            return LabelEvent(kind="order", names=tuple(rng.sample(names, len(names))), **made)
        case "empty" if names:
            return LabelEvent(kind="empty", names=tuple(names), **made)
        case "undo" if undoable := store.labels.undoable():
            return LabelEvent(kind="undo", undoes=rng.choice(undoable)[0], **made)
    return None


def meant(name: str, events: list[tuple[int, LabelEvent]]) -> str | None:
    """Follow a name through the changes that stand, one by one: what it goes by now, None where it is retired."""
    undone: set[int | None] = set()
    for number, event in reversed(events):
        if event.kind == "undo" and number not in undone:
            undone.add(event.undoes)
    standing = [event for number, event in events if number not in undone and event.kind != "undo"]
    # Each label is a cell; names point at cells, and a merge points one cell at another until it is undone or restored.
    called: dict[str, str] = {label.name: label.name for label in seed_taxonomy()}  # cell: its name today
    cell_of = dict(called)  # any name it ever had: the cell
    gone: dict[str, str | None] = {}  # cell: the cell that it went into
    for event in standing:
        match event.kind:
            case "add":
                assert event.label is not None
                called[event.label.name] = cell_of[event.label.name] = event.label.name
            case "change":
                assert event.label is not None
                cell = cell_of[event.name]
                called[cell] = event.label.name
                cell_of[event.label.name] = cell
            case "merge":
                gone[cell_of[event.name]] = cell_of[event.into or ""]
            case "retire":
                gone[cell_of[event.name]] = None
            case "empty":
                for each in event.names:
                    gone[cell_of[each]] = None
            case "restore":
                gone.pop(cell_of[event.name])
    if name not in cell_of:
        return None  # its adding was undone
    found: str | None = cell_of[name]
    while found is not None and found in gone:
        found = gone[found]
    return None if found is None else called[found]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_every_yes_stands_on_the_label_that_it_was_said_of(store: Store, steps: list[tuple[str, int]]) -> None:
    """Renamed, merged, retired, brought back, undone, in any order: an independent reading of the changes agrees."""
    model = Model()
    clean(store)
    for what, seed in steps:
        rng, taxonomy, at = random.Random(seed), store.labels.recorded(), model.next()
        if what in {"message", "said"}:
            speak(store, rng, taxonomy, at, model, judged=what == "said")
            continue
        event = event_of(what, rng, taxonomy, store, at)
        before = store.labels.events()
        try:
            if event is not None:
                store.labels.record(event)
        except BadData:
            assert store.labels.events() == before  # all or nothing
    check(store, model)


def speak(store: Store, rng: random.Random, taxonomy: Taxonomy, at: int, model: Model, *, judged: bool) -> None:
    """A message, predicted in the names of the version that answers; perhaps somebody says yes to a label of today."""
    ts = f"{at // 10**6}.{rng.randrange(10**6):06}"
    message = Message(channel="C1", ts=ts, user="U1", text="hola", source=Source.CHANNEL)
    message_id, _ = store.messages.save(message)
    names = seed_taxonomy().names  # the version was trained before all changes
    said = Prediction(version=1, base="mini", scores=dict.fromkeys(names, 0.5), labels=(rng.choice(names),))
    store.predictions.save([NewPrediction(message_id, 1, said, 0.1)])
    if judged and taxonomy.names:
        name = rng.choice(taxonomy.names)
        gesture = Gesture(user="U2", handle=f"h{ts}", at=at, kind=Kind.LABEL, labels=(name,))
        store.gestures.add(gesture, channel="C1", item_ts=ts)
        model.said[message_id] = name


def check(store: Store, model: Model) -> None:
    taxonomy, events = store.labels.recorded(), store.labels.events()
    for message_id, name in model.said.items():
        judged = store.judged.of(message_id, taxonomy)
        assert judged is not None
        yes = {each for each, label in judged.state.labels.items() if label.applies}
        wanted = meant(name, events)
        assert yes == (set() if wanted is None else {wanted}), (name, [event for _, event in events])
        assert len(store.gestures.history(message_id)) == 1  # as it was said, for ever
        assert judged.prediction is not None
        latest = store.predictions.latest(message_id)
        assert latest is not None
        today = {meant(each, events) for each in latest.labels} - {None}
        assert set(judged.prediction.labels) == today
        assert set(judged.prediction.scores) <= set(taxonomy.names)


def clean(store: Store) -> None:
    """An example begins where the one before began."""
    with store.database.writing() as connection:
        for table in ("gestures", "predictions", "outbox", "messages", "label_events"):
            connection.exec_driver_sql(f"delete from {table}")
    store.labels._read_at = 0.0
