"""What a reply looks like."""

import json
import re

import pytest

from bot.views import blocks
from bot.views.texts import load_texts
from model.judgements import Gesture, Kind, fold
from model.labels import Label, Taxonomy, seed_taxonomy
from model.schema import Prediction


def reply(language: str = "es", *gestures: Gesture, **changes: object) -> tuple[str, str]:
    prediction = Prediction(
        version=3, base="mini", scores={"tarjeta": 0.923, "fraude": 0.61, "app": 0.004}, labels=("tarjeta", "fraude")
    ).model_copy(update=changes)
    state = fold(gestures, names=seed_taxonomy().names, predicted=prediction.labels)
    text, shown = blocks.reply(prediction, state, seed_taxonomy(), load_texts(language))
    return text, json.dumps(shown, ensure_ascii=False)


def test_labels_stand_strongest_first_with_emoji_and_per_cent() -> None:
    text, shown = reply()
    assert text == "Tarjeta 92\N{NO-BREAK SPACE}% · Fraude 61\N{NO-BREAK SPACE}%"
    assert shown.index(":credit_card: *Tarjeta*\N{NO-BREAK SPACE}92") < shown.index(
        ":rotating_light: *Fraude*\N{NO-BREAK SPACE}61"
    )


def test_where_no_label_is_certain_the_best_guess_is_shown_as_a_guess() -> None:
    """An empty reply would look like a fault, a bare label like a certainty."""
    text, shown = reply(labels=())
    assert text == "Ninguna etiqueta segura"
    assert "Lo más probable: :credit_card: Tarjeta (92" in shown


def test_mini_is_never_called_beto() -> None:
    """Whoever reads a label should know what gave it."""
    assert "mini · versión 3" in reply()[1]
    assert "BETO · versión 3" in reply(base="dccuchile/bert-base-spanish-wwm-cased")[1]
    assert "BETO" not in reply(base="/models/otro-bert")[1]


def test_certainty_is_never_claimed() -> None:
    """0.999 is not 100 %, and 0.004 is not nothing."""
    assert [load_texts("es").percent(p) for p in (0.999, 0.004)] == ["99\N{NO-BREAK SPACE}%", "1\N{NO-BREAK SPACE}%"]


def said(kind: Kind, *labels: str, user: str = "UANA", at: int = 1) -> Gesture:
    predicted = ("tarjeta", "fraude")
    return Gesture(user=user, handle=f"{user}/{kind}/{labels}", at=at, kind=kind, labels=labels, predicted=predicted)


def test_the_reply_shows_what_was_said_and_by_whom() -> None:
    """People must see that their tap was understood, and others whom to ask."""
    _, shown = reply("es", said(Kind.LABEL, "tarjeta"), said(Kind.LABEL, "app", user="ULUIS"))
    assert "*Tarjeta*\N{NO-BREAK SPACE}✓" in shown
    assert "✓ Tarjeta: confirmado por <@UANA>" in shown
    assert "*App y web*\N{NO-BREAK SPACE}+" in shown
    assert "+ App y web: lo añade <@ULUIS>" in shown
    assert "*Fraude*\N{NO-BREAK SPACE}61" in shown
    _, shown = reply("es", said(Kind.WRONG))
    assert "✗ Tarjeta, Fraude: no, según <@UANA>" in shown
    assert "*Tarjeta*" not in shown
    _, shown = reply("es", said(Kind.LABEL, "tarjeta"), said(Kind.NONE, user="ULUIS"))
    assert "⚖ Tarjeta: en disputa (sí: <@UANA>; no: <@ULUIS>)" in shown


def test_no_label_by_agreement_is_not_shown_as_doubt() -> None:
    text, shown = reply("es", said(Kind.NONE))
    assert text == "Ninguna etiqueta"
    assert "Lo más probable" not in shown


def test_a_label_of_an_older_set_is_still_named() -> None:
    """A version of before a label was retired may still serve."""
    assert "*viejo*\N{NO-BREAK SPACE}80" in reply(scores={"viejo": 0.8}, labels=("viejo",))[1]


def test_a_cut_text_says_so() -> None:
    assert "leí solo el principio" in reply(truncated=True)[1]


def test_names_cannot_mention_everyone() -> None:
    """A label's name comes from a file that people edit."""
    assert "<!channel>" not in reply(scores={"<!channel>": 0.8}, labels=("<!channel>",))[1]


