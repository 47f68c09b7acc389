"""Learning at once: what was judged counts on the next message, and nothing else is disturbed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.judgements import Gesture, Kind
from model.labels import LabelEvent
from model.learning.dataset import split_of
from model.learning.light_fit import LightFitter, _Known
from model.learning.refit import Refitter
from model.schema import Example, Message, Source
from model.serving import classifier
from model.serving.classifier import Classifier
from model.serving.corrections import read_corrections
from model.store.registry import Version
from model.store.store import Store
from tests.town import publish_version

FUTURE = 4_000_000_000_000_000  # microseconds, after any version was made
# Of the train split by their hash, and about what no shipped message is about.
PARROTS = [
    "mi loro perdió sus plumas",
    "el loro no come semillas",
    "mi loro y sus semillas",
    "un loro que no habla",
    "las plumas de mi loro",
    "quiero un loro",
    "vendo loro con jaula",
]
OWN = [text for text in PARROTS if split_of(text) == "train"]


@pytest.fixture
def version(store: Store, trained_version: Path) -> Version:
    found = store.registry.get(publish_version(store, trained_version))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def served(trained_version: Path) -> Classifier:
    return classifier.load(trained_version, device="cpu")


def judge(
    store: Store, text: str, *labels: str, ts: str, kind: Kind = Kind.SET, withdrawn: bool = False, at: int = FUTURE
) -> None:
    message = Message(channel="C1", ts=ts, user="U1", text=text, source=Source.CHANNEL)
    store.messages.save(message)
    gesture = Gesture(user="U1", handle=f"h/{ts}", at=at + withdrawn, kind=kind, labels=labels, withdrawn=withdrawn)
    store.gestures.add(gesture, channel="C1", item_ts=ts)


def corrected(store: Store, version: Version, served: Classifier) -> Classifier:
    """The version as it serves with what is judged now."""
    made = Refitter(store, version).refit()
    return served.corrected(None if made is None else read_corrections(made.corrections.to_bytes()))


def test_the_same_message_gets_what_people_said_of_it(store: Store, version: Version, served: Classifier) -> None:
    """Whoever has corrected a message and sees the same mistake again stops correcting; in whichever split it is."""
    texts = ["¿Me ayudan con algo raro?", "Zzz qqq", *PARROTS]
    for number, text in enumerate(texts):
        judge(store, text, "ahorro", "urgente", ts=f"{number}.1")
    serving = corrected(store, version, served)
    for number, text in enumerate(texts):
        for again in (text, text.upper() + "!!"):
            [prediction] = serving.predict([again])
            assert set(prediction.labels) == {"ahorro", "urgente"}
            assert prediction.known_from == f"C1:{number}.1"
            assert prediction.corrections == len(texts)
    assert serving.predict(["nadie ha hablado de esto"])[0].known_from is None


def test_a_message_of_the_same_kind_is_labelled_otherwise(store: Store, version: Version, served: Classifier) -> None:
    """From words that no training message has."""
    assert len(OWN) >= 2
    similar = "mi loro no quiere sus semillas"
    [before] = served.predict([similar])
    for number, text in enumerate(OWN):
        judge(store, text, "agencia", ts=f"{number}.1")
    [after] = corrected(store, version, served).predict([similar])
    assert after.scores["agencia"] > before.scores["agencia"] + 0.1


def test_what_is_taken_back_is_forgotten(store: Store, version: Version, served: Classifier) -> None:
    """A slip leaves no trace, also where it was learnt by the same process."""
    refitter = Refitter(store, version)
    judge(store, OWN[0], "agencia", ts="1.1")
    assert refitter.refit() is not None
    judge(store, OWN[0], "agencia", ts="1.1", withdrawn=True)
    assert refitter.refit() is None
    assert corrected(store, version, served).predict([OWN[0]]) == served.predict([OWN[0]])


def test_what_the_version_has_learnt_from_is_no_correction(store: Store, version: Version, served: Classifier) -> None:
    """The next training absorbs them, and the count begins anew; the very same text is known all the same."""
    judge(store, OWN[0], "agencia", ts="1.1", at=5)
    made = Refitter(store, version).refit()
    assert made is not None
    assert (made.corrections.count, made.corrections.lexical, made.corrections.head) == (0, None, None)
    [prediction] = served.corrected(made.corrections).predict([OWN[0]])
    assert prediction.labels == ("agencia",)


def test_a_near_repeat_gets_it_too_and_its_opposite_does_not(store: Store, version: Version, served: Classifier) -> None:
    """A slip of the pen is no other message; a "no" is one."""
    judge(store, "Quiero que me cambien la clave del cajero porque la olvidé ayer", "ahorro", ts="1.1")
    serving = corrected(store, version, served)
    [slip, opposite] = serving.predict(
        [
            "quiero que me canbien la clave del cagero porque la olvide ayer!",
            "No quiero que me cambien la clave del cajero porque la olvidé ayer",
        ]
    )
    assert slip.labels == ("ahorro",)
    assert slip.known_from == "C1:1.1"
    assert opposite.known_from is None


def test_what_is_judged_is_learnt_whichever_split_it_will_be_in(store: Store, version: Version) -> None:
    """A training begins anew, so that its test is about what it does not know, whatever was learnt at once meanwhile."""
    text = next(text for number in range(100) if split_of(text := f"el loro número {'i' * number} habla") == "test")
    judge(store, text, "agencia", ts="1.1")
    made = Refitter(store, version).refit()
    assert made is not None
    assert made.corrections.lexical is not None
    columns = len(LightFitter(store, version).before.idf)
    assert np.abs(made.corrections.lexical.weights[columns:]).max(initial=0) > 0


@pytest.mark.parametrize("learnt_dev", [False, True])
def test_what_a_refit_is_checked_on_neither_it_nor_the_version_has_learnt(
    store: Store, version: Version, learnt_dev: bool
) -> None:
    """Compared on what the version knows by heart, every refit would look worse, and none would serve."""
    judge(store, OWN[0], "agencia", ts="1.1")
    fitter = LightFitter(store, version)
    fitter._learnt_dev = learnt_dev
    known = fitter._known(replace(Refitter(store, version).read(), until=0))
    assert {split_of(each.text) for each in known.train[: -known.new]} == ({"train", "dev"} if learnt_dev else {"train"})
    assert {split_of(each.text) for each in known.check} == ({"test"} if learnt_dev else {"dev"})
    assert known.new == 1


def test_the_head_learns_what_labels_are_called(store: Store, version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where few messages carry a label, its name says most of it."""
    asked: list[str] = []
    monkeypatch.setattr(LightFitter, "_meanings_of", lambda _fitter, texts: asked.extend(texts))
    taxonomy = store.labels.current()
    known = _Known([Example(text=text, labels=("agencia",)) for text in PARROTS], len(PARROTS), [])
    assert LightFitter(store, version)._fit_head(known, taxonomy) is None
    assert asked[-len(PARROTS) :] == PARROTS
    assert {label.title for label in taxonomy} < set(asked)


