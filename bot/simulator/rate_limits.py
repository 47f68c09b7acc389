"""Rate limits: Slack's tiers for methods, and one post a second in each channel."""

import math
from collections.abc import Callable

from bot.simulator.errors import SlackError

PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100, 5: 600}  # tier 5 is Slack's "special": hundreds a minute
POSTS_PER_CHANNEL_BURST = 4
POSTS_PER_WORKSPACE_MINUTE = 300  # Slack says "several hundred"


class RateLimited(SlackError):
    """Status 429: too many calls; the next is allowed after `retry_after_s`."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("ratelimited")
        self.retry_after_s = retry_after_s


class RateLimits:
    """Token buckets. `clock` is never scaled: clients obey Retry-After in real seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens left, and the time at which that was counted

    def call(self, method: str, tier: int) -> None:
        """Count one call of `method`; raises RateLimited when its limit for the minute is reached."""
        self._take(method, PER_MINUTE[tier], PER_MINUTE[tier] / 60)

    def post(self, channel_id: str) -> None:
        """Count one post into the channel; raises RateLimited beyond one a second (short bursts are allowed)."""
        self._take(f"post {channel_id}", POSTS_PER_CHANNEL_BURST, 1.0)
        self._take("post", POSTS_PER_WORKSPACE_MINUTE, POSTS_PER_WORKSPACE_MINUTE / 60)

    def history(self) -> None:
        """Count one reading of a channel's history by an app that may do so once a minute; raises RateLimited."""
        self._take("history", 1, 1 / 60)

    def _take(self, name: str, capacity: float, per_second: float) -> None:
        now = self._clock()
        left, at = self._buckets.get(name, (capacity, now))
        left = min(capacity, left + (now - at) * per_second)
        if left < 1.0:
            self._buckets[name] = (left, now)
            raise RateLimited(math.ceil((1.0 - left) / per_second))
        self._buckets[name] = (left - 1.0, now)
