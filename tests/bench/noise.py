"""What a day's messages cost the people who read them, by how the channel shows labels."""

import asyncio
import contextlib
import re
from collections.abc import Iterator
from typing import Any

import click
from sqlalchemy import func, select

from bot.simulator.errors import Json, SlackError
from bot.simulator.person import Person
from bot.views import blocks
from model.learning.dataset import seed_examples
from model.routes import Route
from model.schema import Example
from model.settings import ModelSettings
from model.showing import Display
from model.store.outbox_row import Kind
from model.store.store import Store
from model.store.tables import outbox
from tests.bench.machine import everything, machine_facts

CHANNEL: dict[Display, str] = {"thread": "general", "emoji": "atencion", "quiet": "reclamos"}
CARDS = "fraudes"
WRITERS = ("ana", "luis", "maria")
# One message of so many asks the bot by a mention; so many of those that the network labels wrongly are corrected.
ASKS_EVERY, CORRECTED = 50, 10
SETTLED_WITHIN_S = 600.0
COLUMNS = ("replies", "threads", "notifications", "emoji", "other posts", "cards")


def measure(*, messages: int, base: str) -> dict[str, Any]:
    """Let the same people write the same day in three channels, each shown otherwise, and count what the bot does there."""
    with everything(base) as (_, url, home):
        store = Store(ModelSettings(home=home, database_url="").store_url, home)
        found = asyncio.run(_days(url, store, messages))
        store.close()
    for display, counts in found.items():
        click.echo(f"{display:7} " + "  ".join(f"{name} {counts[name]}" for name in COLUMNS), err=True)
    return {"bench": "noise", "base": base, "messages": messages, **machine_facts(), "displays": found}


async def _days(url: str, store: Store, messages: int) -> dict[str, dict[str, int]]:
    people = {name: Person(url, name) for name in WRITERS}
    for person in people.values():
        await person.__aenter__()
    try:
        ana = people["ana"]
        state = await ana.state()
        bot_user = next(each["id"] for each in state["users"] if each["is_bot"])
        ids = {each["name"]: each["id"] for each in state["channels"]}
        luis = next(each["id"] for each in state["users"] if each["name"] == "luis")
        for name in (*CHANNEL.values(), CARDS):
            with contextlib.suppress(SlackError):  # it is there already
                await ana.invite(name, bot_user)
        days: dict[str, dict[str, int]] = {}
        for display, channel in CHANNEL.items():
            await ana.command(channel, "/beto", f"watch {display}")
            route = Route(labels=("fraude", "urgente"), channels=(ids[channel],), card_in=ids[CARDS], people=(luis,))
            number = store.routes.add(route, by=luis, told_in=ids[channel])
            store.routes.change(number, by=luis, status="on")
            days[display] = await _day(people, store, channel, ids, messages)
            store.routes.change(number, by=luis, status="off")  # the next bench in this home has routes of its own
        return days
    finally:
        for person in people.values():
            await person.__aexit__(None, None, None)


async def _day(people: dict[str, Person], store: Store, channel: str, ids: dict[str, str], messages: int) -> dict[str, int]:
    """Write, correct, wait until nothing is owed, and count."""
    ana, cards = people["ana"], len(await people["ana"].messages(CARDS))
    before = {each["ts"] for each in await ana.messages(channel)}
    written: list[tuple[Person, str, Example]] = []
    for number, example in zip(range(messages), _examples(), strict=False):
        person = people[WRITERS[number % len(WRITERS)]]
        asks = "@beto " if number % ASKS_EVERY == ASKS_EVERY - 1 else ""
        written.append((person, await person.message(channel, f"{asks}{example.text}"), example))
    await _settled(store)
    wrong = [each for each in written if not _is_right(store, ids[channel], each[1], each[2])]
    for person, ts, example in wrong[:CORRECTED]:
        await _correct(person, ids[channel], ts, example)
    await _settled(store)
    counts = dict.fromkeys(COLUMNS, 0)
    for message in (each for each in await ana.messages(channel) if each["ts"] not in before):
        if message.get("bot_id"):
            counts["other posts"] += 1
            continue
        counts["emoji"] += len(message.get("reactions", ()))
        replies = [each for each in await ana.messages(channel, message["ts"]) if each.get("bot_id")]
        counts["replies"] += len(replies)
        counts["threads"] += bool(replies)
        counts["notifications"] += sum(len(_notified(each, str(message["user"]))) for each in replies)
    counts["cards"] = len(await ana.messages(CARDS)) - cards
    return counts


def _is_right(store: Store, channel: str, ts: str, example: Example) -> bool:
    """Return whether the network gave the message what its example carries."""
    stored = store.messages.find(channel, ts)
    prediction = None if stored is None else store.predictions.latest(stored.id)
    return prediction is None or set(prediction.labels) == set(example.labels)


def _notified(reply: Json, author: str) -> set[str]:
    """Return whom Slack notifies of a reply: the thread's author, and whoever it mentions."""
    return {author, *re.findall(r"<@(U\w+)>", str(reply.get("text")))}


async def _correct(person: Person, channel: str, ts: str, example: Example) -> None:
    """Choose the labels in the modal, as one does from the message's menu."""
    changes = person.changes()
    await person.shortcut(channel, ts, "edit_labels")
    async with asyncio.timeout(30):
        async for change in changes:
            if change["type"] == "view" and any(each.get("block_id") == blocks.CHOICE for each in change["view"]["blocks"]):
                chosen = [{"value": name} for name in example.labels]
                values = {blocks.CHOICE: {blocks.CHOICE: {"type": "multi_static_select", "selected_options": chosen}}}
                await person.view_submit(str(change["view"]["id"]), values)
                break
    changes.close()


async def _settled(store: Store) -> None:
    """Wait until nothing is owed in any of the channels."""
    kinds = [Kind.REPLY, Kind.EMOJI, Kind.ROUTE, Kind.ANNOUNCEMENT, Kind.QUESTION]
    owed = select(func.count()).select_from(outbox).where(outbox.c.kind.in_(kinds), outbox.c.retry_at.is_not(None))
    quiet = 0
    async with asyncio.timeout(SETTLED_WITHIN_S):
        while quiet < 3:
            with store.database.reading() as connection:
                quiet = 0 if connection.execute(owed).scalar_one() else quiet + 1
            await asyncio.sleep(0.3)


def _examples() -> Iterator[Example]:
    """Yield shipped messages that no version was trained on, with what they carry; then the others."""
    shipped = seed_examples()
    for split in ("test", "dev", "train"):
        yield from shipped[split]