def test_the_head_leaves_half_of_the_say_to_what_was_trained(
    store: Store, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a training made of the network knows more of a message than the base does, however much is new."""
    made = np.random.default_rng(0)
    monkeypatch.setattr(LightFitter, "_meanings_of", lambda _fitter, texts: made.normal(size=(len(texts), 8)))
    new = [Example(text=f"{PARROTS[0]} {at}", labels=("agencia",) if at % 2 else ()) for at in range(200)]
    head = LightFitter(store, version)._fit_head(_Known(new, len(new), []), store.labels.current())
    assert head is not None
    assert 0.4 < head.share.min() <= head.share.max() <= 0.5


def test_what_was_said_of_a_text_that_was_edited_since_counts_no_more(store: Store, version: Version) -> None:
    """It was said of other words; the same process notices without being told."""
    refitter = Refitter(store, version)
    judge(store, OWN[0], "agencia", ts="1.1")
    assert refitter.refit() is not None
    before = store.refits.learnable()
    store.messages.edit("C1", "1.1", "otra cosa", edited_at=FUTURE + 10)
    assert store.refits.learnable() != before
    assert refitter.refit() is None


def test_a_label_that_nobody_spoke_of_keeps_its_weights(store: Store, version: Version) -> None:
    """One tap on one label says nothing of the others, and they are not even fitted again."""
    refitter = Refitter(store, version)
    judge(store, OWN[0], "agencia", ts="1.1", kind=Kind.LABEL)
    first = refitter.refit()
    judge(store, OWN[1], "agencia", ts="2.1", kind=Kind.LABEL)
    second = refitter.refit()
    assert first is not None
    assert second is not None
    assert first.corrections.lexical is not None
    assert second.corrections.lexical is not None
    before, after = first.corrections.lexical, second.corrections.lexical
    at, terms = before.labels.index("agencia"), len(before.idf)
    others = [column for column in range(len(before.labels)) if column != at]
    assert np.array_equal(before.weights[:, others], after.weights[:terms, others])
    assert not np.array_equal(before.weights[:, at], after.weights[:terms, at])


def test_labels_that_nobody_spoke_of_say_what_they_said(store: Store, version: Version, served: Classifier) -> None:
    """Also of a message full of words that were learnt for another label: a correction must not make it forget."""
    for number, text in enumerate(OWN):
        judge(store, text, "agencia", ts=f"{number}.1", kind=Kind.LABEL)
    asked = [f"me clonaron la tarjeta, {OWN[0]} y {OWN[1]}", "no puedo entrar a la app", "gracias por el préstamo"]
    pairs = zip(served.predict(asked), corrected(store, version, served).predict(asked), strict=True)
    for before, after in pairs:
        assert after.corrections == len(OWN)
        for label in set(before.scores) - {"agencia"}:
            assert after.scores[label] == pytest.approx(before.scores[label], abs=1e-3), label


def test_refitting_on_and_on_leads_where_one_refit_leads(store: Store, version: Version, served: Classifier) -> None:
    """A worker that starts afresh, or another trainer, has the same corrections."""
    refitter = Refitter(store, version)
    for number, text in enumerate(OWN):
        judge(store, text, "agencia", ts=f"{number}.1")
        made = refitter.refit()
    assert made is not None
    stepwise, at_once = served.corrected(made.corrections), corrected(store, version, served)
    texts = ["mi loro no habla", "no puedo entrar a la app", "me clonaron la tarjeta"]
    for one, other in zip(stepwise.predict(texts), at_once.predict(texts), strict=True):
        assert max(abs(one.scores[label] - other.scores[label]) for label in served.labels) < 0.03


def test_what_makes_it_worse_on_dev_is_known_again_and_not_learnt(store: Store, version: Version, served: Classifier) -> None:
    """Somebody who labels everything the other way round spoils what they touched, and nothing else."""
    from model.learning.dataset import seed_examples

    wrong = [each for each in seed_examples()["train"] if each.labels][:200]
    for number, example in enumerate(wrong):
        others = [label for label in served.labels if label not in example.labels]
        text = next(text for more in range(99) if split_of(text := f"{example.text} {'x' * more}") == "train")
        judge(store, text, *others, ts=f"{number}.1")
    made = Refitter(store, version).refit()
    assert made is not None
    assert made.losses is not None
    assert made.losses[1] > made.losses[0]
    assert made.corrections.lexical is None
    assert made.corrections.head is None
    assert len(made.corrections.judged) == len(wrong)


def test_labels_are_read_in_their_names_of_today(store: Store, version: Version, served: Classifier) -> None:
    """The version knows the former name, and what is said of the new one is said of it."""
    judge(store, "Zzz qqq", "comision", ts="1.1")
    store.labels.record(LabelEvent(kind="merge", name="comision", into="cuenta", at=1, by="U1"))
    [prediction] = corrected(store, version, served).predict(["zzz QQQ"])
    assert "cuenta" in store.labels.current().read(prediction).labels


def test_corrections_come_back_from_bytes_as_they_were(store: Store, version: Version, served: Classifier) -> None:
    """They reach the workers by the database; broken ones are refused by name."""
    from model.errors import BrokenVersion

    judge(store, OWN[0], "agencia", ts="1.1")
    made = Refitter(store, version).refit()
    assert made is not None
    content = made.corrections.to_bytes()
    texts = [*PARROTS, "no puedo entrar a la app"]
    as_made, as_read = served.corrected(made.corrections), served.corrected(read_corrections(content))
    for one, other in zip(as_made.predict(texts), as_read.predict(texts), strict=True):
        assert max(abs(one.scores[label] - other.scores[label]) for label in served.labels) < 1e-3
    with pytest.raises(BrokenVersion, match="corrections"):
        read_corrections(content[:-100])
