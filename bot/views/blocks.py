"""Our types to Block Kit. Pure: the same input gives the same message, and nothing here asks Slack or the store.

Here are the pieces and what shows labels; what shows a training run is in `run_blocks`.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.views.native import Native, rich_text
from bot.views.texts import Texts
from model.judgements import LabelState, MessageState
from model.labels import Label, Taxonomy
from model.schema import Prediction

Block = dict[str, Any]


class Thumb(StrEnum):
    """What a thumb under a reply says of its labels."""

    UP = "correct"
    DOWN = "wrong"


CORRECT_ACTION = "labels_correct"
FEEDBACK_ACTION = "labels_feedback"
# One for each label that is offered to be taken away, numbered.
NOT_ACTION = "labels_not_"
EDIT_ACTION = "labels_edit"
WHY_ACTION = "labels_why"
GUIDE_BUTTON = "guide_open"
SCREEN_BUTTON = "screen_open"
STOP_BACKFILL_ACTION = "backfill_stop"
EDIT_VIEW = "labels_view"
FORGET_VIEW = "forget_view"
CHOICE = "labels"
NOTE = "note"
# Of a message that somebody asks to have erased.
QUOTED = 300
# Slack shows so many options, of a menu that comes whole and of an answer to what somebody typed.
MOST_OPTIONS = 100
# Slack takes so many characters of an option, and of its description.
OPTION_LENGTH = 75
# From this calibrated probability on a label is taken for sure. Of those that e5's first version (seed 0, as it serves) gives the
# 285 shipped test texts, 277 of 293 are right from here on, and 63 of 91 below: those are shown as a question
# (docs/benchmarks.md, 2026-11-30; mini: 231 of 246, and 89 of 122 below).
SURE_FROM = 0.8
# A reply with more labels than these has no button for each of them: two lines of buttons under one of labels are too many.
MOST_TAPS = 3
# Nothing less likely is called the likeliest: on the same messages such a guess was right for 4 of 25, from here on for 8 of 19.
GUESS_FROM = 0.2

_MARKUP = re.compile(r"<(?P<kind>[@#!]?)(?P<what>[^<>|]*)(?:\|(?P<name>[^<>]*))?>")
_EMOJI = re.compile(r"(?<!\d):[\w+'-]{1,80}:(?::skin-tone-\d:)?")
_NO_BREAK = "\N{NO-BREAK SPACE}"


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


def reply(
    prediction: Prediction,
    state: MessageState,
    taxonomy: Taxonomy,
    texts: Texts,
    *,
    stale: int = 0,
    buttons: bool = True,
    older: bool = False,
    known: str = "",
) -> tuple[str, list[Block]]:
    """Render the reply in the thread and its text for notifications: the labels, strongest first, and who said what.

    Labels in dispute come first. What the network alone says and is not sure of is small, grey, and a question. Where no
    label stands, the best guess is there as a guess, or that people said so. `stale` gestures were about an earlier text.
    `older`: the version that answered was trained before the labels became what they are. `known`: whose word it repeats.
    """
    body, unsure, summary = _standing(prediction, state, taxonomy, texts)
    shown = [section(body)] if body else []
    if unsure:
        shown.append(context(unsure))
    lines = who_said_what(state, taxonomy, texts)
    if known and not state.judges:
        lines.append(known)
    if stale and not state.judges:
        lines.append(texts("reply.stale"))
    if prediction.truncated:
        lines.append(texts("reply.truncated"))
    if lines:
        shown.append(context("\n".join(lines)))
    if buttons:
        shown += _buttons(_doubtable(prediction, state), taxonomy, texts)
    signed = signature(prediction.base, prediction.version, prediction.corrections, texts)
    if prediction.learning and set(prediction.learning) == set(prediction.scores):
        signed += f" · {texts('reply.from_descriptions')}"
    if older:
        signed += f" · {texts('reply.older')}"
    shown.append(context(f"{signed} · {texts('reply.how')}" if buttons else signed))
    return summary, shown


def _buttons(doubtable: Sequence[str], taxonomy: Taxonomy, texts: Texts) -> list[Block]:
    """Build what people answer a reply with: two thumbs, and a button for each label; in the classic form three buttons."""
    why = button(WHY_ACTION, texts("reply.why"))
    classic = [button(CORRECT_ACTION, texts("reply.correct")), button(EDIT_ACTION, texts("reply.edit")), why]
    taps = [
        button(f"{NOT_ACTION}{n}", texts("reply.not", title=title))
        | {"value": name, "accessibility_label": shorten(texts("reply.not_spoken", title=title), OPTION_LENGTH)}
        for n, name, title in ((n, name, shorten(label_title(name, taxonomy, texts), 60)) for n, name in enumerate(doubtable))
    ]
    thumbs = {
        "type": "feedback_buttons",
        "action_id": FEEDBACK_ACTION,
        "positive_button": _thumb(texts("reply.thumb_up"), Thumb.UP),
        "negative_button": _thumb(texts("reply.thumb_down"), Thumb.DOWN),
    }
    return [
        Native({"type": "context_actions", "elements": [thumbs]}, {"type": "actions", "elements": classic}),
        Native({"type": "actions", "elements": [*taps, why]}),
    ]


def _thumb(text: str, value: Thumb) -> Block:
    return {"text": plain_text(text), "value": value.value, "accessibility_label": text}


def _doubtable(prediction: Prediction, state: MessageState) -> list[str]:
    """Return the labels that stand by the network's word alone, the likeliest first; none where there are too many of them."""
    found = [name for name in state.shown if state.labels[name].status == "predicted"]
    return sorted(found, key=lambda name: -prediction.scores.get(name, 0.0)) if len(found) <= MOST_TAPS else []


