"""People who never rest."""

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress

from bot.simulator.errors import SlackError
from bot.simulator.person import Person
from bot.simulator.server import Simulator
from bot.simulator.workspace import Channel, User, Workspace
from bot.views import blocks
from model.errors import StoreUnavailable
from model.labels import seed_taxonomy
from model.learning.dataset import seed_messages
from model.store.runs import Runs
from model.store.store import Store
from tests.chaos.disturber import Disturber
from tests.chaos.plan import Plan
from tests.chaos.town import Town
from tests.chaos.verdict import Ledger

CHANNELS = ("general", "atencion", "reclamos")
PEOPLE = ("ana", "luis", "maria", "carlos")
EMOJI = (*(label.emoji for label in seed_taxonomy()), "white_check_mark", "x", "no_entry_sign", "pizza")
# Slack's second and third redelivery come after a minute and five; here nobody waits that long.
REDELIVERY_S = (0.0, 2.0, 6.0)
# What people do in a second, all together, while few messages wait.
PER_S = 60
# So many messages may wait for their reply before people pause.
PATIENCE = 100


class Crowd:
    """People who write, edit, delete, react, press buttons and retrain; the ledger has what they did."""

    def __init__(self, plan: Plan, simulator: Simulator, store: Store) -> None:
        self.plan, self.simulator, self.store = plan, simulator, store
        self.workspace: Workspace = simulator.workspace
        self.ledger = Ledger(simulator)
        self.done: Counter[str] = Counter()  # what they did, by kind
        self._chance = random.Random(f"{plan.seed}/people")
        self._texts = [example.text for example in seed_messages()]
        self._recent: list[tuple[str, str]] = []  # (channel id, ts), of the newest messages
        self._background: set[asyncio.Task[None]] = set()

    def settle_in(self) -> None:
        """The bot is in the channels and watches them."""
        beto = self.workspace.user(self.workspace.bot_user_id)
        for name in CHANNELS:
            channel = self.workspace.channel(name)
            self.workspace.join(channel, beto)
            self.store.set_channel_mode(self.workspace.team_id, channel.id, "auto")

    async def live(self, disturber: Disturber) -> None:
        """All that the plan says has happened."""
        plan = self.plan
        actions = ["message"] * plan.messages + ["gesture"] * plan.gestures + ["retrain"] * plan.retrainings
        actions += ["edit"] * (plan.messages // 10) + ["delete"] * (plan.messages // 25)
        self._chance.shuffle(actions)
        moments = disturber.moments(len(actions))
        pause_s = 60.0
        for number, action in enumerate(["message", *actions]):
            while moments and number >= moments[0]:
                moments.pop(0)
                await disturber.do(*disturber.program.pop(0))
            until = time.monotonic() + pause_s
            while self.ledger.waiting() > PATIENCE and time.monotonic() < until:  # noqa: ASYNC110 - seen by synchronous watchers
                await asyncio.sleep(0.02)
            if time.monotonic() >= until:
                pause_s = 0.0  # some will never be answered: it is for the verdict to say so
            await getattr(self, f"_{action}")()
            self.done[action] += 1
            await asyncio.sleep(self._chance.expovariate(PER_S))
        for what, whom in disturber.program:
            await disturber.do(what, whom)

    async def calm_down(self, town: Town) -> bool:
        """Whether everything came to rest in time: nothing is owed, nothing is on its way, every process is ready."""
        deadline = time.monotonic() + self.plan.calm_within_s
        await asyncio.gather(*self._background)
        # An event that was held back comes after the next one.
        await self._message()
        quiet = 0
        while quiet < 6 and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            quiet = quiet + 1 if await self._is_at_rest(town) else 0
        return quiet >= 6

    async def _is_at_rest(self, town: Town) -> bool:
        if not self.ledger.at_rest(REDELIVERY_S[-1] + 1):
            return False
        try:
            counts = await asyncio.to_thread(self.store.counts, None)
            last = await asyncio.to_thread(Runs(self.store).last)
        except StoreUnavailable:  # it is killed, or starting
            return False
        if counts["prediction"] or counts["reply"] or (last is not None and not last.over):
            return False
        ready = [await asyncio.to_thread(town.is_ready, each) for each in town.processes.values() if each.port]
        return all(ready)

    # What one person does

    async def _message(self) -> None:
        channel, user = self._somewhere(), self._somebody()
        text = self._chance.choice(self._texts)
        mention = "@beto " if self._chance.random() < 0.05 else ""
        posted = self.workspace.post_as_person(user, channel, f"{mention}{text} {self._chance.randrange(10**6)}")
        self.ledger.wrote(channel.id, posted["ts"])
        self._recent.append((channel.id, posted["ts"]))
        del self._recent[:-300]

    async def _edit(self) -> None:
        with suppress(SlackError):  # it is gone already
            channel, ts = self._one_of_them()
            user = self.workspace.user(self.workspace.message(channel, ts)["user"])
            self.workspace.edit_as_person(
                user, channel, ts, f"{self._chance.choice(self._texts)} {self._chance.randrange(10**6)}"
            )

    async def _delete(self) -> None:
        with suppress(SlackError):
            channel, ts = self._one_of_them()
            self.workspace.delete(channel, ts, self.workspace.message(channel, ts)["user"])
            self.ledger.gone.add((channel.id, ts))

    async def _gesture(self) -> None:
        for _ in range(20):
            channel, ts = self._one_of_them()
            reply = self.ledger.reply_of(channel.id, ts)
            user, emoji = self._somebody(), self._chance.choice(EMOJI)
            item = reply if reply is not None and self._chance.random() < 0.5 else ts
            if reply is not None and self._chance.random() < 0.1:
                self._press(channel, reply, user)
                return
            try:
                if self._chance.random() < 0.2:
                    self.workspace.unreact(channel, item, user.id, emoji)
                else:
                    self.workspace.react(channel, item, user.id, emoji)
            except SlackError:
                continue
            return

    def _press(self, channel: Channel, ts: str, user: User) -> None:
        """Somebody presses "Correcto"; they are told whether it was heard, and may be told that it was not."""

        async def press() -> None:
            async with Person(self.simulator.url, user.id) as person:
                with suppress(SlackError):
                    heard = await person.action(blocks.CORRECT_ACTION, channel=channel.id, ts=ts)
                    self.ledger.pressed(channel.id, ts, user.id, heard=heard)

        task = asyncio.create_task(press())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _retrain(self) -> None:
        async def ask() -> None:
            async with Person(self.simulator.url, "ana") as ana:
                for _ in range(30):  # Slack never repeats a command, but people do
                    if await ana.command("general", "/beto", "retrain"):
                        return
                    await asyncio.sleep(1)

        task = asyncio.create_task(ask())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _somewhere(self) -> Channel:
        return self.workspace.channel(self._chance.choice(CHANNELS))

    def _somebody(self) -> User:
        return self.workspace.user(self._chance.choice(PEOPLE[:3]))

    def _one_of_them(self) -> tuple[Channel, str]:
        channel, ts = self._chance.choice(self._recent)
        return self.workspace.channel(channel), ts
