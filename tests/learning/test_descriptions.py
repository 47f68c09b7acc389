"""A label works from its name: at once, beside the others, and with no message at all."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from model.digits import shortened
from model.errors import BrokenVersion
from model.judgements import Gesture, Kind
from model.label_file import write_labels
from model.labels import Label, LabelEvent, Taxonomy, seed_taxonomy
from model.learning.dataset import split_of
from model.learning.describing import SILENT, describe_version, is_all_there_is
from model.learning.descriptions import ENOUGH, Describer
from model.learning.light_head import fit_beside
from model.learning.refit import Refitter
from model.learning.retraining import run_training
from model.schema import UNTAUGHT, Example, Message, Source
from model.serving import classifier
from model.serving.calibration import sigmoid
from model.serving.classifier import Classifier
from model.serving.corrections import Corrections, read_corrections
from model.serving.described import GIVEN_FROM, MOST_LIKELY
from model.serving.head import LENGTH
from model.serving.judged_texts import gather
from model.serving.version_folder import write_card
from model.settings import ModelSettings
from model.store.registry import Version
from model.store.store import Store
from tests.letters import letters_checkpoint
from tests.town import publish_version
from worker.refitting import CALM_S, RefitKeeper

NOTHING_SAID = gather([], np.zeros((0, 1), np.int8), [])
FUTURE = 4_000_000_000_000_000  # microseconds, after any version was made
PRINTERS = Label(
    name="impresoras",
    title="Impresoras",
    title_en="Printers",
    emoji="printer",
    description="La impresora, el tóner, hojas atascadas.",
)
OWN = Taxonomy(
    [
        PRINTERS,
        Label(name="vacaciones", title="Vacaciones", title_en="", emoji="", description="Días libres, permisos, feriados."),
        Label(name="nomina", title="Nómina", title_en="", emoji="", description="El sueldo, el rol de pagos, descuentos."),
        Label(
            name="redes", title="Redes", title_en="", emoji="", description="Internet, wifi, cables, la conexión de la oficina."
        ),
    ]
)
JAMMED = "la impresora tiene hojas atascadas"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint of chance that reads letters: what a text means is noise then, and its words are what tells."""
    return letters_checkpoint(tmp_path_factory.mktemp("base"), layers=2)