def signature(base: str, version: int, corrections: int, texts: Texts) -> str:
    """Return who answered: the network, its version, and how many corrections it has learnt since."""
    answered = {"base": escape(base_name(base)), "version": version}
    if corrections:
        return texts.counted("reply.signature_corrected", corrections, **answered)
    return texts("reply.signature", **answered)


def blind(texts: Texts) -> tuple[str, list[Block]]:
    """Render the reply to a message whose labels are hidden until somebody said their own."""
    shown = [
        section(texts("reply.blind")),
        {"type": "actions", "elements": [button(EDIT_ACTION, texts("reply.edit"))]},
        context(texts("reply.blind_how")),
    ]
    return texts("reply.blind"), shown


def muted(people: tuple[str, ...], texts: Texts) -> tuple[str, list[Block]]:
    """Render what is left of a reply that somebody muted."""
    return texts("reply.muted"), [context(texts("reply.muted_by", people=mentions(people)))]


def digest(lines: list[str], texts: Texts) -> tuple[str, list[Block]]:
    """Render one post that answers many messages, a line each, and its text for notifications."""
    title = texts.counted("digest.title", len(lines))
    # Eight lines of a link and some labels stay below the 3,000 characters of a section.
    parts = [section("\n".join(lines[at : at + 8])) for at in range(0, len(lines), 8)]
    return title, [section(title), *parts, context(texts("digest.how"))]


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


def base_name(base: str) -> str:
    """Return how the network that answered is called: `mini` is never called BETO."""
    if base == "mini":
        return "mini"
    return "BETO" if "bert-base-spanish-wwm" in base else base.rstrip("/").rsplit("/", 1)[-1]


def label_title(name: str, taxonomy: Taxonomy, texts: Texts) -> str:
    """Return a label's title; one that was retired since keeps its bare name."""
    return texts.title(taxonomy[name]) if name in taxonomy else name


def names(labels: tuple[str, ...] | list[str], taxonomy: Taxonomy, texts: Texts) -> str:
    """Return the labels' titles in a row; a dash for none."""
    return ", ".join(escape(label_title(name, taxonomy, texts)) for name in labels) or texts("reply.no_label")


def predicted(prediction: Prediction, taxonomy: Taxonomy, texts: Texts) -> str:
    """Return the titles of the labels that a prediction gives, in a row, those that it is not sure of as questions."""
    told = [
        escape(title if prediction.scores[name] >= SURE_FROM else texts("reply.unsure", title=title))
        + (f" {texts('reply.learning')}" if name in prediction.learning else "")
        for name, title in ((name, label_title(name, taxonomy, texts)) for name in prediction.labels)
    ]
    return ", ".join(told) or texts("reply.no_label")


