"""The faults of a chaos run: processes are killed and frozen, Redis is emptied, sockets are cut."""

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
        self._rng.shuffle(schedule)
        self.schedule = schedule
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
        elif what == "socket":
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
        """End what lasts: frozen processes and sockets go on."""
        for task in self._thaws:
            task.cancel()
        self.simulator.disturb("thaw")
        for process in self.cluster.processes.values():
            process.deaths = 0
            if process.popen is not None and process.popen.poll() is None:
                _send(process.popen.pid, signal.SIGCONT, group=True)


def _send(pid: int, number: signal.Signals, *, group: bool = False) -> None:
    with suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(pid, number)
