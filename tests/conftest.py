"""Real services for the tests, of their own, on free loopback ports: a simulated Slack, a PostgreSQL cluster, a Redis server."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NoReturn

import aiohttp
import pytest

from bot.local.environment import PROXIES
from bot.local.ports import answers, free_port
from bot.local.supervisor import redis_server
from bot.simulator.person import Person
from bot.simulator.pytest_plugin import slack, slack_options
from bot.simulator.server import Simulator
from model.store.store import Store
from tests.postgres import new_database, postgres_programs, running_postgres
from tests.scheduling import pytest_collection_modifyitems, pytest_xdist_make_scheduler
from tests.simulated import simulated
from tests.town import Town, running_town, wait_until

__all__ = ["pytest_collection_modifyitems", "pytest_xdist_make_scheduler", "slack", "slack_options"]  # hooks and shipped fixtures

for _name in PROXIES:
    os.environ.pop(_name, None)
# Several tests run beside each other, with processes of their own: threads of one computation would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def missing(what: str) -> NoReturn:
    """A missing service skips on a laptop and fails in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed, and CI must have it")
    pytest.skip(f"{what} is not installed (`make system-packages` installs it on Debian)")


@pytest.fixture
async def simulator(slack_options: dict[str, Any]) -> AsyncIterator[Simulator]:
    """A simulated Slack on the test's own loop; its bot is a member of #general."""
    async with simulated(**slack_options) as made:
        yield made


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """For calls of an app's, or of anybody's, over HTTP."""
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL, without a database's name, of a cluster that lives as long as the tests."""
    programs = postgres_programs()
    if programs is None:
        missing("PostgreSQL")
    with running_postgres(programs, durable=False) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of a new, empty database."""
    return new_database(postgres_server, f"test_{time.monotonic_ns()}")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a table: the same tests on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'beto.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file at the newest migration, to be copied: migrating takes ten times as long."""
    file = tmp_path_factory.mktemp("migrated") / "beto.db"
    _migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> str:
    """The name of a PostgreSQL database at the newest migration, to be copied."""
    _migrate(new_database(postgres_server, "migrated"))
    return "migrated"


def _migrate(url: str) -> None:
    store = Store(url, Path())
    store.migrate()
    store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of the test's own at the newest migration: the same tests on both."""
    if request.param == "sqlite":
        file = tmp_path / "beto.db"
        shutil.copyfile(request.getfixturevalue("migrated_file"), file)
        return f"sqlite:///{file}"
    template = request.getfixturevalue("migrated_postgres")
    return new_database(request.getfixturevalue("postgres_server"), f"test_{time.monotonic_ns()}", template)


@pytest.fixture
def store(store_url: str, tmp_path: Path) -> Iterator[Store]:
    """A migrated store."""
    opened = Store(store_url, tmp_path)
    opened.migrate()  # a module may have a database of its own
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(migrated_file: Path, tmp_path: Path) -> Iterator[Store]:
    """A migrated store on SQLite alone: for rules that no database decides."""
    shutil.copyfile(migrated_file, tmp_path / "beto.db")
    opened = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server that lives as long as the tests."""
    port = free_port()
    command = [redis_server(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, cwd=tmp_path_factory.mktemp("redis"), stdout=subprocess.DEVNULL)
    wait_until(lambda: answers(port), 10, "Redis answers")
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="session")
def trained_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version folder: mini, trained on the shipped messages for a few epochs only."""
    from model.labels import seed_taxonomy
    from model.learning import training
    from model.learning.dataset import seed_examples

    # One for all processes that run tests beside each other (pytest-xdist): whoever comes first trains it.
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder = root / "trained-mini"
    with (root / "trained-mini.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            data = seed_examples()
            training.train(data["train"], data["dev"], taxonomy=seed_taxonomy(), base="mini", out=folder, epochs=5)
    return folder


@pytest.fixture(scope="session", params=["socket-sqlite", "http-postgresql"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, trained_version: Path) -> Iterator[Town]:
    """Everything runs: over Socket Mode with SQLite, and then over signed HTTP with PostgreSQL."""
    home = tmp_path_factory.mktemp("town")
    if request.param == "socket-sqlite":
        url = f"sqlite:///{home / 'beto.db'}"
    else:
        url = new_database(request.getfixturevalue("postgres_server"), "journey")
    with running_town(home, url, trained_version, http=request.param == "http-postgresql") as made:
        yield made


@pytest.fixture
async def ana(town: Town) -> AsyncIterator[Person]:
    """Ana, in a workspace where the bot is a member of #atencion."""
    async with Person(town.url, "ana") as person:
        if town.slack.workspace.bot_user_id not in town.slack.workspace.channel("C0SIMUATENCION").members:
            await person.invite("atencion", town.slack.workspace.bot_user_id)
        yield person
