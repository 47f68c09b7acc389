"""The ten-minute install, as the README tells it: from a copy of the repository to an answer in Slack, each step timed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import click

from bot.local.environment import bare_environment
from bot.simulator.person import Person
from bot.simulator.pytest_plugin import SimulatorThread
from tests.bench.machine import machine_facts
from tests.terminal import family

ROOT = Path(__file__).parents[2]
CHANNEL, GREETING, TEXT = "general", "@beto hola", "@beto me cobraron dos veces el mismo pago con la tarjeta"
HEARS_WITHIN_S, ANSWERS_WITHIN_S, TRAINED_WITHIN_S = 300.0, 120.0, 3600.0


class Install:
    """What somebody has in a terminal: a folder, an environment without any setting of the product, and a watch."""

    def __init__(self, folder: Path, base: str, *, bare: bool) -> None:
        self.folder = folder / "beto-bot" if bare else folder
        self.steps: list[dict[str, Any]] = []
        self._command = [str(self.folder / ".venv" / "bin" / "beto")] if bare else [sys.executable, "-P", "-m", "bot"]
        self.environment = bare_environment() | {"BETO_HOME": str(folder / "home"), "BETO_BASE": base}

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Time what the block does, and print it."""
        began = time.monotonic()
        yield
        seconds = round(time.monotonic() - began, 1)
        self.steps.append({"step": what, "seconds": seconds})
        click.echo(f"{seconds:8.1f} s  {what}", err=True)

    def beto(self, *arguments: str, **more: str) -> str:
        """Return what the command wrote; RuntimeError where it failed."""
        return self.run([*self._command, *arguments], more=more)

    def run(self, command: list[str], *, where: Path | None = None, more: Mapping[str, str] | None = None) -> str:
        """Return what any command wrote, likewise."""
        env = self.environment | dict(more or {})
        done = subprocess.run(command, capture_output=True, text=True, cwd=where or self.folder, env=env, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    @contextmanager
    def up(self, log: Path) -> Iterator[None]:
        """Run `beto up` while the block does, once the bot hears Slack."""
        with log.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                [*self._command, "up"], cwd=self.folder, env=self.environment, stdout=file, stderr=subprocess.STDOUT
            )
        try:
            until = time.monotonic() + HEARS_WITHIN_S
            while "The bot hears Slack" not in log.read_text(encoding="utf-8"):
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"beto up: {log.read_text(encoding='utf-8')[-2000:]}")
                time.sleep(0.1)
            yield
        finally:
            children = family(process.pid)
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                for pid in (process.pid, *children):
                    os.kill(pid, signal.SIGKILL)
                process.wait()


def measure(*, bare: bool, base: str, labelled: bool) -> dict[str, Any]:
    """Install the bot as the README says, against a Slack that has the app of the link, and return how long each step took.

    `bare`: from nothing but Python, make and a package index; else with the packages that are here. `labelled`: wait for the
    first version, and for a message's labels.
    """
    with tempfile.TemporaryDirectory(prefix="beto-install-") as name:
        folder = Path(name)
        install = Install(folder, base, bare=bare)
        if bare:
            with install.step("git clone"):
                install.run(["git", "clone", "--quiet", str(ROOT), "beto-bot"], where=folder)
            with install.step("make install"):
                install.run(["make", "install"])
        with install.step("the link: beto manifest --link"):
            link = install.beto("manifest", "--link").strip()
        # What Slack does with it: it makes the app, installs it, and shows its tokens.
        thread = SimulatorThread(manifest=json.loads(parse_qs(urlsplit(link).query)["manifest_json"][0]))
        try:
            api = {"SLACK_API_URL": thread.environment["SLACK_API_URL"]}
            tokens = {name: thread.environment[name] for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN")}
            with install.step("beto setup"):
                install.beto("setup", **tokens, **api)
            install.environment |= api
            with install.step("beto doctor"):
                install.beto("doctor")
            with ExitStack() as stack:
                with install.step("beto up, until the bot hears Slack"):
                    stack.enter_context(install.up(folder / "up.log"))
                answers = asyncio.run(_write(install, thread.url, labelled=labelled))
        finally:
            thread.stop()
    total = round(sum(step["seconds"] for step in install.steps), 1)
    click.echo(f"{total:8.1f} s  in all", err=True)
    return {
        "bench": "install", "bare": bare, "base": base, **machine_facts(), "steps": install.steps, "total_s": total,
        "answers": answers,
    }  # fmt: skip


async def _write(install: Install, url: str, *, labelled: bool) -> list[str]:
    """Write what `beto setup` says to write, then a message; return the bot's answers."""
    async with Person(url, "ana") as ana:
        await ana.invite(CHANNEL, "beto")
        answers = []
        with install.step(f"{GREETING!r}, until it is answered"):
            ts = await ana.message(CHANNEL, GREETING)
            answers.append(str((await ana.wait_for_reply(CHANNEL, ts, ANSWERS_WITHIN_S))["text"]))
        if labelled:
            with install.step("a message, until its labels are there (the first version is trained meanwhile)"):
                ts = await ana.message(CHANNEL, TEXT)
                answers.append(str((await ana.wait_for_reply(CHANNEL, ts, TRAINED_WITHIN_S))["text"]))
    return answers
