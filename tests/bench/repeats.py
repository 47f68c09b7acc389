"""What corrections do to the messages that they were made on, to others like them, to unrelated ones, and to other labels."""

import json
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np

from model.judgements import Gesture, Kind
from model.labels import seed_taxonomy
from model.learning.dataset import seed_examples
from model.learning.refit import Refitter
from model.learning.training import train
from model.schema import Message, Source
from model.serving import classifier
from model.serving.classifier import Classifier
from model.serving.corrections import read_corrections
from model.settings import ModelSettings
from model.store.store import Store
from tests.bench.data import BenchData, find_data
from tests.bench.learning import messages, own_name, team
from tests.bench.machine import machine_facts
from tests.town import publish_version

PARAPHRASES = Path(__file__).parent / "paraphrases.jsonl"
CORRECTED, UNRELATED = 100, 1_000
HALF_CORRECTIONS, LEARNT = 300, 200
RESAMPLES = 1_000


def measure(*, data: Path | None, base: str) -> dict[str, Any]:
    """Return how many messages are answered as judged after corrections, and how many others change.

    The version knows the shipped labels. To each of 100 messages (25 written for this, the others shipped ones of dev and test)
    a person adds the label that the version finds least likely. `same`: how many of the 100 are answered as judged when they are
    written again, all being corrected. One by one, each the only correction there is: `paraphrases`, those of the four of each
    of the 25 that get the label that was added; `unrelated`, how many of 1,000 messages of `data` get other labels than before,
    the mean of the 25. `unrelated.after_all`: after all 100.
    """
    cache = ModelSettings().home_folder / "bench-effect" / base
    splits = seed_examples()
    if not cache.exists():
        train(splits["train"], splits["dev"], taxonomy=seed_taxonomy(), base=base, out=cache, device="cpu", quick=base != "mini")
    written = [json.loads(line) for line in PARAPHRASES.read_text(encoding="utf-8").splitlines()]
    shipped = [example.text for example in [*splits["dev"], *splits["test"]]]
    texts = [*(each["text"] for each in written), *random.Random(0).sample(shipped, CORRECTED - len(written))]
    others = [example.text for example in find_data(data).learnt if example.text not in texts][:UNRELATED]
    version = classifier.load(cache, device="cpu")
    added = [min(prediction.scores, key=prediction.scores.__getitem__) for prediction in version.predict(texts)]
    wanted = [{*prediction.labels, label} for prediction, label in zip(version.predict(texts), added, strict=True)]

    every = [(text, tuple(labels)) for text, labels in zip(texts, wanted, strict=True)]
    after = _corrected(version, cache, every)
    same = sum(set(prediction.labels) == labels for prediction, labels in zip(after.predict(texts), wanted, strict=True))
    before = [set(prediction.labels) for prediction in version.predict(others)]

    def changed(by: Classifier) -> int:
        return sum(set(each.labels) != was for each, was in zip(by.predict(others), before, strict=True))

    right, changes = 0, []
    for each, label, by in zip(written, added, _one_by_one(version, cache, every[: len(written)]), strict=False):
        right += sum(label in prediction.labels for prediction in by.predict(each["paraphrases"]))
        changes.append(changed(by))
    result = {
        "same": [same, len(texts)],
        "paraphrases": [right, sum(len(each["paraphrases"]) for each in written)],
        "unrelated": {"of": len(others), "after_one": round(float(np.mean(changes)), 1), "after_all": changed(after)},
    }
    click.echo(json.dumps(result), err=True)
    return {"bench": "repeats", "base": base, **machine_facts(), **result}


@contextmanager
def _refitter(folder: Path) -> Iterator[tuple[Store, Refitter]]:
    with tempfile.TemporaryDirectory() as made:
        store = Store(f"sqlite:///{Path(made) / 'beto.db'}", Path(made))
        store.migrate()
        live = store.registry.get(publish_version(store, folder))
        assert live is not None
        try:
            yield store, Refitter(store, live)
        finally:
            store.close()


