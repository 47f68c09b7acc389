"""Drift and proposals: told where something changed that matters, and never without a reason."""

import random

import numpy as np
import pytest
from scipy import stats

from model.drift import LEAST_MESSAGES, LEVEL, UNLABELLED, chance_of, drift_of, holm, profile_of
from model.proposal import Brought, propose
from model.schema import Card, Scores

LABELS = ("fraude", "tarjeta", "cuenta", "app", "ahorro", "cajero")
Answer = dict[str, float]


def answers(number: int, seed: int, shares: dict[str, float]) -> list[Answer]:
    """What a version says of so many messages, of which these shares carry each label."""
    chance = random.Random(seed)
    return [
        {name: 0.9 if chance.random() < share else 0.05 for name, share in shares.items()} for _ in range(number)
    ]  # fmt: skip


SHARES = dict(zip(LABELS, (0.05, 0.3, 0.2, 0.15, 0.1, 0.1), strict=True))


def a_card(tested: list[Answer]) -> Card:
    thresholds = dict.fromkeys(LABELS, 0.4)
    scores = Scores(
        texts=len(tested), jaccard=1, micro_f1=1, macro_f1=1, exact_match=1, per_label={}, ece=0,
        profile=profile_of(tested, thresholds),
    )  # fmt: skip
    return Card(
        base="mini", labels=LABELS, thresholds=thresholds, seed=0, settings={}, data_sha256="", texts={}, baseline={},
        scores={"test": scores}, seconds=0, created_at="", code_version="",
    )  # fmt: skip


def test_chances_are_scipy_s() -> None:
    """Each test is a chi-square of four counts, as anybody computes it."""
    chance = random.Random(3)
    compared = 0
    for _ in range(300):
        first, second = chance.randint(20, 400), chance.randint(20, 1000)
        a, b = chance.randint(0, first), chance.randint(0, second)
        table = np.array([[a, first - a], [b, second - b]])
        ours = chance_of(a, b, first, second)
        rows, columns = table.sum(axis=1), table.sum(axis=0)
        expected = rows[:, None] * columns[None, :] / table.sum()
        assert (ours is None) == (expected.min() < 5)
        if ours is not None:
            theirs = stats.chi2_contingency(table, correction=False)
            assert ours == pytest.approx(float(theirs.pvalue), abs=1e-12, rel=1e-9)
            compared += 1
    assert compared > 200


def test_the_correction_is_holm_s() -> None:
    """He goes from the smallest chance on, and stops at the first that is not below its share of the level."""
    chance = random.Random(5)
    for _ in range(200):
        given = {str(number): chance.random() ** 6 for number in range(chance.randint(1, 20))}
        rejected = set()
        for rank, (what, each) in enumerate(sorted(given.items(), key=lambda pair: pair[1])):
            if each >= LEVEL / (len(given) - rank):
                break
            rejected.add(what)
        assert {what for what, each in holm(given).items() if each < LEVEL} == rejected


def test_where_nothing_changed_nothing_is_said() -> None:
    """Whoever is warned for nothing does not read the next warning: at most once in a hundred looks."""
    alarms = 0
    for seed in range(200):
        found = drift_of(a_card(answers(285, seed, SHARES)), answers(1000, 1000 + seed, SHARES))
        assert found is not None
        alarms += bool(found.shifts)
    assert alarms <= 4


def test_what_changed_is_named_with_what_it_was() -> None:
    now = SHARES | {"fraude": 0.25}
    found = drift_of(a_card(answers(285, 1, SHARES)), answers(1000, 2, now))
    assert found is not None
    assert found.shifts[0].what == "fraude"
    assert (found.messages, found.texts) == (1000, 285)
    assert found.shifts[0].was == pytest.approx(0.05, abs=0.04)
    assert found.shifts[0].is_now == pytest.approx(0.25, abs=0.04)


def test_what_is_certain_and_small_is_not_worth_a_word() -> None:
    """Among very many messages everything differs."""
    found = drift_of(a_card(answers(20_000, 1, SHARES)), answers(20_000, 2, SHARES | {"tarjeta": 0.34}))
    assert found is not None
    assert found.shifts == ()


def test_messages_about_something_else_are_noticed_by_what_carries_no_label() -> None:
    found = drift_of(a_card(answers(285, 1, SHARES)), answers(300, 2, dict.fromkeys(LABELS, 0.01)))
    assert found is not None
    assert UNLABELLED in {shift.what for shift in found.shifts}


def test_too_little_tells_nothing() -> None:
    assert drift_of(a_card(answers(285, 1, SHARES)), answers(LEAST_MESSAGES - 1, 2, SHARES)) is None
    assert drift_of(a_card(answers(10, 1, SHARES)), answers(1000, 2, SHARES)) is None
    former = a_card([]).model_copy(update={"scores": {"test": a_card([]).scores["test"].model_copy(update={"profile": None})}})
    assert drift_of(former, answers(1000, 2, SHARES)) is None


@pytest.mark.parametrize(
    ("new", "before", "expected"),
    [
        (49, [Brought(100, 0.02)], None),
        (60, [], (60, None, 0)),
        (60, [Brought(0, 0.02)], (60, None, 0)),
        (60, [Brought(100, 0.02)], (60, 0.012, 1)),
        (60, [Brought(100, 0.02), Brought(100, 0.01), Brought(100, 0.0)], (60, 0.006, 3)),
        (900, [Brought(100, 0.02), Brought(100, 0.01)], (900, 0.02, 2)),  # never more than the best of those
        (900, [Brought(100, -0.02)], (900, -0.18, 1)),
    ],
)
def test_a_retraining_is_proposed_with_what_those_before_it_brought(
    new: int, before: list[Brought], expected: tuple[int, float | None, int] | None
) -> None:
    found = propose(new, before)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert (found.judgements, found.of) == (expected[0], expected[2])
    assert found.gain == (None if expected[1] is None else pytest.approx(expected[1]))
