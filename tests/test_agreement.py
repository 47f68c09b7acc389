"""How far people agree, as Krippendorff computes it."""

import krippendorff
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model.agreement import ENOUGH, agreement, alpha
from model.judgements import Gesture, Kind, MessageState, fold

PEOPLE, NAMES = ("ana", "eva", "luis"), ("app", "cuenta")
WORDS = st.lists(st.tuples(*[st.one_of(st.none(), st.booleans())] * len(PEOPLE)), min_size=1, max_size=25)


def states_of(words: list[tuple[bool | None, ...]]) -> list[MessageState]:
    """A message for each row: who said yes to `app` by name, who said no to all, and who said nothing."""
    return [
        fold(
            [
                Gesture(user=user, handle=user, at=at, kind=Kind.SET, labels=("app",) if word else ())
                for at, (user, word) in enumerate(zip(PEOPLE, row, strict=True))
                if word is not None
            ],
            names=NAMES,
            predicted=(),
        )
        for row in words
    ]


def as_package(words: list[tuple[bool | None, ...]], people: list[int]) -> float | None:
    """What the package says of the same: people x messages, with a gap where one said nothing."""
    table = np.array([[np.nan if row[who] is None else float(row[who]) for row in words] for who in people])
    pairable = table[:, (~np.isnan(table)).sum(axis=0) >= 2]
    if len(np.unique(pairable[~np.isnan(pairable)])) < 2:
        return None  # it raises, or divides by nothing
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement="nominal"))


@settings(max_examples=60, deadline=None)
@given(WORDS)
def test_agreement_is_what_the_package_computes(words: list[tuple[bool | None, ...]]) -> None:
    """A lead talks to people because of this number: whoever forgot somebody, and however few spoke."""
    found = agreement(states_of(words), NAMES)
    wanted = as_package(words, [0, 1, 2])
    assert found.labels["app"].value is None if wanted is None else abs(found.labels["app"].value - wanted) < 1e-9
    for (one, other), pair in found.pairs.items():
        people = [PEOPLE.index(one), PEOPLE.index(other)]
        both = [row for row in words if None not in (row[people[0]], row[people[1]])]
        # Over both labels: to `cuenta` everybody said no.
        doubled = [*both, *[(False,) * len(PEOPLE)] * len(both)]
        expected = as_package([tuple(row) for row in doubled], people)
        assert pair.value is None if expected is None else abs(pair.value - expected) < 1e-9
        assert pair.units == 2 * len(both) >= ENOUGH


def test_who_always_says_the_same_is_told_apart_from_who_agrees() -> None:
    """Two people who say no to all of a rare label agree on nothing that could have been otherwise."""
    assert alpha([(0, 2)] * 30).value is None
    assert alpha([(2, 0)] * 5 + [(0, 2)] * 5).value == 1
    assert alpha([(1, 1)] * 10).value < 0  # worse than chance
    assert alpha([(1, 0)]).units == 0
