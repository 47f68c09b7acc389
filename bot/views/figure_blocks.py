"""Numbers about labels, corrections and versions, each with what it is of. Pure, as `blocks` is."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.views.blocks import Block, button, context, escape, plain_text, section, shorten
from bot.views.label_names import label_title
from bot.views.native import Native
from bot.views.run_blocks import points
from bot.views.score_blocks import MOST_ROWS, TITLE, short_words
from bot.views.texts import Texts
from model.drift import UNLABELLED, UNSURE, Drift
from model.labels import Taxonomy
from model.proposal import Proposal
from model.schema import Scores
from model.summary import Counted

# Slack's sections hold 3,000 characters; a row of a label is some 60 of them.
MOST_LABELS = 30
SEND_BUTTON = "figures_send"
# Slack's charts have so many lines at most.
MOST_SERIES = 6
BARS = "▁▂▃▄▅▆▇█"
# A gain of less than half a point is not worth a training.
LEAST_GAIN = 0.005


@dataclass(frozen=True)
class Learned:
    """A version: the judgements that there were, its micro-F1 with its interval, on so many test texts, and what it gained."""

    version: int
    judgements: int
    micro: float
    low: float
    high: float
    texts: int
    gain: float | None


@dataclass(frozen=True)
class Figures:
    """What there is to tell. `weeks` are by their first day, the oldest first; `scores` and `drift` of the live version."""

    weeks: Sequence[tuple[datetime, Counted]]
    learned: Sequence[Learned]
    live: int | None
    scores: Scores | None
    waits_s: Sequence[float]
    drift: Drift | None


def figures(shown: Figures, taxonomy: Taxonomy, texts: Texts, *, sent: bool = False) -> dict[str, Any]:
    """Render all of it as a screen; `sent`: as charts it is in a direct message."""
    rows: list[Block] = [section(_weeks(shown.weeks, texts))]
    if labels := _labels(shown.weeks, taxonomy, texts):
        rows += [{"type": "divider"}, section(labels), context(texts("figures.labels_how"))]
        send = {"type": "actions", "elements": [button(SEND_BUTTON, texts("figures.send"))]}
        rows.append(context(texts("figures.sent")) if sent else send)
    rows += [{"type": "divider"}, section(_curve(shown.learned, texts))]
    told = [*_calibration(shown, texts), *_waits(shown.waits_s, texts)]
    if told:
        rows += [{"type": "divider"}, section("\n".join(told))]
    if drifted := drift(shown.drift, shown.live, taxonomy, texts):
        rows += [{"type": "divider"}, section(drifted)]
    return {
        "type": "modal",
        "title": plain_text(texts("figures.title")),
        "close": plain_text(texts("figures.close")),
        "blocks": rows,
    }


def charts(shown: Figures, taxonomy: Taxonomy, texts: Texts) -> tuple[str, list[Block]]:
    """Render what changes from week to week as a message of charts and a table, and its text for notifications."""
    weeks = [f"{first:%m-%d}" for first, _ in shown.weeks]
    by_label = _by_label(shown.weeks, taxonomy)
    most = short_words([label_title(name, taxonomy, texts) for name in list(by_label)[:MOST_SERIES]])
    labels = [(word, [float(each) for each in counts]) for word, counts in zip(most, by_label.values(), strict=False)]
    quality = [
        (texts("figures.unlabelled_share"), [_percent(each.unlabelled, each.messages) for _, each in shown.weeks]),
        (texts("figures.corrected_share"), [_percent(each.corrected, each.judged) for _, each in shown.weeks]),
    ]
    rows = [[_cell(texts("run.table_label")), *(_cell(week) for week in weeks)]]
    rows += [
        [
            _cell(label_title(name, taxonomy, texts)),
            *({"type": "raw_number", "value": each, "text": str(each)} for each in counts),
        ]
        for name, counts in list(by_label.items())[:MOST_ROWS]
    ]
    title = texts("figures.title")
    told = _labels(shown.weeks, taxonomy, texts)
    shown_blocks = [section(f"*{title}*")]
    if by_label:
        table = {"type": "data_table", "caption": texts("figures.chart_labels"), "rows": rows, "page_size": 10}
        shown_blocks.append(Native(_chart("line", texts("figures.chart_labels"), weeks, labels), section(told)))
        shown_blocks.append(Native(table))
    chart = _chart("line", texts("figures.chart_quality"), weeks, quality, y_label="%")
    return title, [*shown_blocks, Native(chart, section(_weeks(shown.weeks, texts)))]


def _chart(kind: str, title: str, weeks: list[str], series: list[tuple[str, list[float]]], **axis: str) -> Block:
    drawn = [
        {"name": name, "data": [{"label": week, "value": value} for week, value in zip(weeks, values, strict=True)]}
        for name, values in series
    ]
    chart = {"type": kind, "series": drawn, "axis_config": {"categories": weeks, **axis}}
    return {"type": "data_visualization", "title": shorten(title, TITLE), "chart": chart}


def _cell(text: str) -> Block:
    return {"type": "raw_text", "text": text}


def _number(count: int) -> Block:
    return {"type": "raw_number", "value": count, "text": str(count)}


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def drift(found: Drift | None, version: int | None, taxonomy: Taxonomy, texts: Texts) -> str:
    """Return what came to be otherwise than when the version was tested; nothing where nothing is, or nobody can tell."""
    if found is None or not found.shifts:
        return ""
    lines = [texts("drift.title", version=version, messages=found.messages, texts=found.texts)]
    for shift in found.shifts[:5]:
        key = {UNLABELLED: "drift.unlabelled", UNSURE: "drift.unsure"}.get(shift.what, "drift.label")
        title = escape(label_title(shift.what, taxonomy, texts))
        lines.append(texts(key, title=title, was=texts.percent(shift.was), now=texts.percent(shift.is_now)))
    return "\n".join([*lines, texts("drift.why")])


def proposal(found: Proposal | None, texts: Texts) -> str:
    """Return that a retraining is worth it, and what it is likely to bring; nothing where it is not."""
    if found is None or (found.gain is not None and found.gain < LEAST_GAIN):
        return ""
    told = texts("figures.propose", number=found.judgements)
    if found.gain is None:
        return f"{told} {texts('figures.propose_unknown')}"
    likely = texts.counted("figures.propose_gain", found.of, gain=points(found.gain))
    return f"{told} {likely}"


def _weeks(weeks: Sequence[tuple[datetime, Counted]], texts: Texts) -> str:
    """Return a line for each week in which anything came: how many of how many."""
    lines = [texts("figures.weeks")]
    for first, counted in weeks:
        if not counted.messages:
            continue
        told = [texts.counted("summary.messages", counted.messages)]
        told.append(texts("figures.share", what=texts("figures.unlabelled"), number=counted.unlabelled, of=counted.messages,
                          percent=_share(counted.unlabelled, counted.messages, texts)))  # fmt: skip
        if counted.judged:
            told.append(texts("figures.corrected", number=counted.corrected, of=counted.judged,
                              percent=_share(counted.corrected, counted.judged, texts)))  # fmt: skip
        lines.append(texts("figures.week", day=f"{first:%Y-%m-%d}", told=" · ".join(told)))
    return "\n".join(lines) if len(lines) > 1 else f"{lines[0]}\n{texts('figures.nothing')}"


def _labels(weeks: Sequence[tuple[datetime, Counted]], taxonomy: Taxonomy, texts: Texts) -> str:
    """Return a line for each label with its count in each week, drawn and in numbers, the most frequent first."""
    by_label = _by_label(weeks, taxonomy)
    known = list(by_label)
    lines = []
    for name in known[:MOST_LABELS]:
        counts = by_label[name]
        numbers = " ".join(str(each) for each in counts[-4:])
        lines.append(texts("figures.label", title=escape(label_title(name, taxonomy, texts)), bars=bars(counts), numbers=numbers))
    if len(known) > MOST_LABELS:
        lines.append(texts.counted("summary.more_labels", len(known) - MOST_LABELS))
    return "\n".join(lines)


def _by_label(weeks: Sequence[tuple[datetime, Counted]], taxonomy: Taxonomy) -> dict[str, list[int]]:
    """Return each label's counts, week by week, of those that any message carried, the most frequent first."""
    counts = {label.name: [counted.labels.get(label.name, 0) for _, counted in weeks] for label in taxonomy}
    known = sorted((name for name, each in counts.items() if any(each)), key=lambda name: -sum(counts[name]))
    return {name: counts[name] for name in known}


