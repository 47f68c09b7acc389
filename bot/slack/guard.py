"""Who is let in: what Slack signed, once, what can be read, and of the one workspace that this process serves."""

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier

from bot.forms import Forms
from bot.locks import TtlLock
from bot.metrics import EVENT_SECONDS, EVENTS
from bot.slack.payloads import parsing
from worker import traces
from worker.logs import about

log = logging.getLogger(__name__)

# Slack's signature is good for five minutes, also five ahead of our clock: so long may the same one come again.
SIGNED_FOR_S = 600.0


class ValidatingApp(AsyncApp):
    """Bolt, but for requests that it or our listeners cannot read: those are acknowledged, and cost a line in the log.

    Listeners get what was read as `parsed`, and their acknowledgements show views in a form that Slack is known to take.
    """

    def __init__(self, *, forms: Forms, **options: Any) -> None:
        super().__init__(**options)
        self._forms = forms

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Return Bolt's answer to what can be read; 200 for all the rest, since Slack would only repeat it."""
        parsed = parsing.parse(req.body)
        if parsed is None:
            EVENTS.labels("other", "left alone").inc()
            return left_alone("a request that lacks what Slack always sends")
        req.context["parsed"] = parsed
        req.context["ack"] = _Ack(self._forms)
        kind, began = parsing.kind_of(parsed, req.body), time.perf_counter()
        with traces.span(f"event {kind}"), about(**_ids(req.body)):
            try:
                answer = await super().async_dispatch(req)
            except Exception:  # the error handler's own, which nobody else would log; not acknowledged, so that it comes again
                log.exception("a request could not be handled")
                answer = BoltResponse(status=500, body="")
        EVENTS.labels(kind, "acknowledged" if answer.status < 500 else "not acknowledged").inc()
        EVENT_SECONDS.labels(kind).observe(time.perf_counter() - began)
        return answer


class _Ack(AsyncAck):
    """An acknowledgement: of a view in it Slack tells nobody what it refused."""

    def __init__(self, forms: Forms) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Bolt's own
        self._forms = forms

    async def __call__(self, *arguments: Any, **named: Any) -> BoltResponse:
        """Acknowledge, with a view in the form that is known to be taken."""
        if (view := named.get("view")) is not None:
            named["view"] = await asyncio.to_thread(self._forms.unasked, view)
        return await super().__call__(*arguments, **named)


def _ids(body: Mapping[str, Any]) -> dict[str, str]:
    event_id = body.get("event_id")
    return {"event_id": event_id} if isinstance(event_id, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", event_id) else {}


def own_workspace_only(app: AsyncApp, team: str | None) -> None:
    """Leave alone what another workspace sends: it changes nothing and is told nothing."""

    @app.middleware
    async def let_in(req: AsyncBoltRequest, next_: Callable[[], Awaitable[BoltResponse]]) -> BoltResponse:
        theirs = req.context.team_id
        if theirs is None or theirs == team:
            return await next_()
        return left_alone(f"a request of another workspace ({theirs!r})")


def left_alone(what: str) -> BoltResponse:
    """Acknowledge a request without doing anything, with a line in the log: Slack would only repeat it."""
    log.warning("%s is left alone", what)
    return BoltResponse(status=200, body="")


class SignedRequests:
    """The address that Slack posts to in HTTP mode: only what Slack signed within five minutes reaches the app.

    A command or a click is let in once, by whichever bot shares `locks`; events may come again, since Slack repeats those
    itself and each row that they make has a natural key. At most aiohttp's megabyte is read of anything.
    """

    def __init__(self, app: AsyncApp, secret: str, locks: TtlLock) -> None:
        self._app = app
        self._verifier = SignatureVerifier(secret)
        self._locks = locks
        # What this process saw, too: Redis may be emptied.
        self._seen: dict[str, float] = {}

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request: the handler for aiohttp."""
        stamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        if not re.fullmatch(r"[0-9]{1,12}", stamp) or not signature.isascii():
            return _refused(401, "a request without Slack's signature")
        try:
            body = (await request.read()).decode("utf-8")
        except UnicodeDecodeError:
            return _refused(401, "a request that is no text")
        if not self._verifier.is_valid(body, stamp, signature):
            return _refused(401, "a request that Slack did not sign lately")
        kind = _kind_of(body, request.content_type)
        if kind is None:
            return _refused(400, "a request that is no event, command or click")
        if kind != "event" and not await self._is_first(signature):
            return _refused(401, "a command or click that came before")
        try:
            bolt_request = AsyncBoltRequest(body=body, query=request.query_string, headers=dict(request.headers))
        except (KeyError, IndexError, TypeError, AttributeError):  # Bolt looks into it before we can
            return await to_aiohttp_response(left_alone("a request that lacks what Slack always sends"))
        return await to_aiohttp_response(await self._app.async_dispatch(bolt_request))

    async def _is_first(self, signature: str) -> bool:
        """Return whether a request with this signature was let in by nobody before; from now on one was."""
        moment = time.monotonic()
        while self._seen and self._seen[oldest := next(iter(self._seen))] < moment - SIGNED_FOR_S:
            del self._seen[oldest]
        if signature in self._seen or not await asyncio.to_thread(self._locks.lock, f"signed/{signature}", SIGNED_FOR_S):
            return False
        self._seen[signature] = moment
        return True


def _refused(status: int, what: str) -> web.Response:
    log.warning("%s is refused", what)
    return web.Response(status=status)


def _kind_of(body: str, content_type: str) -> str | None:
    """Return `event`, or `other` for what Slack sends once; None for what nobody can read."""
    try:
        if content_type == "application/json":
            return "event" if isinstance(json.loads(body), dict) else None
        form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True, max_num_fields=100).items()}
        sent = json.loads(form["payload"]) if "payload" in form else form
    except (ValueError, RecursionError):
        return None
    return "other" if isinstance(sent, dict) and {"type", "command", "ssl_check"} & sent.keys() else None
