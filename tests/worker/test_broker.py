"""The transport to Redis: each channel keeps one client, whatever it is asked."""

from typing import Any

import pytest
from kombu import Connection
from redis import Redis

from worker import app as _  # noqa: F401 - every process publishes and consumes with its transport


def test_a_task_is_published_taken_and_acknowledged_with_one_client(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kombu makes a client of redis-py for each of these, which took more of the processor than the task itself."""
    made: list[Redis] = []
    begin = Redis.__init__

    def counted(client: Redis, *args: Any, **options: Any) -> None:
        made.append(client)
        begin(client, *args, **options)

    monkeypatch.setattr(Redis, "__init__", counted)
    with Connection(redis_url) as connection:
        queue = connection.SimpleQueue("broker-test")
        made.clear()
        for number in range(5):
            queue.put({"number": number})
        taken = [queue.get(timeout=5) for _ in range(5)]
        for message in taken:
            message.ack()
        assert [message.payload["number"] for message in taken] == list(range(5))
        # One for each of the two channels, that which publishes and that which consumes, and one that waits.
        assert len(made) <= 3


def test_after_a_fork_a_channel_has_another_client(redis_url: str) -> None:
    """Two processes must never speak over the same socket."""
    with Connection(redis_url) as connection:
        channel: Any = connection.channel()
        with channel.conn_or_acquire() as before:
            assert before.ping()
        channel._after_fork()
        with channel.conn_or_acquire() as after:
            assert after.ping()
        assert after.connection_pool is not before.connection_pool
