"""The simulator as one server: Slack's side for the app, the page and the person API for people."""

import asyncio
import errno
import ipaddress
import json
import re
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.simulator.clock import Clock
from bot.simulator.control import Control
from bot.simulator.delivery import Kind, Road
from bot.simulator.errors import Json, SlackError
from bot.simulator.events import Events
from bot.simulator.faults import Faults
from bot.simulator.installation import Installation, Method
from bot.simulator.interactions import Interactions
from bot.simulator.people import People
from bot.simulator.rate_limits import RateLimits
from bot.simulator.response_urls import ResponseUrls
from bot.simulator.screens import Screens
from bot.simulator.signed_http import SignedHttp
from bot.simulator.socket_mode import SocketMode
from bot.simulator.uploads import Uploads
from bot.simulator.views import Views
from bot.simulator.web_api import Call, WebApi
from bot.simulator.wire import Wire
from bot.simulator.workspace import Change, Workspace

MANIFEST = Path(__file__).parent.parent / "manifest.json"
PAGE = Path(__file__).parent / "page"
BOT_TOKEN = "xoxb-simulator"  # noqa: S105 (opens nothing but this simulator)
APP_TOKEN = "xapp-simulator"  # noqa: S105
SIGNING_SECRET = "simulator-signing-secret"  # noqa: S105
_BODY_BYTES = 60_000_000  # above the largest file
# The page's own files and nothing else. Its script sets single properties of styles, which no policy has to allow.
_POLICY = "default-src 'self'; connect-src 'self' ws:; img-src 'self' data:"