def _judge(store: Store, at: int, text: str, labels: tuple[str, ...], *, withdrawn: bool = False) -> None:
    store.messages.save(Message(channel="C1", ts=f"{at}.1", user="U1", text=text, source=Source.CHANNEL))
    said = {"user": "U2", "handle": f"set/{at}", "kind": Kind.SET, "labels": labels, "withdrawn": withdrawn}
    store.gestures.add(Gesture(at=time.time_ns() // 1000, **said), channel="C1", item_ts=f"{at}.1")


def _served(version: Classifier, refitter: Refitter) -> Classifier:
    refitted = refitter.refit()
    assert refitted is not None
    return version.corrected(read_corrections(refitted.corrections.to_bytes()))


def _corrected(version: Classifier, folder: Path, corrections: Sequence[tuple[str, tuple[str, ...]]]) -> Classifier:
    """Return the version as it serves once these texts have been judged so."""
    with _refitter(folder) as (store, refitter):
        for at, (text, labels) in enumerate(corrections, 1):
            _judge(store, at, text, labels)
        return _served(version, refitter)


def _one_by_one(version: Classifier, folder: Path, corrections: Sequence[tuple[str, tuple[str, ...]]]) -> Iterator[Classifier]:
    """Yield the version as it serves with each of the corrections alone: it is taken back before the next."""
    with _refitter(folder) as (store, refitter):
        for at, (text, labels) in enumerate(corrections, 1):
            _judge(store, at, text, labels)
            yield _served(version, refitter)
            _judge(store, at, text, labels, withdrawn=True)


def forgetting(*, data: Path | None, base: str, seed: int) -> dict[str, Any]:
    """Return micro-F1 of each half of the labels before and after 300 corrections that speak of one half alone.

    By `first_half` and `second_half` of the labels in their order, which these corrections spoke of: `corrected`, the scores on
    the labels of that half, and `others`, on the others. The version has learnt from 200 judgements of `bench learning`'s
    stream, whose texts it knows again; the corrections are its next 300. What comes after them is what all are scored on;
    `difference` is after minus before, with a 95 % interval by resampling the messages.
    """
    found = find_data(data)
    names = sorted(own_name(name) for name in found.taxonomy.names)
    halves = {"first_half": set(names[: len(names) // 2]), "second_half": set(names[len(names) // 2 :])}
    result = {}
    for name, half in halves.items():
        result[name] = _corrected_half(found, base, seed, half, set(names) - half)
        click.echo(json.dumps({name: result[name]}), err=True)
    return {"bench": "forgetting", "base": base, "seed": seed, **machine_facts(), **result}


def _corrected_half(found: BenchData, base: str, seed: int, half: set[str], others: set[str]) -> dict[str, Any]:
    examples = [*found.learnt, *found.judged]
    cache = ModelSettings().home_folder / "bench-learning"
    stream = enumerate(messages(examples, seed, LEARNT + HALF_CORRECTIONS), 1)
    judged = [(number, example) for number, (example, is_judged) in stream if is_judged]
    with team(found, base, cache) as our:
        for number, example in judged[:LEARNT]:
            our.judge(example, number)
        version = our.retrain()
        refitter, serving = Refitter(our.store, version), classifier.load(version.folder, device="cpu")
        before = _served(serving, refitter)
        for number, example in judged[LEARNT:]:
            our.judge(example, number, silent=tuple(others))
        after = _served(serving, refitter)
        known = {example.text for _, example in judged}
        rest = [example for example in examples if example.text not in known]
        texts = [example.text for example in rest]
        gold = [{own_name(name) for name in example.labels} for example in rest]
        given = [[set(each.labels) for each in system.predict(texts)] for system in (before, after)]
    scored = {name: _before_and_after(gold, given, labels) for name, labels in {"corrected": half, "others": others}.items()}
    return {"messages": len(rest), **scored}


def _before_and_after(gold: Sequence[set[str]], given: Sequence[Sequence[set[str]]], labels: set[str]) -> dict[str, Any]:
    counts = np.array(
        [
            [len(truth & labels), *(n for each in (one, other) for n in (len(truth & each & labels), len(each & labels)))]
            for truth, one, other in zip(gold, *given, strict=True)
        ],
        dtype=float,
    )

    def scores(rows: Any) -> tuple[float, float]:
        true, right, said, right_after, said_after = rows.sum(axis=0)
        return 200 * right / max(1, true + said), 200 * right_after / max(1, true + said_after)

    before, after = scores(counts)
    rng = np.random.default_rng(0)
    draws = [scores(counts[rng.integers(0, len(counts), len(counts))]) for _ in range(RESAMPLES)]
    low, high = np.percentile([b - a for a, b in draws], [2.5, 97.5])
    return {"before": round(before, 1), "after": round(after, 1), "difference": [round(float(low), 1), round(float(high), 1)]}
