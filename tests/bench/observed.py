"""What the dashboard shows of a load, beside what is in the database: every process real, scraped by a real Prometheus."""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from sqlalchemy import text

from bot.errors import StartRefused
from bot.simulator.person import Person
from deploy import alerts
from model.labels import seed_taxonomy
from tests.bench import panels
from tests.bench.machine import CHANNELS, IN_FLIGHT, machine_facts, texts
from tests.chaos import trained_version
from tests.prometheus import Prometheus, program, running_prometheus
from tests.town import Town, running_town

PROCESSES = ("bot", "replies", "worker")
# So many messages get one reaction, which corrects them.
JUDGED = 10
# What is in the database is read every 5 seconds at most, and everything is scraped once a second.
WITHIN_S = 60.0
# Figures are compared, not times: a busy machine is to be waited for.
REPLY_WITHIN_S = 600.0
POSTS, GESTURES, MEAN = "posts in Slack", "gestures stored", "mean seconds from saved to shown"

SHOWN_AFTER = """
select avg((julianday(o.posted_at) - julianday(m.received_at)) * 86400)
from outbox o join messages m on m.id = o.message_id where o.kind = 'reply' and o.posted_at is not null
"""


@dataclass(frozen=True)
class Figure:
    """A figure of the dashboard: what Prometheus is asked for it, and the database for the truth (empty: Slack knows it)."""

    what: str
    expr: str
    truth: str


FIGURES = (
    Figure("messages stored", "max(beto_messages)", "select count(*) from messages"),
    Figure(GESTURES, "max(beto_gestures)", "select count(*) from gestures"),
    Figure("messages saved, by the bot", "sum(beto_message_saved_seconds_count)", "select count(*) from messages"),
    Figure("predictions saved, by the worker", "sum(beto_predictions_total)", "select count(*) from predictions"),
    Figure(
        "messages predicted", "sum(beto_message_predicted_seconds_count)", "select count(distinct message_id) from predictions"
    ),
    Figure("messages through the network", "sum(beto_batch_messages_sum)", "select count(*) from predictions"),
    Figure(
        "replies shown, by replies",
        "sum(beto_message_shown_seconds_count)",
        "select count(*) from outbox where kind = 'reply' and posted_at is not null",
    ),
    Figure(
        "rows that wait",
        'sum(max by (state) (beto_outbox_rows{state!="refused"}))',
        "select count(*) from outbox where retry_at is not null",
    ),
    Figure("tasks that wait", "sum(max by (queue) (beto_queue_tasks))", "select 0"),
    Figure(POSTS, 'sum(beto_slack_calls_total{method="chat.postMessage", outcome="ok"})', ""),
    Figure(MEAN, "sum(beto_message_shown_seconds_sum) / sum(beto_message_shown_seconds_count)", SHOWN_AFTER),
    Figure("the live version", "max(beto_version_live)", "select max(version) from promotions"),
)


def measure(*, messages: int, plot: Path | None) -> dict[str, Any]:
    """Let so many messages be written, one in ten of them corrected, and compare what Prometheus says with the database.

    `figures` has what the dashboard says of each figure, and what is true; `unequal` names those that differ. `raised` is every
    alert that was raised meanwhile. `plot` is the PNG file of all panels.
    """
    if program("prometheus") is None:
        raise StartRefused("Prometheus is not installed: `.ci/system-packages` unpacks it")
    with tempfile.TemporaryDirectory(prefix="beto-observed-") as folder:
        home = Path(folder) / "home"
        with running_town(home, f"sqlite:///{home / 'beto.db'}", trained_version(), http=False) as town:
            found = observe_load(town, Path(folder), messages, plot)
    return {"bench": "observed", **machine_facts(), **found}


