"""The real app, connected to a simulated Slack by a real socket, in the simulator's own thread: no other process is needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.authorization import AuthorizeResult

from bot.locks import TtlLock
from bot.settings import EVENTS_PATH
from bot.simulator.server import Simulator
from bot.slack.app import build_app
from bot.slack.guard import SignedRequests
from model.labels import Label, LabelEvent, seed_taxonomy
from model.store.store import Store
from model.store.tables import label_events
from tests.slack.dispatching import a_context
from tests.town import SimulatorThread


@contextmanager
def connected(
    slack: SimulatorThread, store: Store, home: Path, published: list[str], *, port: int | None = None
) -> Iterator[None]:
    """The app hears this Slack, where it is a member of #general; `published` gets what it would put on the queues.

    With a `port` by signed HTTP, to where the simulator was told to post; else by a socket.
    """
    workspace = slack.simulator.workspace

    async def listen() -> web.AppRunner:
        workspace.join(workspace.channel("general"), workspace.user("beto"))
        server = web.Application()
        requests = SignedRequests(build_app(context, who), Simulator.signing_secret, TtlLock("redis://127.0.0.1:1/0"))
        server.router.add_post(EVENTS_PATH, requests.handle)
        runner = web.AppRunner(server)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return runner

    async def connect() -> AsyncSocketModeHandler:
        workspace.join(workspace.channel("general"), workspace.user("beto"))
        app = build_app(context, who)
        handler = AsyncSocketModeHandler(app, app_token=Simulator.app_token)
        await handler.connect_async()
        return handler

    who = AuthorizeResult(
        enterprise_id=None, team_id=workspace.team_id, bot_user_id=workspace.bot_user_id, bot_id="B1",
        bot_token=Simulator.bot_token,
    )  # fmt: skip
    context = a_context(slack, store, home, published)
    heard = slack.run(connect() if port is None else listen())
    try:
        yield
    finally:
        slack.run(heard.close_async() if isinstance(heard, AsyncSocketModeHandler) else heard.cleanup())
        slack.run(context.background.finish(10))  # the store is closed next


def grow(store: Store, labels: int) -> None:
    """Add labels without an emoji, and without a description, to the shipped ones until there are so many: "Tema número N".

    Before anybody has asked the store for its labels.
    """
    events = []
    for number in range(len(seed_taxonomy()), labels):
        label = Label(name=f"tema_{number}", title=f"Tema número {number}", title_en=f"Topic {number}", emoji="", description="")
        events.append({"event": LabelEvent(kind="add", name=label.name, label=label, at=1, by="U1").model_dump(mode="json")})
    with store.database.writing() as connection:  # one by one, each would be folded with all before it
        connection.execute(label_events.insert(), events)