def bars(counts: Sequence[int]) -> str:
    """Draw numbers beside each other, the largest as high as it gets, none as a dot."""
    most = max(counts, default=0)
    return "".join(BARS[round((len(BARS) - 1) * each / most)] if each else "·" for each in counts)


def _curve(learned: Sequence[Learned], texts: Texts) -> str:
    lines = [texts("figures.curve")]
    for each in learned:
        values: Mapping[str, object] = {
            "version": each.version, "micro": points(each.micro), "low": points(each.low), "high": points(each.high),
            "texts": each.texts,
        }  # fmt: skip
        line = texts.counted("figures.version", each.judgements, **values)
        lines.append(line if each.gain is None else f"{line}{texts('figures.gain', gain=f'{100 * each.gain:+.1f}')}")
    return "\n".join(lines) if learned else f"{lines[0]}\n{texts('figures.no_version')}"


def _calibration(shown: Figures, texts: Texts) -> list[str]:
    scores = shown.scores
    if scores is None or scores.ece is None or not scores.texts:
        return []
    return [texts("figures.calibration", version=shown.live, error=points(scores.ece), texts=scores.texts)]


def _waits(waits_s: Sequence[float], texts: Texts) -> list[str]:
    if not waits_s:
        return []
    ordered = sorted(waits_s)
    slow = ordered[min(len(ordered) - 1, 95 * len(ordered) // 100)]
    median = statistics.median(ordered)
    return [texts.counted("figures.waits", len(ordered), median=f"{median:.1f}", slow=f"{slow:.1f}")]


def _share(part: int, whole: int, texts: Texts) -> str:
    """Return the share in per cent; all and none are said as such."""
    if part in {0, whole}:
        return f"{100 if part else 0}{texts.percent(0.5)[2:]}"
    return texts.percent(part / whole)
