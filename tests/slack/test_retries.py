"""What people see is called once, whatever Slack answers: a 5xx or a lost answer may come after it was posted."""

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import refusal
from bot.outbox import replies
from bot.settings import BotSettings
from bot.simulator.faults import PAGES
from bot.simulator.server import Simulator
from bot.slack.context import slack_client
from bot.slack.retries import repeats_harmlessly
from model.store.store import Store
from tests.slack.dispatching import TEAM, a_context, dispatcher, known, published, slack, surfaces
from tests.town import SimulatorThread

__all__ = ["known", "published", "slack"]

GENERAL = "C0SIMUGENERAL"
BLOCKS = [{"type": "section", "text": {"type": "plain_text", "text": "x"}}]
VIEW = {"type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": BLOCKS}
WRITES: dict[str, dict[str, Any]] = {
    "chat.delete": {"channel": GENERAL, "ts": "1.000001"},
    "chat.postEphemeral": {"channel": GENERAL, "user": "U0SIMUANA", "text": "hola"},
    "chat.postMessage": {"channel": GENERAL, "text": "hola"},
    "chat.update": {"channel": GENERAL, "ts": "1.000001", "text": "hola"},
    "files.completeUploadExternal": {"files": [{"id": "F1"}]},
    "reactions.add": {"channel": GENERAL, "timestamp": "1.000001", "name": "x"},
    "views.open": {"trigger_id": "1.1", "view": VIEW},
    "views.publish": {"user_id": "U0SIMUANA", "view": VIEW | {"type": "home"}},
    "views.push": {"trigger_id": "1.1", "view": VIEW},
    "views.update": {"view_id": "V1", "view": VIEW},
}
# What stands there once, however often it is called: a modal and a Home tab say in their own place that something failed.
REPLACES = {"views.publish", "views.update"}
LOST = (500, 502, 503, *PAGES, "reset", "answer_lost")


def client(simulator: Simulator) -> AsyncWebClient:
    """The client of the bot process, as it is made."""
    environment: dict[str, Any] = {"slack_bot_token": simulator.bot_token, "slack_api_url": f"{simulator.url}/api/"}
    return slack_client(BotSettings(**environment))


def calls(simulator: Simulator) -> Counter[str]:
    """How often each method was called, with whatever outcome."""
    return Counter(each.name for each in simulator.wire if each.kind == "call")


@pytest.mark.parametrize("failure", LOST)
async def test_what_people_see_is_called_once(simulator: Simulator, failure: int | str) -> None:
    """A reply, a modal or a hint that stands there twice (openclaw#22780, rasa#3882)."""
    bot = client(simulator)
    for method, arguments in WRITES.items():
        simulator.faults.fail_next(method, failure)
        with pytest.raises((SlackApiError, aiohttp.ClientError)) as raised:
            await bot.api_call(method, json=arguments)
        if failure in {"reset", "answer_lost"}:
            assert isinstance(raised.value, aiohttp.ClientError)
        else:
            assert isinstance(raised.value, SlackApiError)
            assert refusal(raised.value) is None
    assert calls(simulator) == dict.fromkeys(WRITES, 1)


@pytest.mark.parametrize(("failure", "by_address"), [("not_in_channel", 1), (502, 0), ("plain_page", 0), ("answer_lost", 0)])
async def test_a_hint_goes_by_the_address_only_where_slack_refused_it(
    slack: SimulatorThread, known: Store, tmp_path: Path, published: list[str], failure: int | str, by_address: int
) -> None:
    """Where the answer was lost, the hint may stand there, and the person would read it twice."""
    address = Address(200)
    runner = await address.serve()
    context = a_context(slack, known, tmp_path, published)
    slack.simulator.faults.fail_next("chat.postEphemeral", failure)
    with suppress(SlackApiError, aiohttp.ClientError):
        await context.tell("hola", channel=GENERAL, user="U0SIMUANA", response_url=address.url)
    assert address.posts == by_address
    await runner.cleanup()


