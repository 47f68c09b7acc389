"""The Bolt app and how it is run: Socket Mode by default, signed HTTP by a flag."""

import asyncio
import logging
import os
import re
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from celery.canvas import Signature
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler, AsyncServerErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.errors import StartRefused
from bot.locks import TtlLock
from bot.settings import BotSettings
from bot.slack import guard
from bot.slack.listeners import commands, corrections, forget, home, messages, reactions, shortcuts, training
from bot.views.texts import Texts, load_texts
from model.errors import StoreUnavailable
from model.labels import Taxonomy
from model.store.gestures import Gestures
from model.store.label_book import LabelBook
from model.store.runs import Runs
from model.store.store import Store
from worker import health
from worker.app import configure
from worker.process import configure_logging

log = logging.getLogger(__name__)

# Two, so that Slack's hourly refresh of one never leaves a gap.
CONNECTIONS = 2
# Of the three seconds that Slack waits for an acknowledgement.
PUBLISH_WITHIN_S = 1.0

_publishers = ThreadPoolExecutor(4, thread_name_prefix="publish")


@dataclass(frozen=True)
class Desk:
    """What every listener works with."""

    store: Store
    gestures: Gestures
    runs: Runs
    texts: Texts
    labels: LabelBook
    settings: BotSettings
    publish: Callable[[Signature[None]], Awaitable[None]]

    @property
    def taxonomy(self) -> Taxonomy:
        """The labels of today."""
        return self.labels.current()


async def publish(signature: Signature[None]) -> None:
    """The task is on its way; where Redis is away it is not, and the sweep will send it: the row is saved already.

    A Redis that does not answer delays this by PUBLISH_WITHIN_S and nothing else: these threads do nothing but wait for it.
    """
    try:
        sending = asyncio.get_running_loop().run_in_executor(_publishers, signature.apply_async)
        await asyncio.wait_for(sending, PUBLISH_WITHIN_S)
    except Exception as error:  # kombu lets every transport's own exceptions through
        log.warning("could not publish %s, the sweep will: %r", signature.task, error)


def slack_client(settings: BotSettings) -> AsyncWebClient:
    """A client that waits out rate limits and server errors by itself; a local Slack is reached without any proxy."""
    client = AsyncWebClient(token=settings.slack_bot_token.get_secret_value(), base_url=settings.slack_api_url, timeout=15)
    client.retry_handlers += [AsyncRateLimitErrorRetryHandler(max_retry_count=2), AsyncServerErrorRetryHandler()]
    return client


def build_app(settings: BotSettings, store: Store, *, who: AuthorizeResult) -> AsyncApp:
    """The Bolt app with every listener; asks nobody anything yet."""

    async def authorize() -> AuthorizeResult:
        # One workspace, one token, asked once at start-up: no auth.test for every event.
        return who

    # The client for each request gets its token from `authorize`; Bolt warns of a second one.
    client = slack_client(settings)
    client.token = None
    app = guard.SturdyApp(
        client=client,
        authorize=authorize,
        signing_secret=settings.slack_signing_secret.get_secret_value() or None,
        # A listener saves and then returns; only after that does Bolt acknowledge.
        process_before_response=True,
        raise_error_for_unhandled_request=False,
    )
    desk = Desk(
        store=store,
        gestures=store.gestures,
        runs=store.runs,
        texts=load_texts(settings.language),
        labels=store.labels,
        settings=settings,
        publish=publish,
    )
    guard.own_workspace_only(app, who.team_id)
    for surface in (messages, reactions, corrections, commands, training, forget, shortcuts, home):
        surface.register(app, desk)

    # Slack redelivers what nobody acknowledges and in the end switches the subscription off.
    @app.event(re.compile(".*"))
    @app.action(re.compile(".*"))
    @app.command(re.compile(".*"))
    @app.shortcut(re.compile(".*"))
    @app.view(re.compile(".*"))
    async def ignore(ack: Callable[[], Awaitable[None]]) -> None:
        await ack()

    @app.error
    async def refuse(error: Exception, body: dict[str, Any]) -> BoltResponse:
        """Not acknowledged: Slack sends an event again. A click or a command comes once, so its person is told to try again."""
        if isinstance(error, StoreUnavailable):
            log.warning("not acknowledged, Slack will send it again: %s", error)
        else:
            log.error("a listener failed on %s", body.get("type"), exc_info=error)
        if body.get("response_url"):
            words = desk.texts("command.trouble" if isinstance(error, StoreUnavailable) else "command.failed")
            try:
                await AsyncWebhookClient(body["response_url"]).send(text=words, response_type="ephemeral", replace_original=False)
            except (OSError, aiohttp.ClientError, TimeoutError) as untold:
                log.warning("%s could not be told: %r", body.get("type", "a command"), untold)
        return BoltResponse(status=500, body="")

    return app


