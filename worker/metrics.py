"""What is measured, by Prometheus' conventions, but for what only those measure who talk to Slack (`bot.metrics`).

Each registry is shown by the processes that it means something in, on the health page's `/metrics`. No label holds a text or
the id of a person, a channel or a message: the number of series must not grow with what people do.
"""

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version

from prometheus_client import GC_COLLECTOR, CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from model.store.database import Database

# Of every process; of the worker; of the process that reads what there is (`worker.inventory`).
PROCESS = CollectorRegistry()
SERVING = CollectorRegistry()
INVENTORY = CollectorRegistry()
ProcessCollector(registry=PROCESS)
PROCESS.register(GC_COLLECTOR)

QUICK_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# From a message to what follows: half a second is usual, an hour is Slack's limits or a Redis that was away.
ARRIVAL_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)

# Every process

PROCESS_INFO = Gauge(
    "beto_process_info", "1, of the process with this name and version.", ["process", "version"], registry=PROCESS
)
TASKS = Counter("beto_tasks_total", "Celery tasks that ended, by how they ended.", ["task", "outcome"], registry=PROCESS)
TASK_SECONDS = Histogram(
    "beto_task_seconds", "Seconds that a Celery task was at work.", ["task"], registry=PROCESS, buckets=QUICK_S
)
DATABASE_WAIT_SECONDS = Histogram(
    "beto_database_wait_seconds",
    "Seconds until a transaction had its connection and, on SQLite, its turn.",
    ["access"],
    registry=PROCESS,
    buckets=QUICK_S,
)
DATABASE_SECONDS = Histogram(
    "beto_database_seconds",
    "Seconds that a transaction took once it had begun.",
    ["access"],
    registry=PROCESS,
    buckets=QUICK_S,
)
DATABASE_CONNECTIONS = Gauge(
    "beto_database_connections", "Connections of this process's pool, in use and idle.", ["state"], registry=PROCESS
)

# The worker

PREDICTED_SECONDS = Histogram(
    "beto_message_predicted_seconds",
    "Seconds from a message being saved to its first prediction being saved.",
    registry=SERVING,
    buckets=ARRIVAL_S,
)
PREDICTIONS = Counter("beto_predictions_total", "Predictions that were saved.", registry=SERVING)
BATCH_MESSAGES = Histogram(
    "beto_batch_messages", "Messages in one pass through the network.", registry=SERVING, buckets=(1, 2, 4, 8, 16, 32, 64, 128)
)
BATCH_TOKENS = Histogram(
    "beto_batch_tokens",
    "Tokens in one pass through the network.",
    registry=SERVING,
    buckets=(16, 32, 64, 128, 256, 512, 1024, 2048, 4096),
)
BATCH_SECONDS = Histogram("beto_batch_seconds", "Seconds of one pass through the network.", registry=SERVING, buckets=QUICK_S)
NETWORK_CPU_SECONDS = Counter(
    "beto_network_cpu_seconds_total", "Seconds of the processor that passes through the network took.", registry=SERVING
)
VERSION = Gauge("beto_version", "Number of the version in memory; 0: none yet.", registry=SERVING)
CORRECTIONS = Gauge("beto_corrections", "Corrections in effect beyond what the version has learnt.", registry=SERVING)

# What there is, read from database and Redis

DATABASE_UP = Gauge("beto_database_up", "1 while the database answers, 0 while it does not.", registry=INVENTORY)
REDIS_UP = Gauge("beto_redis_up", "1 while Redis answers, 0 while it does not.", registry=INVENTORY)
QUEUE_TASKS = Gauge("beto_queue_tasks", "Tasks that wait in a queue, of every priority.", ["queue"], registry=INVENTORY)
OUTBOX_ROWS = Gauge("beto_outbox_rows", "Rows of the outbox that wait for something, by state.", ["state"], registry=INVENTORY)
OUTBOX_OLDEST_SECONDS = Gauge(
    "beto_outbox_oldest_seconds",
    "Age of the oldest message that has no reply yet, by what its reply waits for; 0: none waits.",
    ["state"],
    registry=INVENTORY,
)
MESSAGES = Gauge("beto_messages", "Messages that are stored.", registry=INVENTORY)
GESTURES = Gauge("beto_gestures", "Gestures that are stored, from which judgements follow.", registry=INVENTORY)
GESTURES_UNTRAINED = Gauge(
    "beto_gestures_untrained", "Gestures since the last run that made a version was asked for.", registry=INVENTORY
)
WORKERS = Gauge("beto_workers", "Workers that gave a sign of life lately.", registry=INVENTORY)
VERSION_LIVE = Gauge("beto_version_live", "Number of the version that was promoted last; 0: none yet.", registry=INVENTORY)
WORKERS_BEHIND = Gauge("beto_workers_behind", "Living workers that serve another version than the live one.", registry=INVENTORY)
RUNS = Gauge("beto_runs", "Runs that are stored, by status.", ["status"], registry=INVENTORY)
RUNS_FAILED_IN_A_ROW = Gauge(
    "beto_runs_failed_in_a_row", "Runs that failed one after the other, the last that ended among them.", registry=INVENTORY
)
TRAINING_PROGRESS = Gauge(
    "beto_training_progress_ratio", "How far the run at work is in its present stage; absent without one.", ["stage"],
    registry=INVENTORY,
)  # fmt: skip
TRAINING_SILENCE_SECONDS = Gauge(
    "beto_training_silence_seconds", "Seconds since the run at work gave a sign of life; 0 without one.", registry=INVENTORY
)


class Collectors:
    """Several collectors as one, for a page."""

    def __init__(self, collectors: Sequence[Collector]) -> None:
        self._collectors = collectors

    def collect(self) -> Iterable[Metric]:
        """Yield what each of them has, in turn."""
        for each in self._collectors:
            yield from each.collect()


def page(collectors: Sequence[Collector], accept: str) -> tuple[str, bytes]:
    """Return content type and body of a scrape, in the format that the Accept header asks for."""
    encode, content_type = choose_encoder(accept)
    return content_type, encode(Collectors(collectors))


def introduce(process: str) -> None:
    """Say which process this is, and of which version."""
    PROCESS_INFO.labels(process, version("beto-bot")).set(1)


def watch_database(database: Database) -> None:
    """Measure each transaction of this database from now on, and show its pool."""
    waits = {access: DATABASE_WAIT_SECONDS.labels(access) for access in ("read", "write")}
    took = {access: DATABASE_SECONDS.labels(access) for access in ("read", "write")}

    def note(access: str, wait_s: float, took_s: float) -> None:
        waits[access].observe(wait_s)
        took[access].observe(took_s)

    database.on_transaction = note
    DATABASE_CONNECTIONS.labels("in use").set_function(lambda: database.connections()[0])
    DATABASE_CONNECTIONS.labels("idle").set_function(lambda: database.connections()[1])


def declared() -> Iterator[tuple[str, CollectorRegistry]]:
    """Yield each registry of this module with the processes that show it, in words."""
    yield "every", PROCESS
    yield "worker", SERVING
    yield "replies", INVENTORY
