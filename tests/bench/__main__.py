"""Every benchmark: `python -m tests.bench NAME [options] [--json]`, from the repository's root."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from bot.errors import BotError
from model.errors import ModelError

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object, last on standard output.")
from_folder = click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with train.jsonl and dev.jsonl; else ../shared/data/multi3nlu_es_banking, else the shipped messages.",
)


@click.group(context_settings=CONTEXT)
def bench() -> None:
    """Measure the product on this machine; the last line with --json is one JSON object."""


def finish(result: dict[str, Any], as_json: bool) -> None:
    """Print the result if it is wanted; the figures for people are on standard error already."""
    if as_json:
        click.echo(json.dumps(result, default=str))


@bench.command("all")
@click.option("--quick", is_flag=True, required=True, help="In their forms of minutes; there is no other one.")
@click.option(
    "--last", type=click.Path(dir_okay=False, path_type=Path), help="The last run's JSON: it is compared, and replaced."
)
@as_json
def headlines(quick: bool, last: Path | None, as_json: bool) -> None:
    """Print the ratios that tell in ten minutes whether something became slower or worse."""
    assert quick
    from tests.bench.headlines import measure

    finish(measure(last), as_json)


@bench.command()
@click.option("--messages", type=click.IntRange(10), default=300, show_default=True, help="At saturation.")
@click.option("--seconds", type=click.IntRange(5), default=30, show_default=True, help="At the light rate.")
@click.option("--rate", type=click.FloatRange(0.1), default=5.0, show_default=True, help="Messages a second that are light.")
@click.option(
    "--base", default="mini", show_default=True, help="What to fine-tune: e5, mini, a checkpoint; or beto-shape, untrained."
)
@click.option("--rtt-ms", type=click.FloatRange(0), help="Speak TLS with a Slack that is so far away.")
@as_json
def journey(messages: int, seconds: int, rate: float, base: str, rtt_ms: float | None, as_json: bool) -> None:
    """Time the way from a message's event to its reply in the thread, with every process real."""
    from tests.bench.journey import measure

    finish(measure(messages=messages, seconds=seconds, rate=rate, base=base, rtt_ms=rtt_ms), as_json)


@bench.command()
@click.option("--messages", type=click.IntRange(10), default=200, show_default=True, help="Of a day, in each channel.")
@click.option("--base", default="e5", show_default=True, help="What to fine-tune: e5, mini, or a checkpoint.")
@as_json
def noise(messages: int, base: str, as_json: bool) -> None:
    """Count what a day's messages cost those who read them, by how the channel shows labels."""
    from tests.bench.noise import measure

    finish(measure(messages=messages, base=base), as_json)


@bench.command()
@click.option("--here", is_flag=True, help="With the packages that are here, instead of from a copy of the repository.")
@click.option("--base", default="e5", show_default=True, help="What to fine-tune: e5, mini, or a checkpoint.")
@click.option("--answered", is_flag=True, help="Only until hola is answered, instead of until a message has labels.")
@as_json
def install(here: bool, base: str, answered: bool, as_json: bool) -> None:
    """Install the bot as the README tells, and time each step until it answers in Slack."""
    from tests.bench.install import measure

    finish(measure(bare=not here, base=base, labelled=not answered), as_json)


@bench.command()
@click.option("--messages", type=click.IntRange(5), default=200, show_default=True)
@click.option("--rate", type=click.FloatRange(0.1), default=2.0, show_default=True, help="Messages a second.")
@click.option("--base", default="e5", show_default=True, help="What to fine-tune: e5, mini, or a checkpoint.")
@as_json
def routes(messages: int, rate: float, base: str, as_json: bool) -> None:
    """Time the way from a message's event to the mention of the person whom it concerns."""
    from tests.bench.routes import measure

    finish(measure(messages=messages, rate=rate, base=base), as_json)


@bench.command()
@click.option("--reactions", type=click.IntRange(10), default=400, show_default=True, help="At once.")
@click.option("--base", default="mini", show_default=True, help="What to fine-tune: e5, mini, or a checkpoint.")
@as_json
def corrections(reactions: int, base: str, as_json: bool) -> None:
    """Time the way from a reaction to the redrawn reply, with every process real."""
    from tests.bench.corrections import measure

    finish(measure(reactions=reactions, base=base), as_json)


