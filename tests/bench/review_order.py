"""How many judgements each order of review needs: a pool of messages, judged in batches, the learner fitted anew after each."""

import hashlib
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from model.labels import Taxonomy
from model.learning.baseline import truth_of
from model.learning.bases import e5
from model.learning.evaluation import best_threshold
from model.review_order import most_teaching, uncertainty
from model.schema import Example
from model.serving.calibration import Matrix, calibrate, sigmoid
from model.serving.normalise import normalise
from model.settings import ModelSettings
from tests.bench.data import find_data
from tests.bench.machine import machine_facts
from tests.bench.peer_orders import INSTALL, PEERS, missing

FIRST = 40  # judged at random, before there is anything to be unsure of
TARGET = 0.95  # of the score with all messages


class Round:
    """What an order may look at: the texts that are left, what is judged, and what the learner says of those that are left."""

    def __init__(self, pool: Sequence[Example], rest: Sequence[int], done: Sequence[int], fitted: "Learner") -> None:
        self.texts = [pool[at].text for at in rest]
        self.labels, self.threshold = fitted.labels, fitted.threshold
        self.truth, _ = truth_of([pool[at] for at in done], fitted.labels)
        self.weights = 1 / np.sqrt(1 + self.truth.sum(axis=0))  # rare labels weigh more
        self.embedded, self.embedded_judged = fitted.embedded[list(rest)], fitted.embedded[list(done)]
        self.parts = fitted.parts_of(rest)
        self.whole = fitted.whole_of(rest)

    @property
    def scores(self) -> list[dict[str, float]]:
        """By message, the calibrated probability of each label."""
        return [dict(zip(self.labels, row.tolist(), strict=True)) for row in self.whole]


Order = Callable[[Round, int, random.Random], list[int]]


def by_chance(told: Round, batch: int, chance: random.Random) -> list[int]:
    """Judge as they come."""
    return chance.sample(range(len(told.texts)), min(batch, len(told.texts)))


def by_least_sure_label(told: Round, batch: int, _: random.Random) -> list[int]:
    """Judge where one label is nearest to even (BinMin, Brinker 2006)."""
    return _top(-np.abs(told.whole - 0.5).min(axis=1), batch)


def by_uncertainty(told: Round, batch: int, _: random.Random) -> list[int]:
    """Judge where the labels' entropies sum up to most."""
    return _top(np.array([uncertainty(each) for each in told.scores]), batch)


def by_rare_uncertainty(told: Round, batch: int, _: random.Random) -> list[int]:
    """Judge likewise, rare labels first."""
    return _top(_entropy(told.whole) @ told.weights, batch)


def by_disagreement(told: Round, batch: int, _: random.Random) -> list[int]:
    """Judge where the two parts of the mixture differ most, summed over labels."""
    return _top(np.abs(told.parts[0] - told.parts[1]).sum(axis=1), batch)


def by_unlike_uncertainty(told: Round, batch: int, _: random.Random) -> list[int]:
    """Judge where the entropies sum up to most, unlike each other."""
    return most_teaching(told.texts, [uncertainty(each) for each in told.scores], batch)


ORDERS: dict[str, Order] = {
    "random": by_chance,
    "least sure label": by_least_sure_label,
    "uncertainty": by_uncertainty,
    "uncertainty, rare first": by_rare_uncertainty,
    "disagreement": by_disagreement,
    "uncertainty, unlike": by_unlike_uncertainty,
    **PEERS,
}


