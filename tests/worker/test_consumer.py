"""A Celery consumer that takes nothing, and threads that have ended, are noticed: real Redis, real Celery, real processes."""

import contextlib
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from bot.local.environment import child_environment
from bot.local.ports import free_port
from bot.local.running import read_health
from model.store.store import Store
from tests.broker import broker
from tests.town import wait_until
from worker import consumer, watchdog
from worker.app import app
from worker.batcher import Batcher
from worker.consumer import Consumer, queue_length
from worker.host import Host
from worker.settings import WorkerSettings
from worker.tasks import TrainerContext
from worker.trainer import why_stuck
from worker.watchdog import Watchdog

ROOT = Path(__file__).parents[2]
PACE = 0.05  # of the product's waits


@pytest.fixture
def queue(redis_url: str) -> Iterator[str]:
    """A queue of its own, of the Redis that this process publishes to."""
    with broker(redis_url):
        yield f"test-{uuid.uuid4().hex}"


class Worker:
    """A process that consumes, and its page."""

    def __init__(self, queue: str, popen: "subprocess.Popen[bytes]", port: int) -> None:
        self.queue, self.popen, self.port = queue, popen, port

    def waits_for(self) -> str | None:
        told = read_health(self.port, "ready")
        return None if told is None else str(told["waiting_for"])

    def publish(self, seconds: float = 0.0, priority: int = 0) -> None:
        app.signature("tests.wait", (seconds,), queue=self.queue, priority=priority).apply_async()


@contextmanager
def consuming(queue: str, redis_url: str, home: Path, *, longest_task_s: float = 0.0) -> Iterator[Worker]:
    """A process consumes the queue and is ready."""
    port = free_port()
    environment = child_environment(None, BETO_HOME=str(home), BETO_REDIS_URL=redis_url, BETO_HEALTH_PORT=str(port))
    command = [sys.executable, "-P", "-m", "tests.worker.consuming", queue, str(PACE), str(longest_task_s)]
    with (home / "log").open("wb") as log:
        popen = subprocess.Popen(command, env=environment | {"PYTHONPATH": str(ROOT)}, cwd=ROOT, stdout=log, stderr=log)
    worker = Worker(queue, popen, port)
    try:
        wait_until(lambda: worker.waits_for() == "", 60, "the worker is ready")
        yield worker
    finally:
        popen.kill()
        popen.wait()


def test_a_consumer_that_takes_nothing_says_so_and_ends(queue: str, redis_url: str, tmp_path: Path) -> None:
    """Messages wait for their labels, every process is alive, and nothing ever comes: as Celery after a reconnect."""
    with consuming(queue, redis_url, tmp_path) as worker:
        worker.publish()
        wait_until(lambda: queue_length(queue) == 0, 20, "it takes its tasks")
        answered = app.control.cancel_consumer(queue, reply=True, timeout=5)
        assert "no longer consuming" in str(answered)
        for priority in (0, 9):
            worker.publish(priority=priority)
        wait_until(lambda: "none taken for" in str(worker.waits_for()), 30, "/ready says so")
        assert str(worker.waits_for()).startswith(f"2 tasks in the queue {queue}, none taken for ")
        assert worker.popen.wait(30) == watchdog.STUCK_STATUS
    with consuming(queue, redis_url, tmp_path) as worker:
        wait_until(lambda: queue_length(queue) == 0, 20, "it is started again, and takes them")


def test_an_idle_consumer_and_a_busy_one_are_well(queue: str, redis_url: str, tmp_path: Path) -> None:
    """A night without messages, and a queue that grows behind a long training, are no reason to start anew."""
    patience_s = PACE * (consumer.UNTAKEN_S + watchdog.GRACE_S)
    with consuming(queue, redis_url, tmp_path) as worker:
        with pytest.raises(subprocess.TimeoutExpired):
            worker.popen.wait(patience_s + 1)
        for _ in range(2):
            worker.publish(2 * patience_s)
        with pytest.raises(subprocess.TimeoutExpired):
            worker.popen.wait(patience_s + 1)
        assert worker.waits_for() == ""


def test_a_task_that_never_ends_is_noticed_where_none_takes_long(queue: str, redis_url: str, tmp_path: Path) -> None:
    """A call into a library that hangs holds its thread for ever; the tasks behind it wait for ever too."""
    with consuming(queue, redis_url, tmp_path, longest_task_s=PACE * consumer.UNTAKEN_S) as worker:
        for _ in range(3):
            worker.publish(600)
        wait_until(lambda: "none taken for" in str(worker.waits_for()), 30, "/ready says so")
        assert worker.popen.wait(30) == watchdog.STUCK_STATUS