@pytest.fixture(scope="module")
def own(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first version of a team with four labels and no message."""
    out = tmp_path_factory.mktemp("own") / "version"
    describe_version(OWN, [], base=base, out=out, home=out)
    return out


@pytest.fixture(scope="module")
def shipped(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version that was taught the shipped labels, as far as its card says, and says nothing of them."""
    out = tmp_path_factory.mktemp("shipped") / "version"
    card = describe_version(seed_taxonomy(), [], base=base, out=out, home=out)
    write_card(out, card.model_copy(update={"settings": card.settings | {UNTAUGHT: ""}}))
    return out


@pytest.fixture
def version(store: Store, shipped: Path) -> Version:
    found = store.registry.get(publish_version(store, shipped))
    assert found is not None
    return found


def corrected(refitter: Refitter, folder: Path) -> Classifier:
    """The version as it serves with what is known now."""
    made = refitter.refit()
    assert made is not None
    return classifier.load(folder, device="cpu").corrected(read_corrections(made.corrections.to_bytes()))


def judge(store: Store, text: str, *labels: str, ts: str) -> None:
    store.messages.save(Message(channel="C1", ts=ts, user="U1", text=text, source=Source.CHANNEL))
    gesture = Gesture(user="U1", handle=f"h/{ts}", at=FUTURE, kind=Kind.LABEL, labels=labels)
    store.gestures.add(gesture, channel="C1", item_ts=ts)


def texts_of_train(many: int) -> Sequence[str]:
    return [text for number in range(200) if split_of(text := f"se atascó la máquina del piso {'i' * number}") == "train"][:many]


def test_a_team_with_labels_and_no_message_has_answers_on_the_first_day(own: Path) -> None:
    """From what they wrote of their labels; all of it is said to be learning, and nothing is sure."""
    [jammed, pay] = classifier.load(own, device="cpu").predict([JAMMED, "me descontaron del sueldo en el rol de pagos"])
    assert jammed.labels[0] == "impresoras"
    assert pay.labels[0] == "nomina"
    assert set(jammed.learning) == set(jammed.scores) == set(OWN.names)
    assert max(*jammed.scores.values(), *pay.scores.values()) <= MOST_LIKELY


def test_descriptions_are_all_there_is_while_no_message_carries_a_label() -> None:
    """What is written of a label is no message; mini knows no language, and learns from it as well as it can."""
    written = [Example(text="x", labels=("redes",), id="label:redes")]
    assert is_all_there_is("e5", OWN, [*written, Example(text="y", labels=(), unknown=OWN.names)])
    assert not is_all_there_is("e5", OWN, [*written, Example(text="y", labels=("redes",))])
    assert not is_all_there_is("mini", OWN, written)


def test_a_new_label_speaks_at_once_and_the_others_say_what_they_said(store: Store, version: Version, shipped: Path) -> None:
    """Nobody waits for a training, and nobody's label is disturbed."""
    refitter = Refitter(store, version)
    assert refitter.refit() is None
    store.labels.record(LabelEvent(kind="add", name=PRINTERS.name, label=PRINTERS, at=5, by="U1"))
    [after] = corrected(refitter, shipped).predict([JAMMED])
    assert "impresoras" in after.labels
    assert after.learning == ("impresoras",)
    assert after.corrections == 0
    # Of the taught ones this version's network says so much, whatever is written of them.
    taught = [after.scores[name] for name in seed_taxonomy().names]
    assert taught == [shortened(float(sigmoid(np.array(SILENT))), GIVEN_FROM)] * len(taught)


def test_a_label_that_another_process_has_just_added_speaks_at_once(
    store: Store, store_url: str, tmp_path: Path, version: Version
) -> None:
    """The trainer had read the labels a moment before, fitted by those, and took that for the answer until somebody judged."""
    keeper = RefitKeeper(store)
    assert PRINTERS.name not in store.labels.current()
    bot = Store(store_url, tmp_path)
    bot.labels.record(LabelEvent(kind="add", name=PRINTERS.name, label=PRINTERS, at=5, by="U1"))
    bot.close()
    for _ in range(3):
        keeper.look()
        time.sleep(CALM_S)
    made = store.refits.newest(version.number)
    assert made is not None
    described = read_corrections(store.refits.corrected(made.id) or b"").described
    assert described is not None
    assert described.speaks == (PRINTERS.name,)


def test_a_label_that_is_retired_speaks_no_more(store: Store, version: Version) -> None:
    """Within the second, as it came."""
    refitter = Refitter(store, version)
    store.labels.record(LabelEvent(kind="add", name=PRINTERS.name, label=PRINTERS, at=5, by="U1"))
    assert refitter.refit() is not None
    store.labels.record(LabelEvent(kind="retire", name=PRINTERS.name, at=6, by="U1"))
    assert refitter.refit() is None


def test_ten_messages_that_carry_it_make_it_a_label_like_others(store: Store, version: Version, shipped: Path) -> None:
    """Its messages teach it words that its description does not have, and then it is no longer marked."""
    store.labels.record(LabelEvent(kind="add", name=PRINTERS.name, label=PRINTERS, at=5, by="U1"))
    refitter, texts = Refitter(store, version), texts_of_train(ENOUGH + 1)
    unseen = texts[-1]
    [first] = corrected(refitter, shipped).predict([unseen])
    for number, text in enumerate(texts[: ENOUGH - 1]):
        judge(store, text, "impresoras", ts=f"{number}.1")
    assert corrected(refitter, shipped).predict([unseen])[0].learning == ("impresoras",)
    judge(store, texts[ENOUGH - 1], "impresoras", ts="99.1")
    [after] = corrected(refitter, shipped).predict([unseen])
    assert after.learning == ()
    assert after.corrections == ENOUGH
    assert after.scores["impresoras"] > first.scores["impresoras"]
    assert "impresoras" in after.labels


def test_the_first_messages_correct_a_description_and_do_not_replace_it(own: Path) -> None:
    """With two messages somebody would see the bot know less than with none."""
    describer, background = Describer(own), [f"hola, {'a' * number} buenos días" for number in range(20)]
    none = describer.describe(OWN, OWN.names, background, [])
    said = [Example(text=f"sin papel {'x' * n}", labels=("impresoras",), unknown=("redes",)) for n in range(2)]
    some = describer.describe(OWN, OWN.names, background, said)
    assert none is not None
    assert some is not None
    # Of a label that nobody spoke of nothing changes.
    assert not some.judged[:, OWN.names.index("redes")].any()
    serving = classifier.load(own, device="cpu")
    [jammed] = serving.corrected(Corrections(2, NOTHING_SAID, described=some)).predict([JAMMED])
    assert "impresoras" in jammed.labels


def test_who_says_that_a_label_does_not_apply_is_believed(own: Path) -> None:
    """A description that sounds like everything would stay wrong for ever."""
    describer, background = Describer(own), [f"hola, {'a' * number} buenos días" for number in range(20)]
    said = [Example(text=f"{JAMMED} {'x' * n}", labels=("redes",)) for n in range(12)]
    some = describer.describe(OWN, OWN.names, background, said)
    serving = classifier.load(own, device="cpu")
    [before] = serving.predict([JAMMED])
    [after] = serving.corrected(Corrections(12, NOTHING_SAID, described=some)).predict([JAMMED])
    assert before.scores["impresoras"] > after.scores["impresoras"]
    assert after.labels == ("redes",)


def test_what_people_said_of_the_very_same_text_stands_for_a_new_label_too(store: Store, version: Version, shipped: Path) -> None:
    """Whoever corrected a message must not see the same mistake again."""
    store.labels.record(LabelEvent(kind="add", name=PRINTERS.name, label=PRINTERS, at=5, by="U1"))
    judge(store, "zzz qqq", "impresoras", ts="1.1")
    [after] = corrected(Refitter(store, version), shipped).predict(["Zzz, qqq"])
    assert after.labels == ("impresoras",)


def test_a_network_that_knows_no_language_stays_silent_about_a_new_label(store: Store, trained_version: Path) -> None:
    """Mini was trained on what is there, from nothing: a description would be chance to it."""
    version = store.registry.get(publish_version(store, trained_version))
    assert version is not None
    store.labels.record(LabelEvent(kind="add", name=PRINTERS.name, label=PRINTERS, at=5, by="U1"))
    assert Refitter(store, version).refit() is None


def test_what_is_served_is_what_was_made_or_is_refused(own: Path) -> None:
    """It goes to the workers through the database."""
    described = classifier.load(own, device="cpu").described
    assert described is not None
    read = read_corrections(Corrections(0, NOTHING_SAID, described=described).to_bytes()).described
    assert read is not None
    assert (read.labels, read.speaks, read.learning) == (described.labels, described.speaks, described.learning)
    assert np.abs(read.meanings - described.meanings).max() < 1e-3
    with pytest.raises(BrokenVersion):
        read_corrections(
            Corrections(
                0, NOTHING_SAID, described=type(described)(**{**vars(described), "centre": described.centre[:-1]})
            ).to_bytes()
        )


def test_the_first_run_of_a_team_without_messages_makes_a_version_that_serves(store: Store, tmp_path: Path, base: str) -> None:
    """From a file of labels to an answer, by the road that every version goes; and there is nothing new to learn at once."""
    file = tmp_path / "labels.yaml"
    file.write_text(write_labels(OWN), encoding="utf-8")
    store.begin_labels(file)
    settings = ModelSettings(home=tmp_path, base=base, device="cpu")
    for _ in range(2):
        run_id, _ = store.runs.open("U1")
        run_training(store, settings, run_id)
        assert store.runs.get(run_id).status == "done", store.runs.get(run_id).error
    live = store.registry.live()
    assert live is not None
    assert (live.number, live.card.untaught) == (1, OWN.names)
    assert live.card.describes
    [jammed] = classifier.load(live.folder, device="cpu").predict([JAMMED])
    assert jammed.labels[0] == "impresoras"


def test_one_message_says_little_however_many_say_nothing() -> None:
    """Among hundreds that nobody spoke of it would else make the label deaf to all that is not like it."""
    rng = np.random.default_rng(0)
    texts = rng.normal(size=(301, 16))
    texts *= LENGTH / np.linalg.norm(texts, axis=1, keepdims=True)
    truth, beside = np.zeros((301, 1)), np.full((301, 1), -2.0)
    truth[-1], beside[-1] = 1, 0.5
    weights, _ = fit_beside(texts, truth, np.ones_like(truth), beside)
    others = rng.normal(size=(100, 16))
    others *= LENGTH / np.linalg.norm(others, axis=1, keepdims=True)
    after = 0.5 + others @ weights[:-1] + weights[-1]
    assert (after > 0).mean() > 0.5
