"""What can go wrong in `bot`, each with a sentence that names the thing and the way out."""

import re

from slack_sdk.errors import SlackApiError


class BotError(Exception):
    """Base of everything that `bot` raises on purpose; its text is meant for an operator."""


class StartRefused(BotError):
    """The bot, or a process that belongs to it, cannot start."""


def refusal(error: SlackApiError) -> str | None:
    """Return the code with which Slack refused a call; None where something else answered: a 5xx, or the page of a proxy.

    slack_sdk raises the same error for both, with a response that has no code, or with aiohttp's own.
    """
    data = getattr(error.response, "data", error.response)
    code = data.get("error") if isinstance(data, dict) else None
    # For a page that is no JSON, slack_sdk's synchronous client makes up a sentence.
    return code if isinstance(code, str) and re.fullmatch(r"[a-z0-9_]+", code) else None
