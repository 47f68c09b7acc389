"""A training, from labelled messages to a version's folder: what it begins with, its two loops, what dev decides, the card."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from model.errors import BadData, UnknownLabel
from model.labels import Taxonomy
from model.learning.baseline import Baseline, fit_baseline
from model.learning.bases import e5
from model.learning.checkpoint import Checkpoint, Position, fingerprint
from model.learning.dataset import data_sha256
from model.learning.decided import decide, score_systems
from model.learning.descriptions import untaught
from model.learning.distributed import DistributedContext
from model.learning.forms import add_engine, layers_to_learn
from model.learning.lessons import Learner, read, read_splits
from model.learning.loop import fit, steps_of
from model.learning.recipe import Recipe, begin, freeze, name_of, titles_of
from model.schema import UNTAUGHT, Card, Example, Progress, TriedForm
from model.serving.mixture import mix, save_mixture
from model.serving.network import longest_input, pick_device, scale_logits
from model.serving.version_folder import building, check_free, write_card
from model.settings import ModelSettings


def train(
    train: Sequence[Example],
    dev: Sequence[Example],
    *,
    taxonomy: Taxonomy,
    base: str,
    out: Path,
    seed: int = 0,
    device: str = "auto",
    on_progress: Callable[[Progress], None] | None = None,
    test: Sequence[Example] | None = None,
    epochs: int | None = None,
    checkpoint: Path | None = None,
    home: Path | None = None,
    quick: bool = False,
    within_s: float | None = None,
) -> Card:
    """Fine-tune a version from `base`, write it whole to `out`, and return its card.

    `base` is `mini`, `e5`, a folder, or a name on a hub; `home` is where e5 is unpacked, BETO_HOME by default. The best
    weights on `dev` are kept; calibration, mixture and thresholds are chosen there, these by what `taxonomy` prefers of each
    label too. `seed` decides all randomness. `quick`: a checkpoint learns for a minute only. `epochs` replaces the recipe's
    number. After `within_s` seconds the training ends with what it has learnt, its rate having fallen to zero by then.
    `on_progress` is called after every step. Raises BaseUnavailable, BadData and UnknownLabel for data that cannot be trained
    on, and ModelError where `out` exists or cannot be written, or where not even one text at a time fits into memory.

    In the folder `checkpoint` the training's state is kept after every epoch, and every minute of a long one: the same
    call with the same data goes on from there, and on a CPU ends with the weights of a training that was never
    interrupted. The folder is the caller's to remove.

    Where `torchrun` started several processes that all call this, each works on its shard of every batch; rank zero
    alone reports and writes.
    """
    context = DistributedContext()
    report = _TimedProgress(on_progress if context.is_rank_zero else None)
    report(Progress(stage="preparing"))
    check_free(out)
    _check_data({"train": train, "dev": dev, "test": test or ()}, taxonomy)
    where = context.init_process_group(pick_device(device))

    # Data and model: the network that we begin with, and the yardsticks that it must beat.
    home = home or ModelSettings().home_folder
    of_two = [partial(_fitting, report, before, 0.5) for before in (0.0, 0.5)]
    network, tokenizer, baseline, recipe = begin(
        train, dev, taxonomy.names, base=base, seed=seed, home=home, quick=quick, on_share=of_two[0]
    )
    svc = fit_baseline(train, dev, taxonomy.names, "svc", of_two[1])
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    limit_s = (within_s or float("inf")) / (2 if recipe.learns_dev_too else 1)
    learner = Learner(network.to(where), tokenizer, where, freeze(network, recipe.trained_layers))
    begun = layers_to_learn(learner)
    longest = longest_input(network, tokenizer)
    learnt = [*train, *titles_of(taxonomy) * recipe.titles]
    train_lessons, dev_lessons = read_splits(learner, (learnt, dev), taxonomy.names, longest, report)

    # Training. The network then has its best weights on dev; or its last, where what serves will be trained without a dev.
    steps = steps_of(recipe, len(learnt))
    all_steps = steps + steps_of(recipe, len(learnt) + len(dev)) if recipe.learns_dev_too else steps
    states = Checkpoint(checkpoint, fingerprint(learnt, dev, taxonomy.names, recipe, base, seed), writes=context.is_rank_zero)
    chosen_on = None if recipe.learns_dev_too else dev_lessons
    ended = fit(learner, recipe, train_lessons, chosen_on, seed, report.part(0, all_steps), states, context, limit_s)
    report(_evaluating(ended, recipe, ended.step, all_steps if recipe.learns_dev_too else ended.step))

    # Calibration, mixture and thresholds, all on dev, which is then scored as it will serve, beside the yardsticks.
    dev_lexical = baseline.lexical.logits([example.text for example in dev])
    decided, dev_encoder = decide(learner, dev_lessons, dev_lexical, taxonomy.names)
    scores = {"dev": score_systems(decided, dev_encoder, dev, baseline, svc)}

    # Where dev is worth learning too, all of it again on everything, with what dev has decided: that is what serves.
    if recipe.learns_dev_too:
        everything = [*train, *dev]
        network, _, refitted, _ = begin(everything, (), taxonomy.names, base=base, seed=seed, home=home, quick=quick)
        baseline = replace(refitted, threshold=baseline.threshold)
        svc = replace(fit_baseline(everything, (), taxonomy.names, "svc"), threshold=svc.threshold)
        learner = Learner(network.to(where), tokenizer, where, freeze(network, recipe.trained_layers))
        states = Checkpoint(
            None if checkpoint is None else checkpoint / "with-dev",
            fingerprint([*learnt, *dev], (), taxonomy.names, recipe, base, seed),
            writes=context.is_rank_zero,
        )
        all_lessons, part = train_lessons.joined(dev_lessons), report.part(steps, all_steps)
        ended = fit(learner, recipe, all_lessons, None, seed, part, states, context, limit_s)
        scale_logits(network, decided.scale, decided.shift)
        dev_encoder = learner.logits(dev_lessons).double().numpy()
        dev_lexical = baseline.lexical.logits([example.text for example in dev])
    final = _evaluating(ended, recipe, all_steps if recipe.learns_dev_too else ended.step)
    report(final)
    if test:
        encoder = learner.logits(read(learner, test, taxonomy.names, longest)).double().numpy()
        scores["test"] = score_systems(decided, encoder, test, baseline, svc)
    card = Card(
        base=name_of(base),
        origin=e5.ORIGIN if base == e5.NAME else "",
        labels=taxonomy.names,
        thresholds=decided.thresholds(taxonomy),
        seed=seed,
        settings={
            **asdict(recipe),
            "epochs_run": ended.epoch,
            "micro_batch": ended.micro_batch,
            "base": base,
            "device": str(where),
            "processes": context.world_size,
            "steps": ended.step,
            "torch": torch.__version__,
            UNTAUGHT: ",".join(untaught(taxonomy.names, train)),
        },
        data_sha256=data_sha256([*train, *dev, *(test or ())]),
        texts={"train": len(train), "dev": len(dev), "test": len(test or ())},
        scores={split: each["version"] for split, each in scores.items()},
        encoder_scores={split: each["encoder"] for split, each in scores.items()},
        baseline={split: each["baseline"] for split, each in scores.items()},
        svc={split: each["svc"] for split, each in scores.items()},
        seconds=round(report.seconds, 1),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        code_version=code_version(),
        mixture=decided.mixture,
        cuts=decided.cuts,
        preferences=taxonomy.preferences(taxonomy.names),
    )

    if context.is_rank_zero:
        mixed = partial(mix, decided.mixture, lexical=dev_lexical)
        card = _write(
            out, learner, baseline, card, partial(add_engine, begun=begun, dev=dev_lessons, exact=dev_encoder, mixed=mixed)
        )
        report(final.model_copy(update={"stage": "done", "seconds_left": 0.0}))
    return card


def _fitting(report: Callable[[Progress], None], before: float, part: float, share: float) -> None:
    """Report that so much of all word models is fitted: what is `before`, and of one `part` of them this `share`."""
    report(Progress(stage="preparing", part="words", step=round(1000 * (before + part * share)), steps=1000))


def _write(out: Path, learner: Learner, baseline: Baseline, card: Card, add_engine: Callable[..., tuple[TriedForm, ...]]) -> Card:
    """Write the version: network, tokenizer, lexical model, mixture, the engine for a CPU, and the card, which is returned."""
    with building(out) as folder:
        learner.network.save_pretrained(folder)
        learner.tokenizer.save_pretrained(folder)
        baseline.save(folder)
        assert card.mixture is not None
        save_mixture(folder, card.mixture)
        thresholds = np.array([card.thresholds[label] for label in card.labels])
        card = card.model_copy(update={"forms": add_engine(folder, learner.network, thresholds=thresholds)})
        write_card(folder, card)
    return card


def _evaluating(ended: Position, recipe: Recipe, step: int, steps: int | None = None) -> Progress:
    return Progress(stage="evaluating", step=step, steps=steps or step, epoch=ended.epoch, note=ended.note(recipe))


def _check_data(data: dict[str, Sequence[Example]], taxonomy: Taxonomy) -> None:
    for split in ("train", "dev"):
        if not data[split]:
            raise BadData(f"there are no {split} messages")
    for split, examples in data.items():
        for example in examples:
            for label in (*example.labels, *example.unknown):
                if label not in taxonomy:
                    raise UnknownLabel(f"{split}: {label!r} is not in the taxonomy: {example.text[:60]!r}")


class _TimedProgress:
    """A listener to progress that adds the seconds left, by the pace of this process's training steps so far."""

    def __init__(self, on_progress: Callable[[Progress], None] | None) -> None:
        self._on_progress = on_progress
        self._began = time.monotonic()
        self._first: tuple[float, int] | None = None  # when the first training step of this process had ended, and which

    @property
    def seconds(self) -> float:
        """Return the seconds since the training began."""
        return time.monotonic() - self._began

    def part(self, before: int, steps: int) -> Callable[[Progress], None]:
        """Return the listener to a part of the training, which has `steps` in all, `before` of them before it."""
        return lambda progress: self(progress.model_copy(update={"step": before + progress.step, "steps": steps}))

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.stage == "training":
            began, first = self._first = self._first or (now, progress.step)
            if progress.step > first:
                left = (now - began) / (progress.step - first) * (progress.steps - progress.step)
                progress = progress.model_copy(update={"seconds_left": round(left, 1)})
        if self._on_progress is not None:
            self._on_progress(progress)


def code_version() -> str:
    """Return the package's version, with the commit where it runs from a checkout."""
    try:
        version = metadata.version("beto-bot")
    except metadata.PackageNotFoundError:
        version = "0"
    folder = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return version
    return f"{version}+{commit}"
