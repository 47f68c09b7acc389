"""When a candidate goes live: better on the same texts, and worse on nothing that matters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from model.learning.gate import REUSED_AFTER, Answers, compare, decide, sign_test
from model.schema import Comparison, Interval, LabelChange, Preference, PreferredChange, Reason

LABELS = ("tarjeta", "fraude", "app")


def answers(given: object) -> Answers:
    matrix = np.array(given, dtype=float)
    return Answers(matrix, matrix * 0.8 + 0.1)


def some_texts(texts: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((texts, 3)) < 0.4).astype(float)


def spoiled(truth: np.ndarray, share: float, seed: int = 1) -> Answers:
    """Right but for that share of the decisions."""
    wrong = np.random.default_rng(seed).random(truth.shape) < share
    return answers(np.where(wrong, 1 - truth, truth))


def judged(candidate: Answers, live: Answers | None, truth: np.ndarray) -> Comparison:
    return compare(truth, np.ones_like(truth), LABELS, candidate, live, spoiled(truth, 0.5))


def codes(reasons: tuple[Reason, ...]) -> set[str]:
    return {reason.code for reason in reasons}


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_scores_are_those_of_scikit_learn(seed: int) -> None:
    """The report's numbers must mean what everybody's numbers mean."""
    truth, candidate = some_texts(40, seed), spoiled(some_texts(40, seed), 0.3, seed + 1)
    found = judged(candidate, None, truth)
    assert found.micro.value == pytest.approx(f1_score(truth, candidate.given, average="micro"))
    assert found.macro.value == pytest.approx(f1_score(truth, candidate.given, average="macro"))
    assert found.micro.low <= found.micro.value <= found.micro.high


def test_what_nobody_judged_counts_neither_for_nor_against() -> None:
    """A label on which nobody spoke is no mistake, whatever the network says of it."""
    truth = some_texts(60)
    known = np.ones_like(truth)
    known[:, 2] = 0
    right = compare(truth, known, LABELS, answers(truth), None, answers(truth))
    other = truth.copy()
    other[:, 2] = 1 - other[:, 2]
    assert compare(truth, known, LABELS, answers(other), None, answers(truth)).micro == right.micro


def test_where_no_text_tells_of_a_shared_label_people_decide() -> None:
    """A team that begins with labels of its own is examined on the shipped messages, which tell nothing of them."""
    truth, known = np.zeros((286, 3)), np.zeros((286, 3))
    for width in (0, 3):  # versions that share no label; labels of which nothing is known
        given = answers(truth[:, :width])
        found = compare(truth[:, :width], known[:, :width], LABELS[:width], given, given, given)
        assert (found.texts, found.right, found.right_live) == (0, 0, 0), "286 of 286 would be no merit"
        verdict = decide(found, label_margin=0.15)
        assert not verdict.promote
        assert codes(verdict.reasons) == {"untested"}
        first = compare(truth[:, :width], known[:, :width], LABELS[:width], given, None, given)
        assert decide(first, label_margin=0.15).promote, "the first version goes live all the same"
    known[:20, 0] = 1
    found = compare(truth, known, LABELS, answers(truth), answers(1 - truth), answers(truth))
    assert (found.texts, found.right, found.right_live) == (20, 20, 0)


def test_a_better_candidate_goes_live_and_a_worse_one_does_not() -> None:
    """The one rule that everything else serves."""
    truth = some_texts(200)
    good, bad = spoiled(truth, 0.05), spoiled(truth, 0.25, 2)
    yes = decide(judged(good, bad, truth), label_margin=0.15)
    assert yes.promote
    assert "wins" in codes(yes.reasons)
    no = decide(judged(bad, good, truth), label_margin=0.15)
    assert not no.promote
    assert "loses" in codes(no.reasons)


def test_the_same_answers_are_no_reason_to_change() -> None:
    """Putting an equal version live would only unsettle people."""
    truth = some_texts(200)
    same = spoiled(truth, 0.1)
    assert not decide(judged(same, same, truth), label_margin=0.15).promote


def test_the_first_version_goes_live() -> None:
    """Something must answer."""
    truth = some_texts(50)
    assert decide(judged(spoiled(truth, 0.4), None, truth), label_margin=0.15).promote


def test_a_version_that_can_be_compared_with_nothing_waits_for_people() -> None:
    """It is no first version: somebody is served by another one, of which only the files are broken."""
    truth = some_texts(50)
    verdict = decide(judged(spoiled(truth, 0.4), None, truth), label_margin=0.15, live_is_broken=True)
    assert not verdict.promote
    assert "live_broken" in codes(verdict.reasons)


def test_a_label_that_falls_stops_a_better_candidate() -> None:
    """Better on average is no comfort to those who live off that one label."""
    truth = some_texts(200)
    live = spoiled(truth, 0.2)
    given_ = truth.copy()
    given_[:, 1] = 1 - given_[:, 1]
    verdict = decide(judged(answers(given_), live, truth), label_margin=0.15)
    assert not verdict.promote
    fallen = next(reason for reason in verdict.reasons if reason.code == "label_falls")
    assert fallen.values["label"] == "fraude"


def test_a_label_of_a_few_texts_falls_by_chance_and_stops_nothing() -> None:
    """One text of two is fifty points."""
    found = judged(spoiled(some_texts(200), 0.02), spoiled(some_texts(200), 0.2), some_texts(200))
    rare = found.model_copy(update={"per_label": found.per_label | {"app": LabelChange(before=1.0, after=0.0, support=2)}})
    assert decide(rare, label_margin=0.15).promote


def test_worse_probabilities_stop_a_candidate() -> None:
    """People act on the percentages that are shown."""
    truth = some_texts(200)
    live, better = spoiled(truth, 0.2), spoiled(truth, 0.05)
    blurred = Answers(better.given, np.where(better.given > 0, 0.51, 0.49))
    verdict = decide(judged(blurred, live, truth), label_margin=0.15)
    assert not verdict.promote
    assert "miscalibrated" in codes(verdict.reasons)


def test_a_baseline_that_is_ahead_and_a_reused_test_split_are_said() -> None:
    """Neither decides; both are what an honest report says."""
    truth = some_texts(100)
    behind = compare(truth, np.ones_like(truth), LABELS, spoiled(truth, 0.2), spoiled(truth, 0.4), answers(truth))
    verdict = decide(behind, label_margin=1.0, uses=REUSED_AFTER)
    assert verdict.promote
    assert {"baseline_ahead", "test_set_reused"} <= codes(verdict.reasons)
    assert "test_set_reused" not in codes(decide(behind, label_margin=1.0, uses=REUSED_AFTER - 1).reasons)


def test_a_gain_is_paired_text_by_text() -> None:
    """Two systems that err on the same texts differ by less than two that err apart: that is what pairing is for."""
    truth = some_texts(200)
    live = spoiled(truth, 0.3)
    mended = np.where(np.random.default_rng(5).random(truth.shape) < 0.1, truth, live.given)
    found = judged(answers(mended), live, truth)
    assert isinstance(found.micro_gain, Interval)
    assert found.micro_gain.high - found.micro_gain.low < 0.7 * (found.micro.high - found.micro.low)
    assert found.micro_gain.low > 0


def test_what_each_label_gained_and_lost_is_counted_on_the_same_texts() -> None:
    """Which labels rose and which fell is what a team lead asks first, and two scores alone do not tell chance from change."""
    truth = np.zeros((20, 3))
    truth[:, 0] = 1
    live, candidate = truth.copy(), truth.copy()
    live[:8, 0] = 0  # missed, and found now
    candidate[8:10, 0] = 0  # found, and missed now
    candidate[:5, 1] = 1  # wrongly given now
    known = np.ones_like(truth)
    known[:5, 2] = 0
    candidate[:5, 2] = 1  # nobody judged it: neither right nor wrong
    found = compare(truth, known, LABELS, answers(candidate), answers(live), answers(truth))
    counted = {label: (change.better, change.worse) for label, change in found.per_label.items()}
    assert counted == {"tarjeta": (8, 2), "fraude": (0, 5), "app": (0, 0)}
    assert (found.right, found.right_live) == (13, 12)
    alone = compare(truth, known, LABELS, answers(candidate), None, answers(truth))
    assert (alone.right, alone.right_live, alone.per_label["tarjeta"].better) == (13, None, None)


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (1, 0), (0, 5), (0, 6), (9, 1), (8, 2), (30, 12), (700, 600)])
def test_the_sign_test_is_that_of_scipy(better: int, worse: int) -> None:
    """Six of six is the least that is called a rise or a fall."""
    expected = binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert sign_test(better, worse) == pytest.approx(expected)
    assert (sign_test(0, 5) < 0.05, sign_test(0, 6) < 0.05) == (False, True)


WINS, TIES = Interval(value=0.05, low=0.02, high=0.08), Interval(value=0.0, low=-0.01, high=0.01)


@pytest.mark.parametrize(
    ("micro", "macro", "promote", "code"),
    [
        (Interval(value=-0.021, low=-0.06, high=0.01), WINS, False, "loses"),  # more than chance alone is tolerated for
        (Interval(value=-0.01, low=-0.015, high=-0.005), WINS, False, "loses"),  # little, but surely
        (Interval(value=-0.01, low=-0.03, high=0.01), WINS, True, "equal"),
        (Interval(value=0.01, low=-0.01, high=0.03), TIES, True, "gains"),
        (WINS, TIES, True, "wins"),
        (TIES, TIES, False, "equal"),
    ],
)
def test_what_is_better_on_one_score_may_lose_little_and_by_chance_on_the_other(
    micro: Interval, macro: Interval, promote: bool, code: str
) -> None:
    """Else a rare label's gain would be paid by everybody, or no gain would ever count."""
    truth = some_texts(200)
    same = spoiled(truth, 0.1)
    for gains in ({"micro_gain": micro, "macro_gain": macro}, {"micro_gain": macro, "macro_gain": micro}):
        verdict = decide(judged(same, same, truth).model_copy(update=gains), label_margin=0.15)
        assert verdict.promote is promote
        which = next(name.removesuffix("_gain") for name, gain in gains.items() if gain is micro)
        assert code in {reason.code for reason in verdict.reasons if reason.values.get("which") == which}


