"""Calls to Slack at the pace that it allows: counted in Redis by all `replies` processes, and here where Redis is away."""

import logging
import math
import time
from http.client import HTTPException
from threading import Lock
from typing import Any

import redis
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

log = logging.getLogger(__name__)

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
# Redis answers within milliseconds or is away; how long it is then left alone.
PATIENCE_S = 0.5
AWAY_S = 5.0

# The generic cell rate algorithm, a token bucket in one number: the moment at which the bucket would be full again.
# KEYS: hold, buckets. ARGV: for each bucket the seconds a token, and its burst. Returns the seconds to wait; 0 has taken a token
# from every bucket, anything else from none.
_TAKE = """
local held = redis.call('PTTL', KEYS[1])
if held > 0 then return tostring(held / 1000) end
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


class MustWait(Exception):
    """Nothing was done: `method` may be called again in so many seconds."""

    def __init__(self, method: str, seconds: float) -> None:
        super().__init__(f"{method} may be called again in {seconds:.1f} s")
        self.method = method
        self.seconds = seconds


class Unsure(Exception):
    """No answer that could be read: the call may have been carried out or not. `late`: it may yet be."""

    def __init__(self, method: str, reason: object, *, late: bool = False) -> None:
        super().__init__(f"{method} may or may not have been carried out: {reason}")
        self.late = late


class Pace:
    """Token buckets, shared by whoever has the same Redis. `rate` multiplies Slack's limits; 0 knows none but its Retry-After."""

    def __init__(self, redis_url: str, rate: float = 1.0) -> None:
        self.rate = rate
        self.post_every_s = POST_EVERY_S / rate if rate else 0.0
        self.posts_a_second = min(max(int(rate / POST_EVERY_S), 1), MOST_POSTS) if rate else MOST_POSTS
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S)
        self._take = self._redis.register_script(_TAKE)
        self._lock = Lock()
        self._full: dict[str, float] = {}  # what Redis would know: by bucket, and by name until when
        self._until: dict[str, float] = {}
        self._away_until = 0.0

    def take(self, method: str, channel: str = "") -> float:
        """0 where the method may be called now, which is counted; else the seconds until it may be asked for again."""
        buckets = {}  # seconds a token, and burst, by name
        if self.rate:
            buckets[method] = 60 / PER_MINUTE.get(method, TIER_3) / self.rate, BURST
        if self.rate and method == "chat.postMessage" and channel:
            buckets[f"{method}/{channel}"] = self.post_every_s, POSTS_BURST
        if self._is_near():
            try:
                keys = [f"beto:hold/{method}", *(f"beto:pace/{name}" for name in buckets)]
                return float(self._take(keys=keys, args=[figure for bucket in buckets.values() for figure in bucket]))
            except redis.RedisError as error:
                self._leave(error)
        return self._take_here(method, buckets)

    def hold(self, method: str, seconds: float) -> None:
        """Nobody calls the method for so many seconds: Slack's Retry-After."""
        self._set(f"hold/{method}", seconds, only_new=False)

    def book(self, name: str, seconds: float) -> bool:
        """Whether `name` was free; it is taken now, for so many seconds."""
        return self._set(f"booked/{name}", seconds, only_new=True)

    def is_booked(self, name: str) -> bool:
        """Whether somebody has booked this."""
        key = f"booked/{name}"
        with self._lock:
            if self._until.get(key, 0.0) > time.monotonic():
                return True
        if self._is_near():
            try:
                return bool(self._redis.exists(f"beto:{key}"))
            except redis.RedisError as error:
                self._leave(error)
        return False

    def free(self, name: str) -> None:
        """Nobody has booked this any more."""
        key = f"booked/{name}"
        with self._lock:
            self._until.pop(key, None)
        if self._is_near():
            try:
                self._redis.delete(f"beto:{key}")
            except redis.RedisError as error:
                self._leave(error)

    def _take_here(self, method: str, buckets: dict[str, tuple[float, int]]) -> float:
        with self._lock:
            now = time.monotonic()
            if (held_s := self._until.get(f"hold/{method}", 0.0) - now) > 0:
                return held_s
            full = {name: max(self._full.get(name, 0.0), now) for name in buckets}
            longest_s = max((full[name] - now - (burst - 1) * every_s for name, (every_s, burst) in buckets.items()), default=0.0)
            if longest_s > 0:
                return longest_s
            self._full.update({name: full[name] + every_s for name, (every_s, _) in buckets.items()})
            return 0.0

    def _set(self, key: str, seconds: float, *, only_new: bool) -> bool:
        milliseconds = max(math.ceil(seconds * 1000), 1)
        if self._is_near():
            try:
                return bool(self._redis.set(f"beto:{key}", 1, px=milliseconds, nx=only_new))
            except redis.RedisError as error:
                self._leave(error)
        with self._lock:
            now = time.monotonic()
            if only_new and self._until.get(key, 0.0) > now:
                return False
            self._until = {name: until for name, until in self._until.items() if until > now}
            self._until[key] = now + seconds
            return True

    def _is_near(self) -> bool:
        return time.monotonic() >= self._away_until

    def _leave(self, error: redis.RedisError) -> None:
        log.warning("what processes share through Redis is known to this one alone for %.0f s: %s", AWAY_S, error)
        self._away_until = time.monotonic() + AWAY_S


class PacedClient(WebClient):
    """Slack's Web API, asked once and at its pace: MustWait, Unsure, or SlackApiError with Slack's clear no.

    It waits by itself for at most `patience_s`. Nothing is tried a second time: whether that is safe only the caller knows.
    """

    def __init__(self, *, pace: Pace, patience_s: float = 0.0, **options: Any) -> None:
        super().__init__(retry_handlers=[], **options)
        self.pace = pace
        self.patience_s = patience_s

    def api_call(self, api_method: str, **options: Any) -> SlackResponse:
        """Slack's answer, which is `ok`."""
        given = options.get("json") or options.get("data") or options.get("params") or {}
        deadline = time.monotonic() + self.patience_s
        while (wait_s := self.pace.take(api_method, str(given.get("channel") or ""))) > 0:
            if time.monotonic() + wait_s > deadline:
                raise MustWait(api_method, wait_s)
            time.sleep(wait_s)
        try:
            return super().api_call(api_method, **options)
        except SlackApiError as error:
            response = error.response
            if getattr(response, "status_code", 200) == 429:
                seconds = _retry_after(response.headers)
                self.pace.hold(api_method, seconds)
                raise MustWait(api_method, seconds) from None
            if getattr(response, "status_code", 200) != 200 or " " in str(response.get("error", " ")):
                raise Unsure(api_method, f"status {response.status_code}") from None
            raise
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise Unsure(api_method, reason, late=isinstance(reason, TimeoutError)) from None


def _retry_after(headers: Any) -> float:
    found = next((value for name, value in headers.items() if name.lower() == "retry-after"), "1")
    return float(found if isinstance(found, str) else found[0])
