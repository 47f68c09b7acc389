"""The trainer's keeper of runs: the first version is tried again when there is hope, and nothing of it is silent."""

import itertools
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from model.errors import BaseUnavailable
from model.learning.retraining import run_training
from model.schema import Run
from model.store.database import now
from model.store.store import RETRY_FIRST_AFTER_S, Store
from model.store.tables import runs
from tests.broker import broker
from tests.town import publish_version
from worker.app import TRAINING
from worker.settings import WorkerSettings
from worker.tasks import TrainerContext
from worker.trainer import ASK_AFTER_S, ASK_AT_LEAST_EVERY_S, RunKeeper

NO_HUB = "is not on this machine"


class Hub:
    """Has the base or not, and counts how often it is asked."""

    def __init__(self) -> None:
        self.has_it = False
        self.asked = 0

    def require(self, base: str) -> None:
        self.asked += 1
        if not self.has_it:
            raise BaseUnavailable(f"{base!r} {NO_HUB}")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.moment = 1000.0

    def __call__(self) -> float:
        return self.moment


class Trainer:
    """A keeper with its hub, its clock and its queue."""

    def __init__(self, store: Store, redis_url: str) -> None:
        self.store = store
        self.redis_url = redis_url
        self.hub = Hub()
        self.clock = Clock()
        self.start()

    def start(self) -> None:
        """As if the process were started anew."""
        settings = WorkerSettings(redis_url=self.redis_url, base="quien/su-modelo")
        self.keeper = RunKeeper(TrainerContext(settings, self.store), require=self.hub.require, clock=self.clock)

    def queued(self) -> int:
        """How many trainings were sent to the queue since the last time."""
        with redis.Redis.from_url(self.redis_url) as client:
            count = sum(client.llen(name) for name in client.keys(f"{TRAINING}*"))
            client.flushdb()
        return count

    def newest(self) -> Run:
        run = self.store.runs.last()
        assert run is not None
        return run

    def fail(self, failure: str, error: str = "no room on the disk") -> None:
        """The newest run is taken up, and fails."""
        run_id = self.newest().id
        assert self.store.runs.start(run_id, "somebody") is not None
        assert self.store.runs.close(run_id, "somebody", "failed", error=error, failure=failure)

    def pass_since_failure(self, seconds: float) -> None:
        """The newest run failed so long ago."""
        with self.store.database.writing() as connection:
            at = now() - timedelta(seconds=seconds)
            connection.execute(runs.update().where(runs.c.id == self.newest().id).values(beat_at=at))


@pytest.fixture
def trainer(tmp_path: Path, migrated_file: Path, redis_url: str) -> Iterator[Trainer]:
    url = redis_url.removesuffix("/0") + "/7"
    (tmp_path / "beto.db").write_bytes(migrated_file.read_bytes())
    store = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path)
    made = Trainer(store, url)
    made.queued()
    with broker(url):
        yield made
    store.close()


def test_without_a_version_the_first_look_sends_one_training_and_no_more(trainer: Trainer) -> None:
    """The first start needs nobody."""
    for _ in range(3):
        trainer.keeper.look()
    assert trainer.queued() == 1
    assert trainer.newest().status == "queued"


def test_a_base_that_cannot_be_had_is_asked_for_again_and_again_without_new_runs(
    trainer: Trainer, caplog: pytest.LogCaptureFixture
) -> None:
    """A hub that is away for a weekend must neither be hammered nor fill the list of runs; the log says each time."""
    trainer.keeper.look()
    trainer.fail("base", NO_HUB)
    run = trainer.newest()
    asked_at = []
    with caplog.at_level(logging.INFO):
        for _ in range(3600):
            before = trainer.hub.asked
            trainer.keeper.look()
            if trainer.hub.asked > before:
                asked_at.append(trainer.clock.moment)
            trainer.clock.moment += 1
    assert trainer.newest() == run
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked_at)]
    assert pauses[:3] == [ASK_AFTER_S, 2 * ASK_AFTER_S, 4 * ASK_AFTER_S]
    assert set(pauses[6:]) == {ASK_AT_LEAST_EVERY_S}
    waiting = [record.message for record in caplog.records if record.message.startswith("the first version waits for its base")]
    assert len(waiting) == len(asked_at)
    told = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert told == [f"the first training failed, it is tried again as soon as the base can be had: {NO_HUB}"]


