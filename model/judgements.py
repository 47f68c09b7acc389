"""What people said about a message's labels, and what follows from it. Pure: gestures in, state out.

A gesture is kept as it was made and never changed; the state is computed from all of them, in Slack's own order of time.
So it does not matter in which order they reached us, or how often.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from model.schema import Frozen

# How the word of a lead is marked that decides a dispute.
VIA_SETTLE = "settle"


class Kind(StrEnum):
    """The meaning of a gesture; `/beto ayuda` tells people which gesture has which."""

    LABEL = "label"  # this label applies; nothing is said of others
    CORRECT = "correct"  # what is shown is right and complete
    WRONG = "wrong"  # what is shown is wrong, but for labels that this person named
    NONE = "none"  # no label applies
    SET = "set"  # exactly these labels apply


class Gesture(Frozen):
    """One thing that one person did, or took back.

    `handle` names what a withdrawal takes back: the same person, item and reaction. `at` is Slack's time of the gesture
    in microseconds. `predicted` are the labels that the network had given when it was made.
    """

    user: str
    handle: str
    at: int
    kind: Kind
    labels: tuple[str, ...] = ()  # of LABEL (one) and SET
    silent: tuple[str, ...] = ()  # labels that a SET, NONE or CORRECT says nothing about
    withdrawn: bool = False  # the gesture takes `handle` back instead of making it
    predicted: tuple[str, ...] = ()
    via: str = "reaction"  # reaction | button | modal | import | undo | review | VIA_SETTLE


Status = Literal["predicted", "confirmed", "added", "rejected", "disputed", "unjudged"]


@dataclass(frozen=True)
class LabelState:
    """The state of one label: who says yes, who says no, and what follows.

    `applies` is None where nobody said anything or opinions are even: the network's word stands then, and training
    does not learn from it.
    """

    status: Status
    applies: bool | None
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    settled_by: str = ""  # the lead whose word decides, whatever the majority says


@dataclass(frozen=True)
class MessageState:
    """The labels of one message, in the taxonomy's order."""

    labels: Mapping[str, LabelState]
    judges: tuple[str, ...] = ()  # everybody who said something that counts
    predicted: frozenset[str] = frozenset()  # what the network says

    @property
    def shown(self) -> tuple[str, ...]:
        """Return the labels that stand: said by people, or predicted and not contradicted."""
        return tuple(name for name, state in self.labels.items() if _stands(state))

    @property
    def disputed(self) -> tuple[str, ...]:
        """Return the labels on which opinions are even."""
        return tuple(name for name, state in self.labels.items() if state.status == "disputed")

    @property
    def unknown(self) -> tuple[str, ...]:
        """Return the labels that nobody decided: training masks them."""
        return tuple(name for name, state in self.labels.items() if state.applies is None)


@dataclass(frozen=True)
class _Word:
    """A gesture that was not taken back: who made it, and what it says of which label."""

    user: str
    kind: Kind
    says: Mapping[str, bool]
    settles: bool = False


def fold(
    gestures: Iterable[Gesture],
    *,
    names: Sequence[str],
    predicted: Collection[str],
    experts: Collection[str] = (),
) -> MessageState:
    """Compute the state of a message after these gestures, in whatever order and however often they are given.

    The last word of each person on each label counts; across people the majority decides; where experts spoke only they
    count; a tie is a dispute. Where a lead settled it (`VIA_SETTLE`) the last such word decides, until it is taken back.
    `predicted` are the labels that the network gives now.
    """
    active: dict[str, _Word] = {}  # by handle, in the order of time
    for gesture in sorted(set(gestures), key=lambda each: (each.at, each.withdrawn, each.handle)):
        active.pop(gesture.handle, None)  # a repeated gesture is the later word
        if not gesture.withdrawn:
            says = _meaning(gesture, active, names, experts)
            active[gesture.handle] = _Word(gesture.user, gesture.kind, says, gesture.via == VIA_SETTLE)
    return _decide(active, names, predicted, experts)


def _meaning(
    gesture: Gesture,
    active: Mapping[str, _Word],
    names: Sequence[str],
    experts: Collection[str],
) -> dict[str, bool]:
    """Return what a gesture says of which label, given what stood when it was made."""
    match gesture.kind:
        case Kind.LABEL:
            return dict.fromkeys(gesture.labels, True)
        case Kind.SET:
            return {name: name in gesture.labels for name in names if name not in gesture.silent}
        case Kind.NONE:
            return {name: False for name in names if name not in gesture.silent}
    stood = _decide(active, names, gesture.predicted, experts)
    if gesture.kind is Kind.CORRECT:
        # A label in dispute is shown as a question, and this is no answer to it.
        return {name: name in stood.shown for name in names if name not in stood.disputed and name not in gesture.silent}
    named = _named_by(gesture.user, active)
    return {name: False for name in stood.shown if name not in named}


def _named_by(user: str, active: Mapping[str, _Word]) -> set[str]:
    """Return the labels that this person asked for by name; a "correct" was only agreement with what was shown."""
    words: dict[str, bool] = {}
    for word in active.values():
        if word.user == user and word.kind in {Kind.LABEL, Kind.SET}:
            words |= word.says
    return {name for name, says_yes in words.items() if says_yes}


def _decide(
    active: Mapping[str, _Word],
    names: Sequence[str],
    predicted: Collection[str],
    experts: Collection[str],
) -> MessageState:
    words: dict[str, dict[str, bool]] = {name: {} for name in names}  # label -> person -> last word
    settled: dict[str, tuple[str, bool]] = {}
    for word in active.values():
        for name, says_yes in word.says.items():
            if name in words:  # a label that was retired since says nothing any more
                words[name][word.user] = says_yes
                if word.settles:
                    settled[name] = (word.user, says_yes)
    labels = {name: _state(said, name in predicted, experts, settled.get(name)) for name, said in words.items()}
    return MessageState(labels, tuple(sorted({user for said in words.values() for user in said})), frozenset(predicted))


def _state(
    said: Mapping[str, bool], predicted: bool, experts: Collection[str], settled: tuple[str, bool] | None
) -> LabelState:  # fmt: skip
    yes = tuple(sorted(user for user, says_yes in said.items() if says_yes))
    no = tuple(sorted(user for user, says_yes in said.items() if not says_yes))
    if not said:
        return LabelState("predicted" if predicted else "unjudged", None)
    if settled is not None:
        lead, applies = settled
        status: Status = ("confirmed" if predicted else "added") if applies else "rejected"
        return LabelState(status, applies, yes, no, lead)
    weighed = [says_yes for user, says_yes in said.items() if user in experts] or list(said.values())
    balance = sum(1 if says_yes else -1 for says_yes in weighed)
    if balance == 0:
        return LabelState("disputed", None, yes, no)
    if balance > 0:
        return LabelState("confirmed" if predicted else "added", True, yes, no)
    return LabelState("rejected", False, yes, no)


def _stands(state: LabelState) -> bool:
    return state.applies is True or state.status == "predicted"
