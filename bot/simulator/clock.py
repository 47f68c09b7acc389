"""Slack's time, which can run faster than real time and can be set forward."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Any


class Timer:
    """One scheduled call."""

    def __init__(self, due_s: float, call: Callable[[], None]) -> None:
        self.due_s = due_s
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Cancel the call."""
        self.call = None


class Clock:
    """Two clocks, neither of which ever goes back.

    `unix()` gives the time of message timestamps: the real time plus what was skipped with `step`. `seconds()` measures
    waits and lifetimes: one of Slack's seconds takes `scale` real ones, so with 0.01 its minute takes 0.6 s.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._stepped_s = 0.0
        self._stamped_s = 0.0  # what of it counts for timestamps
        self._since = (time.monotonic(), 0.0)  # our time and Slack's when the scale was last set
        self._waiting: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def scale(self) -> float:
        """Return how many real seconds one of Slack's takes."""
        return self._scale

    def unix(self) -> float:
        """Return the seconds since 1970."""
        return time.time() + self._stamped_s

    def seconds(self) -> float:
        """Return Slack's seconds since the start."""
        ours, slacks = self._since
        return slacks + (time.monotonic() - ours) / self._scale + self._stepped_s

    def rescale(self, scale: float) -> None:
        """Let one of Slack's seconds take `scale` real ones from now on; raises ValueError unless it is above 0."""
        if not scale > 0:
            raise ValueError(f"a clock's scale must be above 0, not {scale}")
        self._since = (time.monotonic(), self.seconds() - self._stepped_s)
        self._scale = scale
        self._set_alarm()

    def step(self, seconds: float, *, stamps: bool = True) -> None:
        """Skip so many seconds at once; calls scheduled for that time run in their order, each at its own time.

        Without `stamps` only waits are skipped: timestamps stay the real time, as an app needs that compares them with its own.
        """
        if seconds < 0:
            raise ValueError("a clock cannot be set back")
        left_s = seconds
        while self._waiting and (ahead_s := max(0.0, self._waiting[0][0] - self.seconds())) <= left_s:
            self._skip(ahead_s, stamps)
            left_s -= ahead_s
            self._ring()
        self._skip(left_s, stamps)
        self._set_alarm()

    def later(self, seconds: float, call: Callable[..., None], *args: Any) -> Timer:
        """Run `call(*args)` after so many of Slack's seconds, on the running loop."""
        timer = Timer(self.seconds() + seconds, lambda: call(*args))
        heapq.heappush(self._waiting, (timer.due_s, next(self._numbers), timer))
        if self._waiting[0][2] is timer:
            self._set_alarm()
        return timer

    async def sleep(self, seconds: float) -> None:
        """Wait for so many of Slack's seconds."""
        over = asyncio.Event()
        self.later(seconds, over.set)
        await over.wait()

    def stop(self) -> None:
        """Cancel everything that is scheduled."""
        self._waiting.clear()
        if self._alarm is not None:
            self._alarm.cancel()

    def _skip(self, seconds: float, stamps: bool) -> None:
        self._stepped_s += seconds
        self._stamped_s += seconds if stamps else 0.0

    def _ring(self) -> None:
        now = self.seconds()
        while self._waiting and self._waiting[0][0] <= now:
            timer = heapq.heappop(self._waiting)[2]
            if timer.call is not None:
                timer.call()
        self._set_alarm()

    def _set_alarm(self) -> None:
        """Ask the event loop to wake us when the next timer is due."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._waiting and self._waiting[0][2].call is None:
            heapq.heappop(self._waiting)
        if self._waiting:
            wait_s = max(0.0, self._waiting[0][0] - self.seconds()) * self._scale
            self._alarm = asyncio.get_running_loop().call_later(wait_s, self._ring)