def test_as_soon_as_the_base_can_be_had_the_first_version_is_trained(trainer: Trainer) -> None:
    """Whoever opened the firewall need not know that something has to be started again."""
    trainer.keeper.look()
    trainer.fail("base", NO_HUB)
    failed = trainer.newest().id
    trainer.queued()
    trainer.keeper.look()
    trainer.hub.has_it = True
    trainer.clock.moment += ASK_AT_LEAST_EVERY_S
    trainer.keeper.look()
    assert trainer.newest().id == failed + 1
    assert trainer.queued() == 1


def test_another_failure_is_tried_again_a_few_times_and_then_left_to_people(
    trainer: Trainer, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk may pass; a training that dies of its data every time must not keep a machine busy for ever."""
    trainer.keeper.look()
    for after_s in RETRY_FIRST_AFTER_S:
        trainer.fail("other")
        failed = trainer.newest().id
        trainer.pass_since_failure(after_s - 5)
        trainer.keeper.look()
        assert trainer.newest().id == failed, "too early"
        trainer.pass_since_failure(after_s + 1)
        trainer.keeper.look()
        assert trainer.newest().id == failed + 1
    trainer.fail("killed")
    last = trainer.newest().id
    trainer.pass_since_failure(10 * max(RETRY_FIRST_AFTER_S))
    trainer.keeper.look()
    assert trainer.newest().id == last
    assert trainer.hub.asked == 0
    told = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == len(RETRY_FIRST_AFTER_S) + 1
    assert re.match(r"the first training failed, it is tried again at \d\d:\d\d UTC: no room on the disk", told[0])
    assert "it is not tried again by itself: start the trainer again" in told[-1]


@pytest.mark.parametrize("failure", ["base", "other"])
def test_a_trainer_that_is_started_again_tries_at_once(trainer: Trainer, failure: str) -> None:
    """Whoever has changed BETO_BASE starts it again, and wants to see."""
    for _ in range(len(RETRY_FIRST_AFTER_S) + 1):
        trainer.start()
        trainer.keeper.look()
        trainer.fail(failure)
    trainer.queued()
    trainer.start()
    trainer.keeper.look()
    assert trainer.newest().status == "queued"
    assert trainer.queued() == 1


def test_a_rehearsal_makes_no_first_version_and_the_next_look_trains_one(trainer: Trainer) -> None:
    """`/beto reentrena --prueba` on the first day."""
    run_id, _ = trainer.store.runs.open("U1", dry=True)
    trainer.keeper.look()
    trainer.store.runs.start(run_id, "somebody")
    trainer.store.runs.close(run_id, "somebody", "done")
    trainer.keeper.look()
    assert trainer.newest().id == run_id + 1
    assert trainer.newest().dry is False


def test_where_a_version_is_live_nothing_is_tried(trainer: Trainer, trained_version: Path) -> None:
    """A failed retraining is somebody's who asked for it, and is told there."""
    trainer.keeper.look()
    trainer.fail("other")
    publish_version(trainer.store, trained_version)
    trainer.start()
    trainer.pass_since_failure(10 * max(RETRY_FIRST_AFTER_S))
    trainer.keeper.look()
    assert trainer.newest().status == "failed"


def test_a_training_without_its_base_fails_before_it_reads_anything_and_says_of_what_kind_it_was(trainer: Trainer) -> None:
    """A clear sentence after a moment, not after minutes of preparing."""
    run_id, _ = trainer.store.runs.open("beto")
    settings = WorkerSettings(redis_url=trainer.redis_url, base="./no-such-folder")
    run_training(trainer.store, settings, run_id)
    run = trainer.newest()
    assert (run.status, run.failure) == ("failed", "base")
    assert "is no checkpoint" in str(run.error)
    assert not list(trainer.store.registry.run_directory(run_id).glob("*.jsonl"))
