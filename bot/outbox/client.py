"""What the `replies` process speaks to Slack with: its store, its paced client, and what it must know of Slack to use them."""

import time
from collections.abc import Callable
from functools import cache
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from bot.locks import TtlLock
from bot.outbox.rate_limit import RateLimiter
from bot.settings import BotSettings
from model.store.gestures import Gestures
from model.store.label_book import LabelBook
from model.store.replies import Replies
from model.store.store import Store

# Longer than the calls for one reply take; a claim that lives longer belongs to a dead process.
LEASE_S = 60.0
CALL_WITHIN_S = 20.0
# What Slack did not answer is looked at again so much later.
AGAIN_S = 3.0
NO_UNFURL: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
# Slack will never take these, however often we try.
PERMANENT_ERRORS = {
    "account_inactive", "cant_update_message", "channel_not_found", "edit_window_closed", "is_archived", "message_not_found",
    "not_in_channel", "thread_not_found", "restricted_action", "token_revoked",
}  # fmt: skip


class RateLimited(Exception):
    """Nothing was done: `method` may be called again in `retry_after_s` seconds."""

    def __init__(self, method: str, retry_after_s: float) -> None:
        super().__init__(f"{method} may be called again in {retry_after_s:.1f} s")
        self.method = method
        self.retry_after_s = retry_after_s


class AmbiguousResult(Exception):
    """No answer that could be read: the call may have been carried out or not. `late`: it may yet be."""

    def __init__(self, method: str, reason: object, *, late: bool = False) -> None:
        super().__init__(f"{method} may or may not have been carried out: {reason}")
        self.late = late


class RateLimitedClient(WebClient):
    """Slack's Web API, asked once and no faster than it allows: RateLimited, AmbiguousResult, or SlackApiError with a clear no.

    It waits by itself for at most `patience_s`. Nothing is tried a second time: whether that is safe only the caller knows.
    """

    def __init__(self, *, limiter: RateLimiter, patience_s: float = 0.0, **options: Any) -> None:
        super().__init__(retry_handlers=[], **options)
        self.limiter = limiter
        self.patience_s = patience_s

    def api_call(self, api_method: str, **options: Any) -> SlackResponse:
        """Return Slack's answer, which is `ok`."""
        given = options.get("json") or options.get("data") or options.get("params") or {}
        deadline = time.monotonic() + self.patience_s
        while (wait_s := self.limiter.take(api_method, str(given.get("channel") or ""))) > 0:
            if time.monotonic() + wait_s > deadline:
                raise RateLimited(api_method, wait_s)
            time.sleep(wait_s)
        try:
            return super().api_call(api_method, **options)
        except SlackApiError as error:
            response = error.response
            if getattr(response, "status_code", 200) == 429:
                seconds = _retry_after(response.headers)
                self.limiter.block_method_for(api_method, seconds)
                raise RateLimited(api_method, seconds) from None
            if getattr(response, "status_code", 200) != 200 or " " in str(response.get("error", " ")):
                raise AmbiguousResult(api_method, f"status {response.status_code}") from None
            raise
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise AmbiguousResult(api_method, reason, late=isinstance(reason, TimeoutError)) from None


def _retry_after(headers: Any) -> float:
    found = next((value for name, value in headers.items() if name.lower() == "retry-after"), "1")
    return float(found if isinstance(found, str) else found[0])


@cache
def store() -> Store:
    """This process's store."""
    return Store(settings().store_url, settings().home_folder, mask_personal=settings().mask_personal)


@cache
def settings() -> BotSettings:
    """This process's settings."""
    return BotSettings()


@cache
def replies() -> Replies:
    """What this process's store knows of replies."""
    return store().replies


@cache
def gestures() -> Gestures:
    """What people said, in this process's store."""
    return store().gestures


@cache
def labels() -> LabelBook:
    """The labels of today, in this process's store."""
    return store().labels


@cache
def limiter() -> RateLimiter:
    """How fast Slack lets us go, which all `replies` processes share."""
    return RateLimiter(settings().redis_url, settings().slack_rate)


@cache
def locks() -> TtlLock:
    """What the `replies` processes do once together."""
    return TtlLock(settings().redis_url)


@cache
def slack(patience_s: float = 0.0) -> RateLimitedClient:
    """This process's Slack client; it waits by itself for at most `patience_s`."""
    token = settings().slack_bot_token.get_secret_value()
    return RateLimitedClient(
        limiter=limiter(), patience_s=patience_s, token=token, base_url=settings().slack_api_url, timeout=CALL_WITHIN_S
    )


@cache
def workspace() -> dict[str, str]:
    """Whose token we hold: `team_id`, and `url`, where permalinks begin."""
    answer = slack(CALL_WITHIN_S).auth_test()
    return {"team_id": str(answer["team_id"]), "url": str(answer["url"])}


def delete_message(channel: str, ts: str) -> None:
    """Our message is not there; AmbiguousResult where it may be."""
    try:
        slack(CALL_WITHIN_S).chat_delete(channel=channel, ts=ts)
    except RateLimited as wait:
        raise AmbiguousResult("chat.delete", wait) from None
    except SlackApiError as error:
        if (reason := error.response.get("error")) not in PERMANENT_ERRORS:
            raise AmbiguousResult("chat.delete", reason) from None


def find_messages(channel: str, thread: str, kind: str, name: str, value: str) -> list[str]:
    """The ts of each message of ours in the thread whose metadata is of this kind and says so, the oldest first.

    Whoever posted one may not have lived to record it.
    Where the thread's first message is gone, the reply to it may stand in the channel itself.
    """
    ask: Callable[..., Any] = slack().conversations_replies
    where: dict[str, Any] = {"ts": thread}
    found: list[str] = []
    cursor = ""
    while True:
        try:
            page = ask(channel=channel, include_all_metadata=True, limit=200, cursor=cursor, **where)
        except SlackApiError as error:
            if error.response.get("error") != "thread_not_found" or "oldest" in where:
                raise
            ask, where = slack().conversations_history, {"oldest": thread}
            continue
        for message in page["messages"]:
            metadata = message.get("metadata") or {}
            if metadata.get("event_type") == kind and metadata.get("event_payload", {}).get(name) == value:
                found.append(str(message["ts"]))
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return sorted(found)
