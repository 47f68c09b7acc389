"""A bot whose sockets are open and bring nothing is noticed, said on its page, and started again."""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.local.environment import child_environment
from bot.local.ports import free_port
from bot.local.running import read_health
from bot.local.supervisor import Process, Supervisor
from bot.simulator.server import Simulator
from bot.slack import hearing
from bot.slack.hearing import Hearing, Missed
from model.schema import Message, Source
from model.store.store import Store
from tests.town import SimulatorThread, wait_until
from worker import watchdog

GENERAL = "C0SIMUGENERAL"


class Bot:
    """Two real sockets that acknowledge what they bring, watched by a clock that tests turn."""

    def __init__(self, simulator: Simulator, store: Store) -> None:
        self.simulator, self.store = simulator, store
        self.time_s = 0.0
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        web = AsyncWebClient(token=simulator.bot_token, base_url=f"{simulator.url}/api/")
        self.clients = [SocketModeClient(simulator.app_token, web_client=web, ping_interval=2) for _ in range(2)]
        for client in self.clients:
            client.socket_mode_request_listeners.append(self._acknowledge)  # type: ignore[arg-type]  # as Bolt does
        self.hearing = Hearing(self.clients, Missed(store, web), clock=lambda: self.time_s)

    async def connect(self) -> "Bot":
        for client in self.clients:
            await client.connect()
        await self.hearing.ask_slack()  # what is there when it connects is not missed
        self.say("antes")
        await self.hears("antes")
        return self

    async def _acknowledge(self, client: SocketModeClient, request: SocketModeRequest) -> None:
        await client.send_socket_mode_response(SocketModeResponse(request.envelope_id))
        self.heard.put_nowait(str(request.payload.get("event", {}).get("text")))

    def say(self, text: str) -> str:
        workspace = self.simulator.workspace
        return str(workspace.post_as_person(workspace.user("ana"), workspace.channel("general"), text)["ts"])

    async def hears(self, text: str) -> None:
        async with asyncio.timeout(10):
            while await self.heard.get() != text:
                pass

    async def _ping(self, client: SocketModeClient) -> None:
        """As slack_sdk's monitor does, whose time tests do not turn."""
        before = client.last_ping_pong_time
        assert client.current_session is not None
        await client.current_session.ping(f"sdk-ping-pong:{time.time()}".encode())
        async with asyncio.timeout(10):
            while client.last_ping_pong_time == before:  # noqa: ASYNC110 - slack_sdk has no event for it
                await asyncio.sleep(0.001)

    async def pass_s(self, seconds: float, *, pinged: bool = True) -> str | None:
        """So long later, in the steps that the bot looks in: why it is stuck."""
        until = self.time_s + seconds
        while self.time_s < until:
            self.time_s += hearing.LOOK_EVERY_S
            if pinged:
                await asyncio.gather(*(self._ping(client) for client in self.clients))
            await self.hearing.beat()
            await self.hearing.look_at_sockets()
            await self.hearing.ask_slack()
        return self.hearing.why_stuck()

    async def close(self) -> None:
        for client in self.clients:
            await client.close()


@pytest.fixture
async def bot(simulator: Simulator, tmp_path: Path) -> AsyncIterator[Bot]:
    """A bot in #general, which it watches and of which it has a message."""
    store = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path)
    store.migrate()
    store.channels.set_mode(GENERAL, "auto")
    store.messages.save(Message(channel=GENERAL, ts="1.000001", user="U1", text="hola", source=Source.CHANNEL))
    made = await Bot(simulator, store).connect()
    yield made
    await made.close()
    store.close()


