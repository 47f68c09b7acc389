"""How fast Slack may be called: counted in Redis by all `replies` processes, and by each alone where Redis is away."""

import math
import time
from threading import Lock

from bot.locks import SharedRedis

# Calls a minute, by Slack's tiers; what is not named is of tier 3. A short burst more is let through.
PER_MINUTE = {
    "auth.test": 600,
    "chat.getPermalink": 600,
    "chat.postEphemeral": 100,
    "chat.postMessage": 300,  # of all channels together: "several hundred"
    "files.completeUploadExternal": 100,
    "files.getUploadURLExternal": 100,
    "usergroups.users.list": 20,
    "users.info": 100,
}
TIER_3 = 50
BURST = 10
POST_EVERY_S = 1.0  # in one channel
POSTS_BURST = 3  # of one channel, beyond that
MOST_POSTS = 20  # that one process makes in a row, however much is allowed
# The generic cell rate algorithm, a token bucket in one number: the moment at which the bucket would be full again.
# KEYS: block, buckets. ARGV: for each bucket the seconds a token, and its burst. Returns the seconds to wait; 0 has taken a token
# from every bucket, anything else from none.
_TAKE = """
local blocked = redis.call('PTTL', KEYS[1])
if blocked > 0 then return tostring(blocked / 1000) end
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local longest, full, interval = 0, {}, {}
for i = 2, #KEYS do
  local burst = tonumber(ARGV[2 * i - 2])
  interval[i] = tonumber(ARGV[2 * i - 3])
  full[i] = math.max(tonumber(redis.call('GET', KEYS[i]) or 0), now)
  longest = math.max(longest, full[i] - now - (burst - 1) * interval[i])
end
if longest > 0 then return tostring(longest) end
for i = 2, #KEYS do
  local again = full[i] + interval[i]
  redis.call('SET', KEYS[i], string.format('%.6f', again), 'PX', math.ceil((again - now) * 1000) + 1)
end
return '0'
"""


class RateLimiter:
    """Token buckets, shared by whoever has the same Redis. `rate` multiplies Slack's limits; 0 knows none but its Retry-After."""

    def __init__(self, redis_url: str, rate: float = 1.0) -> None:
        self.rate = rate
        self.post_every_s = POST_EVERY_S / rate if rate else 0.0
        self.posts_a_second = min(max(int(rate / POST_EVERY_S), 1), MOST_POSTS) if rate else MOST_POSTS
        self._redis = SharedRedis(redis_url)
        self._take = self._redis.client.register_script(_TAKE)
        self._lock = Lock()
        # What Redis would know: by bucket when it is full again, and by method until when it is blocked.
        self._full: dict[str, float] = {}
        self._blocked: dict[str, float] = {}

    def take(self, method: str, channel: str = "") -> float:
        """Count a call of `method` and return 0, or return the seconds until it may be asked for again and count nothing."""
        buckets = {}  # seconds a token, and burst, by name
        if self.rate:
            buckets[method] = 60 / PER_MINUTE.get(method, TIER_3) / self.rate, BURST
        if self.rate and method == "chat.postMessage" and channel:
            buckets[f"{method}/{channel}"] = self.post_every_s, POSTS_BURST
        keys = [f"beto:blocked/{method}", *(f"beto:rate/{name}" for name in buckets)]
        figures = [figure for bucket in buckets.values() for figure in bucket]
        wait_s = self._redis.ask(lambda: float(self._take(keys=keys, args=figures)))
        return self._take_here(method, buckets) if wait_s is None else wait_s

    def block_method_for(self, method: str, seconds: float) -> None:
        """Let nobody call the method for so many seconds: Slack's Retry-After."""
        milliseconds = max(math.ceil(seconds * 1000), 1)
        shared = self._redis.ask(lambda: self._redis.client.set(f"beto:blocked/{method}", 1, px=milliseconds))
        if shared is None:
            with self._lock:
                self._blocked[method] = time.monotonic() + seconds

    def _take_here(self, method: str, buckets: dict[str, tuple[float, int]]) -> float:
        with self._lock:
            now = time.monotonic()
            if (blocked_s := self._blocked.get(method, 0.0) - now) > 0:
                return blocked_s
            full = {name: max(self._full.get(name, 0.0), now) for name in buckets}
            longest_s = max((full[name] - now - (burst - 1) * every_s for name, (every_s, burst) in buckets.items()), default=0.0)
            if longest_s > 0:
                return longest_s
            self._full.update({name: full[name] + every_s for name, (every_s, _) in buckets.items()})
            return 0.0
