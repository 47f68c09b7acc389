"""Why a message has its labels, as a modal for whoever asked. Pure, as `blocks` is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.views.blocks import MOST_OPTIONS, OPTION_LENGTH, Block, context, escape, mentions, plain_text, section, shorten
from bot.views.label_names import label_title
from bot.views.reply_blocks import GUESS_FROM, signature
from bot.views.texts import Texts
from model.judgements import LabelState, MessageState
from model.labels import Taxonomy
from model.schema import Carried, Explanation, Span

MENU = "why_another"
# Ten labels are more than anybody reads of one message.
MOST_LABELS = 10
# What speaks for a label that is less likely than this is chance.
WORTH_SAYING = 0.05
# Of a piece of a long text.
PHRASE_LENGTH = 60
_AROUND = re.compile(r"^[^\w¡¿]+|[^\w!?]+$")


@dataclass(frozen=True)
class Near:
    """A judged message that is like the one asked about, as its line shows it: a link, its labels, and who said so."""

    link: str
    labels: tuple[str, ...]
    judges: tuple[str, ...]


def loading(texts: Texts) -> dict[str, Any]:
    """Render the modal while the network is asked."""
    return sentence(texts("why.loading"), texts)


def sentence(text: str, texts: Texts) -> dict[str, Any]:
    """Render a modal that only says why there is nothing to explain, or not yet."""
    return _modal([section(text)], texts, "")


def explanation(
    explained: Explanation,
    words: Sequence[str],
    state: MessageState,
    taxonomy: Taxonomy,
    texts: Texts,
    *,
    known: str,
    near: Sequence[Near],
    asked: str | None,
    describes: bool,
    metadata: str,
) -> dict[str, Any]:
    """Render what carries each label that stands, that the version gives, or that was `asked` for.

    `words` are those that the spans count. `known` says whose word about another message decides, "" where none does.
    `describes`: the version knows labels that it was not taught by what is written of them.
    """
    by_label = _in_names_of_today(explained, taxonomy)
    given = [name for name, carried in by_label.items() if carried.given]
    wanted = [name for name in dict.fromkeys([*state.shown, *given]) if name in state.labels]
    wanted.sort(key=lambda name: -(by_label[name].score if name in by_label else 1.0))
    if asked is not None:
        wanted = [asked, *(name for name in wanted if name != asked)]
    elif not wanted and (best := max(by_label.values(), key=lambda each: each.score, default=None)) is not None:
        wanted = [best.label] if best.score >= GUESS_FROM else []
    lines = [
        "\n".join(_lines(name, by_label.get(name), state.labels.get(name), words, taxonomy, texts, describes=describes))
        for name in wanted[:MOST_LABELS]
    ]
    shown: list[Block] = [section(texts("why.known", known=known))] if known else []
    shown += [section(line) for line in lines] or [section(texts("why.none"))]
    if near:
        told = [
            texts("why.near_line", link=each.link, labels=_titles(each.labels, taxonomy, texts), people=mentions(each.judges))
            for each in near
        ]
        shown.append(section("\n".join([texts("why.near"), *told])))
    others = [name for name in sorted(by_label, key=lambda name: -by_label[name].score) if name not in wanted[:MOST_LABELS]]
    if others:
        shown.append(_menu(others, taxonomy, texts))
    carried = [by_label[name] for name in wanted[:MOST_LABELS] if name in by_label]
    how = [texts("why.how")] if any(each.words or each.against for each in carried) else []
    how += [texts("why.in_parts")] if explained.in_parts else []
    how += [texts("reply.truncated")] if explained.truncated else []
    told_by = signature(explained.base, explained.version, explained.corrections, texts)
    return _modal([*shown, context(" ".join([*how, told_by]))], texts, metadata)


def _lines(
    name: str,
    carried: Carried | None,
    state: LabelState | None,
    words: Sequence[str],
    taxonomy: Taxonomy,
    texts: Texts,
    *,
    describes: bool,
) -> list[str]:
    title = escape(label_title(name, taxonomy, texts))
    lines = []
    if state is not None and (state.yes or state.no) and state.status != "unjudged":
        for key, people in (("why.said_yes", state.yes), ("why.said_no", state.no)):
            lines += [texts(key, title=title, people=mentions(people))] if people else []
    if carried is None:
        return [*lines, texts("why.unknown" if describes else "why.untaught", title=title)]
    percent = texts.percent(carried.score)
    pro, contra = _phrases(carried.words, words), _phrases(carried.against, words)
    if carried.given:
        lines.append(texts("why.given" if pro else "why.given_whole", title=title, percent=percent, words=pro))
    else:
        told = texts("why.not_given", title=title, percent=percent)
        told += texts("why.for", words=pro) if pro and carried.score >= WORTH_SAYING else ""
        told += texts("why.against", words=contra) if contra else ""
        lines.append(told if told.count("«") else told + texts("why.no_word"))
    return lines


def _phrases(spans: Sequence[Span], words: Sequence[str]) -> str:
    phrases = (_AROUND.sub("", " ".join(words[first:end])) for first, end in spans)
    return ", ".join(f"«{escape(shorten(phrase, PHRASE_LENGTH))}»" for phrase in phrases if phrase)


def _in_names_of_today(explained: Explanation, taxonomy: Taxonomy) -> dict[str, Carried]:
    """Return what carries each label of today; of several that were merged, the likeliest speaks."""
    found: dict[str, Carried] = {}
    for each in explained.labels:
        for name in taxonomy.today([each.label]):
            if name in taxonomy and (name not in found or found[name].score < each.score):
                found[name] = each
    return found


def _titles(labels: Sequence[str], taxonomy: Taxonomy, texts: Texts) -> str:
    return ", ".join(escape(label_title(name, taxonomy, texts)) for name in labels) or texts("reply.no_label")


def _menu(names: Sequence[str], taxonomy: Taxonomy, texts: Texts) -> Block:
    options = [
        {"text": plain_text(shorten(texts.title(taxonomy[name]), OPTION_LENGTH)), "value": name} for name in names[:MOST_OPTIONS]
    ]
    menu = {"type": "static_select", "action_id": MENU, "placeholder": plain_text(texts("why.choose")), "options": options}
    return section(texts("why.another")) | {"block_id": MENU, "accessory": menu}


def _modal(shown: list[Block], texts: Texts, metadata: str) -> dict[str, Any]:
    return {
        "type": "modal",
        "title": plain_text(texts("why.title")),
        "close": plain_text(texts("modal.close")),
        "private_metadata": metadata,
        "blocks": shown,
    }
