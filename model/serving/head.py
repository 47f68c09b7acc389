"""A light head on what the base makes of a text: seconds to fit, where the layers above take minutes. Needs NumPy alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.serving.calibration import Matrix

# The length that centred meanings are given: with the regularisation of `learning.light_head` better than 1, 2, 3 and 8.
LENGTH = 5.0


@dataclass(frozen=True)
class Head:
    """Logistic regression on meanings; `share` is how much of each label's logit it makes, 0 where it knows nothing new."""

    centre: NDArray[np.float32]  # width
    weights: NDArray[np.float32]  # width x labels
    bias: NDArray[np.float32]  # labels
    share: NDArray[np.float32]  # labels

    def mixed(self, logits: Matrix, meanings: Matrix) -> Matrix:
        """Return the version's logits, texts x labels, with what the head says of the same texts mixed in."""
        own: Matrix = features(meanings, self.centre) @ self.weights + self.bias
        return (1 - self.share) * logits + self.share * own

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `Head` takes."""
        return {"centre": self.centre, "weights": self.weights, "bias": self.bias, "share": self.share}


def features(meanings: Matrix, centre: NDArray[Any]) -> Matrix:
    """Return the meanings, texts x width, centred and all of one length: by themselves they all point much the same way."""
    centred = meanings - centre
    found: Matrix = centred * (LENGTH / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9))
    return found