def test_the_gain_is_the_difference_of_the_same_score() -> None:
    """Micro with micro, macro with macro, each as scikit-learn counts it."""
    truth = some_texts(200)
    truth[:, 2] *= some_texts(200, 3)[:, 2]  # a rarer label, so that the two scores differ
    ours, live = spoiled(truth, 0.1, 4), spoiled(truth, 0.2, 5)
    found = judged(ours, live, truth)
    for average, gain in (("micro", found.micro_gain), ("macro", found.macro_gain)):
        assert gain is not None
        theirs = f1_score(truth, live.given, average=average)
        assert gain.value == pytest.approx(f1_score(truth, ours.given, average=average) - theirs)
    assert found.micro_gain != found.macro_gain


def test_a_label_that_no_test_text_carries_tells_nothing() -> None:
    """A new label would drag the macro score to two thirds, whatever the network has learnt."""
    truth = some_texts(80)
    truth[:, 2] = 0
    ours = spoiled(truth, 0.1)
    assert judged(ours, None, truth).macro.value == pytest.approx(f1_score(truth[:, :2], ours.given[:, :2], average="macro"))


def test_an_interval_holds_ninety_five_of_a_hundred_resamples() -> None:
    """Its limits decide what may be chance."""
    truth = some_texts(100)
    ours = spoiled(truth, 0.2)
    rng = np.random.default_rng(9)
    rows = [rng.integers(0, 100, 100) for _ in range(400)]
    scores = [f1_score(truth[each], ours.given[each], average="micro") for each in rows]
    found = judged(ours, None, truth).micro
    assert [found.low, found.high] == pytest.approx(np.percentile(scores, [2.5, 97.5]), abs=0.012)


