"""The Web API: authorisation, rate limits and faults around the methods."""

import asyncio
from collections import deque
from typing import NamedTuple

from aiohttp import web

from bot.simulator import arguments
from bot.simulator.app import App
from bot.simulator.clock import Clock
from bot.simulator.errors import Json, SlackError
from bot.simulator.faults import PAGES, CallFault, Faults
from bot.simulator.installation import Method
from bot.simulator.rate_limits import RateLimited
from bot.simulator.wire import Wire


class Call(NamedTuple):
    """One call that was answered; `error` is "" when it succeeded, `app_id` is "" when the token belongs to no app."""

    method: str
    arguments: Json
    error: str
    app_id: str = ""


class WebApi:
    """The endpoint `/api/METHOD`, for every app of `apps`."""

    def __init__(self, apps: list[App], faults: Faults, clock: Clock, wire: Wire) -> None:
        self.transcript: deque[Call] = deque(maxlen=10_000)
        self._apps = apps
        self._faults = faults
        self._clock = clock
        self._wire = wire

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one call as Slack would."""
        name = request.match_info["method"]
        fault = self._faults.take_call_fault(name)
        transfer = self._wire.begin("call", name, {})
        if fault.delay_s:
            await self._clock.sleep(fault.delay_s)
        if fault.failure not in (None, "answer_lost"):
            self._wire.settle(transfer, str(fault.failure))
            return _fail(request, fault)
        headers: dict[str, str] = {}
        values: Json = {}
        status = 200
        app_id = ""
        try:
            known = self._apps[0].methods.get(name)  # all apps have the same methods, each bound to its app
            args = await arguments.read(request, takes_json=known is None or known.takes_json)
            transfer.request = values = args.values
            app = self._apps[0] if known is not None and not known.token and not args.token else self._caller(args.token)
            app_id = app.bot.app_id
            method = app.methods.get(name)
            _authorise(app, args.token, method)
            if method is None:
                raise SlackError("unknown_method", req_method=name)
            headers = _scope_headers(app, method)
            if method.scope:
                app.require_scope(method.scope)
            if app.limits is not None:
                app.limits.call(name, method.tier)
            reply: Json = {"ok": True, **method.run(args)}
        except RateLimited as error:
            reply, status = error.reply, 429
            headers["Retry-After"] = str(error.retry_after_s)
        except SlackError as error:
            reply = error.reply
        self.transcript.append(Call(name, values, reply.get("error", ""), app_id))
        self._wire.settle(transfer, reply.get("error", "ok"), reply)
        if fault.failure == "answer_lost":
            return _fail(request, fault)
        return web.json_response(reply, status=status, headers=headers)

    def _caller(self, token: str) -> App:
        """Return the app to which the token belongs."""
        if not token:
            raise SlackError("not_authed")
        for app in self._apps:
            if token in (app.bot_token, app.app_token) or app.functions.has_token(token):
                return app
        raise SlackError("invalid_auth")


def _authorise(app: App, token: str, method: Method | None) -> None:
    if method is not None and method.token and (token == app.app_token) != method.app_token:
        raise SlackError("not_allowed_token_type")
    if app.revoked and token == app.bot_token:
        raise SlackError("token_revoked")


def _scope_headers(app: App, method: Method) -> dict[str, str]:
    if method.app_token:
        return {"x-oauth-scopes": "connections:write", "x-accepted-oauth-scopes": "connections:write"}
    return {"x-oauth-scopes": ",".join(app.scopes)} | ({"x-accepted-oauth-scopes": method.scope} if method.scope else {})


def _fail(request: web.Request, fault: CallFault) -> web.StreamResponse:
    failure = fault.failure
    if failure == "ratelimited":
        headers = {"Retry-After": str(fault.retry_after_s)}
        return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
    if failure in ("reset", "answer_lost"):
        if isinstance(request.transport, asyncio.Transport):
            request.transport.abort()
        return web.Response(status=500)
    if isinstance(failure, int):
        status, content_type = failure, "text/html"
    elif failure in PAGES:
        status, content_type = 200, PAGES[failure]
    else:
        return web.json_response({"ok": False, "error": failure})
    return web.Response(status=status, text="<html><body>upstream failure</body></html>", content_type=content_type)
