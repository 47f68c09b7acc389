"""What a label gives from its name alone and with its first examples, and what all labels give from descriptions alone."""

import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from model.labels import Label, Taxonomy, seed_taxonomy
from model.learning.baseline import truth_of
from model.learning.dataset import seed_examples
from model.learning.describing import describe_version
from model.learning.descriptions import BACKGROUND, Describer, sample
from model.learning.evaluation import expected_calibration_error, score
from model.schema import Example
from model.serving.calibration import Matrix
from model.serving.classifier import Classifier, load
from model.serving.corrections import Corrections
from model.serving.described import GIVEN_FROM, Described
from model.serving.judged_texts import gather
from model.serving.lexical import plain
from model.serving.normalise import normalise
from model.settings import ModelSettings
from tests.bench.data import find_data
from tests.bench.machine import machine_facts

NOTHING_SAID = gather([], np.zeros((0, 1), np.int8), [])
EXAMPLES = (0, 1, 3, 10, 30)
BEFORE = "before"  # it came


def measure(*, data: Path | None, base: str, seeds: Sequence[int]) -> dict[str, Any]:
    """Return the scores of each label as if it were new, and of all labels from what is written of them alone.

    A label is new with so many messages that carry it, drawn by the seed from those to learn from; the others of these are
    messages of which nothing is known. It is scored on those to judge by. The base is frozen and shared by all versions, so no
    training is needed for this, whatever version is live. `others_micro_f1` is that of the 47 others where they are known by
    their names too, so that one more to be compared with might move them: before it came, then with so many messages of it. What
    a version was taught is not touched at all.
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
                    _with(classifier, describer.describe(taxonomy, taxonomy.names, background, [])), taxonomy, found.judged
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
    first = describer.describe(taxonomy, taxonomy.names, background, [])
    assert first is not None
    encoded = _with(classifier, first).encode([example.text for example in judged])
    meanings = classifier.engine.meanings([each.ids for each in encoded])
    words = np.stack([each.words for each in encoded if each.words is not None])
    found: dict[int, list[tuple[int, int, int]]] = {count: [] for count in EXAMPLES}
    others_found: dict[int | str, list[tuple[int, int, int]]] = {count: [] for count in (BEFORE, *EXAMPLES)}
    plain_texts = [plain(normalise(example.text)) for example in judged]
    for name in taxonomy.names:
        others = tuple(other for other in taxonomy.names if other != name)
        theirs = truth_of(judged, others)[0] > 0
        former = describer.describe(Taxonomy(taxonomy[other] for other in others), others, background, [])
        assert former is not None
        former_words = np.stack([former.likeness_of_words(text) for text in plain_texts])
        others_found[BEFORE].append(_counts(former.scores(meanings, former_words) >= GIVEN_FROM, theirs))
        carry = [example.text for example in learnt if name in example.labels]
        rng.shuffle(carry)
        truth = np.array([name in example.labels for example in judged])
        for count in EXAMPLES:
            if not truth.any() or len(carry) < count:
                continue
            carried = [Example(text=text, labels=(name,), unknown=others) for text in carry[:count]]
            described = describer.describe(taxonomy, taxonomy.names, background, carried)
            assert described is not None
            answers = described.scores(meanings, words) >= GIVEN_FROM
            at = taxonomy.names.index(name)
            found[count].append(_counts(answers[:, at], truth))
            others_found[count].append(_counts(np.delete(answers, at, axis=1), theirs))
    return {
        "seed": seed,
        **{str(count): {"labels": len(rows), **_f1(rows)} for count, rows in found.items() if rows},
        "others_micro_f1": {str(count): _f1(rows)["micro_f1"] for count, rows in others_found.items() if rows},
    }


def _counts(given: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[int, int, int]:
    return int((truth & given).sum()), int(given.sum()), int(truth.sum())


def _f1(rows: Sequence[tuple[int, int, int]]) -> dict[str, float]:
    return {
        "micro_f1": round(200 * sum(r for r, _, _ in rows) / max(1, sum(g + t for _, g, t in rows)), 1),
        "macro_f1": round(100 * float(np.mean([2 * right / max(1, given + true) for right, given, true in rows])), 1),
    }


def _tell(result: dict[str, Any]) -> None:
    for name, each in {**result["all_from_names"], **result["shipped_from_descriptions"]}.items():
        click.echo(f"{name}: {each}", err=True)
    for run in result["new"]:
        click.echo(f"new label: {run}", err=True)