@pytest.mark.parametrize("failure", [500, 503, "reset", "answer_lost"])
async def test_what_only_reads_is_asked_again(simulator: Simulator, failure: int | str) -> None:
    """A second of Slack's own trouble must not make a person's click fail."""
    bot = client(simulator)
    simulator.faults.fail_next("users.info", failure)
    assert (await bot.users_info(user="U0SIMUANA"))["ok"]
    assert calls(simulator) == {"users.info": 2}


async def test_what_the_rate_limit_refused_was_not_done_and_is_called_again(simulator: Simulator) -> None:
    """Slack says when; nothing was posted."""
    bot = client(simulator)
    simulator.faults.fail_next("chat.postMessage", "ratelimited", retry_after_s=0)
    await bot.chat_postMessage(channel=GENERAL, text="hola")
    assert calls(simulator) == {"chat.postMessage": 2}


def test_every_method_is_known_for_what_it_does(simulator_methods: list[str]) -> None:
    """A method that is taken for one that reads would be called twice."""
    read = {each for each in simulator_methods if repeats_harmlessly(f"https://slack.com/api/{each}")}
    assert read == {
        "api.test", "apps.connections.open", "auth.test", "bots.info", "chat.getPermalink", "conversations.history",
        "conversations.info", "conversations.list", "conversations.members", "conversations.open", "conversations.replies",
        "files.info", "reactions.get", "team.info", "usergroups.users.list", "users.info", "users.list",
    } | (read & {"users.conversations"})  # fmt: skip
    assert not repeats_harmlessly("https://hooks.slack.com/commands/T1/1/info")


@pytest.fixture
def simulator_methods() -> list[str]:
    """The methods of the Web API that are used by anybody here."""
    return sorted(Simulator().methods)


class Address:
    """A response_url that takes what is posted to it, and answers nothing or with a 5xx."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.posts = 0
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        await request.read()
        self.posts += 1
        if self.status == 0 and isinstance(request.transport, asyncio.Transport):
            request.transport.abort()
        return web.Response(status=self.status or 500)

    async def serve(self) -> web.AppRunner:
        app = web.Application()
        app.add_routes([web.post("/commands/T1/1/info", self.take)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/commands/T1/1/info"
        return runner


@pytest.mark.parametrize("status", [0, 500, 503])
async def test_an_answer_to_a_command_is_posted_once(
    slack: SimulatorThread, known: Store, tmp_path: Path, published: list[str], status: int
) -> None:
    """The person would read it twice; slack_sdk repeats what was cut off, unless it is told not to."""
    address = Address(status)
    runner = await address.serve()
    context = a_context(slack, known, tmp_path, published)
    await context.answer(address.url, "hola", what="a test")
    assert address.posts == 1
    await asyncio.to_thread(post_as_outbox, address.url)
    assert address.posts == 2
    await runner.cleanup()


def post_as_outbox(url: str) -> None:
    """What the outbox posts to a response_url; that it failed is for its caller."""
    with pytest.raises(replies.AmbiguousResult):
        replies.post_to(url, replies.Content("hola"))


async def test_no_request_makes_the_bot_show_something_twice(
    slack: SimulatorThread, known: Store, tmp_path: Path, published: list[str]
) -> None:
    """Every surface, while what it shows is shown and its answer lost: the listeners have no retries of their own either."""
    dispatch = dispatcher(slack, known, tmp_path, published)
    faults, wire = slack.simulator.faults, slack.simulator.wire
    # Somebody answers there: what is never reached is called again after a second.
    address = Address(200)
    runner = await address.serve()
    for method in WRITES:
        faults.fail_next(method, "answer_lost", times=10_000)
    twice = {}
    for name, body in surfaces(TEAM, response_url=address.url).items():
        before, address.posts = len(list(wire)), 0
        await dispatch(body)
        made = Counter(each.name for each in list(wire)[before:] if each.kind == "call")
        made["the address"] = address.posts
        shown = {method: count for method, count in made.items() if count > 1 and method in {*WRITES, "the address"} - REPLACES}
        if shown:
            twice[name] = shown
    faults.calm()
    await runner.cleanup()
    assert twice == {}