@bench.command()
@click.option("--messages", type=click.IntRange(60), default=900, show_default=True, help="In all rounds together.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="In which the systems take turns.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where the network runs.")
@click.option("--base", default="beto-shape", show_default=True, help="e5, mini, a checkpoint; or beto-shape, untrained.")
@as_json
def serving(messages: int, rounds: int, device: str, base: str, as_json: bool) -> None:
    """Compare the engine, and the worker around it, with transformers' pipeline."""
    from tests.bench.serving import measure

    finish(measure(messages=messages, rounds=rounds, device=device, base=base), as_json)


@bench.command()
@click.option("--messages", type=click.IntRange(100), default=1_000_000, show_default=True, help="That are stored.")
@click.option("--database", type=click.Choice(["sqlite", "postgresql", "both"]), default="both", show_default=True)
@as_json
def backup(messages: int, database: str, as_json: bool) -> None:
    """Time a backup while somebody writes, its verification, and its restore; and measure its size."""
    from tests.bench.backup import measure

    databases = ["sqlite", "postgresql"] if database == "both" else [database]
    finish(measure(messages=messages, databases=databases), as_json)


@bench.command()
@click.option("--workers", default="1,2,5,10", show_default=True, help="How many, by commas, ascending.")
@click.option("--messages", type=click.IntRange(10), default=2000, show_default=True, help="For each of them.")
@as_json
def scale(workers: str, messages: int, as_json: bool) -> None:
    """Let ever more workers share one Redis and one PostgreSQL: messages a second, and the share of each."""
    from tests.bench.scale import measure

    finish(measure(workers=list(map(int, workers.split(","))), messages=messages), as_json)


@bench.command()
@click.option("--messages", type=click.IntRange(10), default=2000, show_default=True, help="That are written.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="A PNG of the dashboard's panels.")
@as_json
def observed(messages: int, plot: Path | None, as_json: bool) -> None:
    """Compare what Prometheus says of a load with what is in the database, every process real."""
    from tests.bench.observed import measure

    finish(measure(messages=messages, plot=plot), as_json)


@bench.command("first_start")
@click.option("--base", default="e5", show_default=True, help="What to fine-tune: e5, mini, or a checkpoint.")
@click.option("--seed", type=int, default=0, show_default=True)
@as_json
def first_start(base: str, seed: int, as_json: bool) -> None:
    """Time the first version of a new home, by parts, and score it beside the yardsticks."""
    from tests.bench.first_start import measure

    finish(measure(base=base, seed=seed), as_json)


@bench.command("shape")
@click.argument("folder", type=click.Path(path_type=Path))
def write_shape(folder: Path) -> None:
    """Write a base of BETO's exact shape with random weights to FOLDER, for `beto train --base FOLDER`."""
    from tests.bench.shape import build

    build(folder)


@bench.command()
@click.option("--data", type=click.Path(path_type=Path), help="Learned from instead of the shipped messages; needs --dev.")
@click.option("--dev", type=click.Path(path_type=Path), help="What both are scored on; a tenth of --data is tuned on.")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="How many, from 0.")
@click.option(
    "--base", default="mini", show_default=True, help="What to fine-tune: e5, mini, a checkpoint; or beto-shape, untrained."
)
@click.option("--epochs", type=click.IntRange(1), help="Instead of the recipe's.")
@click.option("--texts", type=click.IntRange(32), help="Train on so many only, and score on an eighth as many.")
@as_json
def training(
    data: Path | None, dev: Path | None, seeds: int, base: str, epochs: int | None, texts: int | None, as_json: bool
) -> None:
    """Compare our recipe with transformers' Trainer with its defaults: F1 and examples a second."""
    from tests.bench.training import measure

    if (data is None) != (dev is None):
        raise click.UsageError("--data and --dev go together")
    finish(measure(data=data, judged=dev, seeds=seeds, base=base, epochs=epochs, texts=texts), as_json)


@bench.command("learning_curve")
@from_folder
@click.option("--base", default="mini", show_default=True, help="What to fine-tune: e5, mini, or a checkpoint.")
@click.option("--seeds", default="0,1,2", show_default=True, help="Which, by commas.")
@click.option("--sizes", default="50,100,300,1000,all", show_default=True, help="Labelled messages in all, by commas.")
@as_json
def learning_curve(data: Path | None, base: str, seeds: str, sizes: str, as_json: bool) -> None:
    """Show how the scores grow with the labelled messages, beside the baselines."""
    from tests.bench.learning_curve import measure

    finish(measure(data=data, base=base, seeds=list(map(int, seeds.split(","))), sizes=sizes.split(",")), as_json)


@bench.command("review_order")
@from_folder
@click.option("--orders", default="", help="Which, by semicolons; empty: all that are installed.")
@click.option("--seeds", default="0,1,2", show_default=True, help="Which, by commas.")
@click.option("--batch", type=click.IntRange(1), default=40, show_default=True, help="Judged between two trainings.")
@click.option("--most", type=click.IntRange(50), default=1200, show_default=True, help="Judgements after which one gives up.")
@as_json
def review_order(data: Path | None, orders: str, seeds: str, batch: int, most: int, as_json: bool) -> None:
    """Count the judgements that each order of review needs for 95 % of the score with all messages."""
    from tests.bench.peer_orders import missing
    from tests.bench.review_order import ORDERS, measure

    chosen = [each.strip() for each in orders.split(";") if each.strip()] or [each for each in ORDERS if not missing(each)]
    finish(measure(data=data, orders=chosen, seeds=list(map(int, seeds.split(","))), batch=batch, most=most), as_json)


@bench.command()
@from_folder
@click.option("--base", default="e5", show_default=True, help="What to fine-tune: e5, mini, or a checkpoint.")
@as_json
def repeats(data: Path | None, base: str, as_json: bool) -> None:
    """Count what corrections do to the same messages, to paraphrases of them, and to unrelated ones."""
    from tests.bench.repeats import measure

    finish(measure(data=data, base=base), as_json)


@bench.command()
@from_folder
@click.option("--base", default="e5", show_default=True, help="What to fine-tune: e5, mini, or a checkpoint.")
@click.option("--seed", default=0, show_default=True, help="Of the stream.")
@as_json
def forgetting(data: Path | None, base: str, seed: int, as_json: bool) -> None:
    """Correct one half of the labels 300 times, then the other, and score both before and after."""
    from tests.bench.repeats import forgetting as measure

    finish(measure(data=data, base=base, seed=seed), as_json)


@bench.command()
@click.option("--sizes", default="1000,10000,100000", show_default=True, help="Judged messages, by commas.")
@click.option("--gestures", type=click.IntRange(1), default=20, show_default=True, help="That are timed at each size.")
@click.option("--base", default="mini", show_default=True, help="What to fine-tune: e5, mini, or a checkpoint.")
@as_json
def effect(sizes: str, gestures: int, base: str, as_json: bool) -> None:
    """Time the way from a judgement to its effect in every worker, with ever more judged messages."""
    from tests.bench.effect import measure

    finish(measure(sizes=list(map(int, sizes.split(","))), gestures=gestures, base=base), as_json)


@bench.command()
@from_folder
@click.option("--base", default="e5", show_default=True, help="What to fine-tune: e5, mini, or a checkpoint.")
@click.option("--seeds", default="0,1,2", show_default=True, help="Which, by commas.")
@click.option("--judgements", type=click.IntRange(20), default=600, show_default=True, help="How many there are.")
@click.option("--every", type=click.IntRange(1), default=5, show_default=True, help="Judgements between two fits of all systems.")
@click.option("--at-once", type=click.IntRange(1), default=1, show_default=True, help="Seeds, each in a process of its own.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="A PNG of the curves.")
@as_json
def learning(
    data: Path | None, base: str, seeds: str, judgements: int, every: int, at_once: int, plot: Path | None, as_json: bool
) -> None:
    """Let people correct one message in three, and compare what runs with a baseline fitted anew at each judgement."""
    from tests.bench.learning import measure

    numbers = list(map(int, seeds.split(",")))
    result = measure(data=data, base=base, seeds=numbers, judgements=judgements, every=every, at_once=at_once, plot=plot)
    finish(result, as_json)


@bench.command("new-label")
@from_folder
@click.option("--base", default="e5", show_default=True, help="What knows the language: e5, or a checkpoint.")
@click.option("--seeds", default="0,1,2", show_default=True, help="Which, by commas.")
@as_json
def new_label(data: Path | None, base: str, seeds: str, as_json: bool) -> None:
    """Score labels from their names alone and with their first examples."""
    from tests.bench.new_label import measure

    finish(measure(data=data, base=base, seeds=list(map(int, seeds.split(",")))), as_json)


@bench.command()
@click.option("--messages", type=click.IntRange(1000), default=100_000, show_default=True, help="Stored at most.")
@click.option("--repeats", type=click.IntRange(10), default=200, show_default=True, help="Of each step.")
@click.option("--texts", type=click.IntRange(1000), default=20_000, show_default=True, help="Near-duplicates among so many.")
@click.option("--database", type=click.Choice(["sqlite", "postgresql", "both"]), default="both", show_default=True)
@as_json
def growth(messages: int, repeats: int, texts: int, database: str, as_json: bool) -> None:
    """Time each step of the store as it fills: --messages 1000000 --texts 100000 for the whole."""
    from tests.bench.growth import measure

    databases = ["sqlite", "postgresql"] if database == "both" else [database]
    finish(measure(messages=messages, repeats=repeats, databases=databases, texts=texts), as_json)


@bench.command()
@click.option("--messages", type=click.IntRange(10), default=2000, show_default=True, help="In each round.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Of which the median counts.")
@as_json
def observing(messages: int, rounds: int, as_json: bool) -> None:
    """Time what metrics and logs cost a message."""
    from tests.bench.observing import measure

    finish(measure(messages=messages, rounds=rounds), as_json)


@bench.command()
@click.option("--base", default="e5", show_default=True, help="What to fine-tune: e5, mini, or a checkpoint.")
@click.option("--version", type=click.Path(path_type=Path), help="A version's folder instead.")
@click.option("--texts", type=click.IntRange(5), default=285, show_default=True, help="Shipped test messages.")
@click.option("--seed", default=0, show_default=True, help="Of the random words.")
@click.option("--clicks", type=click.IntRange(0), default=60, show_default=True, help="On the button, in a running bot.")
@as_json
def explanations(base: str, version: Path | None, texts: int, seed: int, clicks: int, as_json: bool) -> None:
    """Leave out the words that an explanation names, and random ones; time it on one core, and from click to answer."""
    from tests.bench.explanations import measure

    finish(measure(base=base, version=version, texts=texts, seed=seed, clicks=clicks), as_json)


@bench.command("simulator-load")
@click.option("--seconds", type=click.IntRange(1), default=60, show_default=True, help="How long people write.")
@click.option("--rate", type=click.IntRange(1), default=200, show_default=True, help="Events a second.")
@as_json
def simulator_load(seconds: int, rate: int, as_json: bool) -> None:
    """Load the simulator alone, over two sockets, one of which is refreshed meanwhile."""
    from tests.bench.simulator_load import measure

    finish(asyncio.run(measure(seconds, rate)), as_json)


@bench.command()
@click.option("--messages", type=click.IntRange(10), default=1000, show_default=True)
@click.option("--gestures", type=click.IntRange(0), default=500, show_default=True, help="Reactions and buttons.")
@click.option("--kills", type=click.IntRange(0), default=20, show_default=True, help="SIGKILLs, spread over every process.")
@click.option("--retrainings", type=click.IntRange(0), default=2, show_default=True)
@click.option("--label-changes", type=click.IntRange(0), default=0, show_default=True)
@click.option("--faults", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share of Slack's calls and events.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same one brings the same again.")
@click.option("--twice", is_flag=True, help="Two of each process; needs --postgres.")
@click.option("--postgres", is_flag=True, help="On a PostgreSQL server of its own instead of SQLite.")
@click.option(
    "--without", default="", help="Disable a safeguard: claim, sweep, natural key, or look-up. The run should then fall short."
)
@click.option(
    "--from", "upgrade_from", default="", help="Begin with the processes of this release, 0.1.0 or 0.2.0, and replace them."
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="A PNG of memory and database over time.")
@as_json
def chaos(
    messages: int,
    gestures: int,
    kills: int,
    retrainings: int,
    label_changes: int,
    faults: float,
    seed: int,
    twice: bool,
    postgres: bool,
    without: str,
    upgrade_from: str,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Kill, freeze and cut everything while people write: exactly one right answer each, or status 1."""
    from tests.chaos import measure
    from tests.chaos.plan import Plan

    if twice and not postgres:
        raise click.UsageError("--twice needs --postgres: SQLite is for one machine with one of each")
    plan = Plan(
        messages=messages,
        gestures=gestures,
        kills=kills,
        retrainings=retrainings,
        label_changes=label_changes,
        share=faults,
        seed=seed,
        twice=twice,
        postgres=postgres,
        without=without,
        drain_within_s=60 if without else 600 if upgrade_from else 300,
        upgrade_from=upgrade_from,
        # The minutes of an upgrade; and processes start no faster than they do, so that Slack must not be faster either.
        per_s=3.0 if upgrade_from else 60.0,
        redelivery_s=(0.0, 15.0, 90.0) if upgrade_from else (0.0, 2.0, 6.0),
    )
    result = measure(plan, plot)
    finish(result, as_json)
    if result["wrong"] or not result["calm"]:
        sys.exit(1)


if __name__ == "__main__":  # the children of multiprocessing import this file too
    try:
        bench(prog_name="python -m tests.bench")
    except (BotError, ModelError) as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(1)
