"""The harness: every process real, a load generator and a fault injector, all randomness from one seed."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from bot.simulator import delivery
from bot.simulator.server import Simulator
from tests.chaos.cluster import Cluster, growing_processes
from tests.chaos.evaluation import evaluate
from tests.chaos.fault_injector import FaultInjector
from tests.chaos.load_generator import CHANNELS, LoadGenerator
from tests.chaos.plan import Plan
from tests.chaos.routes import make_routes
from tests.chaos.upgrade import Upgrade
from tests.https import authority, hook

SHOW_EVERY_S = 10.0
# What is loaded for the first time in a shorter run looks like growth.
GROWTH_SEEN_AFTER_S = 600.0


def run(plan: Plan, trained: Path) -> dict[str, Any]:
    """Run the plan and return what was lost, doubled or wrong after it, with the figures of what happened.

    `trained` is a version's folder, which answers first.
    """
    with tempfile.TemporaryDirectory(prefix="beto-chaos-") as folder:
        return asyncio.run(_run(plan, trained, Path(folder)))


async def _run(plan: Plan, trained: Path, folder: Path) -> dict[str, Any]:
    delivery.RETRY_AFTER_S = plan.redelivery_s
    delivery.EVENTS_PER_HOUR = 10**9  # an hour's worth comes in minutes here
    simulator = Simulator(rate_limits=False)
    await simulator.start()
    began = time.monotonic()
    try:
        environment = {"SSL_CERT_FILE": str(authority(folder / "tls")), "BETO_WEBHOOKS_INTO": "127.0.0.0/8,::1/128"}
        kind = Upgrade if plan.upgrade_from else Cluster
        with hook(folder / "tls") as webhook, kind(plan, trained, folder, simulator.url, environment) as cluster:
            await cluster.until_ready()
            people = LoadGenerator(plan, simulator, cluster.store)
            if isinstance(cluster, Upgrade):  # old releases know no routes
                while cluster.watched() < len(CHANNELS):  # Slack never repeats a command, but people do
                    await people.ask_to_watch()
                    await asyncio.sleep(1)
            else:
                people.join_channels()
                channels = [simulator.workspace.channel(name).id for name in CHANNELS]
                make_routes(cluster.store, simulator.workspace, channels, webhook, plan.seed)
            supervising = asyncio.create_task(cluster.supervise(people.expected))
            started_s = time.monotonic() - began
            simulator.faults.chaos(plan.seed, plan.share)
            injector = FaultInjector(plan, cluster, simulator)
            progress = asyncio.create_task(_show_progress(plan, people, injector))
            await people.run(injector)
            ran_s = time.monotonic() - began - started_s
            simulator.faults.calm()
            injector.stop()
            replaced_s = 0.0
            if isinstance(cluster, Upgrade):
                replaced_s = await cluster.until_replaced()
                cluster.redraw()
            calm = await people.drain(cluster) and await people.write_again(cluster)
            supervising.cancel()
            progress.cancel()
            found = evaluate(cluster.store, cluster.home, simulator.workspace, people.expected, webhook)
            # Two codes are of two sizes.
            looked_at = not plan.upgrade_from and ran_s >= GROWTH_SEEN_AFTER_S
            found["grown"] = growing_processes(cluster.samples) if looked_at else []
            found["wrong"] += len(found["grown"])
            return {
                "bench": "chaos",
                "seed": plan.seed,
                "database": "postgresql" if plan.postgres else "sqlite",
                "of_each": 2 if plan.twice else 1,
                "without": plan.without,
                "upgrade_from": plan.upgrade_from,
                **found,
                "calm": calm,
                "deaf": injector.deaf.result(),
                "disturbances": dict(sorted(injector.done.items())),
                "kills": sum(count for what, count in injector.done.items() if what.startswith("kill ")),
                "faults": people.expected.faults(),
                "resident_mib": {name: [round(low), round(high)] for name, (low, high) in sorted(cluster.weights.items())},
                "seconds": {
                    "start": round(started_s),
                    "chaos": round(ran_s),
                    "until_replaced": round(replaced_s),
                    "calm": round(time.monotonic() - began - started_s - ran_s),
                },
                "samples": cluster.samples,
                "logs": cluster.keep_logs() if found["wrong"] or not calm else None,
            }
    finally:
        await simulator.stop()


async def _show_progress(plan: Plan, people: LoadGenerator, injector: FaultInjector) -> None:
    """Print how far the run is, on standard error, until cancelled."""
    while True:
        await asyncio.sleep(SHOW_EVERY_S)
        left = sum(what == "kill" for what, _ in injector.schedule)
        told = {"messages": (people.done["message"], plan.messages), "gestures": (people.done["gesture"], plan.gestures)}
        told["kills"] = plan.kills - left, plan.kills
        figures = "  ".join(f"{name} {done}/{of}" for name, (done, of) in told.items())
        click.echo(f"{figures}  waiting {people.expected.waiting()}", err=True)
