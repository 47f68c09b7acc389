"""The processes of an older release, from this repository's history, which are replaced one by one while everything goes on."""

import asyncio
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import text

from bot.errors import StartRefused
from bot.local.environment import bare_environment
from bot.local.supervisor import Process
from bot.settings import BotSettings
from model.store.database import now
from model.store.outbox_row import Kind, State
from model.store.tables import outbox
from tests.chaos.cluster import Cluster
from tests.chaos.plan import Plan

ROOT = Path(__file__).parent.parent.parent
# The commit of each release, and the module that starts a process of it with shortened waits.
RELEASES = {"0.1.0": ("532ec3a", "bot.bench.chaos"), "0.2.0": ("4c189ef", "tests.chaos.process")}
# Run by the old code, whose modules had other names in 0.1.0: trains a version into a folder that is not there yet, and makes
# it the live one of a database and a home.
PREPARE = """
import shutil, sys
from pathlib import Path
folder, url, home = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
try:
    from model import training
    from model.dataset import seed_examples
    from model.registry import Registry
    from model.store import Store
except ImportError:
    from model.learning import training
    from model.learning.dataset import seed_examples
    from model.store.store import Store
    Registry = None
from model.labels import seed_taxonomy
from model.schema import Card
if not folder.exists():
    data = seed_examples()
    training.train(data["train"], data["dev"], taxonomy=seed_taxonomy(), base="mini", out=folder, epochs=3)
if url:
    store = Store(url) if Registry else Store(url, home)
    store.migrate()
    registry = Registry(store, home) if Registry else store.registry
    built = (registry.workshop(0) if Registry else registry.run_directory(0)) / "version"
    shutil.copytree(folder, built)
    card = Card.model_validate_json((built / "card.json").read_text(encoding="utf-8"))
    registry.promote(registry.add(built, card).number, by="chaos", reason="somebody has to answer")
    store.close()
"""
NEW = "tests.chaos.process"


class Upgrade(Cluster):
    """A cluster that begins with the processes of `plan.upgrade_from`; `replace` lets one of them come back as today's."""

    def __init__(
        self, plan: Plan, trained: Path, folder: Path, url: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__(plan, trained, folder, url, environment)
        self._code = old_code(plan.upgrade_from)
        self._module = RELEASES[plan.upgrade_from][1]
        self._replaced: set[str] = set()

    def prepare(self) -> None:
        """Let the old code make database and version."""
        run_old(self._code, self.trained, self.store.database.url, self.home)

    def command(self, process: str) -> list[str]:
        """Return what starts this process in the old code."""
        # To 0.1.0 an empty variable was no default. The port is set when the process is started.
        named = self.machine.environment.items()
        empty = [word for name, value in named if not value and name != "BETO_HEALTH_PORT" for word in ("-u", name)]
        return ["env", *empty, f"PYTHONPATH={self._code}", "BETO_ENV_FILE=", sys.executable, "-P", "-m", self._module, process]

    def watched(self) -> int:
        """Return how many channels are watched; nothing of the old tables' other columns is read."""
        with self.store.database.reading() as connection:
            count = connection.execute(text("select count(*) from channels where mode = 'auto'")).scalar_one()
        self.store.close()  # who waits for old code must not meet us
        return int(count)

    def ours(self) -> list[str]:
        """Return the names of the processes that have a release."""
        return [name for name, process in self.processes.items() if process.port]

    def replace(self, process: Process) -> None:
        """End the process in order, if it lives; it is started again with today's code."""
        process.command = super().command(process.name.partition("-")[0])
        process.deaths = 0
        self._replaced.add(process.name)
        if process.popen is not None and process.popen.poll() is None:
            process.popen.terminate()

    async def until_replaced(self) -> float:
        """Wait until every process of today's code is ready; return the seconds."""
        assert self._replaced == set(self.ours())
        began = time.monotonic()
        while not all([await asyncio.to_thread(self.is_ready, self.processes[name]) for name in self.ours()]):
            if time.monotonic() - began > self.plan.drain_within_s:
                raise StartRefused(f"not ready after the upgrade; the logs are in {self.keep_logs()}")
            await asyncio.sleep(0.5)
        return time.monotonic() - began

    def redraw(self) -> None:
        """Ask for every reply to be drawn anew: the older release had other words for the same labels."""
        changes = {"wanted": outbox.c.wanted + 1, "state": State.DUE.value, "retry_at": now()}
        with self.store.database.writing() as connection:
            shown = outbox.c.kind == Kind.REPLY.value, outbox.c.state == State.SHOWN.value
            connection.execute(outbox.update().where(*shown).values(**changes))


def old_code(release: str) -> Path:
    """Return a folder with the code of a release, from the history of this repository."""
    commit = RELEASES[release][0]
    folder = Path(tempfile.gettempdir()) / f"beto-{release}-{commit}-{os.getuid()}"
    if not folder.exists():
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
        if archive.returncode:
            raise StartRefused(f"the history of this checkout has no {commit}, which is release {release}: fetch all of it")
        with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
            (Path(partial) / "code.tar").write_bytes(archive.stdout)
            with tarfile.open(Path(partial) / "code.tar") as tar:
                tar.extractall(Path(partial) / "code", filter="data")
            os.rename(Path(partial) / "code", folder)
    return folder


def trained_by(release: str) -> Path:
    """Return a version of mini that the release trained, in BETO_HOME/bench; it is trained if there is none yet."""
    folder = BotSettings().home_folder.absolute() / "bench" / f"version-of-{release}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    run_old(old_code(release), folder, "", folder)
    return folder


def run_old(code: Path, folder: Path, url: str, home: Path) -> None:
    """Run PREPARE by the old code."""
    environment = bare_environment() | {"PYTHONPATH": str(code), "BETO_HOME": str(home), "BETO_ENV_FILE": ""}
    command = [sys.executable, "-P", "-c", PREPARE, str(folder), url, str(home)]
    done = subprocess.run(command, env=environment, cwd=code, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartRefused(f"the old code fails: {done.stderr[-2000:]}")
