"""Everybody reads their own Slack's language in what only they see; channels read the workspace's. Over the wire."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.person import Person
from bot.views import guide_blocks, label_blocks, review_blocks, showing_blocks
from model.schema import Message, Prediction, Source
from model.store.predictions import NewPrediction
from model.store.store import Store
from model.store.tables import outbox
from tests.slack.connected import connected
from tests.slack.dispatching import store
from tests.town import SimulatorThread, until

__all__ = ["store"]

# Luis may change labels (see `a_context`), and reads Slack in English; the workspace speaks Spanish.
GENERAL, LUIS, TS = "C0SIMUGENERAL", "U0SIMULUIS", "1700000001.000001"


@pytest.fixture
def team(slack: SimulatorThread, store: Store, tmp_path: Path) -> Iterator[SimulatorThread]:
    workspace = slack.simulator.workspace
    workspace.users[LUIS] = replace(workspace.users[LUIS], locale="en-GB")
    message_id, _ = store.messages.save(
        Message(channel=GENERAL, ts=TS, user="U0SIMUANA", text="Perdí la tarjeta", source=Source.CHANNEL)
    )
    said = Prediction(version=1, base="mini", scores={"tarjeta": 0.9}, labels=("tarjeta",))
    store.predictions.save([NewPrediction(message_id, 1, said, 0.1)])
    with connected(slack, store, tmp_path, []):
        yield slack


def test_whoever_reads_slack_in_english_finds_each_screen_behind_a_button_in_english(team: SimulatorThread, store: Store) -> None:
    """Half of a Spanish team's colleagues abroad would else meet a form that they cannot read, after a list that they could."""

    async def look(luis: Person) -> None:
        changes = luis.changes()

        async def shown(title: str, words: str) -> dict[str, Any]:
            """The next modal with this title that says this."""
            change = await until(
                changes, lambda one: one["type"] == "view" and one["view"]["title"]["text"] == title and words in str(one["view"])
            )
            return dict(change["view"])

        assert await luis.command("general", "/beto", "labels")
        change = await until(changes, lambda one: one["type"] == "view" and "'block_id': 'label:" in str(one["view"]))
        listed = change["view"]
        [actions] = [each for each in listed["blocks"] if each["type"] == "actions"]
        await luis.action(label_blocks.ADD_BUTTON, view_id=listed["id"], block_id=actions["block_id"], value="")
        form = await shown("New label", "Messages that carry it")
        typed = {"title": "Letters", "emoji": ":credit_card:"}
        await luis.view_submit(str(form["id"]), {name: {name: {"value": value}} for name, value in typed.items()})
        errors = await until(changes, lambda one: one["type"] == "view_errors")
        assert "That emoji is the one of" in str(errors["errors"]), "what is wrong with it, too"

        ts = await luis.message(GENERAL, "¿Y la mía?")
        await luis.shortcut(GENERAL, ts, "edit_labels")
        edited = await shown("Labels", "¿Y la mía?")
        assert "Which labels does this message carry?" in str(edited)
        await luis.action(
            guide_blocks.GUIDE_BUTTON, view_id=str(edited["id"]), block_id=block_of(edited, guide_blocks.GUIDE_BUTTON)
        )
        await shown("Guide", "When each label applies")

        assert await luis.command("general", "/beto", "review")
        card = await shown("Review", "Perdí la tarjeta")
        await luis.action(review_blocks.SKIP_BUTTON, view_id=str(card["id"]), block_id=block_of(card, review_blocks.SKIP_BUTTON))
        await shown("Review", "¿Y la mía?")

        await luis.shortcut(GENERAL, ts, "explain_labels")
        await shown("Why?", "I cannot answer yet")

        assert await luis.command("general", "/beto", "watch")
        form = await shown("How I show labels", "Thread")
        await luis.view_submit(str(form["id"]), {showing_blocks.DISPLAY: {showing_blocks.DISPLAY: option("emoji")}})

    team.as_person("luis", look)
    with store.database.reading() as connection:
        rows = connection.execute(outbox.select()).all()
    told = [str(row.content) for row in rows if row.kind == "announcement"]
    assert any("emoji" in each for each in told)
    assert not any("the message" in each for each in told), "the channel reads Spanish"


def block_of(view: dict[str, Any], action: str) -> str:
    return next(
        str(block["block_id"])
        for block in view["blocks"]
        if any(each.get("action_id") == action for each in [*block.get("elements", ()), block.get("accessory", {})])
    )


def option(value: str) -> dict[str, object]:
    return {"type": "radio_buttons", "selected_option": {"value": value}}
