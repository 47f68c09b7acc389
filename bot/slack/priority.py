"""Which lane of a queue a message takes: a channel that floods does not hold up the others."""

import time
from collections import deque
from collections.abc import Callable

OVER_S = 10.0
# With more messages than this in the last ten seconds, a channel's next one takes a slower lane: people do not write so
# fast, and what does can wait. Redis asks for the first lane first; the numbers are kombu's own steps.
LANES = ((20, 0), (100, 3), (500, 6))
LAST_LANE = 9


class Lanes:
    """Remembers how much each channel said lately; for one event loop or thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, deque[float]] = {}

    def of(self, channel: str) -> int:
        """The lane of a message that comes now in this channel, as a task's priority: 0 first, 9 last."""
        moment = self._clock()
        said = self._said.setdefault(channel, deque(maxlen=LANES[-1][0] + 1))
        said.append(moment)
        while said[0] <= moment - OVER_S:
            said.popleft()
        if len(self._said) > 1000:
            self._said = {name: each for name, each in self._said.items() if each[-1] > moment - OVER_S}
        return next((lane for most, lane in LANES if len(said) <= most), LAST_LANE)
