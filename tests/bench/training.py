"""Our recipe beside the defaults of transformers' Trainer."""

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np

from model.labels import Taxonomy, seed_taxonomy
from model.learning.dataset import read_examples, seed_examples, split_for_dev
from model.schema import Card, Example, Progress, Scores, Split
from model.serving.normalise import normalise
from model.settings import ModelSettings
from tests.bench import shape
from tests.bench.machine import machine_facts


def measure(
    *, data: Path | None, judged: Path | None, seeds: int, base: str, epochs: int | None = None, texts: int | None = None
) -> dict[str, Any]:
    """Compare our recipe with transformers' Trainer with its defaults: same weights, same texts, as many epochs.

    Seed by seed, in one process and with as many threads. The Trainer's are its own: learning rate 5e-5, linear schedule,
    batches of 8 padded to their longest; only its checkpoints and reports are off. What it gives is scored at 0.5 and, to
    be fair, at its best threshold on dev. Ours also looks at dev after each epoch, and that is in its time. Judged is the
    shipped test split, or `judged`, of which neither has seen anything; then a part of `data` serves as dev.

    `epochs` instead of the recipe's, and only so many `texts`, with an eighth as many to judge by: for a network as large as
    BETO, which learns a few texts a second on a CPU. The base `beto-shape` has weights of chance: what it costs means
    something, its F1 does not.

    Examples a second: of `data` alone, though ours also learns what labels are called; the Trainer's of its loop, ours with
    reading the texts, of which the layers that do not learn are part. Seconds: all of it, also the baseline that either begins
    with for mini, and ours with its second training on everything and the graph that serves.
    """
    if data is None or judged is None:
        splits, taxonomy = seed_examples(), seed_taxonomy()
    else:
        train, dev = split_for_dev(read_examples(data))
        splits = {"train": train, "dev": dev, "test": read_examples(judged)}
        taxonomy = Taxonomy.from_names(sorted({label for each in splits.values() for e in each for label in e.labels}))
    if texts is not None:
        splits = {split: examples[: texts if split == "train" else texts // 8] for split, examples in splits.items()}
    with ExitStack() as stack:
        if base == shape.NAME:
            base = str(Path(stack.enter_context(tempfile.TemporaryDirectory())) / shape.NAME)
            shape.build(Path(base))
        return _compare(splits, taxonomy, seeds=seeds, base=base, epochs=epochs)


def _compare(
    splits: Mapping[Split, Sequence[Example]], taxonomy: Taxonomy, *, seeds: int, base: str, epochs: int | None
) -> dict[str, Any]:
    runs: dict[str, list[dict[str, float]]] = {"beto": [], "trainer": [], "trainer_tuned": [], "floor": []}
    for seed in range(seeds):
        card, beto, floor = _train_by_beto(splits, taxonomy, base=base, seed=seed, epochs=epochs)
        runs["beto"].append(beto)
        runs["floor"].append(floor)
        theirs = _train_by_trainer(splits, taxonomy.names, base=base, seed=seed, epochs=int(card.settings["epochs"]))
        for name, run in zip(("trainer", "trainer_tuned"), theirs, strict=True):
            runs[name].append(run)
        for name, each in runs.items():
            click.echo(f"seed {seed}  {name:14} " + "  ".join(f"{key} {value:.1f}" for key, value in each[-1].items()), err=True)
    facts = machine_facts()
    facts["versions"]["accelerate"] = version("accelerate")
    systems: dict[str, dict[str, Any]] = {
        name: {
            "mean": {key: round(statistics.mean(run[key] for run in each), 1) for key in each[0]},
            "seeds": [{key: round(value, 1) for key, value in run.items()} for run in each],
        }
        for name, each in runs.items()
    }
    for name, system in systems.items():
        click.echo(f"mean    {name:14} " + "  ".join(f"{key} {value}" for key, value in system["mean"].items()), err=True)
    return {
        "bench": "training",
        "base": card.base,
        "seeds": list(range(seeds)),
        **facts,
        "device": card.settings["device"],
        "texts": card.texts,
        "ratio_of_examples_per_s": round(
            systems["beto"]["mean"]["examples_per_s"] / systems["trainer"]["mean"]["examples_per_s"], 2
        ),
        "labels": len(card.labels),
        "systems": systems,
    }


def _train_by_beto(
    splits: Mapping[Split, Sequence[Example]], taxonomy: Taxonomy, *, base: str, seed: int, epochs: int | None
) -> tuple[Card, dict[str, float], dict[str, float]]:
    """Return the card of our recipe's version, its scores on test, and those of its baseline."""
    # Behind the torch doors, and seconds to load: before the clock starts.
    from model.learning.training import train
    from model.serving.network import quiet_transformers

    quiet_transformers()
    marks: list[tuple[float, Progress]] = []
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        card = train(
            splits["train"],
            splits["dev"],
            test=splits["test"],
            taxonomy=taxonomy,
            base=base,
            out=Path(folder) / "version",
            seed=seed,
            epochs=epochs,
            device=ModelSettings().device,
            on_progress=lambda progress: marks.append((time.perf_counter(), progress)),
        )
    seconds = time.perf_counter() - began
    read_from = max(at for at, progress in marks if progress.stage == "preparing" and progress.part == "words")
    ended = next(at for at, progress in marks if progress.stage == "evaluating")
    epochs_run = int(card.settings["epochs_run"])
    pace = {"examples_per_s": epochs_run * len(splits["train"]) / (ended - read_from), "seconds": seconds, "epochs": epochs_run}
    return card, _f1(card.scores["test"]) | pace, _f1(card.baseline["test"])


def _train_by_trainer(
    splits: Mapping[Split, Sequence[Example]], labels: Sequence[str], *, base: str, seed: int, epochs: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the Trainer's scores on test: at the threshold 0.5, and at the best one on dev."""
    from model.learning.baseline import truth_of
    from model.learning.evaluation import best_threshold, score
    from model.learning.recipe import begin
    from model.serving.network import fitting_threads, longest_input, quiet_transformers

    transformers = quiet_transformers()
    began = time.perf_counter()
    network, tokenizer, _, _ = begin(
        splits["train"], splits["dev"], labels, base=base, seed=seed, home=ModelSettings().home_folder
    )
    answers = {split: truth_of(examples, labels) for split, examples in splits.items()}
    rows = {}
    for split, examples in splits.items():
        texts = [normalise(example.text) for example in examples]
        encoded = tokenizer(texts, truncation=True, max_length=longest_input(network, tokenizer))
        names = ("input_ids", "attention_mask", "labels")
        columns = (encoded["input_ids"], encoded["attention_mask"], answers[split][0].tolist())
        rows[split] = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    with tempfile.TemporaryDirectory() as folder, fitting_threads(network):
        trainer = transformers.Trainer(
            model=network,
            args=transformers.TrainingArguments(
                output_dir=folder,
                num_train_epochs=epochs,
                seed=seed,
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=ModelSettings().device == "cpu",
            ),
            train_dataset=rows["train"],
            data_collator=transformers.DataCollatorWithPadding(tokenizer),
        )
        trainer.remove_callback(transformers.PrinterCallback)  # standard output is ours
        trained = trainer.train()
        scores = {split: 1 / (1 + np.exp(-trainer.predict(rows[split]).predictions)) for split in ("dev", "test")}
    pace = {
        "examples_per_s": trained.metrics["train_samples_per_second"],
        "seconds": time.perf_counter() - began,
        "epochs": float(epochs),
    }

    def judge(threshold: float) -> dict[str, float]:
        given = [{label for label, one in zip(labels, row, strict=True) if one >= threshold} for row in scores["test"]]
        return _f1(score([example.labels for example in splits["test"]], given, labels)) | pace

    return judge(0.5), judge(best_threshold(scores["dev"], *answers["dev"]))


def _f1(scores: Scores) -> dict[str, float]:
    """Return both F1 scores in per cent."""
    return {"micro_f1": 100 * scores.micro_f1, "macro_f1": 100 * scores.macro_f1}