async def run(settings: BotSettings, *, http: bool) -> None:
    """The bot hears Slack until SIGTERM or SIGINT. StartRefused where tokens, database or Slack say no."""
    if complaints := settings.complaints(http=http):
        raise StartRefused("\n".join(complaints))
    store = Store(settings.store_url, settings.home_folder, mask_personal=settings.mask_personal)
    await asyncio.to_thread(store.migrate)
    who = await _who_am_i(settings)
    if (owner := await asyncio.to_thread(store.belongs_to, str(who.team_id))) != who.team_id:
        raise StartRefused(
            f"the database belongs to the workspace {owner}, and SLACK_BOT_TOKEN is of {who.team_id}: labels and versions are "
            "shared by all that is in one database, so give each workspace its own (BETO_DATABASE_URL, or BETO_HOME)"
        )
    app = build_app(settings, store, who=who)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if http:
        await _serve_http(app, settings, stop)
    else:
        await _serve_sockets(app, settings, stop)
    store.close()


async def _who_am_i(settings: BotSettings) -> AuthorizeResult:
    client = slack_client(settings)
    token = settings.slack_bot_token.get_secret_value()
    try:
        answer = await client.auth_test()
    except SlackApiError as error:
        raise StartRefused(
            f"Slack refuses SLACK_BOT_TOKEN ({error.response['error']}): copy it again from your app's page, "
            "OAuth & Permissions, and install the app if you have not"
        ) from error
    except OSError as error:
        raise StartRefused(f"Slack cannot be reached at {settings.slack_api_url}: {error}") from error
    return AuthorizeResult(
        enterprise_id=answer.get("enterprise_id"),
        team_id=answer["team_id"],
        bot_user_id=answer["user_id"],
        bot_id=answer["bot_id"],
        bot_token=token,
    )


async def _serve_sockets(app: AsyncApp, settings: BotSettings, stop: asyncio.Event) -> None:
    token = settings.slack_app_token.get_secret_value()
    try:
        # Asked once by ourselves: the Socket Mode client takes a refusal for bad weather and would try for ever.
        await slack_client(settings).apps_connections_open(app_token=token)
    except SlackApiError as error:
        raise StartRefused(
            f"Slack refuses SLACK_APP_TOKEN ({error.response['error']}): it needs the scope connections:write, "
            "and Socket Mode must be on"
        ) from error
    handlers = [
        AsyncSocketModeHandler(app, app_token=token, ping_interval=10, web_client=slack_client(settings))
        for _ in range(CONNECTIONS)
    ]
    page = health.serve(
        settings.health_port,
        "bot",
        lambda: None if all(handler.client.current_session for handler in handlers) else "Slack",
        host=settings.health_host,
    )
    try:
        for handler in handlers:
            await handler.connect_async()
        log.info("connected to Slack by %d sockets", CONNECTIONS)
        await stop.wait()
    finally:
        for handler in handlers:
            await handler.close_async()
        if page is not None:
            await asyncio.to_thread(page.shutdown)


async def _serve_http(app: AsyncApp, settings: BotSettings, stop: asyncio.Event) -> None:
    server = app.server(port=settings.http_port, path="/slack/events", host=settings.http_host)
    secret = settings.slack_signing_secret.get_secret_value()
    server.web_app.middlewares.append(guard.signed_by_slack(secret, TtlLock(settings.redis_url)))
    runner = web.AppRunner(server.web_app)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.http_host, settings.http_port).start()
    except OSError as error:
        await runner.cleanup()
        raise StartRefused(f"cannot listen on {settings.http_host}:{settings.http_port}: {error.strerror}") from error
    page = health.serve(settings.health_port, "bot", lambda: None, host=settings.health_host)
    log.info("listening for Slack on http://%s:%s/slack/events", settings.http_host, settings.http_port)
    try:
        await stop.wait()
    finally:
        await runner.cleanup()
        if page is not None:
            await asyncio.to_thread(page.shutdown)


def run_bot(*, http: bool) -> None:
    """The `beto bot` process."""
    configure_logging()
    settings = BotSettings()
    # Read; from here on the variable could only be inherited by somebody, or make Bolt warn that it does not need it.
    os.environ.pop("SLACK_BOT_TOKEN", None)
    configure(settings)
    asyncio.run(run(settings, http=http))
