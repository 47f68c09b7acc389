"""The systems that the serving bench compares: each loads the same version and answers one text at a time, from many threads."""

import http.client
import importlib.util
import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.local.ports import answers, free_port

SLOW = {"pipeline", "litserve"}
PATIENCE_S = 600.0


@dataclass(frozen=True)
class Asked:
    """`ask` is what is timed; `prepare` makes what it is given of a text, before."""

    ask: Callable[[Any], object]
    prepare: Callable[[str], Any]


System = Callable[[Path], AbstractContextManager[Asked]]


def installed() -> Mapping[str, System]:
    """Return the systems that can run here, the pipeline first."""
    ours: dict[str, System] = {"pipeline": pipeline, "direct": direct, "celery": celery}
    return ours | ({"litserve": litserve} if importlib.util.find_spec("litserve") else {})


@contextmanager
def pipeline(version: Path) -> Iterator[Asked]:
    """Run transformers' pipeline as people use it: one text after the other."""
    from model.serving.network import pick_device, quiet_transformers
    from model.serving.normalise import normalise
    from model.settings import ModelSettings

    where = pick_device(ModelSettings().device)
    made = quiet_transformers().pipeline("text-classification", model=str(version), top_k=None, device=where)
    lock = threading.Lock()

    def ask(text: str) -> object:
        with lock:
            return made([text], truncation=True, max_length=512)

    yield Asked(ask, normalise)


@contextmanager
def direct(_version: Path) -> Iterator[Asked]:
    """Run ours without Celery and store: the worker's host in this process."""
    from model.settings import ModelSettings
    from model.store.store import Store
    from worker.host import Host
    from worker.settings import WorkerSettings

    store = Store(ModelSettings().store_url, ModelSettings().home_folder)
    host = Host(store, WorkerSettings())
    host.start()
    host.predict("Hola", 120)  # waits until the version is in memory
    yield Asked(lambda text: host.predict(text, PATIENCE_S), str)
    host.close()
    store.close()


@contextmanager
def celery(_version: Path) -> Iterator[Asked]:
    """Run ours as it is deployed: a task a message, its text from the store, its prediction into it, and the task that follows.

    The message is saved before the clock starts, as the bot does; the worker is another process, which runs already.
    """
    from celery import signature
    from kombu import Queue

    from model.schema import Message, Source
    from model.settings import ModelSettings
    from model.store.store import Store
    from worker.app import app, configure
    from worker.settings import WorkerSettings
    from worker.tasks import classify

    store = Store(ModelSettings().store_url, ModelSettings().home_folder)
    configure(WorkerSettings())
    numbers = itertools.count()
    waiting: dict[int, threading.Event] = {}
    over = threading.Event()

    def prepare(text: str) -> int:
        message = Message(channel="C", ts=f"{next(numbers)}.0", user="U", text=text, source=Source.CHANNEL)
        return store.messages.save(message)[0]

    def ask(message_id: int) -> object:
        event = waiting[message_id] = threading.Event()
        task = classify.si(message_id, 1)
        task.link(signature("bench.done", args=(message_id,), immutable=True, queue="bench"))
        task.apply_async()
        return event.wait(PATIENCE_S)

    def done(body: Any, message: Any) -> None:
        message.ack()
        waiting.pop(body[0][0]).set()

    def listen() -> None:
        with app.connection_for_read() as connection, connection.Consumer(Queue("bench"), callbacks=[done], accept=["json"]):
            while not over.is_set():
                try:
                    connection.drain_events(timeout=0.5)
                except TimeoutError:
                    continue

    thread = threading.Thread(target=listen, name="done", daemon=True)
    thread.start()
    yield Asked(ask, prepare)
    over.set()
    thread.join()
    store.close()


_LITSERVE = """
import sys
import litserve
from transformers import pipeline
class Labels(litserve.LitAPI):
    def setup(self, device):
        self.pipeline = pipeline("text-classification", model=sys.argv[1], top_k=None, device=device)
    def decode_request(self, request):
        return request["text"]
    def predict(self, texts):
        return self.pipeline(texts, batch_size=len(texts), truncation=True, max_length=512)
    def encode_response(self, answer):
        return {"labels": answer}
if __name__ == "__main__":
    server = litserve.LitServer(Labels(max_batch_size=8, batch_timeout=0.005), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="error")
"""


@contextmanager
def litserve(version: Path) -> Iterator[Asked]:
    """Run the pipeline behind LitServe, which batches what waits; asked over HTTP, as it must be."""
    from model.serving.normalise import normalise

    port = free_port()
    file = version.parent / "litserve_labels.py"
    file.write_text(_LITSERVE, encoding="utf-8")
    server = subprocess.Popen([sys.executable, str(file), str(version), str(port)], start_new_session=True)
    while not answers(port):
        if server.poll() is not None:
            raise RuntimeError("litserve did not start")
        threading.Event().wait(0.2)

    def ask(text: str) -> object:
        # A new one each time: the server closes those that were idle for five seconds.
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
            connection.request("POST", "/predict", json.dumps({"text": text}), {"Content-Type": "application/json"})
            return json.load(connection.getresponse())

    yield Asked(ask, normalise)
    server.kill()
