"""How well predictions agree with people: scores, thresholds and the calibration error."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from model.schema import LabelScores, Scores
from model.serving.calibration import Matrix

_STEPS = np.linspace(0.05, 0.95, 181)  # where a threshold may stand
_BINS = 15  # of equal width, as Guo et al. 2017 have it
_SHRINKAGE = float("inf")  # texts: one threshold for all; see label_thresholds


def score(gold: Sequence[Collection[str]], predicted: Sequence[Collection[str]], labels: Sequence[str]) -> Scores:
    """Score `predicted` against `gold`, text by text in the same order, over `labels`.

    As scikit-learn counts them. Jaccard is averaged over texts with zero_division=1 (a text without labels, rightly
    left alone, is right); precision, recall and F1 have zero_division=0, and macro-F1 is over all `labels`, also
    those that no text carries.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} texts with labels, but {len(predicted)} predictions")
    pairs = [(frozenset(g), frozenset(p)) for g, p in zip(gold, predicted, strict=True)]
    per_label = {label: _score_label(label, pairs) for label in labels}
    shared = sum(len(g & p) for g, p in pairs)
    return Scores(
        texts=len(pairs),
        jaccard=_ratio(sum(len(g & p) / len(g | p) if g | p else 1.0 for g, p in pairs), len(pairs)),
        micro_f1=_ratio(2 * shared, sum(len(g) + len(p) for g, p in pairs)),
        macro_f1=_ratio(sum(one.f1 for one in per_label.values()), len(per_label)),
        exact_match=_ratio(sum(g == p for g, p in pairs), len(pairs)),
        per_label=per_label,
    )


def _score_label(label: str, pairs: Sequence[tuple[frozenset[str], frozenset[str]]]) -> LabelScores:
    support = sum(label in g for g, _ in pairs)
    given = sum(label in p for _, p in pairs)
    right = sum(label in g and label in p for g, p in pairs)
    return LabelScores(
        precision=_ratio(right, given),
        recall=_ratio(right, support),
        f1=_ratio(2 * right, support + given),
        support=support,
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def table(scores: Mapping[str, Scores]) -> str:
    """Return the scores of several systems on the same texts as a table for a terminal, in per cent."""
    summary = ("micro_f1", "macro_f1", "jaccard", "exact_match")
    rows = [["", *scores], *([name, *(f"{100 * getattr(one, name):.1f}" for one in scores.values())] for name in summary)]
    for label in next(iter(scores.values())).per_label:
        each = [one.per_label[label] for one in scores.values()]
        rows.append([f"  {label} ({each[0].support})", *(f"{100 * one.f1:.1f}" for one in each)])
    if any(one.ece is not None for one in scores.values()):
        rows.insert(5, ["ece", *("-" if one.ece is None else f"{100 * one.ece:.1f}" for one in scores.values())])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        f"{row[0]:<{widths[0]}}" + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    )


def best_threshold(scores: Matrix, truth: Matrix, known: Matrix) -> float:
    """Return the one threshold for all labels with the best micro-F1; 0.5 where nothing is true.

    One for all: tuned label by label, thresholds follow the chance of a few dev texts and lose. Among neighbours of
    equal worth the middle of the best stretch is taken, for the same reason.
    """
    x, y = scores[known > 0], truth[known > 0] > 0
    if not y.any():
        return 0.5
    # How many scores, and how many right ones, reach each step; sorted, as 50,000 texts times steps fill the memory.
    given, right = (len(some) - np.searchsorted(np.sort(some), _STEPS) for some in (x, x[y]))
    f1 = 2 * right / (given + y.sum())
    smooth = np.convolve(np.pad(f1, 5, mode="edge"), np.ones(11) / 11, mode="valid")
    best = np.flatnonzero(np.isclose(smooth, smooth.max()))
    return round(float(_STEPS[best[len(best) // 2]]), 3)


def label_thresholds(scores: Matrix, truth: Matrix, known: Matrix, *, shrinkage: float = _SHRINKAGE) -> list[float]:
    """Return each label's threshold: the best one for all, moved by n / (n + `shrinkage`) of the way to the label's own best.

    n is the number of texts that are known to carry the label, so a label with few of them keeps the threshold of all.
    That is the weight of a mean of n observations beside a prior worth `shrinkage` of them (the empirical Bayes estimate
    of a shift around zero): a label's own best is noise of a size that falls with n.

    It is off (infinite) because it does not win on both sets where it was measured. Micro-F1 of mini on test, mean of the
    seeds 0, 1, 2, for a shrinkage of 0 / 10 / 20 / 50 / 100 / 200 / infinite:
    shipped messages 71.8 / 72.7 / 73.7 / 74.5 / 75.0 / 74.8 / 75.4 (15 dev texts a label, in the median); Multi3NLU++
    banking 78.4 / 79.9 / 80.1 / 79.9 / 79.7 / 79.6 / 79.2 (6 dev texts a label). Without shrinkage it loses on both.
    """
    common = best_threshold(scores, truth, known)
    counts = (truth * known).sum(axis=0)
    columns = [np.s_[:, at : at + 1] for at in range(truth.shape[1])]
    own = [best_threshold(scores[column], truth[column], known[column]) for column in columns]
    return [round(common + (best - common) * n / (n + shrinkage), 4) for best, n in zip(own, counts.tolist(), strict=True)]


def expected_calibration_error(scores: Matrix, truth: Matrix, known: Matrix) -> float:
    """Return how far probabilities are from the truth, 0..1: |share that is true - mean score|, averaged over all pairs.

    A pair is one label of one text. All known pairs are sorted by score into 15 bins of equal width, (0, 1/15] and so on
    with 0 in the first, and each bin counts by its pairs (Guo et al. 2017, arXiv 1706.04599). Of nothing it is 0.
    """
    x, y = scores[known > 0], truth[known > 0]
    if not len(x):
        return 0.0
    bins = np.clip(np.ceil(x * _BINS).astype(int) - 1, 0, _BINS - 1)
    gaps = np.bincount(bins, weights=y - x, minlength=_BINS)  # pairs of a bin times its gap
    return float(np.abs(gaps).sum() / len(x))
