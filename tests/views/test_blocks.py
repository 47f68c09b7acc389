"""What a reply looks like."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.views import blocks, correction_blocks, home_blocks, label_names, reply_blocks
from bot.views.home_blocks import Workplace
from bot.views.texts import load_texts
from model.judgements import Gesture, Kind, LabelState, fold
from model.labels import Label, Taxonomy, seed_taxonomy
from model.reactions import Signs
from model.schema import Prediction


def reply(language: str = "es", *gestures: Gesture, **changes: object) -> tuple[str, str]:
    prediction = Prediction(
        version=3, base="mini", scores={"tarjeta": 0.923, "fraude": 0.61, "app": 0.004}, labels=("tarjeta", "fraude")
    ).model_copy(update=changes)
    state = fold(gestures, names=seed_taxonomy().names, predicted=prediction.labels)
    text, shown = reply_blocks.reply(prediction, state, seed_taxonomy(), load_texts(language))
    return text, json.dumps(shown, ensure_ascii=False)


def test_labels_stand_strongest_first_with_emoji_and_per_cent() -> None:
    text, shown = reply()
    assert text == "Tarjeta 92\N{NO-BREAK SPACE}% · ¿Fraude? 61\N{NO-BREAK SPACE}%"
    assert shown.index(":credit_card:\N{NO-BREAK SPACE}*Tarjeta*\N{NO-BREAK SPACE}92") < shown.index(
        ":rotating_light:\N{NO-BREAK SPACE}¿Fraude?\N{NO-BREAK SPACE}61"
    )


def blocks_of(prediction: Prediction, *gestures: Gesture, language: str = "es") -> tuple[str, list[blocks.Block]]:
    state = fold(gestures, names=seed_taxonomy().names, predicted=prediction.labels)
    return reply_blocks.reply(prediction, state, seed_taxonomy(), load_texts(language))


@pytest.mark.parametrize(("language", "asks"), [("es", "¿App y web?"), ("en", "App and web?")])
def test_a_label_that_is_not_sure_is_small_and_grey_and_a_question(language: str, asks: str) -> None:
    """A label at 38 % stood as bold as one at 99 %, and people took both for what is so; listeners read the text alone."""
    prediction = Prediction(version=1, base="mini", scores={"tarjeta": 0.8, "app": 0.79}, labels=("tarjeta", "app"))
    text, shown = blocks_of(prediction, language=language)
    sure, unsure = shown[0], shown[1]
    assert (sure["type"], unsure["type"]) == ("section", "context")
    assert asks not in str(sure)
    assert asks in str(unsure)
    assert "*" not in str(unsure)
    assert asks in text
    assert "?" not in text.replace(asks, "")
    _, shown = blocks_of(prediction.model_copy(update={"labels": ("app",)}), language=language)
    assert asks in str(shown[0])
    assert shown[0]["type"] == "context"


@pytest.mark.parametrize(("language", "mark"), [("es", "(aprendiendo)"), ("en", "(learning)")])
def test_a_label_that_is_known_by_its_description_is_marked_until_people_speak(language: str, mark: str) -> None:
    """Nobody should take a first guess for what the bot has learnt."""
    prediction = Prediction(
        version=1, base="e5", scores={"app": 0.6, "cajero": 0.7}, labels=("cajero", "app"), learning=("cajero",)
    )
    text, shown = blocks_of(prediction, language=language)
    assert text.count(mark) == 1
    assert text.index(mark) < text.index("App")
    assert "aprendiendo de" not in str(shown)
    text, _ = blocks_of(prediction, Gesture(user="U1", handle="x", at=1, kind=Kind.LABEL, labels=("cajero",)), language=language)
    assert mark not in text
    _, shown = blocks_of(prediction.model_copy(update={"learning": ("app", "cajero")}), language=language)
    assert load_texts(language)("reply.from_descriptions") in str(shown[-1])


def test_what_people_said_is_sure_whatever_the_network_thinks_of_it() -> None:
    prediction = Prediction(version=1, base="mini", scores={"app": 0.31, "cajero": 0.01}, labels=("app",))
    gestures = [Gesture(user="U1", handle=name, at=1, kind=Kind.LABEL, labels=(name,)) for name in ("app", "cajero")]
    text, _ = blocks_of(prediction, *gestures)
    assert text == "App y web ✓ · Cajero y efectivo +"


def test_nothing_unlikely_is_called_the_likeliest() -> None:
    """`Most likely: Loan (2 %)`, to somebody who only said hello."""
    for likely, says_so in ((0.19, False), (0.21, True)):
        prediction = Prediction(version=1, base="mini", scores={"prestamo": likely, "app": 0.01}, labels=())
        text, shown = blocks_of(prediction)
        assert text == "Ninguna etiqueta segura"
        assert ("Lo más probable" in str(shown)) == says_so


@pytest.mark.parametrize(("language", "heading"), [("es", "En disputa: "), ("en", "In dispute: ")])
def test_a_dispute_is_headed_as_one(language: str, heading: str) -> None:
    """Two people differed about the one label that there was, and the headline said that no label is certain."""
    prediction = Prediction(version=1, base="mini", scores={"fraude": 0.9, "tarjeta": 0.85}, labels=("fraude",))
    gestures = [
        Gesture(user="UANA", handle="a", at=1, kind=Kind.NONE),
        Gesture(user="ULUIS", handle="b", at=2, kind=Kind.LABEL, labels=("fraude",)),
    ]
    text, shown = blocks_of(prediction, *gestures, language=language)
    title = load_texts(language).title(seed_taxonomy()["fraude"])
    assert text == heading + title
    assert shown[0]["text"]["text"].startswith("⚖ *")
    assert title in shown[0]["text"]["text"]
    # Beside labels that stand.
    chosen = Gesture(user="UANA", handle="a", at=3, kind=Kind.SET, labels=("tarjeta",))
    text, _ = blocks_of(prediction, gestures[1], chosen)
    assert text == "En disputa: Fraude · Tarjeta +"


@pytest.mark.parametrize("language", ["es", "en"])
def test_a_settled_question_says_how_it_was_settled(language: str) -> None:
    """It stayed open for ever, and new people answered it."""
    taxonomy, texts = seed_taxonomy(), load_texts(language)
    cases = {
        "settled_yes": LabelState("confirmed", True, ("UANA", "ULUIS"), ("UMARIA",)),
        "settled_no": LabelState("rejected", False, ("UMARIA",), ("UANA", "ULUIS")),
        "settled_open": LabelState("predicted", None),
    }
    for key, state in cases.items():
        told = reply_blocks.settled("fraude", state, taxonomy, texts)
        assert told.startswith(texts.sentences[f"reply.{key}"].split("{")[0])
        assert ("<@UANA>, <@ULUIS>" in told) == (state.applies is not None)
        assert texts("reply.settled_by_experts") not in told
    outweighed = LabelState("confirmed", True, ("UANA",), ("ULUIS", "UMARIA"))
    assert texts("reply.settled_by_experts") in reply_blocks.settled("fraude", outweighed, taxonomy, texts)
    assert "retirada" in reply_blocks.settled("retirada", None, taxonomy, texts)


@pytest.mark.parametrize(
    ("text", "most", "words"),
    [
        ("no puedo entrar a la app", 60, "no puedo entrar a la app"),
        ("no puedo entrar a la app", 15, "no puedo…"),
        ("no puedo entrar, a la app", 17, "no puedo entrar…"),
        ("supercalifragilisticoespialidoso", 12, "supercalifr…"),
        ("gracias :clap: :+1::skin-tone-2:", 60, "gracias"),
        ("muy bien :clap:\n\nde verdad", 60, "muy bien de verdad"),
        (":clap:", 60, "…"),
        ("a las 10:30:45", 60, "a las 10:30:45"),
        ("5 &lt; 7 &amp; ya", 60, "5 &lt; 7 &amp; ya"),
        ("<@U0SIMUANA> mira <https://banco.example/a|esto> <mailto:a@b.ec> <!here>", 60, "@… mira esto a@b.ec @…"),
        ("uno|dos>", 60, "uno dos&gt;"),
        ("", 60, "…"),
    ],
)
def test_a_snippet_is_cut_after_a_word_and_says_that_more_follows(text: str, most: int, words: str) -> None:
    """`me cobraron una comi` looks like what somebody wrote, and `:clap::` like a fault."""
    assert blocks.snippet(text, most) == words


@given(st.text(max_size=200), st.integers(2, 80))
def test_what_is_shortened_fits(text: str, most: int) -> None:
    """Slack refuses a whole modal for one character too many."""
    short = blocks.shorten(text, most)
    assert len(short) <= most
    assert short == text or short.endswith("…")


def test_descriptions_beside_the_labels_are_cut_after_a_word() -> None:
    """Slack takes 75 characters; in mid-word they look broken."""
    options = label_names.label_options("", seed_taxonomy(), load_texts("es"))
    for option in options:
        short, whole = option["description"]["text"], seed_taxonomy()[option["value"]].description
        assert len(short) <= 75
        assert short == whole or re.match(re.escape(short.removesuffix("…")) + r"\W", whole)


def test_where_no_label_is_certain_the_best_guess_is_shown_as_a_guess() -> None:
    """An empty reply would look like a fault, a bare label like a certainty."""
    text, shown = reply(labels=())
    assert text == "Ninguna etiqueta segura"
    assert "Lo más probable: :credit_card:\N{NO-BREAK SPACE}Tarjeta (92" in shown


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
    assert "¿Fraude?\N{NO-BREAK SPACE}61" in shown
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
        _, shown = reply_blocks.reply(prediction, state, seed_taxonomy(), load_texts("es"), older=older)
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
        "the Home tab": home_blocks.home(Workplace(), taxonomy, texts, "beto"),
        "the modal": correction_blocks.labels_modal("hola", (), None, taxonomy, texts, metadata=""),
        "a search": label_names.label_options("cheque", taxonomy, texts),
        "a question": reply_blocks.dispute("cheque", disputed.labels["cheque"], taxonomy, texts),
    }
    for name, labels in {"a label": ("cheque",), "a guess": ()}.items():
        prediction = Prediction(version=1, base="mini", scores={"cheque": 0.9}, labels=labels)
        state = fold((), names=taxonomy.names, predicted=labels)
        shown[f"a reply with {name}"] = reply_blocks.reply(prediction, state, taxonomy, texts)
    for where, what in shown.items():
        words = json.dumps(what, ensure_ascii=False)
        assert "Cheques" in words, where
        assert "::" not in words, where
        assert not re.search(r":[a-z_]+:\W*Cheques", words), where
    modal = json.dumps(shown["the modal"], ensure_ascii=False)
    assert ":credit_card:\N{NO-BREAK SPACE}Tarjeta" in modal
    assert '"text": ""' not in modal  # Slack refuses an empty description, and the whole modal with it


def test_labels_are_found_by_what_people_type_in_any_case_and_without_accents() -> None:
    """With hundreds of labels typing is the only way to one."""
    taxonomy = seed_taxonomy()

    def found(typed: str, language: str = "es") -> list[str]:
        return [option["value"] for option in label_names.label_options(typed, taxonomy, load_texts(language))]

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
    options = label_names.label_options("cheque", Taxonomy(labels), load_texts("es"))
    assert [option["value"] for option in options] == ["c", *(f"n{n}" for n in range(99))]


@pytest.mark.parametrize("language", ["es", "en"])
def test_people_are_told_to_react_to_the_reply(language: str) -> None:
    """Reactions on the message itself are their own business, and nobody would know."""
    texts = load_texts(language)
    on_reply = {"es": "(reacciona|Reacciona).* a (esta|mi) respuesta", "en": "(react|React).* to (this|my) reply"}[language]
    on_message = {"es": "/beto reacciones mensaje", "en": "/beto reactions message"}[language]
    for key in ("reply.how", "reply.blind_how", "greeting.invited", "greeting.watched", "command.help"):
        assert re.search(on_reply, texts.sentences[key]), key
    assert on_message in texts.sentences["command.help"]
    # A message that a digest answered has no reply: its menu is what always works.
    assert "Corregir etiquetas" in texts.sentences["digest.how"]
    assert not re.search("reacci|react", texts.sentences["digest.how"], re.IGNORECASE)


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_signs_are_shown_as_the_workspace_set_them(language: str) -> None:
    """In the small line, the question of a blind message, the help and the Home tab; and no sign is written out anywhere."""
    texts = load_texts(language, Signs(correct="bien", wrong="mal", none="nada"))
    prediction = Prediction(version=3, base="mini", scores={"tarjeta": 0.9}, labels=("tarjeta",))
    state = fold((), names=seed_taxonomy().names, predicted=prediction.labels)
    taxonomy = seed_taxonomy().with_emoji({"tarjeta": "visa"})
    shown = str(reply_blocks.reply(prediction, state, taxonomy, texts))
    assert ":bien:" in shown
    assert ":mal:" in shown
    assert ":visa:" in shown
    assert ":nada:" in str(reply_blocks.blind(texts))
    home = str(home_blocks.home(Workplace(), taxonomy, texts, "beto"))
    assert all(f":{emoji}:" in home for emoji in ("bien", "mal", "nada", "visa"))
    for key, sentence in texts.sentences.items():
        if not key.startswith("run."):
            assert not re.search(":(white_check_mark|x|no_entry_sign):", sentence), key
