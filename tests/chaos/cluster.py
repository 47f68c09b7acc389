"""The processes that die, with their database, on one machine."""

import asyncio
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psycopg

from bot.errors import StartRefused
from bot.local.environment import child_environment
from bot.local.ports import free_port
from bot.local.running import read_health
from bot.local.supervisor import SPEAK_TO_SLACK, Process, Supervisor
from bot.simulator.server import Simulator
from model.schema import Card
from model.store.store import Store
from tests.chaos.expected_state import ExpectedState
from tests.chaos.plan import Plan
from tests.postgres import postgres_programs

READY_WITHIN_S = 300.0
SAMPLE_EVERY_S = 5.0
Sample = dict[str, Any]


class Cluster:
    """The processes on one machine, with their database; as a context manager, none of them outlives it."""

    def __init__(
        self, plan: Plan, trained: Path, folder: Path, url: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.environment = environment
        self.plan, self.trained, self.folder, self.url = plan, trained, folder, url
        self.home = folder / "home"
        self.weights: dict[str, tuple[float, float]] = {}
        self.samples: list[Sample] = []
        self.processes: dict[str, Process] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Cluster":
        with ExitStack() as stack:
            self.machine = stack.enter_context(Supervisor(self.home, child_environment(None)))
            if self.plan.postgres:
                url = stack.enter_context(_postgres(self.machine, self.folder / "postgres"))
            else:
                url = f"sqlite:///{self.home / 'beto.db'}"
            self.store = Store(url, self.home)
            stack.callback(self.store.close)
            self.prepare()
            self.machine.environment |= {
                "BETO_REDIS_URL": self.machine.start_redis(),
                "BETO_HOME": str(self.home),
                "BETO_DATABASE_URL": url,
                "BETO_BASE": "mini",
                "BETO_BLIND_PERCENT": "2",
                "BETO_SLACK_RATE": "100",
                "BETO_DIGEST_AFTER": "0",
                "BETO_CHAOS_PACE": str(self.plan.pace),
                "BETO_CHAOS_WITHOUT": self.plan.without,
                "SLACK_API_URL": f"{self.url}/api/",
                "SLACK_BOT_TOKEN": Simulator.bot_token,
                "SLACK_APP_TOKEN": Simulator.app_token,
                "OMP_NUM_THREADS": "1",
                **self.environment,
            }
            for name in ("bot", "replies", "worker", "trainer"):
                for number in range(1, 3 if self.plan.twice else 2):
                    self._start(f"{name}-{number}", name)
            self.processes = {process.name: process for process in self.machine.processes}
            self._stack = stack.pop_all()
        return self

    def prepare(self) -> None:
        """Make the tables, and a version that answers."""
        self.store.migrate()
        registry = self.store.registry
        built = registry.run_directory(0) / "version"
        shutil.copytree(self.trained, built)
        card = Card.model_validate_json((built / "card.json").read_text(encoding="utf-8"))
        registry.promote(registry.add(built, card).number, by="chaos", reason="somebody has to answer")

    def command(self, process: str) -> list[str]:
        """Return what starts one of our processes with shortened waits."""
        return [sys.executable, "-P", "-m", "tests.chaos.process", process]

    def _start(self, name: str, command: str) -> None:
        process = Process(name, self.command(command), free_port(), command in SPEAK_TO_SLACK)
        self.machine.processes.append(process)
        self.machine.spawn(process)

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    async def until_ready(self) -> None:
        """Wait until every process says that it is ready; raise StartRefused where one does not."""
        deadline = time.monotonic() + READY_WITHIN_S
        for process in self.processes.values():
            while process.port and not await asyncio.to_thread(self.is_ready, process):
                self.machine.watch()
                if time.monotonic() > deadline:
                    raise StartRefused(f"{process.name} is not ready:\n{self.machine.log_end(process)}")
                await asyncio.sleep(0.2)

    def is_ready(self, process: Process) -> bool:
        """Return whether the process says that it waits for nothing."""
        health = read_health(process.port, "ready")
        return health is not None and not health["waiting_for"]

    async def supervise(self, expected: ExpectedState) -> None:
        """Start again what dies, as `beto up` does, and record the weight of every process; runs until cancelled."""
        began = time.monotonic()
        while True:
            self.machine.watch()
            present = {
                name: _resident_mib(process.popen.pid) for name, process in self.processes.items() if process.popen is not None
            }
            for name, weight in present.items():
                low, high = self.weights.get(name, (weight, weight))
                self.weights[name] = (min(low, weight) or weight, max(high, weight))
            seconds = time.monotonic() - began
            if seconds >= len(self.samples) * SAMPLE_EVERY_S:
                size = _size_mib(self.folder / "postgres" / "base") if self.plan.postgres else _size_mib(self.home, "beto.db*")
                rounded = {name: round(weight) for name, weight in present.items()}
                self.samples.append(
                    {"s": round(seconds), "messages": len(expected.written), "database_mib": size, "resident_mib": rounded}
                )
            await asyncio.sleep(0.1)

    def keep_logs(self) -> str:
        """Copy the logs to a folder that stays, and return it."""
        kept = Path(tempfile.mkdtemp(prefix="beto-chaos-logs-"))
        shutil.copytree(self.machine.logs, kept, dirs_exist_ok=True)
        return str(kept)


@contextmanager
def _postgres(machine: Supervisor, data: Path) -> Iterator[str]:
    """Run a PostgreSQL server as one of the machine's processes; yield the URL of an empty database in it."""
    folder = postgres_programs()
    if folder is None:
        raise StartRefused("no PostgreSQL server is installed (`sudo apt-get install postgresql`)")
    data.mkdir()
    become: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        owner = pwd.getpwnam("postgres")
        os.chown(data, owner.pw_uid, owner.pw_gid)
        data.parent.chmod(0o755)
        become = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--pdeathsig", "keep"]
    options = ["-U", "beto", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    made = subprocess.run([*become, folder / "initdb", "-D", data, *options], capture_output=True, check=False, cwd="/")
    if made.returncode:
        raise StartRefused(f"no database could be made: {made.stderr.decode()[-300:]}")
    port = free_port()
    settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    settings["max_connections"] = 300
    command = [*become, str(folder / "postgres"), "-D", str(data)]
    process = Process("postgres", [*command, *(part for key, value in settings.items() for part in ("-c", f"{key}={value}"))])
    machine.processes.append(process)
    machine.spawn(process)
    server = f"postgresql://beto@127.0.0.1:{port}/postgres"
    machine.wait_until("PostgreSQL takes connections", lambda: _takes_connections(server), timeout_s=30, of=process)
    yield server.replace("postgresql://", "postgresql+psycopg://")


def _takes_connections(server: str) -> bool:
    """Return whether the server lets one in: its port is open before it has started up."""
    try:
        psycopg.connect(server, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _resident_mib(pid: int) -> float:
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return 0.0


def growing_processes(samples: list[Sample]) -> list[str]:
    """Return the processes whose largest memory in the second half of the samples was more than 1.5 times that of the first."""
    middle = len(samples) // 2
    halves = samples[:middle], samples[middle:]
    names = samples[-1]["resident_mib"] if middle else ()
    early, late = ({name: max(sample["resident_mib"].get(name, 0) for sample in half) for name in names} for half in halves)
    return [f"{name}: {early[name]} to {late[name]} MiB" for name in names if late[name] > 1.5 * early[name] + 50]


def _size_mib(folder: Path, pattern: str = "*") -> float:
    """Return what the files of that name take on disk, in this folder and below."""
    total = 0
    for file in folder.rglob(pattern):
        with suppress(OSError):  # PostgreSQL removes files of its own meanwhile
            total += file.stat().st_size
    return round(total / 2**20, 1)
