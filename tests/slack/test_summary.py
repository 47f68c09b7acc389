"""`/beto resumen`: what came in a channel, the labels that matter first; over the wire, on both databases."""

import json
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.simulator.person import Person
from bot.slack.listeners.summaries import read
from bot.slack.readers import Reader
from bot.views import blocks, summary_blocks
from bot.views.texts import load_texts
from model.schema import Message, Prediction, Source
from model.store.predictions import NewPrediction
from model.store.standing import Standing
from model.store.store import Store
from model.store.tables import outbox
from tests.slack.connected import connected
from tests.town import SimulatorThread, until

GENERAL, ANA, LUIS = "C0SIMUGENERAL", "U0SIMUANA", "U0SIMULUIS"
View = dict[str, Any]


@pytest.fixture
def slack() -> Iterator[SimulatorThread]:
    thread = SimulatorThread(rate_limits=False)
    yield thread
    thread.stop()


@pytest.fixture
def team(slack: SimulatorThread, store: Store, tmp_path: Path) -> Iterator[SimulatorThread]:
    """A workspace where the bot listens, and no message of fraud is to be missed."""
    with connected(slack, store, tmp_path, []):
        yield slack


@pytest.fixture(autouse=True)
def fraud_first(store: Store) -> None:
    store.labels._preferences = {"fraude": "recall"}


def came(store: Store, number: int, text: str, *labels: str, ago: timedelta = timedelta(), ts: str = "") -> int:
    """A message that came so long ago, and under which these labels stand."""
    ts = ts or f"{int(time.time() - ago.total_seconds())}.{number:06}"
    message = Message(channel=GENERAL, ts=ts, user=LUIS, text=text, source=Source.CHANNEL)
    message_id, _ = store.messages.save(message)
    scores = dict.fromkeys(labels, 0.95) | {"ahorro": 0.1}
    store.predictions.save([NewPrediction(message_id, 1, Prediction(version=1, base="mini", scores=scores, labels=labels), 0.1)])
    stored = store.messages.get(message_id)
    judged = store.judged.of(message_id, store.labels.current())
    assert stored is not None
    assert judged is not None
    store.standings.keep_new([(stored, Standing.of(stored, judged.state))])
    return message_id


class Reading:
    """What one person sees of a summary, and does there."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.changes = person.changes()
        self.view: View = {}

    async def shown(self, words: str) -> View:
        def fits(change: dict[str, Any]) -> bool:
            return change["type"] == "view" and words in json.dumps(change["view"], ensure_ascii=False)

        self.view = dict((await until(self.changes, fits))["view"])
        return self.view

    async def ask(self, words: str, seen: str) -> View:
        assert await self.person.command("general", "/beto", words)
        return await self.shown(seen)

    async def told(self, words: str, seen: str) -> None:
        assert await self.person.command("general", "/beto", words)
        await until(self.changes, lambda change: seen in json.dumps(change, ensure_ascii=False))

    @property
    def lines(self) -> list[str]:
        return [str(block["text"]["text"]) for block in self.view["blocks"] if block["type"] == "section"]


def as_reader(team: SimulatorThread, act: Callable[[Reading], Awaitable[None]], user: str = "ana") -> None:
    async def visit(person: Person) -> None:
        await act(Reading(person))

    team.as_person(user, visit)


def test_what_must_not_be_missed_comes_first_and_each_line_can_be_corrected(team: SimulatorThread, store: Store) -> None:
    """A team lead opens it in the morning, and mends there what is wrong."""
    came(store, 1, "Me cobraron dos veces", "tarjeta")
    workspace = team.simulator.workspace
    post = workspace.post_as_person(workspace.user("luis"), workspace.channel("general"), "Alguien usa mi cuenta")
    theft = came(store, 2, "Alguien usa mi cuenta", "fraude", ts=str(post["ts"]))
    came(store, 3, "Hace mucho", "fraude", ago=timedelta(days=30))

    async def read_and_mend(ana: Reading) -> None:
        await ana.ask("resumen 7d", "Alguien usa mi cuenta")
        lines = ana.lines
        assert "2 mensajes" in lines[0]
        assert [line for line in lines[1:] if "Fraude* 1" in line or "Alguien usa" in line] == lines[1:3]
        assert "Tarjeta* 1" in lines[3]
        assert "archives" in lines[2]
        assert "Hace mucho" not in str(ana.view)
        row = next(block for block in ana.view["blocks"] if "Alguien usa" in str(block))
        root = ana.view["id"]
        assert await ana.person.action(summary_blocks.EDIT_BUTTON, view_id=root, block_id=row["block_id"])
        await ana.shown("Alguien usa mi cuenta")
        options = next(b for b in ana.view["blocks"] if b.get("block_id") == blocks.CHOICE)["element"]["options"]
        chosen = [option for option in options if option["value"] == "cuenta"]
        values = {blocks.CHOICE: {blocks.CHOICE: {"type": "multi_static_select", "selected_options": chosen}}}
        assert await ana.person.view_submit(ana.view["id"], values)
        await ana.shown("Cuenta ✓")  # the summary below tells of it

    as_reader(team, read_and_mend)
    [said] = store.gestures.history(theft)
    assert (said.gesture.user, said.gesture.labels, said.gesture.via) == (ANA, ("cuenta",), "modal")


def test_a_day_begins_at_the_reader_s_own_midnight(team: SimulatorThread, store: Store) -> None:
    """Who reads in Guayaquil in the evening must not be told of tomorrow by London's clock."""
    there = datetime.now(ZoneInfo("America/Guayaquil"))
    since_midnight = there - there.replace(hour=0, minute=0, second=0, microsecond=0)
    came(store, 1, "De hoy", "tarjeta")
    came(store, 2, "De ayer", "tarjeta", ago=since_midnight + timedelta(seconds=2))

    async def look(ana: Reading) -> None:
        await ana.ask("resumen", "De hoy")
        assert "De ayer" not in str(ana.view)
        assert "*Un mensaje*" in ana.lines[0]

    as_reader(team, look)


