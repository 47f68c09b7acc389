"""How much the encoder and the lexical model weigh in a version, fitted on messages that neither learnt from. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.schema import Mixture
from model.serving.calibration import Matrix, calibrate, sigmoid

# The encoder's share of the mean of both; where it is 0 or 1 the other does not serve.
_SHARES: tuple[float, ...] = tuple(np.linspace(0, 1, 11).round(1).tolist())
# As each share is evaluated on messages that its calibration was not fitted on, a dev split of 20 texts will do.
_FOLDS = 5
# In nats of log loss, times the squared distance from an even share: five nats for either alone. Wherever it was measured the
# best share was between 0.4 and 0.7, and 20 texts of dev do not tell that: pulled by 2 instead of 20 nats the share that they
# chose, of 100 banking messages, cost a point of micro-F1 (docs/benchmarks.md).
_PULL_TO_EVEN = 20.0
# In nats: odds of 20 to 1. What does not tell more than the labels' common frequency by so much does not help.
_CLEARLY = 3.0


def fit_mixture(encoder: Matrix, lexical: Matrix, truth: Matrix, known: Matrix) -> Mixture:
    """Return the mixture with the least cross-fitted log loss; all are texts x labels, of texts that neither model learnt from.

    Both are calibrated first, so that their logits are of one measure; so is the mixture, at last, on all of the texts. Where
    no text, or every one, carries the labels that are known, there is nothing to fit: both weigh the same.
    """
    if not 0 < (truth * known).sum() < known.sum():
        return Mixture(encoder=0.5, lexical=0.5, shift=0.0)
    scales = [calibrate(logits, truth, known) for logits in (encoder, lexical)]
    of_encoder, of_lexical = (scale * logits + shift for (scale, shift), logits in zip(scales, (encoder, lexical), strict=True))
    if len(truth) < 2 * _FOLDS:  # one text a fold tells nothing
        share = 0.5
    else:
        mixed = (each * of_encoder + (1 - each) * of_lexical for each in _SHARES)
        share = _best_share(
            [_cross_fitted_loss(logits, truth, known) for logits in mixed], _cross_fitted_loss(0 * encoder, truth, known)
        )
    scale, shift = calibrate(share * of_encoder + (1 - share) * of_lexical, truth, known)
    (encoder_scale, encoder_shift), (lexical_scale, lexical_shift) = scales
    return Mixture(
        encoder=scale * share * encoder_scale,
        lexical=scale * (1 - share) * lexical_scale,
        shift=scale * (share * encoder_shift + (1 - share) * lexical_shift) + shift,
    )


def _best_share(losses: Sequence[float], ignorant: float) -> float:
    """Return the encoder's share; `losses` are those of `_SHARES`, `ignorant` is that of one probability for everything."""
    helps = [loss < ignorant - _CLEARLY for loss in (losses[0], losses[-1])]  # the lexical model, the encoder
    if any(helps) and not all(helps):
        return 0.0 if helps[0] else 1.0
    pulled = [loss + _PULL_TO_EVEN * (share - 0.5) ** 2 for share, loss in zip(_SHARES, losses, strict=True)]
    return _SHARES[int(np.argmin(pulled))]


def _cross_fitted_loss(logits: Matrix, truth: Matrix, known: Matrix) -> float:
    """Return the sum of log losses over all known pairs, each calibrated on the texts of the other folds."""
    fold: NDArray[np.int64] = np.arange(len(logits)) % _FOLDS
    loss = 0.0
    for number in range(_FOLDS):
        here, others = fold == number, fold != number
        scale, shift = calibrate(logits[others], truth[others], known[others])
        scores = np.clip(sigmoid(scale * logits[here] + shift), 1e-6, 1 - 1e-6)
        likelihood = np.where(truth[here] > 0, scores, 1 - scores)
        loss -= float((np.log(likelihood) * known[here]).sum())
    return loss
