"""`python -m tests.bench serving`: messages a second and latencies of the engine, of the worker around it, and of its peers.

Every system is a process of its own and loads the same version; they take turns with the same messages, a round at a time,
so that whatever else the machine does falls on all of them.
"""

import json
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click

from bot.local.environment import child_environment
from bot.local.running import read_health
from bot.local.supervisor import Supervisor
from model.labels import seed_taxonomy
from model.settings import ModelSettings
from model.store.store import Store
from tests.bench import shape
from tests.bench.machine import IN_FLIGHT, machine_facts, milliseconds
from tests.bench.systems import SLOW, Asked, installed
from worker.health import resident_mib

PATIENCE_S = 600.0
PIPELINE_SHARE = 6  # it gets every sixth message, else most of the time would be its


def measure(*, messages: int, rounds: int, device: str, base: str) -> dict[str, Any]:
    """Measure in rounds: a third of its messages one after the other, then all with 64 in flight.

    `base` is what a version is trained from, on the shipped messages, or `beto-shape`. At the end, once, messages that arrive
    at random at 80 % of the throughput found, for ten seconds or all of them.
    """
    texts = shape.chat(messages)
    with tempfile.TemporaryDirectory(prefix="beto-bench-") as folder, ExitStack() as stack:
        home = Path(folder)
        store = Store(ModelSettings(home=home, database_url="").store_url, home)
        store.migrate()
        _publish(store, home, base)
        live = store.registry.live()
        assert live is not None
        store.close()
        environment = child_environment(None, BETO_HOME=str(home), BETO_DATABASE_URL="", BETO_DEVICE=device)
        machine = stack.enter_context(Supervisor(home, environment))
        machine.environment["BETO_REDIS_URL"] = machine.start_redis()
        worker = machine.start("worker")
        machine.wait_ready(worker, 120)
        systems = {name: stack.enter_context(_running(name, live.folder, machine.environment)) for name in installed()}
        found = _rounds(systems, texts, rounds)
        for name, system in systems.items():
            rate = 0.8 * found[name]["messages_per_s"]
            latencies, _ = system.do("arriving", texts[: max(50, int(10 * rate))], rate)
            found[name] |= {"p50_at_80_ms": milliseconds(latencies, 50), "p99_at_80_ms": milliseconds(latencies, 99)}
            found[name]["memory_mib"] = round(system.memory())
        health = read_health(worker.port) or {}
        found["celery"] |= {"memory_mib": round(float(str(health["resident_mib"]))), "torch": health["torch"]}
        config = json.loads((live.folder / "config.json").read_text(encoding="utf-8"))
        tokens, peaks = _tokens(texts, live.folder), _peaks(config)
        lexical_ms = _lexical_ms(texts, live.folder)
    flop = statistics.mean(_flop(each, config) for each in tokens)
    peak = max(peaks.values())
    for name, each in found.items():
        each["ratio_to_pipeline"] = round(each["messages_per_s"] / found["pipeline"]["messages_per_s"], 2)
        each["ratio_to_limit"] = round(each["messages_per_s"] * flop / peak, 3)
        click.echo(
            f"{name:9} {each['messages_per_s']:7.1f} messages/s, {each['ratio_to_pipeline']:5.2f} x the pipeline, "
            f"{each['ratio_to_limit']:.2f} of the limit; alone p50 {each['p50_ms']}, p99 {each['p99_ms']} ms; at 80 % p50 "
            f"{each['p50_at_80_ms']}, p99 {each['p99_at_80_ms']} ms; {each['memory_mib']} MiB",
            err=True,
        )
    return {
        "bench": "serving",
        "base": base,
        "scores": {split: scores.micro_f1 for split, scores in live.card.scores.items()},
        "mixture": None if live.card.mixture is None else live.card.mixture.model_dump(),
        "forms": [form.model_dump() for form in live.card.forms],
        "lexical_ms_per_message": lexical_ms,
        "device": device,
        "seed": 0,
        **machine_facts(),
        "messages": messages,
        "rounds": rounds,
        "tokens_per_message": round(statistics.mean(tokens), 1),
        "gflop_per_message": round(flop / 1e9, 2),
        "peak_gflop_per_s": {name: round(each / 1e9) for name, each in peaks.items()},
        "celery_to_direct": round(found["celery"]["messages_per_s"] / found["direct"]["messages_per_s"], 3),
        "systems": found,
    }


def _publish(store: Store, home: Path, base: str) -> None:
    """Make version 1 live, of BETO's shape or trained from `base` on the shipped messages."""
    if base == shape.NAME:
        shape.publish(store, home)
        return
    from model.learning.dataset import seed_examples
    from model.learning.training import train

    data, built = seed_examples(), store.registry.run_directory(0) / "version"
    card = train(
        data["train"], data["dev"], test=data["test"], taxonomy=seed_taxonomy(), base=base, out=built, home=home, quick=True
    )
    store.registry.promote(store.registry.add(built, card).number, by="bench", reason="measured")


def _lexical_ms(texts: Sequence[str], version: Path) -> float | None:
    """Return the milliseconds of CPU that the lexical model takes a message; None where it does not serve."""
    from model.serving.classifier import load
    from model.serving.normalise import normalise

    classifier = load(version, device="cpu")
    if classifier.lexical is None:
        return None
    normalised = [normalise(text) for text in texts]
    began = time.thread_time()
    for text in normalised:
        classifier.lexical.logits_of_normalised([text])
    return round(1000 * (time.thread_time() - began) / len(normalised), 3)


