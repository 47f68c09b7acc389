"""How long a backup takes while people write, how large it is, and how long verifying and restoring it take."""

import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bot.local.backup import back_up, verify
from bot.local.restore import restore
from bot.settings import BotSettings
from model.schema import Message, Source
from model.store.store import Store
from tests.bench.growth import fill
from tests.bench.machine import machine_facts
from tests.postgres import new_database, postgres_programs, running_postgres

# One message in ten is judged, as in the bench `growth`.
JUDGED = 10


def measure(*, messages: int, databases: Sequence[str]) -> dict[str, Any]:
    """Return seconds and megabytes of a backup of so many messages on each database, and of its restore onto the same kind.

    While it is written one person writes without a pause; `others_write_ms` is the longest that one of these messages took to
    be saved. There are no versions in it: their folders are copied at the disk's pace.
    """
    result: dict[str, Any] = {"bench": "backup", "seed": 0, **machine_facts(), "messages": messages}
    with tempfile.TemporaryDirectory(prefix="beto-backup-") as folder:
        for name in databases:
            home = Path(folder) / name
            if name == "sqlite":
                result[name] = _measure(home, f"sqlite:///{home / 'beto.db'}", f"sqlite:///{home / 'new' / 'beto.db'}", messages)
                continue
            programs = postgres_programs()
            if programs is None:
                click.echo("PostgreSQL is not installed: not measured", err=True)
                continue
            with running_postgres(programs, durable=True) as server:
                result[name] = _measure(home, new_database(server, "old"), new_database(server, "new"), messages)
    return result


def _measure(home: Path, url: str, new_url: str, messages: int) -> dict[str, float]:
    home.mkdir()
    store = Store(url, home)
    store.migrate()
    fill(store, range(1, messages + 1), judged_every=JUDGED)
    file, over, took = home / "b.zip", threading.Event(), [0.0]

    def write() -> None:
        number = 0
        while not over.wait(0.01):
            number += 1
            message = Message(channel="C1", ts=f"{number}.000001", user="U1", text="mientras tanto", source=Source.CHANNEL)
            began = time.perf_counter()
            store.messages.save(message)
            took.append(time.perf_counter() - began)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        began = time.perf_counter()
        back_up(BotSettings(home=home, database_url=url), file)
        backup_s = time.perf_counter() - began
    finally:
        over.set()
        writer.join()
    store.close()
    began = time.perf_counter()
    verify(file)
    verify_s = time.perf_counter() - began
    began = time.perf_counter()
    restore(BotSettings(home=home / "new", database_url=new_url), file)
    measured = {
        "backup_s": round(backup_s, 1),
        "verify_s": round(verify_s, 1),
        "restore_s": round(time.perf_counter() - began, 1),
        "megabytes": round(file.stat().st_size / 1e6, 1),
        "others_wrote": len(took) - 1,
        "others_write_ms": round(1000 * max(took), 1),
    }
    click.echo(f"{url.split(':', 1)[0]}: " + "  ".join(f"{name} {value}" for name, value in measured.items()), err=True)
    return measured
