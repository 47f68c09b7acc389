"""Slack's time in the simulator: faster than real time, and set forward at will."""

import asyncio
import time

import pytest

from bot.simulator.clock import Clock


async def test_a_step_does_what_was_due_in_its_order() -> None:
    """Five minutes of redeliveries must be testable in no time."""
    clock, done = Clock(), []
    clock.later(60, done.append, "second")
    clock.later(1, lambda: (done.append("first"), clock.later(0, done.append, "at once")))
    clock.later(400, done.append, "never")
    clock.step(300)
    assert done == ["first", "at once", "second"]
    clock.stop()


async def test_what_was_cancelled_does_not_happen() -> None:
    """An acknowledged event is not sent again."""
    clock, done = Clock(), []
    clock.later(1, done.append, "x").cancel()
    clock.step(10)
    assert done == []


async def test_a_scaled_second_is_shorter() -> None:
    """At a thousandth, an hour takes 3.6 s; here half an hour is one long wait that ends by itself."""
    clock, done = Clock(0.0001), asyncio.Event()
    clock.later(1800, done.set)
    await asyncio.wait_for(done.wait(), 30)
    assert clock.seconds() >= 1800


async def test_a_new_scale_counts_for_what_already_waits() -> None:
    """A person turns the clock up because they do not want to wait any longer."""
    clock, done = Clock(), asyncio.Event()
    clock.later(1800, done.set)
    clock.rescale(0.0001)
    await asyncio.wait_for(done.wait(), 30)


async def test_stamps_go_along_with_a_step() -> None:
    """A message after a step of a day is a day younger."""
    clock = Clock()
    before = clock.unix()
    clock.step(86_400)
    assert clock.unix() - before >= 86_400


async def test_waits_are_skipped_alone_where_stamps_are_to_stay() -> None:
    """An app that compares them with its own clock would take what follows for messages of the future."""
    clock, done = Clock(), asyncio.Event()
    clock.later(1800, done.set)
    clock.step(86_400, stamps=False)
    assert done.is_set()
    assert clock.unix() - time.time() < 60
    assert clock.seconds() >= 86_400


@pytest.mark.parametrize("scale", [0, -1])
def test_a_clock_does_not_stand_still(scale: float) -> None:
    """A scale of 0 would send everything again at once, for ever."""
    with pytest.raises(ValueError, match="above 0"):
        Clock().rescale(scale)


def test_a_clock_does_not_go_back() -> None:
    """A ts must stay later than every one before."""
    with pytest.raises(ValueError, match="set back"):
        Clock().step(-1)
