"""Which judged labels look wrong: those that a model which has not learnt them would not give. What to ask people about."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from model.learning.baseline import fit_baseline, truth_of
from model.learning.retraining import imported_examples, judged_example, shipped_examples
from model.schema import Example
from model.serving.calibration import Matrix
from model.store.store import Store
from model.store.suspicions import Suspicion
from model.text_key import text_key

FOLDS = 5
# Fewer judged messages teach too little to doubt any of them.
ENOUGH = 30
# Of the newest gestures, so many are looked through; of what looks wrong, so many are kept to ask about.
LOOKED_THROUGH, KEPT = 10_000, 200
# How much the least believable label of a message weighs in its rank (cleanlab's own choice).
_FORGETTING = 0.8


def note_suspicions(store: Store) -> int:
    """Look through what was judged lately, keep what to ask people about, and return how many messages that are."""
    taxonomy = store.labels.current()
    judged, ids = [], []
    for each in store.judged.lately(taxonomy, LOOKED_THROUGH):
        if (example := judged_example(each)) is not None:
            judged.append(example)
            ids.append(int(each.row.id))
    if len(judged) < ENOUGH or not taxonomy.names:
        return 0
    others = [*shipped_examples(taxonomy), *imported_examples(store, taxonomy)]
    found = [
        Suspicion(message_id=ids[at], label=label, says=says, score=score)
        for at, score, labels in suspicious(judged, others, taxonomy.names)[:KEPT]
        for label, says in labels
    ]
    store.suspicions.replace(found)
    return len({each.message_id for each in found})


def suspicious(
    judged: Sequence[Example], others: Sequence[Example], names: Sequence[str]
) -> list[tuple[int, float, list[tuple[str, bool]]]]:
    """Return (place in `judged`, score, [(label, what was said)]) of what looks wrong, the least believable first.

    Each message is scored by a lexical model that learnt from `others` and from the other folds. A label looks wrong where the
    opposite is as likely as it is on average where the opposite was said (confident learning: Northcutt and others, 2021,
    doi:10.1613/jair.1.12125). Messages are ranked by the moving average of their labels' self-confidence, the worst weighing
    most (Thyagarajan and others, 2022, arXiv:2211.13895, as cleanlab does). Unknown labels are not looked at.
    """
    truth, known = truth_of(judged, names)
    likely = _held_out(judged, others, names)
    own = np.where(truth > 0, likely, 1 - likely)  # how likely is what was said
    found = []
    wrong = np.zeros_like(own, dtype=bool)
    for at in range(len(names)):
        yes, no = (known[:, at] > 0) & (truth[:, at] > 0), (known[:, at] > 0) & (truth[:, at] == 0)
        if not yes.any() or not no.any():
            continue
        wrong[:, at] = (no & (likely[:, at] >= likely[yes, at].mean())) | (
            yes & (1 - likely[:, at] >= (1 - likely[no, at]).mean())
        )
    for at in np.flatnonzero(wrong.any(axis=1)).tolist():
        labels = [(names[label], bool(truth[at, label])) for label in np.flatnonzero(wrong[at]).tolist()]
        found.append((at, _rank(own[at, known[at] > 0]), labels))
    return sorted(found, key=lambda each: each[1])


def _rank(confidences: Matrix) -> float:
    """Return the exponential moving average of the self-confidences, from the best to the worst."""
    ordered = np.sort(confidences)[::-1]
    average = float(ordered[0])
    for confidence in ordered[1:]:
        average = _FORGETTING * float(confidence) + (1 - _FORGETTING) * average
    return average


def _held_out(judged: Sequence[Example], others: Sequence[Example], names: Sequence[str]) -> Matrix:
    """Return probabilities, judged x names, each from a model that has not learnt that message."""
    fold_of = np.array([_fold(example) for example in judged])
    likely = np.full((len(judged), len(names)), 0.5)
    for fold, rest in _folds(judged, others, fold_of):
        held = np.flatnonzero(fold_of == fold).tolist()
        likely[held] = fit_baseline(rest, [], names).scores([judged[at].text for at in held])
    return likely


def _folds(judged: Sequence[Example], others: Sequence[Example], fold_of: Matrix) -> Iterator[tuple[int, list[Example]]]:
    for fold in sorted({int(each) for each in fold_of}):
        keys = {text_key(judged[at].text) for at in np.flatnonzero(fold_of == fold).tolist()}
        rest = [judged[at] for at in np.flatnonzero(fold_of != fold).tolist()]
        yield fold, [*(each for each in others if text_key(each.text) not in keys), *rest]


def _fold(example: Example) -> int:
    """Return the fold of a text: the same text said twice is in one."""
    return hashlib.sha256(text_key(example.text).encode()).digest()[0] % FOLDS
