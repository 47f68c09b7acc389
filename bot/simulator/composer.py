"""Text as Slack stores it, from what a person types or an app sends."""

import re
from collections.abc import Mapping
from functools import cache

import emoji

from bot.simulator.errors import Json

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_UNESCAPES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))  # & last, or "&amp;lt;" would become "<"
_BROADCASTS = {"channel": "<!channel>", "here": "<!here>", "everyone": "<!everyone>"}
_URL = r"https?://[^\s<>|]+"
_TYPED = re.compile(rf"(?P<url>{_URL})|(?<![\w@.])@(?P<user>[\w.-]+)|(?<![\w#&])#(?P<channel>[\w-]+)|(?P<escape>[&<>])")
_MARKUP = r"<(?:@[UW]\w+|#C\w+|![^<>]+|(?:https?|mailto|tel):[^<>|]+)(?:\|[^<>]*)?>"
_SENT = re.compile(rf"(?P<keep>{_MARKUP}|&(?:amp|lt|gt);)|(?P<url>{_URL})|(?P<escape>[&<>])")
_PARTS = re.compile(
    r"<@(?P<user>\w+)>|<#(?P<channel>\w+)(?:\|[^<>]*)?>|<!(?P<range>\w+)>"
    r"|<(?P<url>[^<>|@#!]+)(?:\|(?P<label>[^<>]*))?>|:(?P<emoji>[a-z0-9_+'-]+):"
)
_PICTURES = re.compile("[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff]")  # the planes in which emoji live
_SKIN_TONES = {chr(0x1F3FB + n): f":skin-tone-{n + 2}:" for n in range(5)}


def escape(text: str) -> str:
    """Escape the three characters that Slack escapes."""
    return re.sub("[&<>]", lambda match: _ESCAPES[match[0]], text)


def unescape(text: str) -> str:
    """Undo `escape`."""
    for entity, character in _UNESCAPES:
        text = text.replace(entity, character)
    return text


def compose(typed: str, users: Mapping[str, str], channels: Mapping[str, str]) -> str:
    """Return what Slack stores when a person types `typed`: escaped, with names, addresses and emoji in Slack's markup.

    `users` and `channels` map names to ids; a name that is not among them stays as typed.
    """

    def link(match: re.Match[str]) -> str:
        if match["url"]:
            return _link_url(match["url"])
        if match["user"]:
            name = match["user"].rstrip(".-")
            found = _BROADCASTS.get(name) or (f"<@{users[name]}>" if name in users else f"@{name}")
            return found + match["user"][len(name) :]
        if match["channel"]:
            name = match["channel"]
            return f"<#{channels[name]}|{name}>" if name in channels else f"#{name}"
        return _ESCAPES[match["escape"]]

    return _TYPED.sub(link, _name_emoji(typed))


def sanitise(sent: str) -> str:
    """Return what Slack stores when an app sends `sent`: markup and entities kept, stray `&`, `<` and `>` escaped."""

    def mend(match: re.Match[str]) -> str:
        if match["url"]:
            return _link_url(match["url"])
        return match["keep"] or _ESCAPES[match["escape"]]

    return _SENT.sub(mend, _name_emoji(sent))


def rich_text(text: str, block_id: str) -> Json:
    """Return the `rich_text` block that Slack adds to what people write; `text` has been through `compose`."""
    elements: list[Json] = []
    end = 0
    for match in _PARTS.finditer(text):
        if match["emoji"] and not is_emoji(match["emoji"]):
            continue
        if match.start() > end:
            elements.append({"type": "text", "text": unescape(text[end : match.start()])})
        elements.append(_element(match))
        end = match.end()
    if end < len(text):
        elements.append({"type": "text", "text": unescape(text[end:])})
    return {
        "type": "rich_text",
        "block_id": block_id,
        "elements": [{"type": "rich_text_section", "elements": elements}],
    }


def is_emoji(name: str) -> bool:
    """Return whether Slack knows `:name:`, skin tone (`pray::skin-tone-3`) included."""
    base, _, tone = name.partition("::")
    return base in _emoji_names() and (not tone or tone in {f"skin-tone-{n}" for n in range(2, 7)})


def _element(match: re.Match[str]) -> Json:
    if match["user"]:
        return {"type": "user", "user_id": match["user"]}
    if match["channel"]:
        return {"type": "channel", "channel_id": match["channel"]}
    if match["range"]:
        return {"type": "broadcast", "range": match["range"]}
    if match["emoji"]:
        return {"type": "emoji", "name": match["emoji"]}
    link: Json = {"type": "link", "url": unescape(match["url"])}
    return link | {"text": unescape(match["label"])} if match["label"] else link


def _link_url(url: str) -> str:
    # A full stop or a bracket after an address belongs to the sentence around it.
    address = url.rstrip(".,;:!?)\"'")
    return f"<{address.replace('&amp;', '&').replace('&', '&amp;')}>{url[len(address) :]}"


def _name_emoji(text: str) -> str:
    if not _PICTURES.search(text):
        return text  # spares nearly every message the slow search below
    for modifier, name in _SKIN_TONES.items():
        text = text.replace(modifier, name)
    return emoji.demojize(text, language="alias")


@cache
def _emoji_names() -> frozenset[str]:
    names = {"simple_smile"}  # Slack's own
    for data in emoji.EMOJI_DATA.values():
        names.add(data["en"].strip(":"))
        names.update(alias.strip(":") for alias in data.get("alias", ()))
    return frozenset(names)
