"""The picture of a retraining's report: each label's F1 before and after, with how many test messages carry it."""

import io
from typing import Any

from bot.views.blocks import label_title
from bot.views.texts import Texts
from model.labels import Taxonomy
from model.schema import LabelChange, Report

# Okabe and Ito's orange and blue, which colour-blind people tell apart; the shapes differ too. On white, since Slack
# shows pictures as they are in both of its themes.
BEFORE, AFTER, GREY = "#e69f00", "#0072b2", "#5f6368"
INCHES_A_LABEL, WIDTH, DOTS_AN_INCH = 0.34, 7.2, 150
# Beyond, the picture is taller than anybody scrolls; the details name all labels.
MOST_LABELS = 40


def draw(report: Report, taxonomy: Taxonomy, texts: Texts) -> bytes:
    """Draw a PNG, 1,080 pixels wide, labels in the taxonomy's order from top to bottom; of many, those that change most."""
    # Half a second and 40 MiB: not before the first report.
    from matplotlib.figure import Figure

    per_label = report.comparison.per_label
    by_size = sorted(per_label, key=lambda label: -_size(per_label[label]))
    drawn_labels = set(by_size[:MOST_LABELS])
    changes = [(label, change) for label, change in per_label.items() if label in drawn_labels][::-1]
    title = texts("run.picture_title", version=report.version)
    if len(changes) < len(per_label):
        title += texts("run.picture_some", shown=len(changes), total=len(per_label))
    figure = Figure(
        figsize=(WIDTH, 1.5 + INCHES_A_LABEL * len(changes)), dpi=DOTS_AN_INCH, layout="constrained", facecolor="white"
    )
    axes: Any = figure.add_subplot()
    for height, (_, change) in enumerate(changes):
        if change.before is not None:
            axes.plot([change.before, change.after], [height, height], color=GREY, linewidth=2, zorder=1)
    known = [(height, change.before) for height, (_, change) in enumerate(changes) if change.before is not None]
    if known:
        name = texts("run.picture_before", version=report.live)
        heights, before = zip(*known, strict=True)
        axes.scatter(before, heights, s=64, marker="D", facecolors="white", edgecolors=BEFORE, linewidths=2, label=name, zorder=2)
    after = [change.after for _, change in changes]
    name = texts("run.picture_before", version=report.version)
    axes.scatter(after, range(len(changes)), s=64, marker="o", color=AFTER, label=name, zorder=3)
    axes.set_yticks(
        range(len(changes)), [f"{label_title(label, taxonomy, texts)}  ({change.support})" for label, change in changes]
    )
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel(f"F1   (n): {texts('run.picture_texts')}")
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    axes.grid(axis="x", color="#dadce0", zorder=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.06), ncols=2, frameon=False, fontsize=9)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return drawn.getvalue()


def _size(change: LabelChange) -> float:
    """Return by how much a label's F1 changed; one that was not known before comes before all others."""
    return 1.0 if change.before is None else abs(change.after - change.before)
