"""From a reaction to the redrawn reply."""

import asyncio
import contextlib
import itertools
import time
from pathlib import Path
from typing import Any

import click
from sqlalchemy import func, select

from bot.simulator.errors import SlackError
from bot.simulator.person import Person
from model.labels import seed_taxonomy
from model.settings import ModelSettings
from model.store.store import Store
from model.store.tables import gestures
from tests.bench.machine import CHANNELS, IN_FLIGHT, everything, machine_facts, milliseconds, texts

ALONE = 40  # reactions one at a time, each on a message of its own


def measure(*, reactions: int, base: str) -> dict[str, Any]:
    """Measure from a reaction to the redrawn reply, one at a time; then how many reactions a second are acknowledged and kept."""
    with everything(base) as (_, url, home):
        latencies, kept_per_s = asyncio.run(_corrections(url, home, reactions))
    result = {
        "bench": "corrections",
        "base": base,
        "seed": 0,
        **machine_facts(),
        "reactions": reactions,
        "p50_ms": milliseconds(latencies, 50),
        "p99_ms": milliseconds(latencies, 99),
        "acknowledged_per_s": kept_per_s,
    }
    click.echo(
        f"reaction to redrawn reply p50 {result['p50_ms']} ms, p99 {result['p99_ms']} ms ({len(latencies)} alone); "
        f"{kept_per_s} reactions a second acknowledged and kept ({reactions} at once)",
        err=True,
    )
    return result


def count_gestures(store: Store) -> int:
    """Return how many gestures are kept."""
    with store.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(gestures)).scalar_one())


async def _corrections(url: str, home: Path, reactions: int) -> tuple[list[float], float]:
    """Return (seconds from a reaction to the changed reply, of each of `ALONE`; reactions kept per second)."""
    store = Store(ModelSettings(home=home, database_url="").store_url, home)
    emoji = [label.emoji for label in seed_taxonomy()]
    latencies = []
    async with Person(url, "ana") as ana:
        bot_user = next(each["id"] for each in (await ana.state())["users"] if each["is_bot"])
        await ana.invite(CHANNELS[0], bot_user)
        await ana.command(CHANNELS[0], "/beto", "watch")
        await ana.command(CHANNELS[0], "/beto", "reacciones mensaje")
        sent = [await ana.message(CHANNELS[0], f"{text} {n}") for n, text in zip(range(ALONE), texts(), strict=False)]
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
        before = count_gestures(store)
        taps = itertools.islice(itertools.product(sent, emoji[1:]), reactions)
        gate = asyncio.Semaphore(IN_FLIGHT)

        async def tap(ts: str, name: str) -> None:
            async with gate:
                with contextlib.suppress(SlackError):  # this emoji is there since the first part
                    await ana.react(channel, ts, name)

        began = time.perf_counter()
        await asyncio.gather(*(tap(ts, name) for ts, name in taps))
        kept = before
        while (now_kept := count_gestures(store)) > kept or time.perf_counter() - began < 1:
            kept, ended = now_kept, time.perf_counter()
            await asyncio.sleep(0.25)
    store.close()
    return latencies, round((kept - before) / (ended - began), 1)
