"""Do the words that an explanation names carry the label, and how long does an explanation take?"""

import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from bot.simulator.person import Person
from model.labels import seed_taxonomy
from model.learning.baseline import truth_of
from model.learning.dataset import seed_examples, seed_messages
from model.learning.light_head import fit_head
from model.learning.training import train
from model.serving.calibration import Matrix
from model.serving.classifier import Classifier, cut, load
from model.serving.corrections import Corrections
from model.serving.explanation import CarriedText, explain
from model.serving.judged_texts import gather
from model.serving.nearest import Candidate, NearestTexts
from model.store.store import Store
from tests.bench.machine import cpu_seconds, machine_facts, milliseconds
from tests.slack.cases import eventually
from tests.town import running_town, until

DRAWS = 5  # random words, of each text
COMPARED = 5000  # judged messages


def measure(*, base: str, version: Path | None, texts: int, seed: int, clicks: int) -> dict[str, Any]:
    """Leave the named words out of each shipped test text, and as many others; time each explanation, on one core.

    For each label that is given: what its probability loses without the words that are named, without as many random words of
    the same text (the mean of five draws), and without as many of the heaviest by one part of the mixture alone. And how often
    the label is not given any more. All of it once more with a light head that makes half of the answer. Then `clicks` people
    ask by the button under a reply, one after the other: seconds until the modal names the words, over all processes.
    """
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    with tempfile.TemporaryDirectory() as made:
        folder = version
        if folder is None:
            folder, data = Path(made) / "version", seed_examples()
            train(data["train"], data["dev"], taxonomy=seed_taxonomy(), base=base, out=folder)
        classifier = load(folder, device="cpu")
        tested = [example.text for example in seed_examples()["test"]][:texts]
        explain(classifier, tested[0])
        result = {
            "bench": "explanations",
            "base": classifier.card.base,
            "form": classifier.engine.form,
            **machine_facts(),
            "texts": len(tested),
            "words": {"p50": _words(tested, 50), "p99": _words(tested, 99)},
            "version": _deletion(classifier, tested, seed),
            "with_head": _deletion(_with_head(classifier), tested, seed) if classifier.engine.width else None,
            "cpu_seconds_long": _long(classifier),
            "cpu_seconds_nearest": _nearest(tested),
        }
        os.sched_setaffinity(0, allowed)
        (home := Path(made) / "home").mkdir()
        result["click_seconds"] = asyncio.run(_clicks(folder, home, tested, clicks)) if clicks else None
    click.echo(f"from a click to the answer {result['click_seconds']} s", err=True)
    return result


def _deletion(classifier: Classifier, tested: Sequence[str], seed: int) -> dict[str, Any]:
    """Return what the labels of these texts lose without some of their words, and what an explanation takes."""
    rng = random.Random(seed)
    seconds: list[float] = []
    spent: list[float] = []
    drops: dict[str, list[tuple[float, float]]] = {}
    named = []
    for text in tested:
        began, began_cpu = time.perf_counter(), time.process_time()
        carried = explain(classifier, text)
        labels = carried.labels(classifier.labels)
        seconds.append(time.perf_counter() - began)
        spent.append(time.process_time() - began_cpu)
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
    lost_by_way = {way: _figures(each) for way, each in drops.items()}
    found = {
        "mixture": classifier.mixture.model_dump(),
        "labels": len(named),
        "share_named": round(statistics.mean(named), 3),
        "ways": lost_by_way,
        "seconds": {"p50": milliseconds(seconds, 50) / 1000, "p99": milliseconds(seconds, 99) / 1000},
        "cpu_seconds": {"p50": milliseconds(spent, 50) / 1000, "p99": milliseconds(spent, 99) / 1000},
    }
    for way, figures in lost_by_way.items():
        click.echo(f"{way}: the probability loses {figures['lost']}, {figures['gone']} of the labels go", err=True)
    click.echo(f"an explanation takes {found['seconds']} s, {found['cpu_seconds']} of the core", err=True)
    return found


def _with_head(classifier: Classifier) -> Classifier:
    """Return the version as if half of what is known of each label had been judged since: the shipped training messages."""
    learnt = seed_examples()["train"]
    ids = [cut(each.ids, classifier.max_tokens) for each in classifier.encode([example.text for example in learnt])]
    share = np.full(len(classifier.labels), 0.5, np.float32)
    head = fit_head(classifier.engine.meanings(ids), *truth_of(learnt, classifier.labels), share, None)
    nobody = gather([], np.zeros((0, len(classifier.labels)), np.int8), [])
    return classifier.corrected(Corrections(len(learnt), nobody, head=head))


def _is_recorded(store: Store, channel: str, ts: str) -> bool:
    stored = store.messages.find(channel, ts)
    return stored is not None and store.outbox.reply_ts(stored.id) is not None


async def _clicks(version: Path, home: Path, tested: Sequence[str], clicks: int) -> dict[str, float]:
    """Return the seconds from the button to the modal that names the words, through every process and the simulated Slack.

    `cpu` is what all processes together spend on one click: beside other work it tells what the clock cannot.
    """
    found, spent = [], []
    with running_town(home, f"sqlite:///{home / 'beto.db'}", version, http=False) as town:
        async with Person(town.url, "ana") as ana:
            await ana.invite("atencion", town.slack.workspace.bot_user_id)
            await ana.command("atencion", "/beto", "watch")
            channel = town.slack.workspace.channel("atencion").id
            for text in tested[: clicks + 1]:
                ts = await ana.message("atencion", text)
                reply = await ana.wait_for_reply("atencion", ts, 60)
                # Whoever presses before the reply is recorded, a moment after it stands there, is told that it is not known.
                await eventually(partial(_is_recorded, town.store, channel, ts), lambda: "the reply was not recorded", 60)
                changes, began, before = ana.changes(), time.perf_counter(), sum(cpu_seconds(town.machine).values())
                await ana.action("labels_why", channel=channel, ts=reply["ts"])
                told = await until(changes, lambda each: each["type"] == "view" and "Las palabras son" in str(each["view"]), 60)
                found.append(time.perf_counter() - began)
                spent.append(sum(cpu_seconds(town.machine).values()) - before)
                changes.close()
                await ana.view_close(str(told["view"]["id"]))
    p50, p99 = (milliseconds(found[1:], percentile) / 1000 for percentile in (50, 99))
    return {"p50": p50, "p99": p99, "first": round(found[0], 2), "cpu": round(statistics.mean(spent[1:]), 3)}


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
