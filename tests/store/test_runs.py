"""One training at a time, owned by one process, never "training" for ever, told once."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from model.errors import RunCancelled, RunLost
from model.schema import Progress
from model.store import runs as module
from model.store.runs import MOST_ATTEMPTS, Runs, owner_name, process_ids_of
from model.store.store import Store


@pytest.fixture
def runs(store: Store) -> Runs:
    return store.runs


def dead_owner() -> str:
    """A process of this machine that has ended."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return f"{process_ids_of()}/{pid}/x"


def test_one_training_runs_at_a_time(runs: Runs) -> None:
    """Two trainings at once would halve the machine and race for the next version's number."""
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda n: runs.open(f"U{n}"), range(4)))
    assert len({run_id for run_id, _ in opened}) == 1
    assert sum(new for _, new in opened) == 1
    run_id, owner = opened[0][0], owner_name()
    assert runs.start(run_id, owner)
    assert runs.start(run_id, owner_name()) is None  # a redelivered task recognises itself
    runs.beat(run_id, owner, Progress(stage="training", step=3, steps=10, loss=0.5))
    assert runs.get(run_id).progress.step == 3
    assert runs.close(run_id, owner, "done")
    assert runs.get(run_id).status == "done"
    assert runs.start(run_id, owner_name()) is None
    assert runs.open("U1")[1]


def test_a_run_of_a_dead_process_is_taken_over(runs: Runs) -> None:
    """A killed trainer's successor goes on with its run."""
    run_id, _ = runs.open("U1")
    runs.start(run_id, dead_owner())
    assert runs.abandoned() == [run_id]
    assert runs.start(run_id, owner_name()).attempts == 2
    assert runs.abandoned() == []


@pytest.mark.parametrize("elsewhere", ["a host of our name", "a container on this machine"])
def test_who_has_process_ids_of_their_own_is_not_taken_for_dead(runs: Runs, elsewhere: str) -> None:
    """Two containers may have one hostname; each would see the other's process id unused, and take its training away."""
    dead = dead_owner()
    ids_of, rest = dead.split("/", 1)
    boot = ids_of.split(".")[0]
    owner = f"{socket.gethostname()}/{rest}" if elsewhere == "a host of our name" else f"{boot}.1/{rest}"
    run_id, _ = runs.open("U1")
    assert runs.start(run_id, owner)
    assert runs.abandoned() == []
    assert runs.start(run_id, owner_name()) is None


def test_a_run_that_is_silent_for_long_is_taken_over(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another machine nobody can see whether a process lives; a frozen one that wakes up finds its run gone."""
    run_id, _ = runs.open("U1")
    frozen = "elsewhere/1/x"
    runs.start(run_id, frozen)
    assert runs.abandoned() == []
    monkeypatch.setattr(module, "SILENT_S", -1.0)
    assert runs.abandoned() == [run_id]
    monkeypatch.undo()
    assert runs.start(run_id, owner_name())
    with pytest.raises(RunLost):
        runs.beat(run_id, frozen)
    assert not runs.close(run_id, frozen, "done")


def test_a_run_that_always_dies_is_closed_as_failed(runs: Runs) -> None:
    """Else it would be begun again for ever, and block every later run."""
    run_id, _ = runs.open("U1")
    for _ in range(MOST_ATTEMPTS):
        assert runs.start(run_id, dead_owner())
        found = runs.abandoned()
    assert found == []
    run = runs.get(run_id)
    assert run.status == "failed"
    assert "without a word 3 times" in run.error
    assert runs.open("U1")[1]


def test_a_run_that_is_handed_back_is_taken_up_at_once_and_is_no_attempt(runs: Runs) -> None:
    """Somebody restarts the trainer: that is nobody's fault."""
    run_id, _ = runs.open("U1")
    for _ in range(MOST_ATTEMPTS + 1):
        owner = owner_name()
        assert runs.start(run_id, owner)
        runs.hand_back(run_id, owner)
        assert runs.abandoned() == [run_id]
    assert runs.get(run_id).attempts == 0


def test_a_task_that_was_lost_with_redis_is_sent_again(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, _ = runs.open("U1")
    assert runs.abandoned() == []
    monkeypatch.setattr(module, "SILENT_S", -1.0)
    assert runs.abandoned() == [run_id]
    assert runs.get(run_id).status == "queued"


def test_cancelling_ends_a_waiting_run_at_once_and_a_running_one_at_its_next_sign(runs: Runs) -> None:
    waiting, _ = runs.open("U1")
    assert runs.cancel(waiting, "U2")
    assert runs.get(waiting).status == "cancelled"
    assert not runs.cancel(waiting, "U2")
    running, _ = runs.open("U1")
    owner = owner_name()
    runs.start(running, owner)
    assert runs.cancel(running, "U2")
    assert runs.get(running).status == "running"
    with pytest.raises(RunCancelled):
        runs.beat(running, owner)
    assert runs.close(running, owner, "cancelled")


def test_a_cancelled_run_whose_process_died_is_cancelled(runs: Runs) -> None:
    run_id, _ = runs.open("U1")
    runs.start(run_id, dead_owner())
    runs.cancel(run_id, "U2")
    assert runs.abandoned() == []
    assert runs.get(run_id).status == "cancelled"


def test_one_chain_tells_of_a_run_until_all_is_told(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two would draw the same message in turns."""
    run_id, _ = runs.open("U1", channel="C1")
    assert runs.unwatched() == [run_id]
    token = runs.watch(run_id)
    assert runs.watch(run_id) is None
    assert runs.look(run_id, token)
    assert runs.look(run_id, "another") is None
    monkeypatch.setattr(module, "UNWATCHED_S", -1.0)  # its process died
    assert runs.unwatched() == [run_id]
    second = runs.watch(run_id)
    assert runs.look(run_id, token) is None
    assert runs.look(run_id, second)
    runs.note_told(run_id, "1.2")
    assert runs.look(run_id, second) is None
    assert runs.unwatched() == []
    assert runs.shown_at("C1", "1.2").id == run_id


def test_a_run_that_nobody_is_to_be_told_of_is_told_to_nobody(runs: Runs) -> None:
    """The first version's training shows nowhere."""
    runs.open("beto")
    assert runs.unwatched() == []
