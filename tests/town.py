"""The product running as processes against the simulated Slack, for tests of whole journeys."""

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.local.environment import child_environment
from bot.local.ports import free_port
from bot.local.supervisor import Process, Supervisor
from bot.simulator.errors import Json
from bot.simulator.person import Changes, Person
from bot.simulator.pytest_plugin import SimulatorThread
from bot.simulator.server import Simulator
from model.schema import Card
from model.store.store import Store


def wait_until(true: Callable[[], object], timeout_s: float, what: str) -> None:
    """`true()` holds, or the test fails naming `what`."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(0.02)


async def until(changes: Changes, wanted: Callable[[Json], object], timeout_s: float = 20.0) -> Json:
    """The next change that is `wanted`; raises TimeoutError when none comes in time."""
    async with asyncio.timeout(timeout_s):
        async for change in changes:
            if wanted(change):
                return change
    raise AssertionError("the person has left")


async def watch_channel(person: Person, channel: str) -> None:
    """Have a channel watched as it stands: run `/beto watch`, and close its screen once it is there."""
    changes = person.changes()
    assert await person.command(channel, "/beto", "watch")
    form = await until(changes, lambda change: change["type"] == "view" and change["view"].get("submit"))
    changes.close()
    assert await person.view_close(form["view"]["id"])


def publish_version(store: Store, trained: Path, *, damage: Callable[[Path], object] = lambda _: None) -> int:
    """Make a copy of the trained folder the live version, and return its number; `damage` gets the folder before it is live."""
    registry = store.registry
    built = registry.run_directory(0) / "version"
    shutil.copytree(trained, built)
    card = Card.model_validate_json((built / "card.json").read_text(encoding="utf-8"))
    version = registry.add(built, card)
    damage(version.folder)
    number = version.number
    registry.promote(number, by="test", reason="a test needs it")
    return number


@dataclass
class Town:
    """Everything running, against the simulated Slack; `processes` by name."""

    url: str
    slack: Simulator
    environment: dict[str, str]  # what a process needs to take the simulator for Slack
    machine: Supervisor
    store: Store
    processes: dict[str, Process]


@contextmanager
def supervised(machine: Supervisor) -> Iterator[None]:
    """What dies is started again, as under `beto up`."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            machine.watch()

    thread = threading.Thread(target=watch, name="supervisor")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def running_town(
    home: Path, store_url: str, trained: Path, *, http: bool, trainer: bool = False, blind_percent: str = "0", **settings: str
) -> Iterator[Town]:
    """bot, replies, worker and, if wanted, trainer run with an embedded Redis, are ready, and start again when they die.

    `settings` are variables of their environment.
    """
    port = free_port()
    thread = SimulatorThread(
        events_url=f"http://127.0.0.1:{port}/slack/events" if http else None, clock_scale=1.0, rate_limits=False
    )
    store = Store(store_url, home)
    store.migrate()
    publish_version(store, trained)
    environment = child_environment(
        None,
        BETO_HOME=str(home),
        BETO_DATABASE_URL=store_url,
        BETO_HTTP_PORT=str(port),
        BETO_BASE="mini",
        BETO_BLIND_PERCENT=blind_percent,
        BETO_ASK_A_DAY="0",
        BETO_SLACK_RATE="0",
        **thread.environment,
        **settings,
    )
    try:
        with Supervisor(home, environment) as machine:
            machine.environment["BETO_REDIS_URL"] = machine.start_redis()
            processes = {name: machine.start(name) for name in ("worker", "replies", *(["trainer"] if trainer else []))}
            processes["bot"] = machine.start("bot", "bot", *(["--http"] if http else []))
            processes["redis"] = machine.processes[0]
            for name, process in processes.items():
                if name != "redis":
                    machine.wait_ready(process, 300)
            with supervised(machine):
                yield Town(thread.url, thread.simulator, thread.environment, machine, store, processes)
    finally:
        store.close()
        thread.stop()