async def test_sockets_that_bring_nothing_of_what_slack_has_are_deaf(simulator: Simulator, bot: Bot) -> None:
    """slack_sdk calls them connected; only Slack knows that somebody wrote."""
    assert bot.hearing.why_not_ready() is None
    for _ in bot.clients:
        simulator.disturb("deaf")
    ts = bot.say("nadie lo oye")
    reason = await bot.pass_s(hearing.SILENT_S + 2 * hearing.ASK_EVERY_S)
    assert reason == f"Slack: 1 messages in {GENERAL} were not heard, the first posted at {ts}"
    assert bot.hearing.why_not_ready() == reason
    assert [await client.is_connected() for client in bot.clients] == [True, True]
    simulator.disturb("hear")
    bot.say("ya oigo")
    await bot.hears("ya oigo")
    assert bot.hearing.why_not_ready() is None


async def test_a_quiet_day_is_no_deafness(simulator: Simulator, bot: Bot) -> None:
    """Nobody writes on Sundays: nothing may be started again for that, and one call a half minute is all it costs."""
    asked = len([call for call in simulator.transcript if call.method == "conversations.history"])
    assert await bot.pass_s(300) is None
    assert bot.hearing.why_not_ready() is None
    asked = len([call for call in simulator.transcript if call.method == "conversations.history"]) - asked
    assert asked <= 300 / hearing.ASK_EVERY_S


async def test_what_another_process_may_have_heard_proves_nothing(simulator: Simulator, bot: Bot) -> None:
    """Two bots beside each other hear half each: one message is too little, ten in a row are not chance."""
    for _ in bot.clients:
        simulator.disturb("deaf")
    bot.hearing._connections = 4
    bot.say("uno")
    assert await bot.pass_s(hearing.SILENT_S + 2 * hearing.ASK_EVERY_S) is None
    for n in range(9):
        bot.say(str(n))
    assert "10 messages" in str(await bot.pass_s(2 * hearing.ASK_EVERY_S))


async def test_what_another_process_saved_counts_it_among_the_listeners(simulator: Simulator, bot: Bot) -> None:
    """It started after our sockets were told how many there are."""
    for _ in bot.clients:
        simulator.disturb("deaf")
    ts = bot.say("lo oye otro")
    bot.store.messages.save(Message(channel=GENERAL, ts=ts, user="U1", text="lo oye otro", source=Source.CHANNEL))
    assert await bot.pass_s(hearing.SILENT_S + 2 * hearing.ASK_EVERY_S) is None


async def test_one_deaf_socket_of_two_is_opened_anew(simulator: Simulator, bot: Bot) -> None:
    """Half of the clicks would be lost, and whoever looks at the other socket sees that all is well."""
    simulator.disturb("deaf")
    sessions = [client.current_session for client in bot.clients]
    async with asyncio.timeout(60):
        while not any(ear.elsewhere >= hearing.UNEVEN for ear in bot.hearing.ears):
            bot.say("hola")
            await asyncio.sleep(0.01)
    await bot.pass_s(hearing.SILENT_S - hearing.LOOK_EVERY_S)
    bot.time_s += hearing.LOOK_EVERY_S
    assert "brings nothing, while" in str(bot.hearing.why_not_ready())
    assert bot.hearing.why_stuck() is None
    await bot.hearing.look_at_sockets()
    async with asyncio.timeout(20):
        while simulator.apps[0].transport.deaf or simulator.sockets < 2:  # noqa: ASYNC110 - nor the simulator
            await asyncio.sleep(0.05)
    deaf = next(n for n, client in enumerate(bot.clients) if client.current_session is not sessions[n])
    async with asyncio.timeout(20):
        while bot.hearing.ears[deaf].elsewhere or bot.hearing.ears[deaf].renewals:
            bot.say("hola")
            await asyncio.sleep(0.01)
    assert bot.hearing.why_not_ready() is None


async def test_a_socket_without_any_frame_is_told(simulator: Simulator, bot: Bot) -> None:
    """slack_sdk opens another one by itself; where it does not, the process has to start again."""
    assert await bot.pass_s(120) is None  # pongs come
    for client in bot.clients:
        assert client.current_session_monitor is not None
        client.current_session_monitor.cancel()  # it pings no more, and sees no unanswered ping
    silent = await bot.pass_s(120, pinged=False)
    assert re.fullmatch(r"Slack: socket 1 of 2 is open, and has brought no frame for \d+ s, not even a pong", str(silent))


