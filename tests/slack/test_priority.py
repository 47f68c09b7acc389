"""A channel that floods waits for itself, not the others for it."""

from collections.abc import Iterator

import pytest

from bot import queues
from bot.slack.priority import LAST, ChannelPriority
from tests.broker import broker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def priority(clock: Clock) -> ChannelPriority:
    return ChannelPriority(clock)


def test_people_who_talk_come_first(priority: ChannelPriority, clock: Clock) -> None:
    """Twenty messages in ten seconds are a lively channel, not a flood."""
    for _ in range(200):
        clock.now += 0.51
        assert priority.of("C1") == 0


def test_a_flood_comes_later_and_only_in_its_own_channel(priority: ChannelPriority, clock: Clock) -> None:
    """An import that somebody posts line by line must not keep a customer's message waiting."""
    found = []
    for _ in range(600):
        clock.now += 0.001
        found.append(priority.of("flood"))
    assert [found.index(each) for each in (0, 3, 6, LAST)] == [0, 20, 100, 500]
    assert found == sorted(found)
    assert priority.of("quiet") == 0
    clock.now += 10
    assert priority.of("flood") == 0


def test_channels_that_fell_silent_are_forgotten(priority: ChannelPriority, clock: Clock) -> None:
    """A workspace has ten thousand channels, and the bot runs for months."""
    for n in range(3000):
        clock.now += 1
        priority.of(f"C{n}")
    assert len(priority._written) <= 1001


def test_redis_hands_out_the_first_priority_first(redis_url: str) -> None:
    """What was said later in a quiet channel is labelled before what still waits of a flood."""
    from kombu import Queue

    from worker.app import INFERENCE, app

    def taken() -> Iterator[int]:
        with app.connection_for_read() as connection:
            got: list[int] = []
            with connection.Consumer(Queue(INFERENCE), accept=["json"], prefetch_count=1) as consumer:
                consumer.register_callback(lambda body, message: (got.append(body[0][0]), message.ack()))
                while len(got) < 7:
                    connection.drain_events(timeout=10)
            yield from got

    # A database of its own: what other tests left on the queue would come in between.
    with broker(redis_url.removesuffix("/0") + "/7"):
        for message_id, given in ((1, 9), (2, 3), (3, 9), (4, 0), (5, 6), (6, 0), (7, 3)):
            queues.classify_and_reply(message_id, 1, priority=given).apply_async()
        assert list(taken()) == [4, 6, 2, 7, 5, 1, 3]
