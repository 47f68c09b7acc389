"""Where a label's threshold lies when recall or precision is worth more, and what that costs. Pure.

Fitted on dev, of calibrated probabilities: where F-beta is to be greatest, a label is given from F / (1 + beta^2) on, F being
the best that is reached (Ye et al. 2012, arXiv 1206.4625; for beta 1 it is half of F1, as for a balance).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.learning.evaluation import best_f, calibrated_threshold
from model.schema import Cut, Cuts, Preference
from model.serving.calibration import Matrix

# Recall is worth twice as much, or half as much, as precision (van Rijsbergen 1979, chapter 7).
BETA: dict[Preference, float] = {"recall": 2.0, "precision": 0.5}
# A label's own best F counts as much as that of all labels together where so many texts carry it: one of 5 texts is chance.
_AS_MUCH_AS_ALL = 10
_FOLDS = 5


def fit_cuts(scores: Matrix, truth: Matrix, known: Matrix, labels: Sequence[str]) -> dict[str, Cuts]:
    """Return each label's thresholds, from all of the texts, and what each gives, where each text is left out in turn.

    All are texts x labels, of texts that nothing learnt from; what is not known does not count. The balance is one threshold for
    all labels. A preference never moves a threshold the other way.
    """
    fold: NDArray[np.int64] = np.arange(len(scores)) % _FOLDS
    truth = truth * known
    thresholds = _thresholds(scores, truth, known)
    given = {preference: np.zeros_like(truth) for preference in thresholds}
    for number in range(_FOLDS):
        here, others = fold == number, fold != number
        for preference, cuts in _thresholds(scores[others], truth[others], known[others]).items():
            given[preference][here] = (scores[here] >= cuts) * known[here]
    found: dict[str, Cuts] = {}
    for at, label in enumerate(labels):
        of_label = {
            preference: Cut(
                threshold=round(float(thresholds[preference][at]), 3),
                found=int((each[:, at] * truth[:, at]).sum()),
                given=int(each[:, at].sum()),
            )
            for preference, each in given.items()
        }
        found[label] = Cuts(carrying=int(truth[:, at].sum()), **of_label)
    return found


def _thresholds(scores: Matrix, truth: Matrix, known: Matrix) -> dict[Preference, Matrix]:
    """Return the threshold of each label by preference."""
    balance = calibrated_threshold(scores, truth, known)
    moved: dict[Preference, Matrix] = {"balance": np.full(scores.shape[1], balance)}
    for preference, beta in BETA.items():
        of_all = best_f(scores, truth, known, beta)
        carrying = truth.sum(0)
        own = np.array([best_f(scores[:, [at]], truth[:, [at]], known[:, [at]], beta) for at in range(scores.shape[1])])
        best = (carrying * own + _AS_MUCH_AS_ALL * of_all) / (carrying + _AS_MUCH_AS_ALL)
        wanted = best / (1 + beta**2) if of_all else moved["balance"]
        moved[preference] = np.minimum(balance, wanted) if preference == "recall" else np.maximum(balance, wanted)
    return moved


def f_beta(found: int, given: int, carrying: int, beta: float) -> float:
    """Return F-beta of one label: `found` of the texts that carry it, among `given` that are given it; 0 where both are none."""
    both = given + beta**2 * carrying
    return (1 + beta**2) * found / both if both else 0.0
