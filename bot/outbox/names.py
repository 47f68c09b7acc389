"""What people are called: asked of Slack, and remembered for an hour. A name written out calls nobody, as a mention would."""

import time
from threading import Lock

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.outbox.states import AmbiguousResult, RateLimited

KNOWN_FOR_S = 3600.0
MOST_KNOWN = 1000


class Names:
    """What Slack says people are called; any thread may ask."""

    def __init__(self, slack: WebClient) -> None:
        self._slack = slack
        self._lock = Lock()
        self._known: dict[str, tuple[float, str]] = {}

    def of(self, user: str) -> str | None:
        """Return how this person is shown in Slack; None where Slack does not tell."""
        with self._lock:
            asked_at, name = self._known.get(user, (float("-inf"), ""))
        if time.monotonic() - asked_at <= KNOWN_FOR_S:
            return name
        try:
            described = self._slack.users_info(user=user)["user"]
        except (SlackApiError, RateLimited, AmbiguousResult):
            return None
        name = str(described.get("profile", {}).get("display_name") or described.get("real_name") or described["name"])
        with self._lock:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[user] = (time.monotonic(), name)
        return name
