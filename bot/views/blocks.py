"""What screens are built of, and those that say one sentence. Pure: the same input gives the same blocks; nothing is asked.

What our types become is in the files beside this one: a reply in `reply_blocks`, a training run in `run_blocks`.
"""

import re
from datetime import datetime
from typing import Any

from bot.views.native import Native, rich_text
from bot.views.texts import Texts

Block = dict[str, Any]

SCREEN_BUTTON = "screen_open"
STOP_BACKFILL_ACTION = "backfill_stop"
EDIT_VIEW = "labels_view"
CHOICE = "labels"
NOTE = "note"
# Slack shows so many options, of a menu that comes whole and of an answer to what somebody typed.
MOST_OPTIONS = 100
# Slack takes so many characters of an option, and of its description.
OPTION_LENGTH = 75

_MARKUP = re.compile(r"<(?P<kind>[@#!]?)(?P<what>[^<>|]*)(?:\|(?P<name>[^<>]*))?>")
_EMOJI = re.compile(r"(?<!\d):[\w+'-]{1,80}:(?::skin-tone-\d:)?")


def escape(text: str) -> str:
    """Return `text` as plain characters in mrkdwn: only `&`, `<` and `>` mean something there (Slack's formatting page)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def shorten(text: str, most: int) -> str:
    """Return at most `most` characters of `text`, cut after a word, with "…" where anything is left out."""
    if len(text) <= most:
        return text
    words = text[: most - 1]
    if not text[most - 1].isspace() and (end := words.rfind(" ")) > most // 2:  # not half of one endless word alone
        words = words[:end]
    return words.rstrip(" ,;:.(¿¡") + "…"


def snippet(text: str, most: int = 60) -> str:
    """Return the first words of a message, which is as Slack sent it, to stand as a link's words; never nothing.

    Names of emoji are left out: Slack shows them as they are written there.
    """
    words = " ".join(_EMOJI.sub(" ", _MARKUP.sub(_say_markup, text)).split())
    words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return escape(shorten(words, most)).replace("|", " ").strip() or "…"


def _say_markup(markup: re.Match[str]) -> str:
    name = markup["name"]
    match markup["kind"]:
        case "@" | "#" | "!" as kind:
            return f" {kind.replace('!', '@')}{name or '…'} "
    return f" {name or re.sub('^(mailto:|tel:|https?://)', '', markup['what'])} "


def moment(at: datetime) -> str:
    """Return the moment in the reader's own time zone, as Slack shows dates; UTC where it cannot."""
    return f"<!date^{int(at.timestamp())}^{{date_num}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def section(text: str) -> Block:
    """Build a paragraph of mrkdwn, cut at Slack's 3,000 characters."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:3000]}}


def context(*texts: str) -> Block:
    """Build a small grey line."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text[:2000]} for text in texts]}


def warn(text: str) -> Block:
    """Build a warning in a modal, of mrkdwn."""
    alert = {"type": "alert", "level": "warning", "text": {"type": "mrkdwn", "text": text[:3000]}}
    return Native(alert, section(f":warning: {text}"))


def quote(text: str, most: int) -> Native:
    """Build a quotation of at most so many characters of what somebody wrote, in which nothing calls anybody."""
    words = shorten(text, most)
    lines = [f"&gt; {line}" for line in escape(words).splitlines()]
    return Native(rich_text(words, "rich_text_quote"), section("\n".join(lines) or "&gt; …"))


def plain_text(text: str) -> Block:
    """Build `text` for places where Slack takes no mrkdwn."""
    return {"type": "plain_text", "text": text, "emoji": True}


def mentions(users: tuple[str, ...]) -> str:
    """Mention the first five people, and say how many more there are."""
    shown = ", ".join(f"<@{user}>" for user in users[:5])
    return shown if len(users) <= 5 else f"{shown} +{len(users) - 5}"


def button(action: str, text: str) -> Block:
    """Build a plain button; what it is about is looked up from the message that it stands on, never read from the button."""
    return {"type": "button", "action_id": action, "text": {"type": "plain_text", "text": text, "emoji": True}}


def backfill(said: str, texts: Texts, *, is_running: bool) -> list[Block]:
    """Build how far a backfill is, with the button that stops it while it goes on."""
    stop = {"type": "actions", "elements": [button(STOP_BACKFILL_ACTION, texts("backfill.stop"))]}
    return [section(said), *([stop] if is_running else [])]


def offer_screen(word: str, texts: Texts) -> tuple[str, list[Block]]:
    """Build what opens the window of this word of `/beto` by a click: the text for notifications, and the blocks."""
    said = texts("prompts.opens")
    offered = {**button(SCREEN_BUTTON, texts("prompts.open")), "value": word}
    return said, [section(said), {"type": "actions", "elements": [offered]}]


def loading(texts: Texts) -> dict[str, Any]:
    """Render the modal while the store is asked: Slack lets a trigger open something for three seconds only."""
    return {
        "type": "modal",
        "callback_id": EDIT_VIEW,
        "title": plain_text(texts("modal.title")),
        "close": plain_text(texts("modal.close")),
        "blocks": [section(texts("modal.loading"))],
    }


def sorry(text: str, texts: Texts) -> dict[str, Any]:
    """Render a modal that only says why there is nothing to choose."""
    return {
        "type": "modal",
        "title": plain_text(texts("modal.title")),
        "close": plain_text(texts("modal.close")),
        "blocks": [section(text)],
    }
