"""Many workers at one queue: messages a second, the share of each, and what a message costs everybody, beside the model."""

import itertools
import os
import signal
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, select

from bot.local.environment import child_environment
from bot.local.supervisor import Process, Supervisor
from model.labels import seed_taxonomy
from model.learning.dataset import seed_examples
from model.learning.training import train
from model.schema import Message, Source
from model.store.store import Store
from model.store.tables import messages as message_table
from model.store.tables import predictions
from tests.bench.machine import machine_facts, milliseconds, texts
from tests.broker import broker
from tests.postgres import new_database, postgres_programs, running_postgres
from tests.town import publish_version
from worker.app import INFERENCE, app

# Of what they can do together: so much comes in the second part, where they are not to be busy all the time.
LIGHT = 0.5
PATIENCE_S = 600.0
_numbers = itertools.count(1)


def measure(*, workers: Sequence[int], messages: int) -> dict[str, Any]:
    """Return how `messages` are shared by so many workers, for each of `workers`, on one Redis and one PostgreSQL.

    Each worker is a process with mini and everything that it has in production; nobody replies. First all messages are there
    at once, then they come at half of that pace. Beside what was measured stands what the model foretells: on one machine,
    its cores over the CPU that a message costs all processes together; with two cores for each worker elsewhere, as many as
    they can take until Redis, which is one thread, is busy all the time.
    """
    programs = postgres_programs()
    if programs is None:
        raise click.ClickException("PostgreSQL is not installed")
    result: dict[str, Any] = {"bench": "scale", **machine_facts(), "messages": messages, "workers": []}
    with tempfile.TemporaryDirectory(prefix="beto-scale-") as folder, running_postgres(programs, durable=True) as server:
        home = Path(folder)
        store = Store(new_database(server, "scale"), home)
        store.migrate()
        data = seed_examples()
        train(data["train"], data["dev"], taxonomy=seed_taxonomy(), base="mini", out=home / "trained", epochs=1)
        publish_version(store, home / "trained")
        postgres = _postmaster(int(server.rpartition(":")[2]))
        with running_workers(home, store.database.url) as (machine, start):
            for count in workers:
                started = start(count)
                everybody = {"postgresql": postgres, "redis": _pid(machine.processes[0])}
                at_once = share(machine, store, started, messages, others=everybody)
                light = share(machine, store, started, messages, others=everybody, a_second=LIGHT * at_once["messages_a_second"])
                result["workers"].append({"count": count, "at_once": at_once, "light": light})
                _show(count, at_once, light)
        store.close()
    return result


@contextmanager
def running_workers(home: Path, url: str) -> Iterator[tuple[Supervisor, Callable[[int], list[Process]]]]:
    """Start a Redis; yield with a function that starts workers until there are so many, and returns them when they are ready."""
    environment = child_environment(None, BETO_HOME=str(home), BETO_DATABASE_URL=url)
    with Supervisor(home, environment) as machine:
        machine.environment["BETO_REDIS_URL"] = machine.start_redis()
        running: list[Process] = []

        def start(count: int) -> list[Process]:
            running.extend(machine.start(f"worker-{number}", "worker") for number in range(len(running) + 1, count + 1))
            for process in running:
                machine.wait_ready(process, PATIENCE_S)
            return running

        yield machine, start


