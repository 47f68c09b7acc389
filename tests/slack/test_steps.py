"""The step «Clasificar texto»: what is labelled of what a workflow hands over, and what it is told where nothing is."""

from pathlib import Path
from typing import Any

import pytest

from bot.slack.listeners import steps as listener
from bot.views.texts import load_texts
from model.schema import Message, Source
from model.store.outbox_row import State, step_key
from model.store.store import Store
from tests.slack.dispatching import TEAM, a_context, dispatcher, inside, published, slack, store
from tests.town import SimulatorThread, publish_version

__all__ = ["inside", "published", "slack", "store"]

CHANNEL, PRIVATE, OUTSIDE = "C0SIMUATENCION", "C0SIMUFRAUDES", "C0SIMURECLAMOS"
TEXTS = load_texts("es")


@pytest.fixture
def live(store: Store, trained_version: Path) -> Store:
    """A store with a version that answers."""
    publish_version(store, trained_version)
    return store


def link(channel: str, ts: str, more: str = "") -> str:
    return f"https://cooperativa.slack.com/archives/{channel}/p{ts.replace('.', '')}{more}"


@pytest.fixture
def asked(slack: SimulatorThread, store: Store, tmp_path: Path, published: list[str]) -> Any:
    """A workflow runs the step with these inputs; the row that it leaves."""
    dispatch = dispatcher(slack, store, tmp_path, published, context=a_context(slack, store, tmp_path, published))

    async def ask(execution: str = "Fx1", callback_id: str = "classify_text", **inputs: object) -> Any:
        event = {
            "type": "function_executed", "function": {"callback_id": callback_id}, "inputs": inputs, "event_ts": "9.000001",
            "function_execution_id": execution, "workflow_execution_id": "Wx1", "bot_access_token": "xwfp-1",
        }  # fmt: skip
        answer = await dispatch({"type": "event_callback", "team_id": TEAM, "event": event, "api_app_id": "A1"})
        assert answer.status == 200
        row = store.outbox.get(step_key(execution))
        assert row is not None
        return row

    return ask


async def test_a_text_is_saved_masked_and_once_then_a_worker_is_asked(live: Store, asked: Any, published: list[str]) -> None:
    """Slack repeats an event; a form's text has the telephone number of whoever filled it in."""
    long = "perdí la tarjeta, llámenme al 0991234567 " + "por favor " * 6000
    row = await asked(text=long)
    await asked(text=long)
    assert row.state is State.AWAITING_PREDICTION
    assert "0991234567" not in row.content["text"]
    assert 39_000 < len(row.content["text"]) < 40_100  # as long as Slack's longest; a word for the number is longer
    assert published == ["worker.step"]


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({}, "step.no_text"),
        ({"text": "  ", "message_link": ""}, "step.no_text"),
        ({"message_link": "https://example.com/"}, "step.no_link"),
        ({"message_link": link(PRIVATE, "1716400000.000001")}, "step.private"),
        ({"message_link": link("D0SIMU00001", "1716400000.000001")}, "step.private"),
        ({"message_link": link("C0NOWHERE", "1716400000.000001")}, "step.private"),
        ({"message_link": link(OUTSIDE, "1716400000.000001")}, "step.outside"),
        ({"message_link": link(CHANNEL, "1716400000.000001")}, "step.gone"),
        ({"message_link": link(CHANNEL, "1716400000.000001", "?thread_ts=1716300000.000001&cid=C1")}, "step.gone"),
    ],
)
async def test_where_there_is_nothing_to_label_the_workflow_is_told_why(
    inputs: dict[str, str], why: str, live: Store, inside: SimulatorThread, asked: Any, published: list[str]
) -> None:
    """Of a private channel nothing is read, whether the bot is in it or not: Slack does not say who runs a workflow."""
    row = await asked(**inputs)
    assert (row.state, row.content["refusal"]) == (State.DUE, why)
    assert TEXTS(why, **row.content["values"])
    assert published == ["bot.deliver"]


async def test_a_step_that_cannot_be_served_is_told_too(store: Store, asked: Any, trained_version: Path) -> None:
    """Before the first version there is nothing that could answer; and an older manifest may have steps that are gone."""
    assert (await asked("Fx1", text="hola")).content["refusal"] == "step.no_version"
    publish_version(store, trained_version)
    assert (await asked("Fx2", "translate_text", text="hola")).content["refusal"] == "step.former"


async def test_a_linked_message_is_read_where_everybody_may_read_it(live: Store, inside: SimulatorThread, asked: Any) -> None:
    """As it stands in Slack, in a thread too; where we know it, as we keep it."""

    async def write(ana: Any) -> tuple[str, str]:
        ts = await ana.message("atencion", "el cajero se tragó mi tarjeta")
        return ts, await ana.message("atencion", "y nadie contesta", ts)

    ts, reply = inside.as_person("ana", write)
    assert (await asked("Fx1", message_link=link(CHANNEL, ts))).content["text"] == "el cajero se tragó mi tarjeta"
    in_thread = link(CHANNEL, reply, f"?thread_ts={ts}&cid={CHANNEL}")
    assert (await asked("Fx2", message_link=in_thread)).content["text"] == "y nadie contesta"
    heard = Message(channel=CHANNEL, ts="1716400000.000099", user="U1", text="lo sabíamos", source=Source.CHANNEL)
    live.messages.save(heard)
    known = link(CHANNEL, heard.ts)
    assert (await asked("Fx3", message_link=known)).content["text"] == "lo sabíamos"
    live.messages.delete(CHANNEL, heard.ts)
    assert (await asked("Fx4", message_link=known)).content["refusal"] == "step.gone"


async def test_a_slack_that_does_not_answer_leaves_no_workflow_waiting(
    live: Store, inside: SimulatorThread, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are three seconds; the workflow can be run again."""
    monkeypatch.setattr(listener, "READ_WITHIN_S", 0.05)
    inside.simulator.faults.delay_calls("conversations.info", 1.0)
    try:
        row = await asked(message_link=link(CHANNEL, "1716400000.000777"))
    finally:
        inside.simulator.faults.calm()
    assert row.content["refusal"] == "step.unread"
