"""What people see of each fault of Slack's, call by call; `pytest -s tests/outbox/test_fault_matrix.py` prints the two tables."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from bot.outbox import client as outgoing
from bot.outbox import replies
from bot.simulator.errors import Json
from bot.simulator.person import Person
from bot.simulator.server import Simulator
from bot.slack import people
from model.judgements import Gesture, Kind
from model.schema import Message, Prediction, Source
from model.store.predictions import NewPrediction
from tests.town import Town, running_town

TEAM, CHANNEL = "T0SIMULADOR", "C0SIMUATENCION"
PASSING: tuple[int | str, ...] = ("ratelimited", 500, 503, "not_json", "reset", "answer_lost", "internal_error")
FAULTS = (*PASSING, "is_archived")
# Slack will never take these calls: there is nothing to wait for.
FINAL = {"is_archived"}


class Bench:
    """One message after another, whose reply meets a fault."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.channel = simulator.workspace.channel("atencion")

    def said(self) -> tuple[str, int]:
        """A message of Ana's that was predicted."""
        ts = str(
            self.simulator.workspace.post_as_person(self.simulator.workspace.user("ana"), self.channel, "perdí la tarjeta")["ts"]
        )
        message = Message(channel=CHANNEL, ts=ts, user="U0SIMUANA", text="perdí la tarjeta", source=Source.CHANNEL)
        message_id, _ = outgoing.store().messages.save(message)
        prediction = Prediction(version=1, base="mini", scores={"tarjeta": 0.9, "app": 0.2}, labels=("tarjeta",))
        outgoing.store().predictions.save([NewPrediction(message_id, 1, prediction, 0.01)])
        return ts, message_id

    def judged(self, ts: str, user: str, kind: Kind = Kind.NONE) -> None:
        """Somebody said something of it."""
        gesture = Gesture(user=user, handle=f"{user}{ts}", at=1_900_000_000_000_000, kind=kind)
        outgoing.store().gestures.add(gesture, channel=CHANNEL, item_ts=ts)

    def settle(self, message_id: int) -> None:
        """Nothing is owed any more: the tasks were run that a queue would have brought."""
        deadline = time.monotonic() + 20
        while outgoing.store().messages.get(message_id).owed != "nothing":
            assert time.monotonic() < deadline, "never answered"
            outgoing.locks().unlock(f"line/{CHANNEL}")
            with suppress(SlackApiError):  # refused, and tried again later
                replies.reply(message_id)

    def replies_to(self, ts: str) -> list[dict[str, Any]]:
        return [each for each in self.channel.messages.values() if each.get("bot_id") and each.get("thread_ts") == ts]


def first_reply(bench: Bench, arm: Callable[[], None]) -> list[dict[str, Any]]:
    ts, message_id = bench.said()
    arm()
    bench.settle(message_id)
    return bench.replies_to(ts)


def look_for_a_dead_ones(bench: Bench, arm: Callable[[], None]) -> list[dict[str, Any]]:
    ts, message_id = bench.said()
    bench.simulator.faults.fail_next("chat.postMessage", "answer_lost")
    replies.reply(message_id)
    arm()
    bench.settle(message_id)
    return bench.replies_to(ts)


def redrawn(user: str) -> Callable[[Bench, Callable[[], None]], list[dict[str, Any]]]:
    def correct(bench: Bench, arm: Callable[[], None]) -> list[dict[str, Any]]:
        ts, message_id = bench.said()
        bench.settle(message_id)
        bench.judged(ts, user)
        arm()
        bench.settle(message_id)
        return bench.replies_to(ts)

    return correct


def expert(bench: Bench, arm: Callable[[], None]) -> list[dict[str, Any]]:
    people._groups.clear()  # asked every five minutes only
    return redrawn("U0SIMULUIS")(bench, arm)


def deleted(bench: Bench, arm: Callable[[], None]) -> list[dict[str, Any]]:
    ts, message_id = bench.said()
    bench.settle(message_id)
    bench.simulator.workspace.delete(bench.channel, ts, "U0SIMUANA")
    outgoing.store().messages.delete(CHANNEL, ts)
    arm()
    bench.settle(message_id)
    return bench.replies_to(ts)


