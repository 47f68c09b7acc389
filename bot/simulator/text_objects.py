"""The pieces that blocks and elements are made of: texts, options, and the question before something is done."""

from bot.simulator.shapes import Check, Shape, boolean, choice, json_object, string, typed


def text(longest: int, *kinds: str) -> Check:
    """Make a check for a text object of at most so many characters, of these kinds; of both for none."""
    shape: Shape = ({"text": string(longest, 1)}, {"emoji": boolean, "verbatim": boolean})
    return typed(dict.fromkeys(kinds or ("plain_text", "mrkdwn"), shape))


def plain(longest: int) -> Check:
    """Make a check for a text object without markup."""
    return text(longest, "plain_text")


def option(*kinds: str, **extra: Check) -> Check:
    """Make a check for an entry of a menu, whose text is of these kinds."""
    return json_object(({"text": text(75, *kinds), "value": string(150, 1)}, {"description": text(75, *kinds), **extra}))


CONFIRM = json_object((
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": choice("primary", "danger")},
))  # fmt: skip
