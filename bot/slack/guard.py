"""Who is let in: what Slack signed, once, and of the one workspace that this process serves."""

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from aiohttp import web
from aiohttp.typedefs import Middleware
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier

from bot.locks import TtlLock
from bot.slack import payloads

log = logging.getLogger(__name__)

# Slack's signature is good for five minutes, also five ahead of our clock: so long may the same one come again.
SIGNED_FOR_S = 600.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SturdyApp(AsyncApp):
    """Bolt, but for requests that Bolt or our listeners would stumble over: those are left alone, and cost a line in the log."""

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Bolt's answer to what can be read; acknowledged is all the rest, since Slack would only repeat it."""
        if payloads.is_readable(req.body):
            try:
                return await super().async_dispatch(req)
            except (KeyError, IndexError, TypeError, AttributeError):
                pass  # Bolt's own reading of it: what a listener raises goes to the app's error handler
        log.warning("a request that lacks what Slack always sends is left alone")
        return BoltResponse(status=200, body="")


def own_workspace_only(app: AsyncApp, team: str | None) -> None:
    """What another workspace sends changes nothing and is told nothing."""

    @app.middleware
    async def let_in(req: AsyncBoltRequest, next_: Callable[[], Awaitable[BoltResponse]]) -> BoltResponse:
        theirs = req.context.team_id
        if theirs is None or theirs == team:
            return await next_()
        log.warning("a request of another workspace (%r) is left alone", theirs)
        return BoltResponse(status=200, body="")  # acknowledged: Slack would only repeat it


def signed_by_slack(secret: str, shared: TtlLock) -> Middleware:
    """Bolt sees only what Slack signed within five minutes and what can be read; the rest costs one line in the log.

    Bolt reads a request before it checks the signature, and fails with a traceback on what it cannot read. A command or a
    click is let in once, by whichever bot `shared` is shared with; events may come again, since Slack repeats those itself
    and each row that they make has a natural key. At most aiohttp's megabyte is read of anything.
    """
    verifier = SignatureVerifier(secret)
    # What this process saw, too: Redis may be emptied.
    seen: dict[str, float] = {}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        stamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        if not re.fullmatch(r"[0-9]{1,12}", stamp) or not signature.isascii():
            return _refused(401, "a request without Slack's signature")
        try:
            body = (await request.read()).decode("utf-8")
        except UnicodeDecodeError:
            return _refused(401, "a request that is no text")
        if not verifier.is_valid(body, stamp, signature):
            return _refused(401, "a request that Slack did not sign lately")
        kind = _kind_of(body, request.content_type)
        if kind is None:
            return _refused(400, "a request that is no event, command or click")
        if kind != "event":
            moment = time.monotonic()
            while seen and seen[oldest := next(iter(seen))] < moment - SIGNED_FOR_S:
                del seen[oldest]
            if signature in seen or not await asyncio.to_thread(shared.lock, f"signed/{signature}", SIGNED_FOR_S):
                return _refused(401, "a command or click that came before")
            seen[signature] = moment
        return await handler(request)

    return check


def _refused(status: int, what: str) -> web.Response:
    log.warning("%s is refused", what)
    return web.Response(status=status)


def _kind_of(body: str, content_type: str) -> str | None:
    """`event`, or `other` for what Slack sends once; None for what nobody can read."""
    try:
        if content_type == "application/json":
            event = json.loads(body)
            return "event" if isinstance(event, dict) and payloads.is_readable(event) else None
        form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True, max_num_fields=100).items()}
        sent = json.loads(form["payload"]) if "payload" in form else form
        known = isinstance(sent, dict) and ("type" in sent or "command" in sent or "ssl_check" in sent)
        return "other" if known and payloads.is_readable(sent) else None
    except (ValueError, RecursionError):
        return None
