"""The mixture's weights follow what helps, on whatever little there is to fit them on."""

import numpy as np
import pytest
from numpy.random import Generator, default_rng

from model.learning.mixture import fit_mixture
from model.serving.calibration import Matrix, sigmoid
from model.serving.mixture import mix

ALL = np.s_[:]


def sampled(texts: int, *noises: float, labels: int = 14, seed: int = 0) -> tuple[Matrix, Matrix, list[Matrix]]:
    """Truth and knowledge, and for each noise the logits of a system that knows the truth but for so much noise."""
    rng: Generator = default_rng(seed)
    truth = (rng.random((texts, labels)) < 0.12).astype(float)
    return truth, np.ones_like(truth), [4 * truth - 3 + noise * rng.standard_normal(truth.shape) for noise in noises]


def f1(logits: Matrix, truth: Matrix) -> float:
    given = logits > 0
    return float(2 * (given * truth).sum() / (given.sum() + truth.sum()))


def test_two_that_err_differently_are_better_together() -> None:
    """That is what the mixture is for."""
    truth, known, (encoder, lexical) = sampled(400, 1.6, 1.6)
    mixture = fit_mixture(encoder[:200], lexical[:200], truth[:200], known[:200])
    assert mixture.encoder / mixture.lexical == pytest.approx(1, rel=0.5)
    mixed = mix(mixture, encoder[200:], lexical[200:])
    assert f1(mixed, truth[200:]) > max(f1(encoder[200:], truth[200:]), f1(lexical[200:], truth[200:])) + 0.05


@pytest.mark.parametrize("useless", ["encoder", "lexical"])
def test_what_does_not_help_weighs_nothing(useless: str) -> None:
    """Noise that is mixed in costs right answers, and time."""
    truth, known, (good, noise) = sampled(200, 1.0, 1e4)
    encoder, lexical = (noise, good) if useless == "encoder" else (good, noise)
    mixture = fit_mixture(encoder, lexical, truth, known)
    assert getattr(mixture, useless) == 0
    assert getattr(mixture, "lexical" if useless == "encoder" else "encoder") > 0


def test_a_system_that_says_the_opposite_is_not_turned_around() -> None:
    """A weight below zero would follow the chance of a few messages."""
    truth, known, (good, _) = sampled(200, 1.0, 1.0)
    mixture = fit_mixture(-good, good, truth, known)
    assert mixture.encoder >= 0
    assert mixture.lexical > 0


def test_the_mixture_is_calibrated() -> None:
    """People are shown its probabilities."""
    truth, known, (encoder, lexical) = sampled(2000, 2.0, 2.0)
    scores = sigmoid(mix(fit_mixture(3 * encoder, lexical / 2 + 1, truth, known), 3 * encoder, lexical / 2 + 1))
    assert scores.mean() == pytest.approx(truth.mean(), abs=0.01)
    sure = scores > 0.9
    assert truth[sure].mean() == pytest.approx(scores[sure].mean(), abs=0.05)


@pytest.mark.parametrize("texts", [1, 2, 3, 20])
@pytest.mark.parametrize("kind", ["some", "no positives", "all positives", "nothing known"])
def test_little_to_fit_on_gives_a_mixture_of_both(texts: int, kind: str) -> None:
    """On the first day dev is a handful of messages, and half the labels have no positive there."""
    truth, known, (encoder, lexical) = sampled(texts, 1.5, 1.5)
    truth, known = {
        "some": (truth, known),
        "no positives": (0 * truth, known),
        "all positives": (0 * truth + 1, known),
        "nothing known": (truth, 0 * known),
    }[kind]
    mixture = fit_mixture(encoder, lexical, truth, known)
    assert mixture.encoder > 0
    assert mixture.lexical > 0
    assert np.isfinite(mix(mixture, encoder, lexical)).all()


def test_what_nobody_judged_decides_nothing() -> None:
    """An unknown label is no absence, here as elsewhere."""
    truth, known, (encoder, lexical) = sampled(100, 1.5, 1.5)
    known[:, 3:] = 0
    odd = encoder.copy()
    odd[:, 3:] = 100.0
    assert fit_mixture(odd, lexical, truth, known) == fit_mixture(encoder, lexical, truth, known)
