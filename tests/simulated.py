"""A simulated Slack on a test's own loop, and the place where an app hears from it over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from bot.simulator.server import Simulator

Heard = asyncio.Queue[tuple[bytes, Mapping[str, str]]]


@asynccontextmanager
async def simulated(**options: Any) -> AsyncIterator[Simulator]:
    """A Simulator with these options runs, and its bot is a member of #general."""
    simulator = Simulator(**options)
    await simulator.start()
    try:
        simulator.workspace.join(simulator.workspace.channel("general"), simulator.workspace.user("beto"))
        yield simulator
    finally:
        await simulator.stop()


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[str, Heard]]:
    """(URL, bodies and headers that are posted to it); Slack's challenge is met, and all else acknowledged."""
    heard: Heard = asyncio.Queue()

    async def hear(request: web.Request) -> web.Response:
        body = await request.read()
        heard.put_nowait((body, request.headers))
        return web.json_response({"challenge": json.loads(body).get("challenge")})

    app = web.Application()
    app.add_routes([web.post("/slack/events", hear)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events", heard
    finally:
        await runner.cleanup()
