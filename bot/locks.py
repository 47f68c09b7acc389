"""Locks that run out by themselves, which processes share through Redis; each process keeps its own where Redis is away."""

import logging
import math
import time
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

import redis

log = logging.getLogger(__name__)

# Redis answers within milliseconds or is away; how long it is then left alone.
PATIENCE_S = 0.5
AWAY_S = 5.0

Answer = TypeVar("Answer")


class SharedRedis:
    """A Redis that may be away: it is then left alone for a while, and nobody waits for it."""

    def __init__(self, url: str) -> None:
        self.client = redis.Redis.from_url(url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S)
        self._away_until = 0.0

    def ask(self, command: Callable[[], Answer]) -> Answer | None:
        """Return what the command on `client` returns, or None while Redis is away."""
        if time.monotonic() < self._away_until:
            return None
        try:
            return command()
        except redis.RedisError as error:
            log.warning("what processes share through Redis is known to this one alone for %.0f s: %s", AWAY_S, error)
            self._away_until = time.monotonic() + AWAY_S
            return None


class TtlLock:
    """Named locks that run out by themselves; any thread may call.

    While Redis is away a lock holds within this process only, so use it to save work or calls, never to keep a promise.
    """

    def __init__(self, redis_url: str) -> None:
        self._redis = SharedRedis(redis_url)
        self._lock = Lock()
        self._until: dict[str, float] = {}  # what Redis would know

    def lock(self, name: str, seconds: float) -> bool:
        """Lock `name` for so many seconds; False where it is locked already."""
        milliseconds = max(math.ceil(seconds * 1000), 1)
        locked = self._redis.ask(lambda: bool(self._redis.client.set(_key(name), 1, px=milliseconds, nx=True)))
        if locked is not None:
            return locked
        with self._lock:
            now = time.monotonic()
            if self._until.get(name, 0.0) > now:
                return False
            self._until = {each: until for each, until in self._until.items() if until > now}
            self._until[name] = now + seconds
            return True

    def is_locked(self, name: str) -> bool:
        """Return whether somebody holds this lock."""
        with self._lock:
            if self._until.get(name, 0.0) > time.monotonic():
                return True
        return bool(self._redis.ask(lambda: self._redis.client.exists(_key(name))))

    def unlock(self, name: str) -> None:
        """Release the lock, whoever holds it."""
        with self._lock:
            self._until.pop(name, None)
        self._redis.ask(lambda: self._redis.client.delete(_key(name)))


def _key(name: str) -> str:
    return f"beto:lock/{name}"
