"""One training at a time, owned by one process, never "training" for ever, told once."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from model.errors import RunCancelled, RunLost
from model.schema import Decided, Progress
from model.store import runs as module
from model.store.outbox_row import State, picture_key, report_key, status_key
from model.store.runs import MOST_ATTEMPTS, Runs, owner_name, process_ids_of
from model.store.store import Store
from tests.outbox_rows import a_report


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


def test_a_run_is_told_by_rows_that_come_with_it(store: Store) -> None:
    """Whoever dies between asking for a run and telling of it, the sweep tells; and a click finds the run by what was told."""
    runs, outbox, owner = store.runs, store.outbox, owner_name()
    run_id, _ = runs.open("U1", channel="C1")
    assert [row.key for row in outbox.overdue()] == [status_key(run_id)]
    claim = outbox.claim(status_key(run_id), "test", 60)
    assert claim is not None
    outbox.record(claim.row.key, "test", wanted=1, state=State.DUE, ts="1.1", retry_in_s=3)
    assert runs.get(run_id).status_ts == "1.1"
    runs.start(run_id, owner)
    assert outbox.get(report_key(run_id)) is None
    assert runs.close(run_id, owner, "done", report=a_report(1))
    for key in (picture_key(run_id), report_key(run_id)):
        assert outbox.claim(key, "test", 60) is not None
    outbox.record(report_key(run_id), "test", wanted=1, ts="1.2")
    for ts in ("1.1", "1.2"):
        assert runs.shown_at("C1", ts).id == run_id
    assert runs.shown_at("C2", "1.2") is None


def test_a_decision_under_a_report_makes_it_due(store: Store) -> None:
    """The report says who put the version to work, also where the bot process dies on the way."""
    runs, outbox, owner = store.runs, store.outbox, owner_name()
    run_id, _ = runs.open("U1", channel="C1")
    runs.start(run_id, owner)
    runs.close(run_id, owner, "done", report=a_report(1))
    for key in (status_key(run_id), report_key(run_id)):
        outbox.claim(key, "test", 60)
        outbox.record(key, "test", wanted=1, ts="1.1")
    runs.decide(run_id, "promoted", "U2")
    assert runs.get(run_id).decided == Decided("promoted", "U2")
    assert [outbox.get(key).state for key in (status_key(run_id), report_key(run_id))] == [State.DUE, State.DUE]


def test_a_run_that_nobody_is_to_be_told_of_is_told_to_nobody(store: Store) -> None:
    """The first version's training shows nowhere."""
    run_id, _ = store.runs.open("beto")
    owner = owner_name()
    store.runs.start(run_id, owner)
    store.runs.close(run_id, owner, "done", report=a_report(1))
    assert store.outbox.overdue() == []
