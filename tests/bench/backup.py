"""How long a backup takes while people write, what is in it, and how long verifying, restoring and copying take."""

import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bot.local.backup import back_up, verify
from bot.local.restore import copy_database, restore
from bot.settings import BotSettings
from model.judgements import Gesture, Kind
from model.schema import Message, Source
from model.store.store import Store
from tests.bench.growth import fill
from tests.bench.machine import machine_facts
from tests.postgres import new_database, postgres_programs, running_postgres

# One message in ten is judged, as in the bench `growth`.
JUDGED = 10
# So much is written before the backup begins, and must be in it.
BEFORE = 100
CHANNEL, LABEL = "C1", "tarjeta"


def measure(*, messages: int, databases: Sequence[str]) -> dict[str, Any]:
    """Return seconds and megabytes of a backup of so many messages on each database, and of its restore onto the same kind.

    While it is written one person writes and judges without a pause; `others_write_ms` is the longest that one of these messages
    took to be saved. `lost` counts those that were acknowledged before the backup began and are not restored with their
    judgement. Where both databases are measured, the SQLite file is then copied to PostgreSQL, every row compared. There are no
    versions in it: their folders are copied at the disk's pace.
    """
    result: dict[str, Any] = {"bench": "backup", "seed": 0, **machine_facts(), "messages": messages}
    with tempfile.TemporaryDirectory(prefix="beto-backup-") as folder:
        home = Path(folder)
        file = home / "sqlite" / "beto.db"
        if "sqlite" in databases:
            result["sqlite"] = _measure(
                file.parent, f"sqlite:///{file}", f"sqlite:///{file.parent / 'new' / 'beto.db'}", messages
            )
        programs = postgres_programs()
        if "postgresql" in databases and programs is None:
            click.echo("PostgreSQL is not installed: not measured", err=True)
        elif "postgresql" in databases and programs is not None:
            with running_postgres(programs, durable=True) as server:
                urls = new_database(server, "old"), new_database(server, "new")
                result["postgresql"] = _measure(home / "postgresql", *urls, messages)
                if file.exists():
                    began = time.perf_counter()
                    said = copy_database(BotSettings(home=home, database_url=new_database(server, "copied")), str(file))
                    result["copy"] = {"copy_s": round(time.perf_counter() - began, 1), "said": said}
                    click.echo(f"{result['copy']['copy_s']} s: {said}", err=True)
    return result


def _measure(home: Path, url: str, new_url: str, messages: int) -> dict[str, float]:
    home.mkdir()
    store = Store(url, home)
    store.migrate()
    fill(store, range(1, messages + 1), judged_every=JUDGED)
    file, over = home / "b.zip", threading.Event()
    acknowledged: list[str] = []
    took: list[float] = []

    def write() -> None:
        while not over.wait(0.01):
            ts = f"{len(took) + 1}.000001"
            message = Message(channel=CHANNEL, ts=ts, user="U1", text="mientras tanto", source=Source.CHANNEL)
            began = time.perf_counter()
            store.messages.save(message)
            took.append(time.perf_counter() - began)
            gesture = Gesture(user="U0ANA", handle=f"h{ts}", at=len(took), kind=Kind.SET, labels=(LABEL,))
            store.gestures.add(gesture, channel=CHANNEL, item_ts=ts)
            acknowledged.append(ts)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while writer.is_alive() and len(acknowledged) < BEFORE:
            time.sleep(0.01)
        before = acknowledged[:]
        began = time.perf_counter()
        back_up(BotSettings(home=home, database_url=url), file)
        backup_s = time.perf_counter() - began
        meanwhile = len(acknowledged) - len(before)
    finally:
        over.set()
        writer.join()
    store.close()
    began = time.perf_counter()
    verify(file)
    verify_s = time.perf_counter() - began
    began = time.perf_counter()
    new = BotSettings(home=home / "new", database_url=new_url)
    restore(new, file)
    measured = {
        "backup_s": round(backup_s, 1),
        "verify_s": round(verify_s, 1),
        "restore_s": round(time.perf_counter() - began, 1),
        "megabytes": round(file.stat().st_size / 1e6, 1),
        "written_before": len(before),
        "written_meanwhile": meanwhile,
        "lost": len(before) - _judged(new, before),
        "others_write_ms": round(1000 * max(took), 1),
    }
    click.echo(f"{url.split(':', 1)[0]}: " + "  ".join(f"{name} {value}" for name, value in measured.items()), err=True)
    return measured


def _judged(settings: BotSettings, stamps: Sequence[str]) -> int:
    """Return how many of these messages are there with what was said of them."""
    store = Store(settings.store_url, settings.home_folder)
    taxonomy, count = store.labels.current(), 0
    for ts in stamps:
        found = store.messages.find(CHANNEL, ts)
        judged = None if found is None else store.judged.of(found.id, taxonomy)
        count += judged is not None and judged.state.labels[LABEL].yes == ("U0ANA",)
    store.close()
    return count
