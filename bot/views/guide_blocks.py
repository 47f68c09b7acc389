"""The guide: when each label applies, with messages that carry it and messages that only seem to. Pure, as `blocks` is."""

from typing import Any

from bot.views.blocks import Block, context, escape, plain_text, section, shorten, warn
from bot.views.texts import Texts
from model.labels import Label, Taxonomy

# A modal has a hundred blocks; some are headings.
MOST_LABELS = 70
# Of each kind of example.
SHOWN = 5


def guide(taxonomy: Taxonomy, texts: Texts, *, only: Label | None = None, warning: str = "") -> dict[str, Any]:
    """Render what is written of each label, by groups, or of one alone."""
    shown: list[Block] = [warn(warning)] if warning else []
    if only is not None:
        shown.append(section(_told(only, texts)))
    else:
        shown.append(context(texts("guide.intro")) if taxonomy.labels else section(texts("labels.none_yet")))
        for group, labels in grouped(taxonomy)[:MOST_LABELS]:
            shown += [heading(group)] if group else []
            shown += [section(_told(label, texts)) for label in labels]
    if len(shown) > MOST_LABELS + 10:
        shown = [*shown[: MOST_LABELS + 10], context(texts("guide.more"))]
    return {
        "type": "modal",
        "title": plain_text(texts("guide.title")),
        "close": plain_text(texts("guide.close")),
        "blocks": shown,
    }


def grouped(taxonomy: Taxonomy) -> list[tuple[str, list[Label]]]:
    """Return the labels by their groups, in the order in which each group comes first; without any group, one that is ""."""
    found: dict[str, list[Label]] = {}
    for label in taxonomy:
        found.setdefault(label.group, []).append(label)
    return list(found.items())


def heading(group: str) -> Block:
    """Render the name of a group above its labels."""
    return {"type": "header", "text": {"type": "plain_text", "text": shorten(group, 150), "emoji": True}}


def _told(label: Label, texts: Texts) -> str:
    sign = f":{label.emoji}: " if label.emoji else ""
    lines = [f"{sign}*{escape(texts.title(label))}*", escape(label.description) or f"_{texts('guide.nothing_written')}_"]
    lines += [texts("guide.good", example=escape(shorten(example, 200))) for example in label.examples[:SHOWN]]
    lines += [texts("guide.bad", example=escape(shorten(example, 200))) for example in label.counterexamples[:SHOWN]]
    return "\n".join(lines)
