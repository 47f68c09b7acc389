"""What follows from what people said: the meaning of each gesture, and that order and repeats change nothing."""

import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from model.judgements import Gesture, Kind, MessageState, fold

NAMES = ("tarjeta", "fraude", "app", "cuenta")
PREDICTED = ("tarjeta", "fraude")


def gesture(kind: Kind, user: str = "ana", at: int = 1, *labels: str, **changes: object) -> Gesture:
    made = Gesture(user=user, handle=f"{user}/{kind}/{','.join(labels)}", at=at, kind=kind, labels=labels, predicted=PREDICTED)
    return made.model_copy(update=changes)


def state(*gestures: Gesture, experts: Sequence[str] = ()) -> MessageState:
    return fold(gestures, names=NAMES, predicted=PREDICTED, experts=experts)


def statuses(folded: MessageState) -> dict[str, str]:
    return {name: label.status for name, label in folded.labels.items()}


def test_silence_is_no_agreement() -> None:
    """What nobody judged is unknown, also where the network was sure: training must not learn from itself."""
    assert statuses(state()) == {"tarjeta": "predicted", "fraude": "predicted", "app": "unjudged", "cuenta": "unjudged"}
    assert state().unknown == NAMES


def test_a_label_emoji_says_yes_to_that_label_and_nothing_else() -> None:
    folded = state(gesture(Kind.LABEL, "ana", 1, "app"))
    assert folded.labels["app"].status == "added"
    assert folded.unknown == ("tarjeta", "fraude", "cuenta")


def test_correct_says_that_the_shown_set_is_right_and_complete() -> None:
    folded = state(gesture(Kind.CORRECT))
    assert statuses(folded) == {"tarjeta": "confirmed", "fraude": "confirmed", "app": "rejected", "cuenta": "rejected"}


def test_correct_means_what_stood_when_it_was_said() -> None:
    """A label that Luis had added was on show; taking his back later does not unsay Ana's word."""
    luis = gesture(Kind.LABEL, "luis", 1, "app")
    ana = gesture(Kind.CORRECT, "ana", 2)
    gone = luis.model_copy(update={"at": 3, "withdrawn": True})
    assert state(luis, ana, gone).labels["app"].yes == ("ana",)


def test_wrong_spares_the_labels_that_its_person_named() -> None:
    """Somebody adds the right label and crosses out the rest."""
    folded = state(gesture(Kind.LABEL, "ana", 1, "tarjeta"), gesture(Kind.WRONG, "ana", 2))
    assert statuses(folded) == {"tarjeta": "confirmed", "fraude": "rejected", "app": "unjudged", "cuenta": "unjudged"}


def test_wrong_after_correct_takes_the_agreement_back() -> None:
    """Whoever taps the tick and then the cross has changed their mind."""
    assert state(gesture(Kind.CORRECT, "ana", 1), gesture(Kind.WRONG, "ana", 2)).shown == ()


def test_none_says_that_no_label_applies() -> None:
    folded = state(gesture(Kind.NONE))
    assert set(statuses(folded).values()) == {"rejected"}
    assert folded.unknown == ()


def test_a_set_says_yes_to_its_labels_and_no_to_all_others() -> None:
    folded = state(gesture(Kind.SET, "ana", 1, "app"))
    assert folded.shown == ("app",)
    assert folded.unknown == ()


def test_taking_a_gesture_back_withdraws_exactly_what_it_said() -> None:
    """What the same person said by another gesture stands again."""
    named, crossed = gesture(Kind.LABEL, "ana", 1, "app"), gesture(Kind.NONE, "ana", 2)
    back = crossed.model_copy(update={"at": 3, "withdrawn": True})
    assert state(named, crossed, back) == state(named)
    assert state(named, named.model_copy(update={"at": 2, "withdrawn": True})) == state()


def test_the_last_word_of_a_person_counts() -> None:
    assert state(gesture(Kind.NONE, "ana", 1), gesture(Kind.LABEL, "ana", 2, "app")).shown == ("app",)
    assert state(gesture(Kind.NONE, "ana", 2), gesture(Kind.LABEL, "ana", 1, "app")).shown == ()