def share(
    machine: Supervisor,
    store: Store,
    workers: Sequence[Process],
    messages: int,
    *,
    others: dict[str, int],
    a_second: float | None = None,
) -> dict[str, Any]:
    """Have so many messages predicted by these workers, all at once or `a_second`, and return what came of it.

    `others` are processes by name, with their ids, whose CPU counts too; so does this process's own, which publishes.
    """
    pids = {
        "workers": [_pid(each) for each in workers],
        "publisher": [os.getpid()],
        **{name: [pid] for name, pid in others.items()},
    }
    handled, spent = [_handled(each) for each in workers], {name: _cpu_s(some) for name, some in pids.items()}
    rows, began = [], time.perf_counter()
    # All at once: nobody begins before the last is there, or whoever publishes would be what is measured.
    held = [_pid(each) for each in workers] if a_second is None else []
    for pid in held:
        os.kill(pid, signal.SIGSTOP)
    with broker(machine.environment["BETO_REDIS_URL"]):
        for n, said in zip(range(messages), texts(), strict=False):
            if a_second is not None:
                time.sleep(max(began + n / a_second - time.perf_counter(), 0.0))
            message = Message(channel="C1", ts=f"{next(_numbers)}.000100", user="U1", text=said, source=Source.CHANNEL)
            message_id, _ = store.messages.save(message)
            rows.append(message_id)
            app.signature("worker.classify", (message_id, 1), queue=INFERENCE, immutable=True).apply_async()
    if held:
        began, spent = time.perf_counter(), {name: _cpu_s(some) for name, some in pids.items()}
    for pid in held:
        os.kill(pid, signal.SIGCONT)
    machine.wait_until("all are predicted", lambda: _predicted(store, rows[0]) == messages, timeout_s=PATIENCE_S)
    seconds = time.perf_counter() - began
    each = [_handled(process) - before for process, before in zip(workers, handled, strict=True)]
    cost_ms = {name: 1000 * (_cpu_s(some) - spent[name]) / messages for name, some in pids.items()}
    cores = os.cpu_count() or 1
    return {
        "messages_a_second": round(messages / seconds, 1),
        "foretold_here": round(1000 * cores / sum(cost_ms.values()), 1),
        "foretold_with_two_cores_each": round(
            min(2000 * len(workers) / cost_ms["workers"], 1000 / max(cost_ms["redis"], 0.01)), 1
        ),
        "cpu_ms_a_message": {name: round(spent_ms, 2) for name, spent_ms in cost_ms.items()},
        "each": each,
        "fairness": round(sum(each) ** 2 / (len(each) * sum(n * n for n in each)), 3),
        # Of those that were held nobody would be surprised that they waited.
        **({} if held else dict(zip(("wait_p50_ms", "wait_p95_ms"), _waits_ms(store, rows[0]), strict=True))),
        "seconds": round(seconds, 1),
    }


def _handled(worker: Process) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/metrics", timeout=60) as page:
        for family in text_string_to_metric_families(page.read().decode("utf-8")):
            if family.name == "beto_predictions":
                return int(family.samples[0].value)
    raise click.ClickException(f"{worker.name} shows no predictions")


def _predicted(store: Store, first: int) -> int:
    with store.database.reading() as connection:
        found = select(func.count()).select_from(predictions).where(predictions.c.message_id >= first)
        return int(connection.execute(found).scalar_one())


def _waits_ms(store: Store, first: int) -> tuple[float, float]:
    joined = predictions.join(message_table, message_table.c.id == predictions.c.message_id)
    with store.database.reading() as connection:
        times = connection.execute(
            select(predictions.c.created_at, message_table.c.received_at).select_from(joined).where(message_table.c.id >= first)
        ).all()
    waits = [(created - received).total_seconds() for created, received in times]
    return milliseconds(waits, 50), milliseconds(waits, 95)


def _pid(process: Process) -> int:
    assert process.popen is not None  # it was started
    return process.popen.pid


def _cpu_s(pids: Sequence[int]) -> float:
    """Return the user and system time of these processes and of their children, also of those that have ended."""
    tick, family = os.sysconf("SC_CLK_TCK"), set(pids)
    spent = 0.0
    for stat in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda path: int(path.parent.name)):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
        except OSError:  # it has just ended
            continue
        pid, parent = int(stat.parent.name), int(fields[1])
        if pid in family or (parent in family and parent != os.getpid()):
            spent += sum(map(int, fields[11 : 15 if pid in family else 13])) / tick
    return spent


def _postmaster(port: int) -> int:
    """Return the id of the PostgreSQL that listens on this port."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"postgres") and str(port).encode() in words:
            return int(line.parent.name)
    raise click.ClickException(f"no PostgreSQL listens on port {port}")


def _show(count: int, at_once: dict[str, Any], light: dict[str, Any]) -> None:
    for name, found in (("all at once", at_once), ("half as fast", light)):
        shares = found["each"]
        waits = f"; waits p50 {found['wait_p50_ms']} ms, p95 {found['wait_p95_ms']} ms" if found is light else ""
        click.echo(
            f"{count:>3} workers, {name}: {found['messages_a_second']} messages/s, foretold here {found['foretold_here']}, "
            f"with two cores each {found['foretold_with_two_cores_each']}; shares {min(shares)} to {max(shares)} of "
            f"{statistics.mean(shares):.0f}, fairness {found['fairness']}{waits}",
            err=True,
        )
