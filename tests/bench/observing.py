"""What metrics and logs cost a message: the calls that one makes on its way, recorded, and made again very often."""

import asyncio
import logging
import statistics
import tempfile
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase
from slack_bolt.async_app import AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult

from bot import metrics as bot_metrics
from bot.local.environment import child_environment
from bot.local.supervisor import Supervisor
from bot.outbox import context as outbox
from bot.outbox.process import deliver
from bot.settings import BotSettings
from bot.simulator.pytest_plugin import SimulatorThread
from bot.slack import context as slack
from bot.slack.app import build_app
from model.labels import seed_taxonomy
from model.learning import training
from model.learning.dataset import seed_examples
from model.store.outbox_row import reply_key
from model.store.store import Store
from tests.bench.machine import machine_facts
from tests.town import publish_version
from worker import metrics
from worker.app import app
from worker.logs import CHATTY, JsonFormatter, about
from worker.process import measure_tasks
from worker.tasks import WorkerContext, classify

CHANNEL = "C0SIMUATENCION"
TEXT = "El cajero se tragó mi tarjeta de débito y no me dio la plata"

Step = Callable[[], object]


def measure(*, messages: int, rounds: int) -> dict[str, Any]:
    """Measure the microseconds that all metrics and log lines of one message take, in the three processes together."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        measured, records, transactions = _recorded(home)
        store = Store(f"sqlite:///{home / 'empty.db'}", home)
        figures = {
            "metrics_us": _us(measured, messages, rounds),
            "logs_us": _us(list(_again(records, home / "log")), messages, rounds),
            "transactions_us": _us([lambda: _timed(store)] * transactions, messages, rounds),
            "scrape_ms": round(_us([_scrape], 20, rounds) / 1000, 2),
        }
        store.close()
    result = {
        "bench": "observing",
        **machine_facts(),
        "metric_calls": len(measured),
        "log_lines": len(records),
        "transactions": transactions,
        **figures,
        "message_us": round(figures["metrics_us"] + figures["logs_us"] + figures["transactions_us"], 1),
    }
    click.echo(
        f"{len(measured)} calls of metrics {figures['metrics_us']} us, {len(records)} log lines {figures['logs_us']} us, "
        f"the clock around {transactions} transactions {figures['transactions_us']} us: {result['message_us']} us a message; "
        f"a scrape {figures['scrape_ms']} ms",
        err=True,
    )
    return result


def _us(steps: list[Step], times: int, rounds: int) -> float:
    """Return the microseconds that all steps together take: the median of the rounds, each of which makes them so many times."""
    taken = []
    for _ in range(rounds):
        began = time.thread_time()
        for _ in range(times):
            for step in steps:
                step()
        taken.append((time.thread_time() - began) / times)
    return round(statistics.median(taken) * 1e6, 1)


def _timed(store: Store) -> None:
    with store.database._timed("read") as begun:
        begun()


def _scrape() -> None:
    for registries in ((metrics.PROCESS, bot_metrics.SLACK, bot_metrics.HEARING, bot_metrics.OUTBOX), (metrics.SERVING,)):
        metrics.page(registries, "")


def _again(records: list[logging.LogRecord], file: Path) -> Iterator[Step]:
    """Yield what writes these lines once more, as our processes do."""
    handler = logging.StreamHandler(file.open("w", encoding="utf-8"))
    handler.setFormatter(JsonFormatter("bench"))
    log = logging.getLogger("bench.observing")
    log.propagate, log.handlers = False, [handler]
    log.setLevel(logging.INFO)

    def again(record: logging.LogRecord) -> None:
        with about(message_id=7):
            log.log(record.levelno, record.msg, *(record.args if isinstance(record.args, tuple) else ()))

    for record in records:
        yield lambda record=record: again(record)  # type: ignore[misc]  # mypy infers no lambda with a default


class _Noting(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)


@contextmanager
def _recording(store: Store) -> Iterator[tuple[list[Step], list[logging.LogRecord], Tally[str]]]:
    """Note every call of a metric, every line, and how many transactions there are."""
    steps: list[Step] = []
    records: list[logging.LogRecord] = []
    transactions: Tally[str] = Tally()
    handler = _Noting(records)
    kept = {(kind, name): getattr(kind, name) for kind, name in NOTED}

    def noting(method: Callable[..., Any]) -> Callable[..., Any]:
        def note(*args: Any, **named: Any) -> Any:
            steps.append(lambda: method(*args, **named))
            return method(*args, **named)

        return note

    def count(access: Any, wait_s: float, took_s: float) -> None:
        transactions[access] += 1
        observe(access, wait_s, took_s)

    observe, store.database.on_transaction = store.database.on_transaction, count
    for (kind, name), method in kept.items():
        setattr(kind, name, noting(method))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield steps, records, transactions
    finally:
        root.removeHandler(handler)
        for (kind, name), method in kept.items():
            setattr(kind, name, method)
        store.database.on_transaction = observe


NOTED: list[tuple[type, str]] = [(MetricWrapperBase, "labels"), (Counter, "inc"), (Gauge, "set"), (Histogram, "observe")]


def _recorded(home: Path) -> tuple[list[Step], list[logging.LogRecord], int]:
    """Send a message through the listener, the worker's task and the replies' task; return what was measured and logged."""
    logging.getLogger().setLevel(logging.INFO)
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    simulated = SimulatorThread(rate_limits=False)
    with Supervisor(home, child_environment(None)) as machine:
        variables: dict[str, Any] = {name.lower(): value for name, value in simulated.environment.items()}
        settings = BotSettings(home=home, redis_url=machine.start_redis(), blind_percent=0, **variables)
        store = Store(settings.store_url, home)
        store.migrate()
        data = seed_examples()
        training.train(
            data["train"][:64], data["dev"][:32], taxonomy=seed_taxonomy(), base="mini", out=home / "mini", epochs=1, home=home
        )
        publish_version(store, home / "mini")
        store.channels.set_mode(CHANNEL, "auto")
        workspace = simulated.simulator.workspace
        workspace.join(workspace.channel("atencion"), workspace.user("beto"))
        metrics.watch_database(store.database)
        measure_tasks()
        worker = WorkerContext(settings)
        worker.store = store
        worker.host.start()
        replies = outbox.build_context(settings, store, wait=lambda _: None)
        for _ in range(2):  # the first one also makes connections
            with _recording(store) as (steps, records, transactions):
                asyncio.run(_heard(settings, store, simulated))
                message_id = store.inventory.read().messages
                app.context = worker
                classify.apply(args=(message_id, 1))
                app.context = replies
                deliver.apply(args=(reply_key(message_id),))
        assert store.outbox.reply_ts(message_id) is not None
        worker.close()
    simulated.stop()
    return steps, records, transactions.total() - 1


async def _heard(settings: BotSettings, store: Store, simulated: SimulatorThread) -> None:
    async def publish(_: object) -> None:
        """Leave the queue out."""

    simulator = simulated.simulator
    context = slack.build_context(settings, store, bot_user="U0", bot_name="beto", team="T0SIMULADOR", publish=publish)
    who = AuthorizeResult(
        enterprise_id=None, team_id="T0SIMULADOR", bot_user_id="U0", bot_id="B1", bot_token=simulator.bot_token
    )  # fmt: skip
    workspace = simulator.workspace
    person, channel = workspace.user("ana"), workspace.channel("atencion")
    ts = str(workspace.post_as_person(person, channel, TEXT)["ts"])
    event = {"type": "message", "channel": CHANNEL, "user": person.id, "ts": ts, "text": TEXT, "channel_type": "channel"}
    body = {"type": "event_callback", "team_id": "T0SIMULADOR", "event_id": "Ev1", "event": event, "api_app_id": "A1"}
    answer = await build_app(context, who).async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))
    assert answer.status == 200
