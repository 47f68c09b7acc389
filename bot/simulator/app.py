"""One installed app and everything that Slack keeps separate from the other apps."""

from collections.abc import Callable, Mapping

from bot.simulator.assistant import Assistant
from bot.simulator.canvases import Canvases
from bot.simulator.clock import Clock
from bot.simulator.delivery import Transport
from bot.simulator.errors import Json, SlackError
from bot.simulator.events import Events
from bot.simulator.faults import Faults
from bot.simulator.functions import Functions
from bot.simulator.installation import Installation, Method
from bot.simulator.interactions import Interactions
from bot.simulator.methods import Methods
from bot.simulator.rate_limits import RateLimits
from bot.simulator.response_urls import ResponseUrls
from bot.simulator.screens import Screens
from bot.simulator.signed_http import SignedHttp
from bot.simulator.socket_mode import SocketMode
from bot.simulator.uploads import Uploads
from bot.simulator.views import Views
from bot.simulator.wire import Wire
from bot.simulator.workspace import Bot, Change

BOT_TOKEN = "xoxb-simulator"  # noqa: S105 - opens nothing but this simulator
APP_TOKEN = "xapp-simulator"  # noqa: S105 - likewise
SIGNING_SECRET = "simulator-signing-secret"  # noqa: S105 - likewise


class App(Installation):
    """An app of the workspace: its tokens, its transport, its views, its response URLs and its rate limits.

    The first app's tokens are the constants above; those of the n-th app end in `-n`.
    """

    def __init__(
        self,
        manifest: Json,
        bot: Bot,
        screens: Screens,
        uploads: Uploads,
        faults: Faults,
        clock: Clock,
        wire: Wire,
        *,
        events_url: str | None,
        rate_limits: bool,
        base: Callable[[], str],
        app_base: Callable[[], str],
    ) -> None:
        home = manifest["features"].get("app_home", {})
        scopes = tuple(manifest["oauth_config"]["scopes"].get("bot", ()))
        super().__init__(screens.workspace, bot, scopes, messages_tab=home.get("messages_tab_enabled", True))
        number = list(self.workspace.bots).index(bot.id) + 1
        suffix = f"-{number}" if number > 1 else ""
        self.bot_token = BOT_TOKEN + suffix
        self.app_token = APP_TOKEN + suffix
        self.signing_secret = SIGNING_SECRET + suffix
        self.socket_mode = SocketMode(faults, clock, wire, bot.app_id) if events_url is None else None
        self.transport: Transport = self.socket_mode or SignedHttp(faults, clock, wire, events_url or "", self.signing_secret)
        self.events = Events(self.workspace, bot, manifest)
        self.views = Views(self.workspace, bot, screens.tell, clock=clock, home_enabled=home.get("home_tab_enabled", False))
        self.response_urls = ResponseUrls(self.workspace, bot, app_base, clock)
        self.interactions = Interactions(
            self.workspace, bot, self.views, self.response_urls, self.transport, manifest, screens.tell
        )
        self.functions = Functions(bot, manifest, clock.unix)
        self.canvases = Canvases(self, screens)
        self.assistant = Assistant(self, manifest, clock, screens.renew)
        limits = RateLimits(clock.unix)
        self.limits = limits if rate_limits else None
        self._app_base = app_base
        self.methods: Mapping[str, Method] = (
            self.functions.methods
            | self.assistant.methods
            | self.canvases.methods
            | Methods(
                self,
                self.views,
                uploads,
                faults,
                base=base,
                open_socket=self._socket_url if self.socket_mode else None,
                limits=limits,
                limited=rate_limits,
            ).by_name
        )

    @property
    def bot_user_id(self) -> str:
        """Return the user id of the app's bot."""
        return self.bot.user_id

    @property
    def sockets(self) -> int:
        """Count the app's open websockets."""
        return self.transport.sockets

    def send_events(self, change: Change) -> None:
        """Send the app the events that follow from a change; an uninstalled app gets none."""
        if self.revoked:
            return
        for payload in self.events.payloads(change):
            self.transport.send_event(payload)

    def run_step(self, callback_id: str, inputs: Json) -> str:
        """Have a workflow run this step of the app's, and return the execution's id; see Functions.execute."""
        event = self.functions.execute(callback_id, inputs)
        self.transport.send_event(self.events.envelope(event))
        return str(event["function_execution_id"])

    def uninstall(self) -> None:
        """Remove the app from the workspace: it is sent the events about it, and its bot token stops working."""
        for payload in self.events.uninstalled():
            self.transport.send_event(payload)
        self.revoked = True

    def _socket_url(self) -> str:
        assert self.socket_mode is not None
        if not self.socket_mode.enabled:
            raise SlackError("forbidden_team")
        address = self._app_base().replace("http", "ws", 1)
        return f"{address}/link?ticket={self.socket_mode.new_ticket()}&app_id={self.bot.app_id}"