# Method -> (what happens, how many replies stand there in the end, what the reply says in the end)
SCENES: dict[str, tuple[Callable[[Bench, Callable[[], None]], list[dict[str, Any]]], int, str]] = {
    "chat.postMessage": (first_reply, 1, "Tarjeta"),
    "conversations.replies": (look_for_a_dead_ones, 1, "Tarjeta"),
    "chat.update": (redrawn("U0SIMULUIS"), 1, "Ninguna etiqueta"),
    "users.info": (redrawn("U0SIMUMARIA"), 1, "Ninguna etiqueta"),
    "usergroups.users.list": (expert, 1, "Ninguna etiqueta"),
    "chat.postEphemeral": (redrawn("U0SIMUCARLOS"), 1, "Tarjeta"),
    "chat.delete": (deleted, 0, ""),
}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_each_fault_of_each_call_costs_time_and_neither_an_answer_nor_a_second_one(
    replies_slack: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People see an answer later, never two, and never a wrong one."""
    monkeypatch.setattr(replies, "AGAIN_S", 0.05)
    monkeypatch.setattr(replies, "REDRAW_EVERY_S", 0.0)
    bench = Bench(replies_slack)
    rows = ["| call | " + " | ".join(map(str, FAULTS)) + " |", "| --- " * (len(FAULTS) + 1) + "|"]
    for method, (scene, wanted, words) in SCENES.items():
        cells = []
        for fault in FAULTS:
            began = time.monotonic()
            with outgoing.store().database.writing() as connection:  # whoever judged is asked about anew
                connection.exec_driver_sql("delete from people")
            found = scene(
                bench, lambda method=method, fault=fault: replies_slack.faults.fail_next(method, fault, retry_after_s=1)
            )
            later = time.monotonic() - began
            right = all(words in str(each["blocks"]) for each in found)
            if fault in FINAL and method != "chat.postEphemeral":
                assert len(found) <= 1
            else:
                assert (len(found), right) == (wanted, True), (method, fault, found)
            if method == "chat.delete":
                seen = "reply gone" if not found else "reply stays"
            else:
                seen = "no reply" if not found else "one right reply" if right else "reply as it was"
            cells.append(seen + (", when Slack allows" if fault == "ratelimited" and later > 0.9 else ""))
        rows.append(f"| {method} | " + " | ".join(cells) + " |")
    print("\n" + "\n".join(rows))


# What somebody asks for, which Slack never asks a second time for them.


@pytest.fixture(scope="module")
def quiet_town(tmp_path_factory: pytest.TempPathFactory, trained_version: Path) -> Iterator[Town]:
    """Everything runs, over Socket Mode with SQLite."""
    home = tmp_path_factory.mktemp("faults")
    with running_town(home, f"sqlite:///{home / 'beto.db'}", trained_version, http=False) as made:
        made.store.channels.set_mode(CHANNEL, "auto")
        yield made


@pytest.fixture
async def asker(quiet_town: Town) -> AsyncIterator[Person]:
    async with Person(quiet_town.url, "ana") as person:
        await person.invite("atencion", quiet_town.slack.workspace.bot_user_id)
        yield person


def tells(words: str) -> Callable[[Json], bool]:
    """A change in which these words come before this person's eyes."""
    return lambda change: words in str(change)


def opens(change: Json) -> bool:
    """A modal stands there and can be sent."""
    return change["type"] == "view" and bool(change["view"].get("submit"))


# Method -> (what the person does, what they wanted to see)
ASKED: dict[str, tuple[Callable[[Person, str, str], Awaitable[object]], Callable[[Json], bool]]] = {
    "views.open": (lambda ana, _, reply: ana.action("labels_edit", channel=CHANNEL, ts=reply), opens),
    "views.update": (lambda ana, _, reply: ana.action("labels_edit", channel=CHANNEL, ts=reply), opens),
    "users.info": (lambda ana, *_: ana.command(CHANNEL, "/beto", "vuelve 99"), tells("No hay una versión 99")),
    "conversations.info": (lambda ana, *_: ana.command(CHANNEL, "/beto", "watch"), tells("Ya etiquetaba cada mensaje")),
    "chat.getPermalink": (lambda ana, ts, _: ana.shortcut(CHANNEL, ts, "classify_message"), tells("ya tiene sus etiquetas")),
    "chat.postEphemeral": (lambda ana, ts, _: ana.shortcut(CHANNEL, ts, "label_history"), tells("mini")),
    "views.publish": (lambda ana, *_: ana.home(), tells("home")),
}


async def test_each_fault_of_what_somebody_asked_for_is_made_good_or_told(quiet_town: Town, asker: Person) -> None:
    """Who clicked and sees nothing at all clicks again, and then asks whether the bot is dead."""
    ts = await asker.message(CHANNEL, "perdí la tarjeta")
    reply = (await asker.wait_for_reply(CHANNEL, ts, 30))["ts"]
    rows = ["| call | " + " | ".join(map(str, PASSING)) + " |", "| --- " * (len(PASSING) + 1) + "|"]
    for method, (act, wanted) in ASKED.items():
        cells = []
        for fault in PASSING:
            quiet_town.slack.faults.fail_next(method, fault, retry_after_s=1)
            changes = asker.changes()
            await act(asker, ts, reply)
            seen = "nothing"
            with suppress(TimeoutError):
                async with asyncio.timeout(15):
                    async for change in changes:
                        if wanted(change) or "No he podido hacerlo" in str(change):
                            seen = "as asked" if wanted(change) else "told to try again"
                            break
            changes.close()
            assert seen != "nothing", (method, fault)
            cells.append(seen)
        rows.append(f"| {method} | " + " | ".join(cells) + " |")
    print("\n" + "\n".join(rows))
