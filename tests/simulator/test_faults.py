"""Every fault that can be ordered from the simulator: that it happens, and happens once."""

import asyncio
from typing import Any

import aiohttp
import pytest

from bot.simulator import delivery
from bot.simulator.faults import Faults
from bot.simulator.server import Simulator
from bot.simulator.wire import Transfer

GENERAL = "C0SIMUGENERAL"


class App:
    """An app with one websocket, which acknowledges what it reads unless it is told not to."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self.session = session
        self.acknowledges = True
        self.socket: aiohttp.ClientWebSocketResponse

    async def call(self, method: str, **arguments: Any) -> tuple[int, Any, Any]:
        """Call the Web API and return the status, the headers and the body of the answer (None where it is no JSON)."""
        token = self.simulator.app_token if method.startswith("apps.") else self.simulator.bot_token
        headers = {"Authorization": f"Bearer {token}"}
        async with self.session.post(f"{self.simulator.url}/api/{method}", data=arguments, headers=headers) as response:
            return (
                response.status,
                response.headers,
                await response.json() if response.content_type == "application/json" else None,
            )

    async def connect(self) -> "App":
        _, _, answer = await self.call("apps.connections.open")
        self.socket = await self.session.ws_connect(answer["url"], autoping=False)
        return self

    async def frame(self) -> dict[str, Any]:
        """Return the next frame."""
        return dict(await self.socket.receive_json(timeout=10))

    async def message(self) -> dict[str, Any]:
        """Return the next envelope with a person's message; acknowledge and skip everything else."""
        while True:
            frame = await self.frame()
            if frame["type"] in ("hello", "disconnect"):
                continue
            event = frame["payload"].get("event", {})
            theirs = event.get("type") == "message" and "subtype" not in event
            if self.acknowledges or not theirs:
                await self.socket.send_json({"envelope_id": frame["envelope_id"]})
            if theirs:
                return frame

    async def reason(self) -> str:
        """Return the reason of the next `disconnect`."""
        while (frame := await self.frame())["type"] != "disconnect":
            pass
        return str(frame["reason"])

    async def closed(self) -> bool:
        """Return whether Slack closed the socket."""
        while (await self.socket.receive(timeout=10)).type is aiohttp.WSMsgType.TEXT:
            pass
        return self.socket.closed


@pytest.fixture
async def app(simulator: Simulator, session: aiohttp.ClientSession) -> App:
    return await App(simulator, session).connect()


def say(simulator: Simulator, text: str) -> str:
    workspace = simulator.workspace
    return str(workspace.post_as_person(workspace.user("ana"), workspace.channel("general"), text)["ts"])


def text(envelope: dict[str, Any]) -> str:
    return str(envelope["payload"]["event"]["text"])


async def settled(simulator: Simulator) -> None:
    """Wait until every event that was sent is acknowledged."""
    done = asyncio.Event()

    def look(_: Transfer | None) -> None:
        if all(one.outcome for one in simulator.wire if one.kind == "event"):
            done.set()

    simulator.wire.watchers.append(look)
    look(None)
    await asyncio.wait_for(done.wait(), 10)
    simulator.wire.watchers.remove(look)


# --- events ---


async def test_events_can_come_in_another_order(simulator: Simulator, app: App) -> None:
    """An edit before its message, a reaction before both: order is promised nowhere."""
    simulator.faults.reorder_next(2)
    for word in ("uno", "dos", "tres"):
        say(simulator, word)
    assert [text(await app.message()) for _ in range(3)] == ["tres", "dos", "uno"]


async def test_an_event_can_come_late(simulator: Simulator, app: App) -> None:
    """What happened before may be heard after."""
    simulator.faults.delay_events(60)
    say(simulator, "tarde")
    say(simulator, "pronto")
    assert text(await app.message()) == "pronto"
    await settled(simulator)
    simulator.clock.step(60)
    assert text(await app.message()) == "tarde"


async def test_an_acknowledged_event_can_come_again_as_a_retry(simulator: Simulator, app: App) -> None:
    """Slack does that: the work was done, and the second one must change nothing."""
    simulator.faults.redeliver_next()
    say(simulator, "hola")
    first, second = await app.message(), await app.message()
    assert (first["retry_attempt"], second["retry_attempt"], second["retry_reason"]) == (0, 1, "timeout")
    assert first["payload"] == second["payload"]


