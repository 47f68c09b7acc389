"""The whole way, with every part real but Slack: from a person's message to the reply in its thread.

Each journey runs over Socket Mode with SQLite and over signed HTTP with PostgreSQL.
"""

import asyncio
import signal

import aiohttp
import pytest

from bot.local.running import read_health
from bot.simulator.person import Person
from tests.outbox_rows import is_settled
from tests.town import Town, until, wait_until

CARD = "El cajero se tragó mi tarjeta de débito y no me dio la plata"


async def slack_tries_again(town: Town, *names: str) -> None:
    """Once these processes are back, Slack's minute before it delivers again is over at once."""
    for name in names:
        port = town.processes[name].port
        wait_until(lambda port=port: (told := read_health(port, "ready")) and not told["waiting_for"], 60, f"{name} is back")
    skipped = {"seconds": 61, "stamps": False}  # those of later messages would be ahead of the town's own clock
    async with aiohttp.ClientSession() as session, session.post(f"{town.url}/control/step", json=skipped) as answer:
        assert answer.status == 200


async def replies_to(person: Person, channel: str, ts: str) -> list[str]:
    thread = (await person.messages(channel, ts))[1:]
    return [message["text"] for message in thread if message.get("bot_id") and not message.get("ephemeral")]


async def watch(town: Town, person: Person) -> None:
    """The bot labels what is written in #atencion from now on."""
    assert await person.command("atencion", "/beto", "watch")
    wait_until(lambda: town.store.channels.mode("C0SIMUATENCION") == "auto", 10, "the channel is watched")


async def test_a_message_in_a_watched_channel_gets_its_labels_in_its_thread(town: Town, ana: Person) -> None:
    """The product's one promise."""
    await watch(town, ana)
    ts = await ana.message("atencion", CARD)
    reply = await ana.wait_for_reply("atencion", ts, 20)
    assert reply["thread_ts"] == ts
    assert "%" in str(reply["blocks"])
    assert "mini · versión 1" in str(reply["blocks"])
    stored = town.store.messages.find("C0SIMUATENCION", ts)
    wait_until(lambda: is_settled(town.store, stored.id), 5, "the reply is recorded")


async def test_an_unwatched_channel_is_left_alone_until_somebody_asks(town: Town, ana: Person) -> None:
    """An invited bot must not talk unasked."""
    await ana.command("atencion", "/beto", "unwatch")
    unasked = await ana.message("atencion", "esto no es para nadie en especial")
    asked = await ana.message("atencion", f"@beto {CARD}")
    await ana.wait_for_reply("atencion", asked, 20)
    assert await replies_to(ana, "atencion", unasked) == []
    assert len(await replies_to(ana, "atencion", asked)) == 1  # `app_mention` and `message` both told of it


async def test_a_direct_message_is_answered(ana: Person, town: Town) -> None:
    channel = await ana.open_dm(town.slack.workspace.bot_user_id)
    ts = await ana.message(channel, "olvidé la clave de la app")
    assert (await ana.wait_for_reply(channel, ts, 20))["thread_ts"] == ts


async def test_a_command_answers_its_person_alone(ana: Person) -> None:
    """`/beto clasifica` is for a text that others need not see."""
    changes = ana.changes()
    assert await ana.command("general", "/beto", f"clasifica {CARD}")
    change = await until(changes, lambda change: change["type"] == "message" and change["message"].get("ephemeral"))
    assert "%" in str(change["message"]["blocks"])
    assert CARD not in str(await ana.messages("general"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "/beto watch"),
        ("ayuda", "/beto watch"),
        ("estado", "mini · versión 1"),
        ("status", "mini · versión 1"),
        ("clasifica", "Escribe el texto después"),
        ("bailar `<!channel>", "No conozco"),
    ],
)
async def test_every_word_gets_a_private_answer(ana: Person, words: str, says: str) -> None:
    """Also one that does not exist: silence would look like a fault."""
    changes = ana.changes()
    assert await ana.command("atencion", "/beto", words)
    message = (await until(changes, lambda change: change["type"] == "message"))["message"]
    assert message["ephemeral"]
    assert says in message["text"]


