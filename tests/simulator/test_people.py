"""The person API, and who may use it."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.errors import SlackError
from bot.simulator.person import Person
from bot.simulator.server import Simulator, run


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """Run a simulator in which the bot is in no channel yet."""
    simulator = Simulator(rate_limits=False)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def ana(simulator: Simulator) -> AsyncIterator[Person]:
    async with Person(simulator.url, "ana") as ana:
        yield ana


async def test_the_state_names_people_channels_and_commands(ana):
    """The page is rendered from this alone."""
    state = await ana.state()
    assert state["team"]["name"] == "Cooperativa Sol Andino"
    assert [one["name"] for one in state["channels"]] == ["general", "atencion", "reclamos", "fraudes"]
    assert [one["name"] for one in state["users"] if one["is_bot"]] == ["beto"]
    assert state["commands"][0]["command"] == "/beto"
    assert {one["callback_id"] for one in state["shortcuts"]} == {
        "classify_message",
        "edit_labels",
        "explain_labels",
        "label_history",
    }


async def test_everybody_sees_only_their_channels(simulator, ana):
    """A private channel stays private, and a guest sees only where they are a member."""
    dm = await ana.open_dm("luis")
    async with Person(simulator.url, "maria") as maria, Person(simulator.url, "carlos") as carlos:
        assert [one["name"] for one in (await maria.state())["channels"]] == ["general", "atencion", "reclamos"]
        assert [one["name"] for one in (await carlos.state())["channels"]] == ["general", "atencion"]
        for channel in ("fraudes", dm):
            with pytest.raises(SlackError, match="channel_not_found"):
                await maria.messages(channel)
            with pytest.raises(SlackError, match="channel_not_found"):
                await maria.message(channel, "hola")


async def test_a_change_reaches_those_who_may_see_it(simulator, ana):
    """The page is live, and tells nobody what is not theirs."""
    async with Person(simulator.url, "luis") as luis, Person(simulator.url, "maria") as maria:
        for_luis, for_maria = luis.changes(), maria.changes()
        secret = await ana.message("fraudes", "secreto")
        public = await ana.message("general", "público")
        await luis.react("general", public, "eyes")
        assert [(await anext(for_luis))["message"]["ts"] for _ in range(2)] == [secret, public]
        assert (await anext(for_maria))["message"]["ts"] == public
        assert (await anext(for_maria))["message"]["reactions"][0]["name"] == "eyes"


@pytest.mark.parametrize(
    ("verb", "body", "error"),
    [
        ("message", {"channel": "general", "text": " "}, "no_text"),
        ("message", {"channel": "general", "text": "a" * 40_001}, "msg_too_long"),
        ("message", {"channel": "general", "text": "/nada x"}, "unknown_command"),
        ("message", {"channel": "nowhere", "text": "x"}, "channel_not_found"),
        ("message", {"channel": "general", "text": "x", "thread_ts": "1.2"}, "thread_not_found"),
        ("message", {"channel": "general"}, "invalid_arguments"),
        ("message", {"channel": "general", "text": "x", "user": "nobody"}, "user_not_found"),
        ("message", {"channel": "general", "text": "x", "user": "beto"}, "user_not_found"),
        ("edit", {"channel": "general", "ts": "1.2", "text": "x"}, "message_not_found"),
        ("react", {"channel": "general", "ts": "1.2", "name": "x"}, "message_not_found"),
        ("shortcut", {"channel": "general", "ts": "1.2", "callback_id": "nada"}, "unknown_shortcut"),
        ("view_submit", {"view_id": "V404"}, "view_not_found"),
        ("dance", {}, "unknown_verb"),
    ],
)
async def test_a_refusal_has_a_code_and_a_sentence(simulator, verb, body, error):
    """A person reads the sentence, in Spanish; a test reads the code."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{simulator.url}/person/{verb}", json={"user": "ana"} | body) as response,
    ):
        answer = await response.json()
    assert (response.status, answer["ok"], answer["error"]) == (400, False, error)
    assert answer["message"].endswith(".")


async def test_others_messages_are_not_ones_own(simulator, ana):
    """Nobody edits for somebody else; an admin may delete."""
    async with Person(simulator.url, "luis") as luis:
        ts = await luis.message("general", "de luis")
        with pytest.raises(SlackError, match="cant_update_message"):
            await ana.edit("general", ts, "x")
        own = await ana.message("general", "de ana")
        with pytest.raises(SlackError, match="cant_delete_message"):
            await luis.delete("general", own)
        await ana.delete("general", ts)
        assert [one["text"] for one in await luis.messages("general")] == ["de ana"]


