"""Slack's Web API as the outbox calls it: once, no faster than Slack allows, and with an outcome that says what is known."""

import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any
from urllib.request import Request

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from bot.errors import refusal
from bot.forms import Forms
from bot.metrics import WAIT_SECONDS, count_call
from bot.outbox.connections import Connections
from bot.outbox.rate_limit import RateLimiter
from bot.outbox.states import AmbiguousResult, RateLimited

CALL_WITHIN_S = 20.0
# As many as this process calls at a time.
CONNECTIONS_KEPT = 8
NO_UNFURL: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
# Of a channel's newest messages, 200 each: a post that was made a moment ago is not further back.
MOST_PAGES = 10

Message = dict[str, Any]


class RateLimitedClient(WebClient):
    """Slack's Web API, asked once and no faster than it allows: RateLimited, AmbiguousResult, or SlackApiError with a clear no.

    It waits by itself for at most `patience_s`. Nothing is tried a second time: whether that is safe only the caller knows.
    Calls go over `connections`, which several clients may share. Of blocks in two forms it sends that which the workspace takes
    (see `forms`): NoClassicForm where there is none.
    """

    def __init__(
        self,
        *,
        limiter: RateLimiter,
        forms: Forms,
        patience_s: float = 0.0,
        connections: Connections | None = None,
        **options: Any,
    ) -> None:
        super().__init__(retry_handlers=[], **options)
        self.limiter = limiter
        self.forms = forms
        self.patience_s = patience_s
        self.connections = connections or Connections(CONNECTIONS_KEPT, proxy=self.proxy)

    def api_call(self, api_method: str, **options: Any) -> SlackResponse:
        """Return Slack's answer, which is `ok`."""
        plan = self.forms.plan(options)
        try:
            answer = self._call_once(api_method, **plan.first)
        except SlackApiError as error:
            return self._call_once(api_method, **plan.after(error))
        plan.taken()
        return answer

    def _call_once(self, api_method: str, **options: Any) -> SlackResponse:
        given = options.get("json") or options.get("data") or options.get("params") or {}
        deadline = time.monotonic() + self.patience_s
        while (wait_s := self.limiter.take(api_method, str(given.get("channel") or ""))) > 0:
            WAIT_SECONDS.labels(api_method, "us").observe(wait_s)
            if time.monotonic() + wait_s > deadline:
                raise RateLimited(api_method, wait_s)
            time.sleep(wait_s)
        began, outcome = time.perf_counter(), "lost"
        try:
            answer = super().api_call(api_method, **options)
            outcome = "ok"
            return answer
        except SlackApiError as error:
            response = error.response
            if getattr(response, "status_code", 200) == 429:
                seconds = _retry_after(response.headers)
                outcome = "rate limited"
                WAIT_SECONDS.labels(api_method, "slack").observe(seconds)
                self.limiter.block_method_for(api_method, seconds)
                raise RateLimited(api_method, seconds) from None
            if getattr(response, "status_code", 200) != 200 or " " in str(response.get("error", " ")):
                raise AmbiguousResult(api_method, f"status {response.status_code}") from None
            outcome = "refused"
            raise
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise AmbiguousResult(api_method, reason, late=isinstance(reason, TimeoutError)) from None
        finally:
            count_call(api_method, outcome, time.perf_counter() - began)

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:  # noqa: ARG002  # slack_sdk names it
        # Where slack_sdk sends a request, each over a connection of its own.
        status, headers, body = self.connections.open(req, timeout_s=self.timeout)
        return {"status": status, "headers": headers, "body": body.decode(headers.get_content_charset() or "utf-8")}


def find_messages(
    slack: WebClient, channel: str, is_ours: Callable[[Message], bool], *, thread_ts: str | None = None, oldest: str = "0"
) -> list[str]:
    """Return the ts of each message of the thread, or of the channel since `oldest`, that `is_ours`, the oldest first.

    Whoever posted one may not have lived to record it. Where the thread's first message is gone, the reply to it may stand in
    the channel itself.
    """
    if thread_ts is not None:
        try:
            return _pages(slack.conversations_replies, is_ours, channel=channel, ts=thread_ts)
        except SlackApiError as error:
            if refusal(error) != "thread_not_found":
                raise
            oldest = thread_ts
    return _pages(slack.conversations_history, is_ours, channel=channel, oldest=oldest)


def has_metadata(message: Message, event_type: str, name: str, value: str) -> bool:
    """Return whether a message carries metadata of this type that says so."""
    metadata = message.get("metadata") or {}
    return metadata.get("event_type") == event_type and (metadata.get("event_payload") or {}).get(name) == value


def _pages(ask: Callable[..., SlackResponse], is_ours: Callable[[Message], bool], **where: str) -> list[str]:
    found: list[str] = []
    cursor = ""
    for _ in range(MOST_PAGES):
        page = ask(include_all_metadata=True, limit=200, cursor=cursor, **where)
        found += [str(message["ts"]) for message in page["messages"] if is_ours(message)]
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            break
    return sorted(found)


def _retry_after(headers: Any) -> float:
    found = next((value for name, value in headers.items() if name.lower() == "retry-after"), "1")
    return float(found if isinstance(found, str) else found[0])
