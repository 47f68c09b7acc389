"""Which priority a message's tasks have: a channel that floods does not hold up the others."""

import time
from collections import deque
from collections.abc import Callable

OVER_S = 10.0
# With more messages than this in the last ten seconds, a channel's next one has a lower priority: people do not write so
# fast, and what does can wait. Redis hands out 0 first; the numbers are kombu's own steps.
STEPS = ((20, 0), (100, 3), (500, 6))
LAST = 9


class ChannelPriority:
    """Remembers how much each channel wrote lately; for one event loop or thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._written: dict[str, deque[float]] = {}

    def of(self, channel: str) -> int:
        """Count a message that comes now in this channel, and return its tasks' priority: 0 first, 9 last."""
        moment = self._clock()
        written = self._written.setdefault(channel, deque(maxlen=STEPS[-1][0] + 1))
        written.append(moment)
        while written[0] <= moment - OVER_S:
            written.popleft()
        if len(self._written) > 1000:
            self._written = {name: each for name, each in self._written.items() if each[-1] > moment - OVER_S}
        return next((priority for most, priority in STEPS if len(written) <= most), LAST)
