"""How fast the running product learns from people who correct it, beside a baseline that is fitted anew at each judgement."""

import hashlib
import json
import random
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np

from model.judgements import Gesture, Kind
from model.labels import Label, LabelEvent, Taxonomy, seed_taxonomy
from model.learning.baseline import Baseline, fit_baseline
from model.learning.dataset import data_sha256
from model.learning.describing import describe_version, is_all_there_is
from model.learning.descriptions import WRITTEN
from model.learning.refit import Refitter
from model.learning.retraining import snapshot
from model.learning.training import train
from model.schema import Card, Example, Message, Source
from model.serving import classifier
from model.serving.corrections import read_corrections
from model.settings import ModelSettings
from model.store.registry import Version
from model.store.store import Store
from tests.bench.data import BenchData, find_data
from tests.bench.machine import machine_facts

JUDGED_ONE_IN = 3
RETRAIN_EVERY = 200  # judgements
WINDOW = 200  # messages
WANTED = 80.0  # micro-F1
BASELINE_UP_TO = 1_500  # judgements at most, where it has not reached WANTED before
SYSTEMS = ("baseline", "version", "corrected")


@dataclass
class Team:
    """A team whose labels are the data's: a real store, and the versions that it had so far."""

    store: Store
    taxonomy: Taxonomy
    base: str
    home: Path  # of the database
    cache: Path  # of trainings
    judged: int = 0

    def judge(self, example: Example, number: int, silent: Sequence[str] = ()) -> None:
        """Let a person say which labels apply to this message, the `number`th, and nothing of the `silent` ones."""
        ts = f"{number}.000100"
        self.store.messages.save(Message(channel="C1", ts=ts, user="U1", text=example.text, source=Source.CHANNEL))
        labels = tuple(name for name in map(own_name, example.labels) if name not in silent)
        said = {"labels": labels, "silent": tuple(silent)}
        gesture = Gesture(user="U2", handle=f"set/{number}", at=time.time_ns() // 1000, kind=Kind.SET, **said)
        self.store.gestures.add(gesture, channel="C1", item_ts=ts)
        self.judged += 1

    def retrain(self) -> Version:
        """Train a version on everything that was judged, as a retraining does, and make it live."""
        data = {
            split: [each for each in known if len(each.unknown) < len(self.taxonomy)]
            for split, known in snapshot(self.store).items()
        }
        return self._publish(data["train"], data["dev"])

    def begin(self) -> Version:
        """Make the first version as the product does, which knows nothing but what the labels are called."""
        written = [Example(id=f"{WRITTEN}{label.name}", text=label.title, labels=(label.name,)) for label in self.taxonomy]
        if not is_all_there_is(self.base, self.taxonomy, written):
            return self._publish(written, [Example(id="nothing", text="nada", labels=(), unknown=self.taxonomy.names)])
        out = self.store.registry.run_directory(0) / "version"
        home = ModelSettings().home_folder
        return self._promote(out, describe_version(self.taxonomy, written, base=self.base, out=out, home=home))

    def _publish(self, train_on: Sequence[Example], dev: Sequence[Example]) -> Version:
        learnt = " ".join([data_sha256([*train_on, *dev]), self.base, ",".join(self.taxonomy.names)])
        key = hashlib.sha256(learnt.encode()).hexdigest()[:16]
        kept = self.cache / key
        if not kept.exists():
            card = train(train_on, dev, taxonomy=self.taxonomy, base=self.base, out=kept, device="cpu", quick=self.judged == 0)
            click.echo(f"trained on {self.judged} judgements in {card.seconds:.0f} s", err=True)
        built = self.store.registry.run_directory(0) / "version"
        shutil.copytree(kept, built)
        return self._promote(built, Card.model_validate_json((built / "card.json").read_text(encoding="utf-8")))

    def _promote(self, built: Path, card: Card) -> Version:
        version = self.store.registry.add(built, card)
        self.store.registry.promote(version.number, by="bench", reason="so many judgements")
        return version


def messages(examples: Sequence[Example], seed: int, judgements: int) -> Iterator[tuple[Example, bool]]:
    """Yield messages as they arrive, each with whether it is judged then, until so many are.

    Those that are not judged come again once all have come, in another order, so that no message comes that was judged before.
    """
    rng = random.Random(seed)
    left = list(examples)
    while judgements and left:
        rng.shuffle(left)
        again = []
        for example in left:
            judged = rng.random() < 1 / JUDGED_ONE_IN
            yield example, judged
            judgements -= judged
            if not judgements:
                return
            if not judged:
                again.append(example)
        left = again


@contextmanager
def team(found: BenchData, base: str, cache: Path) -> Iterator[Team]:
    """Make a team of its own, with the data's labels in the place of the shipped ones, before anything was said."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        store = Store(f"sqlite:///{home / 'beto.db'}", home)
        store.migrate()
        titles = {name: name.replace("_", " ") for name in found.taxonomy.names}
        new = [
            Label(name=own_name(name), title=title, title_en=title, emoji="", description="") for name, title in titles.items()
        ]
        events = [LabelEvent(kind="add", label=label, at=1, by="bench") for label in new]
        retired = [LabelEvent(kind="retire", name=name, at=1, by="bench") for name in seed_taxonomy().names]
        taxonomy = store.labels.record(*events, *retired)
        try:
            yield Team(store, taxonomy, base, home, cache)
        finally:
            store.close()


def own_name(name: str) -> str:
    """Return the name by which the team has this label: of the shipped messages nothing must be known in it."""
    return f"{name}_" if name in seed_taxonomy() else name


def measure(
    *, data: Path | None, base: str, seeds: Sequence[int], judgements: int, every: int, at_once: int, plot: Path | None
) -> dict[str, Any]:
    """Return how the running predictions of three systems agree with judgements, as these come in; see `_curves` for the run.

    **The stream.** All messages that `find_data` finds arrive one by one, in the seed's order. Each is predicted by every system
    with what it knows then. Then a person judges one in three, by chance: all labels of the message are known from then on. What
    was not judged comes again once all have come, so that no message is predicted after it was judged. It ends after
    `judgements`; the baseline goes on alone until it has reached 80 micro-F1.

    **The systems.** `baseline`: TF-IDF and logistic regression (`learning.baseline`), fitted anew from all judged messages every
    `every` judgements (at each of the first ones), its one threshold chosen on a tenth of them (a fifth below 200) by a fit on
    the others. `version`: the live version alone, begun from the labels' names as the product begins, retrained every 200
    judgements on the product's snapshot, whose test split it never learns. `corrected`: the same version with what `Refitter`
    makes every `every` judgements (at each of the first ones), through bytes.

    **The measure.** At each judgement the micro-F1 over the last 200 messages, or all so far; the mean of the seeds.
    `judgements_for_80` is the first number of judgements at which that mean is at least 80, `judgements_ratio` corrected's over
    the baseline's; None where either never is. `below_baseline`: the share of all judgements but the first ten at which
    `corrected` is below `baseline`.
    """
    found = find_data(data)
    with ProcessPoolExecutor(at_once, mp_context=get_context("spawn")) as pool:
        runs = list(pool.map(_curves, repeat(found), repeat(base), seeds, repeat(judgements), repeat(every)))
    means = {system: _mean([run[system] for run in runs]) for system in SYSTEMS}
    needed = {system: _first_reaching(mean) for system, mean in means.items()}
    ours, theirs = means["corrected"][9:], means["baseline"][9:]
    below = sum(our < their for our, their in zip(ours, theirs, strict=False)) / max(1, len(ours))
    our_need, their_need = needed["corrected"], needed["baseline"]
    result = {
        "bench": "learning",
        "data": found.name,
        "base": base,
        "seeds": list(seeds),
        **machine_facts(),
        "judgements": judgements,
        "every": every,
        "judgements_for_80": needed,
        "judgements_ratio": round(our_need / their_need, 3) if our_need and their_need else None,
        "below_baseline": round(below, 3),
        "each_seed": [
            {"seed": seed, "judgements_for_80": {name: _first_reaching(run[name]) for name in SYSTEMS}}
            for seed, run in zip(seeds, runs, strict=True)
        ],
        "micro_f1": {
            system: {
                at: round(mean[at - 1], 1) for at in (25, 50, 100, 150, 200, 250, 300, 400, 500, 600, 800) if at <= len(mean)
            }
            for system, mean in means.items()
        },
        "refit_s": {
            "p50": _percentile([s for run in runs for s in run["refit_s"]], 50),
            "p99": _percentile([s for run in runs for s in run["refit_s"]], 99),
        },
    }
    for system, scores in result["micro_f1"].items():
        click.echo(f"{system:10} " + "  ".join(f"{at}: {score}" for at, score in scores.items()), err=True)
    click.echo(f"judgements for 80: {needed}; below the baseline at {below:.1%} of the judgements", err=True)
    if plot is not None:
        _draw(means, plot)
    return result


def _curves(found: BenchData, base: str, seed: int, judgements: int, every: int) -> dict[str, list[float]]:
    """Run one stream and return the scores of each system at each judgement, and the seconds of each refit."""
    cache = ModelSettings().home_folder / "bench-learning"
    scores: dict[str, list[float]] = {system: [] for system in SYSTEMS}
    windows = {system: deque[tuple[int, int]](maxlen=WINDOW) for system in SYSTEMS}
    seconds: list[float] = []
    judged: list[Example] = []
    baseline: Baseline | None = None
    examples = [*found.learnt, *found.judged]
    with team(found, base, cache) as our:
        version = our.begin()
        alone = serving = classifier.load(version.folder, device="cpu")
        refitter = Refitter(our.store, version)
        for number, (example, is_judged) in enumerate(messages(examples, seed, max(judgements, BASELINE_UP_TO)), 1):
            gold = set(example.labels)
            running = len(judged) < judgements
            given = {"baseline": set() if baseline is None else set(baseline.predict([example.text])[0])}
            if running:
                own = {own_name(name): name for name in example.labels}
                for name, system in (("version", alone), ("corrected", serving)):
                    [prediction] = system.predict([example.text])
                    given[name] = {own.get(label, label) for label in prediction.labels}
            for name, labels in given.items():
                windows[name].append((len(gold & labels), len(gold) + len(labels)))
            if not is_judged:
                continue
            judged.append(example)
            for name in given:
                scores[name].append(100 * 2 * sum(n for n, _ in windows[name]) / max(1, sum(n for _, n in windows[name])))
            if len(judged) % every == 0 or len(judged) < every:
                baseline = _fitted(judged, found.taxonomy)
            if not running:
                if scores["baseline"][-1] >= WANTED:
                    break
                continue
            our.judge(example, number)
            if len(judged) % RETRAIN_EVERY == 0 and len(judged) < judgements:
                version = our.retrain()
                alone = serving = classifier.load(version.folder, device="cpu")
                refitter = Refitter(our.store, version)
            elif len(judged) % every == 0 or len(judged) < every:
                began = time.perf_counter()
                made = refitter.refit()
                seconds.append(time.perf_counter() - began)
                serving = alone if made is None else alone.corrected(read_corrections(made.corrections.to_bytes()))
            if len(judged) % 50 == 0:
                click.echo(
                    f"seed {seed}, {len(judged)} judgements: " + json.dumps({n: round(s[-1], 1) for n, s in scores.items()}),
                    err=True,
                )
    return {**scores, "refit_s": seconds}


def _fitted(judged: Sequence[Example], taxonomy: Taxonomy) -> Baseline | None:
    """Fit the baseline on all, with the threshold that a fit without every tenth (fifth below 200) chooses on these."""
    part = 5 if len(judged) < 200 else 10
    train_on, dev = [each for at, each in enumerate(judged) if at % part], judged[::part]
    if not train_on:
        return None
    threshold = fit_baseline(train_on, dev, taxonomy.names).threshold
    return replace(fit_baseline(judged, (), taxonomy.names), threshold=threshold)


def _mean(curves: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean curve; one that ended earlier had reached what was wanted, and keeps its last score."""
    longest = max(map(len, curves))
    padded = [[*curve, *[curve[-1]] * (longest - len(curve))] for curve in curves]
    return [sum(each) / len(each) for each in zip(*padded, strict=True)]


def _first_reaching(curve: Sequence[float]) -> int | None:
    return next((at for at, score in enumerate(curve, 1) if score >= WANTED and at > 10), None)


def _percentile(values: Sequence[float], percent: int) -> float:
    return round(float(np.percentile(values, percent)), 2) if values else 0.0


def _draw(means: Mapping[str, Sequence[float]], plot: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for system, mean in means.items():
        axes.plot(range(1, len(mean) + 1), mean, label=system)
    axes.axhline(WANTED, color="grey", linewidth=0.5)
    axes.set(xlabel="judgements", ylabel="micro-F1 of the last 200 messages", ylim=(0, 100))
    axes.legend()
    figure.savefig(plot, dpi=120)
