"""The first version of a new home: how long until it is there, by parts, and how good it is beside the yardsticks."""

import tempfile
import time
from pathlib import Path
from typing import Any

import click

from model.labels import seed_taxonomy
from model.learning.dataset import seed_examples
from model.learning.training import train
from model.schema import Progress
from tests.bench.machine import machine_facts

_PARTS = {"preparing": "beginning", "training": "epochs", "evaluating": "evaluation and graph"}


def measure(*, base: str, seed: int) -> dict[str, Any]:
    """Train the quick version of the shipped messages in an empty home, and return its parts' seconds and all scores.

    The beginning is the unpacking of the base, the baseline, and the layers that do not learn. Of each part the wall's seconds
    and those of all processors together: what else runs moves the first far more.
    """
    splits, parts = seed_examples(), dict.fromkeys(_PARTS.values(), (0.0, 0.0))
    stage, began = "preparing", (time.perf_counter(), time.process_time())

    def note(progress: Progress) -> None:
        nonlocal stage, began
        now = (time.perf_counter(), time.process_time())
        wall, cpu = parts[_PARTS[stage]]
        parts[_PARTS[stage]] = (wall + now[0] - began[0], cpu + now[1] - began[1])
        stage, began = progress.stage if progress.stage in _PARTS else stage, now

    with tempfile.TemporaryDirectory() as home:
        card = train(
            splits["train"],
            splits["dev"],
            test=splits["test"],
            taxonomy=seed_taxonomy(),
            base=base,
            out=Path(home) / "version",
            seed=seed,
            home=Path(home),
            quick=True,
            on_progress=note,
        )
    systems = {"version": card.scores, "encoder": card.encoder_scores, "baseline": card.baseline, "svc": card.svc}
    scores = {
        name: {which: round(100 * getattr(of["test"], which), 1) for which in ("micro_f1", "macro_f1")}
        for name, of in systems.items()
    }
    seconds = {part: {"wall": round(wall, 1), "cpu": round(cpu, 1)} for part, (wall, cpu) in parts.items()}
    seconds["all"] = {which: round(sum(part[which] for part in seconds.values()), 1) for which in ("wall", "cpu")}
    for part, spent in seconds.items():
        click.echo(f"{part:21} {spent['wall']:6.1f} s, {spent['cpu']:6.1f} s of CPU", err=True)
    for name, found in scores.items():
        click.echo(f"{name:9} micro-F1 {found['micro_f1']}, macro-F1 {found['macro_f1']}", err=True)
    ahead = scores["version"]["micro_f1"] - max(scores[name]["micro_f1"] for name in ("baseline", "svc"))
    return {
        "bench": "first_start",
        "base": card.base,
        "seed": seed,
        **machine_facts(),
        "texts": card.texts,
        "epochs": card.settings["epochs_run"],
        "seconds": seconds,
        "scores": scores,
        "ahead_of_the_best_yardstick": round(ahead, 1),
    }
