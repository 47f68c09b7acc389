"""Many threads ask one at a time; one thread answers them in batches. Standard library only."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """Runs `answer` on what is waiting, at most `budget` in total `size` at a time, in a thread of its own.

    It never waits for a batch to fill: when the thread is free it takes what is there. Light load costs no delay and
    heavy load fills the batches by itself.
    """

    def __init__(self, answer: Callable[[Sequence[Item]], Sequence[Answer]], *, size: Callable[[Item], int], budget: int) -> None:
        self._answer = answer
        self._size = size
        self._budget = budget
        self._waiting: queue.SimpleQueue[tuple[Item, Future[Answer]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="batcher", daemon=True)
        self._thread.start()

    def ask(self, item: Item, timeout_s: float) -> Answer:
        """The answer to `item`; raises what `answer` raised for it alone, or TimeoutError after `timeout_s` seconds.

        The threads pool of Celery has no time limits of its own, so the caller's patience travels here.
        """
        future: Future[Answer] = Future()
        self._waiting.put((item, future))
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()  # not yet begun: nobody works for a caller who has left
            raise

    def close(self) -> None:
        """Everything asked before is answered and the thread has ended."""
        self._waiting.put(None)
        self._thread.join()

    def _serve(self) -> None:
        held: tuple[Item, Future[Answer]] | None = None
        while True:
            first = held or self._waiting.get()
            held = None
            if first is None:
                return
            batch, total = [first], self._size(first[0])
            ended = False
            while total < self._budget:
                try:
                    following = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    ended = True
                    break
                total += self._size(following[0])
                if total > self._budget:
                    held = following
                    break
                batch.append(following)
            self._run([(item, future) for item, future in batch if future.set_running_or_notify_cancel()])
            if ended:
                return

    def _run(self, batch: list[tuple[Item, Future[Answer]]]) -> None:
        """Every future is settled; a failing batch is halved until the culprit stands alone."""
        if not batch:
            return
        try:
            answers = self._answer([item for item, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            middle = len(batch) // 2
            self._run(batch[:middle])
            self._run(batch[middle:])
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            future.set_result(answer)
