"""Many threads ask one at a time; few answer them, in batches. Standard library only."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass
class _Asked(Generic[Item, Answer]):
    item: Item
    size: int
    answer: "Future[Answer]" = field(default_factory=Future)


class Batcher(Generic[Item, Answer]):
    """Calls `answer` with what is waiting, at most `budget` in total `size` at a time, in threads of its own.

    It never waits for a batch to fill: a thread that is free takes what is there. Light load costs no delay and
    heavy load fills the batches by itself. The oldest goes first, with those nearest to it in size, so nobody waits for
    more than the batch in hand and those who came before, and a long text shares its pass with long ones.

    An error costs only the item that it is about: a failing batch is halved until the culprit stands alone. One of
    `everybody` is nobody's own fault, such as a database that is away, and is raised for all of them at once. So is an
    `answer` that returns another number of answers than it got items. Whatever happens, the threads go on.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Item]], Sequence[Answer]],
        *,
        budget: int,
        size: Callable[[Item], int] = lambda _: 1,
        everybody: tuple[type[Exception], ...] = (),
        threads: int = 1,
    ) -> None:
        """`answer` is called by `threads` threads, each with a batch of its own."""
        self._answer = answer
        self._size = size
        self.budget = budget
        self._everybody = everybody
        self._changed = threading.Condition()
        self._waiting: list[_Asked[Item, Answer]] = []  # the oldest first
        self._ended = False
        self._threads = [threading.Thread(target=self._serve, name="batcher", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def ask(self, item: Item, timeout_s: float) -> Answer:
        """Return the answer to `item`; raise what `answer` or `size` raised for it, or TimeoutError after `timeout_s` seconds.

        The threads pool of Celery has no time limits of its own, so the caller's deadline is kept here.
        """
        asked: _Asked[Item, Answer] = _Asked(item, self._size(item))
        with self._changed:
            self._waiting.append(asked)
            self._changed.notify()
        try:
            return asked.answer.result(timeout_s)
        except TimeoutError:
            asked.answer.cancel()  # not yet begun: nobody works for a caller who has left
            raise

    @property
    def ended_threads(self) -> int:
        """Count the threads that ended though nobody closed the batcher: what only ends a process ended them."""
        return 0 if self._ended else sum(not thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        """Answer everything that was asked before, and end the threads."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    return
                self._waiting, batch = self._choose(self._waiting)
            self._run([asked for asked in batch if asked.answer.set_running_or_notify_cancel()])

    def _choose(self, waiting: list[_Asked[Item, Answer]]) -> tuple[list[_Asked[Item, Answer]], list[_Asked[Item, Answer]]]:
        """Return those who wait on, and the next batch."""
        chosen: set[int] = set()
        total = 0
        # A stable sort: of two that are as near, the older comes first.
        for at in sorted(range(len(waiting)), key=lambda at: abs(waiting[at].size - waiting[0].size)):
            if chosen and total + waiting[at].size > self.budget:
                break
            chosen.add(at)
            total += waiting[at].size
        return [each for at, each in enumerate(waiting) if at not in chosen], [waiting[at] for at in sorted(chosen)]

    def _run(self, batch: list[_Asked[Item, Answer]]) -> None:
        """Settle every future of the batch, with an answer or an error."""
        if not batch:
            return
        try:
            answers = list(self._answer([asked.item for asked in batch]))
        except Exception as error:
            if len(batch) == 1 or isinstance(error, self._everybody):
                for asked in batch:
                    asked.answer.set_exception(error)
                return
            middle = len(batch) // 2
            self._run(batch[:middle])
            self._run(batch[middle:])
            return
        if len(answers) != len(batch):
            for asked in batch:
                asked.answer.set_exception(RuntimeError(f"{len(answers)} answers to a batch of {len(batch)}"))
            return
        for asked, answer in zip(batch, answers, strict=True):
            asked.answer.set_result(answer)
