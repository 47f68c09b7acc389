"""From a message's event to its reply in the thread."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import click
from sqlalchemy import select

from bot.local.running import read_health
from bot.local.supervisor import Supervisor
from bot.simulator.person import Person
from model.settings import ModelSettings
from model.store.store import Store
from model.store.tables import messages as saved
from model.store.tables import predictions
from tests.bench import shape
from tests.bench.machine import CHANNELS, IN_FLIGHT, counts, cpu_seconds, everything, line_of, machine_facts, milliseconds, texts

REST_S = 10
# What a message costs beside the network; who writes, and Slack itself, are no part of the product.
AROUND = ("bot", "worker", "replies", "redis")


@dataclass
class Phase:
    """What was seen under one load: seconds from message to reply by the message's ts, and what was spent and counted."""

    latencies: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    counted: dict[str, float] = field(default_factory=dict)


def measure(*, messages: int, seconds: int, rate: float, base: str, rtt_ms: float | None = None) -> dict[str, Any]:
    """Measure at rest; then `rate` messages a second for so many seconds; then so many messages, 64 in flight.

    Both ends are stamped by the simulator's own clock: the message's ts and the reply's ts. Slack's limit of one post a
    second and channel is off. The version trained for the first run is kept for the next; of BETO's shape one is made,
    of chance, and gets texts as long as chat messages are. With `rtt_ms`, Slack is so far away, and spoken to by TLS.
    """
    with everything(base, rtt_ms=rtt_ms) as (machine, url, home):
        rest, light, saturated = asyncio.run(_journeys(url, machine, messages, seconds, rate, chat=base == shape.NAME))
        connections = line_of(url).get("connections")
        memory = {each.name: (read_health(each.port) or {}).get("resident_mib") for each in machine.processes if each.port}
    store = Store(ModelSettings(home=home, database_url="").store_url, home)
    in_model = model_seconds(store)
    store.close()
    result = {
        "bench": "journey",
        "base": base,
        "seed": 0,
        **machine_facts(),
        "memory_mib": memory,
        "rtt_ms": rtt_ms,
        "connections": connections,
        "cpu_percent_at_rest": {name: round(100 * spent / rest.seconds, 1) for name, spent in rest.cpu.items()},
    }
    click.echo(f"at rest      CPU per cent: {result['cpu_percent_at_rest']}", err=True)
    click.echo(f"             MiB: {memory}", err=True)
    if connections is not None:
        click.echo(f"             connections to Slack opened in all: {connections}", err=True)
    for name, phase in {"light": light, "saturated": saturated}.items():
        count = len(phase.latencies)
        own = [in_model[ts] for ts in phase.latencies if ts in in_model]
        spent = {each: round(1000 * cpu / count, 2) for each, cpu in phase.cpu.items()}
        counted = {each: round(total / count, 1) for each, total in phase.counted.items()}
        ours = sum(spent[each] for each in AROUND)
        found = {
            "messages": count,
            "messages_per_s": round(count / phase.seconds, 1),
            "p50_ms": milliseconds(phase.latencies.values(), 50),
            "p99_ms": milliseconds(phase.latencies.values(), 99),
            "model_p50_ms": milliseconds(own, 50),
            "model_p99_ms": milliseconds(own, 99),
            "cpu_ms_per_message": spent,
            "cpu_ms_around_the_network": round(ours, 1),
            "counted_per_message": counted,
        }
        result[name] = found
        click.echo(
            f"{name:12} {count} messages, {found['messages_per_s']}/s: event to reply p50 {found['p50_ms']} ms, "
            f"p99 {found['p99_ms']} ms; of it the model p50 {found['model_p50_ms']}, p99 {found['model_p99_ms']} ms",
            err=True,
        )
        click.echo(f"{'':12} CPU ms a message: {spent}, {ours:.1f} of ours around the network", err=True)
        click.echo(f"{'':12} a message: {counted}", err=True)
    return result


def model_seconds(store: Store) -> dict[str, float]:
    """Return, by a message's ts, the seconds that its latest prediction spent in the network."""
    columns = select(saved.c.ts, predictions.c.model_s).join(predictions, predictions.c.message_id == saved.c.id)
    with store.database.reading() as connection:
        return {row.ts: row.model_s for row in connection.execute(columns.order_by(predictions.c.id))}


async def _journeys(
    url: str, machine: Supervisor, messages: int, seconds: int, rate: float, *, chat: bool
) -> tuple[Phase, Phase, Phase]:
    said = itertools.cycle(shape.chat(1000)) if chat else texts()
    async with Person(url, "ana") as ana:
        bot_user = next(each["id"] for each in (await ana.state())["users"] if each["is_bot"])
        for channel in CHANNELS:
            await ana.invite(channel, bot_user)
            await ana.command(channel, "/beto", "watch")
        channels = itertools.cycle(CHANNELS)
        gate = asyncio.Semaphore(IN_FLIGHT)

        async def one(phase: Phase) -> None:
            channel = next(channels)
            async with gate:
                ts = await ana.message(channel, next(said))
                reply = await ana.wait_for_reply(channel, ts, 60)
            phase.latencies[ts] = float(reply["ts"]) - float(ts)

        async def light(phase: Phase) -> None:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(round(seconds * rate)):
                    tasks.create_task(one(phase))
                    await asyncio.sleep(1 / rate)

        async def saturated(phase: Phase) -> None:
            await asyncio.gather(*(one(phase) for _ in range(messages)))

        async def rest(_: Phase) -> None:
            await asyncio.sleep(REST_S)

        await asyncio.gather(*(one(Phase()) for _ in range(8)))  # warm
        return await _seen(machine, rest), await _seen(machine, light), await _seen(machine, saturated)


async def _seen(machine: Supervisor, load: Callable[[Phase], Awaitable[None]]) -> Phase:
    phase = Phase()
    counted = await asyncio.to_thread(counts, machine)
    began, before = time.perf_counter(), cpu_seconds(machine)
    await load(phase)
    phase.seconds = time.perf_counter() - began
    phase.cpu = {name: spent - before[name] for name, spent in cpu_seconds(machine).items()}
    phase.counted = {name: count - counted[name] for name, count in (await asyncio.to_thread(counts, machine)).items()}
    phase.cpu["network"] = phase.counted.pop("network")
    phase.cpu["worker"] -= phase.cpu["network"]
    return phase
