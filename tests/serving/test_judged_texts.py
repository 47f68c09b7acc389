"""Texts that nearly repeat a judged one are found, and no others."""

import numpy as np

from model.learning.dataset import seed_messages
from model.serving.judged_texts import JudgedTexts, gather, judged_texts, sketch

TEXTS = [example.text for example in seed_messages()]


def known(texts: list[str]) -> JudgedTexts:
    """Texts of which the first label was said, at the place of their number."""
    said = np.tile(np.array([1, -1, 0], np.int8), (len(texts), 1))
    return gather([sketch(text) for text in texts], said, [f"C1:{number}" for number in range(len(texts))])


def test_each_text_finds_itself_and_the_last_word_of_it() -> None:
    """Whatever differs in case, accents and signs; said twice, the last counts."""
    texts = TEXTS[:200]
    index = known([*texts, texts[0]])
    for number, text in enumerate(texts[1:], start=1):
        found = index.find(f"¡{text.upper()}!")
        assert found is not None
        assert found.source == f"C1:{number}"
        assert found.said.tolist() == [1, -1, 0]
    last = index.find(texts[0])
    assert last is not None
    assert last.source == f"C1:{len(texts)}"


def test_a_slip_in_a_long_word_is_a_near_repeat() -> None:
    """One letter in the middle of the longest word, in texts of 60 characters or more: nine of ten are found."""
    long = [text for text in TEXTS if len(text) >= 60]
    index = known(long)
    found = 0
    for number, text in enumerate(long):
        word = max(text.split(), key=len)
        slipped = text.replace(word, word[: len(word) // 2] + "x" + word[len(word) // 2 + 1 :], 1)
        near = index.find(slipped)
        found += near is not None and near.source == f"C1:{number}"
    assert found >= 0.9 * len(long)


def test_a_small_word_more_makes_another_text() -> None:
    """They turn a sentence round."""
    index = known(["quiero cerrar la cuenta de ahorros que tengo en el banco"])
    assert index.find("no quiero cerrar la cuenta de ahorros que tengo en el banco") is None
    assert index.find("quiero cerrar la cuenta de ahorros que tengo en el bnaco") is not None
    assert known([]).find("hola") is None


def test_it_comes_back_from_its_arrays_as_it_was() -> None:
    """That is how it reaches the workers."""
    index = known(TEXTS[:50])
    again = judged_texts(index.arrays(), labels=3)
    for text in TEXTS[:60]:
        one, other = index.find(text), again.find(text)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert (one.source, one.said.tolist()) == (other.source, other.said.tolist())
