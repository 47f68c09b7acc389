"""Each label's F1 before and after a retraining, as Slack's own chart and table; in their place a picture is uploaded."""

from collections.abc import Mapping

from bot.views.blocks import Block, shorten
from bot.views.charts import size_of_change
from bot.views.label_names import label_title
from bot.views.native import Native
from bot.views.run_blocks import points
from bot.views.texts import Texts
from model.labels import Taxonomy
from model.schema import LabelChange, Report

# Slack's limits: labels in a chart, characters of each, of the title, and rows of a table beside its header.
MOST_CHARTED, WORD, TITLE, MOST_ROWS = 12, 20, 50, 100
ROWS_A_PAGE = 10


def scores(report: Report, taxonomy: Taxonomy, texts: Texts) -> list[Block]:
    """Build a chart of the labels that change most, in the taxonomy's order, and a table of all of them."""
    per_label = report.comparison.per_label
    if not per_label:
        return []
    title = texts("run.picture_title", version=report.version)
    return [Native(_chart(report, per_label, title, taxonomy, texts)), Native(_table(report, per_label, title, taxonomy, texts))]


def _chart(report: Report, per_label: Mapping[str, LabelChange], title: str, taxonomy: Taxonomy, texts: Texts) -> Block:
    both = {name: change for name, change in per_label.items() if change.before is not None}
    drawn = both or per_label  # of the first version there is no before
    most = set(sorted(drawn, key=lambda name: -size_of_change(drawn[name]))[:MOST_CHARTED])
    charted = [name for name in drawn if name in most]
    words = short_words([label_title(name, taxonomy, texts) for name in charted])
    after = {
        "name": texts("run.picture_before", version=report.version),
        "data": _points(words, [drawn[n].after for n in charted]),
    }
    series = [after]
    if both:
        before = [change.before for change in (drawn[name] for name in charted) if change.before is not None]
        series.insert(0, {"name": texts("run.picture_before", version=report.live), "data": _points(words, before)})
    axis = {"categories": words, "y_label": "F1 %"}
    return {
        "type": "data_visualization",
        "title": shorten(title, TITLE),
        "chart": {"type": "bar", "series": series, "axis_config": axis},
    }


def _table(report: Report, per_label: Mapping[str, LabelChange], title: str, taxonomy: Taxonomy, texts: Texts) -> Block:
    names = [texts("run.table_label"), texts("run.table_texts")]
    names += [] if report.live is None else [texts("run.picture_before", version=report.live)]
    rows = [[_text(name) for name in (*names, texts("run.picture_before", version=report.version))]]
    for name, change in list(per_label.items())[:MOST_ROWS]:
        row = [_text(label_title(name, taxonomy, texts)), _number(change.support, str(change.support))]
        if report.live is not None:
            row.append(_text("–") if change.before is None else _number(100 * change.before, points(change.before)))
        rows.append([*row, _number(100 * change.after, points(change.after))])
    return {"type": "data_table", "caption": title, "rows": rows, "page_size": ROWS_A_PAGE}


def short_words(titles: list[str]) -> list[str]:
    """Return titles as short as a chart takes them, each once."""
    found: list[str] = []
    for title in titles:
        word = shorten(title, WORD)
        found.append(word if word not in found else f"{shorten(title, WORD - 3)} {len(found) % 100}"[:WORD])
    return found


def _points(words: list[str], shares: list[float]) -> list[Block]:
    return [{"label": word, "value": round(100 * share, 1)} for word, share in zip(words, shares, strict=True)]


def _text(words: str) -> Block:
    return {"type": "raw_text", "text": words}


def _number(value: float, words: str) -> Block:
    return {"type": "raw_number", "value": round(value, 1), "text": words}