def _rounds(systems: dict[str, "_System"], texts: Sequence[str], rounds: int) -> dict[str, dict[str, Any]]:
    alone: dict[str, list[float]] = {name: [] for name in systems}
    rates: dict[str, list[float]] = {name: [] for name in systems}
    for at in range(rounds):
        part = texts[at::rounds]
        for name, system in systems.items():
            some = part[::PIPELINE_SHARE] if name in SLOW else part
            alone[name] += system.do("alone", some[::3])[0]
            rates[name].append(len(some) / system.do("flood", some)[1])
            click.echo(f"round {at + 1}  {name:9} {rates[name][-1]:7.1f} messages/s", err=True)
    return {
        name: {
            "messages_per_s": round(statistics.median(rates[name]), 1),
            "rounds": [round(rate, 1) for rate in rates[name]],
            "p50_ms": milliseconds(alone[name], 50),
            "p99_ms": milliseconds(alone[name], 99),
        }
        for name in systems
    }


class _System:
    """The other end of a process that answers texts."""

    def __init__(self, name: str, pipe: Connection) -> None:
        self._name = name
        self._pipe = pipe
        self._receive()  # it is warm

    def do(self, how: str, texts: Sequence[str], rate: float = 0.0) -> tuple[list[float], float]:
        """Return (seconds of each message, seconds in all)."""
        self._pipe.send((how, list(texts), rate))
        latencies, seconds = self._receive()
        return latencies, seconds

    def memory(self) -> float:
        """Return the memory in MiB, now."""
        self._pipe.send(("memory", [], 0.0))
        return float(self._receive()[1])

    def _receive(self) -> Any:
        if not self._pipe.poll(PATIENCE_S):
            raise TimeoutError(f"{self._name} did not answer within {PATIENCE_S:.0f} s")
        return self._pipe.recv()


@contextmanager
def _running(name: str, version: Path, environment: dict[str, str]) -> Iterator[_System]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, name, version, environment))
    process.start()
    theirs.close()  # so that the end of the process is the end of the pipe
    try:
        yield _System(name, ours)
        ours.send(None)
        process.join(20)
    finally:
        process.kill()


def _serve(pipe: Connection, name: str, version: Path, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    with installed()[name](version) as asked:
        _timed(asked, "flood", shape.chat(16, seed=1), 0.0)  # warm
        pipe.send(None)
        while (order := pipe.recv()) is not None:
            how, texts, rate = order
            pipe.send(([], resident_mib()) if how == "memory" else _timed(asked, how, texts, rate))


def _timed(asked: Asked, how: str, texts: Sequence[str], rate: float) -> tuple[list[float], float]:
    prepared = [asked.prepare(text) for text in texts]

    def one(item: Any) -> float:
        began = time.perf_counter()
        asked.ask(item)
        return time.perf_counter() - began

    began = time.perf_counter()
    if how == "alone":
        return [one(item) for item in prepared], time.perf_counter() - began
    with ThreadPoolExecutor(IN_FLIGHT if how == "flood" else 256) as pool:
        latencies = list(pool.map(one, prepared)) if how == "flood" else _arriving(pool, one, prepared, rate)
    return latencies, time.perf_counter() - began


def _arriving(pool: ThreadPoolExecutor, one: Callable[[Any], float], items: Sequence[Any], rate: float) -> list[float]:
    """Ask one by one at random, `rate` a second on the average, whether those before are answered or not."""
    chance, due, coming = random.Random(0), time.perf_counter(), []
    for item in items:
        due += chance.expovariate(rate)
        time.sleep(max(0.0, due - time.perf_counter()))
        coming.append(pool.submit(one, item))
    return [each.result() for each in coming]


def _tokens(texts: Sequence[str], version: Path) -> list[int]:
    from model.serving.classifier import load

    classifier = load(version, device="cpu")
    return [min(len(text.ids), classifier.max_tokens) for text in classifier.encode(texts)]


def _flop(tokens: int, config: dict[str, Any]) -> float:
    """Return the multiplications and additions that one text of so many tokens needs.

    See Kaplan et al. 2020 (arXiv 2001.08361), table 1. Of the last layer only what leads to the first token, and attention,
    are counted as they must be done.
    """
    width, layers, inner = config["hidden_size"], config["num_hidden_layers"], config["intermediate_size"]
    layer = 2 * tokens * (4 * width**2 + 2 * width * inner) + 4 * tokens**2 * width
    last = 2 * (tokens * 2 * width**2 + 2 * width**2 + 2 * width * inner) + 4 * tokens * width
    return float((layers - 1) * layer + last + 2 * width**2)


def _peaks(config: dict[str, Any]) -> dict[str, float]:
    """Return the operations a second of ONNX Runtime's fastest matrix product of this shape here, in fp32 and int8."""
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    rows, width, inner = 512, config["hidden_size"], config["intermediate_size"]
    kinds = {"fp32": ("MatMul", np.float32, TensorProto.FLOAT), "int8": ("MatMulInteger", np.uint8, TensorProto.INT32)}
    peaks = {}
    for name, (operator, activation, result) in kinds.items():
        weights = np.ones((width, inner), np.float32 if name == "fp32" else np.int8)
        given = helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(np.dtype(activation)), [rows, width])
        made = helper.make_tensor_value_info("y", result, [rows, inner])
        node = helper.make_node(operator, ["x", "w"], ["y"])
        graph = helper.make_graph([node], "product", [given], [made], [numpy_helper.from_array(weights, "w")])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        x = np.ones((rows, width), activation)
        seconds = []
        for _ in range(60):
            began = time.perf_counter()
            session.run(None, {"x": x})
            seconds.append(time.perf_counter() - began)
        peaks[name] = 2 * rows * width * inner / min(seconds)
    return peaks
