"""Fit a light head on meanings: one logistic regression a label, all at once, from the weights that are there."""

import numpy as np
from numpy.typing import NDArray

from model.learning.evaluation import best_threshold
from model.serving.calibration import Matrix, sigmoid
from model.serving.head import Head, features

_INVERSE_REGULARISATION = 10.0  # the baseline's
_MOST_STEPS = 60
# Change of the loss, relative to it: then the weights give what more steps would, to a hundredth of a logit.
_TOLERANCE = 1e-6
_FOLDS = 3
_MOST_CROSS_FITTED = 600  # texts, the newest: each fold is a fit from nothing


def fit_head(meanings: Matrix, truth: Matrix, known: Matrix, share: NDArray[np.float32], before: Head | None) -> Head:
    """Return the head that `meanings` (texts x width) and what is known of them (texts x labels) make likeliest.

    Yes and no weigh the same for each label: among a few dozen texts, most labels are hardly ever seen.
    """
    centre = meanings.mean(axis=0).astype(np.float32)
    begin = None if before is None else np.vstack([before.weights, before.bias])
    found = _fit(features(meanings, centre), truth, known, begin)
    return Head(centre, found[:-1], found[-1], share)


def best_cut(meanings: Matrix, truth: Matrix, known: Matrix, written: int) -> float:
    """Return the probability from which on a head of so many texts does best to give a label, on texts that it did not learn.

    The first `written` of them are no messages: they are learnt each time, and not asked.
    """
    newest = np.r_[:written, max(written, len(meanings) - _MOST_CROSS_FITTED) : len(meanings)]
    meanings, truth, known = meanings[newest], truth[newest], known[newest]
    return _best_cut_of(features(meanings, meanings.mean(axis=0)), truth, known, written=written)


def fit_beside(x: Matrix, truth: Matrix, known: Matrix, beside: Matrix) -> tuple[NDArray[np.float32], float]:
    """Return weights (features and then a bias x labels) to add to the logits `beside`, and the best cut of the sum.

    As in `fit_head`, but that it begins from what is said already and learns what is wrong with it; the cut is a probability,
    found where each text is left out in turn.
    """
    newest = slice(-_MOST_CROSS_FITTED, None)
    cut = _best_cut_of(x[newest], truth[newest], known[newest], beside[newest])
    return _fit(x, truth, known, beside=beside), cut


def _best_cut_of(x: Matrix, truth: Matrix, known: Matrix, beside: Matrix | None = None, written: int = 0) -> float:
    scores = np.zeros_like(truth)
    fold = np.arange(len(x)) % _FOLDS
    fold[:written] = _FOLDS
    for number in range(_FOLDS):
        others, here = fold != number, fold == number
        weights = _fit(x[others], truth[others], known[others], beside=None if beside is None else beside[others])
        scores[here] = sigmoid(x[here] @ weights[:-1] + weights[-1] + (0 if beside is None else beside[here]))
    return best_threshold(scores[written:], truth[written:], known[written:])


def _fit(
    x: Matrix, truth: Matrix, known: Matrix, begin: NDArray[np.float32] | None = None, beside: Matrix | None = None
) -> NDArray[np.float32]:
    """Return the weights, features and then a bias x labels, which `beside` is added to."""
    from scipy.optimize import minimize

    x = np.column_stack([x, np.ones(len(x))]).astype(np.float32)
    truth = (truth * known).astype(np.float32)
    yes, all_known = truth.sum(axis=0), known.sum(axis=0)
    weigh = np.where(truth > 0, all_known / (2 * np.maximum(yes, 1)), all_known / (2 * np.maximum(all_known - yes, 1)))
    if beside is not None:  # what few messages say is little, however many there are that nobody spoke of
        weigh = np.where(truth > 0, 1, np.minimum(1, np.maximum(yes, 1) / np.maximum(all_known - yes, 1)))
    weigh = (weigh * known).astype(np.float32)
    shape = (x.shape[1], truth.shape[1])
    already = np.zeros(shape[1:], np.float32) if beside is None else beside.astype(np.float32)
    pull = np.full((shape[0], 1), 1 / _INVERSE_REGULARISATION, np.float32)
    pull[-1] = 1e-3 if beside is None else 1.0  # a bias of its own is hardly held back

    def loss(flat: Matrix) -> tuple[float, Matrix]:
        weights = flat.reshape(shape).astype(np.float32)
        logits = x @ weights + already
        losses = np.logaddexp(0, logits) - truth * logits
        slope = x.T @ ((sigmoid(logits) - truth) * weigh).astype(np.float32) + pull * weights
        return float((losses * weigh).sum() + 0.5 * (pull * weights**2).sum()), slope.ravel().astype(np.float64)

    options = {"maxiter": _MOST_STEPS, "ftol": _TOLERANCE, "gtol": 1e-3}
    start = np.zeros(shape) if begin is None else begin
    made = minimize(loss, start.ravel().astype(np.float64), jac=True, method="L-BFGS-B", options=options)
    found: NDArray[np.float32] = made.x.reshape(shape).astype(np.float32)
    return found
