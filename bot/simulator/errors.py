"""Slack's refusals."""

from typing import Any

Json = dict[str, Any]  # one JSON object as it is sent


class SlackError(Exception):
    """A refused call: `code` is the reference's error code, `details` holds more fields of the reply."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(code)
        self.code = code
        self.details = details

    @property
    def reply(self) -> Json:
        """Return the JSON object that Slack replies with."""
        return {"ok": False, "error": self.code, **self.details}


def invalid_arguments(*messages: str) -> SlackError:
    """Make the error for arguments that are missing or malformed, each with its reason in Slack's words."""
    return SlackError("invalid_arguments", response_metadata={"messages": [f"[ERROR] {text}" for text in messages]})
