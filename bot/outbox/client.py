"""What the `replies` process speaks to Slack with: its store, its paced client, and what it must know of Slack to use them."""

from collections.abc import Callable
from functools import cache
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.outbox.rate_limit import MustWait, Pace, PacedClient, Unsure
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
QUIET: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
# Slack will never take these, however often we try.
HOPELESS = {
    "account_inactive", "cant_update_message", "channel_not_found", "edit_window_closed", "is_archived", "message_not_found",
    "not_in_channel", "thread_not_found", "restricted_action", "token_revoked",
}  # fmt: skip


@cache
def store() -> Store:
    """This process's store."""
    return Store(settings().store_url, mask_personal=settings().mask_personal)


@cache
def settings() -> BotSettings:
    """This process's settings."""
    return BotSettings()


@cache
def replies() -> Replies:
    """What this process's store knows of replies."""
    return Replies(store())


@cache
def gestures() -> Gestures:
    """What people said, in this process's store."""
    return Gestures(store())


@cache
def labels() -> LabelBook:
    """The labels of today, in this process's store."""
    return LabelBook(store())


@cache
def pace() -> Pace:
    """How fast Slack lets us go, which all `replies` processes share."""
    return Pace(settings().redis_url, settings().slack_rate)


@cache
def slack(patience_s: float = 0.0) -> PacedClient:
    """This process's Slack client; it waits by itself for at most `patience_s`."""
    token = settings().slack_bot_token.get_secret_value()
    return PacedClient(pace=pace(), patience_s=patience_s, token=token, base_url=settings().slack_api_url, timeout=CALL_WITHIN_S)


@cache
def workspace_url() -> str:
    """Where permalinks of our workspace begin."""
    return str(slack().auth_test()["url"])


def take_away(channel: str, ts: str) -> None:
    """Our message is not there; Unsure where it may be."""
    try:
        slack(CALL_WITHIN_S).chat_delete(channel=channel, ts=ts)
    except MustWait as wait:
        raise Unsure("chat.delete", wait) from None
    except SlackApiError as error:
        if (reason := error.response.get("error")) not in HOPELESS:
            raise Unsure("chat.delete", reason) from None


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
