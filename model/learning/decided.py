"""What dev decides: how the encoder is calibrated, the mixture, and the thresholds; and the scores of what that makes."""

from collections.abc import Sequence
from dataclasses import dataclass

from model.drift import profile_of
from model.labels import Taxonomy
from model.learning.baseline import Baseline, truth_of
from model.learning.evaluation import calibrated_threshold, expected_calibration_error, score
from model.learning.lessons import Learner, Lessons
from model.learning.mixture import fit_mixture
from model.learning.preferences import fit_cuts
from model.schema import Cuts, Example, Mixture, Scores
from model.serving.calibration import Matrix, sigmoid
from model.serving.mixture import mix
from model.serving.network import calibrate_network


@dataclass(frozen=True)
class Decided:
    """What dev has decided: how the encoder is calibrated, the mixture, and the thresholds of the whole and the encoder alone."""

    scale: float
    shift: float
    mixture: Mixture
    threshold: float
    encoder_threshold: float
    cuts: dict[str, Cuts]

    def thresholds(self, taxonomy: Taxonomy) -> dict[str, float]:
        """Return each label's threshold by what is preferred of it."""
        preferences = taxonomy.preferences(self.cuts)
        return {name: cuts.by(preferences.get(name, "balance")).threshold for name, cuts in self.cuts.items()}


def decide(learner: Learner, dev: Lessons, lexical: Matrix, labels: Sequence[str]) -> tuple[Decided, Matrix]:
    """Calibrate the network on dev, and return what dev decides, with the network's logits on it."""
    truth, known = dev.answers()
    scale, shift = calibrate_network(learner.network, learner.logits(dev), truth, known)
    encoder: Matrix = learner.logits(dev).double().numpy()
    mixture = fit_mixture(encoder, lexical, truth, known)
    mixed = sigmoid(mix(mixture, encoder, lexical))
    threshold, encoder_threshold = (calibrated_threshold(scores, truth, known) for scores in (mixed, sigmoid(encoder)))
    return Decided(scale, shift, mixture, threshold, encoder_threshold, fit_cuts(mixed, truth, known, labels)), encoder


def score_systems(
    decided: Decided, encoder: Matrix, examples: Sequence[Example], baseline: Baseline, svc: Baseline
) -> dict[str, Scores]:
    """Score the version as it will serve, its encoder alone, and the yardsticks; `encoder` are the network's logits."""
    texts = [example.text for example in examples]
    lexical = baseline.lexical.logits(texts)
    systems = {
        "version": (sigmoid(mix(decided.mixture, encoder, lexical)), decided.threshold),
        "encoder": (sigmoid(encoder), decided.encoder_threshold),
        "baseline": (sigmoid(lexical), baseline.threshold),
        "svc": (svc.scores(texts), svc.threshold),
    }
    return {name: _evaluate(*each, examples, baseline.labels) for name, each in systems.items()}


def _evaluate(scores: Matrix, threshold: float, examples: Sequence[Example], labels: Sequence[str]) -> Scores:
    """Score probabilities on what is known of `examples`: a label that nobody judged counts neither for nor against."""
    given = scores >= threshold
    known = [
        {label for label, is_given in zip(labels, row, strict=True) if is_given} - set(example.unknown)
        for row, example in zip(given, examples, strict=True)
    ]
    ece = expected_calibration_error(scores, *truth_of(examples, labels))
    profile = profile_of([dict(zip(labels, row, strict=True)) for row in scores.tolist()], dict.fromkeys(labels, threshold))
    return score([example.labels for example in examples], known, labels).model_copy(update={"ece": ece, "profile": profile})
