"""`blocks.validate`: what is wrong with blocks, a message or a view, each with the place where it is; nothing is sent."""

import re

from bot.simulator import blocks
from bot.simulator.arguments import Arguments
from bot.simulator.errors import Json, SlackError, invalid_arguments

WHAT = ("blocks", "message", "view")
_PLACE = re.compile(r"^(?:\[ERROR\] )?(?P<message>.*) \[json-pointer:(?P<pointer>[^\]]*)\]$")
# How a message of ours begins, and the code that goes with it.
_CODES = {
    "missing required field": "missing_required_field",
    "invalid additional property": "additional_property",
    "unsupported type": "failed_constraint",
}


def validate(args: Arguments) -> Json:
    """Answer a call that names exactly one of blocks, message and view; raises SlackError with every error that is found."""
    given = {name: args.data(name, "invalid_arguments") for name in WHAT}
    named = [name for name in WHAT if given[name] is not None]
    if len(named) != 1:
        raise invalid_arguments("provide exactly one of `blocks`, `message`, or `view`")
    [what] = named
    value = given[what]
    try:
        if what == "view":
            kind = value.get("type") if isinstance(value, dict) else None
            blocks.check_view(value, kind if kind in ("modal", "home") else "modal")
        else:
            blocks.check_message(value if what == "blocks" else (value.get("blocks", []) if isinstance(value, dict) else value))
    except SlackError as error:
        found = error.details.get("errors") or error.details.get("response_metadata", {}).get("messages") or [error.code]
        raise SlackError(f"invalid_{what}", errors=[_told(one) for one in found]) from None
    return {}


def _told(error: str) -> Json:
    """Return one error with its place as a field of its own."""
    found = _PLACE.match(error)
    message, pointer = (found["message"], found["pointer"]) if found else (error.removeprefix("[ERROR] "), "")
    code = next((code for begins, code in _CODES.items() if message.startswith(begins)), "failed_constraint")
    return {"pointer": pointer, "code": code, "message": message}
