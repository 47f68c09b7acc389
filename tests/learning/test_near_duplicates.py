"""What says nearly the same is found, all of it, and fast."""

import random
import re
import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.learning import near_duplicates as duplicates
from model.learning.dataset import assign_splits, seed_messages, split_of
from model.learning.near_duplicates import first_near_duplicates
from model.text_key import canonical_text


def by_comparing_all(texts: Sequence[str]) -> tuple[list[int | None], list[float]]:
    """The definition itself, with sets of strings: Jaccard of the four-letter pieces at least 0.6; and each pair's Jaccard."""
    padded = [f" {canonical_text(text)} " for text in texts]
    sets = [{text[at : at + 4] for at in range(max(1, len(text) - 3))} for text in padded]
    firsts: list[int | None] = []
    all_pairs = []
    for here, one in enumerate(sets):
        alike = [len(one & other) / len(one | other) for other in sets[:here]]
        firsts.append(next((there for there, much in enumerate(alike) if much >= 0.6), None))
        all_pairs += alike
    return firsts, all_pairs


def variants(count: int, seed: int) -> list[str]:
    """Shipped messages, each several times with more and more of its words changed, in a shuffled order."""
    rng = random.Random(seed)
    messages = [example.text for example in seed_messages()]
    vocabulary = " ".join(messages).split()
    texts = []
    for text in rng.sample(messages, count // 8):
        for changed in range(8):
            words = text.split()
            for _ in range(changed):
                words[rng.randrange(len(words))] = rng.choice(vocabulary)
            texts.append(" ".join(words[: rng.choice((len(words), len(words), len(words) - 1, 1 + len(words) // 2))]))
    rng.shuffle(texts)
    return texts


@pytest.mark.parametrize("seed", [0, 1])
def test_exactly_those_are_found_that_comparing_all_with_all_finds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair that is missed is a test text that was trained on, and scores that promise too much."""
    monkeypatch.setattr(duplicates, "_BLOCK", 100)  # so that there are several of each here too
    monkeypatch.setattr(duplicates, "_PAIRS", 500)
    monkeypatch.setattr(duplicates, "_COUNTED", 20)
    monkeypatch.setattr(duplicates, "_CHARACTERS", 2000)
    texts = variants(640, seed)
    firsts, pairs = by_comparing_all(texts)
    assert sum(0.5 <= much < 0.6 for much in pairs) > 50  # else nothing is proved
    assert sum(0.6 <= much < 0.7 for much in pairs) > 50
    assert first_near_duplicates(texts) == firsts
    wanted = [at % 3 == 0 for at in range(len(texts))]
    assert first_near_duplicates(texts, wanted) == [first if at % 3 == 0 else None for at, first in enumerate(firsts)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ab ", max_size=12), max_size=12))
def test_short_texts_and_texts_at_the_very_edge_are_found_too(texts: list[str]) -> None:
    """With few pieces 3/5 is met exactly, where a rounding would err."""
    assert first_near_duplicates(texts) == by_comparing_all(texts)[0]


def test_a_text_sent_ten_thousand_times_costs_as_much_as_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alerts of a monitoring system, alike but for their numbers, must not make a retraining take hours."""
    counted: list[int] = []
    make = duplicates._Sets.__init__

    def count(self: duplicates._Sets, texts: Sequence[str]) -> None:
        counted.append(len(texts))
        make(self, texts)

    monkeypatch.setattr(duplicates._Sets, "__init__", count)
    firsts = first_near_duplicates([f"Alerta {n % 90 + 10}: el servidor de la agencia no responde" for n in range(10_000)])
    assert counted == [1]
    assert firsts == [None, *[0] * 9_999]


def test_case_accents_signs_and_amounts_do_not_make_a_new_text() -> None:
    """The same message typed on another keyboard stays on its side."""
    assert canonical_text("¡Me COBRARON $45,20!") == canonical_text("me cobraron 99.10") == "me cobraron 00 00"
    assert canonical_text("👍") == "👍"
    assert split_of("¿Qué pasó?") == split_of("que paso")


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=20))
def test_the_canonical_text_is_the_one_under_which_splits_are_stored(text: str) -> None:
    """However fast it is found: another one would move texts from test to train."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(each))
    words = re.sub(r"\d", "0", re.sub(r"[^\w]+|_+", " ", plain)).split()
    assert canonical_text(text) == (" ".join(words) or text.strip())


def test_near_duplicates_stand_on_one_side() -> None:
    """A text of the test split must not have been seen with one word changed."""
    texts = [f"Buenas, la transferencia número {n} a mi hermana no llega desde ayer" for n in range(40)]
    assert first_near_duplicates(texts)[1:] == [0] * 39
    assert len(set(assign_splits(texts))) == 1
    assert first_near_duplicates(["no puedo entrar", "la tarjeta no llegó"]) == [None, None]
