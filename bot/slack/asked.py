"""What somebody wants who writes to the bot itself: help, a word of `/beto`, or labels for what they wrote."""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from typing import Literal, NamedTuple

# Greetings and questions, without accents and signs: whoever says these wants to know what the bot does.
HELP = {
    "", "ayuda", "ayudame", "help", "help me", "info", "hola", "hola que tal", "que tal", "buenas", "buenos dias",
    "buenas tardes", "buenas noches", "hello", "hi", "hey", "good morning", "que haces", "que puedes hacer", "que sabes hacer",
    "que eres", "quien eres", "como funciona", "como funcionas", "como te uso", "como se usa", "para que sirves",
    "what do you do", "what can you do", "what are you", "who are you", "how does this work", "how do you work",
    "how do i use you",
}  # fmt: skip
# As near must a lone word come to one of ours to be taken for a slip of the pen: it may be a message, too.
NEAR = 0.8
SHORTEST = 4


class Asked(NamedTuple):
    """`help`; or a `word` of ours, alone; or one that is nearly one of ours."""

    what: Literal["help", "word", "likely"]
    word: str = ""


def read(text: str, words: Iterable[str], bot_name: str) -> Asked | None:
    """Return what is asked of the bot itself; None where the text is a message to be labelled.

    Only texts that say nothing else count: "vuelve a fallar la app" is no order to go back.
    """
    said = _fold(text)
    for address in ("/beto", bot_name.lower(), "beto"):
        said = said.removeprefix(f"{address} ").removesuffix(f" {address}")
    if said in HELP or said in {"/beto", bot_name.lower(), "beto"}:
        return Asked("help")
    ours = {_fold(word): word for word in words if word}
    if said in ours:
        return Asked("word", ours[said])
    if " " in said or len(said) < SHORTEST:
        return None
    near = difflib.get_close_matches(said, ours, n=1, cutoff=NEAR)
    return Asked("likely", ours[near[0]]) if near else None


def _fold(text: str) -> str:
    """Return the words without case, accents, and the signs around them."""
    plain = "".join(each for each in unicodedata.normalize("NFD", text[:200].casefold()) if not unicodedata.combining(each))
    return " ".join(filter(None, (re.sub(r"^[^\w/]+|\W+$", "", word) for word in plain.split())))
