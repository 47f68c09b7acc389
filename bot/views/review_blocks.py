"""The review as a screen: one message at a time, what it is about, and what a reviewer can say of it. Pure, as `blocks` is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.views.blocks import CHOICE, NOTE, Block, button, context, escape, plain_text, quote, section, shorten, warn
from bot.views.guide_blocks import GUIDE_BUTTON
from bot.views.label_names import label_option, label_title, menu_of, names
from bot.views.reply_blocks import SURE_FROM, who_said_what
from bot.views.texts import Texts
from model.judgements import MessageState
from model.labels import Taxonomy

OPEN_BUTTON = "review_open"
OPEN_ACTION = "review_open_here"  # the same, on a message
CORRECT_BUTTON = "review_correct"
SKIP_BUTTON = "review_skip"
BACK_BUTTON = "review_back"
SETTLE_YES_BUTTON = "review_settle_yes"
SETTLE_NO_BUTTON = "review_settle_no"
# Labels in dispute that a lead can settle on one card.
MOST_SETTLED = 5
REVIEW_VIEW = "review_view"
# Labels beside which there is a box to tick; the others are in a menu.
LIKELY = 6
LIKELY_FROM = 0.05


@dataclass(frozen=True)
class Progress:
    """How many cards the reviewer has judged today, of how many that are meant for a day (0: none are)."""

    done: int
    goal: int


@dataclass(frozen=True)
class CardShown:
    """What a card shows. `scores` are the network's, {} where there are none, or where they are hidden."""

    text: str
    channel: str
    link: str
    reason: str  # `model.store.reviews.Reason`
    blind: bool
    state: MessageState
    scores: Mapping[str, float]
    notes: Sequence[tuple[str, str]]  # (who, what)
    suspected: Sequence[tuple[str, bool]] = ()  # (label, what people said of it), where that looks wrong
    among: Collection[str] | None = None  # the labels that the channel uses; None: all
    may_settle: bool = False  # the reviewer is a lead, whose word decides a dispute


def card(
    shown: CardShown,
    number: int,
    progress: Progress,
    taxonomy: Taxonomy,
    texts: Texts,
    *,
    metadata: str,
    may_go_back: bool,
    warning: str = "",
) -> dict[str, Any]:
    """Render a card. Its blocks have names of their own, by `number`: Slack keeps what was chosen in a block of the same name."""
    standing = () if shown.blind else shown.state.shown
    likely = [] if shown.blind else _likely(shown, taxonomy)
    place = f"<#{shown.channel}>" + (f" · <{shown.link}|{texts('review.link')}>" if shown.link else "")
    said = [] if shown.blind else who_said_what(shown.state, taxonomy, texts)
    notes = [texts("review.noted", user=f"<@{who}>", note=escape(shorten(what, 300))) for who, what in shown.notes]
    to_settle = shown.state.disputed[:MOST_SETTLED] if shown.may_settle else ()
    settling = [_settling(name, number, taxonomy, texts) for name in to_settle]
    fields = [_boxes(likely, standing, number, taxonomy, texts)] if likely else []
    offered = [label.name for label in taxonomy if shown.among is None or label.name in {*shown.among, *standing}]
    rest = [name for name in offered if name not in likely]
    fields += [_menu(rest, standing, number, taxonomy, texts, is_only=not likely)] if rest else []
    return {
        "type": "modal",
        "callback_id": REVIEW_VIEW,
        "private_metadata": metadata,
        "notify_on_close": True,
        "title": plain_text(texts("review.title")),
        "submit": plain_text(texts("review.save")),
        "close": plain_text(texts("review.close")),
        "blocks": [
            *([warn(warning)] if warning else []),
            context(f"{told(progress, texts)} · {place}"),
            quote(shown.text, 1500),
            context("\n".join([_why(shown, taxonomy, texts), *notes, *said])),
            {"type": "actions", "elements": _buttons(shown, standing, taxonomy, texts, may_go_back=may_go_back)},
            *settling,
            *fields,
            {
                "type": "input",
                "block_id": f"{NOTE}:{number}",
                "optional": True,
                "label": plain_text(texts("modal.note")),
                "element": {"type": "plain_text_input", "action_id": NOTE, "multiline": True, "max_length": 500},
            },
        ],
    }


def nothing_left(progress: Progress, texts: Texts, *, metadata: str, may_go_back: bool) -> dict[str, Any]:
    """Render that there is nothing to judge, and what the reviewer did today."""
    done = texts.counted("review.done_today", progress.done) if progress.done else ""
    blocks = [section("\n".join(line for line in (texts("review.nothing"), done) if line))]
    if may_go_back:
        blocks.append({"type": "actions", "elements": [button(BACK_BUTTON, texts("review.back"))]})
    return {
        "type": "modal",
        "callback_id": REVIEW_VIEW,
        "private_metadata": metadata,
        "title": plain_text(texts("review.title")),
        "close": plain_text(texts("review.close")),
        "blocks": blocks,
    }