def test_the_baseline_is_ahead_where_it_is_on_micro_f1() -> None:
    """It is the score that the report leads with."""
    truth = some_texts(100)
    found = judged(spoiled(truth, 0.2), None, truth)
    value = found.micro.value
    ahead = {"micro_baseline": value + 0.01, "macro_baseline": 0.0}
    behind = {"micro_baseline": value - 0.01, "macro_baseline": 1.0}
    assert "baseline_ahead" in codes(decide(found.model_copy(update=ahead), label_margin=1.0).reasons)
    assert "baseline_ahead" not in codes(decide(found.model_copy(update=behind), label_margin=1.0).reasons)


def preferring(found: int, given: int, before: tuple[int, int] | None, *, preference: Preference = "recall") -> Comparison:
    """A better candidate, whose label `fraude`, which 50 test texts carry, gives so much where it is preferred to be."""
    truth = some_texts(200)
    made = judged(spoiled(truth, 0.02), spoiled(truth, 0.2), truth)
    found_before, given_before = before or (None, None)
    change = PreferredChange(
        preference=preference, found=found, given=given, found_before=found_before, given_before=given_before
    )
    fraud = LabelChange(before=0.8, after=0.7, support=50, preferred=change)
    return made.model_copy(update={"per_label": made.per_label | {"fraude": fraud}})


def test_precision_that_was_knowingly_given_up_refuses_nobody() -> None:
    """Where no fraud may be missed, thirty false alarms are the price that was asked for; both versions pay it."""
    assert decide(preferring(48, 80, (44, 70)), label_margin=0.15).promote


def test_a_candidate_that_misses_what_was_not_to_be_missed_stays_out() -> None:
    """A label is measured by what people want of it."""
    verdict = decide(preferring(35, 40, (48, 70)), label_margin=0.15)
    assert not verdict.promote
    [fallen] = [reason for reason in verdict.reasons if not reason.good]
    assert (fallen.code, fallen.values["label"], fallen.values["texts"]) == ("recall_falls", "fraude", 50)
    assert fallen.values["before"] == pytest.approx(5 * 48 / (70 + 4 * 50))
    verdict = decide(preferring(35, 70, (30, 31), preference="precision"), label_margin=0.15)
    assert {reason.code for reason in verdict.reasons if not reason.good} == {"precision_falls"}


def test_a_version_of_before_is_compared_as_it_serves() -> None:
    """It has no other thresholds: unlike ones would compare nothing."""
    made = preferring(35, 80, None)
    assert decide(made, label_margin=0.15).promote
    assert not decide(made, label_margin=0.05).promote  # F1 falls by a tenth


def test_only_the_preferred_labels_are_counted_a_second_time() -> None:
    """On what is known, as everything is."""
    truth = some_texts(60)
    known = np.ones_like(truth)
    known[:30] = 0
    everything = np.ones_like(truth)
    candidate, live = Answers(truth, truth, everything), Answers(truth, truth)
    found = compare(truth, known, LABELS, candidate, live, answers(truth), {"fraude": "recall"})
    count = int(truth[30:, 1].sum())
    assert found.per_label["fraude"].preferred == PreferredChange(
        preference="recall", found=count, given=30, found_before=None, given_before=None
    )
    assert found.per_label["app"].preferred is None
    assert found.micro.value == 1.0
