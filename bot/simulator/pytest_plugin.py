"""The simulator for tests of any Slack app: `pytest_plugins = ["bot.simulator.pytest_plugin"]`, then ask for `slack`."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from bot.simulator.app import App
from bot.simulator.errors import Json
from bot.simulator.person import Person
from bot.simulator.server import Simulator
from bot.simulator.web_api import Call

T = TypeVar("T")


class SimulatorThread:
    """A simulated Slack in a thread with an event loop of its own, so that synchronous tests can use it over loopback."""

    def __init__(self, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulator")
        self._thread.start()
        self.simulator = Simulator(**options)
        try:
            self.run(self.simulator.start())
        except BaseException:
            self._end()
            raise

    @property
    def url(self) -> str:
        """Return the simulator's address, without a slash at the end."""
        return self.simulator.url

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables by which most apps find Slack."""
        return {
            "SLACK_API_URL": f"{self.simulator.app_url}/api/",
            "SLACK_BOT_TOKEN": Simulator.bot_token,
            "SLACK_APP_TOKEN": Simulator.app_token,
            "SLACK_SIGNING_SECRET": Simulator.signing_secret,
        }

    def install(self, manifest: Json, **options: Any) -> App:
        """Install one more app in the workspace; see Simulator.install."""

        async def add() -> App:
            return self.simulator.install(manifest, **options)

        return self.run(add())

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float = 30.0) -> T:
        """Run the coroutine on the simulator's loop and return its result; raises TimeoutError."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def as_person(self, user: str, act: Callable[[Person], Awaitable[T]], timeout_s: float = 30.0) -> T:
        """Return what `act` returns for that person (by name, such as "ana"); see Person for what people can do."""

        async def visit() -> T:
            async with Person(self.url, user) as person:
                return await act(person)

        return self.run(visit(), timeout_s)

    def calls(self, method: str) -> list[Call]:
        """Return the app's calls of that method of the Web API, oldest first."""
        return [call for call in list(self.simulator.transcript) if call.method == method]

    def stop(self) -> None:
        """Stop the simulator and its thread."""
        self.run(self.simulator.stop())
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def slack_options() -> dict[str, Any]:
    """Return the arguments of Simulator for the `slack` fixture; override it to set `manifest`, `events_url` or `clock_scale`."""
    return {"rate_limits": False}


@pytest.fixture
def slack(slack_options: dict[str, Any]) -> Iterator[SimulatorThread]:
    """Run a Slack workspace for one test, on a free port of loopback."""
    thread = SimulatorThread(**slack_options)
    yield thread
    thread.stop()
