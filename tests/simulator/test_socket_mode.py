"""Socket Mode on the wire: tickets, hello, envelopes, acknowledgements."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.person import Person
from bot.simulator.server import Simulator


@pytest.fixture
def slack_options() -> dict[str, Any]:
    """Let Slack's seconds take a twentieth of real ones: these tests wait for redeliveries."""
    return {"clock_scale": 0.05, "rate_limits": False}


@pytest.fixture
async def ana(simulator: Simulator) -> AsyncIterator[Person]:
    async with Person(simulator.url, "ana") as ana:
        yield ana


async def open_url(simulator: Simulator) -> str:
    client = AsyncWebClient(base_url=f"{simulator.url}/api/")
    return str((await client.apps_connections_open(app_token=simulator.app_token))["url"])


async def next_envelope(socket: aiohttp.ClientWebSocketResponse, ts: str) -> dict[str, Any]:
    """Return the next envelope with an event for that ts; acknowledge all others."""
    while True:
        frame = await socket.receive_json(timeout=5)
        if frame["type"] == "hello":
            continue
        if frame["payload"]["event"].get("ts") == ts:
            return dict(frame)
        await socket.send_json({"envelope_id": frame["envelope_id"]})


async def test_a_ticket_opens_one_websocket(simulator, session):
    """A URL that leaked into a log must be worth nothing."""
    url = await open_url(simulator)
    async with session.ws_connect(url) as socket:
        hello = await socket.receive_json(timeout=5)
        assert (hello["type"], hello["num_connections"], hello["connection_info"]) == ("hello", 1, {"app_id": "A0SIMUBETO"})
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await session.ws_connect(url)


async def test_an_eleventh_connection_is_turned_away(simulator, session):
    """Slack allows ten."""
    sockets = [await session.ws_connect(await open_url(simulator)) for _ in range(11)]
    last = await sockets[-1].receive_json(timeout=5)
    assert (last["type"], last["reason"]) == ("disconnect", "too_many_websockets")
    assert simulator.sockets == 10
    for socket in sockets:
        await socket.close()


async def test_each_event_goes_to_one_connection(simulator, session, ana):
    """A bot with two connections must not answer twice, and must listen on both."""
    heard: list[list[str]] = [[], []]
    ready = asyncio.Event()

    async def listen(n: int) -> None:
        async with session.ws_connect(await open_url(simulator)) as socket:
            while sum(map(len, heard)) < 40:
                frame = await socket.receive_json(timeout=5)
                if frame["type"] == "hello":
                    if simulator.sockets == 2:
                        ready.set()
                    continue
                await socket.send_json({"envelope_id": frame["envelope_id"]})
                event = frame["payload"]["event"]
                if event["type"] == "message" and "subtype" not in event:
                    heard[n].append(event["text"])
                if sum(map(len, heard)) == 40:
                    for other in tasks:
                        if other is not asyncio.current_task():
                            other.cancel()

    tasks = [asyncio.create_task(listen(n)) for n in range(2)]
    await asyncio.wait_for(ready.wait(), 5)
    await asyncio.gather(*(ana.message("general", str(n)) for n in range(40)))
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(map(int, heard[0] + heard[1])) == list(range(40))
    assert all(heard)


async def test_redelivery_counts_its_tries(simulator, session, ana):
    """The first delivery has retry_attempt 0 and an empty reason: the field's presence is no sign of a retry."""
    async with session.ws_connect(await open_url(simulator)) as socket:
        ts = await ana.message("general", "hola")
        first = await next_envelope(socket, ts)
        second = await next_envelope(socket, ts)
        assert (first["retry_attempt"], first["retry_reason"], first["accepts_response_payload"]) == (0, "", False)
        assert (second["retry_attempt"], second["retry_reason"]) == (1, "timeout")
        assert second["payload"] == first["payload"]
        assert second["envelope_id"] != first["envelope_id"]


async def test_events_wait_for_a_connection(simulator, session, ana):
    """A bot that starts late, or comes back, misses nothing."""
    ts = await ana.message("general", "nadie escucha")
    async with session.ws_connect(await open_url(simulator)) as socket:
        assert (await next_envelope(socket, ts))["payload"]["event"]["text"] == "nadie escucha"


async def test_what_a_dead_connection_had_goes_to_another(simulator, session, ana):
    """A killed bot process leaves events unacknowledged: its successor gets them."""
    socket = await session.ws_connect(await open_url(simulator))
    ts = await ana.message("general", "hola")
    await next_envelope(socket, ts)
    await socket.close()
    async with session.ws_connect(await open_url(simulator)) as successor:
        assert (await next_envelope(successor, ts))["retry_attempt"] == 1


async def test_nonsense_from_the_app_is_ignored(simulator, session, ana):
    """One broken frame must not cost the connection."""
    async with session.ws_connect(await open_url(simulator)) as socket:
        for frame in ("{", "[]", "null", '{"envelope_id": []}', '{"envelope_id": "unknown"}', "ping"):
            await socket.send_str(frame)
        ts = await ana.message("general", "hola")
        assert await next_envelope(socket, ts)


async def test_without_a_connection_a_command_fails_at_once(simulator, ana):
    """Slack says dispatch_failed; commands never wait."""
    changes = ana.changes()
    assert not await ana.command("general", "/beto")
    async with asyncio.timeout(5):
        async for change in changes:
            if change["type"] == "notice":
                assert "dispatch_failed" in change["text"]
                break
