"""Teams with more labels than a menu of Slack's holds find them by typing; over the wire."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.person import Person
from model.store.store import Store
from tests.slack.connected import connected, grow
from tests.slack.dispatching import store
from tests.town import SimulatorThread, until

__all__ = ["store"]

GENERAL = "C0SIMUGENERAL"


@pytest.fixture(params=[99, 100, 101, 400])
def many(request: pytest.FixtureRequest, slack: SimulatorThread, store: Store, tmp_path: Path) -> Iterator[int]:
    """So many labels, in a workspace where the bot listens."""
    grow(store, request.param)
    with connected(slack, store, tmp_path, []):
        yield request.param


async def the_modal(person: Person, ts: str) -> dict[str, Any]:
    """The modal of this message, once it asks for labels."""
    changes = person.changes()
    assert await person.shortcut(GENERAL, ts, "edit_labels")
    change = await until(changes, lambda change: change["type"] == "view" and change["view"].get("submit"))
    changes.close()
    return dict(change["view"])


def menu_of(view: dict[str, Any]) -> dict[str, Any]:
    [menu] = [dict(block["element"]) for block in view["blocks"] if block.get("block_id") == "labels"]
    return menu


def test_every_label_can_be_chosen_and_stays_chosen(many: int, slack: SimulatorThread, store: Store) -> None:
    """Slack refuses a modal with more than a hundred options, so nobody could correct anything."""

    async def correct(person: Person) -> None:
        ts = await person.message("general", "Perdí mi tarjeta y quiero saber cuánto cuesta otra")
        view = await the_modal(person, ts)
        menu = menu_of(view)
        if many < 100:
            assert [option["value"] for option in menu["options"]] == list(store.labels.current().names)
            offered = menu["options"]
        else:
            assert menu["type"] == "multi_external_select"
            assert len(await person.suggest("labels", "", view_id=view["id"], block_id="labels")) == 100
            assert await person.suggest("labels", "no hay tal cosa", view_id=view["id"]) == []
            offered = await person.suggest("labels", f"TEMA  numero {many - 1}", view_id=view["id"])
        last = f"tema_{many - 1}"
        # Without an emoji nothing stands before the title, and Slack takes no empty description.
        [option] = [option for option in offered if option["value"] == last]
        assert option == {"text": {"type": "plain_text", "text": f"Tema número {many - 1}", "emoji": True}, "value": last}
        chosen = {"labels": {"labels": {"type": menu["type"], "selected_options": [option, {"value": "tarjeta"}]}}}
        assert await person.view_submit(view["id"], chosen)
        stored = store.messages.find(GENERAL, ts)
        assert stored is not None
        judged = store.judged.of(stored.id, store.labels.current())
        assert judged is not None
        assert set(judged.state.shown) == {last, "tarjeta"}
        assert judged.state.unknown == ()

        # Opened anew, it shows what was chosen, and is about the same message.
        again = await the_modal(person, ts)
        assert {one["value"] for one in menu_of(again)["initial_options"]} == {last, "tarjeta"}
        assert json.loads(again["private_metadata"])["message"] == stored.id
        if many >= 100:
            assert await person.suggest("labels", "tarjeta", view_id=again["id"])
        assert await person.view_submit(again["id"])  # looked, typed, and left as it was
        judged = store.judged.of(stored.id, store.labels.current())
        assert judged is not None
        assert set(judged.state.shown) == {last, "tarjeta"}

    slack.as_person("ana", correct)
