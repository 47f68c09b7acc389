"""How soon a gesture has its effect in every worker, and what that costs, with ever more judged messages."""

import tempfile
import threading
import time
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import click

from model.judgements import Gesture, Kind
from model.labels import seed_taxonomy
from model.learning.dataset import seed_examples
from model.learning.training import train
from model.schema import Message, Source
from model.serving import classifier
from model.serving.corrections import read_corrections
from model.settings import ModelSettings
from model.store.store import Store
from tests.bench.growth import fill, made_up_texts
from tests.bench.machine import machine_facts, milliseconds
from tests.town import publish_version
from worker.host import Host
from worker.refitting import RefitKeeper
from worker.settings import WorkerSettings

WORKERS = 2
FIRST_WITHIN_S, WITHIN_S = 1_800.0, 60.0
TIMED = 300  # messages, for the added milliseconds


def measure(*, sizes: Sequence[int], gestures: int, base: str) -> dict[str, Any]:
    """Return for each number of judged messages how long a judgement takes to its effect, and what it costs.

    A real store (SQLite) holds so many judged messages, which the live version is taken to have learnt from. The trainer's
    thread runs in a process of its own, and two workers' hosts in this one. Then `gestures` messages are judged one after the
    other, by one gesture each; the clock stops when every worker answers that text as it was judged. `first_s` is the same for
    the first one, when the trainer reads all that was ever judged. `added_ms` is what corrections add to a message alone (median
    of 300); `content_mib` what is written to the database at each refit, `trainer_mib` what the trainer's process holds in the
    end.
    """
    cache = ModelSettings().home_folder / "bench-effect" / base
    if not cache.exists():
        data = seed_examples()
        train(data["train"], data["dev"], taxonomy=seed_taxonomy(), base=base, out=cache, device="cpu", quick=base != "mini")
    found = [_measure(cache, size, gestures) for size in sizes]
    for each in found:
        click.echo("  ".join(f"{name} {value}" for name, value in each.items()), err=True)
    return {"bench": "effect", "base": base, **machine_facts(), "workers": WORKERS, "gestures": gestures, "sizes": found}


def _measure(version: Path, size: int, gestures: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        home, spawn = Path(folder), get_context("spawn")
        store = Store(f"sqlite:///{home / 'beto.db'}", home)
        store.migrate()
        fill(store, range(1, size + 1), judged_every=1)
        number = publish_version(store, version)
        hosts = [Host(store, WorkerSettings(home=home, device="cpu")) for _ in range(WORKERS)]
        ended = spawn.Event()
        trainer = spawn.Process(target=_refit_until, args=(home, ended))
        try:
            for host in hosts:
                host.start()
                while host.serving != number:
                    time.sleep(0.05)
            trainer.start()
            seconds = []
            for at in range(gestures + 1):
                seconds.append(_to_effect(store, hosts, at, FIRST_WITHIN_S if at == 0 else WITHIN_S))
                time.sleep(1.0)
            refit = store.refits.newest(number)
            assert refit is not None
            content = store.refits.corrected(refit.id) or b""
            return {
                "judged": size,
                "first_s": round(seconds[0], 1),
                "p50_ms": milliseconds(seconds[1:], 50),
                "p99_ms": milliseconds(seconds[1:], 99),
                **_cost(version, content),
                "content_mib": round(len(content) / 2**20, 1),
                "trainer_mib": round(_resident_kb(trainer.pid) / 1024, 1),
            }
        finally:
            ended.set()
            if trainer.pid is not None:
                trainer.join()
            for host in hosts:
                host.close()
            store.close()


def _refit_until(home: Path, ended: Event) -> None:
    """Do what the trainer's thread does."""
    store, stop = Store(f"sqlite:///{home / 'beto.db'}", home), threading.Event()
    thread = threading.Thread(target=RefitKeeper(store).keep, args=(stop,))
    thread.start()
    ended.wait()
    stop.set()
    thread.join()
    store.close()


def _to_effect(store: Store, hosts: Sequence[Host], at: int, within_s: float) -> float:
    """Judge a message that nobody wrote before, and return the seconds until every host answers it as judged."""
    text = f"el pedido {'abcdefghijklmnopqrstuvwxyz'[at % 26] * 6} de la sucursal {'xyzuvw'[at % 6] * 5} sigue perdido"
    ts = f"{time.time():.6f}"
    store.messages.save(Message(channel="C00", ts=ts, user="U1", text=text, source=Source.CHANNEL))
    labels = ("ahorro", "urgente")
    gesture = Gesture(user="U2", handle=f"effect/{at}", at=time.time_ns() // 1000, kind=Kind.SET, labels=labels)
    store.gestures.add(gesture, channel="C00", item_ts=ts)
    began = time.perf_counter()
    waiting = list(hosts)
    while waiting:
        if time.perf_counter() - began > within_s:
            raise click.ClickException(f"no effect within {within_s:.0f} s")
        corrections = waiting[0].classifier.corrections
        found = None if corrections is None else corrections.judged.find(text)
        if found is not None and found.source == f"C00:{ts}":
            waiting.pop(0)
        else:
            time.sleep(0.01)
    return time.perf_counter() - began


def _cost(version: Path, content: bytes) -> dict[str, float]:
    """Return what corrections add to a message, and to a worker's memory."""
    plain = classifier.load(version, device="cpu")
    before_kb = _resident_kb()
    corrected = plain.corrected(read_corrections(content))
    added_mib = round((_resident_kb() - before_kb) / 1024, 1)
    write = made_up_texts(1)
    texts = [next(write) for _ in range(TIMED)]
    took: dict[str, list[float]] = {"plain": [], "corrected": []}
    for text in texts:  # in turns, so that what else the machine does is shared
        for name, each in (("plain", plain), ("corrected", corrected)):
            began = time.perf_counter()
            each.predict([text])
            took[name].append(time.perf_counter() - began)
    added_ms = milliseconds(took["corrected"], 50) - milliseconds(took["plain"], 50)
    return {"alone_ms": milliseconds(took["plain"], 50), "added_ms": round(added_ms, 2), "added_mib": added_mib}


def _resident_kb(process: int | None = None) -> int:
    status = Path(f"/proc/{process or 'self'}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
