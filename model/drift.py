"""Whether what comes still is what a version was trained on: its own answers then and now, compared. Pure.

What a classifier says of two samples tells best, and cheaply, whether they differ (Rabanser et al. 2019, arXiv 1810.11953: tests
on its hard predictions, each label by itself, the level divided among them). Each test is Pearson's chi-square of two shares,
without a continuity correction; Holm (1979) keeps the chance of any false alarm below LEVEL, however many labels there are.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.schema import Card, Profile

# The chance of a false alarm, of all tests of one look together.
LEVEL = 0.01
# What is significant among many messages need not matter: a share must have moved by so much.
LEAST_CHANGE = 0.05
# Below, the chi-square approximation is poor (Cochran 1954), and little is known anyway.
LEAST_EXPECTED = 5.0
LEAST_MESSAGES = 100
# A text whose likeliest label is less likely is one that the version is unsure of.
UNSURE_BELOW = 0.8
# What is compared beside labels.
UNLABELLED, UNSURE = "", "?"


@dataclass(frozen=True)
class Shift:
    """A share that moved: `was` of the texts that the version was tested on, `is_now` of what came; `chance` is Holm's.

    `what` is a label, UNLABELLED or UNSURE.
    """

    what: str
    was: float
    is_now: float
    chance: float


@dataclass(frozen=True)
class Drift:
    """What moved, the largest change first, among `messages` that came and `texts` that the version was tested on."""

    messages: int
    texts: int
    shifts: tuple[Shift, ...]


def profile_of(scores: Sequence[Mapping[str, float]], thresholds: Mapping[str, float]) -> Profile:
    """Return what these answers look like: how many texts get each label, none, and none for sure."""
    given = [[name for name, score in each.items() if score >= thresholds.get(name, 1.1)] for each in scores]
    names = sorted({name for each in scores for name in each})
    return Profile(
        texts=len(scores),
        given={name: sum(name in labels for labels in given) for name in names},
        unlabelled=sum(not labels for labels in given),
        unsure=sum(max(each.values(), default=0.0) < UNSURE_BELOW for each in scores),
    )


def drift_of(card: Card, recent: Sequence[Mapping[str, float]]) -> Drift | None:
    """Return what moved between the texts that the version was tested on and its `recent` answers; None: too little to tell."""
    before = (card.scores.get("test") or card.scores["dev"]).profile
    if before is None or len(recent) < LEAST_MESSAGES or before.texts < LEAST_MESSAGES:
        return None
    now = profile_of(recent, card.thresholds_for({}))
    pairs = {name: (before.given[name], now.given.get(name, 0)) for name in before.given}
    pairs |= {UNLABELLED: (before.unlabelled, now.unlabelled), UNSURE: (before.unsure, now.unsure)}
    chances = {what: chance_of(*each, before.texts, now.texts) for what, each in pairs.items()}
    tested = {what: chance for what, chance in chances.items() if chance is not None}
    shifts = [
        Shift(what, pairs[what][0] / before.texts, pairs[what][1] / now.texts, chance)
        for what, chance in holm(tested).items()
        if chance < LEVEL
    ]
    shifts = [shift for shift in shifts if abs(shift.is_now - shift.was) >= LEAST_CHANGE]
    return Drift(now.texts, before.texts, tuple(sorted(shifts, key=lambda each: -abs(each.is_now - each.was))))


def chance_of(first: int, second: int, of_first: int, of_second: int) -> float | None:
    """Return how likely shares at least so unlike are if both are the same; None where too little is expected to tell."""
    both, total = first + second, of_first + of_second
    expected = min(both, total - both) * min(of_first, of_second) / total
    if expected < LEAST_EXPECTED:
        return None
    apart = first * (of_second - second) - second * (of_first - first)
    statistic = total * apart**2 / (both * (total - both) * of_first * of_second)
    return math.erfc(math.sqrt(statistic / 2))  # of chi-square with one degree of freedom


def holm(chances: Mapping[str, float]) -> dict[str, float]:
    """Return each chance as it is after Holm's correction: below a level if and only if his procedure rejects there."""
    adjusted: dict[str, float] = {}
    highest = 0.0
    for rank, (what, chance) in enumerate(sorted(chances.items(), key=lambda each: each[1])):
        highest = max(highest, min(1.0, (len(chances) - rank) * chance))
        adjusted[what] = highest
    return adjusted
