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
POSTS_BURST = 3  # of one channel, beyond its one post a second
# Redis answers within milliseconds or is away; how long it is then left alone.
PATIENCE_S = 0.5
AWAY_S = 5.0

# The generic cell rate algorithm, a token bucket in one number: the moment at which the bucket would be full again.
# KEYS: bucket, hold. ARGV: seconds a token, burst. Returns the seconds to wait; 0 has taken a token.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local held = redis.call('PTTL', KEYS[2])
if held > 0 then return tostring(held / 1000) end
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local wait = full - now - (burst - 1) * interval
if wait > 0 then return tostring(wait) end
redis.call('SET', KEYS[1], string.format('%.6f', full + interval), 'PX', math.ceil((full + interval - now) * 1000) + 1)
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
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S)
        self._take = self._redis.register_script(_TAKE)
        self._lock = Lock()
        self._full: dict[str, float] = {}  # what Redis would know: by bucket, and by name until when
        self._until: dict[str, float] = {}
        self._away_until = 0.0

    def take(self, method: str, channel: str = "") -> float:
        """0 where the method may be called now, which is counted; else the seconds until it may be asked for again."""
        wait_s = 0.0
        if method == "chat.postMessage" and channel and self.rate:
            wait_s = self._take_from(f"{method}/{channel}", method, 1.0, POSTS_BURST)
        return wait_s or self._take_from(method, method, 60 / PER_MINUTE.get(method, TIER_3), BURST)

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

    def _take_from(self, bucket: str, method: str, interval_s: float, burst: int) -> float:
        interval_s = interval_s / self.rate if self.rate else 0.0
        if self._is_near():
            try:
                return float(self._take(keys=[f"beto:pace/{bucket}", f"beto:hold/{method}"], args=[interval_s, burst]))
            except redis.RedisError as error:
                self._leave(error)
        with self._lock:
            now = time.monotonic()
            if (held_s := self._until.get(f"hold/{method}", 0.0) - now) > 0:
                return held_s
            full = max(self._full.get(bucket, 0.0), now)
            if (wait_s := full - now - (burst - 1) * interval_s) > 0:
                return wait_s
            self._full[bucket] = full + interval_s
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
        log.warning("Slack's limits are kept by this process alone for %.0f s: %s", AWAY_S, error)
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