def dispute(label: str, state: LabelState, taxonomy: Taxonomy, texts: Texts) -> str:
    """Render the question to those who differ about a label."""
    return texts(
        "reply.ask",
        sign=_sign(label, taxonomy),
        title=escape(label_title(label, taxonomy, texts)),
        yes=mentions(state.yes),
        no=mentions(state.no),
    )


def settled(label: str, state: LabelState | None, taxonomy: Taxonomy, texts: Texts) -> str:
    """Render what became of the question, once nobody differs any more: who decided it, or why nobody needs to."""
    named = {"sign": _sign(label, taxonomy), "title": escape(label_title(label, taxonomy, texts))}
    if state is None or state.applies is None:  # retired, taken back, or said of an earlier text
        return texts("reply.settled_open", **named)
    key = "reply.settled_yes" if state.applies else "reply.settled_no"
    if state.settled_by:
        return texts(key, people=mentions((state.settled_by,)) + texts("reply.settled_by_lead"), **named)
    won, lost = (state.yes, state.no) if state.applies else (state.no, state.yes)
    people = mentions(won) + (texts("reply.settled_by_experts") if len(won) <= len(lost) else "")
    return texts(key, people=people, **named)


def loading(texts: Texts) -> dict[str, Any]:
    """Render the modal while the store is asked: Slack lets a trigger open something for three seconds only."""
    return {
        "type": "modal",
        "callback_id": EDIT_VIEW,
        "title": plain_text(texts("modal.title")),
        "close": plain_text(texts("modal.close")),
        "blocks": [section(texts("modal.loading"))],
    }


def labels_modal(
    text: str,
    chosen: tuple[str, ...],
    state: MessageState | None,
    taxonomy: Taxonomy,
    texts: Texts,
    *,
    metadata: str,
    warning: str = "",
    among: Collection[str] | None = None,
) -> dict[str, Any]:
    """Render the modal with every label to choose from that is `among` the channel's or chosen, described, and a note.

    From `MOST_OPTIONS` labels on, the menu asks for those that match what is typed (see `label_options`).
    """
    choice: Block = {
        "type": "multi_static_select",
        "action_id": CHOICE,
        "placeholder": plain_text(texts("modal.choose")),
        "focus_on_load": True,
    }
    offered = [label for label in taxonomy if among is None or label.name in among or label.name in chosen]
    options = [label_option(label.name, taxonomy, texts) for label in offered]
    choice |= menu_of(offered, texts, taxonomy)
    if initial := [option for option in options if option["value"] in chosen]:
        choice["initial_options"] = initial
    said = who_said_what(state, taxonomy, texts) if state is not None else []
    if not taxonomy.labels:
        return sorry(texts("labels.none_yet"), texts)
    return {
        "type": "modal",
        "callback_id": EDIT_VIEW,
        "private_metadata": metadata,
        "title": plain_text(texts("modal.title")),
        "submit": plain_text(texts("modal.submit")),
        "close": plain_text(texts("modal.close")),
        "blocks": [
            *([warn(warning)] if warning else []),
            quote(text, 600),
            *([context("\n".join(said))] if said else []),
            {"type": "actions", "elements": [button(GUIDE_BUTTON, texts("guide.open"))]},
            {
                "type": "input",
                "block_id": CHOICE,
                "optional": True,  # no label at all is an answer
                "label": plain_text(texts("modal.labels")),
                "hint": plain_text(texts("modal.hint")),
                "element": choice,
            },
            {
                "type": "input",
                "block_id": NOTE,
                "optional": True,
                "label": plain_text(texts("modal.note")),
                "element": {"type": "plain_text_input", "action_id": NOTE, "multiline": True, "max_length": 500},
            },
        ],
    }


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


def sorry(text: str, texts: Texts) -> dict[str, Any]:
    """Render a modal that only says why there is nothing to choose."""
    return {
        "type": "modal",
        "title": plain_text(texts("modal.title")),
        "close": plain_text(texts("modal.close")),
        "blocks": [section(text)],
    }


