"""A `replies` process without its queue: the context that its root builds, for a simulated Slack."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from bot.outbox.context import OutboxContext, build_context
from bot.settings import BotSettings
from bot.simulator.pytest_plugin import SimulatorThread
from bot.simulator.server import Simulator
from bot.simulator.workspace import Workspace
from model.store.store import Store
from tests.broker import broker


@pytest.fixture
def replies_slack(redis_url: str) -> Iterator[Simulator]:
    """A simulated Slack in which the bot is a member of #atencion."""
    redis.Redis.from_url(redis_url).flushall()
    thread = SimulatorThread(rate_limits=False)
    workspace = thread.simulator.workspace
    workspace.join(workspace.channel("atencion"), workspace.user("beto"))
    with broker(redis_url):
        yield thread.simulator
    thread.stop()


@pytest.fixture
def replies_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """What a test's process is set to, beside what every process needs."""
    return dict(getattr(request, "param", {}))


@pytest.fixture
def context(
    replies_slack: Simulator,
    replies_settings: dict[str, str],
    store_url: str,
    tmp_path: Path,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[OutboxContext]:
    """What the process works with."""
    environment = {
        "SLACK_BOT_TOKEN": replies_slack.bot_token,
        "SLACK_API_URL": f"{replies_slack.url}/api/",
        "BETO_DATABASE_URL": store_url,
        "BETO_HOME": str(tmp_path),
        "BETO_REDIS_URL": redis_url,
        "BETO_SLACK_RATE": "0",
        "BETO_EXPERTS": "S0SIMUEXPERTOS",
        **replies_settings,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = BotSettings()
    store = Store(settings.store_url, settings.home_folder, label_emoji=settings.label_emoji_by_name)
    store.migrate()
    made = build_context(settings, store, wait=lambda _: pytest.fail("Slack is there"))
    yield made
    made.slack.connections.close()
    store.close()


@pytest.fixture
def workspace(replies_slack: Simulator) -> Workspace:
    return replies_slack.workspace
