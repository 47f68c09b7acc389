"""`beto bench`: what the product costs, measured with every process real. Numbers are wall-clock seconds unless named."""

import asyncio
import contextlib
import itertools
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np

from bot.demo import start_simulator, wait_for_training
from bot.settings import BotSettings
from bot.simulator.errors import SlackError
from bot.simulator.person import Person
from bot.up import Machine, local_environment
from model.dataset import read_examples, seed_examples, seed_messages, split_for_dev
from model.gestures import Gestures
from model.labels import Taxonomy, seed_taxonomy
from model.schema import Example, Progress, Scores, Split
from model.settings import ModelSettings
from model.store import Store
from model.text import speak

CHANNELS = ("general", "atencion", "reclamos")
IN_FLIGHT = 64


def machine_facts() -> dict[str, Any]:
    """What a reader needs to place the numbers: processor, cores, versions, commit."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")),
        platform.processor(),
    )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    ).stdout.strip()
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("beto-bot", "torch", "transformers", "celery", "slack-bolt")},
        "commit": commit or "not a git checkout",
    }


def journey(*, messages: int, seconds: int, base: str) -> dict[str, Any]:
    """Latency and throughput from a message's event to its reply in the simulator, and how much of it is the model.

    Both ends are stamped by the simulator's own clock: the message's ts and the reply's ts. Slack's limit of one post a
    second and channel is off. The version trained for the first run is kept for the next.
    """
    with _everything(base) as (machine, url, home):
        light, saturated = asyncio.run(_journeys(url, machine, messages, seconds))
    store = Store(ModelSettings(home=home, database_url="").store_url)
    in_model = store.model_seconds()
    store.close()
    result = {"bench": "journey", "base": base, "seed": 0, **machine_facts()}
    for name, (latencies, took, cpu) in {"at_1_per_s": light, "saturated": saturated}.items():
        own = [in_model[ts] for ts in latencies if ts in in_model]
        result[name] = {
            "messages": len(latencies),
            "p50_ms": _milliseconds(latencies.values(), 50),
            "p99_ms": _milliseconds(latencies.values(), 99),
            "model_p50_ms": _milliseconds(own, 50),
            "model_p99_ms": _milliseconds(own, 99),
            "messages_per_s": round(len(latencies) / took, 1),
            "cpu_ms_per_message": {each: round(1000 * spent / len(latencies), 2) for each, spent in cpu.items()},
        }
    for name in ("at_1_per_s", "saturated"):
        each = result[name]
        click.echo(
            f"{name:12} {each['messages']} messages, {each['messages_per_s']}/s: event to reply p50 {each['p50_ms']} ms, "
            f"p99 {each['p99_ms']} ms; of it the model p50 {each['model_p50_ms']} ms",
            err=True,
        )
        click.echo(f"{'':12} CPU ms a message: {each['cpu_ms_per_message']}", err=True)
    return result


def corrections(*, reactions: int, base: str) -> dict[str, Any]:
    """From a reaction to the redrawn reply, one at a time; then how many reactions a second are acknowledged and kept."""
    with _everything(base) as (_, url, home):
        latencies, kept_per_s = asyncio.run(_corrections(url, home, reactions))
    result = {
        "bench": "corrections",
        "base": base,
        "seed": 0,
        **machine_facts(),
        "reactions": reactions,
        "p50_ms": _milliseconds(latencies, 50),
        "p99_ms": _milliseconds(latencies, 99),
        "acknowledged_per_s": kept_per_s,
    }
    click.echo(
        f"reaction to redrawn reply p50 {result['p50_ms']} ms, p99 {result['p99_ms']} ms ({len(latencies)} alone); "
        f"{kept_per_s} reactions a second acknowledged and kept ({reactions} at once)",
        err=True,
    )
    return result


def training(*, data: Path | None, judged: Path | None, seeds: int, base: str) -> dict[str, Any]:
    """Our recipe against transformers' Trainer with its defaults, from the same weights, on the same texts, for as many epochs.

    Seed by seed, in one process and with as many threads. The Trainer's are its own: learning rate 5e-5, linear schedule,
    batches of 8 padded to their longest; only its checkpoints and reports are off. What it gives is scored at 0.5 and, to
    be fair, at its best threshold on dev. Ours also looks at dev after each epoch, and that is in its time. Judged is the
    shipped test split, or `judged`, of which neither has seen anything; then a part of `data` serves as dev.

    Examples a second: of the training loop alone. Seconds: all of it, also the floor that either begins with for mini.
    """
    # Behind the torch door, and seconds to load: before any clock starts.
    from model import training as ours
    from model.classifier import quiet_transformers

    quiet_transformers()
    if data is None or judged is None:
        splits, taxonomy = seed_examples(), seed_taxonomy()
    else:
        train, dev = split_for_dev(read_examples(data))
        splits = {"train": train, "dev": dev, "test": read_examples(judged)}
        taxonomy = Taxonomy.from_names(sorted({label for each in splits.values() for e in each for label in e.labels}))
    runs: dict[str, list[dict[str, float]]] = {"beto": [], "trainer": [], "trainer_tuned": [], "floor": []}
    for seed in range(seeds):
        marks: list[tuple[float, Progress]] = []
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            card = ours.train(
                splits["train"],
                splits["dev"],
                test=splits["test"],
                taxonomy=taxonomy,
                base=base,
                out=Path(folder) / "version",
                seed=seed,
                device=ModelSettings().device,
                on_progress=lambda progress, marks=marks: marks.append((time.perf_counter(), progress)),  # type: ignore[misc]
            )
        seconds = time.perf_counter() - began
        first, last = (next(at for at, progress in marks if progress.stage == stage) for stage in ("training", "judging"))
        epochs_run, batch = int(card.settings["epochs_run"]), int(card.settings["batch"])
        learned = epochs_run * len(splits["train"]) - batch  # the first step's end is where the clock starts
        pace = {"examples_per_s": learned / (last - first), "seconds": seconds, "epochs": epochs_run}
        runs["beto"].append(_f1(card.scores["test"]) | pace)
        runs["floor"].append(_f1(card.floor["test"]))
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
        "labels": len(card.labels),
        "systems": systems,
    }


def _train_by_trainer(
    splits: Mapping[Split, Sequence[Example]], labels: Sequence[str], *, base: str, seed: int, epochs: int
) -> tuple[dict[str, float], dict[str, float]]:
    """What the Trainer comes to on test: at the threshold 0.5, and at the best one on dev."""
    from model.baseline import truth_of
    from model.classifier import fitting_threads, longest_input, quiet_transformers
    from model.evaluation import best_threshold, score
    from model.training import begin

    transformers = quiet_transformers()
    began = time.perf_counter()
    network, tokenizer, _, _ = begin(splits["train"], splits["dev"], labels, base=base, seed=seed)
    answers = {split: truth_of(examples, labels) for split, examples in splits.items()}
    rows = {}
    for split, examples in splits.items():
        texts = [speak(example.text) for example in examples]
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
    """In per cent."""
    return {"micro_f1": 100 * scores.micro_f1, "macro_f1": 100 * scores.macro_f1}


@contextmanager
def _everything(base: str) -> Iterator[tuple[Machine, str, Path]]:
    """All processes run with a trained version, against a simulated Slack without its limit of one post a second."""
    home = BotSettings().home_folder.absolute() / "bench"
    environment = local_environment(BETO_HOME=str(home), BETO_BASE=base, BETO_BLIND_PERCENT="0")
    environment.pop("BETO_DATABASE_URL", None)
    with Machine(home, environment) as machine:
        machine.environment["BETO_REDIS_URL"] = machine.start_redis()
        url = start_simulator(machine, None, "--no-rate-limits")
        processes = [machine.start(name) for name in ("trainer", "worker", "replies", "bot")]
        machine.wait_ready(processes[0], 60)  # it makes the tables
        wait_for_training(home, base, lambda: False)
        for process in processes:
            machine.wait_ready(process, 60)
        yield machine, url, home


Phase = tuple[dict[str, float], float, dict[str, float]]


async def _journeys(url: str, machine: Machine, messages: int, seconds: int) -> tuple[Phase, Phase]:
    """(seconds from message to reply by the message's ts, seconds in all, CPU seconds by process) for both loads."""
    texts = _texts()
    async with Person(url, "ana") as ana:
        bot_user = next(each["id"] for each in (await ana.state())["users"] if each["is_bot"])
        for channel in CHANNELS:
            await ana.invite(channel, bot_user)
            await ana.command(channel, "/beto", "watch")
        channels = itertools.cycle(CHANNELS)

        async def one(latencies: dict[str, float]) -> None:
            channel = next(channels)
            ts = await ana.message(channel, next(texts))
            reply = await ana.wait_for_reply(channel, ts, 60)
            latencies[ts] = float(reply["ts"]) - float(ts)

        await asyncio.gather(*(one({}) for _ in range(8)))  # warm
        light: dict[str, float] = {}
        began, before = time.perf_counter(), _cpu_seconds(machine)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(seconds):
                tasks.create_task(one(light))
                await asyncio.sleep(1)
        first = (light, time.perf_counter() - began, _difference(_cpu_seconds(machine), before))

        saturated: dict[str, float] = {}
        gate = asyncio.Semaphore(IN_FLIGHT)

        async def gated() -> None:
            async with gate:
                await one(saturated)

        began, before = time.perf_counter(), _cpu_seconds(machine)
        await asyncio.gather(*(gated() for _ in range(messages)))
        return first, (saturated, time.perf_counter() - began, _difference(_cpu_seconds(machine), before))


async def _corrections(url: str, home: Path, reactions: int) -> tuple[list[float], float]:
    """(seconds from a reaction to the changed reply, of each of 40; reactions kept per second)."""
    store = Store(ModelSettings(home=home, database_url="").store_url)
    gestures, emoji = Gestures(store), [label.emoji for label in seed_taxonomy()]
    latencies = []
    async with Person(url, "ana") as ana:
        bot_user = next(each["id"] for each in (await ana.state())["users"] if each["is_bot"])
        await ana.invite(CHANNELS[0], bot_user)
        await ana.command(CHANNELS[0], "/beto", "watch")
        sent = [await ana.message(CHANNELS[0], f"{text} {n}") for n, text in zip(range(40), _texts(), strict=False)]
        replies = [await ana.wait_for_reply(CHANNELS[0], ts, 60) for ts in sent]
        channel = replies[0].get("channel") or next(
            each["id"] for each in (await ana.state())["channels"] if each["name"] == CHANNELS[0]
        )
        await asyncio.sleep(2)  # a reply that was just posted is not redrawn at once; that pause is not what we measure
        for n, (ts, reply) in enumerate(zip(sent, replies, strict=True)):
            changes = ana.changes()
            began = time.perf_counter()
            await ana.react(channel, ts, emoji[n % len(emoji)])
            async for change in changes:
                if change["type"] == "message_changed" and change["message"]["ts"] == reply["ts"]:
                    break
            latencies.append(time.perf_counter() - began)
            changes.close()
        before = gestures.count()
        taps = itertools.islice(itertools.product(sent, emoji[1:]), reactions)
        gate = asyncio.Semaphore(IN_FLIGHT)

        async def tap(ts: str, name: str) -> None:
            async with gate:
                with contextlib.suppress(SlackError):  # this emoji is there since the first part
                    await ana.react(channel, ts, name)

        began = time.perf_counter()
        await asyncio.gather(*(tap(ts, name) for ts, name in taps))
        kept = before
        while (now_kept := gestures.count()) > kept or time.perf_counter() - began < 1:
            kept, ended = now_kept, time.perf_counter()
            await asyncio.sleep(0.25)
    store.close()
    return latencies, round((kept - before) / (ended - began), 1)


def _texts() -> Iterator[str]:
    return itertools.cycle([example.text for example in seed_messages()])


def _cpu_seconds(machine: Machine) -> dict[str, float]:
    """User and system time of each process so far, and of this one, which plays the people."""
    tick = os.sysconf("SC_CLK_TCK")
    pids = {process.name: process.popen.pid for process in machine.processes if process.popen} | {"people": os.getpid()}
    spent = {}
    for name, pid in pids.items():
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        spent[name] = (int(fields[11]) + int(fields[12])) / tick
    return spent


def _difference(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in after}


def _milliseconds(values: Iterable[float], percentile: int) -> float:
    ordered = sorted(values)
    if not ordered:
        return 0.0
    if percentile == 50:
        return round(1000 * statistics.median(ordered), 1)
    return round(1000 * ordered[min(len(ordered) - 1, percentile * len(ordered) // 100)], 1)
