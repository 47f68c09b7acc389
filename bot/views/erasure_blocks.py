"""The question before something is erased, and what became of it. Pure, as `blocks` is."""

from typing import Any

from bot.views.blocks import context, plain_text, quote, section
from bot.views.texts import Texts

FORGET_VIEW = "forget_view"
# Of a message that somebody asks to have erased.
QUOTED = 300


def forget_modal(question: str, texts: Texts, *, metadata: str, quoted: str = "") -> dict[str, Any]:
    """Render the question before something is erased; Slack keeps `metadata`, and nobody else can write it."""
    return {
        "type": "modal",
        "callback_id": FORGET_VIEW,
        "private_metadata": metadata,
        "title": plain_text(texts("forget.title")),
        "submit": plain_text(texts("forget.submit")),
        "close": plain_text(texts("forget.close")),
        "blocks": [section(question), *([quote(quoted, QUOTED)] if quoted else []), context(texts("forget.what"))],
    }


def notice(text: str, texts: Texts) -> dict[str, Any]:
    """Render what became of it, in the modal that asked."""
    return {
        "type": "modal",
        "title": plain_text(texts("forget.title")),
        "close": plain_text(texts("modal.close")),
        "blocks": [section(text)],
    }
