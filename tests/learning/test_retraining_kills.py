"""Trainers that die at any moment: the live version changes by a verdict alone, and no half version is ever listed.

`BETO_KILLS=20 pytest -s tests/learning/test_retraining_kills.py` is the long form.
"""

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
from celery import Celery
from sqlalchemy import select

from bot.local.environment import child_environment
from bot.local.supervisor import Process, Supervisor
from model.schema import Example
from model.serving.version_folder import verify
from model.settings import ModelSettings
from model.store.store import Store
from model.store.tables import promotions
from model.text_key import text_key
from tests.learning.cheques import CORRECTED
from tests.terminal import family
from tests.town import publish_version, supervised, wait_until

KILLS = int(os.environ.get("BETO_KILLS", "2"))
# What is learnt is not what this is about: a training ends after so many minutes, and processes die within so many seconds.
SHORT_MIN, DIES_WITHIN_S = 0.1, 12
TRAINED_WITHIN_S = 600


@pytest.fixture
def settings(tmp_path: Path) -> ModelSettings:
    return ModelSettings(home=tmp_path, database_url="", base="mini")


@pytest.fixture
def store(settings: ModelSettings) -> Store:
    store = Store(settings.store_url, settings.home_folder)
    store.migrate()
    return store


class School:
    """Two trainers, as somebody may start them by mistake, on one queue; and lessons to send to them."""

    def __init__(self, machine: Supervisor, store: Store, redis_url: str) -> None:
        self.store = store
        self.runs = store.runs
        self.registry = store.registry
        self.queue = Celery("school", broker=redis_url)
        self.trainers: list[Process] = [machine.start("trainer", "trainer"), machine.start("trainer", "trainer")]
        for trainer in self.trainers:
            machine.wait_ready(trainer, 60)
        self._taught = 0

    def keep_a_run_open(self) -> None:
        """There is a run under way, with something new to learn."""
        last = self.runs.last()
        if last is not None and not last.over:
            return
        text = CORRECTED[self._taught % len(CORRECTED)]
        self._taught += 1
        self.store.examples.save([(text_key(text), Example(text=text, labels=("cuenta",)))])
        run_id, _ = self.runs.open("U1")
        self.queue.send_task("worker.train", args=(run_id,), queue="training")

    def check(self) -> None:
        """Every listed version is whole, and its run made no other."""
        versions = self.registry.all()
        for version in versions:
            assert verify(version.folder).version == version.number
        assert self.registry.live() is not None

    def pids(self) -> list[int]:
        """Of both trainers and of their children, which train."""
        alive = [trainer.popen.pid for trainer in self.trainers if trainer.popen is not None and trainer.popen.poll() is None]
        return [found for pid in alive for found in [pid, *sorted(family(pid) - {pid})]]


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_trainers_that_are_killed_at_random_moments_leave_a_sound_registry(
    settings: ModelSettings, store: Store, trained_version: Path
) -> None:
    """Power cuts, the kernel's hunger for memory, impatient operators."""
    rng = random.Random(int(os.environ.get("BETO_SEED", "0")))
    publish_version(store, trained_version)
    short = {"BETO_BASE": "mini", "BETO_TRAIN_WITHIN_MIN": str(SHORT_MIN)}
    environment = child_environment(None, BETO_HOME=str(settings.home_folder), BETO_DATABASE_URL="", **short)
    with Supervisor(settings.home_folder, environment) as machine:
        url = machine.environment["BETO_REDIS_URL"] = machine.start_redis()
        redis = machine.processes[0]
        school = School(machine, store, url)
        with supervised(machine):
            moments = []
            for number in range(KILLS):
                school.keep_a_run_open()
                time.sleep(rng.uniform(0.5, DIES_WITHIN_S))
                progress = school.runs.last().progress
                moments.append(progress.stage if progress else "queued")
                # The process that trains, the one that started it, or all at once; and Redis, which carries the task.
                pids = school.pids()
                for pid in rng.choice([pids[:1], pids[-1:], pids]):
                    kill(pid)
                if number % 5 == 1:
                    kill(redis.popen.pid)
                school.check()
            school.keep_a_run_open()
            wait_until(lambda: school.runs.last().over, TRAINED_WITHIN_S, "the last run is over")
            school.check()
            wait_until(lambda: not list(school.registry.versions_folder.glob("run-*")), 10, "nothing half made is left")
        with store.database.reading() as connection:
            promoted = list(connection.execute(select(promotions.c.version).order_by(promotions.c.id)).scalars())
        runs = [school.runs.get(run_id) for run_id in range(1, school.runs.last().id + 1)]
        verdicts = {run.report.version: run.report.verdict for run in runs if run.report}
        assert promoted[0] == 1
        assert all(verdicts[number].promote for number in promoted[1:])
        assert {run.status for run in runs} <= {"done", "failed"}
        assert runs[-1].status == "done"
        print(f"\n{KILLS} kills while {', '.join(moments)}")
        print(
            f"runs: {', '.join(run.status for run in runs)}; versions: {len(school.registry.all())}, all whole; live: {promoted}"
        )


def test_a_trainer_that_is_told_to_stop_hands_its_training_back_in_time(
    settings: ModelSettings, store: Store, trained_version: Path, tmp_path: Path
) -> None:
    """A deployment in the middle of a training: nobody waits for its end, and a stop is no death that counts against the run."""
    publish_version(store, trained_version)
    environment = child_environment(None, BETO_HOME=str(settings.home_folder), BETO_DATABASE_URL="", BETO_BASE="mini")
    with Supervisor(settings.home_folder, environment) as machine:
        url = machine.environment["BETO_REDIS_URL"] = machine.start_redis()
        school = School(machine, store, url)
        school.keep_a_run_open()

        def is_training() -> bool:
            progress = school.runs.last().progress
            return progress is not None and progress.stage == "training"

        wait_until(is_training, 120, "the training has begun")
        stopped = [trainer.popen for trainer in school.trainers]
        for popen in stopped:
            popen.terminate()
        assert [popen.wait(20) for popen in stopped] == [0, 0]
        run = school.runs.last()
        assert (run.status, run.attempts) == ("queued", 0)
        with supervised(machine):
            wait_until(lambda: school.runs.last().status == "running", 60, "another trainer goes on")
        assert school.runs.last().attempts == 1