def test_a_redis_that_is_away_is_told_and_waited_for(queue: str) -> None:
    """What waits cannot be known then; once it is back, Celery has its time to find the way."""
    time_s = 0.0
    watched = Consumer(queue, clock=lambda: time_s)
    app.signature("tests.wait", (0,), queue=queue).apply_async()
    with broker(f"redis://127.0.0.1:{free_port()}/0"):
        for time_s in (0, 2 * consumer.UNTAKEN_S):  # noqa: B007 - the clock reads it
            assert watched.look() is None
            assert watched.why_not_ready() == "Redis"
    time_s += consumer.UNTAKEN_S - 1
    assert watched.look() is None
    assert watched.why_not_ready() is None
    time_s += 1
    assert watched.look() == f"1 tasks in the queue {queue}, none taken for 60 s"


def connections(redis_url: str) -> int:
    """Count what this process has open to Redis: others use the same one."""
    port = urlsplit(redis_url).port
    return sum(bool(each.raddr) and each.raddr.port == port for each in psutil.Process().net_connections())


def test_the_tasks_of_all_priorities_count(queue: str, redis_url: str) -> None:
    """A channel that floods waits in lists of its own, and asking leaves no connection behind."""
    for priority in (0, 3, 6, 9):
        app.signature("tests.wait", (0,), queue=queue, priority=priority).apply_async()
    before = connections(redis_url)
    assert [queue_length(queue) for _ in range(5)] == [4] * 5
    assert connections(redis_url) <= before
    assert queue_length(f"{queue}-empty") == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_batcher_whose_thread_has_ended_is_noticed(store: Store, tmp_path: Path) -> None:
    """Every task would wait for its answer until it gives up, and the next one too."""

    def end(_: object) -> list[int]:
        raise SystemExit

    batcher: Batcher[int, int] = Batcher(end, budget=1)
    assert batcher.ended_threads == 0
    with pytest.raises(TimeoutError):
        batcher.ask(1, 0.2)
    wait_until(lambda: batcher.ended_threads == 1, 10, "its end is seen")
    batcher.close()
    assert batcher.ended_threads == 0  # it was told to


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_host_whose_watcher_has_ended_is_noticed(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would serve an old version for ever."""
    host = Host(store, WorkerSettings(home=tmp_path))
    assert host.why_stuck() is None  # not started yet
    monkeypatch.setattr(host, "_take_up_live", sys.exit)
    host.start()
    wait_until(lambda: host.why_stuck() == "the ended thread that looks which version is live", 10, "its end is seen")
    host.close()
    assert host.why_stuck() is None


def test_a_training_without_heartbeat_and_a_keeper_that_ended_are_noticed(store: Store, tmp_path: Path) -> None:
    """Another trainer would take the run over while the first is at it; and nobody would train what is due."""
    context = TrainerContext(WorkerSettings(home=tmp_path), store)
    over = threading.Event()
    keeper = threading.Thread(target=over.wait, name="runs")
    assert why_stuck(context, keeper, busy=False) is None  # not started yet
    keeper.start()
    run_id, _ = store.runs.open("U1")
    assert store.runs.start(run_id, "somebody")
    assert why_stuck(context, keeper, busy=True) is None
    silence(store, run_id)
    assert why_stuck(context, keeper, busy=False) is None  # not ours
    assert str(why_stuck(context, keeper, busy=True)).startswith(f"the heartbeat of run {run_id}, which came last 9")
    over.set()
    keeper.join()
    assert why_stuck(context, keeper, busy=False) == "the ended thread that looks after runs"


def silence(store: Store, run_id: int) -> None:
    """The run's heartbeat came last ninety seconds ago."""
    from datetime import timedelta

    from model.store.database import now
    from model.store.tables import runs

    with store.database.writing() as connection:
        connection.execute(runs.update().where(runs.c.id == run_id).values(beat_at=now() - timedelta(seconds=90)))


class Dog:
    """A watchdog of a process that this test is the end of."""

    def __init__(self, why: Callable[[], str | None]) -> None:
        self.ended: list[int] = []
        self.dog = Watchdog(why, end=self.ended.append)


def test_a_reason_that_passes_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries mend most of it within seconds: a watchdog that bites sooner fights them (hermes-agent#39988)."""
    monkeypatch.setattr(watchdog, "GRACE_S", 0.4)
    looks: list[Any] = ["deaf", "deaf", None] * 5
    dog = Dog(lambda: looks.pop() if looks else None)
    dog.dog.start()
    wait_until(lambda: not looks, 20, "all is looked at")
    dog.dog.stop()
    assert dog.ended == []


def test_a_look_that_fails_is_no_reason(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The thread must live to look again."""
    monkeypatch.setattr(watchdog, "GRACE_S", 0.1)
    looks = iter([None])

    def why() -> str | None:
        with contextlib.suppress(StopIteration):
            next(looks)
            raise ValueError("cannot see")
        return "deaf"

    dog = Dog(why)
    dog.dog.start()
    wait_until(lambda: dog.ended, 20, "it ends later")
    assert dog.ended == [watchdog.STUCK_STATUS]
    assert "cannot see whether the process is stuck" in caplog.text
