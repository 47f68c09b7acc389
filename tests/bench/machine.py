"""The machine that is measured: what it is, all of our processes running on it, and what they spend."""

import itertools
import json
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import redis
from prometheus_client.parser import text_string_to_metric_families

from bot.local.demo import start_simulator, wait_for_training
from bot.local.environment import child_environment
from bot.local.supervisor import Supervisor
from bot.settings import BotSettings
from model.learning.dataset import seed_messages
from model.settings import ModelSettings
from model.store.store import Store
from tests.bench import shape

_COMMANDS = "total_commands_processed"
CHANNELS = ("general", "atencion", "reclamos")  # where people write
IN_FLIGHT = 64  # messages or reactions at a time, at saturation


def machine_facts() -> dict[str, Any]:
    """Return what a reader needs to place the numbers: processor, cores, versions, commit."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")),
        platform.processor(),
    )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    ).stdout.strip()
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("beto-bot", "torch", "transformers", "celery", "slack-bolt")},
        "commit": commit or "not a git checkout",
    }


@contextmanager
def everything(base: str, *, rtt_ms: float | None = None) -> Iterator[tuple[Supervisor, str, Path]]:
    """Run all processes with a version, trained or of BETO's shape; the simulated Slack takes more than one post a second.

    With `rtt_ms` it speaks TLS with them, and a round trip takes so long.
    """
    # Each base has its own, else what is measured is the version that is there.
    home = BotSettings().home_folder.absolute() / f"bench-{re.sub(r'[^a-z0-9]+', '-', base.lower())}"
    environment = child_environment(
        None, BETO_HOME=str(home), BETO_BASE=base, BETO_BLIND_PERCENT="0", BETO_ASK_A_DAY="0", BETO_SLACK_RATE="0"
    )
    with Supervisor(home, environment) as machine:
        machine.environment["BETO_REDIS_URL"] = machine.start_redis()
        authority = home / "authority.pem"
        line = [] if rtt_ms is None else ["--tls", str(authority), "--rtt-ms", str(rtt_ms)]
        url = start_simulator(machine, None, "--no-rate-limits", *line)
        if line:
            machine.environment |= {"SLACK_API_URL": f"{line_of(url)['app_url']}/api/", "SSL_CERT_FILE": str(authority)}
        if base == shape.NAME:
            store = Store(ModelSettings(home=home, database_url="").store_url, home)
            store.migrate()
            shape.publish(store, home)
            store.close()
        processes = [machine.start(name) for name in ("trainer", "worker", "replies", "bot")]
        machine.wait_ready(processes[0], 60)  # it makes the tables
        wait_for_training(home, base, lambda: False)
        for process in processes:
            machine.wait_ready(process, 60)
        yield machine, url, home


def line_of(url: str) -> dict[str, Any]:
    """Return what the simulated Slack tells of the line to its apps: `app_url`, and how many `connections` were opened."""
    with urlopen(f"{url}/health", timeout=10) as answer:  # of this machine
        told: dict[str, Any] = json.load(answer)
        return told


def texts() -> Iterator[str]:
    """Yield the shipped messages, again and again."""
    return itertools.cycle([example.text for example in seed_messages()])


def cpu_seconds(machine: Supervisor) -> dict[str, float]:
    """Return the user and system time of each process so far, and of this one, which plays the people."""
    tick = os.sysconf("SC_CLK_TCK")
    pids = {process.name: process.popen.pid for process in machine.processes if process.popen} | {"people": os.getpid()}
    spent = {}
    for name, pid in pids.items():
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        spent[name] = (int(fields[11]) + int(fields[12])) / tick
    return spent


def counts(machine: Supervisor) -> dict[str, float]:
    """Return what was counted so far: transactions of each process, Redis' commands, the network's seconds of the processor."""
    found = {"redis commands": float(redis.Redis.from_url(machine.environment["BETO_REDIS_URL"]).info("stats")[_COMMANDS])}
    for process in machine.processes:
        if process.name not in {"bot", "worker", "replies"}:
            continue
        with urlopen(f"http://127.0.0.1:{process.port}/metrics", timeout=10) as page:  # of this machine
            families = list(text_string_to_metric_families(page.read().decode()))
        samples = [sample for family in families for sample in family.samples]
        transactions = (sample.value for sample in samples if sample.name == "beto_database_seconds_count")
        found[f"{process.name} transactions"] = sum(transactions)
        network = [sample.value for sample in samples if sample.name == "beto_network_cpu_seconds_total"]
        found |= {"network": network[0]} if network else {}
    return found


def milliseconds(values: Iterable[float], percentile: int) -> float:
    """Return the percentile of `values`, which are in seconds; 0 where there are none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    if percentile == 50:
        return round(1000 * statistics.median(ordered), 1)
    return round(1000 * ordered[min(len(ordered) - 1, percentile * len(ordered) // 100)], 1)
