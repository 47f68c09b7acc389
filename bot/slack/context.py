"""What every listener works with: the dependencies that the process's root builds once and hands on."""

import asyncio
import contextvars
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from celery.canvas import Signature
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot import metrics, queues
from bot.errors import refusal
from bot.forms import Forms
from bot.locks import TtlLock
from bot.settings import BotSettings
from bot.slack import people
from bot.slack.courtesies import Courtesies
from bot.slack.readers import Reader, Readers
from bot.slack.retries import SlackClient, retry_handlers
from bot.slack.visibility import Visibility
from bot.views.texts import Texts, load_texts
from model.errors import StoreUnavailable
from model.labels import Taxonomy
from model.store.outbox_row import change_key
from model.store.store import Store

log = logging.getLogger(__name__)

# Of the three seconds that Slack waits for an acknowledgement.
PUBLISH_WITHIN_S = 1.0
ANSWER_WITHIN_S = 1.5
# A label that was changed is seen so many seconds later at most; a database that does not answer costs a listener no more
# than the second number, and the labels that were known last are used.
TAXONOMY_KNOWN_FOR_S = 5.0
TAXONOMY_WITHIN_S = 0.3

# What the worker is asked for is mostly there by then; who waits for longer is told that it comes.
LATE_S = 3.0

# A call to Slack, and how long a connection that nobody uses is kept for the next one.
CALL_WITHIN_S = 15
KEPT_S = 30.0

Publish = Callable[[Signature[None]], Awaitable[None]]
Tell = Callable[[str], Awaitable[object]]


