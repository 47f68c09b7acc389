"""What came in a channel, as a screen and as a post: counts, and the messages that matter first. Pure, as `blocks` is."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from bot.views.blocks import Block, button, context, escape, moment, plain_text, section, snippet
from bot.views.label_blocks import sign
from bot.views.label_names import label_title, names
from bot.views.native import folded
from bot.views.reply_blocks import predicted
from bot.views.texts import Texts
from model.judgements import MessageState
from model.labels import Taxonomy
from model.schema import Prediction
from model.summary import Seen, Summary

OPEN_ACTION = "summary_open"
EDIT_BUTTON = "summary_edit"
SPAN_BUTTON = "summary_span"
# The spans that there is a button for: days before today, and how it is called.
SPANS = ((0, "summary.today"), (6, "summary.week"))
# Slack's sections hold 3,000 characters: of so many labels the counts are told.
MOST_COUNTS = 40
# Of one message, so that twenty lines of long names stay below what Slack takes of a message.
MOST_NAMED = 3


def standing(prediction: Prediction | None, state: MessageState, taxonomy: Taxonomy, texts: Texts) -> str:
    """Return the labels of a message in a row: as people left them, or as they are predicted."""
    if state.judges or prediction is None:
        return f"{names(state.shown[:MOST_NAMED], taxonomy, texts)} ✓" + _left_out(state.shown)
    shown = prediction.model_copy(update={"labels": prediction.labels[:MOST_NAMED]})
    return predicted(shown, taxonomy, texts) + _left_out(prediction.labels)


def _left_out(labels: Sequence[str]) -> str:
    return f" +{len(labels) - MOST_NAMED}" if len(labels) > MOST_NAMED else ""


def modal(
    summary: Summary, taxonomy: Taxonomy, texts: Texts, *, archives: str, days: int, metadata: str
) -> dict[str, Any]:  # fmt: skip
    """Render the screen, in which each line can be corrected; `archives` is where permalinks begin, "" where nobody knows."""
    spans = [button(f"{SPAN_BUTTON}_{each}", texts(key)) | {"value": str(each)} for each, key in SPANS if each != days]
    rows = [section(_head(summary, texts)), {"type": "actions", "elements": spans}]
    for name, lines in summary.first:
        rows.append({"type": "divider"})
        rows.append(section(_count(name, summary.counted.labels[name], taxonomy, texts)))
        rows += [_correctable(each, summary, taxonomy, texts, archives) for each in lines]
        if (more := summary.counted.labels[name] - len(lines)) > 0:
            rows.append(context(texts.counted("summary.more", more)))
    if told := _others(summary, taxonomy, texts):
        rows += [{"type": "divider"}, section(told)]
    if summary.others:
        rows += [{"type": "divider"}, section(texts("summary.newest"))]
        rows += [_correctable(each, summary, taxonomy, texts, archives) for each in summary.others]
    return {
        "type": "modal",
        "private_metadata": metadata,
        "title": plain_text(texts("summary.title")),
        "close": plain_text(texts("summary.close")),
        "blocks": rows,
    }


def post(summary: Summary, taxonomy: Taxonomy, texts: Texts, *, archives: str, every: str) -> tuple[str, list[Block]]:
    """Render the post in the channel, and its text for notifications; `every` is daily or weekly, `archives` as above."""
    title = texts(f"summary.post_{every}")
    rows = [section(f"*{title}*\n{_head(summary, texts)}")]
    for name, lines in summary.first:
        told = [_count(name, summary.counted.labels[name], taxonomy, texts)]
        told += [_line(each, summary, taxonomy, texts, archives) for each in lines]
        rows.append(section("\n".join(told)))
    more = []
    if told_others := _others(summary, taxonomy, texts):
        more.append(section(told_others))
    if summary.others:
        newest = [_line(each, summary, taxonomy, texts, archives) for each in summary.others]
        more.append(section("\n".join([texts("summary.newest"), *newest])))
    # What matters first is open; where nothing does, all the rest is what they want to see.
    rows += [folded(texts("summary.folded"), *more)] if summary.first and more else more
    rows.append({"type": "actions", "elements": [button(OPEN_ACTION, texts("summary.open"))]})
    rows.append(context(texts("summary.post_how")))
    return f"{title}: {texts.counted('summary.messages', summary.counted.messages)}", rows


def only(sentence: str, texts: Texts) -> dict[str, Any]:
    """Render a screen that says one thing: one moment, or why there is nothing to see."""
    return {
        "type": "modal",
        "title": plain_text(texts("summary.title")),
        "close": plain_text(texts("summary.close")),
        "blocks": [section(sentence)],
    }


def _head(summary: Summary, texts: Texts) -> str:
    counted = summary.counted
    where = texts("summary.since", channel=f"<#{summary.channel}>", since=moment(summary.since.astimezone(UTC)))
    if not counted.messages:
        return f"{where}\n{texts('summary.nothing')}"
    told = [texts.counted("summary.messages", counted.messages)]
    if counted.unlabelled:
        told.append(texts("summary.unlabelled", number=counted.unlabelled))
    if counted.judged:
        told.append(texts("summary.judged", number=counted.judged))
        told.append(texts("summary.corrected", number=counted.corrected))
    return f"{where}\n{' · '.join(told)}"


def _count(name: str, count: int, taxonomy: Taxonomy, texts: Texts) -> str:
    return texts("summary.label", sign=sign(taxonomy[name]), title=escape(label_title(name, taxonomy, texts)), number=count)


def _others(summary: Summary, taxonomy: Taxonomy, texts: Texts) -> str:
    first = {name for name, _ in summary.first}
    rest = sorted((name for name in summary.counted.labels if name not in first), key=lambda name: -summary.counted.labels[name])
    told = [_count(name, summary.counted.labels[name], taxonomy, texts) for name in rest[:MOST_COUNTS]]
    if len(rest) > MOST_COUNTS:
        told.append(texts.counted("summary.more_labels", len(rest) - MOST_COUNTS))
    return "   ".join(told)


def _correctable(seen: Seen, summary: Summary, taxonomy: Taxonomy, texts: Texts, archives: str) -> Block:
    accessory = button(EDIT_BUTTON, texts("summary.edit")) | {"value": str(seen.message_id)}
    return section(_line(seen, summary, taxonomy, texts, archives)) | {"accessory": accessory}


def _line(seen: Seen, summary: Summary, taxonomy: Taxonomy, texts: Texts, archives: str) -> str:
    words = snippet(seen.text, 80)
    link = f"<{archives}{summary.channel}/p{seen.ts.replace('.', '')}|{words}>" if archives else words
    return texts("summary.line", link=link, labels=standing(seen.prediction, seen.state, taxonomy, texts))
