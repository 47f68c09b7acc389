"""Scores agree with scikit-learn's; calibration and threshold do what their names say."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.learning.evaluation import (
    band_table,
    bands,
    best_threshold,
    calibrated_threshold,
    expected_calibration_error,
    score,
    table,
)
from model.serving.calibration import calibrate

LABELS = ("a", "b", "c", "d")
sets = st.sets(st.sampled_from(LABELS))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(sets, sets), min_size=1, max_size=12))
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[set[str], set[str]]]) -> None:
    """Our numbers can stand beside anybody's."""
    from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

    ours = score([g for g, _ in pairs], [p for _, p in pairs], LABELS)
    gold, given_ = (np.array([[label in row for label in LABELS] for row in column]) for column in zip(*pairs, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ours.micro_f1 == pytest.approx(f1_score(gold, given_, average="micro", zero_division=0))
        assert ours.macro_f1 == pytest.approx(f1_score(gold, given_, average="macro", zero_division=0))
        assert ours.jaccard == pytest.approx(jaccard_score(gold, given_, average="samples", zero_division=1))
        precisions = precision_score(gold, given_, average=None, zero_division=0)
        recalls = recall_score(gold, given_, average=None, zero_division=0)
    assert ours.exact_match == pytest.approx((gold == given_).all(axis=1).mean())
    for at, label in enumerate(LABELS):
        assert ours.per_label[label].precision == pytest.approx(precisions[at])
        assert ours.per_label[label].recall == pytest.approx(recalls[at])
        assert ours.per_label[label].support == gold[:, at].sum()


def test_no_texts_have_scores_of_nothing() -> None:
    """An empty file is no division by zero."""
    assert score([], [], LABELS).micro_f1 == 0.0


def test_calibration_finds_how_sure_the_network_may_be() -> None:
    """A network that is three times too sure, and too shy of every label, is put right."""
    rng = np.random.default_rng(1)
    honest = rng.normal(-1, 2, (2000, 3))
    truth = (rng.random(honest.shape) < 1 / (1 + np.exp(-honest))).astype(float)
    scale, shift = calibrate(3 * honest - 2, truth, np.ones_like(truth))
    assert scale == pytest.approx(1 / 3, rel=0.1)
    assert shift == pytest.approx(2 / 3, abs=0.15)


def test_calibration_keeps_the_order_and_stays_finite() -> None:
    """On a small dev split everything may be separated, upside down or of one kind."""
    logits = np.array([[-1.0], [1.0]])
    known = np.ones_like(logits)
    for truth in ([[0.0], [1.0]], [[1.0], [0.0]], [[0.0], [0.0]], [[1.0], [1.0]]):
        scale, shift = calibrate(logits, np.array(truth), known)
        assert 0 < scale < 100
        assert abs(shift) < 100


def test_what_is_unknown_counts_neither_for_calibration_nor_threshold() -> None:
    """Silence is not a no."""
    logits, truth = np.array([[2.0, 5.0], [-2.0, 5.0]]), np.array([[1.0, 0.0], [0.0, 0.0]])
    known = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert calibrate(logits, truth, known) == pytest.approx(calibrate(logits[:, :1], truth[:, :1], known[:, :1]))
    scores = 1 / (1 + np.exp(-logits))
    assert best_threshold(scores, truth, known) == best_threshold(scores[:, :1], truth[:, :1], known[:, :1])


def test_the_threshold_separates_what_can_be_separated() -> None:
    """And stands in the middle of the gap, where the next text is safest."""
    scores, truth = np.array([[0.1, 0.2], [0.8, 0.3]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    assert 0.5 <= best_threshold(scores, truth, np.ones_like(truth)) <= 0.6
    assert best_threshold(scores, np.zeros_like(truth), np.ones_like(truth)) == 0.5


def test_the_table_shows_systems_side_by_side() -> None:
    """The baseline stands beside the network wherever it is reported."""
    right, wrong = score([{"a"}], [{"a"}], ("a", "b")), score([{"a"}], [set()], ("a", "b"))
    lines = table({"mini": right, "baseline": wrong}).splitlines()
    assert lines[0].split() == ["mini", "baseline"]
    assert lines[1].split() == ["micro_f1", "100.0", "0.0"]
    assert lines[5].split() == ["a", "(1)", "100.0", "0.0"]


def test_the_table_shows_calibration_where_it_was_measured() -> None:
    """A card from before it was measured still has a table; a dash is no zero."""
    one = score([{"a"}], [{"a"}], ("a",))
    assert "ece" not in table({"mini": one})
    line = table({"mini": one.model_copy(update={"ece": 0.0625}), "baseline": one}).splitlines()[5]
    assert line.split() == ["ece", "6.2", "-"]


@pytest.mark.parametrize(
    ("scores", "truth", "error"),
    [
        ([[0.8, 0.8, 0.8, 0.8, 0.8]], [[1, 1, 1, 1, 0]], 0.0),  # said 80 %, right 4 of 5 times
        ([[0.9, 0.9]], [[1, 0]], 0.4),  # said 90 %, right half the time
        ([[0.9, 0.9, 0.1, 0.1]], [[1, 1, 0, 1]], (2 * 0.1 + 2 * 0.4) / 4),  # two bins, each by its pairs
        ([[0.0, 1.0]], [[0, 1]], 0.0),  # the ends belong to the outer bins
        ([[0.0, 1.0]], [[1, 0]], 1.0),
        ([[0.50, 0.51]], [[1, 0]], 0.005),  # in one bin (7/15, 8/15] what is too much and too little meets
        ([[7 / 15, 0.5]], [[1, 0]], (8 / 15 + 0.5) / 2),  # an upper edge belongs to the bin below it
    ],
)
def test_the_calibration_error_is_what_one_calculates_by_hand(
    scores: list[list[float]], truth: list[list[int]], error: float
) -> None:
    """A shown 80 % should be right 8 times of 10; this says by how much it is not."""
    answers = np.array(truth, dtype=float)
    assert expected_calibration_error(np.array(scores), answers, np.ones_like(answers)) == pytest.approx(error, abs=1e-12)


def test_the_calibration_error_leaves_out_what_is_unknown() -> None:
    """Silence is not a no; and of nothing at all there is no error."""
    scores, truth, known = np.array([[0.9, 0.2]]), np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]])
    assert expected_calibration_error(scores, truth, known) == pytest.approx(0.1)
    assert expected_calibration_error(scores, truth, np.zeros_like(known)) == 0.0
    assert expected_calibration_error(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros((0, 2))) == 0.0


def test_calibrated_probabilities_are_cut_at_half_of_the_best_f1() -> None:
    """Where few texts decide, the best cut is chance; how good the best is, is known."""
    rng = np.random.default_rng(0)
    scores = rng.beta(0.3, 1.2, (4000, 5))
    truth = (rng.random(scores.shape) < scores).astype(float)  # calibrated
    known = np.ones_like(truth)
    cut = calibrated_threshold(scores, truth, known)
    assert cut == pytest.approx(best_threshold(scores, truth, known), abs=0.05)  # with much data it is the best one
    few = [calibrated_threshold(scores[at : at + 20], truth[at : at + 20], known[at : at + 20]) for at in range(0, 2000, 20)]
    tuned = [best_threshold(scores[at : at + 20], truth[at : at + 20], known[at : at + 20]) for at in range(0, 2000, 20)]
    assert np.std(few) < 0.5 * np.std(tuned)
    assert calibrated_threshold(scores, 0 * truth, known) == 0.5


def test_bands_tell_how_often_a_shown_probability_is_right() -> None:
    """People read 95 % otherwise than 60 %, and each is to be believed. An edge belongs to the band above it."""
    scores = np.array([[0.29, 0.3, 0.49, 0.5], [0.8, 0.94, 0.95, 1.0], [0.99, 0.99, 0.99, 0.99]])
    truth = np.array([[1, 1, 0, 1], [1, 0, 1, 1], [0, 0, 0, 0]], dtype=float)
    known = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 1]], dtype=float)
    found = [(band.low, band.high, band.shown, band.right) for band in bands(scores, truth, known)]
    assert found == [(0.3, 0.5, 2, 1), (0.5, 0.8, 1, 1), (0.8, 0.95, 2, 1), (0.95, 1.0, 3, 2)]
    told = band_table(bands(scores, truth, 0 * known)).splitlines()
    assert told[1].split() == ["30", "-", "50", "%", "0", "-"]
