"""Thanks that are true: who is thanked, for what, and who is not."""

import random

import pytest
from sklearn.metrics import f1_score

from model.learning import thanks
from model.learning.baseline import fit_baseline
from model.learning.thanks import LEAST_JUDGED, contributions
from model.schema import Example, Split

LABELS = ("fraude", "tarjeta")
WORDS = {
    "fraude": ["robaron", "estafa", "phishing", "suplantaron", "clonada"],
    "tarjeta": ["tarjeta", "plástico", "visa", "débito", "banda"],
    "": ["gracias", "horario", "agencia", "buenos", "saludos"],
}


def some(label: str, number: int, chance: random.Random, by: tuple[str, ...] = ()) -> list[Example]:
    made = []
    for _ in range(number):
        text = " ".join(chance.choices(WORDS[label], k=2) + chance.choices(WORDS[""], k=3))
        made.append(Example(text=text, labels=(label,) if label else (), by=by))
    return made


@pytest.fixture
def data() -> dict[Split, list[Example]]:
    """All that is known of fraud, Ana said; of cards there is enough without Luis."""
    chance = random.Random(0)
    train = some("tarjeta", 40, chance) + some("", 40, chance)
    train += some("fraude", 20, chance, ("ANA",)) + some("tarjeta", 8, chance, ("LUIS",))
    rest = [each for name in (*LABELS, "") for each in some(name, 30, chance)]
    return {"train": train, "dev": rest[::2], "test": rest[1::2]}


def test_who_taught_a_label_is_thanked_with_what_it_is_by_scikit_learn(data: dict[Split, list[Example]]) -> None:
    [found] = contributions(data, LABELS)
    assert (found.user, found.label, found.judged, found.texts) == ("ANA", "fraude", 20, 15)
    truth = ["fraude" in example.labels for example in data["test"]]
    for f1, train in (
        (found.before, [each for each in data["train"] if each.by != ("ANA",)]),
        (found.after, data["train"]),
    ):
        fitted = fit_baseline(train, data["dev"], LABELS)
        given = ["fraude" in labels for labels in fitted.predict([example.text for example in data["test"]])]
        assert f1 == pytest.approx(f1_score(truth, given, zero_division=0))
    assert found.after > found.before


def test_whose_word_others_had_said_too_is_not_thanked_for_it(data: dict[Split, list[Example]]) -> None:
    """Who left would have changed nothing: the others said the same."""
    data["train"] = [
        each.model_copy(update={"by": ("ANA", "LUIS")}) if each.by == ("ANA",) else each for each in data["train"]
    ]  # fmt: skip
    assert contributions(data, LABELS) == []


def test_a_gain_that_may_be_chance_is_not_told(data: dict[Split, list[Example]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two test messages nobody knows; nor of what four messages did."""
    few = dict(data)
    few["test"] = [each for each in data["test"] if "fraude" not in each.labels] + [
        each for each in data["test"] if "fraude" in each.labels
    ][:9]
    assert contributions(few, LABELS) == []
    monkeypatch.setattr(thanks, "LEAST_JUDGED", 21)
    assert contributions(data, LABELS) == []
    assert LEAST_JUDGED == 5


def test_where_nothing_else_is_known_there_is_nothing_to_compare_with() -> None:
    chance = random.Random(1)
    mine = some("fraude", 10, chance, ("ANA",))
    assert contributions({"train": mine, "dev": [], "test": mine}, LABELS) == []
