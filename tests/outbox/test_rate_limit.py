"""Slack's limits, counted together by processes that know of each other only through Redis."""

import time
from collections.abc import Iterator

import pytest
import redis

from bot.forms import Forms
from bot.local.ports import free_port
from bot.locks import TtlLock
from bot.outbox.client import AmbiguousResult, RateLimited, RateLimitedClient
from bot.outbox.rate_limit import BURST, POSTS_BURST, RateLimiter
from bot.simulator.pytest_plugin import SimulatorThread


@pytest.fixture
def clean_redis(redis_url: str) -> str:
    redis.Redis.from_url(redis_url).flushall()
    return redis_url


@pytest.fixture
def slack() -> Iterator[SimulatorThread]:
    thread = SimulatorThread(rate_limits=False)
    yield thread
    thread.stop()


def a_client(slack: SimulatorThread, limiter: RateLimiter, patience_s: float = 0.0) -> RateLimitedClient:
    forms = Forms(TtlLock(f"redis://127.0.0.1:{free_port()}/0"))
    return RateLimitedClient(
        limiter=limiter, forms=forms, patience_s=patience_s, token=slack.simulator.bot_token, base_url=f"{slack.url}/api/"
    )


def test_two_processes_together_stay_below_one_post_a_second_and_channel(clean_redis: str) -> None:
    """Each alone would be allowed what Slack grants to both: every second post would be refused."""
    first, second = RateLimiter(clean_redis), RateLimiter(clean_redis)
    waits = [limiter.take("chat.postMessage", "C1") for _ in range(POSTS_BURST) for limiter in (first, second)]
    assert waits.count(0.0) == POSTS_BURST
    assert all(0 < wait <= 1 for wait in waits[POSTS_BURST:])
    assert second.take("chat.postMessage", "C2") == 0.0


def test_what_slack_told_one_process_all_obey(clean_redis: str) -> None:
    """Whoever goes on asking during Retry-After is refused for longer."""
    first, second = RateLimiter(clean_redis), RateLimiter(clean_redis)
    first.block_method_for("chat.update", 7)
    assert 6 < second.take("chat.update") <= 7
    assert second.take("users.info") == 0.0


@pytest.mark.parametrize("near", [True, False])
def test_what_one_limit_refuses_costs_nothing_of_the_other(clean_redis: str, *, near: bool) -> None:
    """Else a channel that was asked too often would eat what all channels share, and answer nobody."""
    limiter = RateLimiter(clean_redis if near else f"redis://127.0.0.1:{free_port()}/0")
    asked = [limiter.take("chat.postMessage", "C1") for _ in range(POSTS_BURST + 50)]
    assert asked.count(0.0) == POSTS_BURST
    others = [limiter.take("chat.postMessage", f"D{n}") for n in range(BURST - POSTS_BURST)]
    assert others == [0.0] * len(others)


def test_the_pause_in_a_channels_line_follows_the_rate() -> None:
    """A workspace with other limits is not held to Slack's second, nor let loose."""
    unreached = "redis://127.0.0.1:1/0"
    assert [RateLimiter(unreached, rate).post_every_s for rate in (1, 4, 0)] == [1.0, 0.25, 0.0]
    assert [RateLimiter(unreached, rate).posts_a_second for rate in (0.1, 1, 4, 1000, 0)] == [1, 1, 4, 20, 20]


def test_without_redis_each_process_keeps_to_the_limits_by_itself() -> None:
    """Redis is only the road: its death must neither stop the replies nor let them loose."""
    limiter = RateLimiter(f"redis://127.0.0.1:{free_port()}/0")
    waits = [limiter.take("chat.update") for _ in range(BURST + 1)]
    assert waits[:BURST] == [0.0] * BURST
    assert 0 < waits[-1] <= 60 / 50
    limiter.block_method_for("chat.update", 30)
    assert limiter.take("chat.update") > 29


def test_a_rate_of_zero_knows_only_what_slack_says(clean_redis: str) -> None:
    """For workspaces whose limits are others, and for measurements."""
    first, second = RateLimiter(clean_redis, rate=0), RateLimiter(clean_redis, rate=0)
    assert [first.take("chat.postMessage", "C1") for _ in range(50)] == [0.0] * 50
    first.block_method_for("chat.postMessage", 9)
    assert second.take("chat.postMessage", "C1") > 8


def test_a_refusal_for_haste_is_a_time_to_come_back_and_holds_nobody(slack: SimulatorThread, clean_redis: str) -> None:
    """A thread that sleeps out Retry-After is one less for everybody else's replies."""
    limiter = RateLimiter(clean_redis)
    slack.simulator.faults.fail_next("auth.test", "ratelimited", retry_after_s=42)
    began = time.monotonic()
    with pytest.raises(RateLimited) as told:
        a_client(slack, limiter).auth_test()
    assert time.monotonic() - began < 20
    assert told.value.retry_after_s == 42
    with pytest.raises(RateLimited):  # and Slack is not asked again meanwhile
        a_client(slack, RateLimiter(clean_redis), patience_s=1).auth_test()
    assert len(slack.calls("auth.test")) == 0


@pytest.mark.parametrize("failure", [500, 503, "not_json", "reset", "answer_lost"])
def test_a_call_without_a_readable_answer_is_made_once_and_called_ambiguous(
    slack: SimulatorThread, clean_redis: str, failure: int | str
) -> None:
    """Slack may have carried it out: whoever posts again by reflex posts twice."""
    slack.simulator.faults.fail_next("auth.test", failure)
    with pytest.raises(AmbiguousResult):
        a_client(slack, RateLimiter(clean_redis)).auth_test()
    assert slack.simulator.faults.waiting()["calls"] == {}
    assert len(slack.calls("auth.test")) == (failure == "answer_lost")
