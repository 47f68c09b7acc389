"""The transport to Redis: one client a channel, batches where many tasks wait, and none lost by whoever dies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kombu import Connection, Consumer, Queue
from kombu.asynchronous import Hub
from redis import Redis

from tests.town import wait_until
from worker import broker

broker.use_kept_clients()  # as every process that publishes or consumes does

MANY = 20


@pytest.fixture
def redis(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Redis:
    """A Redis with no task in it, that looks busy however slowly tasks come."""
    monkeypatch.setattr(broker, "BUSY_S", 600.0)
    client = Redis.from_url(redis_url)
    client.flushdb()
    return client


@contextmanager
def consuming(url: str, **options: Any) -> Iterator[tuple[list[Any], Callable[[], None]]]:
    """What a consumer with its event loop has taken, and what gives the loop its next turn."""
    taken: list[Any] = []
    hub = Hub()
    connection = Connection(url, transport_options=options)
    connection.register_with_event_loop(hub)
    consumer = Consumer(connection, [Queue("many")], callbacks=[lambda _, message: taken.append(message)], prefetch_count=MANY)
    consumer.consume()
    transport: Any = connection.transport
    yield taken, hub.run_once
    for channel in transport.channels:
        channel.qos._on_collect.cancel()  # as who is killed, it gives nothing back
    hub.close()


def publish(url: str, numbers: range, priority: int = 0) -> None:
    with Connection(url, transport_options={"priority_steps": [0, 3], "queue_order_strategy": "priority"}) as connection:
        queue = connection.SimpleQueue("many")
        for number in numbers:
            queue.put({"number": number}, priority=priority)


def calls(redis: Redis, *commands: str) -> int:
    counted: dict[str, Any] = redis.info("commandstats")
    return sum(counted[f"cmdstat_{each}"]["calls"] for each in commands if f"cmdstat_{each}" in counted)


def numbers_of(taken: list[Any]) -> list[int]:
    return [message.payload["number"] for message in taken]


def test_a_task_is_published_taken_and_acknowledged_with_one_client(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kombu makes a client of redis-py for each of these, which took more of the processor than the task itself."""
    made: list[Redis] = []
    begin = Redis.__init__

    def counted(client: Redis, *args: Any, **options: Any) -> None:
        made.append(client)
        begin(client, *args, **options)

    monkeypatch.setattr(Redis, "__init__", counted)
    with Connection(redis_url) as connection:
        queue = connection.SimpleQueue("one")
        made.clear()
        for number in range(5):
            queue.put({"number": number})
        taken = [queue.get(timeout=5) for _ in range(5)]
        for message in taken:
            message.ack()
        assert numbers_of(taken) == list(range(5))
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


def test_tasks_that_wait_are_taken_and_acknowledged_together(redis_url: str, redis: Redis) -> None:
    """As many as the consumer may have in hand, the urgent first; each is kept until it is done."""
    publish(redis_url, range(100, 110), priority=3)
    publish(redis_url, range(MANY))
    redis.config_resetstat()
    with consuming(redis_url, priority_steps=[0, 3], queue_order_strategy="priority") as (taken, turn):
        wait_until(lambda: (turn(), len(taken) == MANY)[1], 10, "they are taken")
        assert numbers_of(taken) == list(range(MANY))
        assert calls(redis, "brpop", "evalsha") <= MANY / 2  # one by one it would be twice as many as tasks
        assert redis.hlen("unacked") == redis.zcard("unacked_index") == MANY
        for message in taken:
            message.ack()
        wait_until(lambda: (turn(), len(taken) == MANY + 10)[1], 10, "the others are taken")
        assert numbers_of(taken[MANY:]) == list(range(100, 110))
        assert redis.hlen("unacked") == redis.zcard("unacked_index") == 10
        assert calls(redis, "brpop", "evalsha") <= MANY


def test_what_a_consumer_took_and_did_not_live_to_do_is_given_to_another(redis_url: str, redis: Redis) -> None:
    """Taken one by one or together: it is kept in the form in which kombu gives it back."""
    publish(redis_url, range(MANY))
    with consuming(redis_url) as (taken, turn):
        wait_until(lambda: (turn(), len(taken) == MANY)[1], 10, "they are taken")
    with Connection(redis_url, transport_options={"visibility_timeout": 0}) as connection:
        channel: Any = connection.channel()
        channel.qos.restore_visible(num=MANY)
        assert redis.hlen("unacked") == 0
        queue = connection.SimpleQueue("many")
        again = [queue.get(timeout=5) for _ in range(MANY)]
        assert sorted(numbers_of(again)) == list(range(MANY))
        for message in again:
            message.ack()
    assert redis.hlen("unacked") == 0


def test_what_is_done_is_not_given_back_by_a_consumer_that_ends(redis_url: str, redis: Redis) -> None:
    """Between two turns of its loop it may be told to stop."""
    publish(redis_url, range(3))
    with consuming(redis_url) as (taken, turn):
        wait_until(lambda: (turn(), len(taken) == 3)[1], 10, "they are taken")
        for message in taken[:2]:
            message.ack()
        taken[0].channel.close()
    assert (redis.llen("many"), redis.hlen("unacked")) == (1, 0)
