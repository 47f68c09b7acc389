"""The panels of the dashboard, as Grafana imports them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Panel:
    """A picture over time: `lines` are expressions, each with its legend; `unit` is Grafana's."""

    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]


def quantiles(metric: str, *, by: str = "") -> tuple[tuple[str, str], ...]:
    """Return the median and the 95th percentile of a histogram over five minutes."""
    grouped, legend = (f", {by}", f"{{{{{by}}}}} ") if by else ("", "")
    return tuple(
        (f"histogram_quantile({share}, sum by (le{grouped}) (rate({metric}_bucket[5m])))", f"{legend}{name}")
        for share, name in ((0.5, "half"), (0.95, "95 %"))
    )


# What every exporter calls the same gets our processes' names.
OF_PROCESS = "* on (instance) group_left (process) beto_process_info"

ROWS: dict[str, tuple[Panel, ...]] = {
    "What people notice": (
        Panel(
            "From a message to its reply",
            "s",
            tuple(
                (expr, f"{step}, {legend}")
                for step in ("saved", "predicted", "shown")
                for expr, legend in quantiles(f"beto_message_{step}_seconds")
            ),
        ),
        Panel("Messages without an answer: the oldest", "s", (("max by (state) (beto_outbox_oldest_seconds)", "{{state}}"),)),
        Panel("Rows of the outbox that wait", "short", (("max by (state) (beto_outbox_rows)", "{{state}}"),)),
        Panel("Tasks in the queues", "short", (("max by (queue) (beto_queue_tasks)", "{{queue}}"),)),
    ),
    "Slack": (
        Panel("What Slack sends", "reqps", (("sum by (kind, outcome) (rate(beto_events_total[5m]))", "{{kind}} {{outcome}}"),)),
        Panel("Seconds until it is acknowledged", "s", quantiles("beto_event_seconds")),
        Panel(
            "Calls of Slack's methods",
            "reqps",
            (("sum by (method, outcome) (rate(beto_slack_calls_total[5m]))", "{{method}} {{outcome}}"),),
        ),
        Panel("Seconds until Slack answers", "s", quantiles("beto_slack_call_seconds", by="method")),
        Panel(
            "Waiting for a rate limit, seconds a second",
            "short",
            (("sum by (method, by) (rate(beto_slack_wait_seconds_sum[5m]))", "{{method}}, by {{by}}"),),
        ),
        Panel(
            "Since the last frame of each socket",
            "s",
            (("beto_socket_silence_seconds", "{{instance}} socket {{socket}}"),),
        ),
        Panel(
            "Envelopes that the other sockets brought meanwhile",
            "short",
            (("beto_socket_elsewhere_envelopes", "{{instance}} socket {{socket}}"),),
        ),
        Panel(
            "What was deaf or not connected",
            "short",
            (
                ("1 - beto_socket_connected", "{{instance}} socket {{socket}} not connected"),
                ("beto_slack_unheard", "{{instance}} deaf"),
            ),
        ),
    ),
    "The outbox": (
        Panel(
            "Rows brought up to date",
            "reqps",
            (("sum by (kind, state) (rate(beto_deliveries_total[5m]))", "{{kind}} {{state}}"),),
        ),
        Panel("Sent again by the sweep", "short", (("sum by (of) (increase(beto_swept_total[5m]))", "{{of}}"),)),
        Panel("Sweeps", "short", (("sum by (of, outcome) (increase(beto_sweeps_total[5m]))", "{{of}} {{outcome}}"),)),
        Panel(
            "Tasks put on their queue by the bot",
            "reqps",
            (("sum by (outcome) (rate(beto_published_total[5m]))", "{{outcome}}"),),
        ),
    ),
    "The model": (
        Panel("Predictions", "reqps", (("sum(rate(beto_predictions_total[5m]))", "saved"),)),
        Panel("Messages in a pass", "short", quantiles("beto_batch_messages")),
        Panel("Tokens in a pass", "short", quantiles("beto_batch_tokens")),
        Panel("Seconds of a pass", "s", quantiles("beto_batch_seconds")),
        Panel("Cores in the network", "short", (("sum(rate(beto_network_cpu_seconds_total[5m]))", "busy"),)),
        Panel(
            "Version, and corrections in effect",
            "short",
            (
                ("max(beto_version_live)", "live"),
                ("beto_version", "{{instance}} serves"),
                ("beto_corrections", "{{instance}} corrections"),
            ),
        ),
        Panel("Workers", "short", (("max(beto_workers)", "alive"), ("max(beto_workers_behind)", "with another version"))),
        Panel(
            "Trainings",
            "short",
            (("max by (status) (beto_runs)", "{{status}}"), ("max(beto_runs_failed_in_a_row)", "failed in a row")),
        ),
        Panel("The run at work", "percentunit", (("max by (stage) (beto_training_progress_ratio)", "{{stage}}"),)),
        Panel("Since its last sign of life", "s", (("max(beto_training_silence_seconds)", "seconds"),)),
        Panel(
            "What people said",
            "short",
            (
                ("max(beto_messages)", "messages"),
                ("max(beto_gestures)", "gestures"),
                ("max(beto_gestures_untrained)", "of them since the last training"),
                ("sum by (step) (increase(beto_disputes_total[1h]))", "disputes {{step}}, an hour"),
            ),
        ),
    ),
    "Processes": (
        Panel("Waiting for the database", "s", quantiles("beto_database_wait_seconds", by="access")),
        Panel("Transactions", "s", quantiles("beto_database_seconds", by="access")),
        Panel("Connections", "short", (("beto_database_connections", "{{instance}} {{state}}"),)),
        Panel("Seconds of a task", "s", quantiles("beto_task_seconds", by="task")),
        Panel("Tasks", "reqps", (("sum by (task, outcome) (rate(beto_tasks_total[5m]))", "{{task}} {{outcome}}"),)),
        Panel("Database and Redis answer", "short", (("min(beto_database_up)", "database"), ("min(beto_redis_up)", "Redis"))),
        Panel("Memory", "bytes", ((f"process_resident_memory_bytes {OF_PROCESS}", "{{process}} {{instance}}"),)),
        Panel("Processor", "percentunit", ((f"rate(process_cpu_seconds_total[5m]) {OF_PROCESS}", "{{process}} {{instance}}"),)),
    ),
}


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it; it asks for the data source."""
    return {
        "title": "BETO",
        "uid": "beto",
        "tags": ["beto"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [{"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}}]
        },
        "panels": list(_panels()),
    }


def _panels() -> Iterator[dict[str, Any]]:
    at, number = 0, 0
    for row, panels in ROWS.items():
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row,
            "collapsed": False,
            "gridPos": {"x": 0, "y": at, "w": 24, "h": 1},
            "panels": [],
        }
        at += 1
        for n, panel in enumerate(panels):
            number += 1
            yield {
                "id": number,
                "type": "timeseries",
                "title": panel.title,
                "datasource": {"type": "prometheus", "uid": "${source}"},
                "gridPos": {"x": 6 * (n % 4), "y": at + 7 * (n // 4), "w": 6, "h": 7},
                "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": {"fillOpacity": 8}}, "overrides": []},
                "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
                "targets": [
                    {"refId": chr(ord("A") + m), "expr": expr, "legendFormat": legend}
                    for m, (expr, legend) in enumerate(panel.lines)
                ],
            }
        at += 7 * ((len(panels) + 3) // 4)