async def test_a_lost_socket_is_told_at_once_and_left_to_slack_sdk(simulator: Simulator, bot: Bot) -> None:
    """A process that ends while the library reconnects would fight it: for five minutes it does not."""
    await bot.clients[1].disconnect()
    assert bot.hearing.why_not_ready() == "Slack: socket 2 of 2 is not connected"
    assert bot.hearing.why_stuck() is None
    for client in bot.clients:
        await client.close()
    assert "has not been connected for" in str(await bot.pass_s(hearing.DISCONNECTED_S + 10, pinged=False))


async def test_a_half_closed_socket_is_followed_by_another(simulator: Simulator, bot: Bot) -> None:
    """slack_sdk sees the end of the stream."""
    session = bot.clients[0].current_session
    simulator.disturb("half-closed")
    async with asyncio.timeout(20):
        while bot.clients[0].current_session is session or bot.hearing.why_not_ready():  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.05)
    bot.say("otra vez")
    await bot.hears("otra vez")


def test_an_event_loop_that_stands_still_is_told() -> None:
    """Whatever blocks it, over HTTP too: the page is served by another thread, and would say that all is well."""
    time_s = 0.0
    watched = Hearing([], clock=lambda: time_s)
    assert watched.why_not_ready() is None
    time_s = hearing.SILENT_S
    assert watched.why_not_ready() == watched.why_stuck() == "the event loop, which has stood still for 60 s"


def test_a_deaf_bot_says_so_ends_and_hears_again(tmp_path: Path) -> None:
    """Ten hours deaf, and nobody noticed: the complaint that others have of Socket Mode."""
    pace = 0.1
    slack = SimulatorThread(rate_limits=False)
    url = f"sqlite:///{tmp_path / 'beto.db'}"
    store = Store(url, tmp_path)
    store.migrate()
    store.channels.set_mode(GENERAL, "auto")

    def stored(ts: str) -> bool:
        return store.messages.find(GENERAL, ts) is not None

    async def say(text: str) -> str:
        workspace = slack.simulator.workspace
        return str(workspace.post_as_person(workspace.user("ana"), workspace.channel("general"), text)["ts"])

    def hears(text: str) -> None:
        ts = slack.run(say(text))
        wait_until(lambda: stored(ts), 20, f"the bot hears {text}")

    async def deafen() -> None:
        for _ in range(2):
            slack.simulator.disturb("deaf")

    environment = child_environment(
        None, BETO_HOME=str(tmp_path), BETO_DATABASE_URL=url, BETO_CHAOS_PACE=str(pace),
        **slack.environment,
    )  # fmt: skip
    town = slack.simulator.workspace
    town.join(town.channel("general"), town.user("beto"))
    try:
        with Supervisor(tmp_path, environment) as machine:
            # Of its own: what it publishes must not be found by tests that count what is on a queue.
            machine.environment["BETO_REDIS_URL"] = machine.start_redis()
            bot = Process("bot", [sys.executable, "-P", "-m", "tests.chaos.process", "bot"], free_port(), tokens=True)
            machine.processes.append(bot)
            machine.spawn(bot)
            machine.wait_ready(bot, 60)
            assert bot.popen is not None
            hears("hola")
            slack.run(deafen())
            began = time.monotonic()
            missed = slack.run(say("nadie lo oye"))
            wait_until(
                lambda: (told := read_health(bot.port, "ready")) and "were not heard" in str(told["waiting_for"]),
                60,
                "/ready says so",
            )
            noticed_s = time.monotonic() - began
            assert bot.popen.wait(60) == watchdog.STUCK_STATUS
            assert not stored(missed)
            assert noticed_s < pace * (hearing.SILENT_S + 3 * hearing.ASK_EVERY_S) + 10
            wait_until(lambda: machine.watch() or bot.restart_at is None, 60, "it is started again")
            machine.wait_ready(bot, 60)
            hears("otra vez")
    finally:
        store.close()
        slack.stop()
