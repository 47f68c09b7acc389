"""Clients written by others, unchanged, against the simulator: what works for them works for an app built on them."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.socket_mode.aiohttp import SocketModeClient as AiohttpClient
from slack_sdk.socket_mode.builtin import SocketModeClient as BuiltinClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.socket_mode.websocket_client import SocketModeClient as WebsocketClient
from slack_sdk.socket_mode.websockets import SocketModeClient as WebsocketsClient
from slack_sdk.web.async_client import AsyncWebClient

from bot.local.ports import free_port
from bot.simulator.errors import Json
from bot.simulator.person import Person
from bot.simulator.server import Simulator
from tests.simulated import simulated

GENERAL, ANA = "C0SIMUGENERAL", "U0SIMUANA"
JAVASCRIPT = Path(__file__).parent.parent / "javascript"


# --- Web API ---


BLOCK = {"type": "section", "text": {"type": "mrkdwn", "text": "hola"}}
TS = "the ts of the first post"
DIRECT = "the direct messages with Ana"
CANVAS = "the canvas that was made"
GUIDE = {"type": "markdown", "markdown": "# Guía"}
# Calls of every kind: with JSON, forms, files and pages.
TOUR: list[tuple[str, dict[str, Any]]] = [
    ("auth_test", {}),
    ("chat_postMessage", {"channel": GENERAL, "text": "á & <b>", "blocks": [BLOCK]}),
    ("chat_update", {"channel": GENERAL, "ts": TS, "text": "otra"}),
    ("reactions_add", {"channel": GENERAL, "timestamp": TS, "name": "x"}),
    ("reactions_get", {"channel": GENERAL, "timestamp": TS}),
    ("conversations_history", {"channel": GENERAL, "limit": 1}),
    ("conversations_replies", {"channel": GENERAL, "ts": TS}),
    ("users_info", {"user": ANA}),
    ("users_list", {"limit": 1}),
    (
        "assistant_threads_setStatus",
        {"channel_id": GENERAL, "thread_ts": TS, "status": "lee…", "loading_messages": ["uno"]},
    ),
    ("assistant_threads_setSuggestedPrompts", {"channel_id": DIRECT, "prompts": [{"title": "Ayuda", "message": "ayuda"}]}),
    ("canvases_create", {"channel_id": GENERAL, "title": "Guía", "document_content": GUIDE}),
    ("canvases_edit", {"canvas_id": CANVAS, "changes": [{"operation": "replace", "document_content": GUIDE}]}),
    ("canvases_delete", {"canvas_id": CANVAS}),
    ("files_upload_v2", {"channel": GENERAL, "filename": "a.txt", "content": "hola"}),
    ("views_publish", {"user_id": ANA, "view": {"type": "home", "blocks": [BLOCK]}}),
    ("chat_delete", {"channel": GENERAL, "ts": TS}),
]


async def travel(call: Callable[[str, dict[str, Any]], Awaitable[Any]]) -> list[tuple[str, bool, list[str]]]:
    """Make the calls of the tour; return for each the method, whether it succeeded, and the fields of the reply."""
    ts, canvas, stations = "", "", []
    direct = (await call("conversations_open", {"users": ANA}))["channel"]["id"]
    for name, arguments in TOUR:
        known = {TS: ts, DIRECT: direct, CANVAS: canvas}
        answer = await call(name, {key: known.get(str(value), value) for key, value in arguments.items()})
        ts, canvas = ts or answer.get("ts", ""), canvas or answer.get("canvas_id", "")
        stations.append((name, bool(answer["ok"]), sorted(answer.data)))
    return stations


async def test_the_sync_and_the_async_client_get_the_same(simulator: Simulator) -> None:
    """They send the same calls in different forms: one form-encoded, one as JSON."""
    address: dict[str, Any] = {"token": simulator.bot_token, "base_url": f"{simulator.url}/api/"}
    sync, not_sync = WebClient(**address), AsyncWebClient(**address)
    first = await travel(lambda name, arguments: asyncio.to_thread(getattr(sync, name), **arguments))
    second = await travel(lambda name, arguments: getattr(not_sync, name)(**arguments))
    assert first == second
    assert all(ok for _, ok, _ in first)


# --- Socket Mode ---


def reply_to(request: SocketModeRequest) -> Json | None:
    """Return what the app answers: a post in the thread of every message of a person."""
    event = request.payload.get("event", {})
    if event.get("type") != "message" or "bot_id" in event or "subtype" in event:
        return None
    return {"channel": event["channel"], "text": f"eco: {event['text']}", "thread_ts": event["ts"]}


def acknowledgement(request: SocketModeRequest) -> SocketModeResponse:
    payload = {"text": f"oído: {request.payload['text']}"} if request.type == "slash_commands" else None
    return SocketModeResponse(envelope_id=request.envelope_id, payload=payload)


def sync_client(kind: type[Any]) -> Callable[[Simulator], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def run(simulator: Simulator) -> AsyncIterator[None]:
        def hear(client: Any, request: SocketModeRequest) -> None:
            client.send_socket_mode_response(acknowledgement(request))
            if reply := reply_to(request):
                client.web_client.chat_postMessage(**reply)

        web = WebClient(token=simulator.bot_token, base_url=f"{simulator.url}/api/")
        client = kind(app_token=simulator.app_token, web_client=web)
        client.socket_mode_request_listeners.append(hear)
        await asyncio.to_thread(client.connect)
        yield
        await asyncio.to_thread(client.close)

    return run


def async_client(kind: type[Any]) -> Callable[[Simulator], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def run(simulator: Simulator) -> AsyncIterator[None]:
        async def hear(client: Any, request: SocketModeRequest) -> None:
            await client.send_socket_mode_response(acknowledgement(request))
            if reply := reply_to(request):
                await client.web_client.chat_postMessage(**reply)

        web = AsyncWebClient(token=simulator.bot_token, base_url=f"{simulator.url}/api/")
        client = kind(app_token=simulator.app_token, web_client=web)
        client.socket_mode_request_listeners.append(hear)
        await client.connect()
        yield
        await client.close()

    return run


CLIENTS: dict[str, Callable[[Simulator], AbstractAsyncContextManager[None]]] = {
    "builtin": sync_client(BuiltinClient),
    "websocket_client": sync_client(WebsocketClient),
    "aiohttp": async_client(AiohttpClient),
    "websockets": async_client(WebsocketsClient),
}


@pytest.mark.parametrize("name", CLIENTS)
async def test_each_socket_mode_client_of_the_sdk_hears_and_answers(simulator: Simulator, name: str) -> None:
    """They speak the protocol in four ways; an app may use any of them."""
    async with CLIENTS[name](simulator), Person(simulator.url, "ana") as ana:
        await converse(ana, "eco: hola &lt;3", "oído: estado")


async def converse(ana: Person, echo: str, answer: str) -> None:
    """Check that a message is answered in its thread, and a command in private."""
    changes = ana.changes()
    ts = await ana.message("general", "hola <3")
    assert (await ana.wait_for_reply("general", ts))["text"] == echo
    assert await ana.command("general", "/beto", "estado")
    async with asyncio.timeout(10):
        async for change in changes:
            if (change.get("message") or {}).get("ephemeral"):
                assert change["message"]["text"] == answer
                return


async def see_beside(simulator: Simulator, ana: Person) -> None:
    """Check that the app offers prompts in its direct messages, says that it works on what it was asked, and makes a canvas."""
    assistant, channels = simulator.apps[0].assistant, simulator.workspace.channels
    changes = ana.changes()
    direct, ts = await ana.open_dm("beto"), await ana.message("general", "piensa")
    async with asyncio.timeout(10):
        async for change in changes:  # the page is told that there is something else to see
            shown = assistant.shown(channels[GENERAL])["statuses"]
            if change["type"] == "state" and shown and "prompts" in assistant.shown(channels[direct]):
                break
    assert assistant.shown(channels[direct])["prompts"]["prompts"] == [{"title": "Saluda", "message": "hola"}]
    assert assistant.shown(channels[GENERAL])["statuses"] == {ts: "piensa…"}
    made = (await ana.wait_for_reply("general", await ana.message("general", "guía")))["text"]
    assert [f"canvas {one['id']}" for one in simulator.apps[0].canvases.shown(channels[GENERAL])] == [made]


# --- Bolt for JavaScript ---


@pytest.mark.parametrize("transport", ["socket", "http"])
async def test_bolt_for_javascript_lives_here_too(transport: str) -> None:
    """An app in another language, with Slack's own framework for it, works over both transports."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (JAVASCRIPT / "node_modules" / "@slack" / "bolt").is_dir():
        pytest.skip("@slack/bolt is not installed: npm install --prefix tests/javascript")
    port = str(free_port())
    url = f"http://127.0.0.1:{port}/slack/events" if transport == "http" else None
    async with simulated(rate_limits=False, events_url=url) as simulator:
        environment = {
            "PATH": os.environ["PATH"],
            "SLACK_API_URL": f"{simulator.url}/api/",
            "SLACK_BOT_TOKEN": simulator.bot_token,
            "SLACK_APP_TOKEN": simulator.app_token,
            "SLACK_SIGNING_SECRET": simulator.signing_secret,
        }
        environment |= {"PORT": port} if transport == "http" else {}
        process = await asyncio.create_subprocess_exec(
            node, "app.mjs", cwd=JAVASCRIPT, env=environment, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(30):
                while (line := await process.stdout.readline()) != b"ready\n":
                    assert line, "the app has ended"
            async with Person(simulator.url, "ana") as ana:
                await converse(ana, "eco: hola &lt;3", "de JavaScript: estado")
                ts = await ana.message("general", "pulgares")
                reply = await ana.wait_for_reply("general", ts)
                assert reply["text"] == "válido: true"
                changes = ana.changes()
                assert await ana.action("thumbs", channel="general", ts=reply["ts"], value="bad")
                async with asyncio.timeout(10):
                    async for change in changes:
                        if change["type"] == "message" and change["message"]["text"] == "feedback_buttons: bad":
                            break
                await see_beside(simulator, ana)
                done = await ana.step(await ana.run_step("classify_text", {"text": "tarjeta"}))
                assert (done["status"], done["outputs"]["labels"]) == ("success", "tarjeta")
                assert await ana.step(await ana.run_step("classify_text", {})) == {"status": "error", "error": "no hay texto"}
        finally:
            process.terminate()
            await process.communicate()