async def test_a_command_does_not_work_in_a_thread(ana):
    """Slack refuses an app's commands there."""
    ts = await ana.message("general", "hilo")
    with pytest.raises(SlackError, match="command_in_thread"):
        await ana.message("general", "/beto ayuda", thread_ts=ts)


async def test_a_required_field_is_asked_for_before_the_app_hears_of_it(simulator, ana):
    """Slack's client does the same, so apps rely on required fields."""
    await ana.invite("general", "beto")
    trigger = simulator.views.new_trigger("U0SIMUANA")
    view = {
        "type": "modal", "title": {"type": "plain_text", "text": "T"}, "submit": {"type": "plain_text", "text": "Sí"},
        "blocks": [
            {
                "type": "input", "block_id": "b", "label": {"type": "plain_text", "text": "L"},
                "element": {"type": "plain_text_input", "action_id": "a", "max_length": 5},
            }
        ],
    }  # fmt: skip
    client = AsyncWebClient(token=simulator.bot_token, base_url=f"{simulator.url}/api/")
    opened = (await client.views_open(trigger_id=trigger, view=view))["view"]
    changes = ana.changes()
    for value in ("", "demasiado"):
        with pytest.raises(SlackError, match="missing_fields"):
            await ana.view_submit(opened["id"], {"b": {"a": {"type": "plain_text_input", "value": value}}})
        assert (await anext(changes))["errors"].keys() == {"b"}
    stale = await client.api_call("views.update", json={"view_id": opened["id"], "hash": opened["hash"], "view": view})
    assert stale["view"]["hash"] != opened["hash"]
    with pytest.raises(Exception, match="hash_conflict"):
        await client.views_update(view_id=opened["id"], hash=opened["hash"], view=view)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": ""},
        {"Host": "[::1"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/person/state?user=ana", "/person/socket?user=ana", "/api/auth.test", "/health"])
async def test_other_sites_reach_nothing(simulator, path, headers):
    """A web page elsewhere, or a name that was pointed at loopback, must not read or write in the workspace."""
    async with aiohttp.ClientSession() as session, session.get(simulator.url + path, headers=headers) as response:
        assert response.status in (400, 403)


async def test_the_page_is_served_with_its_own_files_only(simulator):
    """Nothing outside the page's folder can be had, and the page may load nothing from elsewhere."""
    async with aiohttp.ClientSession() as session:
        async with session.get(simulator.url) as response:
            assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        for path in ("/..%2fserver.py", "/page/..%2f..%2fmanifest.json", "/server.py"):
            async with session.get(simulator.url + path) as response:
                assert response.status == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "example.com", ""])
def test_only_loopback_is_listened_on(host):
    """The tokens are known to everybody."""
    with pytest.raises(ValueError, match="loopback"):
        Simulator(host=host)


async def test_a_taken_port_is_named(simulator):
    """The operator must know what to change."""
    with pytest.raises(OSError, match=f"port {simulator.port} on 127.0.0.1 is taken"):
        await Simulator(port=simulator.port).start()


async def test_run_serves_until_it_is_cancelled(simulator):
    """`beto simulator` is this function."""
    await simulator.stop()
    task = asyncio.create_task(run("127.0.0.1", simulator.port, None, None))
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(5):
            while True:
                try:
                    async with session.get(f"{simulator.url}/health") as response:
                        assert await response.json() == {"ok": True, "sockets": 0, "app_url": simulator.url}
                        break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"{simulator.url}/health")


async def test_a_thousand_replies_in_one_thread_stay_fast(simulator):
    """Benchmarks send hundreds of messages a second: no step may grow with what is there already."""
    workspace = simulator.workspace
    channel, ana = workspace.channel("general"), workspace.user("ana")
    parent = workspace.post_as_person(ana, channel, "hilo")["ts"]

    def calls() -> int:
        counted = Counter[str]()
        sys.setprofile(lambda _frame, event, _what: counted.update([event]))
        try:
            for n in range(200):
                workspace.post_as_person(ana, channel, f"respuesta {n}", parent)
        finally:
            sys.setprofile(None)
        return counted.total()

    first = calls()
    for n in range(2000):
        workspace.post_as_person(ana, channel, f"respuesta {n}", parent)
    assert calls() < 1.5 * first
