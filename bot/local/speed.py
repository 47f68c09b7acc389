"""`beto doctor --speed`: how fast this machine labels with the live version."""

import itertools
import statistics
import threading
import time
from collections.abc import Sequence

from bot.errors import StartRefused
from bot.settings import BotSettings
from model.learning.dataset import seed_messages
from model.store.store import Store
from worker.host import Host
from worker.process import need

# Long enough for a steady number, short enough to wait for.
MEASURE_S = 3.0
LOADED_WITHIN_S = 120.0


def measure() -> str:
    """Label the shipped messages as a worker does, for a few seconds, and return what came of it in a sentence.

    Without queue and database, which cost a worker little. StartRefused where no version is live, BrokenVersion where the live
    one cannot be loaded.
    """
    need("doctor --speed", "serve", ("numpy", "onnxruntime", "safetensors", "tokenizers"))
    settings = BotSettings()
    store = Store(settings.store_url, settings.home_folder)
    store.migrate()
    live = store.registry.live()
    if live is None:
        store.close()
        raise StartRefused("there is no version to measure yet: the trainer makes the first one (`beto up`, or `beto demo`)")
    from model.serving.classifier import load  # numpy and more

    load(live.folder, device=settings.device)  # where it is broken, this says so; the host would try again and again
    texts = [example.text for example in seed_messages()]
    host = Host(store, settings)
    host.start()
    try:
        host.predict(texts[0], LOADED_WITHIN_S)
        served = host.classifier
        alone_s = _one_after_the_other(host, texts)
        rate = _together(host, texts, settings.concurrency)
    finally:
        host.close()
        store.close()
    return (
        f"version {served.card.version} ({served.card.base}) on {served.engine.device}, {served.engine.form}: "
        f"{rate:.0f} messages/s with {settings.concurrency} at a time; a message alone takes {1000 * alone_s:.1f} ms"
    )


def _one_after_the_other(host: Host, texts: Sequence[str]) -> float:
    """Return the median of the seconds that a message takes when nothing else is asked."""
    taken = []
    began = time.perf_counter()
    for text in itertools.cycle(texts):
        before = time.perf_counter()
        host.predict(text, LOADED_WITHIN_S)
        taken.append(time.perf_counter() - before)
        if time.perf_counter() - began > MEASURE_S:
            return statistics.median(taken)
    raise AssertionError("a cycle has no end")


def _together(host: Host, texts: Sequence[str], concurrency: int) -> float:
    """Return the messages per second of `concurrency` threads that each ask again as soon as they are answered."""
    over = threading.Event()
    counts = [0] * concurrency

    def ask(at: int) -> None:
        for text in itertools.islice(itertools.cycle(texts), at, None):
            if over.is_set():
                return
            host.predict(text, LOADED_WITHIN_S)
            counts[at] += 1

    askers = [threading.Thread(target=ask, args=(at,), name="asker", daemon=True) for at in range(concurrency)]
    began = time.perf_counter()
    for asker in askers:
        asker.start()
    over.wait(MEASURE_S)
    over.set()
    for asker in askers:
        asker.join()
    return sum(counts) / (time.perf_counter() - began)