async def test_the_shortcut_labels_any_message_and_says_when_it_was_labelled_before(town: Town, ana: Person) -> None:
    """Never silence: the labels, where they are, or that they are coming."""
    await ana.command("atencion", "/beto", "unwatch")
    ts = await ana.message("atencion", "me cobraron una comisión que nadie me explicó")
    worker = town.processes["worker"].popen
    assert worker is not None
    worker.send_signal(signal.SIGSTOP)  # so that they are on their way for as long as we look
    try:
        assert await ana.shortcut("atencion", ts, "classify_message")
        assert "vienen en camino" in await told_by_the_shortcut(ana, ts)
        assert await replies_to(ana, "atencion", ts) == []
    finally:
        worker.send_signal(signal.SIGCONT)
    await ana.wait_for_reply("atencion", ts, 60)
    stored = town.store.messages.find("C0SIMUATENCION", ts)
    wait_until(lambda: is_settled(town.store, stored.id), 10, "the reply is recorded")
    assert "ya tiene sus etiquetas" in await told_by_the_shortcut(ana, ts)
    assert len(await replies_to(ana, "atencion", ts)) == 1


async def told_by_the_shortcut(ana: Person, ts: str) -> str:
    """What she alone reads after she chose it again."""
    changes = ana.changes()
    assert await ana.shortcut("atencion", ts, "classify_message")
    change = await until(changes, lambda change: change["type"] == "message" and change["message"].get("ephemeral"))
    changes.close()
    return str(change["message"]["text"])


async def test_an_edited_message_is_labelled_again_in_the_same_reply(town: Town, ana: Person) -> None:
    """The labels must be of the words that stand there."""
    await watch(town, ana)
    ts = await ana.message("atencion", "hola")
    before = await ana.wait_for_reply("atencion", ts, 20)
    changes = ana.changes()
    await ana.edit("atencion", ts, "quiero sacar un préstamo para una casa, ¿qué requisitos piden y cuál es la tasa?")
    change = await until(changes, lambda change: change["type"] == "message_changed" and change["message"]["ts"] == before["ts"])
    assert change["message"]["blocks"] != before["blocks"]
    assert len(await replies_to(ana, "atencion", ts)) == 1


async def test_a_deleted_message_takes_its_reply_and_its_text_with_it(town: Town, ana: Person) -> None:
    await watch(town, ana)
    ts = await ana.message("atencion", "mi cédula secreta es 1700000001")
    reply = await ana.wait_for_reply("atencion", ts, 20)
    changes = ana.changes()
    await ana.delete("atencion", ts)
    await until(changes, lambda change: change["type"] == "message_deleted" and change["ts"] == reply["ts"])
    assert "secreta" not in town.store.messages.find("C0SIMUATENCION", ts).message.text


async def test_what_slack_delivers_twice_is_answered_once(town: Town, ana: Person) -> None:
    """Under the same event id, under a new one, and again after an acknowledgement that was lost."""
    await watch(town, ana)
    town.slack.faults.duplicate_next(new_event_id=True)
    first = await ana.message("atencion", "se cayó la app otra vez")
    town.slack.faults.drop_acks(1)
    second = await ana.message("atencion", "no me llega el código al celular")
    for ts in (first, second):
        await ana.wait_for_reply("atencion", ts, 20)
    last = await ana.message("atencion", "y gracias por todo")
    await ana.wait_for_reply("atencion", last, 20)
    assert [len(await replies_to(ana, "atencion", ts)) for ts in (first, second)] == [1, 1]


@pytest.mark.parametrize(
    "text",
    [
        "😡😡😡",
        "https://ejemplo.com/promo?x=1&y=2",
        "\u202eחשבון שלי نحن\u0007\u0000 \u200b",
        "<!channel> <!everyone> @here miren esto",
        "*_~`&lt;script&gt;",
        "tarjeta bloqueada " * 2200,
    ],
    ids=["emoji", "link", "rtl and control", "mentions everyone", "markup", "40,000 characters"],
)
async def test_odd_texts_get_an_answer_too(town: Town, ana: Person, text: str) -> None:
    """Whatever people paste: one reply, nobody else is called by it, and a cut text says that it was cut."""
    await watch(town, ana)
    ts = await ana.message("atencion", text[:39_900])
    reply = await ana.wait_for_reply("atencion", ts, 30)
    assert "<!" not in str(reply["blocks"])
    assert ("leí solo el principio" in str(reply["blocks"])) == (len(text) > 10_000)


