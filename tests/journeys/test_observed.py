"""The running product, watched by a real Prometheus: each trouble is raised by its name, and nothing else is."""

import asyncio
import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from bot.simulator.person import Person
from bot.simulator.server import Simulator
from deploy import alerts
from tests.conftest import missing
from tests.prometheus import Prometheus, program, running_prometheus
from tests.slack.cases import eventually
from tests.town import Town, wait_until

CARD = "El cajero se tragó mi tarjeta de débito, llámenme al 0991234567 o a ana@ejemplo.com"
OURS = ("bot", "replies", "worker")


@pytest.fixture
def prometheus(town: Town, tmp_path: Path) -> Iterator[Prometheus]:
    """It scrapes all processes every second, and is patient for none of the minutes that its rules wait for otherwise."""
    if program("prometheus") is None:
        missing("Prometheus")
    rules = alerts.rules(after="0s", interval="15s", waiting=3, processes=OURS)
    with running_prometheus(tmp_path, {name: town.processes[name].port for name in OURS}, rules) as made:
        yield made


@pytest.mark.parametrize("town", ["socket-sqlite"], indirect=True)
async def test_a_stopped_worker_a_growing_queue_a_deaf_socket_and_a_failed_training_are_each_raised_alone(
    town: Town, ana: Person, prometheus: Prometheus
) -> None:
    """Who is called must know from the name alone where to look."""
    # In a thread: while this one waits, Ana still hears what the bot posts.
    await asyncio.to_thread(wait_until, lambda: prometheus.value("count(beto_process_info)") == len(OURS), 30, "all are scraped")
    await asyncio.to_thread(wait_until, lambda: not prometheus.firing(), 60, "nothing is raised at rest")
    assert await ana.command("atencion", "/beto", "watch")
    await eventually(lambda: town.store.channels.mode("C0SIMUATENCION") == "auto", lambda: "the channel is not watched")
    ts = await ana.message("atencion", CARD)
    await ana.wait_for_reply("atencion", ts, 30)
    await ana.command("atencion", "/beto", "unwatch")

    # What it scraped is the truth.
    stored = town.store.inventory.read()
    wait_until(lambda: prometheus.value("beto_messages") == stored.messages, 15, "as many messages as there are")
    for expr in ("sum(beto_predictions_total)", "sum(beto_message_shown_seconds_count)", "sum(beto_message_saved_seconds_count)"):
        assert (prometheus.value(expr) or 0) >= 1, expr
    assert prometheus.value("max(beto_version)") == stored.live

    def raised(*wanted: tuple[str, str]) -> None:
        deadline = time.monotonic() + 60
        while (firing := prometheus.firing()) != set(wanted):
            assert time.monotonic() < deadline, f"{firing} instead of {wanted or 'nothing'}"
            time.sleep(0.1)

    worker = town.processes["worker"].popen
    assert worker is not None
    worker.send_signal(signal.SIGSTOP)
    try:
        raised(("BetoProcessDown", "worker"))
    finally:
        worker.send_signal(signal.SIGCONT)
    raised()

    run_id, _ = town.store.runs.open("U1")
    town.store.runs.start(run_id, "test")
    town.store.runs.close(run_id, "test", "failed", error="a test")
    raised(("BetoTrainingFailed", ""))
    run_id, _ = town.store.runs.open("U1")
    town.store.runs.start(run_id, "test")
    town.store.runs.close(run_id, "test", "done")
    raised()

    # Nobody trains here, so what is sent there stays.
    with Celery(broker=town.machine.environment["BETO_REDIS_URL"]) as sender, sender.connection_for_write() as connection:
        queue = connection.SimpleQueue("training")

        def growing() -> bool:
            queue.put({"a task": "that waits"})
            return prometheus.firing() == {("BetoQueueGrows", "training")}

        wait_until(growing, 60, "the queue that grows is raised")
        queue.clear()
    raised()

    town.slack.disturb("deaf")
    for n in range(60):  # half of them by the other socket
        await ana.message("atencion", f"uno de muchos, {n}")
    raised(("BetoSocketDeaf", ""))
    town.slack.disturb("hear")
    for n in range(20):
        await ana.message("atencion", f"otro de muchos, {n}")
    raised()
    followed(town, ts, {str(each["text"]) for each in await ana.messages("atencion") if not each.get("bot_id")})


def followed(town: Town, ts: str, texts: set[str]) -> None:
    """One id leads through all logs, each line of which is an object; none of them holds what people wrote."""
    stored = town.store.messages.find("C0SIMUATENCION", ts)
    lines = {
        name: [json.loads(line) for line in (town.machine.logs / f"{name}.log").read_text(encoding="utf-8").splitlines()]
        for name in OURS
    }
    said = {name: [line["text"] for line in lines[name] if line.get("message_id") == stored.id] for name in OURS}
    assert any(re.match(rf"saved, posted in C0SIMUATENCION at {ts}", text) for text in said["bot"])
    assert any(text.startswith("predicted by version") for text in said["worker"])
    assert "reply is shown" in said["replies"]
    (saved,) = [line for line in lines["bot"] if line.get("message_id") == stored.id]
    assert saved["event_id"].startswith("Ev")
    written = "".join(file.read_text(encoding="utf-8") for file in town.machine.logs.iterdir())
    assert CARD in texts
    secret = [Simulator.bot_token, Simulator.app_token, Simulator.signing_secret, "ana@ejemplo.com", "0991234567"]
    assert not [text for text in (*texts, *secret) if len(text) > 6 and text in written]
