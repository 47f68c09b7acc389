"""What all payloads are made of: their base, and the fields that come in many.

Ids and times are as long as the store's columns, and texts are such as a database keeps.
"""

import time
from typing import Annotated, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from model.schema import plain_text

# Slack sends at most this many characters of a message; anything longer is not Slack's.
LONGEST = 40_000


def microseconds(ts: object) -> int:
    """Return Slack's `1716400000.123456` as an integer, exactly; the present time for what is none."""
    seconds, _, fraction = str(ts).partition(".")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 12) or not (fraction.isascii() and fraction.isdigit()):
        return time.time_ns() // 1000
    return int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))


def now() -> int:
    """Return the present time, for what comes without one; microseconds."""
    return time.time_ns() // 1000


# An id or a time of Slack's.
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,32}$")]
# What a person typed, or what is named by one.
Text = Annotated[str, BeforeValidator(lambda value: plain_text(value) if isinstance(value, str) else value)]
# What is given back to Slack as it came.
Token = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
# A moment of Slack's, in microseconds.
Moment = Annotated[int, BeforeValidator(microseconds)]


class MessageRef(NamedTuple):
    """Where a message stands: its channel and its `ts`."""

    channel: str
    ts: str


class Payload(BaseModel):
    """Base of what Slack sends. Errors never quote it: it is people's words."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


def without_mention(text: str, bot_user: str) -> str:
    """Return `text` without the words that call the bot, cut at Slack's own limit."""
    return (text.replace(f"<@{bot_user}>", " ").strip() if f"<@{bot_user}>" in text else text)[:LONGEST]
