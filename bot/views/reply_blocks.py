"""The reply as it stands in the thread, in a digest, and as a question to those who differ. Pure, as `blocks` is."""

from collections.abc import Sequence
from enum import StrEnum

from bot.views.blocks import OPTION_LENGTH, Block, button, context, escape, mentions, plain_text, section, shorten
from bot.views.label_names import label_title, names, sign
from bot.views.native import Native
from bot.views.texts import Texts
from model.judgements import LabelState, MessageState
from model.labels import Taxonomy
from model.schema import Prediction


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
# From this calibrated probability on a label is taken for sure. Of those that e5's first version (seed 0, as it serves) gives the
# 285 shipped test texts, 277 of 293 are right from here on, and 63 of 91 below: those are shown as a question
# (docs/benchmarks.md, 2026-11-30; mini: 231 of 246, and 89 of 122 below).
SURE_FROM = 0.8
# A reply with more labels than these has no button for each of them: two lines of buttons under one of labels are too many.
MOST_TAPS = 3
# Nothing less likely is called the likeliest: on the same messages such a guess was right for 4 of 25, from here on for 8 of 19.
GUESS_FROM = 0.2


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


def dispute(label: str, state: LabelState, taxonomy: Taxonomy, texts: Texts) -> str:
    """Render the question to those who differ about a label."""
    return texts(
        "reply.ask",
        sign=sign(label, taxonomy),
        title=escape(label_title(label, taxonomy, texts)),
        yes=mentions(state.yes),
        no=mentions(state.no),
    )


def settled(label: str, state: LabelState | None, taxonomy: Taxonomy, texts: Texts) -> str:
    """Render what became of the question, once nobody differs any more: who decided it, or why nobody needs to."""
    named = {"sign": sign(label, taxonomy), "title": escape(label_title(label, taxonomy, texts))}
    if state is None or state.applies is None:  # retired, taken back, or said of an earlier text
        return texts("reply.settled_open", **named)
    key = "reply.settled_yes" if state.applies else "reply.settled_no"
    if state.settled_by:
        return texts(key, people=mentions((state.settled_by,)) + texts("reply.settled_by_lead"), **named)
    won, lost = (state.yes, state.no) if state.applies else (state.no, state.yes)
    people = mentions(won) + (texts("reply.settled_by_experts") if len(won) <= len(lost) else "")
    return texts(key, people=people, **named)


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


def predicted(prediction: Prediction, taxonomy: Taxonomy, texts: Texts) -> str:
    """Return the titles of the labels that a prediction gives, in a row, those that it is not sure of as questions."""
    told = [
        escape(title if prediction.scores[name] >= SURE_FROM else texts("reply.unsure", title=title))
        + (f" {texts('reply.learning')}" if name in prediction.learning else "")
        for name, title in ((name, label_title(name, taxonomy, texts)) for name in prediction.labels)
    ]
    return ", ".join(told) or texts("reply.no_label")


def signature(base: str, version: int, corrections: int, texts: Texts) -> str:
    """Return who answered: the network, its version, and how many corrections it has learnt since."""
    answered = {"base": escape(base_name(base)), "version": version}
    if corrections:
        return texts.counted("reply.signature_corrected", corrections, **answered)
    return texts("reply.signature", **answered)


def base_name(base: str) -> str:
    """Return how the network that answered is called: `mini` is never called BETO."""
    if base == "mini":
        return "mini"
    return "BETO" if "bert-base-spanish-wwm" in base else base.rstrip("/").rsplit("/", 1)[-1]


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
        (sure if is_sure else unsure).append(texts(key, sign=sign(name, taxonomy), title=escape(title), mark=mark))
        plain.append(f"{title if is_sure else texts('reply.unsure', title=title)} {mark}")
    body = ["   ".join(sure)] if sure else []
    if state.disputed:
        signed = [sign(name, taxonomy) + escape(label_title(name, taxonomy, texts)) for name in state.disputed]
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
    guess = {"sign": sign(best, taxonomy), "title": escape(label_title(best, taxonomy, texts))}
    return texts("reply.none", percent=texts.percent(prediction.scores[best]), **guess)


def _worth_saying(state: MessageState, name: str) -> bool:
    """Return whether a rejected label was ever shown: "correct" also says no to all that nobody thought of."""
    return name in state.predicted or bool(state.labels[name].yes)
