"""`python -m tests.bench all --quick`: the ratios that tell in ten minutes whether something became slower or worse."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tests.bench.machine import machine_facts

# A ratio of two speeds of one run still moves by a tenth from hour to hour.
FALL = 0.2
PATIENCE_S = 900


@dataclass(frozen=True)
class Headline:
    """A ratio, the larger the better: its name, and how it is read from what a bench tells."""

    name: str
    of: Callable[[Any], float]


def _score(result: Any, whose: str) -> float:
    return float(result["scores"][whose]["micro_f1"])


def _rate(result: Any, system: str) -> float:
    return float(result["systems"][system]["messages_per_s"])


# Each bench in a form of minutes, which only compares what runs in the same minutes.
QUICK: Mapping[tuple[str, ...], tuple[Headline, ...]] = {
    ("serving", "--messages", "180", "--rounds", "2"): (
        Headline("the engine's messages/s over the transformers pipeline's", lambda r: _rate(r, "direct") / _rate(r, "pipeline")),
        Headline("messages/s through Celery over the engine's", lambda r: _rate(r, "celery") / _rate(r, "direct")),
        Headline(
            "the pipeline's MiB over those of a worker",
            lambda r: r["systems"]["pipeline"]["memory_mib"] / r["systems"]["celery"]["memory_mib"],
        ),
    ),
    ("journey", "--base", "beto-shape", "--messages", "150", "--seconds", "10"): (
        Headline(
            "the network's share of the way from event to reply",
            lambda r: r["light"]["model_p50_ms"] / r["light"]["p50_ms"],
        ),
    ),
    ("training", "--base", "e5", "--seeds", "1", "--texts", "160", "--epochs", "2"): (
        Headline("examples/s over those of transformers' Trainer", lambda r: r["ratio_of_examples_per_s"]),
    ),
    ("first_start",): (
        Headline("a first version's micro-F1 over the baseline's", lambda r: _score(r, "version") / _score(r, "baseline")),
    ),
}


def measure(last: Path | None) -> dict[str, Any]:
    """Run each bench in a process of its own, and return the ratios; a fall against those in `last` is told.

    `last` is then replaced. A bench that fails, or does not end, is told and has no ratio: the others are run. In `last` stays
    what it had last, so that the next run is compared with it.
    """
    ratios: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for command, headlines in QUICK.items():
        click.echo(f"{' '.join(command)} ...", err=True)
        began = time.perf_counter()
        result = _run(command)
        seconds[command[0]] = round(time.perf_counter() - began, 1)
        ratios |= {} if result is None else {each.name: round(each.of(result), 2) for each in headlines}
    before = _read(last)
    for name, ratio in ratios.items():
        was = before.get(name)
        click.echo(f"{ratio:7.2f}  {name}" + ("" if was is None else f" (last time {was:.2f})"), err=True)
    for sentence in falls(before, ratios):
        click.echo(sentence, err=True)
    found = {"bench": "all", "quick": True, **machine_facts(), "ratios": ratios, "seconds": seconds}
    if last is not None:
        last.write_text(json.dumps({**found, "ratios": before | ratios}, indent=2) + "\n", encoding="utf-8")
    return found


def falls(before: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    """Return a sentence for each ratio that fell by a fifth, or that there is none of any more."""
    told = []
    for name, was in before.items():
        if name not in now:
            told.append(f"NOT MEASURED  {name} (last time {was:.2f})")
        elif now[name] < (1 - FALL) * was:
            told.append(f"FELL  {name}: {was:.2f} -> {now[name]:.2f}")
    return told


def _run(command: tuple[str, ...]) -> Any:
    """Return what the bench tells as JSON; None where it failed, which is told."""
    arguments = [sys.executable, "-m", "tests.bench", *command, "--json"]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    except subprocess.CalledProcessError as error:
        click.echo(f"FAILED  {' '.join(command)}: {error.stderr.strip()[-2000:]}", err=True)
        return None
    except subprocess.TimeoutExpired:
        click.echo(f"FAILED  {' '.join(command)}: not over after {PATIENCE_S} s", err=True)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def _read(last: Path | None) -> dict[str, float]:
    if last is None or not last.exists():
        return {}
    ratios: dict[str, float] = json.loads(last.read_text(encoding="utf-8"))["ratios"]
    return ratios
