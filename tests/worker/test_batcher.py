"""The batcher's rules."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from worker.batcher import Batcher


class Recorder:
    """Answers in upper case, remembers its batches, and can be held back or made to fail."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.began = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, items: Sequence[str]) -> list[str]:
        self.began.set()
        self.go_on.wait(10)
        self.batches.append(list(items))
        if any(item == "poison" for item in items):
            raise ValueError("poison")
        return [item.upper() for item in items]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def batcher(recorder: Recorder) -> Iterator[Batcher[str, str]]:
    made = Batcher(recorder, size=len, budget=30)
    yield made
    recorder.go_on.set()
    made.close()


def ask_together(batcher: Batcher[str, str], recorder: Recorder, items: list[str]) -> list[str | Exception]:
    """All of `items` wait while the first batch is held back, so they are cut into batches by rule, not by luck."""

    def ask(item: str) -> str | Exception:
        try:
            return batcher.ask(item, 10)
        except ValueError as error:
            return error

    recorder.go_on.clear()
    recorder.began.clear()
    with ThreadPoolExecutor(len(items) + 1) as pool:
        first = pool.submit(ask, "first")
        recorder.began.wait(10)
        rest = []
        for item in items:
            rest.append(pool.submit(ask, item))
            while len(batcher._waiting) < len(rest):
                threading.Event().wait(0.001)
        recorder.go_on.set()
        assert first.result() == "FIRST"
        return [future.result() for future in rest]


def test_a_lone_message_is_answered_at_once(batcher: Batcher[str, str], recorder: Recorder) -> None:
    """Nobody waits for a batch to fill."""
    assert batcher.ask("hola", 10) == "HOLA"
    assert recorder.batches == [["hola"]]


def test_what_waits_together_is_answered_together(batcher: Batcher[str, str], recorder: Recorder) -> None:
    """Under load the batches fill by themselves."""
    assert ask_together(batcher, recorder, ["a", "b", "c"]) == ["A", "B", "C"]
    assert recorder.batches == [["first"], ["a", "b", "c"]]


def test_a_batch_never_exceeds_its_budget(batcher: Batcher[str, str], recorder: Recorder) -> None:
    """Memory and the wait of the short ones are bounded however much is queued."""
    items = ["x" * 12, "y" * 12, "z" * 12, "w" * 40]
    assert ask_together(batcher, recorder, items) == [item.upper() for item in items]
    assert recorder.batches[1:] == [["x" * 12, "y" * 12], ["z" * 12], ["w" * 40]]


def test_one_bad_text_does_not_fail_its_batch(batcher: Batcher[str, str], recorder: Recorder) -> None:
    """Strangers share a batch; one person's odd message must not cost another an answer."""
    answers = ask_together(batcher, recorder, ["a", "b", "poison", "c", "d"])
    assert [answers[0], answers[1], answers[3], answers[4]] == ["A", "B", "C", "D"]
    assert isinstance(answers[2], ValueError)
    assert batcher.ask("after", 10) == "AFTER"


def test_a_long_text_goes_with_its_like_and_the_oldest_goes_first(batcher: Batcher[str, str], recorder: Recorder) -> None:
    """Short texts wait for a long one that came before them only as long as it takes itself."""
    items = ["s", "x" * 25, "t", "y" * 26, "u"]
    assert ask_together(batcher, recorder, items) == [item.upper() for item in items]
    assert recorder.batches[1:] == [["s", "x" * 25, "t", "u"], ["y" * 26]]
    recorder.batches.clear()
    assert ask_together(batcher, recorder, ["x" * 25, "s", "t"]) == ["X" * 25, "S", "T"]
    assert recorder.batches[1:] == [["x" * 25, "s", "t"]]


def test_several_threads_answer_batches_of_their_own(recorder: Recorder) -> None:
    """On two cores two passes at a time are a third faster than one pass on both."""
    both = threading.Barrier(2)

    def together(items: Sequence[str]) -> list[str]:
        both.wait(10)  # breaks where only one thread is at work
        return list(items)

    batcher: Batcher[str, str] = Batcher(together, budget=1, threads=2)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda item: batcher.ask(item, 10), "abcd")) == ["a", "b", "c", "d"]
    batcher.close()


def test_what_is_nobodys_fault_is_told_to_all_at_once(recorder: Recorder) -> None:
    """A database that is away must not be asked once more for each message of the batch."""
    batcher: Batcher[str, str] = Batcher(recorder, budget=30, everybody=(ValueError,))
    answers = ask_together(batcher, recorder, ["a", "poison", "b"])
    assert all(isinstance(answer, ValueError) for answer in answers)
    assert recorder.batches == [["first"], ["a", "poison", "b"]]
    batcher.close()


def test_a_caller_who_has_left_costs_no_work(batcher: Batcher[str, str], recorder: Recorder) -> None:
    """When the model falls behind, it must not spend itself on answers that nobody waits for."""
    recorder.go_on.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(batcher.ask, "first", 10)
        recorder.began.wait(10)
        with pytest.raises(TimeoutError):
            batcher.ask("impatient", 0.01)
        recorder.go_on.set()
        assert first.result() == "FIRST"
    assert batcher.ask("after", 10) == "AFTER"
    assert ["impatient"] not in recorder.batches


@pytest.mark.parametrize("returned", [0, 2])
def test_a_wrong_number_of_answers_is_told_to_all_and_the_thread_lives_on(returned: int) -> None:
    """Else every later message waits for a minute and for nothing, while the health page stays green."""
    wrong = threading.Event()
    wrong.set()
    batcher: Batcher[str, str] = Batcher(lambda items: ["?"] * returned if wrong.is_set() else list(items), budget=30)
    with pytest.raises(RuntimeError, match=f"{returned} answers to a batch of 1"):
        batcher.ask("a", 10)
    wrong.clear()
    assert batcher.ask("b", 10) == "b"
    batcher.close()


def test_an_answer_that_is_no_sequence_fails_its_batch_and_the_thread_lives_on(recorder: Recorder) -> None:
    """A bug in whoever answers must be heard at once, by those who asked, and by nobody after them."""
    broken: list[Any] = [None, 7, (1 // 0 for _ in range(1))]
    batcher: Batcher[str, str] = Batcher(lambda items: broken.pop(0) if broken else recorder(items), budget=30)
    for error in (TypeError, TypeError, ZeroDivisionError):
        with pytest.raises(error):
            batcher.ask("a", 10)
    assert batcher.ask("b", 10) == "B"
    batcher.close()


def test_an_item_whose_size_cannot_be_told_fails_alone(recorder: Recorder) -> None:
    """Its asker is told at once, and nobody else hears of it."""
    batcher: Batcher[str, str] = Batcher(recorder, budget=30, size=lambda item: 1 if item else 1 // 0)
    with pytest.raises(ZeroDivisionError):
        batcher.ask("", 10)
    assert batcher.ask("b", 10) == "B"
    batcher.close()
