"""The chaos run, `python -m tests.bench chaos`: people write while processes die and Slack fails; the result is evaluated."""

from pathlib import Path
from typing import Any

import click

from bot.settings import BotSettings
from tests.bench.machine import machine_facts
from tests.chaos.plan import Plan
from tests.chaos.run import run
from tests.chaos.upgrade import trained_by

SHOWN = ("lost", "doubled", "wrong_state", "stray", "gestures_lost", "gestures_doubled", "uncorrected", "registry",
         "routes_lost", "routes_doubled", "routes_forged", "routes_wrong")  # fmt: skip


def measure(plan: Plan, plot: Path | None = None) -> dict[str, Any]:
    """Run the plan and return its figures; `plot` is the PNG file of memory and database over time."""
    found = run(plan, trained_by(plan.upgrade_from) if plan.upgrade_from else trained_version()) | machine_facts()
    click.echo("  ".join(f"{name} {found[name]}" for name in ("messages", "gestures", "kills", *SHOWN)), err=True)
    click.echo(f"routes taken: {found['routes']}", err=True)
    for line in found["examples"]:
        click.echo(f"  {line}", err=True)
    if plot is not None:
        draw(found["samples"], plot)
    return found


def trained_version() -> Path:
    """Return the version of mini in BETO_HOME/bench that every run begins with; it is trained if there is none yet."""
    folder = BotSettings().home_folder.absolute() / "bench" / "chaos-version"
    if not folder.exists():
        from model.labels import seed_taxonomy
        from model.learning import training
        from model.learning.dataset import seed_examples

        click.echo("training the version that everything begins with", err=True)
        data = seed_examples()
        training.train(data["train"], data["dev"], taxonomy=seed_taxonomy(), base="mini", out=folder, epochs=3)
    return folder


def draw(samples: list[dict[str, Any]], file: Path) -> None:
    """Draw the memory of each process and the size of the database as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    FigureCanvasAgg(figure)
    memory, disk = figure.subplots(2, 1, sharex=True)
    at = [sample["messages"] for sample in samples]
    for name in sorted(samples[-1]["resident_mib"]):
        memory.plot(at, [sample["resident_mib"].get(name, 0) for sample in samples], label=name)
    memory.set_ylabel("resident memory, MiB")
    memory.legend(ncols=4, fontsize="small")
    disk.plot(at, [sample["database_mib"] for sample in samples])
    disk.set_ylabel("database, MiB")
    disk.set_xlabel("messages written")
    figure.savefig(file, format="png")
