"""The load of a chaos run: people who write, edit, delete, react, press buttons and retrain."""

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress

from bot.simulator.channel import Channel
from bot.simulator.composer import unescape
from bot.simulator.errors import SlackError
from bot.simulator.person import Person
from bot.simulator.server import Simulator
from bot.simulator.workspace import User, Workspace
from bot.views import reply_blocks
from model.errors import BadData, StoreUnavailable
from model.labels import LabelEvent, seed_taxonomy
from model.learning.dataset import seed_messages
from model.learning.judged import JudgedSoFar
from model.store.store import Store
from tests.chaos.cluster import Cluster
from tests.chaos.expected_state import ExpectedState
from tests.chaos.fault_injector import FaultInjector
from tests.chaos.plan import Plan
from tests.chaos.routes import is_anything_owed

CHANNELS = ("general", "atencion", "reclamos")
PEOPLE = ("ana", "luis", "maria", "carlos")
EMOJI = (*(label.emoji for label in seed_taxonomy()), "white_check_mark", "x", "no_entry_sign", "pizza")
# So many of the newest judged messages.
WRITTEN_AGAIN = 10
# So many messages may wait for their reply before people pause.
MOST_WAITING = 100


class LoadGenerator:
    """Does what the plan says, in the order that the seed says; `expected` records it."""

    def __init__(self, plan: Plan, simulator: Simulator, store: Store) -> None:
        self.plan, self.simulator, self.store = plan, simulator, store
        self.workspace: Workspace = simulator.workspace
        self.expected = ExpectedState(simulator)
        self.done: Counter[str] = Counter()  # what they did, by kind
        self._rng = random.Random(f"{plan.seed}/people")
        self._texts = [example.text for example in seed_messages()]
        self._recent: list[tuple[str, str]] = []  # (channel id, ts), of the newest messages
        self._background: set[asyncio.Task[None]] = set()

    def join_channels(self) -> None:
        """Invite the bot to the channels and let it watch them."""
        beto = self.workspace.user(self.workspace.bot_user_id)
        for name in CHANNELS:
            channel = self.workspace.channel(name)
            self.workspace.join(channel, beto)
            self.store.channels.set_mode(channel.id, "auto")
            self.store.channels.set_reactions(channel.id, "message")  # all that people do is to be found again

    async def ask_to_watch(self) -> None:
        """Do the same by people's own words, whatever code hears them."""
        beto = self.workspace.user(self.workspace.bot_user_id)
        async with Person(self.simulator.url, "ana") as ana:
            for name in CHANNELS:
                self.workspace.join(self.workspace.channel(name), beto)
                await ana.command(name, "/beto", "watch")

    async def run(self, injector: FaultInjector) -> None:
        """Do all that the plan says, with the injector's faults between the actions."""
        plan = self.plan
        actions = ["message"] * plan.messages + ["gesture"] * plan.gestures + ["retrain"] * plan.retrainings
        actions += ["relabel"] * plan.label_changes
        actions += ["edit"] * (plan.messages // 10) + ["delete"] * (plan.messages // 25)
        self._rng.shuffle(actions)
        moments = injector.moments(len(actions))
        pause_s = 60.0
        for number, action in enumerate(["message", *actions]):
            while moments and number >= moments[0]:
                moments.pop(0)
                await injector.inject(*injector.schedule.pop(0))
            until = time.monotonic() + pause_s
            while self.expected.waiting() > MOST_WAITING and time.monotonic() < until:  # noqa: ASYNC110 - seen by synchronous watchers
                await asyncio.sleep(0.02)
            if time.monotonic() >= until:
                pause_s = 0.0  # some will never be answered: the evaluation will say so
            await getattr(self, f"_{action}")()
            self.done[action] += 1
            await asyncio.sleep(self._rng.expovariate(self.plan.per_s))
        for what, whom in injector.schedule:
            await injector.inject(what, whom)

    async def write_again(self, cluster: Cluster) -> bool:
        """Let somebody write what was judged last once more, often enough for every worker; return whether all came to rest."""
        judged = JudgedSoFar(self.store).read(self.store.labels.current())
        for each in [*judged.values()][-WRITTEN_AGAIN:] * 2:
            channel = self._somewhere()
            posted = self.workspace.post_as_person(self._somebody(), channel, unescape(each.example.text))
            self.expected.wrote(channel.id, posted["ts"])
            self.expected.repeats.append((channel.id, posted["ts"]))
        return await self.drain(cluster)

    async def drain(self, cluster: Cluster) -> bool:
        """Wait until nothing is owed or on its way and every process is ready; return whether that came in time."""
        deadline = time.monotonic() + self.plan.drain_within_s
        await asyncio.gather(*self._background)
        # An event that was held back comes after the next one.
        await self._message()
        quiet = 0
        while quiet < 6 and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            quiet = quiet + 1 if await self._is_at_rest(cluster) else 0
        return quiet >= 6

    async def _is_at_rest(self, cluster: Cluster) -> bool:
        if not self.expected.at_rest(self.plan.redelivery_s[-1] + 1):
            return False
        try:
            counts = await asyncio.to_thread(self.store.messages.counts)
            last = await asyncio.to_thread(self.store.runs.last)
        except StoreUnavailable:  # it is killed, or starting
            return False
        if counts["prediction"] or counts["reply"] or (last is not None and not last.over):
            return False
        if await asyncio.to_thread(is_anything_owed, self.store) or not await asyncio.to_thread(self._has_learnt):
            return False
        ready = [await asyncio.to_thread(cluster.is_ready, each) for each in cluster.processes.values() if each.port]
        return all(ready)

    def _has_learnt(self) -> bool:
        """Return whether the live version knows everything that was judged."""
        live = self.store.registry.live()
        return live is not None and self.store.refits.is_made(live.number, self.store.refits.learnable())

    # What one person does

    async def _message(self) -> None:
        channel, user = self._somewhere(), self._somebody()
        text = self._rng.choice(self._texts)
        mention = "@beto " if self._rng.random() < 0.05 else ""
        posted = self.workspace.post_as_person(user, channel, f"{mention}{text} {self._rng.randrange(10**6)}")
        self.expected.wrote(channel.id, posted["ts"])
        self._recent.append((channel.id, posted["ts"]))
        del self._recent[:-300]

    async def _edit(self) -> None:
        with suppress(SlackError):  # it is gone already
            channel, ts = self._one_of_them()
            user = self.workspace.user(channel.message(ts)["user"])
            self.workspace.edit_as_person(user, channel, ts, f"{self._rng.choice(self._texts)} {self._rng.randrange(10**6)}")

    async def _delete(self) -> None:
        with suppress(SlackError):
            channel, ts = self._one_of_them()
            self.workspace.delete(channel, ts, channel.message(ts)["user"])
            self.expected.gone.add((channel.id, ts))

    async def _gesture(self) -> None:
        for _ in range(20):
            channel, ts = self._one_of_them()
            reply = self.expected.reply_of(channel.id, ts)
            user, emoji = self._somebody(), self._rng.choice(EMOJI)
            on_reply = self._rng.random() < 0.5 or bool(self.plan.upgrade_from)  # on messages they counted in 0.1.0 only
            if reply is None and self.plan.upgrade_from:
                continue
            item = reply if reply is not None and on_reply else ts
            if reply is not None and self._rng.random() < 0.1:
                self._press(channel, reply, user)
                return
            try:
                if self._rng.random() < 0.2:
                    self.workspace.unreact(channel, item, user.id, emoji)
                else:
                    self.workspace.react(channel, item, user.id, emoji)
            except SlackError:
                continue
            return

    def _press(self, channel: Channel, ts: str, user: User) -> None:
        """Somebody says that a reply is right, by its thumb or its button; they are told whether it was heard, and may not be."""

        async def press() -> None:
            async with Person(self.simulator.url, user.id) as person:
                with suppress(SlackError):
                    if "feedback_buttons" in str(channel.messages[ts].get("blocks")):
                        heard = await person.action(
                            reply_blocks.FEEDBACK_ACTION, channel=channel.id, ts=ts, value=reply_blocks.Thumb.UP
                        )
                    else:
                        heard = await person.action(reply_blocks.CORRECT_ACTION, channel=channel.id, ts=ts)
                    self.expected.pressed(channel.id, ts, user.id, heard=heard)

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

    async def _relabel(self) -> None:
        """Somebody renames, merges, retires or brings back a label, or undoes what was done; some of it cannot be."""
        rng, at = self._rng, time.time_ns() // 1000
        act, chance = rng.choice(["change", "merge", "retire", "restore", "undo"]), rng.random()
        try:
            await asyncio.to_thread(relabel, self.store, act, chance, at)
        except (BadData, StoreUnavailable):
            self.done["relabel refused"] += 1

    def _somewhere(self) -> Channel:
        return self.workspace.channel(self._rng.choice(CHANNELS))

    def _somebody(self) -> User:
        return self.workspace.user(self._rng.choice(PEOPLE[:3]))

    def _one_of_them(self) -> tuple[Channel, str]:
        channel, ts = self._rng.choice(self._recent)
        return self.workspace.channel(channel), ts


def relabel(store: Store, act: str, chance: float, at: int) -> None:
    """Change the labels in this way, by chance; BadData where it cannot be."""
    taxonomy, rng = store.labels.recorded(), random.Random(chance)
    names, former, made = list(taxonomy.names), list(taxonomy.former), {"at": at, "by": "U0SIMUANA"}
    if act == "restore" and former:
        store.labels.record(LabelEvent(kind="restore", name=rng.choice(former), **made))
    elif act == "undo" and (undoable := store.labels.undoable()):
        store.labels.record(LabelEvent(kind="undo", undoes=undoable[0][0], **made))
    elif len(names) > 3:  # some must be left to label with
        one, other = rng.sample(names, 2)
        label = taxonomy[one].model_copy(update={"name": f"otra_{at}", "title": f"Otra {at}"})
        more: dict[str, dict[str, object]] = {"change": {"label": label}, "merge": {"into": other}}
        event = more.get(act, {})
        store.labels.record(LabelEvent.model_validate({"kind": act if event else "retire", "name": one, **event, **made}))
