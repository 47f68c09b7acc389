"""What an app offers beside its messages, as Slack keeps it: prompts in direct messages, and a line that goes with the answer."""

import copy
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.errors import Json
from bot.simulator.server import MANIFEST, Simulator, read_manifest
from tests.simulated import simulated

GENERAL = "C0SIMUGENERAL"
PROMPTS = [{"title": "¿Qué sabes hacer?", "message": "ayuda"}]


def client_of(simulator: Simulator) -> AsyncWebClient:
    return AsyncWebClient(token=simulator.bot_token, base_url=f"{simulator.url}/api/")


def shown(simulator: Simulator, channel: str = GENERAL) -> Json:
    return simulator.apps[0].assistant.shown(simulator.workspace.channels[channel])


def said(simulator: Simulator) -> str:
    workspace = simulator.workspace
    return str(workspace.post_as_person(workspace.user("ana"), workspace.channel("general"), "hola")["ts"])


async def test_a_status_goes_with_the_answer_with_empty_words_and_after_two_minutes(simulator: Simulator) -> None:
    """A line that stands beside the answer says that there is more to come."""
    client, ts, other = client_of(simulator), said(simulator), said(simulator)
    for end in ("answer", "words", "time"):
        await client.assistant_threads_setStatus(channel_id=GENERAL, thread_ts=ts, status="lee…")
        assert shown(simulator)["statuses"] == {ts: "lee…"}
        await client.chat_postMessage(channel=GENERAL, thread_ts=other, text="a otro")
        simulator.clock.step(119)
        assert shown(simulator)["statuses"] == {ts: "lee…"}
        if end == "answer":
            await client.chat_postMessage(channel=GENERAL, thread_ts=ts, text="listo")
        elif end == "words":
            await client.assistant_threads_setStatus(channel_id=GENERAL, thread_ts=ts, status="")
        else:
            simulator.clock.step(1.1)
        assert shown(simulator)["statuses"] == {}, end


async def test_a_status_stands_under_a_message_of_the_channel(simulator: Simulator) -> None:
    """Neither under a reply, nor with more to rotate through than Slack takes."""
    client, ts = client_of(simulator), said(simulator)
    reply = await client.chat_postMessage(channel=GENERAL, thread_ts=ts, text="listo")
    elsewhere = {"channel_id": "C0SIMUFRAUDES"}
    under_a_reply, eleven = {"thread_ts": reply["ts"]}, {"loading_messages": ["a"] * 11}
    for wrong, code in ((under_a_reply, "invalid_thread_ts"), (eleven, "invalid_arguments"), (elsewhere, "channel_not_found")):
        given: dict[str, Any] = {"channel_id": GENERAL, "thread_ts": ts, "status": "lee…"} | wrong
        with pytest.raises(SlackApiError) as refused:
            await client.assistant_threads_setStatus(**given)
        assert refused.value.response["error"] == code


@pytest.mark.parametrize("prompts", [[], PROMPTS * 5, [{"title": "Ayuda"}], [{"title": "", "message": "ayuda"}]])
async def test_prompts_are_four_at_most_each_with_a_title_and_a_message(simulator: Simulator, prompts: list[Json]) -> None:
    """What Slack does not take is not shown here."""
    workspace = simulator.workspace
    direct = workspace.direct_channel(workspace.user("beto"), workspace.user("ana")).id
    with pytest.raises(SlackApiError) as refused:
        await client_of(simulator).assistant_threads_setSuggestedPrompts(channel_id=direct, prompts=prompts)
    assert refused.value.response["error"] == "invalid_arguments"


@pytest.mark.parametrize(("agent", "thread_ts", "stands"), [(True, None, True), (True, "1.000001", False), (False, None, False)])
async def test_prompts_are_an_agents_and_belong_to_no_thread(agent: bool, thread_ts: str | None, stands: bool) -> None:
    """By Slack's page a call with thread_ts "silently fails": whoever only looks at `ok` never notices."""
    manifest = copy.deepcopy(read_manifest(MANIFEST))
    if not agent:
        del manifest["features"]["agent_view"]
    async with simulated(manifest=manifest) as simulator:
        workspace = simulator.workspace
        direct = workspace.direct_channel(workspace.user("beto"), workspace.user("ana")).id
        answer = await client_of(simulator).assistant_threads_setSuggestedPrompts(
            channel_id=direct, prompts=PROMPTS, thread_ts=thread_ts
        )
        assert answer["ok"]
        assert ("prompts" in shown(simulator, direct)) is stands
