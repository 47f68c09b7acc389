"""«¿Por qué?», from the click to the answer: over Socket Mode with SQLite, and over HTTP with PostgreSQL."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable

import pytest

from bot.simulator.errors import Json
from bot.simulator.person import Person
from model.store.outbox_row import Kind, State
from model.store.tables import outbox
from tests.slack.cases import CHANNEL, TEXT, Case, a_case, eventually
from tests.town import Town, until, wait_until

FRAUDES = "C0SIMUFRAUDES"


@pytest.fixture
async def case(town: Town, ana: Person) -> AsyncIterator[Case]:
    async with Person(town.url, "luis") as luis:
        await ana.command("atencion", "/beto", "watch")
        yield await a_case(town, ana, luis)


async def answer(person: Person, asking: Callable[[], "asyncio.Future[bool]"], words: str = "Las palabras son") -> Json:
    """The modal once it says this; it opened at once, with one moment to wait."""
    changes = person.changes()
    assert await asking()
    first = await until(changes, lambda change: change["type"] == "view")
    assert "Un momento" in str(first["view"])
    change = await until(changes, lambda change: change["type"] == "view" and words in str(change["view"]), 60)
    changes.close()
    return dict(change["view"])


def asked(case: Case) -> list[tuple[str, object]]:
    with case.town.store.database.reading() as connection:
        found = connection.execute(outbox.select().where(outbox.c.kind == Kind.EXPLANATION, outbox.c.message_id == case.id))
        return [(row.state, row.content) for row in found]


async def test_the_button_tells_the_words_and_what_is_most_like_it(case: Case) -> None:
    """Before anybody corrects a label they want to know where it comes from; nothing of the answer is kept."""
    # Other tests judge the common text as well, and only the nearest few are told.
    text = f"{TEXT} de mi tía {''.join(random.choices('bcdfghjklmnpqrstvwxyz', k=12))}"
    case = await a_case(case.town, case.ana, case.luis, text)
    like = await a_case(case.town, case.ana, case.luis, f"Otra vez: {text}")
    await case.luis.react(CHANNEL, like.reply_ts, "no_entry_sign")
    await like.until(lambda state: not state.unknown)
    await case.ana.invite("fraudes", case.town.slack.workspace.bot_user_id)
    hidden = await case.ana.message("fraudes", f"En secreto: {text}")
    stored = case.town.store.messages.find
    await case.ana.shortcut(FRAUDES, hidden, "classify_message")
    await eventually(lambda: stored(FRAUDES, hidden) is not None, lambda: "it was not saved")
    await case.ana.react(FRAUDES, (await case.ana.wait_for_reply("fraudes", hidden, 30))["ts"], "no_entry_sign")
    view = await answer(case.ana, lambda: case.ana.action("labels_why", channel=CHANNEL, ts=case.reply_ts))
    told = str(view["blocks"])
    assert "*Tarjeta*" in told
    assert "por «" in told
    assert f"archives/{CHANNEL}/p{like.ts.replace('.', '')}|Otra vez" in told
    assert "ninguna, según <@U0SIMULUIS>" in told
    assert "En secreto" not in told  # of a private channel, whoever reads it elsewhere
    await eventually(lambda: asked(case) == [(State.SHOWN, None)], lambda: str(asked(case)))
    # A label that is not there, by the menu, in the same modal.
    changes = case.ana.changes()
    [menu] = [block["accessory"] for block in view["blocks"] if block.get("accessory")]
    assert "ahorro" in {option["value"] for option in menu["options"]}
    chosen = next(option for option in menu["options"] if option["value"] == "ahorro")
    assert await case.ana.action(
        menu["action_id"], view_id=str(view["id"]), block_id=menu["action_id"], selected_option=chosen
    )  # fmt: skip
    change = await until(changes, lambda change: change["type"] == "view" and "no la doy" in str(change["view"]), 60)
    changes.close()
    assert str(change["view"]["blocks"][0]["text"]["text"]).startswith("*Ahorro e inversión*, no la doy")


async def test_the_command_and_the_shortcut_ask_the_same(case: Case) -> None:
    link = f"https://x.slack.com/archives/{CHANNEL}/p{case.ts.replace('.', '')}"

    async def command() -> bool:
        await case.luis.command("atencion", "/beto", f"por qué {link} ahorro")
        return True

    told = str((await answer(case.luis, command))["blocks"])  # type: ignore[arg-type]  # awaited all the same
    assert "*Ahorro e inversión*, no la doy" in told
    view = await answer(case.luis, lambda: case.luis.shortcut(CHANNEL, case.ts, "explain_labels"))
    assert "*Tarjeta*" in str(view["blocks"])


async def test_while_no_worker_runs_it_is_said_and_then_answered(case: Case) -> None:
    """Nobody is left with one moment for ever: the row waits in the database, as a message does."""
    worker = case.town.processes["worker"].popen
    assert worker is not None
    changes = case.ana.changes()
    worker.send_signal(signal.SIGSTOP)
    try:
        assert await case.ana.action("labels_why", channel=CHANNEL, ts=case.reply_ts)
        await until(changes, lambda change: change["type"] == "view" and "Tarda más" in str(change["view"]), 60)
    finally:
        worker.send_signal(signal.SIGCONT)
    await until(changes, lambda change: change["type"] == "view" and "*Tarjeta*" in str(change["view"]), 90)
    changes.close()
    wait_until(lambda: asked(case) == [(State.SHOWN, None)], 10, "it is shown")
