"""Captured payloads of real workspaces, sent to our bot by the simulator, over both transports.

They are skipped unless BETO_SLACK_SAMPLES names the folder above `opsdroid-slack-tests` (requests as they came over HTTP) and
`python-slack-sdk-tests` (frames of Socket Mode). `pytest -s` shows what the bot did with each.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import aiohttp
import pytest
from aiohttp import web
from celery.canvas import Signature
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.authorization import AuthorizeResult

from bot.local.ports import free_port
from bot.settings import BotSettings
from bot.simulator.delivery import Kind, Unanswered
from bot.simulator.errors import Json
from bot.simulator.server import Simulator
from bot.slack.app import build_app
from bot.slack.context import build_context
from model.store.store import Store
from tests.simulator.conformance import lacks

FOLDER = Path(os.environ.get("BETO_SLACK_SAMPLES", "/nowhere"))
SAMPLES = sorted(
    [*FOLDER.glob("opsdroid-slack-tests/payload_*"), *FOLDER.glob("python-slack-sdk-tests/*envelopes*")], key=lambda one: one.name
)
pytestmark = pytest.mark.skipif(not SAMPLES, reason="BETO_SLACK_SAMPLES names no folder with captured payloads")


@dataclass
class Running:
    """The bot's app connected to the simulator, and the tasks that it has published."""

    simulator: Simulator
    tasks: list[str] = field(default_factory=list)


@pytest.fixture(params=["socket", "http"])
async def running(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    port = free_port()
    url = f"http://127.0.0.1:{port}/slack/events" if request.param == "http" else None
    simulator = Simulator(rate_limits=False, clock_scale=0.2, events_url=url)
    await simulator.start()
    running = Running(simulator)

    async def record(signature: Signature[None]) -> None:
        running.tasks.append(str(signature.task))

    store = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path)
    store.migrate()
    settings = BotSettings(
        slack_bot_token=simulator.bot_token,
        slack_app_token=simulator.app_token,
        slack_signing_secret=simulator.signing_secret,
        slack_api_url=f"{simulator.url}/api/",
    )
    who = AuthorizeResult(
        enterprise_id=None, team_id="T0SIMULADOR", bot_user_id="U0SIMUBETO", bot_id="B0SIMUBETO", bot_token=simulator.bot_token
    )
    context = build_context(settings, store, bot_user="U0SIMUBETO", bot_name="beto", publish=record)
    app = build_app(context, who)
    stop: Callable[[], Awaitable[None]]
    if url is None:
        handler = AsyncSocketModeHandler(app, simulator.app_token)
        await handler.connect_async()
        stop = handler.close_async
    else:
        runner = web.AppRunner(app.web_app("/slack/events"))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        stop = runner.cleanup
    yield running
    await stop()
    await simulator.stop()
    store.close()


def read(sample: Path, simulator: Simulator) -> tuple[Kind, Json]:
    """Return the payload and its kind. Its response_url is replaced by the simulator's: nothing may leave this machine."""
    text = sample.read_text(encoding="utf-8")
    if sample.suffix == ".json":
        body: Json = json.loads(text)
        kind: Any = body.get("type") if "envelope_id" in body else "events_api"
        payload = body["payload"] if "envelope_id" in body else body
    else:
        text = text if "=" in text else unquote_plus(text)  # one of them is encoded twice
        form = {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
        kind = "interactive" if "payload" in form else "slash_commands"
        payload = form
        if "payload" in form:
            payload = json.loads(form["payload"])
    moved = json.dumps(payload).replace("https://hooks.slack.com", simulator.url)
    return kind, json.loads(moved)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one.stem)
async def test_every_captured_payload_is_acknowledged(
    running: Running, sample: Path, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    """What a real workspace sent, a bot in another workspace must survive: answered in time, and no listener failed."""
    kind, payload = read(sample, running.simulator)
    try:
        answer = json.dumps(await asyncio.wait_for(running.simulator.deliver(payload, kind), 60), ensure_ascii=False)
    except Unanswered as error:
        answer = f"NOT ACKNOWLEDGED ({error.code})"
    calls = [f"{call.method}{f' ({call.error})' if call.error else ''}" for call in running.simulator.transcript]
    calls = [call for call in calls if not call.startswith(("apps.connections.open", "auth.test"))]
    what = (payload.get("event") or payload).get("type") or payload.get("command")
    print(f"\n| {sample.stem} | {what} | {request.node.callspec.params['running']} | {answer} | "
          f"{', '.join(running.tasks) or '-'} | {', '.join(calls) or '-'} |")  # fmt: skip
    assert [record.getMessage() for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []
    assert "NOT" not in answer


@pytest.mark.parametrize("kind", ["hello", "disconnect"])
async def test_our_frames_have_the_fields_of_slacks(kind: str) -> None:
    """Clients read more of these frames than their type."""
    file = FOLDER / "python-slack-sdk-tests" / f"mock_socket_mode_server__socket_mode_{kind}_message.json"
    simulator = Simulator()
    await simulator.start()
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {simulator.app_token}"}
        async with session.post(f"{simulator.url}/api/apps.connections.open", headers=headers) as response:
            url = (await response.json())["url"]
        async with session.ws_connect(url) as connection:
            simulator.disturb("refresh")
            frames = {frame["type"]: frame for frame in [await connection.receive_json(timeout=10) for _ in range(2)]}
    await simulator.stop()
    assert lacks(json.loads(file.read_text(encoding="utf-8")), frames[kind]) == []