class Learner:
    """Logistic regressions on TF-IDF and on a frozen encoder's embedding, whose logits are averaged, as a version's are.

    Features are those of all texts, made once; every fifth judged message calibrates and gives the threshold.
    """

    def __init__(self, parts: Sequence[Any], labels: Sequence[str]) -> None:
        self._features = parts
        self.embedded = parts[-1]
        self.labels = tuple(labels)

    def fit(self, at: Sequence[int], examples: Sequence[Example]) -> None:
        """Fit on the messages at these places, of which `examples` says the labels."""
        truth, known = truth_of(examples, self.labels)
        is_dev = np.arange(len(at)) % 5 == 4
        learnt = np.array(at)[~is_dev]
        self._models = [
            [_fit(features[learnt], truth[~is_dev, column]) for column in range(len(self.labels))] for features in self._features
        ]
        dev = np.array(at)[is_dev]
        self._scales = [calibrate(logits, truth[is_dev], known[is_dev]) for logits in self._logits(dev)]
        mixed = self._mixed(dev)
        self._scale = calibrate(mixed, truth[is_dev], known[is_dev])
        self.threshold = best_threshold(self.whole_of(dev), truth[is_dev], known[is_dev])

    def parts_of(self, at: Sequence[int]) -> list[Matrix]:
        """Return each part's calibrated probabilities of these messages."""
        return [sigmoid(scale * each + shift) for each, (scale, shift) in zip(self._logits(at), self._scales, strict=True)]

    def whole_of(self, at: Sequence[int]) -> Matrix:
        """Return the mixture's calibrated probabilities of these messages."""
        return sigmoid(self._scale[0] * self._mixed(at) + self._scale[1])

    def _mixed(self, at: Sequence[int]) -> Matrix:
        calibrated = zip(self._logits(at), self._scales, strict=True)
        mixed: Matrix = np.mean([scale * each + shift for each, (scale, shift) in calibrated], axis=0)
        return mixed

    def _logits(self, at: Sequence[int]) -> list[Matrix]:
        rows = np.array(at)
        return [
            np.stack([np.asarray(features[rows] @ weights).ravel() + bias for weights, bias in models], axis=1)
            for features, models in zip(self._features, self._models, strict=True)
        ]


def measure(*, data: Path | None, orders: Sequence[str], seeds: Sequence[int], batch: int, most: int) -> dict[str, Any]:
    """Return for each order and seed the judgements that reach `TARGET` of the scores with all messages; None: none did.

    By micro-F1, and by macro-F1, which asks of every label the same; each run goes on until both are reached, or to `most`.

    A line of JSON for each goes to standard error as soon as it is known.
    """
    if without := [name for name in orders if missing(name)]:
        raise click.ClickException(f"{', '.join(without)}: {INSTALL}")
    found = find_data(data)
    pool, judged = found.learnt, found.judged
    taxonomy: Taxonomy = found.taxonomy
    texts = [example.text for example in (*pool, *judged)]
    parts = [_lexical(texts), _embedded(texts)]
    whole = Learner(parts, taxonomy.names)
    whole.fit(range(len(pool)), pool)
    there = range(len(pool), len(texts))
    truth, _ = truth_of(judged, taxonomy.names)
    full = _f1(whole, there, truth)
    click.echo(json.dumps({"full": [round(100 * each, 1) for each in full], "messages": len(pool)}), err=True)
    until = full[0] * TARGET, full[1] * TARGET
    runs = []
    for name in orders:
        for seed in seeds:
            began = time.perf_counter()
            curve = _curve(
                ORDERS[name], parts, pool, there, truth, taxonomy.names, seed=seed, batch=batch, most=most, until=until
            )
            reached = [next((judgements for judgements, *f1 in curve if f1[at] >= until[at]), None) for at in (0, 1)]
            run = {
                "order": name,
                "seed": seed,
                "judgements": reached[0],
                "judgements_macro": reached[1],
                "seconds": round(time.perf_counter() - began, 1),
                "curve": [[judgements, round(100 * micro, 1), round(100 * macro, 1)] for judgements, micro, macro in curve],
            }
            click.echo(json.dumps(run), err=True)
            runs.append(run)
    return {
        "bench": "review_order",
        "data": found.name,
        "full_micro_f1": round(100 * full[0], 1),
        "full_macro_f1": round(100 * full[1], 1),
        "target": TARGET,
        "batch": batch,
        **machine_facts(),
        "runs": runs,
    }