class Simulator:
    """A Slack workspace with the app of `manifest` installed, on one loopback port.

    With `events_url` everything for the app is POSTed there, signed; without, it goes through Socket Mode. `clock_scale`
    shortens the three seconds to acknowledge, the life of triggers, and the waits before redelivery; `clock` can be set
    forward.
    """

    bot_token = BOT_TOKEN
    app_token = APP_TOKEN
    signing_secret = SIGNING_SECRET

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        manifest: Json | None = None,
        events_url: str | None = None,
        clock_scale: float = 1.0,
        rate_limits: bool = True,
    ) -> None:
        if not _is_loopback(host):
            raise ValueError(f"the simulator listens on loopback only, not on {host}: its tokens are known to everybody")
        self.host = host
        self.port = port
        self.url = ""
        self.faults = Faults()
        self.clock = Clock(clock_scale)
        self.wire = Wire(self.clock)
        manifest = read_manifest(MANIFEST) if manifest is None else _completed(manifest)
        app_name = manifest["display_information"]["name"]
        bot_name = manifest["features"].get("bot_user", {}).get("display_name", app_name)
        self.workspace = Workspace(bot_name=bot_name, app_name=app_name, clock=self.clock.unix)
        self._events = Events(self.workspace, manifest)
        self._sockets = SocketMode(self.faults, self.clock, self.wire, self.workspace.app_id) if events_url is None else None
        self._road: Road = self._sockets or SignedHttp(self.faults, self.clock, self.wire, events_url or "", SIGNING_SECRET)
        app_home = manifest["features"].get("app_home", {})
        home = app_home.get("home_tab_enabled", False)
        self._screens = Screens(self.workspace, self.wire)
        tell = self._screens.tell
        self.views = Views(self.workspace, tell, clock=self.clock, home_enabled=home)
        self._uploads = Uploads(self.workspace, self._base)
        self._response_urls = ResponseUrls(self.workspace, self._base, self.clock)
        interactions = Interactions(self.workspace, self.views, self._response_urls, self._road, manifest, tell)
        self._people = People(self.workspace, self._screens, self.views, interactions, self._events, self._road, manifest)
        self._app = Installation(
            self.workspace,
            tuple(manifest["oauth_config"]["scopes"].get("bot", ())),
            messages_tab=app_home.get("messages_tab_enabled", True),
        )
        self._api = WebApi(
            self._app,
            self.views,
            self._uploads,
            self.faults,
            bot_token=BOT_TOKEN,
            app_token=APP_TOKEN,
            base=self._base,
            open_socket=self._socket_url if self._sockets else None,
            limits=RateLimits(self.clock.unix) if rate_limits else None,
            clock=self.clock,
            wire=self.wire,
        )
        self._control = Control(self.faults, self.clock, self._road, self.uninstall)
        self.workspace.watchers.append(self._send_events)
        self._runner: web.AppRunner | None = None

    @property
    def sockets(self) -> int:
        """How many websockets of the app are open."""
        return self._road.sockets

    @property
    def transcript(self) -> deque[Call]:
        """The newest 10,000 calls of the Web API, oldest first."""
        return self._api.transcript

    @property
    def methods(self) -> Mapping[str, Method]:
        """The methods of the Web API that are served."""
        return self._api.methods

    async def deliver(self, payload: Json, kind: Kind = "events_api") -> Json:
        """What the app answers to any payload, such as one captured elsewhere ({} for an event).

        Raises Unanswered: for an interaction at once, for an event after four tries.
        """
        return await self._road.deliver(kind, payload)

    def uninstall(self) -> None:
        """The app is removed from the workspace: it hears so, and its bot token is worth nothing any more."""
        for payload in self._events.uninstalled():
            self._road.send_event(payload)
        self._app.revoked = True

    def disturb(self, what: str) -> None:
        """Something befalls the app's sockets: "refresh", "warning", "abort", "freeze", "thaw", "link_disabled"..."""
        self._road.disturb(what)

    async def start(self) -> None:
        """The workspace is served at `url`; raises OSError when the port is taken."""
        app = web.Application(middlewares=[_refuse_strangers], client_max_size=_BODY_BYTES)
        app.add_routes(self._routes())
        # Sockets are closed by stop(); whatever else still runs then has lost its client.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError as error:
            await self._runner.cleanup()
            self._runner = None
            if error.errno == errno.EADDRINUSE:
                raise OSError(errno.EADDRINUSE, f"port {self.port} on {self.host} is taken: choose another one") from error
            raise
        self.port = self._runner.addresses[0][1]
        self.url = f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"
        await self._road.start()

    async def stop(self) -> None:
        """Nothing is served any more; every connection is closed."""
        if self._runner is None:
            return
        await self._road.stop()
        await self._screens.stop()
        await self._runner.cleanup()
        self._runner = None

    def _routes(self) -> list[web.RouteDef]:
        routes = [
            web.get("/", self._page),
            web.get("/health", self._health),
            web.route("*", "/api/{method}", self._api.answer),
            web.get("/person/state", self._people.state),
            web.get("/person/messages", self._people.messages),
            web.get("/person/socket", self._people.socket),
            web.post("/person/{verb}", self._people.act),
            web.get("/control", self._control.state),
            web.post("/control/{verb}", self._control.act),
            web.post("/{kind:commands|actions|app}/{team}/{number}/{secret}", self._respond),
            web.post("/upload/v1/{ticket}", self._upload),
            web.get("/files/{id}", self._file),
            web.get("/archives/{channel}/{stamp}", self._archive),
        ]
        if self._sockets:
            routes.append(web.get("/link", self._sockets.connect))
        return [*routes, web.get("/{name}", self._page), web.get("/page/{name}", self._page)]

    def _send_events(self, change: Change) -> None:
        for payload in self._events.payloads(change):
            self._road.send_event(payload)

    def _base(self) -> str:
        return self.url

    def _socket_url(self) -> str:
        assert self._sockets is not None
        if not self._sockets.enabled:
            raise SlackError("forbidden_team")
        return f"{self.url.replace('http', 'ws', 1)}/link?ticket={self._sockets.new_ticket()}&app_id={self.workspace.app_id}"

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "sockets": self.sockets})

    async def _page(self, request: web.Request) -> web.StreamResponse:
        file = PAGE / request.match_info.get("name", "index.html")
        if file.parent != PAGE or not file.is_file():
            raise web.HTTPNotFound(text="no such file")
        return web.FileResponse(file, headers={"Cache-Control": "no-cache", "Content-Security-Policy": _POLICY})

    async def _respond(self, request: web.Request) -> web.Response:
        """A POST to a response_url."""
        transfer = self.wire.begin("answer", "response_url", {})
        try:
            try:
                body = await request.json()
            except ValueError:
                body = None
            if not isinstance(body, dict):
                raise SlackError("invalid_payload")
            transfer.request = body
            self._response_urls.answer(request.match_info["secret"], body)
        except SlackError as error:
            self.wire.settle(transfer, error.code)
            return web.json_response(error.reply, status=404 if error.code in ("expired_url", "used_url") else 400)
        self.wire.settle(transfer)
        return web.Response(text="ok")

    async def _upload(self, request: web.Request) -> web.Response:
        if request.content_type.startswith("multipart/"):
            parts = [part.file.read() for part in (await request.post()).values() if isinstance(part, web.FileField)]
            content = parts[0] if parts else b""
        else:
            content = await request.read()
        try:
            upload = self._uploads.receive(request.match_info["ticket"], content)
        except SlackError as error:
            return web.Response(status=400, text=error.code)
        return web.Response(text=f"OK - {upload.length}")

    async def _file(self, request: web.Request) -> web.Response:
        try:
            upload = self._uploads.get(request.match_info["id"])
        except SlackError:
            raise web.HTTPNotFound(text="no such file") from None
        kind = self._uploads.file(upload)["mimetype"]
        # Uploaded pages must not run here: only pictures are shown, all else is saved.
        shown = kind in ("image/png", "image/jpeg", "image/gif")
        headers = {"X-Content-Type-Options": "nosniff", "Content-Disposition": "inline" if shown else "attachment"}
        return web.Response(body=upload.content, content_type=kind, headers=headers)

    async def _archive(self, request: web.Request) -> web.Response:
        """A permalink leads to the page, with the message's thread open."""
        found = re.fullmatch(r"p(\d+)(\d{6})", request.match_info["stamp"])
        channel = self.workspace.channels.get(request.match_info["channel"])
        if not found or channel is None:
            raise web.HTTPNotFound(text="no such message")
        thread = request.query.get("thread_ts", f"{found[1]}.{found[2]}")
        raise web.HTTPFound("/?" + urlencode({"channel": channel.name or channel.id, "thread": thread}))