async def test_the_hours_events_are_limited_and_the_app_is_told(
    simulator: Simulator, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above 30,000 an hour Slack sends nothing but one app_rate_limited a minute; the next hour begins anew."""
    say(simulator, "uno")
    await app.message()
    monkeypatch.setattr(delivery, "EVENTS_PER_HOUR", 0)
    say(simulator, "nunca")
    told = (await app.frame())["payload"]
    assert told.keys() == {"token", "team_id", "api_app_id", "type", "minute_rate_limited"}
    assert told["type"] == "app_rate_limited"
    monkeypatch.undo()
    simulator.clock.step(3_600)
    say(simulator, "dos")
    assert text(await app.message()) == "dos"


async def test_an_app_that_acknowledges_nothing_is_switched_off(
    simulator: Simulator, app: App, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped bot hears nothing any more until a person switches it on again."""
    app.acknowledges = False
    simulator.clock.step(3_600)
    say(simulator, "sin respuesta")  # a new hour, in which this is the only event
    monkeypatch.setattr(delivery, "SWITCH_OFF_FROM_EVENTS", 1)
    await app.message()
    simulator.clock.step(3_600)
    say(simulator, "la gota")
    say(simulator, "nunca")
    async with session.get(f"{simulator.url}/control") as response:
        assert (await response.json())["subscribed"] is False
    async with session.post(f"{simulator.url}/control/subscribe") as response:
        assert (await response.json())["subscribed"] is True
    say(simulator, "otra vez")
    while (heard := text(await app.message())) != "otra vez":
        assert heard == "sin respuesta"  # its redeliveries


# --- sockets ---


@pytest.mark.parametrize(("what", "reason"), [("refresh", "refresh_requested"), ("warning", "warning")])
async def test_a_socket_that_will_close_is_told_so(
    simulator: Simulator, session: aiohttp.ClientSession, app: App, what: str, reason: str
) -> None:
    """Ten seconds before; what comes meanwhile goes to the other socket, so that nothing is lost."""
    other = await App(simulator, session).connect()
    simulator.disturb(what)
    assert await app.reason() == reason
    for _ in range(20):
        say(simulator, "hola")
        assert text(await other.message()) == "hola"
    simulator.clock.step(10)
    assert await app.closed()
    assert simulator.sockets == 1


async def test_a_leaving_socket_may_still_acknowledge(simulator: Simulator, app: App) -> None:
    """What was sent before the refresh must not come twice."""
    app.acknowledges = False
    say(simulator, "hola")
    envelope = await app.message()
    simulator.disturb("refresh")
    await app.socket.send_json({"envelope_id": envelope["envelope_id"]})
    await settled(simulator)
    simulator.clock.step(9)
    events = [one for one in simulator.wire if one.kind == "event" and one.request["event"].get("text") == "hola"]
    assert [one.outcome for one in events] == ["ok"]


async def test_socket_mode_can_be_switched_off(simulator: Simulator, app: App) -> None:
    """link_disabled is for good: no new socket is given out until somebody switches it on again."""
    simulator.disturb("link_disabled")
    assert await app.reason() == "link_disabled"
    assert await app.closed()
    assert (await app.call("apps.connections.open"))[2]["error"] == "forbidden_team"
    simulator.disturb("link_enabled")
    await app.connect()


async def test_a_frozen_peer_answers_no_ping(simulator: Simulator, app: App, session: aiohttp.ClientSession) -> None:
    """TCP says that all is well; only a ping tells. What it was sent comes again through another socket."""
    say(simulator, "antes")
    await app.message()
    await settled(simulator)
    await app.socket.ping()
    while (await app.socket.receive(timeout=10)).type is not aiohttp.WSMsgType.PONG:
        pass
    simulator.disturb("freeze")
    await app.socket.ping()
    say(simulator, "hola")
    with pytest.raises(TimeoutError):  # passes however slow the machine is; a broken freeze answers at once
        await app.socket.receive(timeout=1)
    other = await App(simulator, session).connect()
    again = asyncio.create_task(other.message())
    for _ in range(20):  # each redelivery takes one of the two sockets by chance
        simulator.clock.step(400)
        say(simulator, "hola")
    assert text(await again) == "hola"
    simulator.disturb("thaw")
    while (await app.socket.receive(timeout=10)).type is not aiohttp.WSMsgType.PONG:
        pass


async def test_a_deaf_socket_answers_pings_and_brings_nothing(
    simulator: Simulator, app: App, session: aiohttp.ClientSession
) -> None:
    """The zombie of Socket Mode: whoever looks at the connection alone sees that all is well, for hours."""
    say(simulator, "antes")
    await app.message()
    await settled(simulator)
    simulator.disturb("deaf")
    say(simulator, "hola")
    await app.socket.ping()
    while (frame := await app.socket.receive(timeout=10)).type is not aiohttp.WSMsgType.PONG:
        assert frame.type is not aiohttp.WSMsgType.TEXT
    assert simulator.sockets == 1
    other = await App(simulator, session).connect()
    again = asyncio.create_task(other.message())
    for _ in range(20):  # each redelivery takes one of the two sockets by chance
        simulator.clock.step(400)
        say(simulator, "hola")
    assert text(await again) == "hola"
    simulator.disturb("hear")
    listening = [asyncio.create_task(one.message()) for one in (app, other)]
    while not listening[0].done():
        say(simulator, "después")
        await asyncio.sleep(0)
    listening[1].cancel()
    assert text(await listening[0]) in {"después", "hola"}


async def test_the_next_deaf_socket_is_another_one(simulator: Simulator, app: App, session: aiohttp.ClientSession) -> None:
    """A whole app can be made deaf, whose sockets are two."""
    await app.frame()
    await (await App(simulator, session).connect()).frame()
    deaf = []
    for _ in range(3):
        simulator.disturb("deaf")
        deaf.append(len(simulator.apps[0].transport.deaf))
    assert deaf == [1, 2, 2]


async def test_a_half_closed_socket_sends_nothing_and_still_reads(simulator: Simulator, app: App) -> None:
    """Slack's side has ended and nobody has said so; what the app still sends arrives, and what is sent to it gets lost."""
    app.acknowledges = False
    say(simulator, "antes")
    envelope = await app.message()
    simulator.disturb("half-closed")
    say(simulator, "nunca")
    await app.socket.send_json({"envelope_id": envelope["envelope_id"]})
    assert (await app.socket.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSED
    outcomes = [one.outcome for one in simulator.wire if one.kind == "event" and one.request["event"].get("text") == "antes"]
    assert outcomes == ["ok"]


async def test_a_connection_can_be_reset(simulator: Simulator, app: App) -> None:
    """Without a close frame, as when a router restarts."""
    simulator.disturb("abort")
    await app.closed()
    assert app.socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE


async def test_a_socket_can_be_one_too_many(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    """Slack also counts connections of crashed processes, so this can happen although only one is open."""
    simulator.faults.turn_away()
    assert await (await App(simulator, session).connect()).reason() == "too_many_websockets"
    assert (await (await App(simulator, session).connect()).frame())["type"] == "hello"


async def test_an_unknown_disturbance_is_refused(simulator: Simulator) -> None:
    """A misspelt name must not pass for a fault that the app survived."""
    with pytest.raises(ValueError, match="no such disturbance"):
        simulator.disturb("earthquake")


# --- the Web API ---


async def test_retry_after_is_as_ordered(simulator: Simulator, app: App) -> None:
    """Clients must wait as long as they are told."""
    simulator.faults.fail_next("auth.test", "ratelimited", retry_after_s=30)
    status, headers, body = await app.call("auth.test")
    assert (status, headers["Retry-After"], body) == (429, "30", {"ok": False, "error": "ratelimited"})


async def test_a_good_status_may_come_without_json(simulator: Simulator, app: App) -> None:
    """A captive portal answers 200 with a page."""
    simulator.faults.fail_next("auth.test", "not_json")
    status, headers, body = await app.call("auth.test")
    assert (status, headers["Content-Type"].partition(";")[0], body) == (200, "text/html", None)


async def test_a_call_can_be_answered_late(simulator: Simulator, app: App) -> None:
    """Ack first: who waits for the Web API before acknowledging is too late."""
    simulator.faults.delay_calls("auth.test", 60)
    slow = asyncio.create_task(app.call("auth.test"))
    while not (begun := [one for one in simulator.wire if one.name == "auth.test"]):
        await app.call("api.test")
    for _ in range(5):
        await app.call("api.test")
    assert begun[0].outcome == ""
    simulator.clock.step(60)
    assert (await slow)[2]["ok"]


async def test_any_method_can_be_the_one_that_fails(simulator: Simulator, app: App) -> None:
    """ "*" is whichever is called next."""
    simulator.faults.fail_next("*", 500)
    assert (await app.call("api.test"))[0] == 500
    assert (await app.call("api.test"))[0] == 200


async def test_history_can_be_limited_as_for_apps_of_strangers(simulator: Simulator, app: App) -> None:
    """Fifteen messages and one call a minute: a bot that rebuilds its memory from history stands still."""
    for n in range(20):
        say(simulator, str(n))
    simulator.faults.limit_history()
    assert len((await app.call("conversations.history", channel=GENERAL, limit=100))[2]["messages"]) == 15
    status, headers, _ = await app.call("conversations.history", channel=GENERAL)
    assert (status, headers["Retry-After"]) == (429, "60")
    simulator.clock.step(60)
    assert (await app.call("conversations.history", channel=GENERAL))[0] == 200


async def test_an_uninstalled_app_hears_so_and_can_call_nothing(simulator: Simulator, app: App) -> None:
    """It must stop by itself, and not call for ever with a dead token."""
    assert (await app.call("auth.test"))[2]["ok"]
    simulator.uninstall()
    heard: list[str] = []
    while "app_uninstalled" not in heard:
        frame = await app.frame()
        heard += [frame["payload"]["event"]["type"]] if "payload" in frame else []
    assert "tokens_revoked" in heard
    assert (await app.call("auth.test"))[2]["error"] == "token_revoked"


# --- chaos ---


def event_and_call_faults(faults: Faults) -> list[Any]:
    """Return the faults of the next hundred events and calls."""
    return [*(faults.take_event_fault() for _ in range(100)), *(faults.take_call_fault("chat.postMessage") for _ in range(100))]


def test_a_seed_replays_its_chaos() -> None:
    """A failure that was found at random must be found again; the calls' order among other methods does not matter."""
    first, again, other = Faults(), Faults(), Faults()
    first.chaos(7, 0.3)
    again.chaos(7, 0.3)
    other.chaos(8, 0.3)
    for _ in range(50):
        again.take_call_fault("chat.update")
    expected = event_and_call_faults(first)
    assert event_and_call_faults(again) == expected
    assert event_and_call_faults(other) != expected
    assert len({type(one) for one in expected}) == 2
    assert 30 <= sum(one != type(one)() for one in expected) <= 90  # 60 of 200, give or take


def test_calm_ends_everything() -> None:
    """A test that leaves a fault behind spoils the next one."""
    faults = Faults()
    faults.chaos(7, 1.0)
    faults.drop_acks(3)
    faults.fail_next("*", 500)
    faults.calm()
    assert faults.waiting() == Faults().waiting()
    assert event_and_call_faults(faults)[0] == Faults().take_event_fault()


async def test_nothing_is_lost_in_chaos(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    """Every fault is one that a careful app survives: with acknowledgements and new sockets it hears every message."""
    simulator.clock.rescale(0.01)
    simulator.faults.chaos(2026, 0.5)
    heard: set[str] = set()
    sent = {say(simulator, str(n)) for n in range(100)}

    async def listen() -> None:
        app = App(simulator, session)
        while sent - heard:
            try:
                await app.connect()
                while sent - heard:
                    heard.add((await app.message())["payload"]["event"]["ts"])
            except (aiohttp.ClientError, ConnectionError, TypeError, KeyError, ValueError):
                continue  # refused, cut off, or no JSON: once more

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(30):
        while not listening.done():
            say(simulator, "sigue")  # what is held back waits for another
            await asyncio.sleep(0.05)
    assert heard >= sent


# --- over HTTP ---


async def test_faults_are_ordered_over_http_as_well(simulator: Simulator, app: App, session: aiohttp.ClientSession) -> None:
    """Tests in other languages, and people with the page, have no Python."""
    ordered = {"method": "auth.test", "failure": 503, "times": 2}
    async with session.post(f"{simulator.url}/control/fail_next", json=ordered) as response:
        assert (await response.json())["faults"]["calls"] == {"auth.test": [[503, 0.0, 1], [503, 0.0, 1]]}
    assert (await app.call("auth.test"))[0] == 503
    async with session.post(f"{simulator.url}/control/step", json={"seconds": 3600}) as response:
        assert (await response.json())["ok"]


@pytest.mark.parametrize(
    ("verb", "given", "status"),
    [
        ("explode", {}, 404),
        ("step", {"seconds": "long"}, 400),
        ("step", {"seconds": -1}, 400),
        ("step", {}, 400),
        ("step", [1], 400),
        ("drop_acks", {"times": True}, 400),
        ("drop_acks", {"many": 1}, 400),
        ("rescale", {"scale": 0}, 400),
        ("disturb", {"what": "earthquake"}, 400),
    ],
)
async def test_a_wrong_order_is_refused(
    simulator: Simulator, session: aiohttp.ClientSession, verb: str, given: Any, status: int
) -> None:
    """It gives a reason, and changes nothing."""
    async with session.post(f"{simulator.url}/control/{verb}", json=given) as response:
        assert response.status == status
        assert not (await response.json())["ok"]


async def test_the_log_tells_what_travelled(simulator: Simulator, app: App) -> None:
    """Every event and call with its outcome, and no token."""
    say(simulator, "hola")
    await app.message()
    await app.call("chat.postMessage", channel="C404", text="x")
    posts = {one.name: one for one in simulator.wire}
    assert (posts["message"].kind, posts["message"].outcome) == ("event", "ok")
    assert (posts["chat.postMessage"].outcome, posts["chat.postMessage"].request["text"]) == ("channel_not_found", "x")
    assert simulator.bot_token not in str(list(simulator.wire))
