"""The arguments of one Web API call, whether they came in the query, in a form or as JSON."""

import base64
import binascii
import bisect
import json
import re
from typing import Any

from aiohttp import web

from bot.simulator.errors import Json, SlackError, invalid_arguments

_TRUE = {True, "1", "true", "True"}
_TS = re.compile(r"\d{1,12}(\.\d{1,6})?")


class Arguments:
    """Arguments by name. Each method raises the SlackError that the reference names for an invalid value."""

    def __init__(self, values: Json, token: str, http_method: str = "POST") -> None:
        self.values = values
        self.token = token
        self.http_method = http_method

    def optional(self, name: str) -> str | None:
        """Return the text, or None when it is missing or empty."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        # Numbers come as numbers in JSON; a ts that came as a float has lost digits, and Slack finds no message then.
        return value if isinstance(value, str) else json.dumps(value)

    def required(self, name: str) -> str:
        """Return the text; raises invalid_arguments when it is missing."""
        value = self.optional(name)
        if value is None:
            raise invalid_arguments(f"missing required field: {name}")
        return value

    def flag(self, name: str) -> bool:
        """Return whether the argument is true."""
        value = self.values.get(name)
        return isinstance(value, bool | int | str) and value in _TRUE

    def number(self, name: str, default: int, *, most: int) -> int:
        """Return a whole number from 1 to `most`."""
        value = self.optional(name)
        if value is None:
            return min(default, most)
        if not value.isdigit():
            raise SlackError("invalid_limit")
        return min(int(value) or default, most)

    def timestamp(self, name: str, code: str) -> str | None:
        """Return a message timestamp, or None when it is missing; raises `code` when it is not a timestamp."""
        value = self.optional(name)
        if value is not None and not _TS.fullmatch(value):
            raise SlackError(code)
        return value

    def data(self, name: str, code: str) -> Any:
        """Return JSON that was given as such or as text, None when it is missing or empty; raises `code` when it is not valid."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise SlackError(code) from None

    def cursor(self) -> str:
        """Return where the previous page ended, "" for the first page."""
        value = self.optional("cursor")
        if value is None:
            return ""
        try:
            kind, _, at = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            kind, at = "", ""
        if kind != "at":
            raise SlackError("invalid_cursor")
        return at


def next_cursor(at: str) -> str:
    """Return the cursor of the page that starts after `at`; "" means that there are no more pages."""
    return base64.b64encode(f"at:{at}".encode()).decode() if at else ""


def page(args: Arguments, items: list[str]) -> tuple[list[str], str]:
    """Return one page of the ascending items and the cursor of the next page ("" when there is none)."""
    start = bisect.bisect_right(items, args.cursor())
    limit = args.number("limit", 100, most=1000)
    found = items[start : start + limit]
    return found, next_cursor(found[-1]) if start + limit < len(items) else ""


async def read(request: web.Request, *, takes_json: bool) -> Arguments:
    """Read the call's arguments from query, form, or JSON where the method takes it; the token from the header or the form."""
    values: Json = dict(request.query)
    values.pop("token", None)  # Slack takes no token from a URL any more
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else ""
    if request.content_type == "application/json":
        body = await request.read()
        if body and takes_json:  # slack_sdk sends an empty JSON body for calls without arguments
            values |= _object(body)
    elif request.method == "POST":
        form = await request.post()
        values |= {name: value for name, value in form.items() if isinstance(value, str)}
        token = token or str(values.pop("token", ""))
    values.pop("token", None)
    return Arguments(values, token, request.method)


def _object(body: bytes) -> Json:
    try:
        value = json.loads(body)
    except ValueError:
        raise SlackError("invalid_json") from None
    if not isinstance(value, dict):
        raise SlackError("json_not_object")
    return value
