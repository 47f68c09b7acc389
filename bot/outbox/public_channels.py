"""Which channels everybody in the workspace may read: asked of Slack, and remembered for a minute."""

import time
from threading import Lock

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.outbox.states import AmbiguousResult, RateLimited

KNOWN_FOR_S = 60.0


class PublicChannels:
    """What Slack says about channels; any thread may ask."""

    def __init__(self, slack: WebClient) -> None:
        self._slack = slack
        self._lock = Lock()
        self._known: dict[str, tuple[float, bool]] = {}

    def has(self, channel: str) -> bool:
        """Return whether Slack says that this channel is public.

        Ids do not tell: private channels have such that begin with C, too. What Slack does not tell is taken for private.
        """
        with self._lock:
            asked_at, is_public = self._known.get(channel, (float("-inf"), False))
        if time.monotonic() - asked_at <= KNOWN_FOR_S:
            return is_public
        try:
            described = self._slack.conversations_info(channel=channel)["channel"]
        except (SlackApiError, RateLimited, AmbiguousResult):
            return False
        is_public = described.get("is_private") is False and not (described.get("is_im") or described.get("is_mpim"))
        with self._lock:
            self._known[channel] = (time.monotonic(), is_public)
        return is_public
