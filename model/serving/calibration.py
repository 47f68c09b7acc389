"""Platt's calibration: from logits to probabilities that can be believed."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]  # one row a text, one column a label


def calibrate(logits: Matrix, truth: Matrix, known: Matrix) -> tuple[float, float]:
    """Return the (scale, shift) for which sigmoid(scale * logit + shift) is likeliest: Platt's, one pair for all labels.

    `truth` and `known` are 0/1 of the same shape as `logits`; what is not known does not count. Without both kinds of
    truth there is nothing to learn from, and the logits stay as they are: (1, 0).
    """
    x, y = logits[known > 0], truth[known > 0]
    if not 0 < y.sum() < len(y):
        return 1.0, 0.0
    design = np.stack([x, np.ones_like(x)], axis=1)
    # Newton on two parameters, held near (1, 0) by a weak prior so that a perfectly separated dev split stays finite.
    start = np.array([1.0, 0.0])
    weights = start.copy()
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (p - y) + (weights - start)
        curvature = (design * (p * (1 - p))[:, None]).T @ design + np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        # A longer step overshoots where the curvature is nearly flat.
        weights -= step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-8:
            break
    scale, shift = float(weights[0]), float(weights[1])
    return (scale, shift) if scale > 0 else (1.0, 0.0)


def sigmoid(logits: Matrix) -> Matrix:
    """Return probabilities, without overflow."""
    scores: Matrix = 0.5 + 0.5 * np.tanh(logits / 2)
    return scores
