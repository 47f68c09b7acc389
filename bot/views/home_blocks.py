"""The Home tab: which version answers and how well, what waits for whoever looks, the team's week. Pure, as `blocks` is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.views import figure_blocks, review_blocks, run_blocks
from bot.views.blocks import Block, button, context, escape, section
from bot.views.label_blocks import sign
from bot.views.texts import Texts
from model.drift import Drift
from model.labels import Taxonomy
from model.proposal import Proposal
from model.schema import Card, Run
from model.summary import Counted

LABELS_BUTTON = "home_labels"
FIGURES_BUTTON = "home_figures"
RETRAIN_BUTTON = "home_retrain"
LABELS_A_SECTION = 7
# Slack's tabs hold 100 blocks; each section of labels has LABELS_A_SECTION.
MOST_LABELS = 420


@dataclass(frozen=True)
class Workplace:
    """What one person finds there. `answers`: who does, or why no version does yet.

    `waiting` messages want a word of theirs; `doubts` are links to what they wrote and were asked about. `counted` is the team's
    week, with so many gestures, of which so many are `mine`. `run` is under way.
    """

    answers: str = ""
    live: int | None = None
    card: Card | None = None
    run: Run | None = None
    is_member: bool = True
    may_train: bool = False
    waiting: int = 0
    doubts: Sequence[str] = ()
    counted: Counted = field(default_factory=Counted)
    gestures: int = 0
    mine: int = 0
    drift: Drift | None = None
    proposal: Proposal | None = None


def home(shown: Workplace, taxonomy: Taxonomy, texts: Texts, bot: str) -> dict[str, Any]:
    """Render the tab."""
    rows: list[Block] = [_header(texts("home.title"))]
    told = [shown.answers] if shown.answers else []
    if shown.card is not None:
        told.append(_scores(shown.card, texts))
    if told:
        rows.append(section("\n".join(told)))
    if shown.run is not None:
        rows.append(section(run_blocks.status(shown.run, texts)[0]))
    rows.append({"type": "actions", "elements": _buttons(shown, texts)})
    if shown.is_member:
        rows.append(section(_waiting(shown, texts)))
    rows.append(section(_week(shown, texts)))
    if drifted := figure_blocks.drift(shown.drift, shown.live, taxonomy, texts):
        rows.append(section(drifted))
    if shown.run is None and (proposed := figure_blocks.proposal(shown.proposal, texts)):
        rows.append(section(proposed))
    rows += [{"type": "divider"}, section(texts("command.help", bot=bot)), {"type": "divider"}, _header(texts("home.labels"))]
    return {"type": "home", "blocks": rows + _labels(taxonomy, texts)}


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


def _scores(card: Card, texts: Texts) -> str:
    scores = card.scores.get("test") or card.scores["dev"]
    if not scores.texts:
        return texts("home.unmeasured")
    right = round(scores.exact_match * scores.texts)
    return texts("home.right", tenths=round(10 * scores.exact_match), right=right, texts=scores.texts)


def _buttons(shown: Workplace, texts: Texts) -> list[Block]:
    made = [button(review_blocks.OPEN_BUTTON, texts("review.open")) | {"style": "primary"}] if shown.is_member else []
    made += [button(LABELS_BUTTON, texts("labels.title")), button(FIGURES_BUTTON, texts("figures.title"))]
    if shown.may_train and shown.run is None:
        made.append(button(RETRAIN_BUTTON, texts("home.retrain")))
    return made


def _waiting(shown: Workplace, texts: Texts) -> str:
    lines = []
    if shown.waiting:
        lines.append(texts.counted("home.waiting", shown.waiting))
    if shown.doubts:
        lines.append(texts.counted("home.doubts", len(shown.doubts), links=" · ".join(shown.doubts)))
    return "\n".join([texts("home.yours"), *lines]) if lines else texts("home.nothing_waits")


def _week(shown: Workplace, texts: Texts) -> str:
    counted = shown.counted
    if not counted.messages:
        return texts("home.week_nothing")
    lines = [
        texts(
            "home.week",
            messages=texts.counted("summary.messages", counted.messages),
            unlabelled=counted.unlabelled,
            judged=counted.judged,
            corrected=counted.corrected,
        )
    ]
    if shown.gestures:
        lines.append(texts.counted("home.share", shown.gestures, mine=shown.mine))
    return "\n".join(lines)


def _labels(taxonomy: Taxonomy, texts: Texts) -> list[Block]:
    told = [
        f"{sign(label)}*{escape(texts.title(label))}*" + (f": {escape(label.description)}" if label.description else "")
        for label in taxonomy
    ]
    at_once = LABELS_A_SECTION
    rows = [section("\n".join(told[at : at + at_once])) for at in range(0, min(len(told), MOST_LABELS), at_once)]
    if len(told) > MOST_LABELS:
        rows.append(context(texts.counted("summary.more_labels", len(told) - MOST_LABELS)))
    return rows
