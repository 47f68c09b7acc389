"""The Bolt app and how it is run: Socket Mode by default, signed HTTP by a flag."""

import asyncio
import logging
import os
import re
import signal
from collections.abc import Awaitable, Callable
from http.server import ThreadingHTTPServer
from typing import Any

import aiohttp
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError

from bot import metrics
from bot.errors import StartRefused, refusal
from bot.locks import TtlLock
from bot.settings import EVENTS_PATH, BotSettings, misspelt
from bot.slack import guard
from bot.slack.context import ListenerContext, build_context, kept_connections, slack_client
from bot.slack.hearing import PING_EVERY_S, Hearing, Missed
from bot.slack.listeners import (
    addressed,
    backfills,
    channel_labels,
    commands,
    corrections,
    erasure,
    explanations,
    guide,
    home,
    labels,
    messages,
    reactions,
    reply_buttons,
    review,
    routes,
    shortcuts,
    showing,
    steps,
    summaries,
    training,
    workspace,
)
from bot.slack.payloads.parsing import FROM_A_PERSON
from bot.slack.payloads.payload import Payload
from bot.views import blocks
from model.store.store import Store
from worker import health
from worker.app import configure
from worker.logs import configure_logging
from worker.metrics import watch_database
from worker.process import database_away, trace
from worker.watchdog import Watchdog

log = logging.getLogger(__name__)

# Two, so that Slack's hourly refresh of one never leaves a gap.
CONNECTIONS = 2
# What was acknowledged and is under way has so long to finish when the process is told to stop.
FINISH_WITHIN_S = 5.0


