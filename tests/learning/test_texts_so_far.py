"""What changed among the judged texts costs time alone, and what workers get is as if all had been put together anew."""

import random

import numpy as np
import pytest

from model.labels import seed_taxonomy
from model.learning import texts_so_far
from model.learning.judged import Judged
from model.learning.texts_so_far import TextsSoFar
from model.schema import Example
from model.serving.judged_texts import JudgedTexts, Sketch, sketch

TAXONOMY = seed_taxonomy()


def judged(text: str, *labels: str) -> Judged:
    return Judged(Example(text=text, labels=labels, id=f"C1:{text[-3:]}"), 1)


def read(texts: TextsSoFar, of: dict[int, Judged], speaks: tuple[str, ...] = ()) -> JudgedTexts:
    return texts.read(dict(sorted(of.items())), TAXONOMY, TAXONOMY.names, speaks)


def test_what_was_judged_taken_back_and_judged_again_is_as_if_read_at_once() -> None:
    """Whoever restarts the trainer must not see other answers."""
    chance, so_far = random.Random(0), TextsSoFar()
    now: dict[int, Judged] = {}
    for step in range(60):
        at = chance.randrange(12)
        if chance.random() < 0.3:
            now.pop(at, None)
        else:  # of a few texts: several messages have the same one
            now[at] = judged(f"no me anda la tarjeta {chance.choice('abcd') * 3}", chance.choice(TAXONOMY.names))
        speaks = ("impresoras",) if step > 40 else ()
        ours, anew = read(so_far, now, speaks), read(TextsSoFar(), now, speaks)
        for name, array in anew.arrays().items():
            assert np.array_equal(ours.arrays()[name], array), (step, name)


def test_only_what_is_new_is_sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a hundred thousand judged messages whoever corrects one would wait for all."""
    sketched: list[str] = []

    def noted(text: str) -> Sketch:
        sketched.append(text)
        return sketch(text)

    monkeypatch.setattr(texts_so_far, "sketch", noted)
    so_far, now = TextsSoFar(), {at: judged(f"hola {at}", "cuenta") for at in range(20)}
    read(so_far, now)
    sketched.clear()
    read(so_far, {**now, 20: judged("adiós", "tarjeta")})
    assert sketched == ["adiós"]