def observe_load(town: Town, folder: Path, messages: int, plot: Path | None) -> dict[str, Any]:
    """Do the same where everything runs already, and has since the first message."""
    pages = {name: town.processes[name].port for name in PROCESSES}
    with running_prometheus(folder, pages, alerts.rules(processes=PROCESSES)) as prometheus:
        _wait("every process is scraped", lambda: prometheus.value("count(beto_process_info)") == len(PROCESSES))
        _wait("the database is read", lambda: prometheus.value("max(beto_database_up)") == 1)
        began, judged = time.time(), _true(town)[GESTURES]
        asyncio.run(_write(town, messages))
        _wait("all that was said is kept", lambda: _true(town)[GESTURES] == judged + messages // JUDGED)
        _wait("all is answered", lambda: not any(town.store.messages.counts()[each] for each in ("prediction", "reply")))
        deadline = time.monotonic() + WITHIN_S
        while _differences(shown := _shown(prometheus, town), true := _true(town)) and time.monotonic() < deadline:
            time.sleep(0.5)
        ended = time.time()
        raised = prometheus.ask("query_range", query='ALERTS{alertstate="firing"}', start=str(began), end=str(ended), step="1")[
            "result"
        ]
        figures = {what: {"dashboard": round(shown[what], 3), "truth": round(true[what], 3)} for what in shown}
        drawn = None if plot is None else panels.draw(prometheus, began, ended, plot)
    for what, each in figures.items():
        click.echo(f"{what:45} {each['dashboard']:12,.3f} {each['truth']:12,.3f}", err=True)
    return {
        "messages": messages,
        "seconds": round(ended - began, 1),
        "figures": figures,
        "unequal": _differences(shown, true),
        "raised": sorted({each["metric"]["alertname"] for each in raised}),
        "panels": drawn,
    }


def _shown(prometheus: Prometheus, town: Town) -> dict[str, float]:
    """Return each figure as the dashboard has it."""
    return {each.what: prometheus.value(each.expr) or 0.0 for each in FIGURES}


def _true(town: Town) -> dict[str, float]:
    """Return each figure as it is: by the rows, and what stands in Slack by what stands there."""
    with town.store.database.reading() as connection:
        found = {each.what: float(connection.execute(text(each.truth)).scalar_one() or 0) for each in FIGURES if each.truth}
    workspace = town.slack.workspace
    posts = [
        message
        for channel in workspace.channels.values()
        for message in channel.messages.values()
        if message.get("user") == workspace.bot_user_id and "subtype" not in message  # that it came in it did not post
    ]
    return found | {POSTS: float(len(posts))}


def _differences(shown: dict[str, float], true: dict[str, float]) -> list[str]:
    """Return the figures that are not the same, to a twentieth where they are seconds.

    A reply is noted a moment before it is counted.
    """
    return [what for what in shown if abs(shown[what] - true[what]) > (0.05 * true[what] if what == MEAN else 0)]


async def _write(town: Town, messages: int) -> None:
    """Write so many messages, and correct one in ten by a reaction on its reply."""
    said, channels, gate = texts(), itertools.cycle(CHANNELS), asyncio.Semaphore(IN_FLIGHT)
    labels = itertools.cycle([label.emoji for label in seed_taxonomy()])
    async with Person(town.url, "ana") as ana:
        for channel in CHANNELS:
            if town.slack.workspace.bot_user_id not in town.slack.workspace.channel(channel).members:
                await ana.invite(channel, town.slack.workspace.bot_user_id)
            await ana.command(channel, "/beto", "watch")

        async def one(number: int) -> None:
            channel = next(channels)
            async with gate:
                ts = await ana.message(channel, f"{next(said)} ({number})")
                reply = await ana.wait_for_reply(channel, ts, REPLY_WITHIN_S)
            if number % JUDGED == 0:
                await ana.react(channel, reply["ts"], next(labels))

        await asyncio.gather(*(one(number) for number in range(1, messages + 1)))


def _wait(what: str, true: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not true():
        if time.monotonic() > deadline:
            raise StartRefused(f"not within {WITHIN_S:.0f} s: {what}")
        time.sleep(0.5)
