"""Where a label is rare or dear: its threshold moves the way that people want, and what that costs is told honestly."""

import numpy as np
import pytest

from model.learning.preferences import fit_cuts
from model.schema import Cuts
from model.serving.calibration import Matrix, sigmoid

LABELS = ("fraude", "tarjeta", "app", "rara")
FREQUENCY = np.array([0.12, 0.2, 0.2, 0.02])


def sampled(texts: int, seed: int = 0) -> tuple[Matrix, Matrix, Matrix]:
    """Calibrated probabilities, truth and knowledge: each label is there as often as its probability says."""
    rng = np.random.default_rng(seed)
    scores = sigmoid(np.log(FREQUENCY / (1 - FREQUENCY)) - 1.5 + 3.0 * rng.standard_normal((texts, len(LABELS))))
    truth = (rng.random(scores.shape) < scores).astype(float)
    return scores, truth, np.ones_like(truth)


def test_recall_finds_more_and_precision_is_right_more_often() -> None:
    """That is what was asked for; the balance lies between them."""
    for cuts in fit_cuts(*sampled(2000), LABELS).values():
        assert cuts.recall.threshold < cuts.balance.threshold < cuts.precision.threshold
        assert cuts.recall.found > cuts.balance.found > cuts.precision.found
        right = [cut.found / cut.given for cut in (cuts.recall, cuts.balance, cuts.precision)]
        assert right == sorted(right)


def test_what_it_costs_is_what_it_costs_on_other_messages() -> None:
    """A team that reads "finds 94 of 100" will find 94 of 100: each message is counted at a threshold that others chose."""
    fitted, (scores, truth, _) = fit_cuts(*sampled(400), LABELS), sampled(20_000, seed=1)
    for at, label in enumerate(LABELS[:3]):
        for preference in ("recall", "precision"):
            told = fitted[label].gives("recall" if preference == "recall" else "precision")
            given = scores[:, at] >= getattr(fitted[label], preference).threshold
            found = (given * truth[:, at]).sum()
            assert told is not None
            assert told[0] == pytest.approx(100 * found / truth[:, at].sum(), abs=12)
            assert told[1] == pytest.approx(100 * found / given.sum(), abs=12)


def test_each_message_is_counted_at_a_threshold_that_others_chose() -> None:
    """Of one message with the label nothing can be told by the others: what was fitted on it would promise that it is found."""
    scores, truth = np.full((10, 1), 0.1), np.zeros((10, 1))
    scores[3], truth[3] = 0.3, 1
    cuts = fit_cuts(scores, truth, np.ones_like(truth), ["rara"])["rara"]
    assert cuts.recall.threshold < 0.3
    assert (cuts.carrying, cuts.recall.found) == (1, 0)


@pytest.mark.parametrize("texts", [0, 1, 3, 20])
@pytest.mark.parametrize("kind", ["some", "no positives", "all positives", "nothing known"])
def test_little_to_fit_on_moves_nothing_the_wrong_way(texts: int, kind: str) -> None:
    """On the first day dev is a handful of messages, and half the labels have no positive there."""
    scores, truth, known = sampled(texts)
    truth, known = {
        "some": (truth, known),
        "no positives": (0 * truth, known),
        "all positives": (0 * truth + 1, known),
        "nothing known": (truth, 0 * known),
    }[kind]
    for cuts in fit_cuts(scores, truth, known, LABELS).values():
        assert 0 < cuts.recall.threshold <= cuts.balance.threshold <= cuts.precision.threshold < 1


def test_one_message_of_a_label_does_not_decide_its_threshold() -> None:
    """All labels together know better; where many messages carry it, they count. Not even then does it move the wrong way."""
    scores, truth, known = sampled(300)
    missed = scores.copy()
    missed[:, 3] = 0.001
    one, many = truth.copy(), truth.copy()
    one[:, 3], many[:, 3] = 0, 1
    one[0, 3] = 1
    common = fit_cuts(scores, truth, known, LABELS)["app"].recall.threshold
    assert fit_cuts(missed, one, known, LABELS)["rara"].recall.threshold == pytest.approx(common, abs=0.03)
    fitted = fit_cuts(missed, many, known, LABELS)
    assert fitted["rara"].recall.threshold < fitted["app"].recall.threshold / 2
    assert fitted["rara"].precision.threshold >= fitted["rara"].balance.threshold


def test_what_nobody_judged_decides_nothing() -> None:
    """Silence is not a no."""
    scores, truth, known = sampled(200)
    silent = np.concatenate([scores, np.full((50, 4), 0.9)])
    more = fit_cuts(silent, np.concatenate([truth, np.ones((50, 4))]), np.concatenate([known, np.zeros((50, 4))]), LABELS)
    assert more == fit_cuts(scores, truth, known, LABELS)


def test_of_few_messages_no_cost_is_told() -> None:
    """One of five is twenty of a hundred, and would be taken for a measurement."""
    few = Cuts.model_validate(
        {"carrying": 9, **{each: {"threshold": 0.4, "found": 8, "given": 9} for each in Cuts.model_fields if each != "carrying"}}
    )
    assert few.gives("recall") is None
    assert few.model_copy(update={"carrying": 10}).gives("recall") == (80, 89)
