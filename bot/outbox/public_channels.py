"""Which channels everybody in the workspace may read, and which others, too: asked of Slack, and remembered for a minute."""

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
        self._known: dict[str, tuple[float, bool, bool]] = {}

    def has(self, channel: str) -> bool:
        """Return whether Slack says that this channel is public.

        Ids do not tell: private channels have such that begin with C, too. What Slack does not tell is taken for private.
        """
        return self._described(channel)[0]

    def is_read_outside(self, channel: str) -> bool:
        """Return whether people of another organisation read this channel (Slack Connect); where Slack does not tell, they do."""
        return self._described(channel)[1]

    def _described(self, channel: str) -> tuple[bool, bool]:
        with self._lock:
            asked_at, *known = self._known.get(channel, (float("-inf"), False, True))
        if time.monotonic() - asked_at <= KNOWN_FOR_S:
            return known[0], known[1]
        try:
            described = self._slack.conversations_info(channel=channel)["channel"]
        except (SlackApiError, RateLimited, AmbiguousResult):
            return False, True
        is_public = described.get("is_private") is False and not (described.get("is_im") or described.get("is_mpim"))
        is_read_outside = bool(described.get("is_ext_shared") or described.get("is_pending_ext_shared"))
        with self._lock:
            self._known[channel] = (time.monotonic(), is_public, is_read_outside)
        return is_public, is_read_outside
