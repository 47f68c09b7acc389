"""Calls to Slack over connections that are kept: what fails is told as over new ones."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bot.forms import Forms
from bot.locks import TtlLock
from bot.outbox.client import RateLimitedClient
from bot.outbox.states import AmbiguousResult
from bot.settings import BotSettings
from bot.simulator.line import Line
from bot.simulator.pytest_plugin import SimulatorThread
from bot.slack.context import kept_connections, slack_client

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


class NoLimit:
    """Nobody waits."""

    def take(self, _method: str, _channel: str) -> float:
        return 0.0


def client(url: str, **options: Any) -> RateLimitedClient:
    return RateLimitedClient(
        limiter=NoLimit(),
        forms=Forms(TtlLock("redis://127.0.0.1:1/0")),
        token="xoxb-1",
        base_url=url,
        **{"timeout": 5, **options},
    )


@contextmanager
def serving(on_call: Callable[[socket.socket, int], None]) -> Iterator[tuple[str, list[int]]]:
    """Serve at the address that is yielded: of each connection `on_call` is told the socket and its number, with a request read.

    The list has an item for each connection that was opened.
    """
    opened: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                opened.append(len(opened) + 1)
                with connection:
                    while connection.recv(1 << 16):
                        try:
                            on_call(connection, opened[-1])
                        except StopIteration:
                            break

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/api/", opened
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def test_calls_one_after_the_other_go_over_one_connection() -> None:
    """Three round trips for the first, one for each other."""
    line = Line()
    slack = SimulatorThread(rate_limits=False, line=line)
    try:
        ours = client(slack.environment["SLACK_API_URL"])
        ours.token = slack.environment["SLACK_BOT_TOKEN"]
        for _ in range(3):
            assert ours.auth_test()["ok"]
        assert line.connections == 1
        ours.connections.close()
    finally:
        slack.stop()


async def test_the_bots_calls_share_a_connection_too() -> None:
    """A button has three seconds, and its modal is a call."""
    line = Line()
    slack = SimulatorThread(rate_limits=False, line=line)
    try:
        settings = BotSettings(
            slack_api_url=slack.environment["SLACK_API_URL"], slack_bot_token=slack.environment["SLACK_BOT_TOKEN"]
        )
        ours = slack_client(settings)
        async with kept_connections(ours):
            for _ in range(3):
                await ours.auth_test()
        assert line.connections == 1
        await ours.auth_test()  # after its end, over one of its own
        assert line.connections == 2
    finally:
        slack.stop()


def test_a_connection_that_slack_closed_meanwhile_loses_no_call() -> None:
    """It closes those that nobody uses, when it likes and without a word."""

    def answer_and_close(connection: socket.socket, _number: int) -> None:
        connection.sendall(ANSWER)
        raise StopIteration

    with serving(answer_and_close) as (url, opened):
        ours = client(url)
        for _ in range(3):
            assert ours.auth_test()["ok"]
        assert len(opened) == 3
        ours.connections.close()


@pytest.mark.parametrize(
    ("answer", "late"), [(None, True), (b"", False), (b"HTTP/1.1 2", False), (b"no HTTP at all\r\n\r\n", False)]
)
def test_a_call_without_an_answer_may_have_been_carried_out(answer: bytes | None, late: bool) -> None:
    """Whoever called looks for what came of it; where nothing came in time, that may yet come."""
    enough = threading.Event()

    def spoil(connection: socket.socket, _number: int) -> None:
        if answer is None:
            enough.wait(10)
        else:
            connection.sendall(answer)
        raise StopIteration

    with serving(spoil) as (url, opened):
        with pytest.raises(AmbiguousResult) as told:
            client(url, timeout=0.3).chat_postMessage(channel="C1", text="hola")
        enough.set()
    assert told.value.late is late
    assert len(opened) == 1, "it was called again by itself"


def test_where_nobody_listens_nothing_can_come_late() -> None:
    """No connection came about."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(AmbiguousResult) as told:
        client(f"http://127.0.0.1:{port}/api/").auth_test()
    assert not told.value.late


def test_calls_go_through_the_proxy_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many companies let nothing out but through one."""
    heard: list[str] = []

    def proxy(connection: socket.socket, _number: int) -> None:
        heard.append("asked")
        connection.sendall(ANSWER)

    with serving(proxy) as (url, _):
        monkeypatch.setenv("HTTP_PROXY", url.removesuffix("/api/"))
        ours = client("http://slack.example/api/")
        assert ours.auth_test()["ok"]
        ours.connections.close()
    assert heard == ["asked"]