def portion(texts: Texts, *, direct: bool) -> tuple[str, list[Block]]:
    """Render the daily reminder, for one person or for a channel, with the button that opens the review."""
    told = texts("portion.own" if direct else "portion.channel")
    return told, [
        section(told),
        {"type": "actions", "elements": [button(OPEN_ACTION, texts("review.open")) | {"style": "primary"}]},
    ]


def only(sentence: str, texts: Texts) -> dict[str, Any]:
    """Render a screen that only says this: one moment, or why there is no card."""
    return {
        "type": "modal",
        "title": plain_text(texts("review.title")),
        "close": plain_text(texts("review.close")),
        "blocks": [section(sentence)],
    }


def told(progress: Progress, texts: Texts) -> str:
    """Return how far the reviewer is today."""
    if progress.goal and progress.done >= progress.goal:
        return texts.counted("review.goal_met", progress.done)
    return texts("review.progress", done=progress.done, goal=progress.goal) if progress.goal else ""


def _why(shown: CardShown, taxonomy: Taxonomy, texts: Texts) -> str:
    """Return why this message is worth a look, in a sentence."""
    if shown.blind:
        return texts("review.why_sample")
    if shown.reason == "dispute" and shown.state.disputed:
        return texts("review.why_dispute", labels=names(shown.state.disputed, taxonomy, texts))
    if shown.reason == "suspect" and shown.suspected:
        said = [
            texts("review.suspect_yes" if says else "review.suspect_no", label=names([name], taxonomy, texts))
            for name, says in shown.suspected
            if name in taxonomy
        ]
        return texts("review.why_suspect", said="; ".join(said))
    doubtful = [name for name in _likely(shown, taxonomy) if 1 - SURE_FROM <= shown.scores.get(name, 0.0) < SURE_FROM]
    if shown.reason == "teaches" and doubtful:
        return texts("review.why_doubt", labels=names(doubtful[:3], taxonomy, texts))
    return texts(f"review.why_{shown.reason}")


def _likely(shown: CardShown, taxonomy: Taxonomy) -> list[str]:
    """Return the labels to tick: those that stand, in dispute or not, then the next likeliest."""
    standing = [name for name in (*shown.state.disputed, *shown.state.shown) if name in taxonomy]
    scores = shown.scores
    others = sorted((name for name in scores if name in taxonomy and scores[name] >= LIKELY_FROM), key=lambda name: -scores[name])
    return list(dict.fromkeys([*standing, *others]))[: max(LIKELY, min(len(standing), 10))]


def _buttons(shown: CardShown, standing: Sequence[str], taxonomy: Taxonomy, texts: Texts, *, may_go_back: bool) -> list[Block]:
    """Return the buttons: what is shown is right, only where something is shown that could be; skip; and undo."""
    buttons = []
    if not (shown.blind or shown.state.disputed) and (shown.scores or shown.state.judges):
        word = "review.correct" if any(name in taxonomy for name in standing) else "review.correct_none"
        buttons.append(button(CORRECT_BUTTON, texts(word)) | {"style": "primary"})
    buttons.append(button(SKIP_BUTTON, texts("review.skip")))
    if may_go_back:
        buttons.append(button(BACK_BUTTON, texts("review.back")))
    buttons.append(button(GUIDE_BUTTON, texts("guide.open")))
    return buttons


def _settling(name: str, number: int, taxonomy: Taxonomy, texts: Texts) -> Block:
    """Render the two buttons by which a lead decides about a label in dispute."""
    title = shorten(label_title(name, taxonomy, texts), 40)
    choices = ((SETTLE_YES_BUTTON, "review.settle_yes"), (SETTLE_NO_BUTTON, "review.settle_no"))
    return {
        "type": "actions",
        "block_id": f"settle:{number}:{name}",
        "elements": [button(action, texts(word, label=title)) | {"value": name} for action, word in choices],
    }


def _boxes(likely: Sequence[str], standing: Sequence[str], number: int, taxonomy: Taxonomy, texts: Texts) -> Block:
    options = [label_option(name, taxonomy, texts) for name in likely]
    element: Block = {"type": "checkboxes", "action_id": CHOICE, "options": options}
    if ticked := [option for option in options if option["value"] in standing]:
        element["initial_options"] = ticked
    return {
        "type": "input",
        "block_id": f"likely:{number}",
        "optional": True,  # no label at all is an answer
        "label": plain_text(texts("review.likely")),
        "element": element,
    }


def _menu(rest: Sequence[str], standing: Sequence[str], number: int, taxonomy: Taxonomy, texts: Texts, *, is_only: bool) -> Block:
    options = [label_option(name, taxonomy, texts) for name in rest]
    element: Block = {
        "type": "multi_static_select",
        "action_id": CHOICE,
        "placeholder": plain_text(texts("modal.choose")),
    }
    element |= menu_of([taxonomy[name] for name in rest], texts, taxonomy)
    if chosen := [option for option in options if option["value"] in standing]:
        element["initial_options"] = chosen
    return {
        "type": "input",
        "block_id": f"{CHOICE}:{number}",
        "optional": True,
        "label": plain_text(texts("modal.labels" if is_only else "review.others")),
        "hint": plain_text(texts("modal.hint")),
        "element": element,
    }