class Publisher:
    """Puts tasks on their queues, in threads that do nothing else: a Redis that does not answer holds up nothing but them."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="publish")

    async def __call__(self, signature: Signature[None]) -> None:
        """Publish the task within PUBLISH_WITHIN_S, or log that it was not: its row is saved, and the sweep finds it."""
        try:
            # With what is known here of what it is about.
            publish = contextvars.copy_context().run
            sending = asyncio.get_running_loop().run_in_executor(self._threads, publish, signature.apply_async)
            await asyncio.wait_for(sending, PUBLISH_WITHIN_S)
            metrics.PUBLISHED.labels("sent").inc()
        except Exception as error:  # kombu lets every transport's own exceptions through
            metrics.PUBLISHED.labels("left to the sweep").inc()
            log.warning("could not publish %s, the sweep will: %r", signature.task, error)


class TaxonomyCache:
    """The current labels for coroutines: the database is read in a thread, and nobody waits for it longer than a moment."""

    def __init__(self, read: Callable[[], Taxonomy], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._known: Taxonomy | None = None
        self._read_at = 0.0
        self._refreshing: asyncio.Task[None] | None = None

    async def current(self) -> Taxonomy:
        """Return the labels, at most TAXONOMY_KNOWN_FOR_S old; the last ones known while the database does not answer.

        Only before the first answer is it waited for, and StoreUnavailable raised: the root asks once at start-up.
        """
        if self._known is None:
            self._known, self._read_at = await asyncio.to_thread(self._read), self._clock()
        elif self._clock() - self._read_at > TAXONOMY_KNOWN_FOR_S:
            if self._refreshing is None or self._refreshing.done():
                self._refreshing = asyncio.create_task(self._refresh())
            await asyncio.wait([self._refreshing], timeout=TAXONOMY_WITHIN_S)
        return self._known

    def forget(self) -> None:
        """Have the labels read anew when they are asked for next: this process changed them."""
        self._read_at = float("-inf")

    async def _refresh(self) -> None:
        try:
            self._known = await asyncio.to_thread(self._read)
        except StoreUnavailable as error:
            log.warning("the labels of %.0f s ago are used: %s", self._clock() - self._read_at, error)
        # Also where there was no answer: it is asked again later, and not by every listener.
        self._read_at = self._clock()


class Background:
    """Work that goes on after its request was acknowledged: Slack waits for three seconds, and its own calls may take longer."""

    def __init__(self) -> None:
        # The event loop keeps only weak references to tasks.
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`, which handles its own errors."""
        self.keep(asyncio.create_task(work))

    def keep(self, task: "asyncio.Task[Any]") -> None:
        """Hold the task until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, within_s: float) -> None:
        """Wait for what has been started, and for what that starts, at most for so long; the rest is cancelled."""
        until = time.monotonic() + within_s
        while self._tasks and (left_s := until - time.monotonic()) > 0:
            await asyncio.wait(self._tasks, timeout=left_s)
        for task in self._tasks:
            task.cancel()


# The sentences that whoever clicked or asked reads: in what goes on for them, also after it is acknowledged.
_READ: contextvars.ContextVar[Texts | None] = contextvars.ContextVar("read", default=None)


@dataclass(frozen=True)
class ListenerContext:
    """Dependencies shared by all listeners.

    `channel_texts` are the sentences of what stands in channels, in the workspace's language.
    """

    settings: BotSettings
    store: Store
    channel_texts: Texts
    slack: SlackClient
    bot_user: str
    bot_name: str  # as people call it here
    publish: Publish
    labels: TaxonomyCache
    visibility: Visibility
    readers: Readers
    courtesies: Courtesies
    team: str | None = None  # the workspace's id
    late_s: float = LATE_S
    background: Background = field(default_factory=Background)
    lost: list[str] = field(default_factory=list)  # why Slack takes our tokens no more, once it has said so

    async def taxonomy(self) -> Taxonomy:
        """Return the current labels (see `TaxonomyCache.current`)."""
        return await self.labels.current()

    @property
    def texts(self) -> Texts:
        """The sentences of whoever clicked or asked (see `speak_to`); where nobody did, those of channels."""
        return _READ.get() or self.channel_texts

    def speak_to(self, reader: Reader | None) -> None:
        """Speak this person's language from now on in this coroutine, and in all that it starts; for None the workspace's."""
        _READ.set(None if reader is None else reader.texts)

    async def used_labels(self, channel: str) -> tuple[str, ...] | None:
        """Return the labels that the channel uses, by their names of today; None for all."""
        chosen = await asyncio.to_thread(self.store.channels.labels, channel)
        return None if chosen is None else (await self.taxonomy()).today(chosen)

    async def why_not_train(self, user: str) -> str | None:
        """Return the sentence that says why this person may not retrain, promote and go back; None where they may.

        Guests and people of other organisations never may, whoever named them in BETO_TRAINERS.
        """
        if not await self.visibility.is_full_member(user):
            return self.texts("run.refused_guest")
        return None if await people.may_train(self.slack, self.settings, user) else self.texts("run.refused")

    async def why_not_edit_labels(self, user: str) -> str | None:
        """Return the sentence that says why this person may not change the labels; None where they may."""
        if not await self.visibility.is_full_member(user):
            return self.texts("labels.refused_guest")
        return None if await people.may_edit_labels(self.slack, self.settings, user) else self.texts("labels.refused")

    async def why_not_edit_routes(self, user: str) -> str | None:
        """Return the sentence that says why this person may make no routes; None where they may."""
        if not await self.visibility.is_full_member(user):
            return self.texts("routes.refused_guest")
        return None if await people.may_edit_routes(self.slack, self.settings, user) else self.texts("routes.refused")

    async def announce(self, call: "Call", text_key: str, **values: str) -> None:
        """Have the channel told, by this text of the locales, who changed what there; once, whatever comes of the process."""
        key = change_key(call.trigger_id)
        await asyncio.to_thread(self.store.outbox.announce, key, call.channel, text_key, {"user": f"<@{call.user}>", **values})
        await self.publish(queues.deliver(key))

    async def why_not_lead(self, user: str) -> str | None:
        """Return the sentence that says why this person may not settle disputes and see agreement; None where they may."""
        if not await self.visibility.is_full_member(user):
            return self.texts("lead.refused_guest")
        return None if await people.may_lead(self.slack, self.settings, user) else self.texts("lead.refused")

    def after_ack(
        self, work: Coroutine[Any, Any, None], *, what: str, response_url: str | None = None, tell: Tell | None = None
    ) -> None:
        """Run `work` once the request is acknowledged; where it fails, whoever asked is told, and the log holds it.

        `tell` says so where they look: in the modal that stands open, or where there is no response URL.
        """
        self.background.start(self._watched(work, what, response_url, tell))

    async def tell_failure(self, error: Exception, *, what: str, response_url: str | None, tell: Tell | None = None) -> None:
        """Log the error, and tell whoever asked to try again: a click or a command is sent once."""
        away = isinstance(error, StoreUnavailable)
        if away:
            log.warning("%s waits for the database: %s", what, error)
        else:
            log.error("a listener failed on %s", what, exc_info=error)
        sentence = self.texts("command.trouble" if away else "command.failed")
        if tell is not None:
            try:
                await tell(sentence)
                return
            except (SlackApiError, OSError, aiohttp.ClientError, TimeoutError) as failed:
                log.warning("whoever asked for %s could not be told: %r", what, failed)
        if response_url:
            await self.answer(response_url, sentence, what=what)

    async def answer(self, response_url: str, text: str, *, what: str) -> None:
        """Show `text` to the person alone whose request this is the address of; an address that does not answer is logged."""
        began, outcome = time.perf_counter(), "lost"
        try:
            client = AsyncWebhookClient(response_url, retry_handlers=retry_handlers())
            sent = await client.send(text=text, response_type="ephemeral", replace_original=False)
            outcome = "ok" if sent.status_code == 200 else "refused"
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("%s could not be answered: %r", what, error)
        metrics.count_call("response_url", outcome, time.perf_counter() - began)

    async def tell(
        self,
        text: str,
        *,
        channel: str,
        user: str,
        thread_ts: str | None = None,
        response_url: str | None,
        blocks: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        """Show `text`, or `blocks`, to this person alone, in their thread; by the address where Slack refuses that.

        Where the answer was lost it may have been shown, and is not shown again.
        """
        try:
            await self.slack.chat_postEphemeral(text=text, channel=channel, user=user, thread_ts=thread_ts, blocks=blocks)
        except (SlackApiError, aiohttp.ClientConnectorError) as error:
            is_lost = isinstance(error, SlackApiError) and refusal(error) is None
            if response_url is None or is_lost:
                raise
            await self.answer(response_url, text, what="an ephemeral message")

    async def _watched(self, work: Coroutine[Any, Any, None], what: str, response_url: str | None, tell: Tell | None) -> None:
        try:
            await work
        except Exception as error:  # nobody else sees it: the request is acknowledged
            await self.tell_failure(error, what=what, response_url=response_url, tell=tell)


@dataclass(frozen=True)
class Call:
    """Somebody's `/beto WORD rest`."""

    channel: str
    user: str
    rest: str
    trigger_id: str
    response_url: str = field(repr=False)


