"""Which messages teach most."""

import math

from model.review_order import most_teaching, uncertainty


def test_what_is_even_is_least_sure_and_each_label_counts() -> None:
    assert uncertainty({"a": 0.5}) == math.log(2)
    assert uncertainty({"a": 0.5, "b": 0.5}) == 2 * uncertainty({"a": 0.5})
    assert uncertainty({"a": 0.9}) == uncertainty({"a": 0.1}) < uncertainty({"a": 0.6})
    assert uncertainty({"a": 0.0, "b": 1.0}) == 0


def test_the_most_uncertain_comes_first_and_its_like_later() -> None:
    """The same thing asked twice teaches once."""
    texts = ["Perdí la tarjeta", "¡perdí la tarjeta!", "¿Cuánto me pagan?"]
    assert most_teaching(texts, [3.0, 2.9, 1.0], 3) == [0, 2, 1]
    assert most_teaching(texts, [3.0, 2.9, 1.0], 1) == [0]


def test_what_was_judged_lately_is_not_asked_again_in_other_words() -> None:
    """Its prediction is as old as the version: it does not know yet what was learnt."""
    texts = ["perdí la tarjeta ayer", "¿Cuánto me pagan?"]
    assert most_teaching(texts, [3.0, 1.0], 1, known=["Perdí la tarjeta"]) == [1]
    assert most_teaching([], [], 3) == []
