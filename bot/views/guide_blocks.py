"""The guide: when each label applies, with messages that carry it and messages that only seem to. Pure, as `blocks` is."""

import re
from typing import Any

from bot.views.blocks import Block, context, escape, plain_text, section, shorten, warn
from bot.views.texts import Texts
from model.labels import Label, Taxonomy

GUIDE_BUTTON = "guide_open"
# A modal has a hundred blocks; some are headings.
MOST_LABELS = 70
# Of each kind of example.
SHOWN = 5
# A canvas holds 1,048,576.
MOST_CHARACTERS = 900_000
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>()#+\-.!|~:@$]")


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


def markdown(taxonomy: Taxonomy, texts: Texts) -> str:
    """Render the guide as the markdown of a canvas, at most MOST_CHARACTERS of it; what people wrote stays words in it."""
    told, length = [texts("canvas.intro")], 0
    for group, labels in grouped(taxonomy):
        sections = [f"# {plain(group)}"] if group else []
        for label in labels:
            sign = f":{label.emoji}: " if label.emoji else ""
            lines = [f"## {sign}{plain(texts.title(label))}", plain(label.description) or texts("canvas.nothing_written")]
            lines += [f"- {texts('canvas.good', example=plain(example))}" for example in label.examples[:SHOWN]]
            lines += [f"- {texts('canvas.bad', example=plain(example))}" for example in label.counterexamples[:SHOWN]]
            sections.append("\n".join(lines))
        for each in sections:
            if length + len(each) > MOST_CHARACTERS:
                return "\n\n".join([*told, texts("canvas.more")])
            length += len(each) + 2
            told.append(each)
    return "\n\n".join(told)


def plain(text: str) -> str:
    """Return the text with every sign that markdown would read as something else put behind a backslash, on one line."""
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(text.split()))


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
