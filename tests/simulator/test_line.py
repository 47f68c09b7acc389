"""The line of an app to the simulated Slack: TLS, and the time that a round trip takes."""

import asyncio
import ssl
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bot.simulator.line import Line
from bot.simulator.person import Person
from bot.simulator.server import Simulator

BEARER = {"Authorization": f"Bearer {Simulator.bot_token}"}


@asynccontextmanager
async def serving(line: Line) -> AsyncIterator[Simulator]:
    simulator = Simulator(line=line, rate_limits=False)
    await simulator.start()
    try:
        yield simulator
    finally:
        await simulator.stop()


async def ask(session: aiohttp.ClientSession, simulator: Simulator) -> float:
    """Return the seconds that a call took."""
    began = time.monotonic()
    async with session.post(f"{simulator.app_url}/api/auth.test", headers=BEARER) as response:
        assert (await response.json())["ok"]
    return time.monotonic() - began


async def test_an_app_trusts_the_authority_that_was_written_and_no_other(tmp_path: Path) -> None:
    """The app's address is HTTPS; people, who know no such authority, come by another one."""
    authority = tmp_path / "authority.pem"
    async with serving(Line(authority=authority)) as simulator, aiohttp.ClientSession() as session:
        assert simulator.app_url.startswith("https://127.0.0.1:")
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await ask(session, simulator)
        trusting = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(authority)))
        async with aiohttp.ClientSession(connector=trusting) as trusted, Person(simulator.url, "ana") as ana:
            await ask(trusted, simulator)
            app = {"Authorization": f"Bearer {Simulator.app_token}"}
            async with trusted.post(f"{simulator.app_url}/api/apps.connections.open", headers=app) as opened:
                url = (await opened.json())["url"]
            assert url.startswith("wss://")
            async with trusted.ws_connect(url) as socket:
                assert (await socket.receive_json())["type"] == "hello"
            assert await ana.state()


async def test_a_call_takes_a_round_trip_and_over_a_new_connection_two() -> None:
    """TCP shakes hands once before it carries anything. A line can only be slower than it says: nothing else is looked at."""
    line = Line(rtt_s=0.06)
    async with serving(line) as simulator, aiohttp.ClientSession() as session:
        assert await ask(session, simulator) >= 0.12
        assert await ask(session, simulator) >= 0.06
        assert line.connections == 1


async def test_without_the_package_that_makes_certificates_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not among what a bot needs."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(ValueError, match="pip install trustme"):
        async with serving(Line(authority=tmp_path / "authority.pem")):
            raise AssertionError("it is served")


async def test_the_command_tells_what_an_app_has_to_trust(tmp_path: Path) -> None:
    """By a variable that OpenSSL reads, so that no app has to know of it."""
    authority = tmp_path / "authority.pem"
    options = ["--port", "0", "--tls", str(authority), "--rtt-ms", "1"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "simulator", *options, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        told = ""
        while "SLACK_SIGNING_SECRET" not in told:
            told += (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        assert f"SSL_CERT_FILE={authority}" in told
        assert "SLACK_API_URL=https://" in told
        assert "BEGIN CERTIFICATE" in authority.read_text(encoding="ascii")
    finally:
        process.terminate()
        await process.wait()
