"""What BETO's vocabulary cannot say is said in words before it is lost."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.serving.normalise import ALPHABET, normalise

VOCABULARY = os.environ.get("BETO_VOCABULARY", "")


@pytest.mark.parametrize(
    ("slack", "words"),
    [
        ("me cobraron €190", "me cobraron 190 euros"),
        ("son $45,20", "son 45,20 dólares"),
        ("pagué USD 300 y U$S 100", "pagué USD 300 y 100 dólares"),
        ("US$ 1.200 o 36,90 €", "1.200 dólares o 36,90 euros"),
        ("el 50 % y 3.5%", "el 50 por ciento y 3.5 por ciento"),
        ("A &amp; B", "A y B"),
        ("1 &lt; 2 y 3 &gt; 2", "1 menor que 2 y 3 mayor que 2"),
        ("&gt; me dijeron esto\nes falso", "me dijeron esto es falso"),
        ("oye <@U04AB12CD> mira", "oye usuario mira"),
        ("oye <@W1|ana>", "oye usuario"),
        ("va en <#C02XY34|reclamos>", "va en canal reclamos"),
        ("va en <#C02XY34>", "va en canal"),
        ("<!channel> caído", "todos caído"),
        ("<!here|here> caído", "todos caído"),
        ("<!subteam^S1|@cajas> ayuda", "equipo ayuda"),
        ("<!date^1392734382^{date}|18 de febrero>", "18 de febrero"),
        ("<https://www.ejemplo.com/a?b=c>", "enlace ejemplo.com"),
        ("<https://ejemplo.com/pagar|ejemplo.com/pagar>", "enlace ejemplo.com-pagar"),
        ("entra a https://ejemplo.com/x ya", "entra a enlace ejemplo.com ya"),
        ("<mailto:ana@ejemplo.com|ana@ejemplo.com>", "ana arroba ejemplo.com"),
        ("*ojo* _con_ ~esto~ `ya`", "ojo con esto ya"),
        ("gracias 🙏", "gracias manos en oración"),
        ("gracias :pray:", "gracias manos en oración"),
        ("bien :+1::skin-tone-3: 👍🏽", "bien pulgar hacia arriba pulgar hacia arriba"),
        ("vamos 🇪🇨", "vamos bandera ecuador"),
        (":loro_fiestero:", "loro fiestero"),
        ("a las 10:30:45", "a las 10:30:45"),
        ("«hola» “hola” — 12/05…", '"hola" "hola" - 12-05...'),
        ("caso #3", "caso número 3"),
        ("pingüino, façade; Nº 5", "pinguino, facade, No 5"),
        ("pa' qué", "pa qué"),
        ("graciaaaas", "gracias"),
        ("NO PUEDO ENTRAR", "no puedo entrar"),
        ("el IBAN", "el IBAN"),
        ("hola\u202e\u0000\n\tadiós\ud800", "hola adiós"),
        ("", ""),
        (" \u200b ", ""),
    ],
)
def test_slack_markup_signs_and_emoji_become_words(slack: str, words: str) -> None:
    """Whoever writes an amount, a link or an emoji is understood by a vocabulary that has none of them."""
    assert normalise(slack) == words


@given(st.text(max_size=300))
def test_saying_it_twice_changes_nothing(text: str) -> None:
    """Callers need not know whether a text was already prepared: training, serving and the pipeline agree."""
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize("text", ["PERDI llllllllllllll TARJETA", "NO\nSIRVE", "N" + "OS" * 60, "HOLA 👍👍👍👍"])
def test_shouting_is_heard_in_what_is_said_not_in_what_was_written(text: str) -> None:
    """Stretched letters and line breaks hid it the first time, and it was heard the second."""
    assert normalise(text) == normalise(normalise(text))


@given(st.text(st.sampled_from("ab:_+-*~<>&;@#|!/\\ \n1$€ltgmp🙏\u200d\ufe0f’üA"), max_size=60))
def test_saying_it_twice_changes_nothing_however_the_markup_nests(text: str) -> None:
    """Half-written markup is what people really type."""
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(st.characters(codec="latin-1"), max_size=200))
def test_latin_text_is_said_in_the_alphabet(text: str) -> None:
    """No customer's word is lost as [UNK] for a sign or an accent that Spanish keyboards have."""
    assert set(normalise(text)) <= ALPHABET | set("ðÐþÞμ")  # no accent makes them


def test_forty_thousand_characters_are_said() -> None:
    """Slack lets a person paste as much; the longest word must not become one [UNK] either."""
    said = normalise("x1" * 20_000)
    assert max(map(len, said.split())) <= 100
    assert len(normalise("hola 🙏 <@U1> " * 3_000)) > 40_000


def test_beto_can_say_every_character_of_the_alphabet() -> None:
    """The alphabet in the code is the one of the vocabulary that production uses."""
    if not VOCABULARY:
        pytest.skip("BETO_VOCABULARY names no vocab.txt of BETO's")
    vocabulary = set(Path(VOCABULARY).read_text(encoding="utf-8").split("\n"))
    letters = {char for char in ALPHABET if char.isalnum()}
    assert vocabulary >= (ALPHABET - {" "}) | {f"##{letter}" for letter in letters}
