"""Slack's time, which can run faster than ours and can be set forward."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Any


class Timer:
    """One call that waits for its moment."""

    def __init__(self, due_s: float, call: Callable[[], None]) -> None:
        self.due_s = due_s
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """It will not be called."""
        self.call = None


class Clock:
    """Two times, both only ever forward.

    `unix()` is what stamps on messages say: the real time, plus what was stepped. `seconds()` is what waits and lives are
    measured in: one of Slack's seconds takes `scale` of ours, so 0.01 makes its minute 0.6 s.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._stepped_s = 0.0
        self._since = (time.monotonic(), 0.0)  # our time and Slack's when the scale was last set
        self._waiting: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def scale(self) -> float:
        """How many of our seconds one of Slack's takes."""
        return self._scale

    def unix(self) -> float:
        """Seconds since 1970."""
        return time.time() + self._stepped_s

    def seconds(self) -> float:
        """Slack's seconds since the start."""
        ours, slacks = self._since
        return slacks + (time.monotonic() - ours) / self._scale + self._stepped_s

    def rescale(self, scale: float) -> None:
        """From now on one of Slack's seconds takes `scale` of ours; raises ValueError unless it is above 0."""
        if not scale > 0:
            raise ValueError(f"a clock's scale must be above 0, not {scale}")
        self._since = (time.monotonic(), self.seconds() - self._stepped_s)
        self._scale = scale
        self._set_alarm()

    def step(self, seconds: float) -> None:
        """So many seconds have passed at once; what was due in them has happened, each at its moment and in its order."""
        if seconds < 0:
            raise ValueError("a clock cannot be set back")
        end_s = self._stepped_s + seconds
        while self._waiting and (ahead_s := self._waiting[0][0] - self.seconds()) <= end_s - self._stepped_s:
            self._stepped_s += max(0.0, ahead_s)
            self._ring()
        self._stepped_s = end_s
        self._set_alarm()

    def later(self, seconds: float, call: Callable[..., None], *args: Any) -> Timer:
        """`call(*args)` runs in so many of Slack's seconds, on the running loop."""
        timer = Timer(self.seconds() + seconds, lambda: call(*args))
        heapq.heappush(self._waiting, (timer.due_s, next(self._numbers), timer))
        if self._waiting[0][2] is timer:
            self._set_alarm()
        return timer

    async def sleep(self, seconds: float) -> None:
        """So many of Slack's seconds have passed."""
        over = asyncio.Event()
        self.later(seconds, over.set)
        await over.wait()

    def stop(self) -> None:
        """Nothing that waits will happen."""
        self._waiting.clear()
        if self._alarm is not None:
            self._alarm.cancel()

    def _ring(self) -> None:
        now = self.seconds()
        while self._waiting and self._waiting[0][0] <= now:
            timer = heapq.heappop(self._waiting)[2]
            if timer.call is not None:
                timer.call()
        self._set_alarm()

    def _set_alarm(self) -> None:
        """The loop wakes us when the next timer is due."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._waiting and self._waiting[0][2].call is None:
            heapq.heappop(self._waiting)
        if self._waiting:
            wait_s = max(0.0, self._waiting[0][0] - self.seconds()) * self._scale
            self._alarm = asyncio.get_running_loop().call_later(wait_s, self._ring)
