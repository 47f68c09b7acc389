"""From a message's event to the mention of the person whom it concerns."""

import asyncio
import contextlib
import itertools
import time
from typing import Any

import click

from bot.simulator.errors import SlackError
from bot.simulator.person import Person
from model.labels import seed_taxonomy
from model.routes import Route
from model.settings import ModelSettings
from model.store.store import Store
from tests.bench.machine import everything, machine_facts, milliseconds, texts

CHANNELS = ("general", "atencion", "reclamos")
CARDS = "fraudes"
# By then a card has come, or never will.
WITHIN_S = 60.0


def measure(*, messages: int, rate: float, base: str) -> dict[str, Any]:
    """Lead every message that carries any label to a card that mentions a person; both ends are stamped by the simulator."""
    with everything(base) as (_, url, home):
        store = Store(ModelSettings(home=home, database_url="").store_url, home)
        latencies = asyncio.run(_cards(url, store, messages, rate))
        store.close()
    result = {
        "bench": "routes",
        "base": base,
        **machine_facts(),
        "messages": messages,
        "rate": rate,
        "cards": len(latencies),
        "p50_ms": milliseconds(latencies, 50),
        "p99_ms": milliseconds(latencies, 99),
        "slowest_ms": milliseconds(latencies, 100),
    }
    click.echo(
        f"{messages} messages at {rate}/s: {len(latencies)} cards, message to mention p50 {result['p50_ms']} ms, "
        f"p99 {result['p99_ms']} ms, slowest {result['slowest_ms']} ms",
        err=True,
    )
    return result


async def _cards(url: str, store: Store, messages: int, rate: float) -> list[float]:
    """Return the seconds from each message that got a card to that card."""
    async with Person(url, "ana") as ana:
        state = await ana.state()
        bot_user = next(each["id"] for each in state["users"] if each["is_bot"])
        luis = next(each["id"] for each in state["users"] if each["name"] == "luis")
        ids = {each["name"]: each["id"] for each in state["channels"]}
        for channel in (*CHANNELS, CARDS):
            with contextlib.suppress(SlackError):  # it is there already
                await ana.invite(channel, bot_user)
        for channel in CHANNELS:
            await ana.command(channel, "/beto", "watch hilo")
        channels = tuple(ids[channel] for channel in CHANNELS)
        route = Route(labels=seed_taxonomy().names, least=0.5, channels=channels, card_in=ids[CARDS], people=(luis,))
        number = store.routes.add(route, by=luis, told_in=channels[0])
        store.routes.change(number, by=luis, status="on")
        await asyncio.sleep(3)  # every process has read it
        before = {each["ts"] for each in await ana.messages(CARDS)}
        sent = {}
        for channel, text, _ in zip(itertools.cycle(CHANNELS), texts(), range(messages), strict=False):
            ts = await ana.message(channel, text)
            sent[f"{ids[channel]}/p{ts.replace('.', '')}"] = float(ts)
            await asyncio.sleep(1 / rate)
        arrived = await _arrived(ana, before, sent)
        store.routes.change(number, by=luis, status="off")  # the next bench in this home has routes of its own
        return arrived


async def _arrived(ana: Person, before: set[str], sent: dict[str, float]) -> list[float]:
    """Return the seconds to each card, once none has come for a while."""
    seen, last, until = 0, time.monotonic(), time.monotonic() + WITHIN_S
    while time.monotonic() < until and time.monotonic() - last < 10:
        cards = [each for each in await ana.messages(CARDS) if each["ts"] not in before and "/archives/" in str(each["text"])]
        if len(cards) != seen:
            seen, last = len(cards), time.monotonic()
        if seen == len(sent):
            break
        await asyncio.sleep(0.5)
    places = ((str(each["text"]).partition("/archives/")[2].partition("|")[0], float(each["ts"])) for each in cards)
    return [ts - sent[place] for place, ts in places if place in sent]
