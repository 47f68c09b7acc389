"""Labels as people read them: by their titles, with their emoji, and as the options of a menu. Pure, as `blocks` is."""

import unicodedata
from collections.abc import Sequence

from bot.views.blocks import MOST_OPTIONS, OPTION_LENGTH, Block, escape, plain_text, shorten
from bot.views.texts import Texts
from model.labels import Label, Taxonomy

_NO_BREAK = "\N{NO-BREAK SPACE}"


def label_title(name: str, taxonomy: Taxonomy, texts: Texts) -> str:
    """Return a label's title; one that was retired since keeps its bare name."""
    return texts.title(taxonomy[name]) if name in taxonomy else name


def names(labels: tuple[str, ...] | list[str], taxonomy: Taxonomy, texts: Texts) -> str:
    """Return the labels' titles in a row; a dash for none."""
    return ", ".join(escape(label_title(name, taxonomy, texts)) for name in labels) or texts("reply.no_label")


def sign(name: str, taxonomy: Taxonomy) -> str:
    """Return the label's emoji, to stand on one line with its title; nothing for a label that has none, or that was retired."""
    return f":{taxonomy[name].emoji}:{_NO_BREAK}" if name in taxonomy and taxonomy[name].emoji else ""


def label_option(name: str, taxonomy: Taxonomy, texts: Texts) -> Block:
    """Build the label as an entry of a menu, or a box to tick, with its description."""
    label = taxonomy[name]
    text = f"{sign(name, taxonomy)}{texts.title(label)}"
    option: Block = {"text": plain_text(shorten(text, OPTION_LENGTH)), "value": name}
    if label.description:  # Slack refuses an empty one, and the whole modal with it
        option["description"] = plain_text(shorten(label.description, OPTION_LENGTH))
    return option


def menu_of(labels: Sequence[Label], texts: Texts, taxonomy: Taxonomy) -> Block:
    """Return the options of a menu of these labels, under the names of their groups where they have any.

    From `MOST_OPTIONS` on it asks for those that match what is typed instead.
    """
    if len(labels) >= MOST_OPTIONS:
        return {"type": "multi_external_select", "min_query_length": 0}
    if not any(label.group for label in labels):
        return {"options": [label_option(label.name, taxonomy, texts) for label in labels]}
    groups: dict[str, list[Block]] = {}
    for label in labels:
        groups.setdefault(label.group or texts("labels.no_group"), []).append(label_option(label.name, taxonomy, texts))
    return {
        "option_groups": [
            {"label": plain_text(shorten(group, OPTION_LENGTH)), "options": options} for group, options in groups.items()
        ]
    }


def label_options(typed: str, taxonomy: Taxonomy, texts: Texts) -> list[Block]:
    """Return the options that match what somebody typed in the modal's menu, at most `MOST_OPTIONS`.

    All words must be in a label's titles, name or description; case and accents do not count. Matches in the title come
    first, each kind in the labels' order.
    """
    words = _fold(typed).split()
    in_title, elsewhere = [], []
    for label in taxonomy:
        title = _fold(texts.title(label))
        anywhere = f"{title} {_fold(' '.join((label.name, label.title, label.title_en, label.description)))}"
        if all(word in title for word in words):
            in_title.append(label.name)
        elif all(word in anywhere for word in words):
            elsewhere.append(label.name)
    return [label_option(name, taxonomy, texts) for name in (in_title + elsewhere)[:MOST_OPTIONS]]


def _fold(text: str) -> str:
    """Return `text` without case and accents."""
    return "".join(each for each in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(each))