def test_the_majority_decides_and_a_tie_is_a_dispute() -> None:
    yes, no = gesture(Kind.LABEL, "ana", 1, "app"), gesture(Kind.NONE, "luis", 2)
    assert state(yes, no).labels["app"].status == "disputed"
    assert "app" in state(yes, no).unknown  # and nobody trains on it
    assert state(yes, no, gesture(Kind.LABEL, "maria", 3, "app")).labels["app"].applies is True


def test_an_experts_word_outweighs() -> None:
    crowd = [gesture(Kind.LABEL, user, 1, "app") for user in ("ana", "luis", "maria")]
    assert state(*crowd, gesture(Kind.NONE, "eva", 2), experts=("eva",)).labels["app"].applies is False


def test_correct_is_no_answer_to_a_dispute() -> None:
    """The reply shows such a label as a question; a tick on the whole must not decide it."""
    gestures = [gesture(Kind.LABEL, "ana", 1, "app"), gesture(Kind.NONE, "luis", 2), gesture(Kind.CORRECT, "maria", 3)]
    assert "maria" not in state(*gestures).labels["app"].yes + state(*gestures).labels["app"].no


def test_a_retired_label_says_nothing() -> None:
    assert state(gesture(Kind.LABEL, "ana", 1, "sobre-algo-que-ya-no-existe")) == state()


@st.composite
def some_gestures(draw: st.DrawFn) -> list[Gesture]:
    """A plausible evening: people tap, and take back what they tapped, each at its own moment."""
    made: list[Gesture] = []
    for at in range(1, draw(st.integers(1, 14))):
        if made and draw(st.booleans()):
            earlier = draw(st.sampled_from(made))
            made.append(earlier.model_copy(update={"at": at, "withdrawn": not earlier.withdrawn}))
            continue
        kind = draw(st.sampled_from(list(Kind)))
        amount = {Kind.LABEL: 1, Kind.SET: draw(st.integers(0, 4))}.get(kind, 0)
        labels = draw(st.permutations(NAMES))[:amount]
        made.append(gesture(kind, draw(st.sampled_from(["ana", "luis", "maria"])), at, *labels))
    return made


@settings(max_examples=300, deadline=None)
@given(some_gestures(), st.randoms(use_true_random=False))
def test_order_and_repeats_change_nothing(gestures: list[Gesture], chance: random.Random) -> None:
    """Slack delivers late, twice and out of order; everybody must end with the same labels."""
    again = [*gestures, *gestures[::2]]
    chance.shuffle(again)
    assert state(*again) == state(*gestures)


@settings(max_examples=300, deadline=None)
@given(some_gestures())
def test_withdrawing_everything_leaves_nothing(gestures: list[Gesture]) -> None:
    last = {each.handle: each for each in gestures}
    back = [each.model_copy(update={"at": 100, "withdrawn": True}) for each in last.values()]
    assert state(*gestures, *back) == state()


def test_of_a_gesture_and_its_withdrawal_in_the_same_moment_the_withdrawal_is_the_later() -> None:
    """A double click: what is not there any more in Slack must not count here."""
    made = gesture(Kind.LABEL, "ana", 5, "app")
    assert statuses(state(made, made.model_copy(update={"withdrawn": True})))["app"] == "unjudged"


def test_a_set_and_a_none_say_nothing_of_what_was_not_offered() -> None:
    """Who chose among other labels, or before one was added, was never asked about it."""
    for kind, labels in ((Kind.SET, ("app",)), (Kind.NONE, ())):
        folded = state(gesture(kind, "ana", 1, *labels, silent=("fraude",)))
        assert folded.labels["fraude"].status == "predicted"
        assert folded.unknown == ("fraude",)
        assert folded.labels["tarjeta"].status == "rejected"


def test_wrong_spares_no_label_that_somebody_else_named() -> None:
    """It is that person's no to what others said, too."""
    folded = state(gesture(Kind.LABEL, "luis", 1, "fraude"), gesture(Kind.WRONG, "ana", 2))
    assert (folded.labels["fraude"].yes, folded.labels["fraude"].no) == (("luis",), ("ana",))
    assert folded.labels["fraude"].status == "disputed"
