"""Why a text has its labels: the words that are named are those without which it would not have them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.learning.dataset import seed_examples
from model.schema import Mixture
from model.serving import classifier
from model.serving.classifier import Classifier
from model.serving.corrections import Corrections
from model.serving.explanation import CarriedText, explain
from model.serving.judged_texts import gather, sketch
from model.serving.nearest import Candidate, NearestTexts
from model.serving.normalise import normalise

TEXT = "Me clonaron la tarjeta y me sacaron plata del cajero, ¿qué hago? ¡Me clonaron la tarjeta!"


@pytest.fixture(scope="module")
def served(trained_version: Path) -> Classifier:
    return classifier.load(trained_version, device="cpu")


def weighed(served: Classifier, **weights: float) -> Classifier:
    made = served.corrected(None)
    made.mixture = Mixture(shift=served.mixture.shift, **weights)
    return made


def phrases(carried: CarriedText, labels: tuple[str, ...], name: str) -> list[str]:
    [found] = [each for each in carried.labels(labels) if each.label == name]
    return [" ".join(carried.words[first:end]) for first, end in found.words]


@pytest.mark.parametrize("text", [TEXT, "", "ok", "Cobran $190 en el cajero, el cajero del cajero", "<@U1> ¡AUXILIO! :sos: á"])
def test_the_lexical_share_is_exact(served: Classifier, text: str) -> None:
    """Each term's weight is on the words that it is in: together they are the logit, to the last digits."""
    assert served.lexical is not None
    carried = served.lexical.carried_by(normalise(text).split())
    np.testing.assert_allclose(carried.sum(axis=0) + served.lexical.bias, served.lexical.logits([text])[0], atol=1e-5)


def test_without_the_words_that_are_named_the_label_loses_more_than_without_others(served: Classifier) -> None:
    """Else the explanation would be a story; over the shipped test messages, by a version as it serves."""
    lost_named, lost_others, rng = [], [], np.random.default_rng(0)
    for example in seed_examples()["test"][:40]:
        carried = explain(served, example.text)
        for label in carried.labels(served.labels):
            named = {at for first, end in label.words for at in range(first, end)}
            others = sorted(set(range(len(carried.words))) - named)
            if not label.given or not named or len(others) < len(named):
                continue
            for left_out, lost in ((named, lost_named), (set(rng.permutation(others)[: len(named)]), lost_others)):
                left = " ".join(word for at, word in enumerate(carried.words) if at not in left_out)
                [after] = served.predict([left])
                lost.append(label.score - after.scores[label.label])
    assert len(lost_named) > 20
    assert np.mean(lost_named) > 0.3
    assert np.mean(lost_named) > 4 * abs(np.mean(lost_others))


@pytest.mark.parametrize("weights", [{"encoder": 1.0, "lexical": 0.0}, {"encoder": 0.0, "lexical": 1.0}])
def test_each_part_explains_alone(served: Classifier, weights: dict[str, float]) -> None:
    """Versions of before have no lexical part; in some the encoder does not help, and is not asked."""
    alone = weighed(served, **weights)
    carried = explain(alone, TEXT)
    assert any("tarjeta" in phrase for phrase in phrases(carried, alone.labels, "tarjeta"))
    assert not carried.in_parts


@pytest.mark.parametrize("text", ["", "   ", "…", "ok", "🙏", "a" * 40_000])
def test_any_text_is_explained(served: Classifier, text: str) -> None:
    """Also one without a word: then none is named, and nothing breaks."""
    carried = explain(served, text)
    assert [each.label for each in carried.labels(served.labels)] == list(served.labels)


def test_a_long_text_is_taken_in_pieces_and_still_finds_the_word(served: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cost has a limit, however long it is: a pass for each of 800 words would take a minute."""
    asked: list[int] = []
    logits = type(served.engine).logits

    def count(engine: object, encoded: list[list[int]]) -> object:
        asked.append(sum(map(len, encoded)))
        return logits(engine, encoded)  # type: ignore[arg-type]  # the engine itself

    monkeypatch.setattr(type(served.engine), "logits", count)
    carried = explain(served, "hola " * 150 + "me robaron la tarjeta " + "gracias por todo " * 200)
    assert carried.in_parts
    assert sum(asked) < 5000
    assert any("tarjeta" in phrase for phrase in phrases(carried, served.labels, "tarjeta"))


def test_what_people_said_of_the_same_text_does_not_hide_what_the_version_sees(served: Classifier) -> None:
    """They decide, and are named; the words are still the version's own reasons."""
    said = np.zeros((1, len(served.labels)), np.int8)
    said[0, served.labels.index("agencia")], said[0, served.labels.index("tarjeta")] = 1, -1
    carried = explain(served.corrected(Corrections(1, gather([sketch(TEXT)], said, ["C1:1.1"]))), TEXT)
    assert carried.known_from == "C1:1.1"
    plain = explain(served, TEXT)
    assert plain.known_from is None
    assert carried.prediction.scores == plain.prediction.scores


def test_corrections_explain_too(served: Classifier) -> None:
    """A lexical model that was fitted anew is the one that answers, so it is the one that is explained."""
    assert served.lexical is not None
    mute = replace(served.lexical, weights=np.zeros_like(served.lexical.weights))
    corrected = weighed(served, encoder=0.0, lexical=1.0)
    nobody = gather([sketch("xyz")], np.zeros((1, len(served.labels)), np.int8), ["C1:1.1"])
    corrected.corrections = Corrections(1, nobody, mute)
    assert not explain(corrected, TEXT).carried.any()


def test_the_nearest_is_the_one_that_shares_the_rare_words() -> None:
    """Of equals the newest first; what has nothing in common is not near."""
    texts = ["perdí mi tarjeta dorada", "me duele la cabeza", "PERDÍ mi tarjeta dorada", "la clave de la tarjeta", "xyz"]
    candidates = [Candidate(number, 1, text) for number, text in enumerate(texts, start=1)]
    nearest = NearestTexts()
    assert nearest.nearest("perdi la tarjeta dorada", candidates, 9) == [3, 1, 4]
    assert nearest.nearest("", candidates, 9) == []
    edited = [replace(candidates[0], revision=2, text="otra cosa"), *candidates[1:]]
    assert nearest.nearest("perdi la tarjeta dorada", edited, 9) == [3, 4]
    assert nearest.nearest("perdi la tarjeta", [], 9) == []
