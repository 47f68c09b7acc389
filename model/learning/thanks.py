"""What one person's judgements did for a version: by learning once more without them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.errors import BadData
from model.labels import Taxonomy
from model.learning.baseline import fit_baseline, truth_of
from model.schema import Example, Run, Split
from model.serving.calibration import Matrix
from model.store.store import Store

log = logging.getLogger(__name__)

# Whoever judged fewer messages alone moves nothing that can be measured. Each person costs a fit of seconds.
LEAST_JUDGED, MOST_PEOPLE = 5, 3
# A label that fewer test texts carry falls and rises by chance (`gate.ENOUGH_TEXTS`).
ENOUGH_TEXTS = 10
# Of a label's gain, by resampling the test texts; the level is divided among the labels.
RESAMPLES, LEVEL, SEED = 10_000, 0.05, 0


@dataclass(frozen=True)
class Contribution:
    """What somebody's word on so many messages did for a label's F1 on the `texts` test texts that carry it."""

    user: str
    judged: int
    label: str
    before: float
    after: float
    texts: int


def contributions(data: Mapping[Split, Sequence[Example]], labels: Sequence[str]) -> list[Contribution]:
    """Return for those who judged most, of the label that their word helped most: F1 without it and with it.

    Measured by the lexical model, fitted without the messages that this person alone judged, and with them, on the same dev and
    test. Only where the interval of the gain lies above zero: a paired bootstrap of the test texts, LEVEL divided among the
    labels (Bonferroni), since the best of them is told.
    """
    own: dict[str, list[int]] = {}
    for at, example in enumerate(data["train"]):
        if len(example.by) == 1:
            own.setdefault(example.by[0], []).append(at)
    people = [user for user in sorted(own, key=lambda user: -len(own[user])) if len(own[user]) >= LEAST_JUDGED][:MOST_PEOPLE]
    if not people or not data["test"]:
        return []
    truth, known = truth_of(data["test"], labels)
    with_all = _given(data["train"], data, labels)
    found = []
    for user in people:
        left_out = set(own[user])
        others = [example for at, example in enumerate(data["train"]) if at not in left_out]
        try:
            without = _given(others, data, labels)
        except BadData:  # nothing else is there to learn from: nothing to compare with
            continue
        if (best := _best(truth * known, known, without, with_all)) is not None:
            at, before, after = best
            texts = int((truth * known)[:, at].sum())
            found.append(Contribution(user, len(left_out), labels[at], before, after, texts))
    return found


def thank(store: Store, run: Run, version: int, data: Mapping[Split, Sequence[Example]], taxonomy: Taxonomy) -> None:
    """Have those told, each alone and once, whose word made the version of this run better."""
    for each in contributions(data, taxonomy.names):
        content = {
            "version": version, "judged": each.judged, "label": each.label, "before": each.before, "after": each.after,
            "texts": each.texts,
        }  # fmt: skip
        if store.outbox.open_thanks(run.id, each.user, content):
            log.info("%s is thanked for %s", each.user, each.label)


def _given(train: Sequence[Example], data: Mapping[Split, Sequence[Example]], labels: Sequence[str]) -> Matrix:
    baseline = fit_baseline(train, data["dev"], labels)
    return (baseline.scores([example.text for example in data["test"]]) >= baseline.threshold).astype(float)


def _best(truth: Matrix, known: Matrix, without: Matrix, with_all: Matrix) -> tuple[int, float, float] | None:
    """Return the label with the largest sure gain, and its F1 before and after."""
    tested = np.flatnonzero(truth.sum(0) >= ENOUGH_TEXTS)
    if not len(tested):
        return None
    rng = np.random.default_rng(SEED)
    weights = np.vstack([np.ones(len(truth)), rng.multinomial(len(truth), np.full(len(truth), 1 / len(truth)), size=RESAMPLES)])
    before, after = (_f1(weights, truth, given * known)[:, tested] for given in (without, with_all))
    low = np.quantile(after - before, LEVEL / len(tested) / 2, axis=0)
    sure = np.flatnonzero(low > 0)
    if not len(sure):
        return None
    best = sure[np.argmax((after - before)[0, sure])]
    return int(tested[best]), float(before[0, best]), float(after[0, best])


def _f1(weights: Matrix, truth: Matrix, given: Matrix) -> Matrix:
    """Return the F1 of each label, resamples x labels; 0 where nothing is given or true."""
    right = weights @ (truth * given)
    both = weights @ truth + weights @ given
    f1: Matrix = np.divide(2 * right, both, out=np.zeros_like(right), where=both > 0)
    return f1
