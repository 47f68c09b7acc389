"""The `beto` command as a person runs it: a process of its own, in an environment that holds nothing but what is given."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bot.local.environment import bare_environment
from tests.town import wait_until

# `-P`: the package that is installed, not whatever folder we stand in.
BETO = (sys.executable, "-P", "-m", "bot")


def environment(home: Path, **more: str) -> dict[str, str]:
    """Ours without any setting of the product, except that it keeps its things in `home`."""
    bare = bare_environment()
    return bare | {"BETO_HOME": str(home)} | more


def beto(
    *arguments: str | Path, home: Path, stdin: bytes = b"", timeout_s: float = 120, under: Sequence[str] = (), **more: str
) -> "Said":
    """The command has ended. `under`: a command that runs it."""
    done = subprocess.run(
        [*under, *BETO, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=environment(home, **more),
        cwd=home.parent,
        timeout=timeout_s,
        check=False,
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


class Said:
    """What a command that has ended wrote, and its status."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    def refusal(self) -> str:
        """The sentence with which it refused, after whatever it had logged; a traceback or another status fails the test."""
        assert self.status == 1, (self.status, self.out, self.err)
        assert "Traceback" not in self.err
        assert self.out == ""
        lines = self.err.splitlines()
        first = next((at for at, line in enumerate(lines) if line.startswith("beto: ")), None)
        assert first is not None, self.err
        return "\n".join(lines[first:]).removeprefix("beto: ")


class Running:
    """A command that goes on; `text` is everything that it has written so far, errors among it.

    `children` are the processes that it had when it was asked to end.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", written: Path) -> None:
        self.process = process
        self.children: set[int] = set()
        self._written = written

    @property
    def text(self) -> str:
        return self._written.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, words: str, timeout_s: float) -> None:
        """It has written `words`; fails at once when it has ended without."""

        def there() -> bool:
            ended = self.process.poll() is not None
            assert words in self.text or not ended, f"ended with {self.process.returncode}: {self.text}"
            return words in self.text

        wait_until(there, timeout_s, f"{words!r} in: {self._written}")

    def end(self, number: signal.Signals, within_s: float) -> int:
        """Its exit status after this signal; fails where it lives longer than `within_s` seconds."""
        self.children = family(self.process.pid)
        self.process.send_signal(number)
        return self.process.wait(within_s)

    def left(self) -> list[int]:
        """Those of its children that live."""
        return [pid for pid in sorted(self.children) if lives(pid)]


@contextmanager
def started(*arguments: str | Path, home: Path, **more: str) -> Iterator[Running]:
    """The command runs, without a terminal; it and its processes are dead afterwards, whatever the test did."""
    written = home.parent / f"{home.name}-{time.monotonic_ns()}.out"
    with written.open("wb") as file:
        process = subprocess.Popen(
            [*BETO, *map(str, arguments)],
            env=environment(home, **more),
            cwd=home.parent,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    running = Running(process, written)
    try:
        yield running
    finally:
        running.children |= family(process.pid)
        process.kill()
        process.wait()
        for pid in running.left():
            os.kill(pid, signal.SIGKILL)


def family(pid: int) -> set[int]:
    """The processes that this one has started, theirs, and so on."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (status := _status(int(folder.name))) is not None:
            parents[int(folder.name)] = status[1]
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in found | {pid}} - found:
        found |= more
    return found


def lives(pid: int) -> bool:
    """Whether it runs; one that has ended and that nobody has collected does not."""
    status = _status(pid)
    return status is not None and status[0] not in "ZX"


def _status(pid: int) -> tuple[str, int] | None:
    """(state, parent's pid)"""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
    except OSError:
        return None
    return fields[0], int(fields[1])
