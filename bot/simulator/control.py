"""Faults and the clock over HTTP, for the page and for tests in other languages."""

import inspect
from collections.abc import Callable
from typing import Any

from aiohttp import web

from bot.simulator.app import App
from bot.simulator.clock import Clock
from bot.simulator.errors import Json, SlackError
from bot.simulator.faults import Faults
from bot.simulator.workspace import Workspace


class Control:
    """The endpoints under `/control`. Each verb is a method of Faults, of Clock, or of one app, and takes its arguments as JSON.

    An app is given by its id; "" is the first.
    """

    def __init__(self, faults: Faults, clock: Clock, workspace: Workspace, apps: list[App]) -> None:
        self._faults = faults
        self._clock = clock
        self._workspace = workspace
        self._apps = apps
        self.verbs: dict[str, Callable[..., None]] = {
            "drop_acks": faults.drop_acks, "duplicate_next": faults.duplicate_next, "redeliver_next": faults.redeliver_next,
            "reorder_next": faults.reorder_next, "delay_events": faults.delay_events, "fail_next": faults.fail_next,
            "delay_calls": faults.delay_calls, "limit_history": faults.limit_history, "turn_away": faults.turn_away,
            "chaos": faults.chaos, "calm": faults.calm, "step": clock.step, "rescale": clock.rescale, "disturb": self._disturb,
            "subscribe": self._subscribe, "uninstall": self._uninstall, "change_channel_id": self._change_channel_id,
        }  # fmt: skip

    async def state(self, _request: web.Request) -> web.Response:
        """Answer GET /control: the clock, the sockets and the faults that are pending."""
        clock = {"scale": self._clock.scale, "unix": self._clock.unix()}
        return web.json_response({
            "ok": True, "clock": clock, "sockets": sum(app.sockets for app in self._apps),
            "subscribed": all(app.transport.subscribed for app in self._apps), "faults": self._faults.waiting(),
            "apps": [
                {
                    "id": app.bot.app_id, "name": app.bot.app_name, "bot_user_id": app.bot_user_id, "sockets": app.sockets,
                    "subscribed": app.transport.subscribed,
                }
                for app in self._apps
            ],
        })  # fmt: skip

    async def act(self, request: web.Request) -> web.Response:
        """Answer POST /control/VERB with a JSON object of arguments; 404 for an unknown verb, 400 for wrong arguments."""
        verb = self.verbs.get(request.match_info["verb"])
        if verb is None:
            return web.json_response({"ok": False, "error": "unknown_verb", "verbs": sorted(self.verbs)}, status=404)
        try:
            given = await request.json() if request.can_read_body else {}
            if not isinstance(given, dict):
                raise TypeError("the arguments must be a JSON object")
            _check(verb, given)
            verb(**given)
        except (TypeError, ValueError) as error:
            return web.json_response({"ok": False, "error": "invalid_arguments", "message": str(error)}, status=400)
        return await self.state(request)

    def _disturb(self, what: str, app: str = "") -> None:
        self._app(app).transport.disturb(what)

    def _subscribe(self, app: str = "") -> None:
        self._app(app).transport.subscribed = True

    def _uninstall(self, app: str = "") -> None:
        self._app(app).uninstall()

    def _change_channel_id(self, channel: str) -> None:
        try:
            self._workspace.change_id(self._workspace.channel(channel))
        except SlackError as error:
            raise ValueError(f"{channel}: {error.code}") from error

    def _app(self, id_: str) -> App:
        for app in self._apps:
            if id_ in ("", app.bot.app_id):
                return app
        raise ValueError(f"no such app: {id_}")


def _check(verb: Callable[..., None], given: Json) -> None:
    """Raise TypeError unless these are arguments of the verb, in the right types."""
    bound = inspect.signature(verb, eval_str=True)
    bound.bind(**given)
    for name, value in given.items():
        wanted: Any = bound.parameters[name].annotation
        fits = isinstance(value, wanted) or (wanted is float and isinstance(value, int))
        if not fits or (isinstance(value, bool) and wanted is not bool):
            raise TypeError(f"{name} must be {getattr(wanted, '__name__', wanted)}, not {value!r}")
