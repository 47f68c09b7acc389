"""The alerts, and how each of them is tried: promtool reads both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PROCESSES = ("bot", "replies", "worker", "trainer")
PAGE = "docs/operations.md#alerts"


@dataclass(frozen=True)
class Alert:
    """An alert: raised when `expr` has had a value for `after`. `what` is for whoever is called, `do` is where to begin."""

    name: str
    expr: str
    after: str
    severity: str
    what: str
    do: str

    def rule(self) -> dict[str, Any]:
        """Return it as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.after,
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.what, "description": self.do, "runbook": PAGE},
        }


def alerts(
    *,
    after: str | None = None,
    interval: str = "5m",
    waiting: int = 100,
    processes: Sequence[str] = PROCESSES,
) -> list[Alert]:
    """Return every alert. `after`, instead of each one's own patience, and shorter figures are for tests that must not wait."""
    missing = " or ".join(f'absent(beto_process_info{{process="{name}"}})' for name in processes)
    return [
        Alert(
            "BetoProcessDown",
            missing,
            after or "2m",
            "critical",
            "No {{ $labels.process }} answers.",
            "Start it, and read the end of its log. One that ends again and again says why there.",
        ),
        Alert(
            "BetoQueueGrows",
            f"max by (queue) (beto_queue_tasks) > {waiting} and max by (queue) (deriv(beto_queue_tasks[{interval}])) > 0",
            after or "10m",
            "warning",
            "{{ $value }} tasks wait in the queue {{ $labels.queue }}, and they become more.",
            "inference: start more workers. replies: see beto_slack_wait_seconds, Slack's limits decide. training: see the run.",
        ),
        Alert(
            "BetoAnswersLate",
            "max by (state) (beto_outbox_oldest_seconds) > 900",
            after or "5m",
            "warning",
            "A message has waited for an answer for {{ $value | humanizeDuration }}.",
            "awaiting_prediction: is there a version, do workers keep up? due: does Slack answer? waiting_turn: Slack's limits.",
        ),
        Alert(
            "BetoSocketDeaf",
            "max by (instance, socket) (beto_socket_silence_seconds) > 45"
            " or max by (instance, socket) (beto_socket_elsewhere_envelopes) >= 20"
            " or max by (instance) (beto_slack_unheard) > 0",
            after or "30s",
            "critical",
            "A bot does not hear Slack, though it is connected.",
            "It opens such a socket anew, or ends and is started again, within two minutes. If it goes on: Slack's status page.",
        ),
        Alert(
            "BetoEventsNotTaken",
            f'sum(rate(beto_events_total{{outcome="not acknowledged"}}[{interval}])) > 0',
            after or "5m",
            "critical",
            "The bot cannot acknowledge what Slack sends; Slack repeats it, and switches the subscription off in the end.",
            "Read the bot's log: the database, most of the time.",
        ),
        Alert(
            "BetoSlackRefuses",
            f'sum(rate(beto_slack_calls_total{{outcome=~"refused|lost"}}[{interval}])) > 0.2 * '
            f"sum(rate(beto_slack_calls_total[{interval}]))",
            after or "10m",
            "warning",
            "More than a fifth of the calls of Slack's methods fail.",
            "beto_slack_calls_total tells which method and how; `beto doctor` tries tokens and scopes.",
        ),
        Alert(
            "BetoTrainingFailed",
            "max(beto_runs_failed_in_a_row) > 0",
            after or "1m",
            "warning",
            "The last {{ $value }} trainings failed; the live version goes on answering.",
            "`/beto estado` and the trainer's log say why; the alert ends when a training succeeds.",
        ),
        Alert(
            "BetoVersionNotServed",
            "max(beto_workers_behind) > 0",
            after or "15m",
            "warning",
            "{{ $value }} workers serve another version than the live one.",
            "Read the worker's log: it says why it refuses a version, and tries again.",
        ),
        Alert(
            "BetoDatabaseDown",
            "min(beto_database_up) == 0",
            after or "1m",
            "critical",
            "The database does not answer.",
            "Slack sends again what could not be saved. See to the database; nothing has to be started again.",
        ),
        Alert(
            "BetoRedisDown",
            "min(beto_redis_up) == 0",
            after or "2m",
            "critical",
            "Redis does not answer.",
            "See to Redis; what waits is in the database, and is sent again as soon as Redis is back.",
        ),
    ]


def rules(**figures: Any) -> dict[str, Any]:
    """Return the file of rules; `figures` are those of `alerts`."""
    return {"groups": [{"name": "beto", "rules": [alert.rule() for alert in alerts(**figures)]}]}


# The tests of the rules, as promtool runs them. Nothing else may be raised than what is named.

