"""`beto train`, `evaluate` and `predict`: a version and files of messages, without Slack."""

import json
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from model.labels import Taxonomy
    from model.settings import ModelSettings


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="JSONL or CSV of labelled messages.")
@click.option("--dev", type=click.Path(path_type=Path), help="Messages to stop early on; default: a tenth of --data.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The new version's folder.")
@click.option("--base", default=None, help="e5, mini, a folder or a hub name; default BETO_BASE.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, last on standard output.")
def train(data: Path, dev: Path | None, out: Path, base: str | None, seed: int, as_json: bool) -> None:
    """Fine-tune a version on a file of labelled messages."""
    from model.errors import BadData
    from model.labels import Taxonomy, seed_taxonomy
    from model.learning import training
    from model.learning.dataset import read_examples, split_for_dev
    from model.learning.distributed import DistributedContext
    from model.learning.evaluation import table
    from model.serving.version_folder import preferred
    from model.settings import ModelSettings
    from model.store.label_book import preference_complaints

    settings = ModelSettings()
    examples = read_examples(data)
    training_set, dev_set = split_for_dev(examples) if dev is None else (examples, read_examples(dev))
    names = sorted({label for example in [*training_set, *dev_set] for label in example.labels})
    if len(names) < 2:
        raise BadData(f"{data}: {'there is one label' if names else 'there is no label'} in it; at least two are needed")
    for alike in _alike(names):
        click.echo(f"beto: labels that differ only in accents or case are trained apart: {', '.join(alike)}", err=True)
    ours = seed_taxonomy()
    taxonomy = ours if all(name in ours for name in names) else Taxonomy.from_names(names)
    for sentence in preference_complaints(taxonomy, settings.preferences):
        click.echo(f"beto: warning: {sentence}", err=True)
    taxonomy = taxonomy.with_preferences(settings.preferences)
    with click.progressbar(length=1000, label="fine-tuning", file=sys.stderr) as bar:
        card = training.train(
            training_set,
            dev_set,
            taxonomy=taxonomy,
            base=base or settings.base,
            out=out,
            seed=seed,
            device=settings.device,
            home=settings.home_folder,
            within_s=60 * settings.train_within_min or None,
            on_progress=lambda progress: bar.update(max(0, int(1000 * progress.share) - bar.pos)),
        )
    if not DistributedContext().is_rank_zero:
        return
    if as_json:
        click.echo(card.model_dump_json())
    else:
        click.echo(table({card.base: card.scores["dev"], "baseline": card.baseline["dev"]}))
        for line in preferred(card):
            click.echo(f"preferred, and not in the scores above: {line}")
        click.echo(f"saved in {out}")


def _alike(names: Sequence[str]) -> list[list[str]]:
    """Return the groups of names that only accents or case tell apart."""
    groups: dict[str, list[str]] = {}
    for name in names:
        decomposed = unicodedata.normalize("NFD", name.casefold())
        groups.setdefault("".join(char for char in decomposed if not unicodedata.combining(char)), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


@click.command()
@click.option("--model", type=click.Path(path_type=Path), required=True, help="A version's folder.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="JSONL or CSV of labelled messages.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, last on standard output.")
def evaluate(model: Path, data: Path, as_json: bool) -> None:
    """Score a version on labelled messages, beside the baseline, and tell how often a label is right by what is shown."""
    import numpy as np

    from model.errors import BadData
    from model.labels import Taxonomy
    from model.learning.baseline import load_baseline, truth_of
    from model.learning.dataset import read_examples
    from model.learning.evaluation import band_table, bands, expected_calibration_error, score, table
    from model.serving.classifier import load
    from model.settings import ModelSettings

    classifier = load(model, device=ModelSettings().device)
    examples = read_examples(data, Taxonomy.from_names(classifier.labels))
    if not examples:
        raise BadData(f"{data}: there is no message in it to evaluate on")
    texts, gold = [example.text for example in examples], [example.labels for example in examples]
    predictions = classifier.predict(texts)
    scores = np.array([[prediction.scores[label] for label in classifier.labels] for prediction in predictions])
    answers = truth_of(examples, classifier.labels)
    network = score(gold, [prediction.labels for prediction in predictions], classifier.labels)
    network = network.model_copy(update={"ece": expected_calibration_error(scores, *answers)})
    baseline = score(gold, load_baseline(model).predict(texts), classifier.labels)
    shown = bands(scores, *answers)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "base": classifier.card.base,
                    "version": classifier.card.version,
                    **network.model_dump(),
                    "bands": [band.model_dump() for band in shown],
                    "baseline": baseline.model_dump(),
                }
            )
        )
    else:
        click.echo(table({classifier.card.base: network, "baseline": baseline}))
        click.echo(f"\n{band_table(shown)}")


@click.command()
@click.option("--model", type=click.Path(path_type=Path), help="A version's folder; default: the live version.")
@click.option("--json/--text", "as_json", default=True, show_default=True, help="A JSON line for each, or a line to read.")
@click.argument("texts", nargs=-1)
def predict(model: Path | None, as_json: bool, texts: tuple[str, ...]) -> None:
    """Label TEXTS, or lines of standard input: a line of output for each."""
    from model.serving.classifier import load
    from model.settings import ModelSettings

    settings = ModelSettings()
    if model is not None:
        classifier = load(model, device=settings.device)
    else:
        folder, taxonomy = _live_folder(settings)
        classifier = load(folder, device=settings.device)
        classifier = classifier.preferring(taxonomy.preferences(classifier.labels))
    batch: list[str] = []

    def answer() -> None:
        for text, prediction in zip(batch, classifier.predict(batch), strict=True):
            scores = {name: round(probability, 4) for name, probability in prediction.scores.items()}
            if as_json:
                click.echo(json.dumps({"text": text, **prediction.model_dump(mode="json"), "scores": scores}, ensure_ascii=False))
            else:
                labels = ", ".join(f"{name} {scores[name]:.0%}" for name in prediction.labels)
                click.echo(f"{labels or '-'}\t{' '.join(text.split())}")
        batch.clear()

    for line in texts or _lines_of_standard_input():
        batch.append(line)
        if len(batch) == 256:
            answer()
    if batch:
        answer()


def _lines_of_standard_input() -> Iterator[str]:
    """Yield each line; what is odd about one is told on standard error, and answered all the same: line N answers line N."""
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            text = line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            # A bad line gets a poor answer, the others a good one.
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            click.echo(f"beto: line {number} is not UTF-8: what could not be read became \ufffd", err=True)
        if not text.strip():
            click.echo(f"beto: line {number} is empty: its answer means nothing", err=True)
        yield text


def _live_folder(settings: "ModelSettings") -> tuple[Path, "Taxonomy"]:
    """Return the folder of the live version, and the labels of today; BrokenVersion where none is live."""
    from model.errors import BrokenVersion
    from model.store.store import Store

    store = Store(settings.store_url, settings.home_folder, preferences=settings.preferences)
    store.migrate()
    live, taxonomy = store.registry.live(), store.labels.current()
    store.close()
    if live is None:
        raise BrokenVersion("no version is live: name a version's folder by --model, or train one by `beto up` or `beto demo`")
    return live.folder, taxonomy
