"""The harness: every process real, people who never rest, and a disturber; all chance from one seed."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from bot.simulator import delivery
from bot.simulator.server import Simulator
from tests.chaos.crowd import REDELIVERY_S, Crowd
from tests.chaos.disturber import Disturber
from tests.chaos.plan import Plan
from tests.chaos.town import Town, grown
from tests.chaos.verdict import judge

TELL_EVERY_S = 10.0


def run(plan: Plan, trained: Path) -> dict[str, Any]:
    """What was lost, doubled or wrong after all of it, with the figures of what happened. `trained` is a version's folder."""
    with tempfile.TemporaryDirectory(prefix="beto-chaos-") as folder:
        return asyncio.run(_run(plan, trained, Path(folder)))


async def _run(plan: Plan, trained: Path, folder: Path) -> dict[str, Any]:
    delivery.RETRY_AFTER_S = REDELIVERY_S
    delivery.EVENTS_PER_HOUR = 10**9  # an hour's worth comes in minutes here
    simulator = Simulator(rate_limits=False)
    await simulator.start()
    began = time.monotonic()
    try:
        with Town(plan, trained, folder, simulator.url) as town:
            await town.until_ready()
            crowd = Crowd(plan, simulator, town.store)
            crowd.settle_in()
            supervisor = asyncio.create_task(town.supervise(crowd.ledger))
            started_s = time.monotonic() - began
            simulator.faults.chaos(plan.seed, plan.share)
            disturber = Disturber(plan, town, simulator)
            teller = asyncio.create_task(_tell(plan, crowd, disturber))
            await crowd.live(disturber)
            lived_s = time.monotonic() - began - started_s
            simulator.faults.calm()
            disturber.calm()
            calm = await crowd.calm_down(town)
            supervisor.cancel()
            teller.cancel()
            found = judge(town.store, town.home, simulator.workspace, crowd.ledger)
            found["grown"] = grown(town.samples)
            found["wrong"] += len(found["grown"])
            return {
                "bench": "chaos",
                "seed": plan.seed,
                "database": "postgresql" if plan.postgres else "sqlite",
                "of_each": 2 if plan.twice else 1,
                "without": plan.without,
                **found,
                "calm": calm,
                "disturbances": dict(sorted(disturber.done.items())),
                "kills": sum(count for what, count in disturber.done.items() if what.startswith("kill ")),
                "faults": crowd.ledger.faults(),
                "resident_mib": {name: [round(low), round(high)] for name, (low, high) in sorted(town.weights.items())},
                "seconds": {
                    "start": round(started_s),
                    "chaos": round(lived_s),
                    "calm": round(time.monotonic() - began - started_s - lived_s),
                },
                "samples": town.samples,
                "logs": town.keep_logs() if found["wrong"] or not calm else None,
            }
    finally:
        await simulator.stop()


async def _tell(plan: Plan, crowd: Crowd, disturber: Disturber) -> None:
    """How far it is, on standard error, until cancelled."""
    while True:
        await asyncio.sleep(TELL_EVERY_S)
        left = sum(what == "kill" for what, _ in disturber.program)
        told = {"messages": (crowd.done["message"], plan.messages), "gestures": (crowd.done["gesture"], plan.gestures)}
        told["kills"] = plan.kills - left, plan.kills
        figures = "  ".join(f"{name} {done}/{of}" for name, (done, of) in told.items())
        click.echo(f"{figures}  waiting {crowd.ledger.waiting()}", err=True)
