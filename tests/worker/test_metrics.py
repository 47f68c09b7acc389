"""The page that Prometheus scrapes, and what it costs when it is asked all the time."""

import threading
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.parser import text_string_to_metric_families

from bot.local.ports import free_port
from model.errors import StoreUnavailable
from model.store.inventory import Figures, Inventory
from model.store.store import Store
from worker import health, metrics
from worker.inventory import LOOK_EVERY_S, InventoryCollector


class Counted(Inventory):
    """Counts how often the database is asked."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.database)
        self.reads = 0
        self.away = False
        self.hangs: threading.Event | None = None

    def read(self) -> Figures:
        self.reads += 1
        if self.hangs is not None:
            self.hangs.wait(30)
        if self.away:
            raise StoreUnavailable("the database does not answer")
        return super().read()


class Watched:
    """A collector over a store, with a clock that tests turn."""

    def __init__(self, store: Store) -> None:
        self.inventory = Counted(store)
        self.time_s = 0.0
        self.redis_away = False
        self.collector = InventoryCollector(self.inventory, ("inference",), length=self.length, clock=lambda: self.time_s)

    def length(self, queue: str) -> int:
        if self.redis_away:
            raise ConnectionError("refused")
        return len(queue)

    def scrape(self) -> dict[str, float]:
        return {
            sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
            for family in self.collector.collect()
            for sample in family.samples
        }


@pytest.fixture
def watched(store: Store) -> Watched:
    return Watched(store)


def test_who_scrapes_every_moment_asks_the_database_once_in_a_while(watched: Watched) -> None:
    """Two Prometheus servers and somebody's `watch curl` must not be work for the database."""
    for _ in range(50):
        shown = watched.scrape()
    assert watched.inventory.reads == 1
    assert shown["beto_queue_tasks inference"] == len("inference")
    assert (shown["beto_database_up"], shown["beto_redis_up"], shown["beto_messages"]) == (1, 1, 0)
    watched.time_s += LOOK_EVERY_S
    watched.scrape()
    assert watched.inventory.reads == 2


def test_what_cannot_be_known_is_not_shown(watched: Watched) -> None:
    """Figures of an hour ago look as if all were well."""
    watched.scrape()
    watched.time_s += LOOK_EVERY_S
    watched.inventory.away = True
    assert watched.scrape() == {"beto_database_up": 0, "beto_redis_up": 1, "beto_queue_tasks inference": 9}
    watched.time_s += LOOK_EVERY_S
    watched.inventory.away, watched.redis_away = False, True
    shown = watched.scrape()
    assert (shown["beto_database_up"], shown["beto_redis_up"]) == (1, 0)
    assert "beto_queue_tasks inference" not in shown


def test_a_database_that_hangs_holds_up_no_scrape(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that does not answer would look like a process that is down."""
    monkeypatch.setattr("worker.inventory.LOOK_WITHIN_S", 0.01)
    watched.inventory.hangs = threading.Event()
    for _ in range(3):
        watched.time_s += LOOK_EVERY_S
        watched.scrape()
    assert watched.inventory.reads == 1  # nor is it asked again meanwhile
    watched.inventory.hangs.set()
    for thread in threading.enumerate():
        if thread.name == "inventory":
            thread.join(10)


@pytest.fixture
def page() -> Iterator[str]:
    """The address of a process's page."""
    own = CollectorRegistry()
    Gauge("beto_test", "Of a test.", registry=own).set(3)
    port = free_port()
    server = health.serve(port, "worker", lambda: "something", measured=(own,))
    assert server is not None
    yield f"http://127.0.0.1:{port}/metrics"
    server.shutdown()
    server.server_close()


def test_the_page_can_be_read_by_prometheus_also_while_the_process_is_not_ready(page: str) -> None:
    """That is when somebody looks."""
    with urllib.request.urlopen(page, timeout=5) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        families = {family.name: family for family in text_string_to_metric_families(answer.read().decode())}
    assert {"beto_test", "beto_process_info", "process_resident_memory_bytes", "python_gc_collections"} <= set(families)
    assert "worker" in {sample.labels["process"] for sample in families["beto_process_info"].samples}
    openmetrics = urllib.request.Request(page, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    with urllib.request.urlopen(openmetrics, timeout=5) as answer:
        assert answer.read().endswith(b"# EOF\n")


def test_a_port_that_is_taken_is_one_clear_sentence(page: str) -> None:
    """Whoever started two processes with the same settings must see which setting that is."""
    port = int(page.split(":")[2].partition("/")[0])
    with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port} \(Address already in use\): choose another BETO_HEALTH_PORT"):
        health.serve(port, "worker", lambda: None)


def test_transactions_are_measured_once_a_database_is_watched(store: Store) -> None:
    """Whether it is slow, or waited for, decides what an operator does."""

    def seen(access: str) -> float:
        return metrics.PROCESS.get_sample_value("beto_database_seconds_count", {"access": access}) or 0.0

    metrics.watch_database(store.database)
    before = seen("read")
    store.ping()
    assert seen("read") == before + 1
    assert metrics.PROCESS.get_sample_value("beto_database_connections", {"state": "in use"}) == 0