async def test_slack_failing_to_take_a_reply_delays_it_and_does_not_double_it(town: Town, ana: Person) -> None:
    await watch(town, ana)
    town.slack.faults.fail_next("chat.postMessage", 500)
    town.slack.faults.fail_next("chat.postMessage", "ratelimited")
    ts = await ana.message("atencion", "no reconozco este consumo de $90 en mi tarjeta")
    await ana.wait_for_reply("atencion", ts, 60)
    assert len(await replies_to(ana, "atencion", ts)) == 1


async def test_redis_may_be_wiped_while_messages_come_in(town: Town, ana: Person) -> None:
    """Redis is only the road: what was saved and not answered comes back by the sweep."""
    await watch(town, ana)
    redis = town.processes["redis"]
    assert redis.popen is not None
    redis.popen.kill()
    ts = await ana.message("atencion", "¿a qué hora abre la agencia del centro?")
    wait_until(
        lambda: town.store.messages.find("C0SIMUATENCION", ts) is not None,
        10,
        "the message is saved without Redis",
    )
    await ana.wait_for_reply("atencion", ts, 90)
    assert len(await replies_to(ana, "atencion", ts)) == 1


async def test_a_redis_that_does_not_answer_delays_no_acknowledgement(town: Town, ana: Person) -> None:
    """Frozen is worse than dead: whoever waits for it lets Slack's three seconds pass, and every event comes again and again."""
    await watch(town, ana)
    redis = town.processes["redis"].popen
    assert redis is not None
    redis.send_signal(signal.SIGSTOP)
    try:
        sent = [await ana.message("atencion", f"{CARD} congelado {n}") for n in range(10)]
        wait_until(
            lambda: all(town.store.messages.find("C0SIMUATENCION", ts) for ts in sent),
            20,
            "saved meanwhile",
        )
        wait_until(lambda: acknowledged(town, sent), 20, "all are acknowledged meanwhile")
    finally:
        redis.send_signal(signal.SIGCONT)
    for ts in sent:
        await ana.wait_for_reply("atencion", ts, 90)
    assert [len(await replies_to(ana, "atencion", ts)) for ts in sent] == [1] * len(sent)


def acknowledged(town: Town, sent: list[str]) -> bool:
    heard = {each.request["event"].get("ts") for each in list(town.slack.wire) if each.kind == "event" and each.outcome == "ok"}
    return set(sent) <= heard


@pytest.mark.parametrize("name", ["worker", "replies", "bot"])
async def test_a_process_killed_in_the_middle_loses_nothing(town: Town, ana: Person, name: str) -> None:
    """SIGKILL while messages stream in; the process comes back; each message has one reply."""
    await watch(town, ana)
    process = town.processes[name]
    sent = [await ana.message("atencion", f"{CARD} número {n}") for n in range(5)]
    assert process.popen is not None
    process.popen.kill()
    sent += [await ana.message("atencion", f"{CARD} después {n}") for n in range(5)]
    await asyncio.to_thread(process.popen.wait)
    await slack_tries_again(town, name)
    for ts in sent:
        await ana.wait_for_reply("atencion", ts, 120)
    assert [len(await replies_to(ana, "atencion", ts)) for ts in sent] == [1] * len(sent)


async def test_processes_that_are_told_to_stop_lose_nothing_and_are_gone_in_time(town: Town, ana: Person) -> None:
    """Every deployment does this: SIGTERM while messages stream in, and systemd's patience is not endless."""
    await watch(town, ana)
    stopped = [town.processes[name].popen for name in ("worker", "replies", "bot")]
    sent = [await ana.message("atencion", f"{CARD} antes {n}") for n in range(5)]
    for process in stopped:
        process.terminate()
    sent += [await ana.message("atencion", f"{CARD} luego {n}") for n in range(5)]
    assert [await asyncio.to_thread(process.wait, 20) for process in stopped] == [0, 0, 0]
    await slack_tries_again(town, "worker", "replies", "bot")
    for ts in sent:
        await ana.wait_for_reply("atencion", ts, 120)
    assert [len(await replies_to(ana, "atencion", ts)) for ts in sent] == [1] * len(sent)
