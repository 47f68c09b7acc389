"""Whether a candidate goes live: a comparison on the same texts, and a decision with its reasons. Pure.

What people never judged counts neither for nor against anybody.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from model.learning.evaluation import expected_calibration_error
from model.learning.preferences import BETA, f_beta
from model.schema import Comparison, Interval, LabelChange, Preference, PreferredChange, Reason, Verdict
from model.serving.calibration import Matrix

# Enough for limits that do not move by more than a tenth of a point between two seeds.
RESAMPLES = 2_000
# The decision must be the same whenever it is repeated on the same data.
SEED = 0
# Before the candidate may count as worse than the live version. Of the chance of a few hundred test texts, one retraining
# with another seed moves micro-F1 by up to 2 points (README, scores).
TOLERATED_LOSS = 0.02
TOLERATED_MISCALIBRATION = 0.03
# A label that fewer test texts carry falls by chance: one text of five is twenty points.
ENOUGH_TEXTS = 10
# After so many candidates on the same test texts, what wins there may win by having been chosen there.
REUSED_AFTER = 30


@dataclass(frozen=True)
class Answers:
    """One system's answers on the test texts: 0/1 decisions and probabilities, texts x labels.

    `given` are at the thresholds of a balance, `preferred` at those of what people prefer; None where they cannot be moved.
    """

    given: Matrix
    scores: Matrix
    preferred: Matrix | None = None


def compare(
    truth: Matrix,
    known: Matrix,
    labels: Sequence[str],
    candidate: Answers,
    live: Answers | None,
    baseline: Answers,
    preferences: Mapping[str, Preference] | None = None,
) -> Comparison:
    """Compare the candidate with the live version and the baseline, on the same texts and labels.

    Intervals hold 95 % of `RESAMPLES` bootstrap resamples of the texts. Gains are paired: each resample scores both
    systems on the same texts (Koehn 2004, "Statistical significance tests for machine translation evaluation"; Efron and
    Tibshirani 1993, chapter 13). `truth` and `known` are 0/1, texts x labels. Labels of `preferences` are compared a second
    time, at the thresholds at which they serve; all else is without preferences, since unlike thresholds compare nothing.
    Texts on which nothing is known of these labels count for nobody; where no other is left, `texts` is 0.
    """
    if not len(truth):
        raise ValueError("there is no test text to compare on")
    told: Any = known.any(1)  # a mask of the texts
    if not told.any():
        none = Interval(value=0, low=0, high=0)
        gain, ece = (None, None) if live is None else (none, 0.0)
        return Comparison(
            texts=0, right=0, right_live=None if live is None else 0, micro=none, macro=none, micro_gain=gain, macro_gain=gain,
            micro_baseline=0, macro_baseline=0, ece=0, ece_live=ece, per_label={},
        )  # fmt: skip
    if not told.all():
        truth, known, candidate, baseline = truth[told], known[told], _of(candidate, told), _of(baseline, told)
        live = None if live is None else _of(live, told)
    rng = np.random.default_rng(SEED)
    texts = len(truth)
    # How often each resample holds each text; the first row is the test split itself.
    weights = np.vstack([np.ones(texts), rng.multinomial(texts, np.full(texts, 1 / texts), size=RESAMPLES)])
    ours = _f1(weights, truth, known, candidate.given)
    theirs = None if live is None else _f1(weights, truth, known, live.given)
    reference = _f1(weights[:1], truth, known, baseline.given)
    support = (truth * known).sum(0)
    # A label that nobody judged on a text is not wrong there.
    is_right = (candidate.given == truth) | (known == 0)
    was_right = None if live is None else (live.given == truth) | (known == 0)
    better = None if was_right is None else (is_right & ~was_right).sum(0)
    worse = None if was_right is None else (was_right & ~is_right).sum(0)
    return Comparison(
        texts=texts,
        right=int(is_right.all(1).sum()),
        right_live=None if was_right is None else int(was_right.all(1).sum()),
        micro=_interval(ours.micro),
        macro=_interval(ours.macro),
        micro_gain=None if theirs is None else _interval(ours.micro - theirs.micro),
        macro_gain=None if theirs is None else _interval(ours.macro - theirs.macro),
        micro_baseline=float(reference.micro[0]),
        macro_baseline=float(reference.macro[0]),
        ece=expected_calibration_error(candidate.scores, truth, known),
        ece_live=None if live is None else expected_calibration_error(live.scores, truth, known),
        per_label={
            label: LabelChange(
                after=float(ours.per_label[0, at]),
                before=None if theirs is None else float(theirs.per_label[0, at]),
                support=int(support[at]),
                better=None if better is None else int(better[at]),
                worse=None if worse is None else int(worse[at]),
                chance=None if better is None or worse is None else sign_test(int(better[at]), int(worse[at])),
                preferred=_preferred(at, (preferences or {}).get(label), truth * known, known, candidate, live),
            )
            for at, label in enumerate(labels)
        },
    )


def decide(comparison: Comparison, *, label_margin: float, uses: int = 0, live_is_broken: bool = False) -> Verdict:
    """Decide whether the candidate should go live, with every reason for and against.

    It should where it is better on micro- or macro-F1 than the live version, on neither surely worse, nor worse by more than
    TOLERATED_LOSS, loses no label by more than `label_margin`, and is not worse calibrated. A label is measured by F1, one of
    which recall or precision is preferred by F2 or F0.5 where it then is. The baseline decides
    nothing: a network may be wanted for its speed of learning, but the report says where the baseline is ahead. `uses` is
    how many candidates were evaluated on these test texts before. `live_is_broken` is true where versions were live before
    and none of them can be loaded: then there is nothing to compare with, and people have to decide; so they have where no
    test text tells of a label that both know, as after a team has begun with labels of its own.
    """
    reasons = []
    if not comparison.texts and comparison.micro_gain is not None:
        reasons.append(Reason(code="untested", good=False))
    elif comparison.micro_gain is None or comparison.macro_gain is None:
        reasons.append(Reason(code="live_broken", good=False) if live_is_broken else Reason(code="first", good=True))
    else:
        gains = {"micro": comparison.micro_gain, "macro": comparison.macro_gain}
        better = any(gain.value > 0 for gain in gains.values())
        for which, gain in gains.items():
            values = {"which": which, "gain": gain.value, "low": gain.low, "high": gain.high}
            if gain.high < 0 or gain.value < -TOLERATED_LOSS:
                reasons.append(Reason(code="loses", good=False, values=values))
            else:
                code = "wins" if gain.low > 0 else "gains" if gain.value > 0 else "equal"
                reasons.append(Reason(code=code, good=code != "equal" or better, values=values))
        for label, change in comparison.per_label.items():
            code, before, after = _measured(change)
            if before is not None and change.support >= ENOUGH_TEXTS and before - after > label_margin:
                values = {"label": label, "before": before, "after": after, "texts": change.support}
                reasons.append(Reason(code=code, good=False, values=values))
        if comparison.ece_live is not None and comparison.ece - comparison.ece_live > TOLERATED_MISCALIBRATION:
            values = {"before": comparison.ece_live, "after": comparison.ece}
            reasons.append(Reason(code="miscalibrated", good=False, values=values))
    promote = all(reason.good for reason in reasons)
    if comparison.micro_baseline > comparison.micro.value:
        values = {"baseline": comparison.micro_baseline, "ours": comparison.micro.value}
        reasons.append(Reason(code="baseline_ahead", good=True, values=values))
    if uses >= REUSED_AFTER:
        reasons.append(Reason(code="test_set_reused", good=True, values={"uses": uses}))
    return Verdict(promote=promote, reasons=tuple(reasons))


def _of(answers: Answers, texts: Any) -> Answers:
    """Return what was answered to these texts."""
    return Answers(
        answers.given[texts], answers.scores[texts], None if answers.preferred is None else answers.preferred[texts]
    )  # fmt: skip


def _preferred(
    at: int, preference: Preference | None, truth: Matrix, known: Matrix, candidate: Answers, live: Answers | None
) -> PreferredChange | None:
    """Count what the label in column `at` gives where it is preferred to be; None where nothing else than a balance is."""
    if preference is None or candidate.preferred is None:
        return None

    def count(preferred: Matrix) -> tuple[int, int]:
        given = preferred[:, at] * known[:, at]
        return int((given * truth[:, at]).sum()), int(given.sum())

    found, given = count(candidate.preferred)
    before = None if live is None or live.preferred is None else count(live.preferred)
    return PreferredChange(
        preference=preference,
        found=found,
        given=given,
        found_before=None if before is None else before[0],
        given_before=None if before is None else before[1],
    )


def _measured(change: LabelChange) -> tuple[Literal["label_falls", "recall_falls", "precision_falls"], float | None, float]:
    """Return which fall it would be, and what is measured of the label in the live version and in the candidate."""
    preferred = change.preferred
    if preferred is None or preferred.found_before is None or preferred.given_before is None or preferred.preference == "balance":
        return "label_falls", change.before, change.after
    beta = BETA[preferred.preference]
    before, after = (
        f_beta(found, given, change.support, beta)
        for found, given in ((preferred.found_before, preferred.given_before), (preferred.found, preferred.given))
    )
    return "recall_falls" if preferred.preference == "recall" else "precision_falls", before, after


def sign_test(better: int, worse: int) -> float:
    """Return how likely at least so one-sided a change is where each text was as likely to turn right as wrong.

    Exact and two-sided: McNemar's test on the texts on which two systems differ (Dietterich 1998, "Approximate statistical
    tests for comparing supervised classification learning algorithms").
    """
    changed = better + worse
    tail = sum(math.comb(changed, count) for count in range(min(better, worse) + 1)) / 2**changed
    return float(min(2 * tail, 1.0))


@dataclass(frozen=True)
class _F1:
    micro: Matrix  # one number a resample
    macro: Matrix
    per_label: Matrix  # resamples x labels


def _f1(weights: Matrix, truth: Matrix, known: Matrix, given: Matrix) -> _F1:
    """Return F1, 2 shared / (true + given) as scikit-learn counts it, for every resample at once; 0 where both are empty."""
    shared = weights @ (truth * given * known)
    both = weights @ (truth * known) + weights @ (given * known)
    per_label = np.divide(2 * shared, both, out=np.zeros_like(both), where=both > 0)
    all_both = both.sum(1)
    micro = np.divide(2 * shared.sum(1), all_both, out=np.zeros_like(all_both), where=all_both > 0)
    # A label that no test text carries tells nothing about the network.
    carried = (truth * known).sum(0) > 0
    macro = per_label[:, carried].mean(1) if carried.any() else np.zeros(len(weights))
    return _F1(micro, macro, per_label)


def _interval(values: Matrix) -> Interval:
    """Return the first value, which is of the split itself, with the limits of the middle 95 % of the others."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return Interval(value=float(values[0]), low=float(low), high=float(high))
