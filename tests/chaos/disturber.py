"""Who kills, freezes, empties and cuts."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from typing import Any

import redis

from bot.local.up import Process
from bot.simulator.server import Simulator
from tests.chaos.plan import Plan
from tests.chaos.town import Town


class Disturber:
    """Kills, freezes, empties and cuts, in the order that the seed says. Every process is killed about equally often."""

    def __init__(self, plan: Plan, town: Town, simulator: Simulator) -> None:
        self.town, self.simulator = town, simulator
        self.done: Counter[str] = Counter()
        self._chance = random.Random(f"{plan.seed}/disturber")
        names = sorted(town.processes)
        self._chance.shuffle(names)
        program = [("kill", names[n % len(names)]) for n in range(plan.kills)]
        program += [("freeze", self._chance.choice(names)) for _ in range(plan.kills // 3)]
        program += [("term", self._chance.choice(names)) for _ in range(plan.kills // 5)]
        program += [("flush", "redis")] * (plan.kills // 8 + 1)
        program += [("socket", self._chance.choice(("abort", "refresh", "freeze"))) for _ in range(plan.kills // 3)]
        self._chance.shuffle(program)
        self.program = program
        self._thaws: set[asyncio.Task[None]] = set()

    def moments(self, actions: int) -> list[int]:
        """After how many actions of the people each of the program happens."""
        return sorted(self._chance.sample(range(actions // 20, actions), len(self.program)))

    async def do(self, what: str, whom: str) -> None:
        """It has happened; to a process that is dead, once it lives again."""
        self.done[f"{what} {whom}"] += 1
        if what == "flush":
            with suppress(redis.RedisError):
                client = redis.Redis.from_url(self.town.machine.environment["BETO_REDIS_URL"], socket_timeout=1)
                await asyncio.to_thread(client.flushall)
        elif what == "socket":
            self.simulator.disturb(whom)
            if whom == "freeze":
                self._later(self._chance.uniform(1, 6), lambda: self.simulator.disturb("thaw"))
        else:
            await self._signal(what, self.town.processes[whom])

    async def _signal(self, what: str, process: Process) -> None:
        while process.popen is None or process.popen.poll() is not None:  # noqa: ASYNC110 - another process dies, no event of ours
            await asyncio.sleep(0.05)
        pid = process.popen.pid
        if what == "freeze":
            os.killpg(pid, signal.SIGSTOP)
            self._later(self._chance.uniform(0.3, 9), lambda: _send(pid, signal.SIGCONT, group=True))
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

    def calm(self) -> None:
        """Nothing is frozen any more."""
        for task in self._thaws:
            task.cancel()
        self.simulator.disturb("thaw")
        for process in self.town.processes.values():
            process.deaths = 0
            if process.popen is not None and process.popen.poll() is None:
                _send(process.popen.pid, signal.SIGCONT, group=True)


def _send(pid: int, number: signal.Signals, *, group: bool = False) -> None:
    with suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(pid, number)
