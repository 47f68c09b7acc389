"""A labelled message that people correct, in Slack and in the store."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from bot.simulator.blocks import elements
from bot.simulator.errors import Json
from bot.simulator.person import Person
from model.judgements import MessageState
from model.labels import seed_taxonomy
from model.store.judged_messages import Judged
from tests.town import Town

TEXT = "El cajero se tragó mi tarjeta de débito y no me dio la plata"
CHANNEL = "C0SIMUATENCION"


@dataclass
class Case:
    """A labelled message in Slack and in the store."""

    town: Town
    ana: Person
    luis: Person
    id: int
    ts: str
    reply_ts: str

    @property
    def judged(self) -> Judged:
        judged = self.town.store.judged.of(self.id, seed_taxonomy())
        assert judged is not None
        return judged

    async def until(self, true: Callable[[MessageState], bool]) -> Judged:
        """The state once it is as told; fails with what it is after ten seconds."""
        await eventually(lambda: true(self.judged.state), lambda: str(self.judged.state.labels))
        return self.judged

    async def reply(self) -> str:
        """The reply as people see it now."""
        shown = [each for each in await self.ana.messages(CHANNEL, self.ts) if each["ts"] == self.reply_ts]
        return str(shown[0]["blocks"])

    async def buttons(self) -> list[Json]:
        """All that can be pressed under the reply."""
        [reply] = [each for each in await self.ana.messages(CHANNEL, self.ts) if each["ts"] == self.reply_ts]
        return [element for _, element in elements(reply["blocks"])]

    async def until_shown(self, words: str) -> None:
        deadline = time.monotonic() + 15
        while words not in await self.reply():
            assert time.monotonic() < deadline, f"{words!r} is not in {await self.reply()}"
            await asyncio.sleep(0.05)


async def eventually(true: Callable[[], bool], otherwise: Callable[[], str], timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, otherwise()
        await asyncio.sleep(0.03)


async def a_case(town: Town, ana: Person, luis: Person, text: str = TEXT) -> Case:
    ts = await ana.message("atencion", text)
    reply = await ana.wait_for_reply("atencion", ts, 30)
    stored = town.store.messages.find(CHANNEL, ts)
    assert stored is not None
    made = Case(town, ana, luis, stored.id, ts, reply["ts"])
    await eventually(lambda: town.store.outbox.reply_ts(made.id) is not None, lambda: "the reply was not recorded")
    return made
