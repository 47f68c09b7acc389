"""How far people agree on labels: Krippendorff's alpha. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from model.judgements import LabelState, MessageState

# On fewer messages an alpha is mostly chance, and is not told.
ENOUGH = 5


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's alpha over the `units` that two people or more judged: 1 is full agreement, 0 is chance.

    `value` is None where all said the same of all of them: then nothing tells agreement from habit.
    """

    value: float | None
    units: int


@dataclass(frozen=True)
class Agreement:
    """How far people agree by label, and by pair of people over all labels; pairs with little in common are left out."""

    labels: dict[str, Alpha]
    pairs: dict[tuple[str, str], Alpha]


def agreement(states: Iterable[MessageState], names: Sequence[str]) -> Agreement:
    """Return how far people agree on these labels, from the last word of each person on each label of each message.

    A unit is a label of a message. Those who spoke after others may have seen what those said.
    """
    by_label: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
    by_pair: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for state in states:
        for name in names:
            label = state.labels.get(name)
            if label is None or len(label.yes) + len(label.no) < 2:
                continue
            by_label[name].append((len(label.yes), len(label.no)))
            for pair, counts in _pairs(label):
                by_pair.setdefault(pair, []).append(counts)
    pairs = {pair: alpha(units) for pair, units in by_pair.items() if len(units) >= ENOUGH}
    return Agreement({name: alpha(units) for name, units in by_label.items()}, pairs)


def alpha(units: Sequence[tuple[int, int]]) -> Alpha:
    """Return Krippendorff's alpha for nominal data, of units with so many yes and so many no.

    1 - observed / expected disagreement, each pair of values within a unit weighed by 1 / (values of the unit - 1):
    Krippendorff, Content Analysis (2019), chapter 12. Units with one value say nothing.
    """
    pairable = [(yes, no) for yes, no in units if yes + no >= 2]
    values, all_yes = sum(yes + no for yes, no in pairable), sum(yes for yes, _ in pairable)
    observed = sum(2 * yes * no / (yes + no - 1) for yes, no in pairable)
    expected = 2 * all_yes * (values - all_yes) / (values - 1) if values else 0.0
    return Alpha(1 - observed / expected if expected else None, len(pairable))


def _pairs(label: LabelState) -> Iterable[tuple[tuple[str, str], tuple[int, int]]]:
    says = dict.fromkeys(label.yes, 1) | dict.fromkeys(label.no, 0)
    for one, other in combinations(sorted(says), 2):
        yes = says[one] + says[other]
        yield (one, other), (yes, 2 - yes)
