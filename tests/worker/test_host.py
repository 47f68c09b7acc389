"""The live version in memory: taken up while requests are answered, refused when it is broken."""

import functools
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.labels import LabelEvent
from model.store.store import Store
from tests.town import publish_version, wait_until
from worker.host import Host, NoVersion
from worker.settings import WorkerSettings


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    return sqlite_store


@pytest.fixture
def host(store: Store, tmp_path: Path) -> Iterator[Host]:
    made = Host(store, WorkerSettings(home=tmp_path, device="cpu"))
    made.start()
    yield made
    made.close()


@pytest.fixture
def publish(store: Store, trained_version: Path) -> Callable[..., int]:
    """A new live version at each call; its number."""
    return functools.partial(publish_version, store, trained_version)


def cut_short(folder: Path) -> None:
    """As a disk does that fills up."""
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def lose_the_card(folder: Path) -> None:
    (folder / "card.json").unlink()


def test_without_a_version_the_asker_is_told_after_his_patience(host: Host) -> None:
    """A message that comes before the first training has ended must be given back, not held for ever."""
    with pytest.raises(NoVersion, match="beto doctor"):
        host.predict("hola", 0.1)
    assert host.serving == 0


def test_a_promoted_version_is_taken_up_while_requests_are_answered(host: Host, publish: Callable[..., int]) -> None:
    """A promotion must cost nobody an answer, and whoever pressed the button stays to see it: five seconds at most."""
    first = publish()
    wait_until(lambda: host.serving, 30, "a version is in memory")
    answered: list[int] = []
    took: list[float] = []
    failed: list[BaseException] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                prediction, seconds = host.predict("perdí la tarjeta", 10)
            except BaseException as error:  # whatever it was: the test reports it
                failed.append(error)
                return
            took.append(seconds)
            answered.append(prediction.version)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    wait_until(lambda: first in answered, 10, "the first version answers")
    second = publish()
    wait_until(lambda: second in answered, 5, "the second version answers")
    stop.set()
    for asker in askers:
        asker.join(10)
    assert failed == []
    assert set(answered) == {first, second}
    assert min(took) > 0  # the seconds that the network needed


def test_a_broken_version_is_refused_aloud_and_the_last_good_one_serves(
    host: Host, store: Store, publish: Callable[..., int], caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that filled up while a version was copied must not silence the bot."""
    good = publish()
    wait_until(lambda: host.serving, 30, "a version is in memory")
    built = store.registry
    broken, third = publish(damage=cut_short), publish(damage=lose_the_card)
    assert [version.number for version in built.promoted()] == [third, broken, good]
    wait_until(lambda: f"version {third} is refused" in caplog.text, 10, "the refusal is in the log")
    wait_until(lambda: f"version {broken} is refused" in caplog.text, 10, "so is that of the one before")
    prediction, _ = host.predict("perdí la tarjeta", 10)
    assert prediction.version == host.serving == good


def test_a_worker_that_starts_finds_the_last_good_version(
    store: Store, tmp_path: Path, publish: Callable[..., int], caplog: pytest.LogCaptureFixture
) -> None:
    """After a restart there is no old version in memory to go on with."""
    good = publish()
    broken = publish(damage=cut_short)
    host = Host(store, WorkerSettings(home=tmp_path, device="cpu"))
    host.start()
    wait_until(lambda: host.serving, 30, "a version is in memory")
    assert host.serving == good
    assert f"version {broken} is refused" in caplog.text
    wait_until(store.workers.serving, 10, "the store is told")
    [told] = store.workers.serving()
    assert (told.version, told.refused) == (good, (broken,))
    host.close()


def test_a_version_that_cannot_be_loaded_is_tried_less_and_less_often_and_complained_about_once(
    store: Store, tmp_path: Path, publish: Callable[..., int], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU without room, say: a traceback and a hash of the whole folder every two seconds would fill the disk and a core."""
    from model.serving import classifier

    monkeypatch.setattr("worker.host.LOOK_EVERY_S", 0.02)
    number = publish()
    tried: list[float] = []
    load = classifier.load

    def no_room(*args: object, **named: object) -> object:
        tried.append(time.monotonic())
        if len(tried) < 6:
            raise RuntimeError("no room")
        return load(*args, **named)

    monkeypatch.setattr(classifier, "load", no_room)
    host = Host(store, WorkerSettings(home=tmp_path, device="cpu"))
    host.start()
    wait_until(lambda: host.serving == number, 30, "it is taken up when there is room")
    host.close()
    pauses = [later - sooner for sooner, later in itertools.pairwise(tried)]
    for at, pause in enumerate(pauses):
        assert pause >= 0.02 * 2**at
    [complaint] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert f"version {number} is refused" in complaint.getMessage()
    assert "RuntimeError: no room" in complaint.getMessage()
    assert complaint.exc_info is None


def test_closing_answers_what_was_asked(host: Host, publish: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is told to stop finishes what it holds."""
    from model.serving.classifier import Classifier, EncodedText

    publish()
    wait_until(lambda: host.serving, 30, "a version is in memory")
    held: list[int] = []
    go_on = threading.Event()
    predict_encoded = Classifier.predict_encoded

    def slow(self: Classifier, encoded: list[EncodedText]) -> object:
        held.append(len(encoded))
        go_on.wait(10)
        return predict_encoded(self, encoded)

    monkeypatch.setattr(Classifier, "predict_encoded", slow)
    answers: list[int] = []
    askers = [threading.Thread(target=lambda: answers.append(host.predict("hola", 10)[0].version)) for _ in range(8)]
    for asker in askers:
        asker.start()
    wait_until(lambda: held and sum(held) + len(host._batcher._waiting) == 8, 10, "all have asked")
    closing = threading.Thread(target=host.close)
    closing.start()
    assert answers == []
    go_on.set()
    for thread in (*askers, closing):
        thread.join(10)
    assert answers == [1] * 8


def test_what_the_team_prefers_holds_from_the_next_message_on(host: Host, publish: Callable[..., int], store: Store) -> None:
    """Nobody retrains to miss less fraud; and a slip in chat is undone as fast."""
    publish()
    wait_until(lambda: host.serving, 30, "a version is in memory")
    cuts = host.classifier.card.cuts["fraude"]
    assert host.classifier.thresholds["fraude"] == cuts.balance.threshold
    fraud = store.labels.recorded()["fraude"].model_copy(update={"prefer": "recall"})
    store.labels.record(LabelEvent(kind="change", name="fraude", label=fraud, at=1, by="U1"))
    wait_until(lambda: host.classifier.thresholds["fraude"] == cuts.recall.threshold, 15, "fraud is given sooner")
    assert host.classifier.thresholds["app"] == cuts.balance.threshold
    [(number, _)] = store.labels.undoable()
    store.labels.record(LabelEvent(kind="undo", undoes=number, at=2, by="U1"))
    wait_until(lambda: host.classifier.thresholds["fraude"] == cuts.balance.threshold, 15, "all is as before")