def _curve(
    order: Order,
    parts: Sequence[Any],
    pool: Sequence[Example],
    there: Sequence[int],
    truth: Matrix,
    labels: Sequence[str],
    *,
    seed: int,
    batch: int,
    most: int,
    until: tuple[float, float],
) -> list[tuple[int, float, float]]:
    chance = random.Random(seed)
    done = chance.sample(range(len(pool)), FIRST)
    learner, curve, above = Learner(parts, labels), [], 0
    while True:
        learner.fit(done, [pool[at] for at in done])
        micro, macro = _f1(learner, there, truth)
        curve.append((len(done), micro, macro))
        above = above + 1 if micro >= until[0] and macro >= until[1] else 0
        if len(done) >= min(most, len(pool)) or above == 3:
            return curve
        rest = sorted(set(range(len(pool))) - set(done))
        told = Round(pool, rest, done, learner)
        done += [rest[at] for at in order(told, batch, chance)]


def _f1(learner: Learner, at: Sequence[int], truth: Matrix) -> tuple[float, float]:
    """Return micro-F1, and the mean F1 of those labels that any of these messages carries."""
    given = learner.whole_of(at) >= learner.threshold
    right, of = (given * truth).sum(axis=0), given.sum(axis=0) + truth.sum(axis=0)
    carried = truth.any(axis=0)
    return float(2 * right.sum() / max(of.sum(), 1)), float((2 * right[carried] / of[carried]).mean())


def _fit(features: Any, truth: Matrix) -> tuple[Matrix, float]:
    from sklearn.linear_model import LogisticRegression

    if not 0 < truth.sum() < len(truth):
        return np.zeros(features.shape[1]), 10.0 if truth.any() else -10.0
    model = LogisticRegression(C=10.0, class_weight="balanced", solver="liblinear", random_state=0, tol=1e-3)
    model.fit(features, truth)
    return model.coef_[0], float(model.intercept_[0])


def _lexical(texts: Sequence[str]) -> Any:
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    settings: dict[str, Any] = {"sublinear_tf": True, "strip_accents": "unicode", "min_df": 2}
    kinds: list[dict[str, Any]] = [{"ngram_range": (1, 2)}, {"analyzer": "char_wb", "ngram_range": (2, 5)}]
    words = [normalise(text) for text in texts]
    return hstack([TfidfVectorizer(**settings, **kind).fit_transform(words) for kind in kinds]).tocsr()


def _embedded(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the mean of the last layer of e5, untouched, for each text, of length one; worked out once for the same texts."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    home = ModelSettings().home_folder
    kept = home / "bench-review-order" / f"{hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]}.safetensors"
    if kept.exists():
        return load_file(kept)["embedded"]
    folder = e5.unpacked(home)
    with torch.inference_mode():
        tokenizer, encoder = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
        rows = []
        for start in range(0, len(texts), 64):
            cut = tokenizer(
                [normalise(text) for text in texts[start : start + 64]],
                padding=True,
                truncation=True,
                max_length=128,
                return_tensors="pt",
            )
            states, mask = encoder(**cut).last_hidden_state, cut["attention_mask"][..., None]
            rows.append(((states * mask).sum(1) / mask.sum(1)).numpy())
    made = np.concatenate(rows).astype(np.float64)
    made -= made.mean(axis=0)  # e5's embeddings all point the same way
    unit: NDArray[np.float64] = made / np.linalg.norm(made, axis=1, keepdims=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    save_file({"embedded": unit}, kept)
    return unit


def _entropy(p: Matrix) -> Matrix:
    inside = np.clip(p, 1e-12, 1 - 1e-12)
    entropies: Matrix = -inside * np.log(inside) - (1 - inside) * np.log(1 - inside)
    return entropies


def _top(values: NDArray[np.float64], batch: int) -> list[int]:
    return [int(at) for at in np.argsort(-values, kind="stable")[:batch]]
