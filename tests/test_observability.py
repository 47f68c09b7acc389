"""What is measured, what is drawn of it, and what is raised because of it: names, files and documents say the same."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

import bot.metrics
import worker.metrics
from deploy import alerts, observe, panels
from tests.conftest import missing
from tests.prometheus import program

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
# Prometheus' own of a process, which every exporter has.
THEIRS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
UNITS = ("_seconds", "_total", "_ratio", "_info")
# A count of things has no unit.
COUNTED = {
    "beto_batch_messages", "beto_batch_tokens", "beto_corrections", "beto_database_connections", "beto_database_up",
    "beto_gestures", "beto_gestures_untrained", "beto_messages", "beto_outbox_rows", "beto_queue_tasks", "beto_redis_up",
    "beto_runs", "beto_runs_failed_in_a_row", "beto_slack_unheard", "beto_socket_connected", "beto_socket_elsewhere_envelopes",
    "beto_version", "beto_version_live", "beto_workers", "beto_workers_behind",
}  # fmt: skip
# What a label may hold is one of a few words of ours, of Slack's methods and kinds of event, or a small number.
LABELS = {
    "access",
    "by",
    "kind",
    "method",
    "of",
    "outcome",
    "process",
    "queue",
    "socket",
    "stage",
    "state",
    "status",
    "step",
    "task",
}


def metrics() -> Iterator[tuple[str, MetricWrapperBase]]:
    """Every metric of ours, with the processes that show it."""
    for where, registry in (*worker.metrics.declared(), *bot.metrics.declared()):
        for each in of(registry):
            yield where, each


def of(registry: CollectorRegistry) -> list[MetricWrapperBase]:
    found = {each for each in registry._collector_to_names if isinstance(each, MetricWrapperBase)}
    return sorted(found, key=lambda each: each.describe()[0].name)


def name_of(metric: MetricWrapperBase) -> str:
    (family,) = metric.describe()
    return f"{family.name}_total" if family.type == "counter" else family.name


def table() -> str:
    """The table of metrics as it has to be."""
    rows = ["| metric | of | labels | |", "| --- | --- | --- | --- |"]
    for where, metric in metrics():
        labels = ", ".join(metric._labelnames)
        rows.append(f"| `{name_of(metric)}` | {where} | {labels} | {metric._documentation} |")
    return "\n".join(rows) + "\n"


def alerts_table() -> str:
    """The table of alerts as it has to be."""
    rows = ["| alert | raised after | says | begin here |", "| --- | --- | --- | --- |"]
    for alert in alerts.alerts():
        says = re.sub(r"{{ \$labels\.(\w+) }}", r"*\1*", re.sub(r"{{ \$value[^}]*}}", "*N*", alert.what))
        rows.append(f"| {alert.name} | {alert.after} | {says} | {alert.do} |")
    return "\n".join(rows) + "\n"


def between(text: str, name: str) -> str:
    return text.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->", maxsplit=1)[0]


def names_in(expression: str) -> set[str]:
    """The metrics that an expression asks for, a histogram's series by its name."""
    found = set(re.findall(r"\b(?:beto|process)_[a-z0-9_]+", re.sub(r'"[^"]*"', "", expression)))
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def expressions() -> Iterator[str]:
    for alert in alerts.alerts():
        yield alert.expr
    for row in panels.ROWS.values():
        for panel in row:
            for expression, _ in panel.lines:
                yield expression


def test_names_follow_the_conventions_and_no_label_holds_what_people_are_or_write() -> None:
    """Series must not grow with what people do, and a page without a password must not tell who writes what."""
    for _, metric in metrics():
        name = name_of(metric)
        assert name.startswith("beto_")
        assert name.endswith(UNITS) or name in COUNTED, name
        assert set(metric._labelnames) <= LABELS or name == "beto_process_info", name
        assert metric._documentation.endswith("."), name


@pytest.mark.parametrize("name", observe.files())
def test_what_lies_in_deploy_is_what_its_source_makes(name: str) -> None:
    """Whoever mends a rule by hand would lose it with the next change."""
    lies = (DEPLOY / name).read_text(encoding="utf-8")
    assert lies == observe.files()[name], "run `python -m deploy.observe`"


def test_dashboard_and_alerts_ask_for_what_there_is_and_everything_is_drawn() -> None:
    """A renamed metric would leave an alert that is never raised, and a panel that is empty."""
    declared = {name_of(metric) for _, metric in metrics()}
    asked = set().union(*map(names_in, expressions()))
    assert asked - THEIRS <= declared
    assert declared - asked == set()


def test_grafana_gets_panels_with_numbers_of_their_own() -> None:
    """It takes the file as it is, and asks for the data source."""
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["datasource"]["uid"] == "${source}" for panel in panels if panel["type"] != "row")


def test_operations_has_every_metric_and_every_alert() -> None:
    """What is documented nowhere is watched by nobody."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert between(page, "metrics") == table(), f"put this into docs/operations.md:\n{table()}"
    assert between(page, "alerts") == alerts_table(), f"put this into docs/operations.md:\n{alerts_table()}"


def test_each_trouble_raises_its_alert_alone_and_what_passes_by_itself_raises_none() -> None:
    """Whoever is called at night for nothing switches it off."""
    promtool = program("promtool")
    if promtool is None:
        missing("promtool")
    for command in (["check", "config", "prometheus.yml"], ["test", "rules", "alerts-test.yml"]):
        done = subprocess.run([promtool, *command], cwd=DEPLOY, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried() -> None:
    """A rule without a case is a hope."""
    assert {name for _, name, _ in alerts.TROUBLE} == {alert.name for alert in alerts.alerts()}
