"""A workflow's step and a channel's past, with every process real: over Socket Mode with SQLite, over HTTP with PostgreSQL."""

from bot.simulator.errors import Json
from bot.simulator.person import Person
from model.store.outbox_row import State, reply_key
from tests.town import Town, until, wait_until

CHANNEL = "C0SIMUATENCION"


async def test_a_workflow_is_told_the_labels_of_a_text(town: Town, ana: Person) -> None:
    """From Slack's event to its answer, through bot, worker and replies; the same text as a link gets the same."""
    text = "Me robaron la tarjeta y ya me hicieron dos compras"
    done = await ana.step(await ana.run_step("classify_text", {"text": text}), 60)
    assert done["status"] == "success", done
    assert done["outputs"]["likeliest"]
    assert 0 < done["outputs"]["confidence"] <= 1
    ts = await ana.message("atencion", text)
    link = f"https://x.slack.com/archives/{CHANNEL}/p{ts.replace('.', '')}"
    assert (await ana.step(await ana.run_step("classify_text", {"message_link": link}), 60)) == done
    refused = await ana.step(await ana.run_step("classify_text", {}), 60)
    assert refused["status"] == "error"
    assert "No hay texto" in refused["error"]


async def test_what_a_channel_wrote_before_is_labelled_without_a_word_there(town: Town, ana: Person) -> None:
    """Whoever asked reads in their direct messages how it went; the channel is told that it was asked for, and nothing else."""
    await ana.invite("reclamos", town.slack.workspace.bot_user_id)
    before = [await ana.message("reclamos", f"El cajero {n} no entregó el dinero") for n in range(3)]
    direct = await ana.open_dm("beto")
    changes = ana.changes()
    assert await ana.command("reclamos", "/beto", "etiqueta 1h")

    def done(change: Json) -> bool:
        message = change.get("message") or {}
        return change.get("channel") == direct and "quedan etiquetados" in str(message.get("text"))

    await until(changes, done, 60)
    changes.close()
    store = town.store
    ids = [stored.id for ts in before if (stored := store.messages.find("C0SIMURECLAMOS", ts)) is not None]
    assert len(ids) == 3

    def settled() -> bool:
        rows = [store.outbox.get(reply_key(each)) for each in ids]
        return all(row is not None and row.state is State.SHOWN for row in rows)

    wait_until(settled, 60, "every reply is settled")
    assert all(store.predictions.latest(each) is not None for each in ids)
    posts = await ana.messages("reclamos")
    said = [each for each in posts if each.get("bot_id") and not each.get("ephemeral")]
    assert len(said) == 2  # its greeting, and that somebody asked
    assert not any(each.get("reply_count") or each.get("reactions") for each in posts)
    await ana.kick("reclamos", town.slack.workspace.bot_user_id)  # as other tests want it
