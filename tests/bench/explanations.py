"""Do the words that an explanation names carry the label, and how long does an explanation take?"""

import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from model.labels import seed_taxonomy
from model.learning.dataset import seed_examples, seed_messages
from model.learning.training import train
from model.serving.calibration import Matrix
from model.serving.classifier import Classifier, load
from model.serving.explanation import CarriedText, explain
from model.serving.nearest import Candidate, NearestTexts
from tests.bench.machine import machine_facts, milliseconds

DRAWS = 5  # random words, of each text
COMPARED = 5000  # judged messages


def measure(*, base: str, version: Path | None, texts: int, seed: int) -> dict[str, Any]:
    """Leave the named words out of each shipped test text, and as many others; time each explanation, on one core.

    For each label that is given: what its probability loses without the words that are named, without as many random words of
    the same text (the mean of five draws), and without as many of the heaviest by one part of the mixture alone. And how often
    the label is not given any more.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as made:
        folder = version
        if folder is None:
            folder, data = Path(made) / "version", seed_examples()
            train(data["train"], data["dev"], taxonomy=seed_taxonomy(), base=base, out=folder)
        classifier = load(folder, device="cpu")
    rng = random.Random(seed)
    tested = [example.text for example in seed_examples()["test"]][:texts]
    explain(classifier, tested[0])
    seconds: list[float] = []
    cpu_seconds: list[float] = []
    drops: dict[str, list[tuple[float, float]]] = {}
    named = []
    for text in tested:
        began, spent = time.perf_counter(), time.process_time()
        carried = explain(classifier, text)
        labels = carried.labels(classifier.labels)
        seconds.append(time.perf_counter() - began)
        cpu_seconds.append(time.process_time() - spent)
        words = carried.words
        alone = _parts(classifier, carried)
        for at, label in enumerate(labels):
            chosen = {each for first, end in label.words for each in range(first, end)}
            if not label.given or not chosen or len(chosen) == len(words):
                continue
            named.append(len(chosen) / len(words))
            ways = {"named": [chosen]}
            ways["random"] = [set(rng.sample(range(len(words)), len(chosen))) for _ in range(DRAWS)]
            ways |= {name: [set(np.argsort(-part[:, at])[: len(chosen)].tolist())] for name, part in alone.items()}
            for way, sets in ways.items():
                without = [" ".join(word for place, word in enumerate(words) if place not in left) for left in sets]
                after = classifier.predict(without)
                lost = statistics.mean(label.score - each.scores[label.label] for each in after)
                gone = statistics.mean(label.label not in each.labels for each in after)
                drops.setdefault(way, []).append((lost, gone))
    result = {
        "bench": "explanations",
        "base": classifier.card.base,
        "form": classifier.engine.form,
        **machine_facts(),
        "texts": len(tested),
        "labels": len(named),
        "share_named": round(statistics.mean(named), 3),
        "ways": {way: _figures(found) for way, found in drops.items()},
        "seconds": {"p50": milliseconds(seconds, 50) / 1000, "p99": milliseconds(seconds, 99) / 1000},
        "cpu_seconds": {"p50": milliseconds(cpu_seconds, 50) / 1000, "p99": milliseconds(cpu_seconds, 99) / 1000},
        "words": {"p50": _words(tested, 50), "p99": _words(tested, 99)},
        "cpu_seconds_long": _long(classifier),
        "cpu_seconds_nearest": _nearest(tested),
    }
    for way, figures in result["ways"].items():
        click.echo(f"{way}: the probability loses {figures['lost']}, {figures['gone']} of the labels go", err=True)
    click.echo(f"an explanation takes {result['seconds']} s, {result['cpu_seconds']} of the core", err=True)
    return result


def _parts(classifier: Classifier, carried: CarriedText) -> dict[str, Matrix]:
    """Return what carries the labels by one part of the mixture alone, where it has two."""
    lexical = classifier.serving_lexical
    if lexical is None or not classifier.mixture.encoder or not carried.words:
        return {}
    share = lexical.carried_by(carried.words)
    return {"lexical alone": share, "encoder alone": carried.carried - classifier.mixture.lexical * share}


def _figures(found: Iterable[tuple[float, float]]) -> dict[str, float]:
    lost, gone = zip(*found, strict=True)
    return {"lost": round(statistics.mean(lost), 3), "gone": round(statistics.mean(gone), 3)}


def _long(classifier: Classifier) -> dict[str, Any]:
    """Return the seconds of the core for a text of 60 words, of 150, and of what no chat message has."""
    words = " ".join(example.text for example in seed_messages()).split()
    made = {}
    for count in (60, 150, 1000):
        spent = time.process_time()
        explain(classifier, " ".join(words[:count]))
        made[f"{count} words"] = round(time.process_time() - spent, 2)
    return made


def _nearest(tested: Sequence[str]) -> dict[str, float]:
    """Return the seconds of the core for the nearest of the judged messages, at first and from then on."""
    shipped = [example.text for example in seed_messages()]
    candidates = [Candidate(at, 1, f"{shipped[at % len(shipped)]} {at}") for at in range(COMPARED)]
    nearest, seconds = NearestTexts(), []
    for text in tested[:20]:
        spent = time.process_time()
        nearest.nearest(text, candidates, 20)
        seconds.append(time.process_time() - spent)
    return {"first": round(seconds[0], 2), "p50": milliseconds(seconds[1:], 50) / 1000}


def _words(tested: Sequence[str], percentile: int) -> int:
    counts = sorted(len(text.split()) for text in tested)
    return counts[min(len(counts) - 1, percentile * len(counts) // 100)]
