"""Many threads ask one at a time; few answer them, in batches. Standard library only."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """Runs `answer` on what is waiting, at most `budget` in total `size` at a time, in threads of its own.

    It never waits for a batch to fill: a thread that is free takes what is there. Light load costs no delay and
    heavy load fills the batches by itself. The oldest goes first, with those nearest to it in size, so nobody waits for
    more than the batch in hand and those who came before, and a long text shares its pass with long ones.

    An error costs only the item that it is about: a failing batch is halved until the culprit stands alone. One of
    `everybody` is nobody's own fault, such as a database that is away, and is raised for all of them at once.
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
        self._waiting: list[tuple[Item, Future[Answer]]] = []  # the oldest first
        self._ended = False
        self._threads = [threading.Thread(target=self._serve, name="batcher", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def ask(self, item: Item, timeout_s: float) -> Answer:
        """The answer to `item`; raises what `answer` raised for it alone, or TimeoutError after `timeout_s` seconds.

        The threads pool of Celery has no time limits of its own, so the caller's patience travels here.
        """
        future: Future[Answer] = Future()
        with self._changed:
            self._waiting.append((item, future))
            self._changed.notify()
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()  # not yet begun: nobody works for a caller who has left
            raise

    def close(self) -> None:
        """Everything asked before is answered and the threads have ended."""
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
            self._run([(item, future) for item, future in batch if future.set_running_or_notify_cancel()])

    def _choose(
        self, waiting: list[tuple[Item, Future[Answer]]]
    ) -> tuple[list[tuple[Item, Future[Answer]]], list[tuple[Item, Future[Answer]]]]:
        """Those who wait on, and the next batch."""
        sizes = [self._size(item) for item, _ in waiting]
        chosen: set[int] = set()
        total = 0
        # A stable sort: of two that are as near, the older comes first.
        for at in sorted(range(len(waiting)), key=lambda at: abs(sizes[at] - sizes[0])):
            if chosen and total + sizes[at] > self.budget:
                break
            chosen.add(at)
            total += sizes[at]
        return [each for at, each in enumerate(waiting) if at not in chosen], [waiting[at] for at in sorted(chosen)]

    def _run(self, batch: list[tuple[Item, Future[Answer]]]) -> None:
        """Every future is settled."""
        if not batch:
            return
        try:
            answers = self._answer([item for item, _ in batch])
        except Exception as error:
            if len(batch) == 1 or isinstance(error, self._everybody):
                for _, future in batch:
                    future.set_exception(error)
                return
            middle = len(batch) // 2
            self._run(batch[:middle])
            self._run(batch[middle:])
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            future.set_result(answer)