CALM = {f'beto_process_info{{process="{name}", instance="{name}"}}': "1+0x60" for name in PROCESSES} | {
    **{f'beto_queue_tasks{{queue="{queue}", instance="replies"}}': "3+0x60" for queue in ("inference", "replies", "training")},
    'beto_outbox_oldest_seconds{state="awaiting_prediction", instance="replies"}': "2+0x60",
    'beto_outbox_oldest_seconds{state="due", instance="replies"}': "2+0x60",
    **{f'beto_socket_silence_seconds{{socket="{socket}", instance="bot"}}': "4+0x60" for socket in (1, 2)},
    **{f'beto_socket_elsewhere_envelopes{{socket="{socket}", instance="bot"}}': "1+0x60" for socket in (1, 2)},
    'beto_slack_unheard{instance="bot"}': "0+0x60",
    'beto_events_total{kind="message", outcome="acknowledged", instance="bot"}': "0+60x60",
    'beto_events_total{kind="message", outcome="not acknowledged", instance="bot"}': "0+0x60",
    'beto_slack_calls_total{method="chat.postMessage", outcome="ok", instance="replies"}': "0+60x60",
    'beto_slack_calls_total{method="chat.postMessage", outcome="refused", instance="replies"}': "0+1x60",
    'beto_runs_failed_in_a_row{instance="replies"}': "0+0x60",
    'beto_workers_behind{instance="replies"}': "0+0x60",
    'beto_database_up{instance="replies"}': "1+0x60",
    'beto_redis_up{instance="replies"}': "1+0x60",
}
# What goes wrong from minute 10 on -> the alert that it raises, with its labels.
TROUBLE: list[tuple[dict[str, str], str, dict[str, str]]] = [
    ({'beto_process_info{process="worker", instance="worker"}': "1+0x10 stale"}, "BetoProcessDown", {"process": "worker"}),
    (
        {'beto_queue_tasks{queue="inference", instance="replies"}': "3+0x10 10+20x50"},
        "BetoQueueGrows",
        {"queue": "inference"},
    ),
    (
        {'beto_outbox_oldest_seconds{state="due", instance="replies"}': "2+0x10 60+60x50"},
        "BetoAnswersLate",
        {"state": "due"},
    ),
    (
        {'beto_socket_silence_seconds{socket="2", instance="bot"}': "4+0x10 60+60x50"},
        "BetoSocketDeaf",
        {"socket": "2", "instance": "bot"},
    ),
    (
        {'beto_socket_elsewhere_envelopes{socket="1", instance="bot"}': "1+0x10 20+5x50"},
        "BetoSocketDeaf",
        {"socket": "1", "instance": "bot"},
    ),
    ({'beto_slack_unheard{instance="bot"}': "0+0x10 1+0x50"}, "BetoSocketDeaf", {"instance": "bot"}),
    (
        {'beto_events_total{kind="message", outcome="not acknowledged", instance="bot"}': "0+0x10 1+1x50"},
        "BetoEventsNotTaken",
        {},
    ),
    (
        {'beto_slack_calls_total{method="chat.postMessage", outcome="refused", instance="replies"}': "0+1x10 30+30x50"},
        "BetoSlackRefuses",
        {},
    ),
    ({'beto_runs_failed_in_a_row{instance="replies"}': "0+0x10 1+0x50"}, "BetoTrainingFailed", {}),
    ({'beto_workers_behind{instance="replies"}': "0+0x10 1+0x50"}, "BetoVersionNotServed", {}),
    ({'beto_database_up{instance="replies"}': "1+0x10 0+0x50"}, "BetoDatabaseDown", {}),
    ({'beto_redis_up{instance="replies"}': "1+0x10 0+0x50"}, "BetoRedisDown", {}),
]
# A worker that starts again, a queue that was long and shrinks, a Redis that was away for a moment: nobody is called.
PASSING: list[dict[str, str]] = [
    {'beto_process_info{process="worker", instance="worker"}': "1+0x10 _ 1+0x49"},
    {'beto_queue_tasks{queue="inference", instance="replies"}': "2000-30x60"},
    {'beto_redis_up{instance="replies"}': "1+0x10 0 1+0x49"},
]


def rule_tests() -> dict[str, Any]:
    """Return what promtool is to try: at rest nothing is raised, each trouble raises its alert alone, what passes raises none."""
    by_name = {alert.name: alert for alert in alerts()}
    tests = [_test({}, [])]
    for wrong, name, labels in TROUBLE:
        # After half an hour of it, all that follows from it by mistake would be raised too.
        shown = {"alertname": name, "alertstate": "firing", "severity": by_name[name].severity, **labels}
        tests.append(_test(wrong, ["ALERTS{" + ", ".join(f'{key}="{value}"' for key, value in shown.items()) + "}"]))
    tests += [_test(passing, []) for passing in PASSING]
    return {"rule_files": ["alerts.yml"], "evaluation_interval": "15s", "tests": tests}


def _test(wrong: dict[str, str], raised: list[str]) -> dict[str, Any]:
    series = CALM | wrong
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'ALERTS{alertstate="firing"}',
                "eval_time": "40m",
                "exp_samples": [{"labels": each, "value": 1} for each in raised],
            }
        ],
    }
