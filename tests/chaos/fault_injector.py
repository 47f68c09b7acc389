"""The faults of a chaos run: processes are killed and frozen, Redis is emptied, sockets are cut or go deaf."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from typing import Any

import redis

from bot.local.supervisor import Process
from bot.simulator.server import Simulator
from tests.chaos.cluster import Cluster
from tests.chaos.plan import Plan
from tests.chaos.upgrade import Upgrade
from worker.watchdog import STUCK_STATUS


class Deafness:
    """Makes sockets deaf, and measures how long the bot takes to notice.

    Only the bot itself ends a deaf socket, by opening another one or by ending; where a bot process was killed meanwhile, nobody
    knows whether it would have.
    """

    def __init__(self, cluster: Cluster, simulator: Simulator) -> None:
        self.noticed_s: list[float] = []
        self.counts: Counter[str] = Counter()
        self._cluster, self._simulator = cluster, simulator
        self._waiting: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Make the oldest socket deaf that is not, and wait in the background until the bot ends it."""
        before = self._deaf()
        self._simulator.disturb("deaf")
        new = set(self._deaf()) - set(before)
        if not new:
            self.counts["no socket was open"] += 1
            return
        task = asyncio.create_task(self._wait(new.pop()))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    def end(self) -> None:
        """Wait no more: what is deaf now was not noticed."""
        for task in self._waiting:
            self.counts["not noticed before the end"] += not task.done()
            task.cancel()
        self._simulator.disturb("hear")

    def result(self) -> dict[str, Any]:
        """Return the seconds from deafness to another socket, and what else became of deaf sockets."""
        return {"noticed_s": [round(seconds, 1) for seconds in sorted(self.noticed_s)], **self.counts}

    def _deaf(self) -> tuple[int, ...]:
        return self._simulator.apps[0].transport.deaf

    async def _wait(self, number: int) -> None:
        began, bots = time.monotonic(), self._bots()
        while number in self._deaf():  # noqa: ASYNC110 - another process ends it, no event of ours
            await asyncio.sleep(0.05)
        lasted_s = time.monotonic() - began
        await asyncio.sleep(0.5)  # a process is seen to have ended a moment after its sockets; it starts again after a second
        now = self._bots()
        if now.keys() == bots.keys() and all(status in (None, STUCK_STATUS) for status in now.values()):
            self.noticed_s.append(lasted_s)
        else:
            self.counts["ended with their process"] += 1

    def _bots(self) -> dict[int, int | None]:
        """Return the bot processes' pids, and with which status each has ended; None where it lives."""
        named = self._cluster.processes.items()
        bots = [process.popen for name, process in named if name.startswith("bot") and process.popen is not None]
        return {popen.pid: popen.poll() for popen in bots}


class FaultInjector:
    """Kills, freezes, empties and cuts, in the order that the seed says; every process is killed about equally often."""

    def __init__(self, plan: Plan, cluster: Cluster, simulator: Simulator) -> None:
        self.cluster, self.simulator = cluster, simulator
        self.done: Counter[str] = Counter()
        self._rng = random.Random(f"{plan.seed}/disturber")
        names = sorted(cluster.processes)
        self._rng.shuffle(names)
        schedule = [("kill", names[n % len(names)]) for n in range(plan.kills)]
        schedule += [("freeze", self._rng.choice(names)) for _ in range(plan.kills // 3)]
        schedule += [("term", self._rng.choice(names)) for _ in range(plan.kills // 5)]
        schedule += [("flush", "redis")] * (plan.kills // 8 + 1)
        schedule += [("socket", self._rng.choice(("abort", "refresh", "freeze"))) for _ in range(plan.kills // 3)]
        schedule += [("socket", "deaf")] * (plan.kills // 8 + 1)
        self._rng.shuffle(schedule)
        if isinstance(cluster, Upgrade):  # in the middle, with as much before as after
            order = sorted(cluster.ours())
            self._rng.shuffle(order)
            order.sort(key=lambda name: not name.startswith("bot"))  # as docs/operations.md tells
            third = len(schedule) // 3
            among = [*schedule[third:-third], *(("upgrade", "") for _ in order)]
            self._rng.shuffle(among)
            upgrades = iter(order)
            among = [(what, next(upgrades) if what == "upgrade" else whom) for what, whom in among]
            schedule = [*schedule[:third], *among, *schedule[-third:]]
        self.schedule = schedule
        self.deaf = Deafness(cluster, simulator)
        self._thaws: set[asyncio.Task[None]] = set()

    def moments(self, actions: int) -> list[int]:
        """Return after how many actions of the people each fault of the schedule happens."""
        return sorted(self._rng.sample(range(actions // 20, actions), len(self.schedule)))

    async def inject(self, what: str, whom: str) -> None:
        """Inject one fault; if its process is dead, wait until it runs again."""
        self.done[f"{what} {whom}"] += 1
        if what == "flush":
            with suppress(redis.RedisError):
                client = redis.Redis.from_url(self.cluster.machine.environment["BETO_REDIS_URL"], socket_timeout=1)
                await asyncio.to_thread(client.flushall)
        elif what == "upgrade":
            assert isinstance(self.cluster, Upgrade)
            self.cluster.replace(self.cluster.processes[whom])
        elif what == "socket":
            if whom == "deaf":
                self.deaf.begin()
                return
            self.simulator.disturb(whom)
            if whom == "freeze":
                self._later(self._rng.uniform(1, 6), lambda: self.simulator.disturb("thaw"))
        else:
            await self._signal(what, self.cluster.processes[whom])

    async def _signal(self, what: str, process: Process) -> None:
        while process.popen is None or process.popen.poll() is not None:  # noqa: ASYNC110 - another process dies, no event of ours
            await asyncio.sleep(0.05)
        pid = process.popen.pid
        if what == "freeze":
            os.killpg(pid, signal.SIGSTOP)
            self._later(self._rng.uniform(0.3, 9), lambda: _send(pid, signal.SIGCONT, group=True))
            return
        process.deaths = 0  # who kills it, not it, is to blame
        process.started_at = time.monotonic()
        _send(pid, signal.SIGCONT, group=True)
        # PostgreSQL takes SIGTERM for "when the last client has left", and ours never do.
        stop = signal.SIGINT if process.name == "postgres" else signal.SIGTERM
        _send(pid, signal.SIGKILL if what == "kill" else stop)

    def _later(self, seconds: float, call: Any) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            call()

        task = asyncio.create_task(wait())
        self._thaws.add(task)
        task.add_done_callback(self._thaws.discard)

    def stop(self) -> None:
        """End what lasts: frozen processes and sockets go on, deaf ones hear again."""
        for task in self._thaws:
            task.cancel()
        self.deaf.end()
        self.simulator.disturb("thaw")
        for process in self.cluster.processes.values():
            process.deaths = 0
            if process.popen is not None and process.popen.poll() is None:
                _send(process.popen.pid, signal.SIGCONT, group=True)


def _send(pid: int, number: signal.Signals, *, group: bool = False) -> None:
    with suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(pid, number)
