"""What is a question to the bot itself, and what is a message that somebody wants labelled."""

import pytest

from bot.slack.asked import Asked, read
from bot.slack.listeners.commands import WORDS
from model.learning.dataset import seed_messages


@pytest.mark.parametrize(
    "text",
    ["", "  ", "?", "ayuda", "¡Ayuda!", "AYUDA", "hola", "Hola.", "buenos días", "¿Qué puedes hacer?", "what can you do?", "help",
     "hola beto", "hola, Etiquetas", "/beto ayuda", "/beto", "beto"],
)  # fmt: skip
def test_whoever_greets_or_asks_wants_help(text: str) -> None:
    """“hola” was answered with “Lo más probable: Préstamo (2 %)”."""
    asked = read(text, WORDS, "Etiquetas")
    assert asked in {Asked("help"), Asked("word", "ayuda"), Asked("word", "help")}
    assert asked == Asked("help")


@pytest.mark.parametrize(
    ("text", "word"),
    [("historial", "historial"), ("Estado?", "estado"), ("/beto historial", "historial"), ("beto watch", "watch"),
     ("vuelve", "vuelve")],
)  # fmt: skip
def test_a_word_of_ours_alone_is_that_word(text: str, word: str) -> None:
    """In a thread a mention is the only way: Slack allows no commands there."""
    assert read(text, WORDS, "beto") == Asked("word", word)


@pytest.mark.parametrize(("text", "word"), [("historal", "historial"), ("estdao", "estado"), ("reentrna", "reentrena")])
def test_a_slip_of_the_pen_is_told_the_likeliest(text: str, word: str) -> None:
    assert read(text, WORDS, "beto") == Asked("likely", word)


@pytest.mark.parametrize(
    "text", ["vuelve a fallar la app", "deja de cobrarme comisiones", "estado de cuenta", "tarjeta", "fraude",
             "hola, no puedo entrar", "necesito ayuda con mi tarjeta", "gracias", "no", ":thumbsup:"],
)  # fmt: skip
def test_everything_else_is_a_message(text: str) -> None:
    """An order to go back to another version must not be read out of a complaint."""
    assert read(text, WORDS, "beto") is None


def test_no_shipped_message_with_a_label_is_a_question_to_the_bot() -> None:
    """A thousand messages of a bank: whoever mentions the bot in one of them wants its labels."""
    labelled = [example.text for example in seed_messages() if example.labels]
    assert [text for text in labelled if read(text, WORDS, "beto") is not None] == []
