"""How the scores grow with the labelled messages: of a version, its encoder alone and the two yardsticks, on equal terms."""

import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from model.labels import Taxonomy
from model.learning.dataset import read_examples
from model.learning.training import train
from tests.bench.machine import machine_facts


def measure(*, folder: Path, base: str, seeds: Sequence[int], sizes: Sequence[str]) -> dict[str, Any]:
    """Return the scores of one training for each size and seed, printing each as a JSON line on standard error.

    `folder` holds train.jsonl and dev.jsonl. Of the training messages a seed draws so many; a tenth of them (a fifth below 200)
    serves as dev (best weights, calibration, thresholds, the baseline's threshold), the others are learned from. All of
    dev.jsonl is what both are scored on: nothing is learned or tuned there.
    """
    messages, judged = (read_examples(folder / f"{name}.jsonl") for name in ("train", "dev"))
    taxonomy = Taxonomy.from_names(sorted({label for example in [*messages, *judged] for label in example.labels}))
    runs = []
    for size in sizes:
        for seed in seeds:
            drawn = random.Random(seed).sample(messages, len(messages) if size == "all" else int(size))
            every = 5 if len(drawn) < 200 else 10
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as made:
                card = train(
                    [example for at, example in enumerate(drawn) if at % every],
                    drawn[::every],
                    test=judged,
                    taxonomy=taxonomy,
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
    return {"bench": "learning_curve", "base": Path(base).name, **machine_facts(), "runs": runs}