def build_app(context: ListenerContext, who: AuthorizeResult) -> AsyncApp:
    """Build the Bolt app with every listener; asks nobody anything yet."""

    async def authorize() -> AuthorizeResult:
        # One workspace, one token, asked once at start-up: no auth.test for every event.
        return who

    # The client for each request gets its token from `authorize`; Bolt warns of a second one.
    client = slack_client(context.settings)
    client.token = None
    app = guard.ValidatingApp(
        forms=context.slack.forms,
        client=client,
        authorize=authorize,
        signing_secret=context.settings.slack_signing_secret.get_secret_value() or None,
        # A listener saves and then returns; only after that does Bolt acknowledge.
        process_before_response=True,
        raise_error_for_unhandled_request=False,
    )
    guard.own_workspace_only(app, who.team_id)

    @app.middleware
    async def speak(parsed: Payload, next_: Callable[[], Awaitable[BoltResponse]]) -> BoltResponse:
        """Speak the language of whoever clicked or asked: what comes of it is for their eyes."""
        context.speak_to(await context.readers.soon(parsed.user) if isinstance(parsed, FROM_A_PERSON) else None)
        return await next_()

    for register in (
        messages.register, reactions.register, corrections.register, reply_buttons.register, explanations.register,
        commands.register, training.register, erasure.register, shortcuts.register, home.register, labels.register,
        channel_labels.register, guide.register, review.register, summaries.register, routes.register, showing.register,
        steps.register, addressed.register, backfills.register, workspace.register,
    ):  # fmt: skip
        register(app, context)

    # Slack redelivers what nobody acknowledges and in the end switches the subscription off.
    @app.event(re.compile(".*"))
    async def ignore(ack: AsyncAck) -> None:
        await ack()

    # What stands in Slack since an earlier version, or what somebody added to the app there.
    @app.command(re.compile(".*"))
    async def on_former_command(ack: AsyncAck) -> None:
        await ack(context.texts("command.former"))

    @app.action(re.compile(".*"))
    @app.shortcut(re.compile(".*"))
    async def on_former_click(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        if response_url := body.get("response_url"):
            former = context.texts("command.former")
            context.after_ack(context.answer(response_url, former, what="a former button"), what="a former button")

    @app.view(re.compile(".*"))
    async def on_former_view(ack: AsyncAck) -> None:
        await ack(response_action="update", view=blocks.sorry(context.texts("command.former"), context.texts))

    @app.error
    async def refuse(error: Exception, body: dict[str, Any]) -> BoltResponse:
        """Do not acknowledge: Slack sends an event again. A click or a command comes once, so its person is told."""
        what = str(body.get("type") or body.get("command"))
        await context.tell_failure(error, what=what, response_url=body.get("response_url"))
        return BoltResponse(status=500, body="")

    return app


async def run(settings: BotSettings, *, http: bool) -> None:
    """Hear Slack until SIGTERM or SIGINT. Raises StartRefused where tokens, database or Slack say no."""
    if complaints := settings.complaints(http=http):
        raise StartRefused("\n".join(complaints))
    store = Store(
        settings.store_url,
        settings.home_folder,
        mask_personal=settings.mask_personal,
        label_emoji=settings.label_emoji_by_name,
        preferences=settings.preferences,
    )
    await asyncio.to_thread(store.migrate)
    await asyncio.to_thread(store.begin_labels, settings.labels_file)
    who, bot_name = await _who_am_i(settings)
    if (owner := await asyncio.to_thread(store.belongs_to, str(who.team_id))) != who.team_id:
        raise StartRefused(
            f"the database belongs to the workspace {owner}, and SLACK_BOT_TOKEN is of {who.team_id}: labels and versions are "
            "shared by all that is in one database, so give each workspace its own (BETO_DATABASE_URL, or BETO_HOME)"
        )
    if complaints := await asyncio.to_thread(store.labels.emoji_complaints, settings.sign_emoji):
        raise StartRefused("\n".join(complaints))
    for sentence in await asyncio.to_thread(store.labels.preference_complaints):
        log.warning("%s", sentence)
    context = build_context(settings, store, bot_user=str(who.bot_user_id), bot_name=bot_name, team=who.team_id)
    await context.taxonomy()
    app = build_app(context, who)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with kept_connections(context.slack):
        if http:
            await _serve_http(app, context, stop)
        else:
            await _serve_sockets(app, context, stop)
        await context.background.finish(FINISH_WITHIN_S)
    store.close()


async def _who_am_i(settings: BotSettings) -> tuple[AuthorizeResult, str]:
    """Return who we are for Slack, and how people call us: whoever installs the app may name it otherwise."""
    client = slack_client(settings)
    token = settings.slack_bot_token.get_secret_value()
    try:
        answer = await client.auth_test()
    except SlackApiError as error:
        raise _start_refused(
            error,
            settings,
            "SLACK_BOT_TOKEN",
            "copy it again from your app's page, OAuth & Permissions, and install the app if you have not",
        ) from error
    except (OSError, aiohttp.ClientError) as error:
        raise StartRefused(f"Slack cannot be reached at {settings.slack_api_url}: {error}") from error
    who = AuthorizeResult(
        enterprise_id=answer.get("enterprise_id"),
        team_id=answer["team_id"],
        bot_user_id=answer["user_id"],
        bot_id=answer["bot_id"],
        bot_token=token,
    )
    return who, str(answer["user"])


def _start_refused(error: SlackApiError, settings: BotSettings, token: str, hint: str) -> StartRefused:
    code = refusal(error)
    if code is None:
        return StartRefused(
            f"Slack cannot be reached at {settings.slack_api_url}: what answers there is not Slack, perhaps a proxy"
        )
    return StartRefused(f"Slack refuses {token} ({code}): {hint}")


async def _serve_sockets(app: AsyncApp, context: ListenerContext, stop: asyncio.Event) -> None:
    settings = context.settings
    token = settings.slack_app_token.get_secret_value()
    try:
        # Asked once by ourselves: the Socket Mode client takes a refusal for bad weather and would try for ever.
        await context.slack.apps_connections_open(app_token=token)
    except SlackApiError as error:
        hint = "it needs the scope connections:write, and Socket Mode must be on"
        raise _start_refused(error, settings, "SLACK_APP_TOKEN", hint) from error
    except (OSError, aiohttp.ClientError) as error:
        raise StartRefused(f"Slack cannot be reached at {settings.slack_api_url}: {error}") from error
    handlers = [
        AsyncSocketModeHandler(app, app_token=token, ping_interval=PING_EVERY_S, web_client=slack_client(settings))
        for _ in range(CONNECTIONS)
    ]
    hearing = Hearing([each.client for each in handlers], Missed(context.store, context.slack))
    page = _health_page(context, hearing)
    try:
        for handler in handlers:
            await handler.connect_async()
        log.info("connected to Slack by %d sockets", CONNECTIONS)
        await _watched(hearing, stop)
    finally:
        for handler in handlers:
            await handler.close_async()
        if page is not None:
            await asyncio.to_thread(page.shutdown)


async def _serve_http(app: AsyncApp, context: ListenerContext, stop: asyncio.Event) -> None:
    settings = context.settings
    secret = settings.slack_signing_secret.get_secret_value()
    server = web.Application()
    server.router.add_post(EVENTS_PATH, guard.SignedRequests(app, secret, TtlLock(settings.redis_url)).handle)
    runner = web.AppRunner(server)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.http_host, settings.http_port).start()
    except OSError as error:
        await runner.cleanup()
        raise StartRefused(f"cannot listen on {settings.http_host}:{settings.http_port}: {error.strerror}") from error
    hearing = Hearing([])
    page = _health_page(context, hearing)
    log.info("listening for Slack on http://%s:%s%s", settings.http_host, settings.http_port, EVENTS_PATH)
    try:
        await _watched(hearing, stop)
    finally:
        await runner.cleanup()
        if page is not None:
            await asyncio.to_thread(page.shutdown)


def _health_page(context: ListenerContext, hearing: Hearing) -> ThreadingHTTPServer | None:
    """Serve the page of this process, which is ready while it hears Slack and the database answers."""
    settings = context.settings
    watch_database(context.store.database)
    hearing.measure()
    return health.serve(
        settings.health_port,
        "bot",
        lambda: (
            next((f"Slack: {what}" for what in context.lost), None) or hearing.why_not_ready() or database_away(context.store)
        ),
        host=settings.health_host,
        measured=(metrics.SLACK, metrics.HEARING),
    )


async def _watched(hearing: Hearing, stop: asyncio.Event) -> None:
    """Wait until told to stop; end the process where it hears nothing any more."""
    watching = asyncio.create_task(hearing.watch())
    watchdog = Watchdog(hearing.why_stuck)
    watchdog.start()
    try:
        await stop.wait()
    finally:
        watchdog.stop()
        watching.cancel()


def run_bot(*, http: bool) -> None:
    """Run the `beto bot` process: its settings are read here, once, and handed on."""
    settings = BotSettings()
    configure_logging("bot", settings.log)
    trace("bot", settings)
    for sentence in misspelt():
        log.warning("%s", sentence)
    # Read; from here on the variable could only be inherited by somebody, or make Bolt warn that it does not need it.
    os.environ.pop("SLACK_BOT_TOKEN", None)
    configure(settings)
    asyncio.run(run(settings, http=http))