@pytest.mark.parametrize("zone", ["America/Santiago", "Asia/Kolkata", "Europe/Madrid"])
def test_midnight_is_by_the_clock_on_the_wall(zone: str) -> None:
    """Also where a day has 23 or 25 hours, and where the hour is a half."""
    reader = Reader(load_texts("es"), ZoneInfo(zone))
    for day in range(366):
        moment = datetime(2026, 1, 1, 11, 59, tzinfo=UTC) + timedelta(days=day)
        for ago in (0, 6):
            midnight = reader.midnight(days_ago=ago, moment=moment)
            assert (midnight.hour, midnight.minute) == (0, 0)
            assert midnight.date() == moment.astimezone(ZoneInfo(zone)).date() - timedelta(days=ago)


def test_whoever_reads_slack_in_english_reads_it_in_english(team: SimulatorThread, store: Store) -> None:
    workspace = team.simulator.workspace
    workspace.users[ANA] = replace(workspace.users[ANA], locale="en-GB")
    came(store, 1, "Perdí la tarjeta", "tarjeta")

    async def look(ana: Reading) -> None:
        view = await ana.ask("summary today", "Perdí la tarjeta")
        assert (view["title"]["text"], view["close"]["text"]) == ("Summary", "Close")
        await ana.told("sumary", "`/beto summary`")

    as_reader(team, look)


def test_what_nobody_may_see_yet_is_not_counted(store: Store) -> None:
    """The labels of a blind message are hidden until somebody has said their own."""
    message = Message(channel=GENERAL, ts="1700000001.000001", user=LUIS, text="a ciegas", source=Source.CHANNEL, blind=True)
    message_id, _ = store.messages.save(message)
    stored, judged = store.messages.get(message_id), store.judged.of(message_id, store.labels.current())
    assert stored is not None
    assert judged is not None
    assert Standing.of(stored, judged.state).labels is None


def test_a_channel_is_told_daily_once_somebody_chose_so_and_it_is_announced(team: SimulatorThread, store: Store) -> None:
    async def choose(ana: Reading) -> None:
        await ana.told("resumen diario 7", "cada día a las 7:00 (America/Guayaquil)")

    as_reader(team, choose)
    [choice] = store.channels.summaries()
    assert (choice.channel, choice.frequency, choice.hour, choice.zone) == (GENERAL, "daily", 7, "America/Guayaquil")
    assert [row.content["text"] for row in announced(store)] == ["summary.told_daily"]

    async def again_and_never(ana: Reading) -> None:
        await ana.told("resumen diario 7", "cada día a las 7:00")
        await ana.told("resumen nunca", "ya no cuento")

    as_reader(team, again_and_never)
    assert store.channels.summaries() == []
    assert [row.content["text"] for row in announced(store)] == ["summary.told_daily", "summary.told_never"]


def announced(store: Store) -> list[Any]:
    with store.database.reading() as connection:
        rows = outbox.select().where(outbox.c.kind == "announcement").order_by(outbox.c.id)
        return list(connection.execute(rows))


@pytest.mark.parametrize(
    ("words", "fits"),
    [
        ("", lambda w: (w.channel, w.days, w.is_setting) == ("C1", 0, False)),
        ("<#C2|fraudes> 7d", lambda w: (w.channel, w.days) == ("C2", 6)),
        ("HOY", lambda w: w.days == 0 and not w.unknown),
        ("weekly 8:00", lambda w: (w.frequency, w.hour, w.is_setting) == ("weekly", 8, True)),
        ("never", lambda w: w.frequency is None and w.is_setting),
        ("hoi", lambda w: w.unknown == "hoi"),
        ("diario 25", lambda w: w.unknown == "25"),
        ("9999d", lambda w: w.unknown == "9999d"),
        ("#fraudes", lambda w: w.unknown == "#fraudes"),
    ],
)
def test_what_is_typed_is_understood_or_named(words: str, fits: Callable[[Any], bool]) -> None:
    assert fits(read(words, "C1"))
