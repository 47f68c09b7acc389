"""Load on the simulator: 200 events a second for a minute over two sockets, one of which is refreshed in it.

The app is a bare Socket Mode client (slack_sdk's
aiohttp one, twice) that acknowledges at once, so that the simulator's own cost is what is left: the CPU time of its process,
which is another one than the app's.
"""

import asyncio
import multiprocessing
import os
import time
from collections import Counter
from multiprocessing.connection import Connection
from typing import Any

import click
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.server import Simulator


def slack(pipe: Connection, seconds: int, rate: int) -> None:
    """Run the simulator and the person who writes, in a process of its own."""
    asyncio.run(_slack(pipe, seconds, rate))


async def _slack(pipe: Connection, seconds: int, rate: int) -> None:
    simulator = Simulator(rate_limits=False)
    await simulator.start()
    pipe.send((simulator.url, simulator.app_token, simulator.bot_token))
    await asyncio.to_thread(pipe.recv)  # both sockets are open
    workspace = simulator.workspace
    channel, ana = workspace.channel("general"), workspace.user("ana")
    workspace.join(channel, workspace.user("beto"))
    cpu, start = time.process_time(), time.perf_counter()
    sent = set()
    refresh_at = {n * 60 * rate + 30 * rate for n in range(1 + seconds // 60)}
    for n in range(seconds * rate):
        await asyncio.sleep(max(0.0, start + n / rate - time.perf_counter()))
        if n in refresh_at:
            simulator.disturb("refresh")
        sent.add(workspace.post_as_person(ana, channel, f"mensaje {n}")["ts"])
    took_s = time.perf_counter() - start
    await asyncio.sleep(12)  # a lost acknowledgement would come again in this time, and the old socket is closed
    cpu_s = time.process_time() - cpu
    outcomes = Counter(one.outcome for one in simulator.wire if one.kind == "event")
    pipe.send({"sent": sorted(sent), "cpu_s": cpu_s, "took_s": took_s, "last_outcomes": dict(outcomes)})
    await asyncio.to_thread(pipe.recv)
    await simulator.stop()


async def measure(seconds: int, rate: int) -> dict[str, Any]:
    """Run the load, print its two most telling figures, and return all."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=slack, args=(theirs, seconds, rate))
    process.start()
    url, app_token, bot_token = await asyncio.to_thread(ours.recv)
    heard: Counter[str] = Counter()
    late_ms: list[float] = []

    async def hear(client: Any, request: SocketModeRequest) -> None:
        await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        event = request.payload["event"]
        if event["type"] == "message" and "subtype" not in event:
            heard[event["ts"]] += 1
            late_ms.append((time.time() - float(event["ts"])) * 1_000)

    clients = []
    for _ in range(2):
        web = AsyncWebClient(token=bot_token, base_url=f"{url}/api/")
        client = SocketModeClient(app_token=app_token, web_client=web)
        client.socket_mode_request_listeners.append(hear)
        await client.connect()
        clients.append(client)
    ours.send("go")
    cpu = time.process_time()
    told = await asyncio.to_thread(ours.recv)
    app_cpu_s = time.process_time() - cpu
    for client in clients:
        await client.close()
    ours.send("stop")
    process.join()
    sent = set(told["sent"])
    late_ms.sort()
    result = {
        "bench": "simulator_load",
        "events": len(sent),
        "events_per_s": round(len(sent) / told["took_s"], 1),
        "lost": len(sent - heard.keys()),
        "duplicated": sum(count - 1 for count in heard.values()),
        "p50_ms": round(late_ms[len(late_ms) // 2], 2),
        "p99_ms": round(late_ms[len(late_ms) * 99 // 100], 2),
        "simulator_cpu_ms_per_event": round(told["cpu_s"] * 1_000 / len(sent), 3),
        "simulator_cpu_share": round(told["cpu_s"] / told["took_s"], 3),
        "app_cpu_ms_per_event": round(app_cpu_s * 1_000 / len(sent), 3),
        "cores": os.cpu_count(),
    }
    click.echo(f"{result['events']} events: {result['lost']} lost, {result['duplicated']} duplicated", err=True)
    click.echo(f"the simulator's own cost: {result['simulator_cpu_ms_per_event']} ms of CPU an event", err=True)
    return result
