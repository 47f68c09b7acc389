"""From a judgement to its effect in every worker: who fits, when, and what is served until then."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from model.judgements import Gesture, Kind
from model.learning.refit import Refitter
from model.schema import Message, Source
from model.serving.corrections import Corrections, read_corrections
from model.store.store import Store
from tests.town import publish_version, wait_until
from worker import refitting
from worker.host import Host
from worker.refitting import RefitKeeper
from worker.settings import WorkerSettings

TEXT = "mi loro perdió sus plumas"


def judge(store: Store, *labels: str, withdrawn: bool = False, ts: str = "1.1") -> None:
    store.messages.save(Message(channel="C1", ts=ts, user="U1", text=f"{TEXT} {ts}", source=Source.CHANNEL))
    at = time.time_ns() // 1000
    gesture = Gesture(user="U1", handle=f"h/{ts}", at=at, kind=Kind.SET, labels=labels, withdrawn=withdrawn)
    store.gestures.add(gesture, channel="C1", item_ts=ts)


@pytest.fixture
def number(store: Store, trained_version: Path) -> int:
    """The live version."""
    return publish_version(store, trained_version)


@pytest.fixture
def host(store: Store, tmp_path: Path, number: int) -> Iterator[Host]:
    made = Host(store, WorkerSettings(home=tmp_path, device="cpu"))
    made.start()
    wait_until(lambda: made.serving == number, 60, "the version")
    yield made
    made.close()


def look_until_calm(keeper: RefitKeeper) -> None:
    """What the keeper's thread does until nothing waits."""
    for _ in range(3):
        keeper.look()
        time.sleep(refitting.CALM_S)


def test_a_correction_counts_on_the_next_message(store: Store, number: int, host: Host) -> None:
    """From the gesture to the worker's answer, by the database alone; taken back, it counts no more."""
    keeper = RefitKeeper(store)
    before, _ = host.predict(f"{TEXT} 1.1", 30)
    judge(store, "ahorro", "urgente")
    look_until_calm(keeper)
    wait_until(lambda: host.predict(f"¡{TEXT.upper()} 1.1!", 30)[0].corrections == 1, 10, "the correction")
    after, _ = host.predict(f"¡{TEXT.upper()} 1.1!", 30)
    assert set(after.labels) == {"ahorro", "urgente"}
    assert after.version == number
    judge(store, withdrawn=True)
    look_until_calm(keeper)
    wait_until(lambda: host.predict(f"{TEXT} 1.1", 30)[0] == before, 10, "the answer as before")


def test_a_worker_that_starts_afresh_has_the_same_corrections(store: Store, tmp_path: Path, number: int) -> None:
    """The database is the truth; what a worker held in memory went with it."""
    judge(store, "ahorro")
    look_until_calm(RefitKeeper(store))
    host = Host(store, WorkerSettings(home=tmp_path, device="cpu"))
    host.start()
    wait_until(lambda: host.serving == number and host.predict(f"{TEXT} 1.1", 30)[0].corrections == 1, 60, "the correction")
    host.close()


def test_of_two_trainers_one_refits(store: Store, number: int) -> None:
    """Also where both see the judgement at the same moment."""
    judge(store, "ahorro")
    claimed = [store.refits.claim(number, store.refits.learnable(), 60) for _ in range(2)]
    assert [claim is not None for claim in claimed] == [True, False]
    keepers = [threading.Thread(target=look_until_calm, args=(RefitKeeper(store),)) for _ in range(2)]
    judge(store, "urgente", ts="2.1")
    for keeper in keepers:
        keeper.start()
    for keeper in keepers:
        keeper.join()
    newest = store.refits.newest(number)
    assert newest is not None
    assert newest.corrections == 2


def test_what_a_dead_trainer_claimed_is_made_by_another(store: Store, number: int) -> None:
    """Killed in the middle of a fit; without this nothing would count until the next judgement."""
    judge(store, "ahorro")
    assert store.refits.claim(number, store.refits.learnable(), 0.2) is not None
    keeper = RefitKeeper(store)
    look_until_calm(keeper)
    wait_until(lambda: bool(keeper.look() or store.refits.newest(number)), 30, "the refit")


def test_gestures_that_come_together_are_learnt_together(store: Store, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three labels are three gestures: one fit, once the person has finished."""
    fits: list[str] = []
    monkeypatch.setattr(RefitKeeper, "_refit", lambda _self, _version, learnt: fits.append(learnt) or True)
    keeper = RefitKeeper(store)
    look_until_calm(keeper)
    fits.clear()
    for ts in ("1.1", "2.1", "3.1"):
        judge(store, "ahorro", ts=ts)
        keeper.look()
    look_until_calm(keeper)
    assert fits == [store.refits.learnable()]


def test_only_the_newest_refit_is_kept(store: Store, number: int) -> None:
    """Each holds a lexical model, with words of texts that may have been erased since."""
    for learnt in "abcd":
        refit_id = store.refits.claim(number, learnt, 60)
        assert refit_id is not None
        store.refits.save(refit_id, learnt.encode(), corrections=1)
    assert [store.refits.corrected(refit_id) for refit_id in range(1, 5)] == [None, None, None, b"d"]


def test_texts_count_while_a_fit_takes_its_time(store: Store, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among ten thousand judged messages it takes seconds; who writes the same again waits for none of them."""
    keeper = RefitKeeper(store)
    judge(store, "ahorro")
    look_until_calm(keeper)
    monkeypatch.setattr(refitting, "LONG_S", 0.0)
    goes_on, fit = threading.Event(), Refitter.fit
    monkeypatch.setattr(Refitter, "fit", lambda refitter, reading: goes_on.wait(60) and fit(refitter, reading))

    def served() -> Corrections:
        newest = store.refits.newest(number)
        content = None if newest is None else store.refits.corrected(newest.id)
        assert content is not None
        return read_corrections(content)

    for count in (2, 3):
        judge(store, "urgente", ts=f"{count}.1")
        look_until_calm(keeper)
        assert served().judged.find(f"{TEXT} {count}.1") is not None
        assert served().count == count
    words = served().lexical
    assert words is not None
    goes_on.set()
    wait_until(lambda: bool(keeper.look() or store.refits.is_made(number, store.refits.learnable())), 60, "the last fit")
    after = served().lexical
    assert after is not None
    assert len(after.idf) > 0
    assert not np.array_equal(after.bias, words.bias)
    assert served().count == 3