def slack_client(settings: BotSettings) -> SlackClient:
    """Return a client that waits out rate limits by itself, and repeats what repeats harmlessly (see `retries`)."""
    token = settings.slack_bot_token.get_secret_value()
    forms = Forms(TtlLock(settings.redis_url), settings.screens)
    return SlackClient(forms=forms, token=token, base_url=settings.slack_api_url, timeout=CALL_WITHIN_S)


@asynccontextmanager
async def kept_connections(slack: AsyncWebClient) -> AsyncIterator[None]:
    """Let the calls of this client share connections while the block runs: over a new one, each waits three times as long."""
    connector = aiohttp.TCPConnector(keepalive_timeout=KEPT_S)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=CALL_WITHIN_S)) as session:
        slack.session = session
        try:
            yield
        finally:
            slack.session = None


def build_context(
    settings: BotSettings,
    store: Store,
    *,
    bot_user: str,
    bot_name: str,
    team: str | None = None,
    publish: Publish | None = None,
) -> ListenerContext:
    """Build the context of this process; asks nobody anything yet. `team`: the workspace, others' people are outsiders."""
    slack = slack_client(settings)
    texts = load_texts(settings.language, settings.sign_emoji)
    return ListenerContext(
        settings=settings,
        store=store,
        channel_texts=texts,
        slack=slack,
        bot_user=bot_user,
        bot_name=bot_name,
        publish=publish or Publisher(),
        labels=TaxonomyCache(store.labels.current),
        visibility=Visibility(slack, settings, team),
        readers=Readers(slack, texts, settings.sign_emoji),
        courtesies=Courtesies(slack, TtlLock(settings.redis_url), wanted=settings.screens == "native"),
        team=team,
    )
