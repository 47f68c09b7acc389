"""The bot asks a message's author where it is least sure: over Socket Mode with SQLite, and over HTTP with PostgreSQL."""

import time
from collections.abc import Iterator

import pytest

from bot.simulator.person import Person
from model.schema import Message, Prediction, Source
from model.store.predictions import NewPrediction
from tests.slack.cases import CHANNEL, eventually
from tests.town import Town, until, wait_until

QUESTION, THANKS = "aquí dudo", "gracias"
DOUBTFUL = "quisiera preguntar por lo que hablamos el otro día con la señorita"


@pytest.fixture
def one_a_day(town: Town) -> Iterator[None]:
    """The replies process asks once a day; where nothing else is set it is off in this town."""

    def set_to(number: str) -> None:
        town.machine.environment["BETO_ASK_A_DAY"] = number
        replies = town.processes["replies"]
        before = replies.popen
        assert before is not None
        before.terminate()
        wait_until(lambda: replies.popen is not before, 30, "another one")
        town.machine.wait_ready(replies, 60)

    set_to("1")
    yield
    set_to("0")


def be_sure_of_others(town: Town) -> None:
    """The newest hundred predictions are all sure: whatever a person writes next is in doubt beside them."""
    for number in range(100):
        message = Message(channel="C9", ts=f"{time.time():.6f}{number:03}", user="U9", text="x", source=Source.CHANNEL)
        message_id, _ = town.store.messages.save(message)
        scores = {"tarjeta": 0.999, "app": 0.0001}
        sure = Prediction(version=1, base="mini", scores=scores, labels=("tarjeta",))
        town.store.predictions.save([NewPrediction(message_id, 1, sure, 0.01)])


async def said_by_bot(person: Person, ts: str) -> list[str]:
    return [str(each["text"]) for each in await person.messages(CHANNEL, ts) if each["ts"] != ts and each.get("bot_id")]


@pytest.mark.usefixtures("one_a_day")
async def test_an_author_is_asked_once_a_day_and_thanked(town: Town, ana: Person) -> None:
    """One tap where it is least sure teaches most; whoever is asked too often answers nothing."""
    await ana.command("atencion", "/beto", "watch")
    be_sure_of_others(town)
    changes = ana.changes()
    ts = await ana.message("atencion", DOUBTFUL)
    reply = await ana.wait_for_reply("atencion", ts, 30)
    await until(changes, lambda change: QUESTION in str(change), 60)
    [question] = [text for text in await said_by_bot(ana, ts) if QUESTION in text]
    assert question.startswith("<@U0SIMUANA>")

    async with Person(town.url, "luis") as luis:
        other = await luis.message("atencion", f"{DOUBTFUL} y su jefe")
        await luis.wait_for_reply("atencion", other, 30)
        await ana.react(CHANNEL, reply["ts"], "chart_with_upwards_trend")
        await until(changes, lambda change: THANKS in str(change), 60)
        changes.close()
        # It stands where the question stood, and nobody else was asked meanwhile.
        assert len(await said_by_bot(ana, ts)) == 2
        stored = town.store.messages.find(CHANNEL, other)
        assert stored is not None
        await eventually(lambda: town.store.outbox.reply_ts(stored.id) is not None, lambda: "the reply was not recorded")
        assert not any(QUESTION in text for text in await said_by_bot(luis, other))
