"""The picture of a retraining's report: each label's F1 before and after, with how many test messages carry it."""

import io
from functools import cache
from importlib import resources
from typing import Any

from bot.views.label_names import label_title
from bot.views.texts import Texts
from model.labels import Taxonomy
from model.schema import LabelChange, Report

# Okabe and Ito's orange and blue, which colour-blind people tell apart; the shapes differ too. On white, since Slack
# shows pictures as they are in both of its themes.
BEFORE, AFTER, INK, GREY, LIGHT = "#e69f00", "#0072b2", "#1d1c1d", "#5f6368", "#dadce0"
# Beyond, the picture is taller than anybody scrolls; the details name all labels.
MOST_LABELS = 40
# All in pixels.
WIDTH, MARGIN, ROW, HEAD, FOOT = 1080, 30, 51, 140, 90
# The labels' names take so much at most.
_NAMES = 460
_TITLE, _WORDS, _SMALL, _MARK = 30, 26, 23, 9
# Drawn larger and made smaller, since Pillow's shapes have ragged edges.
_SCALE = 2


def draw(report: Report, taxonomy: Taxonomy, texts: Texts) -> bytes:
    """Draw a PNG, 1,080 pixels wide, labels in the taxonomy's order from top to bottom; of many, those that change most."""
    from PIL import Image, ImageDraw  # not before the first report

    per_label = report.comparison.per_label
    by_size = sorted(per_label, key=lambda label: -size_of_change(per_label[label]))
    drawn_labels = set(by_size[:MOST_LABELS])
    changes = [(label, change) for label, change in per_label.items() if label in drawn_labels]
    title = texts("run.picture_title", version=report.version)
    if len(changes) < len(per_label):
        title += texts("run.picture_some", shown=len(changes), total=len(per_label))

    height = HEAD + ROW * len(changes) + FOOT
    image = Image.new("RGB", (WIDTH * _SCALE, height * _SCALE), "white")
    pen = _Pen(ImageDraw.Draw(image))
    names = [pen.shortened(label_title(label, taxonomy, texts), f"  ({change.support})") for label, change in changes]
    left = MARGIN + max((pen.width(name, _WORDS) for name in names), default=0) + 2 * MARGIN
    right = WIDTH - 2 * MARGIN

    def at(score: float) -> float:
        return left + score * (right - left)

    pen.words(MARGIN, 30, title, _TITLE, bold=True)
    bottom = HEAD + ROW * len(changes)
    for fifth in range(6):
        pen.line(at(fifth / 5), HEAD - 8, at(fifth / 5), bottom, LIGHT, 2)
        pen.words(at(fifth / 5), bottom + 20, f"{fifth / 5:.1f}", _SMALL, GREY, anchor="mm")
    pen.words((left + right) / 2, bottom + 58, f"F1   (n): {texts('run.picture_texts')}", _SMALL, GREY, anchor="mm")

    begins = left
    if any(change.before is not None for _, change in changes):
        begins = _legend(pen, begins, texts("run.picture_before", version=report.live), before=True) + 2 * MARGIN
    _legend(pen, begins, texts("run.picture_before", version=report.version), before=False)
    for row, ((_, change), name) in enumerate(zip(changes, names, strict=True)):
        middle = HEAD + ROW * row + ROW / 2
        pen.words(left - MARGIN, middle, name, _WORDS, anchor="rm")
        if change.before is not None:
            pen.line(at(change.before), middle, at(change.after), middle, GREY, 4)
            pen.diamond(at(change.before), middle)
        pen.dot(at(change.after), middle)
    drawn = io.BytesIO()
    image.resize((WIDTH, height), Image.Resampling.LANCZOS).save(drawn, format="PNG", optimize=True)
    return drawn.getvalue()


class _Pen:
    """Draws in the pixels of the finished picture."""

    def __init__(self, drawing: Any) -> None:
        self._drawing = drawing

    def words(
        self, x: float, y: float, words: str, size: int, colour: str = INK, *, bold: bool = False, anchor: str = "lm"
    ) -> None:
        """Write words at this place, which is where the `anchor` of them is (Pillow's)."""
        place = (x * _SCALE, y * _SCALE)
        self._drawing.text(place, words, fill=colour, font=_font(size * _SCALE, bold=bold), anchor=anchor)

    def width(self, words: str, size: int) -> float:
        """Return how wide the words are."""
        return float(self._drawing.textlength(words, font=_font(size * _SCALE, bold=False))) / _SCALE

    def shortened(self, name: str, rest: str) -> str:
        """Return the name with the rest, and its end left out where both take more than names may."""
        shown = name
        while shown and self.width(shown + rest, _WORDS) > _NAMES:
            shown = shown[:-1] if shown == name else shown[:-2]
            shown += "…"
        return shown + rest

    def line(self, x: float, y: float, to_x: float, to_y: float, colour: str, width: int) -> None:
        """Draw a straight line."""
        self._drawing.line([each * _SCALE for each in (x, y, to_x, to_y)], fill=colour, width=width * _SCALE)

    def diamond(self, x: float, y: float) -> None:
        """Mark how it was before."""
        reach = (_MARK + 2) * _SCALE
        x, y = x * _SCALE, y * _SCALE
        corners = [(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)]
        self._drawing.polygon(corners, fill="white", outline=BEFORE, width=3 * _SCALE)

    def dot(self, x: float, y: float) -> None:
        """Mark how it is after."""
        self._drawing.circle((x * _SCALE, y * _SCALE), _MARK * _SCALE, fill=AFTER)


def _legend(pen: _Pen, x: float, words: str, *, before: bool) -> float:
    """Explain a mark above the first row, and return where that ends."""
    height = HEAD - 40
    (pen.diamond if before else pen.dot)(x + _MARK, height)
    pen.words(x + 3 * _MARK, height, words, _SMALL)
    return x + 3 * _MARK + pen.width(words, _SMALL)


@cache
def _font(size: int, *, bold: bool) -> Any:
    """Return Source Sans in this size, of the package that carries it: images have no fonts, and Pillow's own no accents."""
    from PIL import ImageFont

    file = resources.files("font_source_sans_pro") / "files" / f"SourceSansPro-{'Semibold' if bold else 'Regular'}.ttf"
    return ImageFont.truetype(io.BytesIO(file.read_bytes()), size)


def size_of_change(change: LabelChange) -> float:
    """Return by how much a label's F1 changed; one that was not known before comes before all others."""
    return 1.0 if change.before is None else abs(change.after - change.before)
