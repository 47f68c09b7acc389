"""The client of this side, and which of its calls are made again where Slack did not answer: those alone that change nothing.

Slack has no idempotency key. A 500 or a connection that is lost may come after the call was carried out, and what is then posted
again stands there twice (python-slack-sdk#1487). So what shows something to people is called once, and whoever asked hears that
it failed; only a refusal by the rate limit (429) and a connection that was never made are certain to have done nothing.

slack_sdk hands every status from 400 on to its handlers since 3.48, and adds one for lost connections to every client that is
not given a list of its own.
"""

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientConnectorError
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry import HttpRequest, HttpResponse, RetryState
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import refusal
from bot.forms import Forms
from bot.metrics import WAIT_SECONDS, count_call

# Of a method's name, the last word: it reads.
READS = frozenset({"conversations", "get", "getPermalink", "history", "info", "list", "members", "replies", "test"})
# A second ticket for a socket costs nothing, and an open conversation is opened again.
HARMLESS = frozenset({"apps.connections.open", "conversations.open"})


def repeats_harmlessly(url: str) -> bool:
    """Return whether a call of the method at this address changes nothing that a second one would change again."""
    method = _method(url)
    return method in HARMLESS or ("." in method and method.rpartition(".")[2] in READS)


class ServerErrorHandler(AsyncServerErrorRetryHandler):
    """Calls once more what Slack answered with 500 or 503, if that is harmless."""

    async def _can_retry_async(
        self, *, state: RetryState, request: HttpRequest, response: HttpResponse | None = None, error: Exception | None = None
    ) -> bool:
        failed = await super()._can_retry_async(state=state, request=request, response=response, error=error)
        return failed and repeats_harmlessly(request.url)


class ConnectionErrorHandler(AsyncConnectionErrorRetryHandler):
    """Calls once more what never reached Slack, and what was cut off, if that is harmless."""

    async def _can_retry_async(
        self, *, state: RetryState, request: HttpRequest, response: HttpResponse | None = None, error: Exception | None = None
    ) -> bool:
        failed = await super()._can_retry_async(state=state, request=request, response=response, error=error)
        return failed and (isinstance(error, ClientConnectorError) or repeats_harmlessly(request.url))


class RateLimitHandler(AsyncRateLimitErrorRetryHandler):
    """Waits out Slack's Retry-After, and measures that."""

    async def prepare_for_next_attempt_async(
        self, *, state: RetryState, request: HttpRequest, response: HttpResponse | None = None, error: Exception | None = None
    ) -> None:
        """Sleep as long as Slack said."""
        began = time.perf_counter()
        await super().prepare_for_next_attempt_async(state=state, request=request, response=response, error=error)
        WAIT_SECONDS.labels(_method(request.url), "slack").observe(time.perf_counter() - began)


class SlackClient(AsyncWebClient):
    """Slack's Web API with `retry_handlers`; what is not Slack's answer is a SlackApiError without a code (see `refusal`).

    Of blocks in two forms it sends that which the workspace takes (see `forms`).
    """

    def __init__(self, *, forms: Forms, **options: Any) -> None:
        super().__init__(retry_handlers=retry_handlers(), **options)
        self.forms = forms

    async def api_call(self, api_method: str, **options: Any) -> AsyncSlackResponse:
        """Return Slack's answer, which is `ok`."""
        plan = await asyncio.to_thread(self.forms.plan, options) if self.forms.matter(options) else None
        if plan is None:
            return await self._call_once(api_method, **options)
        try:
            answer = await self._call_once(api_method, **plan.first)
        except SlackApiError as error:
            return await self._call_once(api_method, **await asyncio.to_thread(plan.after, error))
        plan.taken()
        return answer

    async def _call_once(self, api_method: str, **options: Any) -> AsyncSlackResponse:
        began, outcome = time.perf_counter(), "lost"
        try:
            answer = await super().api_call(api_method, **options)
            outcome = "ok"
            return answer
        except SlackApiError as error:
            outcome = {None: "lost", "ratelimited": "rate limited"}.get(refusal(error), "refused")
            raise
        except AttributeError as error:  # slack_sdk expects an object, and was given a page that calls itself plain text
            raise SlackApiError(f"{api_method} was answered by a page that is not Slack's", {}) from error
        finally:
            count_call(api_method, outcome, time.perf_counter() - began)


def _method(url: str) -> str:
    return urlsplit(url).path.rpartition("/api/")[2]


def retry_handlers() -> list[AsyncRetryHandler]:
    """Return the handlers of every client on this side, instead of slack_sdk's own."""
    return [ConnectionErrorHandler(), RateLimitHandler(max_retry_count=2), ServerErrorHandler()]
