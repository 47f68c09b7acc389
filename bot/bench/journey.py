"""From a message's event to its reply in the thread."""

import asyncio
import itertools
import time
from typing import Any

import click

from bot.bench.machine import CHANNELS, IN_FLIGHT, cpu_seconds, everything, machine_facts, milliseconds, texts
from bot.simulator.person import Person
from bot.up import Machine
from model.settings import ModelSettings
from model.store import Store


def measure(*, messages: int, seconds: int, base: str) -> dict[str, Any]:
    """Latency and throughput from a message's event to its reply in the simulator, and how much of it is the model.

    Both ends are stamped by the simulator's own clock: the message's ts and the reply's ts. Slack's limit of one post a
    second and channel is off. The version trained for the first run is kept for the next.
    """
    with everything(base) as (machine, url, home):
        light, saturated = asyncio.run(_journeys(url, machine, messages, seconds))
    store = Store(ModelSettings(home=home, database_url="").store_url)
    in_model = store.model_seconds()
    store.close()
    result = {"bench": "journey", "base": base, "seed": 0, **machine_facts()}
    for name, (latencies, took, cpu) in {"at_1_per_s": light, "saturated": saturated}.items():
        own = [in_model[ts] for ts in latencies if ts in in_model]
        result[name] = {
            "messages": len(latencies),
            "p50_ms": milliseconds(latencies.values(), 50),
            "p99_ms": milliseconds(latencies.values(), 99),
            "model_p50_ms": milliseconds(own, 50),
            "model_p99_ms": milliseconds(own, 99),
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


Phase = tuple[dict[str, float], float, dict[str, float]]


async def _journeys(url: str, machine: Machine, messages: int, seconds: int) -> tuple[Phase, Phase]:
    """(seconds from message to reply by the message's ts, seconds in all, CPU seconds by process) for both loads."""
    said = texts()
    async with Person(url, "ana") as ana:
        bot_user = next(each["id"] for each in (await ana.state())["users"] if each["is_bot"])
        for channel in CHANNELS:
            await ana.invite(channel, bot_user)
            await ana.command(channel, "/beto", "watch")
        channels = itertools.cycle(CHANNELS)

        async def one(latencies: dict[str, float]) -> None:
            channel = next(channels)
            ts = await ana.message(channel, next(said))
            reply = await ana.wait_for_reply(channel, ts, 60)
            latencies[ts] = float(reply["ts"]) - float(ts)

        await asyncio.gather(*(one({}) for _ in range(8)))  # warm
        light: dict[str, float] = {}
        began, before = time.perf_counter(), cpu_seconds(machine)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(seconds):
                tasks.create_task(one(light))
                await asyncio.sleep(1)
        first = (light, time.perf_counter() - began, _difference(cpu_seconds(machine), before))

        saturated: dict[str, float] = {}
        gate = asyncio.Semaphore(IN_FLIGHT)

        async def gated() -> None:
            async with gate:
                await one(saturated)

        began, before = time.perf_counter(), cpu_seconds(machine)
        await asyncio.gather(*(gated() for _ in range(messages)))
        return first, (saturated, time.perf_counter() - began, _difference(cpu_seconds(machine), before))


def _difference(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in after}