def _standing(prediction: Prediction, state: MessageState, taxonomy: Taxonomy, texts: Texts) -> tuple[str, str, str]:
    """Return what stands: mrkdwn of what is sure or in dispute, mrkdwn of what is unsure, and all of it as plain text."""
    unknown_here = [name for name in prediction.labels if name not in state.labels]  # of a set that is no more
    standing = sorted([*state.shown, *unknown_here], key=lambda name: -prediction.scores.get(name, 0.0))
    if not standing and not state.disputed:
        told = _nothing(prediction, state, taxonomy, texts)
        return told, "", texts("reply.judged_none" if state.judges else "reply.none_short")
    sure: list[str] = []
    unsure: list[str] = []
    plain: list[str] = []
    for name in standing:
        title = label_title(name, taxonomy, texts)
        status = state.labels[name].status if name in state.labels else "predicted"
        # What people said needs no probability any more.
        mark = {"predicted": texts.percent(prediction.scores.get(name, 0.0)), "added": "+"}.get(status, "✓")
        if status == "predicted" and name in prediction.learning:
            mark += f" {texts('reply.learning')}"
        is_sure = status != "predicted" or prediction.scores[name] >= SURE_FROM
        key = "reply.label" if is_sure else "reply.label_unsure"
        (sure if is_sure else unsure).append(texts(key, sign=_sign(name, taxonomy), title=escape(title), mark=mark))
        plain.append(f"{title if is_sure else texts('reply.unsure', title=title)} {mark}")
    body = ["   ".join(sure)] if sure else []
    if state.disputed:
        signed = [_sign(name, taxonomy) + escape(label_title(name, taxonomy, texts)) for name in state.disputed]
        body.insert(0, texts("reply.in_dispute", labels=", ".join(signed)))
        titles = ", ".join(label_title(name, taxonomy, texts) for name in state.disputed)
        plain.insert(0, texts("reply.in_dispute_plain", labels=titles))
    return "\n".join(body), "   ".join(unsure), " · ".join(plain)


def _nothing(prediction: Prediction, state: MessageState, taxonomy: Taxonomy, texts: Texts) -> str:
    """Return that no label stands; and where nobody has said so, which is the likeliest, if any is at all likely."""
    if not taxonomy.labels:
        return texts("labels.none_yet")
    if state.judges:
        return texts("reply.judged_none")
    best = max(prediction.scores, key=lambda name: prediction.scores[name], default="")
    if not best or prediction.scores[best] < GUESS_FROM:
        return texts("reply.none_short")
    guess = {"sign": _sign(best, taxonomy), "title": escape(label_title(best, taxonomy, texts))}
    return texts("reply.none", percent=texts.percent(prediction.scores[best]), **guess)


def who_said_what(state: MessageState, taxonomy: Taxonomy, texts: Texts) -> list[str]:
    """Return a line for each judgement that the same people share, and one for each dispute."""
    together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    lines = []
    for name, label in state.labels.items():
        if label.status in {"confirmed", "added"}:
            together.setdefault((label.status, label.yes), []).append(name)
        elif label.status == "rejected" and label.yes + label.no and _worth_saying(state, name):
            together.setdefault((label.status, label.no), []).append(name)
        elif label.status == "disputed":
            title = escape(label_title(name, taxonomy, texts))
            lines.append(texts("reply.disputed", title=title, yes=mentions(label.yes), no=mentions(label.no)))
    said = [
        texts(f"reply.{status}", labels=names(labels, taxonomy, texts), people=mentions(people))
        for (status, people), labels in together.items()
    ]
    return said + lines


def _worth_saying(state: MessageState, name: str) -> bool:
    """Return whether a rejected label was ever shown: "correct" also says no to all that nobody thought of."""
    return name in state.predicted or bool(state.labels[name].yes)


def label_option(name: str, taxonomy: Taxonomy, texts: Texts) -> Block:
    """Build the label as an entry of a menu, or a box to tick, with its description."""
    label = taxonomy[name]
    text = f"{_sign(name, taxonomy)}{texts.title(label)}"
    option: Block = {"text": plain_text(shorten(text, OPTION_LENGTH)), "value": name}
    if label.description:  # Slack refuses an empty one, and the whole modal with it
        option["description"] = plain_text(shorten(label.description, OPTION_LENGTH))
    return option


def _sign(name: str, taxonomy: Taxonomy) -> str:
    """Return the label's emoji, to stand on one line with its title; nothing for a label that has none, or that was retired."""
    return f":{taxonomy[name].emoji}:{_NO_BREAK}" if name in taxonomy and taxonomy[name].emoji else ""


def _fold(text: str) -> str:
    """Return `text` without case and accents."""
    return "".join(each for each in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(each))