def test_both_languages_have_the_same_sentences_with_the_same_gaps() -> None:
    """A sentence that is missing in one language fails only when somebody needs it."""
    spanish, english = load_texts("es").sentences, load_texts("en").sentences
    assert set(spanish) == set(english)
    for key in spanish:
        gaps = [sorted({part.split("}")[0] for part in text.split("{")[1:]}) for text in (spanish[key], english[key])]
        assert gaps[0] == gaps[1], key


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_emoji_of_a_label_is_shown_in_its_reply(language: str) -> None:
    """The emoji is how people correct, so they must see which is which."""
    for label in seed_taxonomy():
        _, shown = reply(language, scores={label.name: 0.9}, labels=(label.name,))
        assert f":{label.emoji}:" in shown


def test_a_version_of_an_older_set_of_labels_says_so() -> None:
    """People must not wonder why it never gives the label that they made yesterday."""
    prediction = Prediction(version=3, base="mini", scores={"app": 0.9}, labels=("app",))
    state = fold((), names=seed_taxonomy().names, predicted=prediction.labels)
    for older in (False, True):
        _, shown = blocks.reply(prediction, state, seed_taxonomy(), load_texts("es"), older=older)
        assert ("aprendió con las etiquetas de antes" in str(shown[-1])) == older


def test_a_label_without_an_emoji_shows_none_anywhere() -> None:
    """`::` looks broken, and the emoji of another thing looks like one that could be tapped."""
    bare = Label(name="cheque", title="Cheques", title_en="Cheques", emoji="", description="")
    taxonomy, texts = Taxonomy([*seed_taxonomy(), bare]), load_texts("es")
    said_no_and_yes = (
        Gesture(user="U1", handle="a", at=1, kind=Kind.LABEL, labels=("cheque",)),
        Gesture(user="U2", handle="b", at=2, kind=Kind.NONE),
    )
    disputed = fold(said_no_and_yes, names=taxonomy.names, predicted=())
    shown: dict[str, object] = {
        "the Home tab": blocks.home(taxonomy, texts, "beto"),
        "the modal": blocks.labels_modal("hola", (), None, taxonomy, texts, metadata=""),
        "a search": blocks.label_options("cheque", taxonomy, texts),
        "a question": blocks.dispute("cheque", disputed.labels["cheque"], taxonomy, texts),
    }
    for name, labels in {"a label": ("cheque",), "a guess": ()}.items():
        prediction = Prediction(version=1, base="mini", scores={"cheque": 0.9}, labels=labels)
        state = fold((), names=taxonomy.names, predicted=labels)
        shown[f"a reply with {name}"] = blocks.reply(prediction, state, taxonomy, texts)
    for where, what in shown.items():
        words = json.dumps(what, ensure_ascii=False)
        assert "Cheques" in words, where
        assert "::" not in words, where
        assert not re.search(r":[a-z_]+:\W*Cheques", words), where
    modal = json.dumps(shown["the modal"], ensure_ascii=False)
    assert ":credit_card: Tarjeta" in modal
    assert '"text": ""' not in modal  # Slack refuses an empty description, and the whole modal with it


def test_labels_are_found_by_what_people_type_in_any_case_and_without_accents() -> None:
    """With hundreds of labels typing is the only way to one."""
    taxonomy = seed_taxonomy()

    def found(typed: str, language: str = "es") -> list[str]:
        return [option["value"] for option in blocks.label_options(typed, taxonomy, load_texts(language))]

    assert found("") == list(taxonomy.names)
    assert found("  INVERSION ahorro ") == ["ahorro"]
    assert found("Préstamo")[0] == found("prestamo", "en")[0] == "prestamo"
    by_description = taxonomy["fraude"].description.split()[-1].strip(".")
    assert "fraude" in found(by_description)
    assert found("xyzzy") == []


def test_a_match_in_the_title_comes_before_one_in_a_description() -> None:
    """Only the first hundred are shown."""
    labels = [
        Label(name=f"n{n}", title=f"T{n}", title_en="x", emoji="", description="como un cheque") for n in range(150)
    ] + [Label(name="c", title="Cheque", title_en="Check", emoji="", description="")]  # fmt: skip
    options = blocks.label_options("cheque", Taxonomy(labels), load_texts("es"))
    assert [option["value"] for option in options] == ["c", *(f"n{n}" for n in range(99))]
