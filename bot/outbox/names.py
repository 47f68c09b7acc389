"""What people are called, and who is a guest: asked of Slack, and remembered for an hour.

A name written out calls nobody, as a mention would.
"""

import time
from threading import Lock

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.outbox.states import AmbiguousResult, RateLimited

KNOWN_FOR_S = 3600.0
MOST_KNOWN = 1000


class Names:
    """What Slack says people are called, and whether they are guests; any thread may ask."""

    def __init__(self, slack: WebClient) -> None:
        self._slack = slack
        self._lock = Lock()
        self._known: dict[str, tuple[float, str, bool]] = {}

    def of(self, user: str) -> str | None:
        """Return how this person is shown in Slack; None where Slack does not tell."""
        described = self._described(user)
        return None if described is None else described[0]

    def is_full_member(self, user: str) -> bool:
        """Return whether this person is neither a guest nor of another organisation; where Slack does not tell, they are."""
        described = self._described(user)
        return described is not None and described[1]

    def _described(self, user: str) -> tuple[str, bool] | None:
        with self._lock:
            asked_at, *known = self._known.get(user, (float("-inf"), "", False))
        if time.monotonic() - asked_at <= KNOWN_FOR_S:
            return str(known[0]), bool(known[1])
        try:
            described = self._slack.users_info(user=user)["user"]
        except (SlackApiError, RateLimited, AmbiguousResult):
            return None
        name = str(described.get("profile", {}).get("display_name") or described.get("real_name") or described["name"])
        is_full_member = not any(described.get(each) for each in ("is_restricted", "is_ultra_restricted", "is_stranger"))
        with self._lock:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[user] = (time.monotonic(), name, is_full_member)
        return name, is_full_member