async def run(
    host: str,
    port: int,
    manifest: Json,
    events_url: str | None,
    *,
    rate_limits: bool = True,
    clock_scale: float = 1.0,
) -> None:
    """Serves the simulator until cancelled, and says where."""
    simulator = Simulator(
        host=host,
        port=port,
        manifest=manifest,
        events_url=events_url,
        rate_limits=rate_limits,
        clock_scale=clock_scale,
    )
    await simulator.start()
    print(f"The page of the people: {simulator.url}/")
    print("What the app has to know:")
    print(f"SLACK_API_URL={simulator.url}/api/")
    print(f"SLACK_BOT_TOKEN={BOT_TOKEN}")
    print(f"SLACK_APP_TOKEN={APP_TOKEN}")
    print(f"SLACK_SIGNING_SECRET={SIGNING_SECRET}", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await simulator.stop()


def read_manifest(path: Path) -> Json:
    """The app's manifest in that file; raises ValueError when it is none."""
    try:
        return _completed(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{path} is no app manifest in JSON: {error}") from error


def _completed(manifest: Any) -> Json:
    """The manifest with every section that is read here; raises ValueError where it does not name the app."""
    if not isinstance(manifest, dict) or not isinstance(manifest.get("display_information", {}).get("name"), str):
        raise ValueError("display_information.name is missing")
    whole: Json = {"features": {}, "oauth_config": {}, "settings": {}, **manifest}
    return whole | {"oauth_config": {"scopes": {}, **whole["oauth_config"]}}


@web.middleware
async def _refuse_strangers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Another web site must reach nothing here, neither from its own pages nor by pointing its name at loopback."""
    host = request.headers.get("Host", "")
    if not _is_loopback(_without_port(host)) or request.headers.get("Origin", f"http://{host}") != f"http://{host}":
        return web.json_response({"ok": False, "error": "forbidden", "message": "Solo desde esta misma página."}, status=403)
    return await handler(request)


def _without_port(host: str) -> str:
    """The name or address in a Host header."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
