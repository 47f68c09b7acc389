"""A picture of the dashboard's panels, drawn from what Prometheus answers, where no Grafana runs."""

import math
import re
from pathlib import Path
from typing import Any

from deploy.panels import ROWS, Panel
from tests.prometheus import Prometheus

COLUMNS = 4
POINTS = 200
LINES_IN_LEGEND = 6
UNITS = {"s": "s", "reqps": "1/s", "percentunit": "share", "bytes": "bytes", "short": ""}


def draw(prometheus: Prometheus, began: float, ended: float, file: Path) -> dict[str, int]:
    """Write all panels of the time between as PNG, and return how many lines each shows.

    A line is what Grafana would draw: the panel's expression over time, named by its legend.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [(row, panel) for row, each in ROWS.items() for panel in each]
    figure = Figure(figsize=(20, 3.1 * math.ceil(len(panels) / COLUMNS)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(math.ceil(len(panels) / COLUMNS), COLUMNS).flatten()
    drawn = {}
    for axis, (row, panel) in zip(axes, panels, strict=False):
        lines = _lines(prometheus, panel, began, ended)
        drawn[panel.title] = len(lines)
        for name, points in lines:
            axis.plot([at - began for at, _ in points], [value for _, value in points], label=name, linewidth=1.2)
        axis.set_title(f"{row}: {panel.title}", fontsize=9)
        axis.set_ylabel(UNITS[panel.unit], fontsize=8)
        axis.set_xlim(0, ended - began)
        axis.set_ylim(bottom=0)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
        if lines:
            axis.legend(*(each[:LINES_IN_LEGEND] for each in axis.get_legend_handles_labels()), fontsize=6, loc="upper left")
        else:
            axis.text(0.5, 0.5, "no data", transform=axis.transAxes, ha="center", color="grey")
    for axis in axes[len(panels) :]:
        axis.remove()
    figure.supxlabel("seconds")
    figure.savefig(file, format="png", dpi=80)
    return drawn


def _lines(prometheus: Prometheus, panel: Panel, began: float, ended: float) -> list[tuple[str, list[tuple[float, float]]]]:
    """Return each line of the panel with its name; those without a single number are left out."""
    found = []
    step = max(1.0, (ended - began) / POINTS)
    for expr, legend in panel.lines:
        answer: Any = prometheus.ask("query_range", query=expr, start=str(began), end=str(ended), step=f"{step:.0f}")
        for series in answer["result"]:
            points = [(float(at), float(value)) for at, value in series["values"] if value not in ("NaN", "+Inf", "-Inf")]
            if points:
                found.append((_named(legend, series["metric"]), points))
    return found


def _named(legend: str, labels: dict[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), legend)
