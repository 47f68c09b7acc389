"""The labelled messages that a bench of learning reads where it is not told which."""

from dataclasses import dataclass
from pathlib import Path

import click

from model.labels import Taxonomy, seed_taxonomy
from model.learning.dataset import read_examples, seed_examples
from model.schema import Example

# Multi3NLU++ banking in Spanish (CC BY 4.0, Moghe et al. 2023), which is no part of the repository: where it lies beside it.
BANKING = Path(__file__).parents[2].parent / "shared" / "data" / "multi3nlu_es_banking"


@dataclass(frozen=True)
class BenchData:
    """Messages to learn from, others to score on, and the labels of both."""

    name: str
    learnt: list[Example]
    judged: list[Example]
    taxonomy: Taxonomy


def find_data(folder: Path | None) -> BenchData:
    """Return train.jsonl and dev.jsonl of `folder`; without it, of `BANKING` where that is there, else the shipped messages.

    Of the shipped messages train and dev are learnt from, and test is what is scored. Which they are is said on standard error.
    """
    if folder is None and not BANKING.is_dir():
        splits = seed_examples()
        data = BenchData("the shipped messages", [*splits["train"], *splits["dev"]], splits["test"], seed_taxonomy())
    else:
        folder = folder or BANKING
        learnt, judged = (read_examples(folder / f"{name}.jsonl") for name in ("train", "dev"))
        names = sorted({label for example in [*learnt, *judged] for label in example.labels})
        data = BenchData(folder.name, learnt, judged, Taxonomy.from_names(names))
    click.echo(f"data: {data.name}, {len(data.learnt)} messages to learn from and {len(data.judged)} to judge by", err=True)
    return data
