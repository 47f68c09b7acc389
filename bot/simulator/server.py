"""The simulator's HTTP server: Slack's side for the app, the page and the person API for people."""

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

from bot.simulator.app import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, App
from bot.simulator.clock import Clock
from bot.simulator.control import Control
from bot.simulator.delivery import Kind
from bot.simulator.errors import Json, SlackError
from bot.simulator.faults import Faults
from bot.simulator.installation import Method
from bot.simulator.line import Line
from bot.simulator.people import People
from bot.simulator.screens import Screens
from bot.simulator.uploads import Uploads
from bot.simulator.views import Views
from bot.simulator.web_api import Call, WebApi
from bot.simulator.wire import Wire
from bot.simulator.workspace import Bot, Workspace

MANIFEST = Path(__file__).parent.parent / "manifest.json"
PAGE = Path(__file__).parent / "page"
_BODY_BYTES = 60_000_000  # more than the largest file
# Only the page's own files are allowed. Its script sets single style properties, which needs no exception.
_POLICY = "default-src 'self'; connect-src 'self' ws:; img-src 'self' data:"


class Simulator:
    """A Slack workspace with the app of `manifest` installed, on one loopback port; `install` adds more apps.

    With `events_url` everything for the app is POSTed there, signed; without, it goes through Socket Mode. `clock_scale`
    shortens the three seconds to acknowledge, the life of triggers, and the waits before redelivery; `clock` can be set
    forward. With a `line` the app has an address of its own, `app_url`, and people keep theirs.
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
        line: Line | None = None,
    ) -> None:
        if not _is_loopback(host):
            raise ValueError(f"the simulator listens on loopback only, not on {host}: its tokens are known to everybody")
        self.host = host
        self.port = port
        self.url = self.app_url = ""
        self.line = line
        self.faults = Faults()
        self.clock = Clock(clock_scale)
        self.wire = Wire(self.clock)
        self._rate_limits = rate_limits
        manifest = read_manifest(MANIFEST) if manifest is None else _completed(manifest)
        self.workspace = Workspace(**_names(manifest), clock=self.clock.unix)
        self._screens = Screens(self.workspace, self.wire)
        self._uploads = Uploads(self.workspace, self._base, self._app_base)
        self._runner: web.AppRunner | None = None
        self.apps: list[App] = []
        self._add(manifest, next(iter(self.workspace.bots.values())), events_url)
        self._people = People(self.workspace, self._screens, self.apps)
        self._api = WebApi(self.apps, self.faults, self.clock, self.wire)
        self._control = Control(self.faults, self.clock, self.workspace, self.apps)

    @property
    def views(self) -> Views:
        """Return the views of the first app."""
        return self.apps[0].views

    @property
    def sockets(self) -> int:
        """Count the open websockets of all apps."""
        return sum(app.sockets for app in self.apps)

    @property
    def transcript(self) -> deque[Call]:
        """Return the newest 10,000 calls of the Web API, oldest first."""
        return self._api.transcript

    @property
    def methods(self) -> Mapping[str, Method]:
        """Return the methods of the Web API that are served."""
        return self.apps[0].methods

    def install(self, manifest: Json, *, events_url: str | None = None) -> App:
        """Install one more app, with a bot user and tokens of its own; raises ValueError for an invalid manifest.

        As for the first app, everything goes to `events_url` if there is one, and through Socket Mode otherwise. Once the
        simulator runs, call this on its loop.
        """
        manifest = _completed(manifest)
        return self._add(manifest, self.workspace.add_bot(**_names(manifest)), events_url)

    async def deliver(self, payload: Json, kind: Kind = "events_api") -> Json:
        """Deliver any payload, such as one captured elsewhere, to the first app and return its answer ({} for an event).

        Raises Unanswered: for an interaction at once, for an event after four attempts.
        """
        return await self.apps[0].transport.deliver(kind, payload)

    def uninstall(self) -> None:
        """Remove the first app from the workspace: it is sent the events about it, and its bot token stops working."""
        self.apps[0].uninstall()

    def disturb(self, what: str) -> None:
        """Disturb the first app's sockets: "refresh", "warning", "abort", "freeze", "deaf", "thaw"..."""
        self.apps[0].transport.disturb(what)

    async def start(self) -> None:
        """Serve the workspace at `url`; raises OSError when the port is taken, and what `Line.context` does."""
        served = web.Application(middlewares=[_ignore_disconnects, _refuse_cross_origin], client_max_size=_BODY_BYTES)
        served.add_routes(self._routes())
        # stop() closes the sockets; any other request that still runs then has lost its client.
        self._runner = web.AppRunner(served, access_log=None, shutdown_timeout=1.0)
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
        self.url = _address("http", self.host, self.port)
        self.app_url = self.url if self.line is None else await self._lay(self.line, self._runner)
        for app in self.apps:
            app.transport.start()

    async def _lay(self, line: Line, runner: web.AppRunner) -> str:
        """Return the address of the app's line."""
        try:
            await web.TCPSite(runner, self.host, 0, ssl_context=line.context(self.host)).start()
        except (OSError, ValueError):
            await self.stop()
            raise
        port = await line.start(self.host, runner.addresses[1][1])
        return _address(line.scheme, self.host, port)

    async def stop(self) -> None:
        """Stop serving and close every connection."""
        if self._runner is None:
            return
        for app in self.apps:
            await app.transport.stop()
        await self._screens.stop()
        if self.line is not None:
            await self.line.stop()
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
            web.get("/link", self._link),
        ]
        return [*routes, web.get("/{name}", self._page), web.get("/page/{name}", self._page)]

    def _add(self, manifest: Json, bot: Bot, events_url: str | None) -> App:
        app = App(
            manifest,
            bot,
            self._screens,
            self._uploads,
            self.faults,
            self.clock,
            self.wire,
            events_url=events_url,
            rate_limits=self._rate_limits,
            base=self._base,
            app_base=self._app_base,
        )
        self.apps.append(app)
        self.workspace.watchers.append(app.send_events)
        if self._runner is not None:
            app.transport.start()
        return app

    def _base(self) -> str:
        return self.url

    def _app_base(self) -> str:
        return self.app_url

    async def _link(self, request: web.Request) -> web.StreamResponse:
        """Serve a websocket of the app that the address names."""
        for app in self.apps:
            if app.socket_mode is not None and app.bot.app_id == request.query.get("app_id"):
                return await app.socket_mode.connect(request)
        raise web.HTTPNotFound(text="no such app in Socket Mode")

    async def _health(self, _request: web.Request) -> web.Response:
        line = {} if self.line is None else {"connections": self.line.connections}
        return web.json_response({"ok": True, "sockets": self.sockets, "app_url": self.app_url, **line})

    async def _page(self, request: web.Request) -> web.StreamResponse:
        file = PAGE / request.match_info.get("name", "index.html")
        if file.parent != PAGE or not file.is_file():
            raise web.HTTPNotFound(text="no such file")
        return web.FileResponse(file, headers={"Cache-Control": "no-cache", "Content-Security-Policy": _POLICY})

    async def _respond(self, request: web.Request) -> web.Response:
        """Answer a POST to a response_url."""
        transfer = self.wire.begin("answer", "response_url", {})
        try:
            try:
                body = await request.json()
            except ValueError:
                body = None
            if not isinstance(body, dict):
                raise SlackError("invalid_payload")
            transfer.request = body
            secret = request.match_info["secret"]
            app = next((app for app in self.apps if secret in app.response_urls), None)
            if app is None:
                raise SlackError("expired_url")
            app.response_urls.answer(secret, body)
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
        # Uploaded pages must not run here: pictures are displayed, everything else is downloaded.
        shown = kind in ("image/png", "image/jpeg", "image/gif")
        headers = {"X-Content-Type-Options": "nosniff", "Content-Disposition": "inline" if shown else "attachment"}
        return web.Response(body=upload.content, content_type=kind, headers=headers)

    async def _archive(self, request: web.Request) -> web.Response:
        """Redirect a permalink to the page, with the message's thread open."""
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
    *more: tuple[Json, str | None],
    rate_limits: bool = True,
    clock_scale: float = 1.0,
    line: Line | None = None,
) -> None:
    """Serve the simulator until cancelled, and print where; each of `more` is the manifest and events URL of one more app."""
    simulator = Simulator(
        host=host,
        port=port,
        manifest=manifest,
        events_url=events_url,
        rate_limits=rate_limits,
        clock_scale=clock_scale,
        line=line,
    )
    for one, url in more:
        simulator.install(one, events_url=url)
    await simulator.start()
    print(f"The page of the people: {simulator.url}/")
    if line is not None and line.authority is not None:
        print(f"SSL_CERT_FILE={line.authority.resolve()}")
    for app in simulator.apps:
        print(f"What {app.bot.app_name if more else 'the app'} has to know:")
        print(f"SLACK_API_URL={simulator.app_url}/api/")
        print(f"SLACK_BOT_TOKEN={app.bot_token}")
        print(f"SLACK_APP_TOKEN={app.app_token}")
        print(f"SLACK_SIGNING_SECRET={app.signing_secret}", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await simulator.stop()


def read_manifest(path: Path) -> Json:
    """Read an app manifest from a JSON file; raises ValueError when it is none."""
    try:
        return _completed(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{path} is no app manifest in JSON: {error}") from error


def _completed(manifest: Any) -> Json:
    """Return the manifest with every section that is read here; raises ValueError where it does not name the app."""
    if not isinstance(manifest, dict) or not isinstance(manifest.get("display_information", {}).get("name"), str):
        raise ValueError("display_information.name is missing")
    whole: Json = {"features": {}, "oauth_config": {}, "settings": {}, **manifest}
    return whole | {"oauth_config": {"scopes": {}, **whole["oauth_config"]}}


def _names(manifest: Json) -> dict[str, str]:
    """Return the app's name and its bot user's, as Workspace takes them."""
    app_name = manifest["display_information"]["name"]
    return {"app_name": app_name, "bot_name": manifest["features"].get("bot_user", {}).get("display_name", app_name)}


@web.middleware
async def _refuse_cross_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests of other web sites, whether from their own pages or through a name of theirs that points at loopback."""
    host = request.headers.get("Host", "")
    own = f"{request.scheme}://{host}"
    if not _is_loopback(_without_port(host)) or request.headers.get("Origin", own) != own:
        return web.json_response({"ok": False, "error": "forbidden", "message": "Solo desde esta misma página."}, status=403)
    return await handler(request)


@web.middleware
async def _ignore_disconnects(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Ignore a client that closes its connection in the middle of a request: nobody is left to answer."""
    try:
        return await handler(request)
    except ConnectionResetError:
        return web.Response(status=400)


def _address(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _without_port(host: str) -> str:
    """Return the name or address in a Host header."""
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
