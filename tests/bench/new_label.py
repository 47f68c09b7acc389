"""What a label gives from its name alone and with its first examples, and what all labels give from descriptions alone."""

import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from model.labels import Label, Taxonomy, seed_taxonomy
from model.learning.baseline import truth_of
from model.learning.dataset import seed_examples
from model.learning.describing import describe_version
from model.learning.descriptions import BACKGROUND, Carried, Describer, sample
from model.learning.evaluation import expected_calibration_error, score
from model.schema import Example
from model.serving.calibration import Matrix
from model.serving.classifier import Classifier, load
from model.serving.corrections import Corrections
from model.serving.described import GIVEN_FROM, Described
from model.serving.judged_texts import gather
from model.settings import ModelSettings
from tests.bench.data import find_data
from tests.bench.machine import machine_facts

NOTHING_SAID = gather([], np.zeros((0, 1), np.int8), [])
EXAMPLES = (0, 1, 3, 10, 30)


def measure(*, data: Path | None, base: str, seeds: Sequence[int]) -> dict[str, Any]:
    """Return the scores of each label as if it were new, and of all labels from what is written of them alone.

    A label is new with so many messages that carry it, drawn by the seed from those to learn from; the others of these are
    messages of which nothing is known. It is scored on those to judge by. The base is frozen and shared by all versions, so no
    training is needed for this, whatever version is live; and what that says of its own labels is not touched.
    """
    found = find_data(data)
    home = ModelSettings().home_folder
    with tempfile.TemporaryDirectory() as made:
        began = time.perf_counter()
        own = Path(made) / "own"
        describe_version(_titled(found.taxonomy), [], base=base, out=own, home=home)
        seconds = time.perf_counter() - began
        classifier, describer = load(own, device="cpu"), Describer(own)
        background = sample([example.text for example in found.learnt], BACKGROUND)
        taxonomy = _titled(found.taxonomy)
        result = {
            "bench": "new-label",
            "data": found.name,
            "base": Path(base).name,
            **machine_facts(),
            "seconds_for_a_version": round(seconds, 1),
            "all_from_names": {
                "centred_on_shipped_messages": _all(classifier, taxonomy, found.judged),
                "centred_on_their_own": _all(
                    _with(classifier, describer.describe(taxonomy, taxonomy.names, background, {})), taxonomy, found.judged
                ),
            },
            "new": [_new(classifier, describer, taxonomy, found.learnt, found.judged, background, seed) for seed in seeds],
        }
        shipped = seed_examples()
        folder = Path(made) / "shipped"
        describe_version(seed_taxonomy(), [], base=base, out=folder, home=home)
        result["shipped_from_descriptions"] = {
            split: _all(load(folder, device="cpu"), seed_taxonomy(), shipped[split]) for split in ("dev", "test")
        }
    _tell(result)
    return result


def _titled(taxonomy: Taxonomy) -> Taxonomy:
    """Return labels with their names as they come, for titles."""
    return Taxonomy(
        Label(
            name=label.name, title=label.title.replace("_", " "), title_en=label.title_en, emoji="", description=label.description
        )
        for label in taxonomy
    )


def _with(classifier: Classifier, described: Described | None) -> Classifier:
    return classifier.corrected(Corrections(0, NOTHING_SAID, described=described))


def _all(classifier: Classifier, taxonomy: Taxonomy, judged: Sequence[Example]) -> dict[str, float]:
    predictions = classifier.predict([example.text for example in judged])
    scored = score([example.labels for example in judged], [each.labels for each in predictions], taxonomy.names)
    scores: Matrix = np.array([[each.scores[name] for name in taxonomy.names] for each in predictions])
    truth, known = truth_of(judged, taxonomy.names)
    likeliest = truth[np.arange(len(truth)), scores.argmax(axis=1)].mean()
    return {
        "micro_f1": round(100 * scored.micro_f1, 1),
        "macro_f1": round(100 * scored.macro_f1, 1),
        "likeliest_is_right": round(100 * float(likeliest), 1),
        "calibration_error": round(100 * expected_calibration_error(scores, truth, known), 1),
        "texts": len(judged),
    }


def _new(
    classifier: Classifier,
    describer: Describer,
    taxonomy: Taxonomy,
    learnt: Sequence[Example],
    judged: Sequence[Example],
    background: Sequence[str],
    seed: int,
) -> dict[str, Any]:
    rng = random.Random(seed)
    first = describer.describe(taxonomy, taxonomy.names, background, {})
    assert first is not None
    encoded = _with(classifier, first).encode([example.text for example in judged])
    meanings = classifier.engine.meanings([each.ids for each in encoded])
    words = np.stack([each.words for each in encoded if each.words is not None])
    found: dict[int, list[tuple[int, int, int]]] = {count: [] for count in EXAMPLES}
    for name in taxonomy.names:
        carry = [example.text for example in learnt if name in example.labels]
        rng.shuffle(carry)
        truth = np.array([name in example.labels for example in judged])
        for count in EXAMPLES:
            if not truth.any() or len(carry) < count:
                continue
            described = describer.describe(taxonomy, [name], background, {name: Carried(yes=tuple(carry[:count]))})
            assert described is not None
            answers = described.scores(meanings, words)[:, 0] >= GIVEN_FROM
            found[count].append((int((truth & answers).sum()), int(answers.sum()), int(truth.sum())))
    return {
        "seed": seed,
        **{
            str(count): {
                "labels": len(rows),
                "micro_f1": round(200 * sum(r for r, _, _ in rows) / max(1, sum(g + t for _, g, t in rows)), 1),
                "macro_f1": round(100 * float(np.mean([2 * right / max(1, given + true) for right, given, true in rows])), 1),
            }
            for count, rows in found.items()
            if rows
        },
    }


def _tell(result: dict[str, Any]) -> None:
    for name, each in {**result["all_from_names"], **result["shipped_from_descriptions"]}.items():
        click.echo(f"{name}: {each}", err=True)
    for run in result["new"]:
        click.echo(f"new label: {run}", err=True)
