"""What a long command is doing, on standard error: nothing in its first two seconds."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

QUIET_S = 2.0
# On a terminal the line is written anew; in a log each is a line of its own.
EVERY_S, EVERY_IN_A_LOG_S = 0.2, 5.0


class Progress:
    """The line that says what is being done. Call it as often as you like; `close` when all is done."""

    def __init__(self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = sys.stderr if out is None else out
        self._clock = clock
        self._next = clock() + QUIET_S
        self._width = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show `done` of `total` of `what`, if it is time."""
        if self._clock() < self._next:
            return
        terminal = self._out.isatty()
        self._next = self._clock() + (EVERY_S if terminal else EVERY_IN_A_LOG_S)
        line = f"{what}: {done:,} of {total:,} ({100 * done // max(total, 1)} %)"
        self._out.write(f"\r{line:<{self._width}}" if terminal else f"{line}\n")
        self._out.flush()
        self._width = len(line) if terminal else 0

    def close(self) -> None:
        """Take the line away again."""
        if self._width:
            self._out.write(f"\r{'':<{self._width}}\r")
            self._out.flush()
            self._width = 0
