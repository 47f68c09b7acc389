"""Locks that processes share, which know of each other only through Redis."""

import redis

from bot.local.ports import free_port
from bot.locks import TtlLock
from tests.town import wait_until


def test_a_name_is_locked_once_until_its_time_is_over(redis_url: str) -> None:
    """A hundred tasks that want the same reply redrawn later must become one."""
    redis.Redis.from_url(redis_url).flushall()
    first, second = TtlLock(redis_url), TtlLock(redis_url)
    assert [first.lock("reply/1", 0.2), second.lock("reply/1", 0.2), second.is_locked("reply/1")] == [True, False, True]
    wait_until(lambda: not second.is_locked("reply/1"), 5, "it has run out")
    assert second.lock("reply/1", 9)
    first.unlock("reply/1")
    assert second.lock("reply/1", 9)


def test_without_redis_a_lock_holds_within_its_process() -> None:
    """Redis is only the road: its death must not let each process do everything ten times."""
    locks = TtlLock(f"redis://127.0.0.1:{free_port()}/0")
    assert [locks.lock("line", 5), locks.lock("line", 5), locks.is_locked("line")] == [True, False, True]
    locks.unlock("line")
    assert locks.lock("line", 0.01)
    wait_until(lambda: locks.lock("line", 5), 5, "it has run out")
