"""How the scores grow with the labelled messages: of a version, its encoder alone and the two yardsticks, on equal terms."""

import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from model.learning.training import train
from tests.bench.data import find_data
from tests.bench.machine import machine_facts


def measure(*, data: Path | None, base: str, seeds: Sequence[int], sizes: Sequence[str]) -> dict[str, Any]:
    """Return the scores of one training for each size and seed, printing each as a JSON line on standard error.

    Of the messages that `find_data` finds to learn from, a seed draws so many; a tenth of them (a fifth below 200) serves as
    dev (best weights, calibration, thresholds, the baseline's threshold), the others are learned from. All that is there to
    judge by is what the systems are scored on: nothing is learned or tuned there.
    """
    found = find_data(data)
    runs = []
    for size in sizes:
        for seed in seeds:
            drawn = random.Random(seed).sample(found.learnt, len(found.learnt) if size == "all" else int(size))
            every = 5 if len(drawn) < 200 else 10
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as made:
                card = train(
                    [example for at, example in enumerate(drawn) if at % every],
                    drawn[::every],
                    test=found.judged,
                    taxonomy=found.taxonomy,
                    base=base,
                    out=Path(made) / "version",
                    seed=seed,
                )
            run = {
                "messages": len(drawn),
                "seed": seed,
                **{
                    name: {measure: round(100 * getattr(scores, measure), 1) for measure in ("micro_f1", "macro_f1")}
                    for name, scores in {
                        "version": card.scores["test"],
                        "encoder": card.encoder_scores["test"],
                        "baseline": card.baseline["test"],
                        "svc": card.svc["test"],
                    }.items()
                },
                "mixture": None if card.mixture is None else card.mixture.model_dump(),
                "calibration_error": card.scores["test"].ece,
                "epochs": [card.settings["epochs_run"], card.settings["epochs"]],
                "seconds": round(time.perf_counter() - began, 1),
            }
            click.echo(json.dumps(run), err=True)
            runs.append(run)
    return {"bench": "learning_curve", "data": found.name, "base": Path(base).name, **machine_facts(), "runs": runs}
