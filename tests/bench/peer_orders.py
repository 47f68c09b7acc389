"""Orders of review by the active-learning libraries: what they choose among the same messages, of the same learner.

Of small-text (Schröder et al. 2023) the one strategy that is for several labels a message; scikit-activeml (Kottke et al. 2021)
has none such, so of it two that look at the embedding alone.
"""

import random
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model.serving.calibration import Matrix

if TYPE_CHECKING:
    from tests.bench.review_order import Round

# Not among the project's dependencies: small-text's wheel brings a package `tests`, which would be found before ours.
INSTALL = (
    "pip install --no-deps --target PEERS small-text==1.4.1 scikit-activeml==1.0.1 dill makefun; rm -r PEERS/tests; "
    "then with PYTHONPATH=PEERS"
)


def missing(order: str) -> bool:
    """Return whether the order is of a library that is not installed."""
    package = {"small-text": "small_text", "scikit-activeml": "skactiveml"}.get(order.split(maxsplit=1)[0])
    return package is not None and find_spec(package) is None


def by_small_text(told: "Round", batch: int, _: random.Random) -> list[int]:
    """Judge by small-text's category vector inconsistency and ranking (CVIRS, Reyes et al. 2018)."""
    from scipy.sparse import csr_matrix
    from small_text.query_strategies.multi_label import CategoryVectorInconsistencyAndRanking

    class Asked:
        """The learner, as small-text asks it."""

        @staticmethod
        def predict_proba(rows: NDArray[np.int64]) -> Matrix:
            found: Matrix = told.whole[rows]
            return found

    strategy = CategoryVectorInconsistencyAndRanking(prediction_threshold=told.threshold, pbar=None)
    rows = np.arange(len(told.texts))
    chosen = strategy.query(Asked, rows, rows, np.zeros(0), csr_matrix(told.truth), n=min(batch, len(rows)))
    return [int(at) for at in chosen]


def by_core_set(told: "Round", batch: int, chance: random.Random) -> list[int]:
    """Judge what is farthest from everything judged, by embedding (scikit-activeml; Sener and Savarese 2018)."""
    from skactiveml.pool import CoreSet

    return _by_embedding(CoreSet(random_state=chance.randrange(1 << 31)), told, batch)


def by_typical(told: "Round", batch: int, chance: random.Random) -> list[int]:
    """Judge what is typical of clusters of which nothing is judged, by embedding (scikit-activeml; Hacohen et al. 2022)."""
    from skactiveml.pool import TypiClust

    return _by_embedding(TypiClust(random_state=chance.randrange(1 << 31)), told, batch)


def _by_embedding(strategy: Any, told: "Round", batch: int) -> list[int]:
    rows = len(told.texts)
    known = np.r_[np.full(rows, np.nan), np.zeros(len(told.embedded_judged))]  # which label it has is not looked at
    embedded = np.vstack([told.embedded, told.embedded_judged])
    chosen = strategy.query(embedded, known, candidates=np.arange(rows), batch_size=min(batch, rows))
    return [int(at) for at in chosen]


PEERS: dict[str, Callable[["Round", int, random.Random], list[int]]] = {
    "small-text CVIRS": by_small_text,
    "scikit-activeml CoreSet": by_core_set,
    "scikit-activeml TypiClust": by_typical,
}
